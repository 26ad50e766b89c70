"""Save a fitted estimator as data, and load it, without pickle."""

import json
import warnings
from importlib.metadata import PackageNotFoundError, version
from pathlib import Path

from sklearn.base import BaseEstimator
from sklearn.exceptions import InconsistentVersionWarning
from sklearn.utils.validation import check_is_fitted

import sklearn_skin
from sklearn_skin.exceptions import ModelFileError
from sklearn_skin.persistence._archive import open_archive, write_archive
from sklearn_skin.persistence._card import CARD, MODEL, describe_model
from sklearn_skin.persistence._parts import dump_part, load_part
from sklearn_skin.persistence._tree import rewrite
from sklearn_skin.utils import warn_user

FORMAT = 1
ESTIMATOR = "estimator.skops"
_LIBRARIES = "scikit-learn imbalanced-learn skops numpy scipy pandas torch timm peft".split()


def save_model(
    estimator,
    path,
    *,
    overwrite=False,
    X=None,
    y=None,
    groups=None,
    scores=None,
    intended_use=None,
    notes=None,
):
    """Save a fitted estimator in one file, as data.

    Nothing is pickled: the file is a zip of JSON, of the networks' weights as safetensors, and of
    all else as skops writes it. So :func:`load_model` runs nothing that the file says. Folders
    (`cache_dir`, `checkpoint_dir`, `memory`) are left out: they are the machine's.

    Parameters
    ----------
    estimator : estimator
        A fitted estimator of this package or of scikit-learn, or a Pipeline or ensemble of such.
    path : path-like
        File to write; its folder must exist. The file appears whole or not at all.
    overwrite : bool, default=False
        Whether to replace a file that is there.
    X : DataFrame or array-like of shape (n, p), default=None
        Rows that the model was trained on, for the card: of each column the dtype and its range or
        its frequent categories are kept, never a row. See :meth:`ModelCard.check`.
    y : array-like of shape (n,) or (n, T), default=None
        Their labels, for the card: rows per class.
    groups : array-like of shape (n,), default=None
        Their patients or lesions, for the card: how many there are.
    scores : dict of str to float or object, default=None
        What the model achieved, for the card: name -> number, or what JSON can hold.
    intended_use : str, default=None
        What the model is for, and what not, for the card.
    notes : dict of str to object, default=None
        What else the card is to say; what JSON can hold.

    Raises
    ------
    FileExistsError
        If the file is there and `overwrite` is False.
    NotFittedError
        If the estimator is not fitted.
    TypeError
        If a parameter cannot be saved as data, such as a lambda; the message names it. Functions
        that can be imported are saved by name, and must be named in `trusted` to be loaded.

    See Also
    --------
    load_model : Read it.
    model_card : Read what it says of itself.

    Examples
    --------
    >>> import tempfile
    >>> from pathlib import Path
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.ensemble import FusionM4NetClassifier
    >>> from sklearn_skin.persistence import load_model, save_model
    >>> lesions = make_lesions(60, random_state=0)
    >>> X = lesions.data.drop(columns="image")[["sex", "site"]]
    >>> from sklearn.linear_model import LogisticRegression
    >>> from sklearn.pipeline import make_pipeline
    >>> from sklearn_skin.preprocessing import make_lesion_transformer
    >>> model = make_pipeline(make_lesion_transformer(), LogisticRegression())
    >>> model = model.fit(X, lesions.target)
    >>> with tempfile.TemporaryDirectory() as folder:
    ...     path = Path(folder, "model.skin")
    ...     save_model(model, path, X=X, y=lesions.target, scores={"accuracy": 0.8})
    ...     loaded = load_model(path)
    >>> bool((loaded.predict_proba(X) == model.predict_proba(X)).all())
    True
    """
    path = Path(path)
    if not isinstance(estimator, BaseEstimator):
        raise TypeError(f"`estimator` must be an estimator; got {type(estimator).__name__}.")
    check_is_fitted(estimator)
    if not overwrite and path.exists():
        raise FileExistsError(f"'{path}' is there already; overwrite=True replaces it.")
    card = describe_model(
        estimator,
        X=X,
        y=y,
        groups=groups,
        scores=scores,
        intended_use=intended_use,
        notes=notes,
    )
    bare, weights = _take_out_networks(estimator)
    manifest = {"format": FORMAT, "versions": _versions()}
    parts = {MODEL: _as_json(manifest), CARD: _as_json(card), ESTIMATOR: dump_part(bare)}
    write_archive(path, parts | weights)


def load_model(path, *, trusted=()):
    """Load an estimator that `save_model` saved.

    The hash of the file is checked before anything is read, and every type that it names before
    anything is made: estimators of scikit-learn, of this package and imbalanced-learn's Pipeline
    and random samplers. Networks are made anew by this package and given their weights; they are
    on their `device`, or on what ``device="auto"`` finds where that is not there.

    Parameters
    ----------
    path : path-like
        File to read.
    trusted : sequence of str or type, default=()
        Further types and functions that the file may name, such as ``"my_package.MyClassifier"``.
        They are imported, made and called.

    Returns
    -------
    estimator : estimator
        It predicts what the saved one did, bit for bit on the same machine with the same versions.

    Raises
    ------
    FileNotFoundError
        If there is no such file.
    ModelFileError
        If it is no model, not as it was written, or names what is not trusted.

    Warns
    -----
    UserWarning
        If a library has another version than where the model was saved, or the device is not here.

    Examples
    --------
    See :func:`save_model`.
    """
    trusted = [trusted] if isinstance(trusted, str | type) else list(trusted)
    with open_archive(path) as archive:
        manifest = archive.read_json(MODEL)
        if manifest.get("format") != FORMAT:
            raise ModelFileError(
                f"the file has format {manifest.get('format')!r}, and this version of sklearn_skin "
                f"reads {FORMAT}."
            )
        _compare_versions(manifest["versions"])
        with warnings.catch_warnings():
            # All versions were compared, once.
            warnings.simplefilter("ignore", InconsistentVersionWarning)
            bare = load_part(archive.read(ESTIMATOR), trusted)
            return _put_in_networks(bare, archive)


def _take_out_networks(estimator):
    """Return the estimator without its networks, and their weights by the name of the part."""
    from safetensors.torch import save

    weights = {}

    def take_out(value, path):
        if not hasattr(type(value), "_take_apart") or not hasattr(value, "module_"):
            return value
        bare, tensors = value._take_apart()
        name = f"weights/{len(weights)}.safetensors"
        weights[name] = save(tensors)
        bare._weights = name
        return bare

    return rewrite(estimator, take_out), weights


def _put_in_networks(bare, archive):
    from safetensors.torch import load

    left = {name for name in archive.names if name.startswith("weights/")}

    def put_in(value, path):
        name = vars(value).pop("_weights", None) if hasattr(type(value), "_put_together") else None
        if name is not None:
            # Once each: a file does not grow by being read.
            left.remove(name)
            value._put_together(load(archive.read(name)))
        return value

    return rewrite(bare, put_in)


def _versions():
    found = {"sklearn_skin": sklearn_skin.__version__}
    for name in _LIBRARIES:
        try:
            found[name] = version(name)
        except PackageNotFoundError:
            continue
    return found


def _compare_versions(saved):
    # What is not here was not needed, or is an error. What follows a + tells of the build: a model
    # may move from a GPU's torch to a CPU's.
    other = [
        f"{name} {saved[name]} (here {here})"
        for name, here in _versions().items()
        if str(saved.get(name, here)).partition("+")[0] != here.partition("+")[0]
    ]
    if other:
        warn_user(
            f"the model was saved with {', '.join(other)}; what it predicts may differ.",
            once=("versions", *other),
        )


def _as_json(value):
    return json.dumps(value, indent=1, ensure_ascii=False, allow_nan=False).encode()
