"""The pandas extension dtype of image columns."""

from typing import Any

from pandas.api.extensions import ExtensionDtype, register_extension_dtype

from sklearn_skin.image._cell import ImageCell


@register_extension_dtype
class ImageDtype(ExtensionDtype):
    """Dtype of image columns; pandas knows it as ``"image"`` once it has been imported.

    A scalar of this dtype is an :class:`ImageCell`; the missing value is None.

    Examples
    --------
    >>> import pandas as pd
    >>> from sklearn_skin.image import ImageDtype
    >>> pd.Series(["a.jpg", None], dtype=ImageDtype()).isna().tolist()
    [False, True]
    >>> pd.Series(["a.jpg"]).astype("image").dtype
    image
    """

    name = "image"
    type = ImageCell
    kind = "O"
    na_value: Any = None

    def __repr__(self) -> str:
        return "image"

    @classmethod
    def construct_array_type(cls) -> Any:
        """Return the array class of this dtype.

        Returns
        -------
        array_type : type
            `ImageArray`.
        """
        from sklearn_skin.image._array import ImageArray

        return ImageArray

    def __from_arrow__(self, array: Any) -> Any:
        return self.construct_array_type()._from_sequence(array.to_pylist())
