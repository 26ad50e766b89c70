"""The short way of a row through the transformer gives what scikit-learn's own way gives."""

import numpy as np
import pandas as pd
import pytest
from pandas.testing import assert_frame_equal
from sklearn.compose import ColumnTransformer
from sklearn.impute import KNNImputer
from sklearn.pipeline import Pipeline
from sklearn.preprocessing import FunctionTransformer

from sklearn_skin.datasets import make_lesions
from sklearn_skin.preprocessing import make_lesion_transformer


def make_table():
    bunch = make_lesions(60, image_size=16, random_state=0)
    rng = np.random.default_rng(0)
    return bunch.data.assign(
        site=rng.choice(["arm", "leg", "back", None], 60),
        smokes=rng.choice([True, False], 60),
        grade=pd.Categorical(rng.choice(["low", "high"], 60)),
        patient=np.arange(60) // 2,
    )


def transform_as_scikit_learn(transformer, X, monkeypatch):
    """Transform by the methods of the parents."""
    with monkeypatch.context() as patch:
        for _, block, _ in transformer.transformers_:
            if isinstance(block, Pipeline):
                patch.setattr(type(block), "transform", Pipeline.transform)
        return ColumnTransformer.transform(transformer, X)


@pytest.mark.parametrize(
    "parameters",
    [
        {},
        {"numeric__impute__add_indicator": True},
        {"numeric__impute": KNNImputer()},
        {"numeric__scale": "passthrough"},
        {"categorical__encode__min_frequency": 20},
        {"categorical__encode__drop": "if_binary"},
        {"categorical__encode__dtype": np.float32},
        {"categorical": "drop"},
        {"numeric": "passthrough"},
        {"numeric": FunctionTransformer()},
        {"n_jobs": 1},
        {"transformer_weights": {"numeric": 2.0}},
    ],
)
@pytest.mark.filterwarnings("ignore:categories", "ignore:Found unknown")
def test_rows_are_what_scikit_learn_makes_of_them(parameters, monkeypatch):
    X = make_table()
    transformer = make_lesion_transformer(group_column="patient").set_params(**parameters).fit(X)
    new = X.iloc[[5, 1, 7]].assign(more=1)[::-1].sort_index(axis=1)
    new["site"] = ["arm", "moon", None]
    expected = transform_as_scikit_learn(transformer, new, monkeypatch)
    assert_frame_equal(transformer.transform(new), expected)
    assert_frame_equal(transformer.transform(new[:1]), expected[:1])
    assert list(expected.columns) == list(transformer.get_feature_names_out())


@pytest.mark.filterwarnings("ignore:X does not have valid feature names")
def test_arrays_stay_arrays_and_missing_columns_errors():
    X = make_table().drop(columns=["image", "patient"])
    transformer = make_lesion_transformer().fit(X)
    table = transformer.transform(X)
    with pytest.raises(ValueError, match="columns are missing: {'site'}"):
        transformer.transform(X.drop(columns="site"))
    array = transformer.set_output(transform="default").transform(X)
    assert isinstance(array, np.ndarray)
    np.testing.assert_allclose(array, table)
