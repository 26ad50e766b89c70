"""A network that was exported to ONNX, as a classifier; no torch."""

import sys
from numbers import Integral
from typing import Any, NamedTuple

from sklearn.base import BaseEstimator
from sklearn.utils._param_validation import HasMethods, Interval

from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence._onnx_file import read_model
from sklearn_skin.persistence._onnx_network import OnnxNetwork
from sklearn_skin.persistence._parts import load_part
from sklearn_skin.utils import TaskClassifierMixin

_OF_NETWORK = {"_codec", "classes_", "branch_weights_", "image_columns_", "metadata_names_"}
_OF_INPUT = {"n_features_in_", "feature_names_in_"}
# skops imports all of scikit-learn, with it this wrapper, and with the wrapper torch.
_WRAPPER = "sklearn.externals.array_api_compat.torch"


class _Opened(NamedTuple):
    """What was read from a file, and the parameters that it was read with."""

    parameters: tuple[Any, ...]
    network: OnnxNetwork
    transformers: list[Any]
    export_info_: dict[str, Any]


class OnnxClassifier(TaskClassifierMixin, BaseEstimator):
    """Predict with a network that `export_onnx` has written, without torch.

    It is fitted from the start: the file is opened when something is first asked of it, or by
    `fit`, which learns nothing. Images are decoded, corrected and resized by the code that the
    network was trained with, and only the network itself runs in ONNX Runtime. Copies made by
    pickle, joblib or `clone` open the file by its path.

    Parameters
    ----------
    path : path-like
        File that `export_onnx` has written.
    batch_size : int, default=32
        Rows per call of the network.
    cache_dir : "auto", path or None, default=None
        Where decoded pixels are kept, as for networks; None keeps none, as one prediction per
        image needs none.
    n_threads : int, default=None
        Threads of ONNX Runtime; None takes one per core.
    providers : sequence of str, default=("CPUExecutionProvider",)
        Execution providers of ONNX Runtime, the preferred one first.
    trusted : sequence of str or type, default=()
        Types of your own that the preprocessing in the file may name.

    Attributes
    ----------
    classes_ : ndarray, or list of ndarray
        Labels (per task).
    branch_weights_ : dict of str to float
        Weight of each branch in `predict_proba`.
    image_columns_ : list of str
        Image columns that the network reads.
    metadata_names_ : list of str
        Metadata features that the network reads.
    n_features_in_ : int
        Columns seen in fit.
    feature_names_in_ : ndarray of str
        Their names, where X had names.
    export_info_ : dict
        How the file was made: versions, ``quantized``, and ``max_difference``, the greatest
        difference of a probability from the trained network's on the sample of the export.

    Raises
    ------
    ModelFileError
        If the file is damaged, none of `export_onnx`, or names a type that is not trusted.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn.datasets import make_classification
    >>> from sklearn_skin.neural_network import MetadataClassifier
    >>> from sklearn_skin.persistence import OnnxClassifier, export_onnx
    >>> X, y = make_classification(random_state=0)
    >>> net = MetadataClassifier(max_epochs=1, random_state=0).fit(X, y)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.zip")
    ...     _ = export_onnx(net, X[:10], path)
    ...     OnnxClassifier(path).predict_proba(X).shape
    (100, 2)
    """

    _parameter_constraints = {
        "path": [str, HasMethods("__fspath__")],
        "batch_size": [Interval(Integral, 1, None, closed="left")],
        "cache_dir": [str, HasMethods("__fspath__"), None],
        "n_threads": [Interval(Integral, 1, None, closed="left"), None],
        "providers": [list, tuple],
        "trusted": [list, tuple],
    }

    def __init__(
        self,
        path,
        *,
        batch_size=32,
        cache_dir=None,
        n_threads=None,
        providers=("CPUExecutionProvider",),
        trusted=(),
    ):
        self.path = path
        self.batch_size = batch_size
        self.cache_dir = cache_dir
        self.n_threads = n_threads
        self.providers = providers
        self.trusted = trusted

    def fit(self, X=None, y=None):
        """Open the file; nothing is learnt.

        Parameters
        ----------
        X, y : None
            Ignored.

        Returns
        -------
        self : object
        """
        self._open()
        return self

    def predict_branches(self, X):
        """Return the probabilities of every branch.

        Parameters
        ----------
        X : DataFrame, or array-like of shape (n, p)
            Rows with the columns seen in fit.

        Returns
        -------
        branches : dict of str to ndarray (n, C), or to list of T arrays (n, C_t)
            The final branch is the last one.
        """
        opened = self._open()
        return opened.network.predict_branches(transform_rows(opened.transformers, X))

    def _task_probabilities(self, X):
        opened = self._open()
        return opened.network._task_probabilities(transform_rows(opened.transformers, X))

    def _open(self):
        """Return what the file holds; it is read where the parameters are new."""
        found, parameters = self.__dict__.get("_opened"), tuple(self.get_params().values())
        if found is None or found.parameters != parameters:
            self._validate_params()
            self._open_model(read_model(self.path))
        return self._opened

    def _open_model(self, model):
        """Predict with an `ExportedModel` from now on, in place of what the file holds."""
        settings = self.get_params(deep=False)
        del settings["path"]
        trusted = settings.pop("trusted")
        before = model.preprocessing
        try:
            network = OnnxNetwork(**settings).load(model)
            info = model.about["info"]
        except ImportError:
            raise
        # What is in the file decides what fails.
        except Exception as error:
            raise ModelFileError(f"{str(self.path)!r} holds no model: {error!r}") from error
        transformers = [] if before is None else _load_transformers(before, trusted)
        self._opened = _Opened(tuple(self.get_params().values()), network, transformers, info)
        return self

    def __getattr__(self, name):
        # Called for what is not there: nothing but parameters is set before the file is opened.
        if name in _OF_NETWORK:
            return getattr(self._open().network, name)
        if name in _OF_INPUT:
            opened = self._open()
            return getattr([*opened.transformers, opened.network][0], name)
        if name == "export_info_":
            return self._open().export_info_
        raise AttributeError(f"{type(self).__name__!r} object has no attribute {name!r}")

    def __getstate__(self):
        # A session is no data.
        return {k: v for k, v in super().__getstate__().items() if k != "_opened"}

    def __sklearn_is_fitted__(self):
        return True


def transform_rows(transformers, X):
    """Return what transformers make of rows, one after another."""
    for transformer in transformers:
        X = transformer.transform(X)
    return X


def _load_transformers(data, trusted):
    if "skops.io" not in sys.modules and "torch" not in sys.modules:
        sys.modules[_WRAPPER] = None
        try:
            import skops.io  # noqa: F401
        finally:
            del sys.modules[_WRAPPER]
    return load_part(data, trusted)
