"""Images as a lazy pandas column: from files or arrays to pixels."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_array": ["ImageArray", "as_images"],
        "_cache": ["PixelCache"],
        "_cell": ["ImageCell"],
        "_decoding": ["read_image"],
        "_dtype": ["ImageDtype"],
        "_loading": ["load_pixels"],
        "_reader": ["PixelReader"],
        "_names": ["check_no_images", "has_image_suffix"],
        "_steps": ["ImageStep", "apply_steps"],
        "_urls": ["redact_urls"],
    },
)
