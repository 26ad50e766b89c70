"""How image columns look: thumbnails in a notebook, a sheet of pictures."""

import base64
import html
import io
import os
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sklearn_skin.image._cell import ImageCell
from sklearn_skin.image._urls import redact_urls

if TYPE_CHECKING:
    from sklearn_skin.image._array import ImageArray

_GRAY = (128, 128, 128)


def short_name(cell: ImageCell | None) -> str:
    """Return what a table shows for a cell: the file's name, or the size in memory."""
    name = redact_urls(str(cell))
    return os.path.basename(name) or name


def thumbnail(cell: ImageCell | None, size: int) -> Image.Image:
    """Return a picture at most `size` pixels wide and high; gray if there is none."""
    try:
        pixels = None if cell is None else cell.pixels
    except ValueError:
        # A table of pictures is looked at to find such files: it must not stop at one.
        pixels = None
    if pixels is None:
        return Image.new("RGB", (size, size), _GRAY)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((size, size))
    return picture


def png(picture: Image.Image) -> bytes:
    """Return a picture as a PNG file."""
    file = io.BytesIO()
    picture.save(file, "PNG")
    return file.getvalue()


def image_tag(cell: ImageCell | None, size: int) -> str:
    """Return a thumbnail as HTML that needs no other file; the path shows under the mouse."""
    source = base64.b64encode(png(thumbnail(cell, size))).decode("ascii")
    name = html.escape(redact_urls(str(cell)))
    return f'<img alt="{name}" title="{name}" src="data:image/png;base64,{source}">'


def contact_sheet(images: "ImageArray", size: int, n_columns: int = 6) -> Image.Image:
    """Return the pictures on one white sheet, `n_columns` side by side."""
    n_columns = max(1, min(n_columns, len(images)))
    n_rows = max(1, -(-len(images) // n_columns))
    sheet = Image.new("RGB", (n_columns * size, n_rows * size), "white")
    for row, cell in enumerate(images):
        place = (row % n_columns * size, row // n_columns * size)
        sheet.paste(thumbnail(cell, size), place)
    return sheet


def html_figures(images: "ImageArray", n_images: int = 12, size: int = 96) -> str:
    """Return thumbnails with their names as HTML, for notebooks."""
    figures = [
        f'<figure style="display:inline-block;margin:4px">{image_tag(cell, size)}'
        f"<figcaption>{html.escape(short_name(cell))}</figcaption></figure>"
        for cell in images[:n_images]
    ]
    return f"<div>{''.join(figures)}<p>{html.escape(images._get_repr_footer())}</p></div>"
