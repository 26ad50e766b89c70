"""Errors and warnings that are this package's own."""

__all__ = [
    "CheckpointError",
    "DataLeakageWarning",
    "ImageDecodeError",
    "ModelFileError",
    "NonFiniteLossError",
]


class ImageDecodeError(ValueError):
    """An image file or array could not be read; the message names row, column and file.

    Examples
    --------
    >>> from sklearn_skin.exceptions import ImageDecodeError
    >>> issubclass(ImageDecodeError, ValueError)
    True
    """


class NonFiniteLossError(FloatingPointError):
    """Training met a NaN or infinite loss; the message names the epoch, batch and rows.

    Examples
    --------
    >>> from sklearn_skin.exceptions import NonFiniteLossError
    >>> issubclass(NonFiniteLossError, ArithmeticError)
    True
    """


class CheckpointError(RuntimeError):
    """A checkpoint is incomplete, damaged, or belongs to other settings.

    Examples
    --------
    >>> from sklearn_skin.exceptions import CheckpointError
    >>> issubclass(CheckpointError, RuntimeError)
    True
    """


class ModelFileError(ValueError):
    """A file is no model, is damaged, or holds what may not be loaded; nothing of it was used.

    Examples
    --------
    >>> from sklearn_skin.exceptions import ModelFileError
    >>> issubclass(ModelFileError, ValueError)
    True
    """


class DataLeakageWarning(UserWarning):
    """Information that would not be there for a new patient reaches the model.

    Examples
    --------
    >>> from sklearn_skin.exceptions import DataLeakageWarning
    >>> issubclass(DataLeakageWarning, UserWarning)
    True
    """
