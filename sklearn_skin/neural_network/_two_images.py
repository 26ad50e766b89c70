"""Which of two image columns is the clinical and which the dermoscopic one."""

from sklearn_skin.modules import StagedEncoder

_HINTS = {
    "clinical": ("clinical", "clinic", "closeup", "close_up", "macro"),
    "dermoscopy": ("dermoscop", "dermatoscop", "derm"),
}

TWO_IMAGE_CONSTRAINTS = {"clinical_column": [str, None], "dermoscopy_column": [str, None]}


def pick_two_images(images, clinical_column, dermoscopy_column):
    """Return [clinical, dermoscopy] among the image columns, by name where not given."""
    given = {"clinical": clinical_column, "dermoscopy": dermoscopy_column}
    for role, name in given.items():
        if name is not None and name not in images:
            raise ValueError(f"`{role}_column` must be an image column {images}; got {name!r}.")
    found = {role: name or _guess(role, images, given) for role, name in given.items()}
    if None in found.values() or len(set(found.values())) != 2:
        raise ValueError(
            "this network needs a clinical and a dermoscopic image column; X has the image "
            f"columns {images}. Name them in `clinical_column` and `dermoscopy_column`."
        )
    return list(found.values())


def _guess(role, images, given):
    free = [name for name in images if name not in given.values()]
    fits = [name for name in free if any(hint in str(name).lower() for hint in _HINTS[role])]
    if len(fits) == 1:
        return fits[0]
    other = next(key for key in _HINTS if key != role)
    # Of two columns, the one that is not the other.
    if len(images) == 2 and given[other] is not None:
        return free[0]
    return None


def make_encoder(name, shapes, recipe):
    """Return an encoder in four stages with the recipe's settings."""
    return StagedEncoder(
        name,
        weights=recipe.weights,
        freeze=recipe.freeze,
        image_size=shapes.image_size,
        adapt=recipe.adapt,
    )
