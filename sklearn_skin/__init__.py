"""scikit-learn estimators for skin lesions: images and patient metadata together."""

from sklearn_skin._lazy import attach

__version__ = "0.1.0"

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "audit": [],
        "datasets": [],
        "ensemble": [],
        "exceptions": [],
        "image": [],
        "inspection": [],
        "metrics": [],
        "model_selection": [],
        "modules": [],
        "neural_network": [],
        "persistence": [],
        "preprocessing": [],
        "presets": [],
        "reporting": [],
        "sampling": [],
        "utils": [],
    },
)


def show_versions():
    """Print what a report of a fault should say; see `sklearn_skin.utils.show_versions`."""
    from sklearn_skin.utils import show_versions

    show_versions()
