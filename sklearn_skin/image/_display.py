"""How image columns look: text, thumbnails in a notebook, a sheet of pictures."""

import base64
import html
import io
from typing import TYPE_CHECKING

import numpy as np
from PIL import Image

from sklearn_skin.image._cells import cell_text

if TYPE_CHECKING:
    from sklearn_skin.image._array import ImageArray

_GRAY = (128, 128, 128)


def text(images: "ImageArray", edge: int = 5) -> str:
    """Return the text form of a column; no picture is read."""
    shown = [cell_text(cell) for cell in images.cells[:edge]]
    if len(images) > 2 * edge:
        shown.append("...")
    shown += [cell_text(cell) for cell in images.cells[edge:][-edge:]]
    steps = f", steps: {[step.name for step in images.steps]}" if images.steps else ""
    body = ", ".join(shown)
    return f"<ImageArray>\n[{body}]\nLength: {len(images)}, dtype: {images.dtype}{steps}"


def thumbnail(images: "ImageArray", row: int, size: int) -> Image.Image:
    """Return one picture at most `size` pixels wide and high; gray if there is none."""
    try:
        pixels = images[row]
    except ValueError:
        # A table of pictures is looked at to find such files: it must not stop at one.
        pixels = None
    if pixels is None:
        return Image.new("RGB", (size, size), _GRAY)
    picture = Image.fromarray(np.ascontiguousarray(pixels))
    picture.thumbnail((size, size))
    return picture


def contact_sheet(images: "ImageArray", size: int, n_columns: int = 6) -> Image.Image:
    """Return the pictures on one white sheet, `n_columns` side by side."""
    n_columns = max(1, min(n_columns, len(images)))
    n_rows = max(1, -(-len(images) // n_columns))
    sheet = Image.new("RGB", (n_columns * size, n_rows * size), "white")
    for row in range(len(images)):
        place = (row % n_columns * size, row // n_columns * size)
        sheet.paste(thumbnail(images, row, size), place)
    return sheet


def html_table(images: "ImageArray", n_images: int = 12, size: int = 96) -> str:
    """Return thumbnails with their names as HTML, for notebooks."""
    figures = []
    for row in range(min(n_images, len(images))):
        file = io.BytesIO()
        thumbnail(images, row, size).save(file, "PNG")
        source = base64.b64encode(file.getvalue()).decode("ascii")
        name = html.escape(cell_text(images.cells[row]))
        figures.append(
            f'<figure style="display:inline-block;margin:4px">'
            f'<img alt="{name}" src="data:image/png;base64,{source}">'
            f"<figcaption>{name}</figcaption></figure>"
        )
    footer = f"Length: {len(images)}, dtype: {images.dtype}"
    if images.steps:
        footer += f", steps: {[step.name for step in images.steps]}"
    return f"<div>{''.join(figures)}<p>{html.escape(footer)}</p></div>"
