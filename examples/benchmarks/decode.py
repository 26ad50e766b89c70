"""
Time to decode JPEG files to 224 x 224 pixels
=============================================

Compares :func:`sklearn_skin.image.read_image` with plain Pillow on a folder of JPEG files: CPU
time per image, and the mean absolute difference in gray levels from full decoding. All ways run
in turns over the same files, so the ratios are those of one run; times are medians of rounds. A
warm cache is asked by a process that has not seen the files yet, later epochs by one that has.

    python examples/benchmarks/decode.py FOLDER

Without a folder, on drawn files of 600 x 450 pixels, which are smoother than photographs.
"""

import argparse
import io
import json
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_skin.image import PixelCache, PixelReader, as_images, load_pixels
from sklearn_skin.image._decoding import decode
from sklearn_skin.utils import tune_allocator

BILINEAR = Image.Resampling.BILINEAR


def with_pillow(data, size):
    """Decode all pixels, then shrink: the reference for time and values."""
    picture = Image.open(io.BytesIO(data)).convert("RGB")
    return np.asarray(picture.resize((size, size), BILINEAR))


def with_draft(data, size):
    """Let Pillow decode at a reduced size."""
    picture = Image.open(io.BytesIO(data))
    picture.draft("RGB", (size, size))
    return np.asarray(picture.convert("RGB").resize((size, size), BILINEAR))


def with_sklearn_skin(data, size):
    """Decode as `read_image` does."""
    return decode(data, "image", size)


def cpu_seconds(function, *args):
    """Return the result and the CPU time of all threads."""
    start = time.process_time()
    result = function(*args)
    return result, time.process_time() - start


WAYS = {"Pillow": with_pillow, "Pillow, draft": with_draft, "sklearn_skin": with_sklearn_skin}
CACHED, LATER = "sklearn_skin, warm cache", "sklearn_skin, later epochs"
BATCH_SIZE = 32


def find_files(folder, n_images):
    """Return paths of JPEG files, and what they hold."""
    paths = sorted(Path(folder).rglob("*.jpg"))[:n_images]
    return paths, [path.read_bytes() for path in paths]


def draw(folder, n_images):
    """Write pictures of 600 × 450 pixels."""
    rng = np.random.default_rng(0)
    for i in range(n_images):
        pixels = rng.integers(256, size=(45, 60, 3), dtype=np.uint8)
        Image.fromarray(pixels).resize((600, 450)).save(Path(folder) / f"{i}.jpg")


def read_epoch(reader):
    """Read the pixels of all rows in batches, as an epoch does."""
    for start in range(0, len(reader), BATCH_SIZE):
        reader.read(np.arange(start, min(start + BATCH_SIZE, len(reader))))


def measure(paths, files, size, rounds):
    """Return {way: seconds per image of each round} and {way: pixels}."""
    times, pixels = {name: [] for name in [*WAYS, CACHED, LATER]}, {}
    with tempfile.TemporaryDirectory() as folder:
        cache = PixelCache(folder)
        images = as_images(paths)
        reader = PixelReader(images, size, cache=cache)
        read_epoch(reader)
        for _ in range(rounds):
            for name, way in WAYS.items():
                pixels[name], seconds = cpu_seconds(
                    lambda way=way: np.stack([way(data, size) for data in files])
                )
                times[name].append(seconds / len(files))
            (pixels[CACHED], _), seconds = cpu_seconds(
                lambda: load_pixels(images, size, cache=cache)
            )
            times[CACHED].append(seconds / len(files))
            _, seconds = cpu_seconds(read_epoch, reader)
            times[LATER].append(seconds / len(files))
        pixels[LATER] = reader.read(np.arange(len(reader)))
    return times, pixels


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__.split("\n")[1])
    parser.add_argument("folder", nargs="?", type=Path, help="folder of JPEG files")
    parser.add_argument("--smallest", action="store_true", help="two files, once")
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--n-images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    parser.add_argument("--json", type=Path, help="file for the seconds per image")
    args = parser.parse_args()
    if args.smallest:
        args.n_images, args.rounds = 2, 1
    with tempfile.TemporaryDirectory() as drawn:
        if args.folder is None:
            draw(drawn, args.n_images)
        paths, files = find_files(args.folder or drawn, args.n_images)
        if not paths:
            parser.error(f"no .jpg files below {args.folder}")
        tune_allocator()
        times, pixels = measure(paths, files, args.size, args.rounds)
    medians = {name: np.median(seconds) for name, seconds in times.items()}
    print(f"{len(files)} files, medians of {args.rounds} rounds, one core\n")
    print("| way | ms / image | times Pillow | difference |\n| --- | --: | --: | --: |")
    for name, seconds in medians.items():
        difference = np.abs(pixels[name] - pixels["Pillow"].astype(int)).mean()
        # A clock of coarse ticks may see nothing of two files.
        ratio = medians["Pillow"] / max(seconds, 1e-9)
        print(f"| {name} | {1000 * seconds:.3f} | {ratio:.2f} | {difference:.3f} |")
    if args.json:
        args.json.write_text(json.dumps(times), encoding="utf-8")


if __name__ == "__main__":
    main()
