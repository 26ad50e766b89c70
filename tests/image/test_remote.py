"""Images in object storage, read from an S3-compatible server on the loopback address."""

import io
import os
import pickle
import re
import threading
import time
from contextlib import contextmanager
from http.server import BaseHTTPRequestHandler, ThreadingHTTPServer

import joblib
import numpy as np
import pandas as pd
import pytest
from joblib.externals.loky import get_reusable_executor
from numpy.testing import assert_array_equal
from PIL import Image

from sklearn_skin.exceptions import ImageDecodeError
from sklearn_skin.image import (
    ImageCell,
    PixelCache,
    PixelReader,
    _remote,
    as_images,
    load_pixels,
    read_image,
    redact_urls,
)
from sklearn_skin.preprocessing import make_lesion_transformer

pytest.importorskip("fsspec")
N_FILES = 6


def picture(gray, size=(40, 30), kind="BMP"):
    """Return the bytes of a plain picture, as many for one as for another."""
    file = io.BytesIO()
    Image.new("RGB", size, (gray, 255 - gray, 7)).save(file, kind)
    return file.getvalue()


class Storage:
    """A bucket, and the method and path of every request that was made of it."""

    def __init__(self, system, requests):
        self.system, self.requests = system, requests

    def put(self, name, data):
        self.system.pipe_file(f"photos/{name}", data)

    @contextmanager
    def requested(self):
        """Give a list of the methods of the requests that are made meanwhile."""
        self.requests.clear()
        methods = []
        yield methods
        methods.extend(method for method, _ in self.requests)


@pytest.fixture(scope="module")
def server():
    pytest.importorskip("moto.server")
    from moto.server import DomainDispatcherApplication, create_backend_app
    from werkzeug.serving import WSGIRequestHandler, make_server

    requests, application = [], DomainDispatcherApplication(create_backend_app)

    def counted(environ, start_response):
        requests.append((environ["REQUEST_METHOD"], environ["PATH_INFO"]))
        return application(environ, start_response)

    class Silent(WSGIRequestHandler):
        def log(self, *args):
            pass

    made = make_server("127.0.0.1", 0, counted, threaded=True, request_handler=Silent)
    thread = threading.Thread(target=made.serve_forever)
    thread.start()
    yield f"http://127.0.0.1:{made.port}", requests
    made.shutdown()
    thread.join()
    made.server_close()


@pytest.fixture
def storage(server, monkeypatch):
    s3fs = pytest.importorskip("s3fs")
    address, requests = server
    environment = {
        "AWS_ENDPOINT_URL": address,
        "AWS_ACCESS_KEY_ID": "key",
        "AWS_SECRET_ACCESS_KEY": "secret",
        "AWS_DEFAULT_REGION": "us-east-1",
    }
    for name, value in environment.items():
        monkeypatch.setenv(name, value)
    s3fs.S3FileSystem.clear_instance_cache()
    system = s3fs.S3FileSystem(use_listings_cache=False)
    system.mkdir("photos")
    storage = Storage(system, requests)
    for i in range(N_FILES):
        storage.put(f"{i}.png", picture(40 * i))
    yield storage
    system.rm("photos", recursive=True)
    s3fs.S3FileSystem.clear_instance_cache()


URLS = [f"s3://photos/{i}.png" for i in range(N_FILES)]
EXPECTED = np.stack([np.full((8, 8, 3), (40 * i, 255 - 40 * i, 7)) for i in range(N_FILES)])


@pytest.mark.parametrize("kept", [True, False])
def test_pixels_of_addresses_are_those_of_their_bytes(storage, kept, tmp_path):
    cache = PixelCache(tmp_path / "cache" if kept else None)
    for _ in range(2):
        pixels, present = load_pixels(as_images([*URLS, None]), 8, cache=cache)
        assert_array_equal(pixels[:-1], EXPECTED)
        assert present.tolist() == [True] * N_FILES + [False]
    assert_array_equal(ImageCell(URLS[3]).pixels, read_image(URLS[3]))
    assert as_images(URLS)[3].path == URLS[3]


def test_a_warm_epoch_downloads_nothing(storage, tmp_path):
    cache, images = PixelCache(tmp_path / "cache"), as_images(URLS)
    with storage.requested() as cold:
        reader = PixelReader(images, 8, cache=cache)
        reader.read(range(N_FILES))
    assert sorted(cold) == ["GET"] * N_FILES + ["HEAD"] * N_FILES
    with storage.requested() as same_fit:
        assert_array_equal(reader.read(range(N_FILES)), EXPECTED)
    assert same_fit == []
    with storage.requested() as next_fit:
        again = PixelReader(images[[*range(N_FILES)] * 3], 8, cache=cache)
        assert_array_equal(again.read(range(N_FILES)), EXPECTED)
        again.keys(range(3 * N_FILES))
    assert next_fit == ["HEAD"] * N_FILES


def test_many_files_are_asked_for_at_once(storage, monkeypatch, tmp_path):
    at_once, most, lock = 0, 0, threading.Lock()
    stat = _remote._stat

    def slow(*args):
        nonlocal at_once, most
        with lock:
            at_once += 1
            most = max(most, at_once)
        time.sleep(0.05)
        try:
            return stat(*args)
        finally:
            with lock:
                at_once -= 1

    monkeypatch.setattr(_remote, "_stat", slow)
    load_pixels(as_images(URLS), 8, cache=tmp_path)
    assert most == N_FILES


def test_a_file_that_is_replaced_is_another(storage, tmp_path):
    cache = PixelCache(tmp_path / "cache")
    load_pixels(as_images(URLS[:1]), 8, cache=cache)
    assert len(picture(200)) == len(picture(0))
    storage.put("0.png", picture(200))
    pixels, _ = load_pixels(as_images(URLS[:1]), 8, cache=cache)
    assert_array_equal(pixels[0, 0, 0], [200, 55, 7])


def test_the_cache_holds_no_address(storage, tmp_path):
    load_pixels(as_images(URLS), 8, cache=tmp_path)
    stored = b"".join(path.read_bytes() for path in tmp_path.rglob("*") if path.is_file())
    assert len(stored) > 1000 and b"photos" not in stored and b"s3:" not in stored


@pytest.mark.parametrize("kept", [True, False])
def test_errors_say_which_row_and_why(storage, kept, tmp_path):
    storage.put("cut.png", picture(0, kind="PNG")[:-40])
    storage.put("empty.png", b"")
    storage.put("page.png", b"<html>no</html>")
    reasons = {
        "s3://photos/nowhere.png": "cannot be read: there is no such file",
        "s3://photos": "it is a folder",
        "s3://photos/cut.png": "is truncated",
        "s3://photos/empty.png": "is empty",
        "s3://photos/page.png": "is a web page",
        "gopher://photos/0.png": "is not fetched: abfs, az, gcs, gs, memory, s3, s3a is what",
        "simplecache::s3://photos/0.png": "is not fetched",
        "zip://0.png::s3://photos/all.zip": "is not fetched",
        "https://127.0.0.1/0.png": "such as 's3,https://images.example.org'",
    }
    cache = PixelCache(tmp_path if kept else None)
    images = as_images([*reasons, *URLS])
    reader = PixelReader(images, 8, cache=cache, column="photo")
    failures = dict(reader.fill(np.arange(len(images)), np.empty((len(images), 8, 8, 3), np.uint8)))
    assert sorted(failures) == list(range(len(reasons)))
    for row, (url, reason) in enumerate(reasons.items()):
        with pytest.raises(ImageDecodeError) as info:
            reader.read([row])
        assert f"row {row}, column 'photo': {url} " in str(info.value)
        assert reason in str(info.value) and "image_root" not in str(info.value)
        with pytest.raises(ImageDecodeError, match=re.escape(reason)):
            read_image(url)


def test_access_that_is_denied_and_a_server_that_is_slow(storage, monkeypatch):
    for error, reason in (
        (PermissionError("Forbidden"), "access is denied"),
        (TimeoutError(), "the server took too long"),
        (OSError("no route to https://u:pw@h/?sig=1"), r"OSError: no route to https://\*\*\*@h/"),
    ):

        def fail(*args, error=error, **kwargs):
            raise error

        monkeypatch.setattr(storage.system, "info", fail)
        with pytest.raises(ImageDecodeError, match=f"0.png cannot be read: {reason}") as info:
            load_pixels(as_images(URLS[:1]), 8)
        assert "pw" not in str(info.value) and "sig=1" not in str(info.value)


def test_a_file_that_is_too_large_is_not_fetched(storage, monkeypatch, tmp_path):
    monkeypatch.setattr(_remote, "MAX_BYTES", len(picture(0)) - 1)
    with storage.requested() as methods:
        with pytest.raises(ImageDecodeError, match="is not fetched: .* bytes are more than"):
            load_pixels(as_images(URLS[:1]), 8, cache=tmp_path)
    assert methods == ["HEAD"]


def test_addresses_have_the_limits_of_files():
    fsspec = pytest.importorskip("fsspec")
    memory = fsspec.filesystem("memory")
    memory.pipe({"/large.png": picture(9), "/a.gif": picture(9, kind="GIF")})
    assert read_image("memory://large.png").shape == (30, 40, 3)
    with pytest.raises(ImageDecodeError, match="memory://large.png .*`max_pixels`=100"):
        read_image("memory://large.png", max_pixels=100)
    with pytest.raises(ImageDecodeError, match="memory://a.gif is not an image of format"):
        read_image("memory://a.gif")


def test_roots_and_columns_of_addresses(storage):
    images = as_images(["0.png", None, "sub/a.png", URLS[2], "/a.png"], root="s3://photos/")
    expected = ["s3://photos/0.png", None, "s3://photos/sub/a.png", URLS[2], "/a.png"]
    assert images.cells.tolist() == expected
    table = pd.DataFrame({"photo": [f"{i}.png" for i in range(N_FILES)], "age": range(N_FILES)})
    found = make_lesion_transformer(image_columns="photo", image_root="s3://photos").fit_transform(
        pd.read_csv(io.StringIO(table.to_csv(index=False)))
    )
    assert_array_equal(load_pixels(found["photo"].array, 8)[0], EXPECTED)
    assert found.to_csv(index=False).count("s3://photos/") == N_FILES


def test_workers_read_addresses_by_themselves(storage, tmp_path):
    images = as_images(URLS)
    load_pixels(images, 8)  # a filesystem that is in use here is not sent
    # Workers of earlier tests know nothing of this storage.
    get_reusable_executor().shutdown(wait=True)
    sent = joblib.Parallel(n_jobs=2, backend="loky")(
        joblib.delayed(load_pixels)(part, 8, cache=tmp_path) for part in (images[:3], images[3:])
    )
    assert_array_equal(np.concatenate([pixels for pixels, _ in sent]), EXPECTED)
    assert len(pickle.dumps(images)) < 500


def test_a_path_written_as_an_address_is_a_path(tmp_path):
    path = tmp_path / "a picture.png"
    path.write_bytes(picture(80))
    assert as_images([path.as_uri()]).cells.tolist() == [str(path)]
    assert as_images(["a picture.png"], root=tmp_path.as_uri()).cells.tolist() == [str(path)]
    assert_array_equal(read_image(path.as_uri()), read_image(path))
    with pytest.raises(ValueError, match="names another machine"):
        as_images(["file://server/share/a.png"])


def test_what_is_no_address():
    names = [r"C:\photos\a.png", "C://photos/a.png", "a::b.png", "a:b.png", "photos//a.png"]
    images = as_images(names)
    assert images.cells.tolist() == names
    for row in range(len(names)):
        with pytest.raises(ImageDecodeError, match="No such file"):
            load_pixels(images[row : row + 1], 8)


def test_passwords_are_refused_and_signatures_are_not_shown():
    with pytest.raises(ValueError, match=r"https://\*\*\*@h/a.png.*must not hold a pass") as info:
        as_images(["https://me:secret@h/a.png"])
    with pytest.raises(ValueError, match="must not hold a password"):
        as_images(["a.png"], root="s3://me:secret@photos")
    url = "https://h/a.png?X-Amz-Signature=secret"
    with pytest.raises(ImageDecodeError) as unread:
        load_pixels(as_images([url]), 8)
    shown = [info.value, unread.value, repr(ImageCell(url)), repr(pd.Series(as_images([url])))]
    assert not [text for text in map(str, shown) if "secret" in text]
    assert redact_urls(f"see {url}, b://u:secret@h") == "see https://h/a.png?*** b://***@h"
    assert str(ImageCell(url)) == url
    assert as_images(["abfs://box@account.dfs.core.windows.net/a.png"]).isna().sum() == 0


class Web(BaseHTTPRequestHandler):
    """Files with a tag, some without; a page elsewhere."""

    files: dict = {}
    requests: list = []

    def do_HEAD(self):
        self.answer(send=False)

    def do_GET(self):
        self.answer(send=True)

    def answer(self, send):
        self.requests.append(self.command)
        name = self.path.partition("?")[0]
        headers, data = self.files.get(name, ({}, None))
        self.send_response(404 if data is None else headers.get("status", 200))
        for key, value in headers.items():
            self.send_header(key, str(value))
        if "hidden" not in name:
            self.send_header("Content-Length", str(len(data or b"")))
        self.end_headers()
        if send and data:
            self.wfile.write(data)

    def log_message(self, *args):
        pass


@pytest.fixture
def web(monkeypatch):
    server = ThreadingHTTPServer(("127.0.0.1", 0), Web)
    thread = threading.Thread(target=server.serve_forever)
    thread.start()
    address = f"http://127.0.0.1:{server.server_port}"
    monkeypatch.setenv("SKLEARN_SKIN_PROTOCOLS", f"s3, {address}/photos/")
    Web.files, Web.requests = {}, []
    yield address
    server.shutdown()
    thread.join()
    server.server_close()


OLD = "Sat, 01 Jan 2022 00:00:00 GMT"


@pytest.mark.parametrize(
    ("headers", "found"),
    [
        ({"ETag": '"1"', "Last-Modified": OLD}, True),
        ({"ETag": '"1"'}, True),
        ({"ETag": 'W/"1"', "Last-Modified": OLD}, False),
        ({"Last-Modified": OLD}, False),
        ({}, False),
        ("now", False),
    ],
)
def test_only_a_tag_that_is_sure_to_change_names_a_file(web, headers, found, tmp_path):
    if headers == "now":
        now = time.strftime("%a, %d %b %Y %H:%M:%S GMT", time.gmtime())
        headers = {"ETag": '"1"', "Last-Modified": now}
    cache = PixelCache(tmp_path)
    for gray in (20, 200):
        Web.files["/photos/a.png"] = headers, picture(gray)
        Web.requests.clear()
        pixels, _ = load_pixels(as_images([f"{web}/photos/a.png"]), 8, cache=cache)
    assert ("GET" not in Web.requests) == found
    assert pixels[0, 0, 0, 0] == (20 if found else 200)


def test_servers_are_asked_for_what_is_allowed_and_nothing_else(web):
    Web.files = {
        "/photos/a.png": ({}, picture(20)),
        "/other/a.png": ({}, picture(20)),
        "/photos/on": ({"status": 302, "Location": "/other/a.png"}, b""),
        "/photos/denied": ({"status": 403}, b"no"),
        "/photos/hidden.png": ({}, picture(20)),
    }
    assert read_image(f"{web}/photos/a.png?sig=1").shape == (30, 40, 3)
    for name, reason in {
        "other/a.png": "is not fetched: s3, http://127",
        "photos2/a.png": "is not fetched",
        "photos/on": "is empty",
        "photos/none.png": "there is no such file",
        "photos/denied": "access is denied",
        "photos/hidden.png": "its server hides the size",
    }.items():
        Web.requests.clear()
        with pytest.raises(ImageDecodeError, match=reason):
            read_image(f"{web}/{name}")
        assert name.startswith("photos/") or Web.requests == []


def test_an_address_needs_the_package_of_its_protocol(monkeypatch):
    monkeypatch.setitem(os.sys.modules, "fsspec", None)
    with pytest.raises(ImportError, match=r'pip install "sklearn_skin\[remote\]"'):
        load_pixels(as_images(["memory://a.png"]), 8, on_error="missing")
