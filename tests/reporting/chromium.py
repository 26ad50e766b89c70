"""Headless Chromium by its DevTools protocol over a pipe: no package, no port, no network."""

import base64
import fcntl
import json
import os
import select
import shutil
import signal
import time

FLAGS = (
    "--headless",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-dev-shm-usage",
    "--disable-quic",
    "--no-first-run",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--remote-debugging-pipe",
)
_EVENTS = (
    "Log.entryAdded",
    "Network.requestWillBeSent",
    "Runtime.consoleAPICalled",
    "Runtime.exceptionThrown",
)


def find_chromium():
    """Return the path of Chromium or Chrome, or None."""
    names = ("chromium", "chromium-browser", "google-chrome", "google-chrome-stable")
    return next(filter(None, map(shutil.which, names)), None)


class Chromium:
    """One tab. `events` collects requests, console messages and exceptions."""

    def __init__(self, profile, timeout=60):
        self.timeout = timeout
        self.events = []
        self._buffer = b""
        self._last = 0
        # The browser reads from its file 3 and writes to its file 4.
        read_end, self._to_browser = _pipe()
        self._from_browser, write_end = _pipe()
        command = [find_chromium(), *FLAGS, f"--user-data-dir={profile}", "about:blank"]
        self.process = os.posix_spawn(
            command[0],
            command,
            os.environ | {"HOME": str(profile)},
            file_actions=[
                (os.POSIX_SPAWN_DUP2, read_end, 3),
                (os.POSIX_SPAWN_DUP2, write_end, 4),
                (os.POSIX_SPAWN_OPEN, 1, os.devnull, os.O_WRONLY, 0),
                (os.POSIX_SPAWN_OPEN, 2, os.devnull, os.O_WRONLY, 0),
            ],
            setpgroup=0,
        )
        os.close(read_end)
        os.close(write_end)
        target = self.send("Target.createTarget", url="about:blank")["targetId"]
        attached = self.send("Target.attachToTarget", targetId=target, flatten=True)
        self._session = attached["sessionId"]
        for domain in ("Page", "Runtime", "Network", "Log"):
            self.send(f"{domain}.enable")

    _session = None

    def __enter__(self):
        return self

    def __exit__(self, *_):
        os.killpg(self.process, signal.SIGKILL)
        os.waitpid(self.process, 0)
        os.close(self._to_browser)
        os.close(self._from_browser)

    def send(self, method, **params):
        """Call a method of the protocol and return its result."""
        self._last += 1
        message = {"id": self._last, "method": method, "params": params}
        if self._session:
            message["sessionId"] = self._session
        data = json.dumps(message).encode() + b"\0"
        while data:
            data = data[os.write(self._to_browser, data) :]
        return self._wait(lambda reply: reply.get("id") == message["id"])["result"]

    def open(self, path):
        """Open a file, wait until it is loaded, and forget older events."""
        self.events.clear()
        self.send("Page.navigate", url=path.resolve().as_uri())
        self._wait(lambda message: message.get("method") == "Page.loadEventFired")

    def evaluate(self, expression):
        """Return the value of a JavaScript expression."""
        reply = self.send("Runtime.evaluate", expression=expression, returnByValue=True)
        if "exceptionDetails" in reply:
            raise RuntimeError(reply["exceptionDetails"])
        return reply["result"].get("value")

    def press(self, key, code=0):
        """Press and release a key."""
        text = {"text": "\r"} if key == "Enter" else {}
        for kind in ("keyDown", "keyUp"):
            self.send(
                "Input.dispatchKeyEvent",
                type=kind,
                key=key,
                code=key,
                windowsVirtualKeyCode=code,
                **(text if kind == "keyDown" else {}),
            )

    def show(self, *, width=1280, height=900, scheme="light"):
        """Set the size of the window and the colour scheme of the system."""
        self.send(
            "Emulation.setDeviceMetricsOverride",
            width=width,
            height=height,
            deviceScaleFactor=1,
            mobile=width < 600,
        )
        feature = {"name": "prefers-color-scheme", "value": scheme}
        self.send("Emulation.setEmulatedMedia", features=[feature])

    def screenshot(self, path):
        """Save what the window shows as PNG."""
        path.write_bytes(base64.b64decode(self.send("Page.captureScreenshot")["data"]))

    def of(self, method):
        """Return the parameters of the events of one kind."""
        return [event["params"] for event in self.events if event["method"] == method]

    def _wait(self, wanted):
        end = time.monotonic() + self.timeout
        while time.monotonic() < end:
            while b"\0" in self._buffer:
                data, _, self._buffer = self._buffer.partition(b"\0")
                message = json.loads(data)
                if message.get("method") in _EVENTS:
                    self.events.append(message)
                if wanted(message):
                    if "error" in message:
                        raise RuntimeError(message["error"])
                    return message
            if select.select([self._from_browser], [], [], 1)[0]:
                data = os.read(self._from_browser, 1 << 16)
                if not data:
                    raise RuntimeError("Chromium ended.")
                self._buffer += data
        raise TimeoutError(f"Chromium did not answer within {self.timeout} s.")


def _pipe():
    """Return a pipe whose files have numbers that do not clash with 3 and 4."""
    ends = os.pipe()
    moved = [fcntl.fcntl(end, fcntl.F_DUPFD_CLOEXEC, 10) for end in ends]
    for end in ends:
        os.close(end)
    return moved
