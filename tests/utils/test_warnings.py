"""Warnings point at the line that the user wrote, and are not repeated there."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from joblib import Parallel, delayed, parallel_config
from joblib.externals.loky import get_reusable_executor
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.utils import warn_user

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
