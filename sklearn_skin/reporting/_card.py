"""The model card: what the models are for, their limits, versions and hashes."""

import hashlib
import importlib.metadata
import platform

import joblib
import numpy as np
import pandas as pd

import sklearn_skin
from sklearn_skin.image import PixelReader
from sklearn_skin.reporting._breakdowns import SMALL
from sklearn_skin.reporting._cases import classes_per_task, find_network
from sklearn_skin.reporting._page import Code, Facts, Heading, Section, Table, Text
from sklearn_skin.utils import weights_digest

NOTICE = "Research software, not a medical device"
INTENDED_USE = (
    "Research: to evaluate classifiers of skin lesions on labelled data. Not for diagnosis, "
    "triage or treatment of any patient."
)
_PACKAGES = ("scikit-learn", "torch", "skorch", "timm", "numpy", "pandas", "matplotlib")


def card_section(evaluation, estimators, intended_use, limits, leakage_checked):
    """Return the model card.

    Parameters
    ----------
    evaluation : Evaluation
        The scores.
    estimators : dict of str to estimator
        The models.
    intended_use : str or None
        What the models are for.
    limits : list of str
        Limits that only the author knows; those that the data show are added.
    leakage_checked : bool
        Whether training rows were compared with the test rows.
    """
    cases = evaluation.cases
    limits = [*limits, *_limits(cases, leakage_checked)]
    facts = [
        ("Status", f"{NOTICE}."),
        ("Intended use", intended_use or INTENDED_USE),
        ("Limits", limits),
        ("Software", _versions()),
        ("Test data, BLAKE2b", data_hash(cases)),
    ]
    rows = [
        [name, _kind(estimator), _classes(estimator), _n_weights(estimator), model_hash(estimator)]
        for name, estimator in estimators.items()
    ]
    head = ["Model", "Type", "Classes", "Weights", "Hash"]
    codes = [Code(f"Parameters of {name}", repr(e)) for name, e in estimators.items()]
    blocks = [Text(f"{NOTICE}.", "warning"), Facts(facts), Heading("Models")]
    return Section("card", "Model card", [*blocks, Table("Models", head, rows, n_names=5), *codes])


def _limits(cases, leakage_checked):
    limits = ["One set of test rows: other clinics, cameras and populations may differ."]
    for task in cases.tasks:
        counts = pd.Series(task.codes[task.known]).value_counts()
        few = [name for code, name in enumerate(task.names) if counts.get(code, 0) < SMALL]
        if few:
            limits.append(f"{task.name}: fewer than {SMALL} rows of {', '.join(few)}.")
        if not task.known.all():
            limits.append(f"{task.name}: {int((~task.known).sum())} rows without a label.")
    if not cases.has_groups:
        limits.append("Patients are not known: intervals may be too narrow.")
    if not leakage_checked:
        limits.append("Training rows were not given: overlap with them was not checked.")
    if not cases.subgroups.shape[1]:
        limits.append("Subgroups are not known: differences between them were not looked at.")
    for name, values in cases.subgroups.items():
        few = [level for level, n in values.value_counts().items() if n < SMALL]
        if few:
            limits.append(f"{name.replace('_', ' ')}: fewer than {SMALL} rows of {', '.join(few)}.")
    return limits


def _versions():
    found = [f"Python {platform.python_version()}", f"sklearn_skin {sklearn_skin.__version__}"]
    for name in _PACKAGES:
        try:
            found.append(f"{name} {importlib.metadata.version(name)}")
        except importlib.metadata.PackageNotFoundError:
            continue
    return ", ".join(found)


def _kind(estimator):
    """Return the type of a model, with that of its last step."""
    last = estimator.steps[-1][1] if hasattr(estimator, "steps") else None
    names = [type(part).__name__ for part in (estimator, last) if part is not None]
    return " → ".join(names)


def _classes(estimator):
    return " / ".join(", ".join(map(str, labels)) for labels in classes_per_task(estimator)) or "–"


def _n_weights(estimator):
    network = find_network(estimator)
    if network is None:
        return "–"
    return f"{sum(weight.numel() for weight in network.module_.parameters()):,}"


def model_hash(estimator):
    """Return a hash of what was learnt: a network's weights, or the whole of another model.

    Parameters
    ----------
    estimator : estimator
        The fitted model.
    """
    network = find_network(estimator)
    if network is None:
        try:
            # Not a digest of its pickle, which differs for equal dicts and sets.
            return joblib.hash(estimator)
        except Exception as error:  # pickling runs the model's own code
            return f"none: {type(error).__name__}"
    return weights_digest(network.module_)


def data_hash(cases):
    """Return a hash of the test rows: metadata, labels and the content of the images.

    Parameters
    ----------
    cases : Cases
        The rows.
    """
    digest = hashlib.blake2b(digest_size=16)
    for name, column in cases.metadata.items():
        digest.update(str(name).encode())
        # As text, for object columns may hold values of several kinds.
        text = column.astype("object").map(str, na_action="ignore").fillna("")
        digest.update(pd.util.hash_pandas_object(text, index=False).to_numpy().tobytes())
    for task in cases.tasks:
        digest.update("\0".join(task.names).encode())
        digest.update(np.ascontiguousarray(task.codes, dtype=np.int64).tobytes())
    for name, images in cases.images.items():
        digest.update(f"{name} {images.steps}".encode())
        # Of files that cannot be opened the names are all that is known.
        for key, cell in zip(PixelReader(images, 1).keys(np.arange(len(images))), images.cells):
            digest.update(str(cell).encode() if key is None else key)
    return digest.hexdigest()
