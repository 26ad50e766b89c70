"""Models in files that hold data alone: nothing is pickled."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_card": ["ModelCard", "model_card"],
        "_model": ["load_model", "save_model"],
        "_onnx_classifier": ["OnnxClassifier"],
        "_onnx_export": ["export_onnx"],
    },
)
