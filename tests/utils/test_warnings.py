"""Warnings point at the line that the user wrote, and are not repeated there."""

import inspect
import warnings

import numpy as np
import pandas as pd
import pytest
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import KFold, cross_val_score
from sklearn.pipeline import make_pipeline

from sklearn_skin.preprocessing import make_lesion_transformer

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
