"""
Time to decode JPEG files to 224 x 224 pixels
=============================================

Compares :func:`sklearn_skin.image.read_image` with plain Pillow on a folder of JPEG files: CPU
time per image, and the mean absolute difference in gray levels from full decoding. All ways run
in turns over the same files, so the ratios are those of one run; times are medians of rounds.

    python examples/benchmarks/decode.py path/to/folder
"""

import argparse
import io
import tempfile
import time
from pathlib import Path

import numpy as np
from PIL import Image

from sklearn_skin.image import PixelCache, as_images, load_pixels
from sklearn_skin.image._decoding import decode

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


def main():
    """Measure and print a table."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("folder", type=Path)
    parser.add_argument("--size", type=int, default=224)
    parser.add_argument("--n-images", type=int, default=100)
    parser.add_argument("--rounds", type=int, default=5)
    args = parser.parse_args()
    paths = sorted(args.folder.rglob("*.jpg"))[: args.n_images]
    if not paths:
        parser.error(f"no .jpg files below {args.folder}")
    files = [path.read_bytes() for path in paths]
    ways = [with_pillow, with_draft, with_sklearn_skin]
    times = {way.__name__: [] for way in ways} | {"load_pixels, warm cache": []}
    pixels = {}
    with tempfile.TemporaryDirectory() as folder:
        cache = PixelCache(folder)
        images = as_images(paths)
        load_pixels(images, args.size, cache=cache)
        for _ in range(args.rounds):
            for way in ways:
                pixels[way.__name__], seconds = cpu_seconds(
                    lambda way=way: np.stack([way(data, args.size) for data in files])
                )
                times[way.__name__].append(seconds / len(files))
            (warm, _), seconds = cpu_seconds(lambda: load_pixels(images, args.size, cache=cache))
            times["load_pixels, warm cache"].append(seconds / len(files))
            pixels["load_pixels, warm cache"] = warm
    medians = {name: np.median(seconds) for name, seconds in times.items()}
    full = pixels["with_pillow"].astype(int)
    print(f"{len(files)} files, medians of {args.rounds} rounds, one core")
    print(f"{'':26}{'ms/image':>10}{'x Pillow':>10}{'difference':>12}")
    for name, seconds in medians.items():
        difference = np.abs(pixels[name] - full).mean()
        ratio = medians["with_pillow"] / seconds
        print(f"{name:26}{1000 * seconds:10.3f}{ratio:10.2f}{difference:12.3f}")


if __name__ == "__main__":
    main()
