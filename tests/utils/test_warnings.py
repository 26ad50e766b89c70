"""Warnings point at the line that the user wrote, and are not repeated there."""

import inspect
import io
import os
import tempfile
import warnings

import numpy as np
import pandas as pd
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampled
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from PIL import Image
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_skin.ensemble._crossfit import make_folds
from sklearn_skin.image import PixelCache, _lmdb
from sklearn_skin.image._decoding import decode
from sklearn_skin.metrics import mean_task_auc, specificity_score
from sklearn_skin.modules import SharedFusionNet, StagedEncoder
from sklearn_skin.modules.fusion import make_fusion
from sklearn_skin.neural_network import MetadataClassifier, _features
from sklearn_skin.neural_network._callbacks import WeightAveraging
from sklearn_skin.neural_network._data import inner_split
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import LabelCodec, metadata_for_fit, warn_user

# Every fold meets two sites that its training rows lack.
X = pd.DataFrame({"site": ["arm", "back"] * 10, "age": np.arange(20.0)})
X.loc[::2, "site"] = [f"rare {i}" for i in range(10)]
Y = np.arange(20) % 2
MODEL = make_pipeline(make_lesion_transformer(), LogisticRegression())


def score():
    """Return the line of the call."""
    cross_val_score(MODEL, X, Y, cv=KFold(5))
    return inspect.currentframe().f_lineno - 1


def test_folds_warn_once_at_the_line_of_the_call():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        line = score()
        score()
    assert [(w.filename, w.lineno) for w in caught] == [(__file__, line)]
    assert "column 'site': 'rare 0', 'rare 1' (2 of 4 rows)" in str(caught[0].message)


def score_in_threads(X):
    with parallel_config("threading"):
        cross_val_score(MODEL, X, Y, cv=KFold(5), n_jobs=2)


def test_workers_warn_without_a_line_and_once_for_every_text():
    other = X.assign(site=X["site"].str.replace("rare", "other"))
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for table in (X, X, other):
            score_in_threads(table)
    assert {(w.filename, w.lineno) for w in caught} == {("<sklearn_skin>", 0)}
    texts = [str(w.message) for w in caught]
    assert len(set(texts)) == len(texts) == 10
    shown = warnings.formatwarning(texts[0], UserWarning, "<sklearn_skin>", 0)
    assert shown == f"<sklearn_skin>:0: UserWarning: {texts[0]}\n"


def test_processes_warn_without_a_line_and_once_for_every_text(capfd):
    # New processes, so that they write to what is captured.
    get_reusable_executor().shutdown(wait=True)
    with Parallel(n_jobs=2) as parallel:
        for text in ("first", "first", "second"):
            parallel(delayed(warn_user)(text, once="a gap") for _ in range(4))
    printed = capfd.readouterr().err.splitlines()
    assert set(printed) == {f"<sklearn_skin>:0: UserWarning: {t}" for t in ("first", "second")}
    assert len(printed) <= 4


def read_with_bad_exif():
    exif = Image.Exif()
    exif[0x0112] = 9
    file = io.BytesIO()
    Image.new("RGB", (8, 8)).save(file, "JPEG", exif=exif)
    decode(file.getvalue(), "x.jpg")


def fail(*args):
    raise OSError("no space")


def end_without_average():
    callback = WeightAveraging(None, 1)
    callback.on_train_begin(None)
    callback.on_train_end(None)


# What a fit or a score says again and again, each in the least that makes it say so.
REPEATED = {
    "absent classes": lambda: LabelCodec(["a", "b", "c"]).fit(["a", "b"]),
    "column vector": lambda: LabelCodec().fit([["a"], ["b"]]),
    "torn groups": lambda: make_folds(KFold(2), X, Y[:, None], np.arange(20) % 3, 0),
    "groups behind a sampler": lambda: metadata_for_fit(
        make_resampled(RandomOverSampler(), MetadataClassifier()), groups=Y
    ),
    "specificity": lambda: specificity_score([1, 1], [1, 1]),
    "AUC": lambda: mean_task_auc(["a", "b"], np.full((2, 3), 1 / 3), classes=list("abc")),
    "not stratified": lambda: inner_split(np.array([0] * 19 + [1])[:, None], None, 0.2, 0),
    "no average": end_without_average,
    "wide vector": lambda: make_fusion("tensor", 512, 128),
    "one token": lambda: make_fusion("cross_attention", 8, 4, tokens="vector"),
    "shared encoder": lambda: SharedFusionNet([StagedEncoder("test_resnet", image_size=32)], [2]),
    "orientation": read_with_bad_exif,
    "no folder": PixelCache,
    "no store": lambda: _lmdb._attempt("folder", 1, fail),
    "features": lambda: _features._zeros((2, 2), tempfile.gettempdir()),
}


@pytest.mark.parametrize("name", REPEATED)
def test_what_every_fit_would_say_is_said_once(name, monkeypatch):
    monkeypatch.setattr(_lmdb, "make_folder", fail)
    monkeypatch.setattr(_lmdb, "_environment", lambda path, max_bytes: None)
    monkeypatch.setattr(_features, "MAX_BYTES_IN_MEMORY", 0)
    monkeypatch.setattr(os, "posix_fallocate", fail, raising=False)
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for _ in range(3):
            REPEATED[name]()
    assert [w.filename for w in caught if issubclass(w.category, UserWarning)] == [__file__]


def test_other_classes_that_are_absent_are_news():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        for labels in ("ab", "ac", "ab"):
            LabelCodec(["a", "b", "c"]).fit(list(labels))
    assert len(caught) == 2


def test_who_asks_for_all_gets_all():
    with warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("always")
        score()
    assert len(caught) == 5


def test_warnings_become_errors_and_are_silenced_as_others():
    with warnings.catch_warnings():
        warnings.simplefilter("error")
        with pytest.raises(UserWarning, match="not seen in fit"):
            cross_val_score(MODEL, X, Y, cv=KFold(5), error_score="raise")
    with warnings.catch_warnings(record=True) as caught:
        warnings.filterwarnings("ignore", "categories not seen")
        score()
    assert not caught
