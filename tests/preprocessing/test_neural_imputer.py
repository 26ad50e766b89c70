"""The neural imputer: better where it can be, the median or mode elsewhere."""

import pickle

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose, assert_array_equal
from sklearn.base import clone
from sklearn.utils.estimator_checks import parametrize_with_checks

from sklearn_skin.preprocessing import NeuralImputer
from sklearn_skin.preprocessing._denoising import reconstruct


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@parametrize_with_checks(
    [NeuralImputer(fallback=f, max_epochs=3, random_state=0) for f in ("auto", "never")]
)
def test_scikit_learn_checks(estimator, check):
    check(estimator)


def make_linked(n=300, seed=0, rate=0.2):
    """Make columns that tell each other: y = 2 x, site by the sign of x, flag alike; then gaps."""
    rng = np.random.RandomState(seed)
    x = rng.normal(size=n)
    full = pd.DataFrame(
        {
            "x": x,
            "y": 2 * x + 5 + 0.05 * rng.normal(size=n),
            "site": np.where(x > 0, "arm", np.where(x > -0.5, "back", "face")),
            "flag": (x > 0).astype(object),
            "side": pd.Categorical(np.where(x > 0, "left", "right")),
        },
        index=[f"r{i}" for i in range(n)],
    )
    gaps = rng.uniform(size=full.shape) < rate
    return full, full.mask(gaps), gaps


def make_noise(n=300, seed=0):
    rng = np.random.RandomState(seed)
    X = pd.DataFrame({"a": rng.normal(size=n), "b": rng.exponential(size=n)})
    X["c"] = rng.choice(["u", "v", "w"], n, p=[0.5, 0.3, 0.2])
    return X, X.mask(rng.uniform(size=X.shape) < 0.2)


@pytest.fixture(scope="module")
def linked():
    return make_linked()


@pytest.fixture(scope="module")
def imputer(linked):
    return NeuralImputer(random_state=0).fit(linked[1])


def test_fills_from_what_is_known_and_keeps_the_rest(linked, imputer):
    full, X, gaps = linked
    assert imputer.learned_.all()
    out = imputer.transform(X)
    assert not out.isna().any(axis=None)
    assert out.mask(gaps).equals(X)
    assert out.index.equals(X.index) and list(out) == list(X)
    hidden_y, hidden_site = gaps[:, 1], gaps[:, 2]
    assert np.abs(out["y"] - full["y"])[hidden_y].mean() < 0.5 * full["y"].std()
    assert (out["site"] == full["site"])[hidden_site].mean() > 0.7


def test_dtypes_stay(linked, imputer):
    _, X, _ = linked
    out = imputer.transform(X)
    assert [str(d) for d in out.dtypes] == [str(d) for d in X.dtypes]
    assert set(map(type, out["flag"])) == {bool}


def test_what_cannot_be_learnt_gets_median_and_mode():
    _, X = make_noise()
    imputer = NeuralImputer(random_state=0).fit(X)
    assert not imputer.learned_.any()
    out = imputer.transform(X)
    for name in ("a", "b"):
        assert_allclose(out[name][X[name].isna()], X[name].median())
    assert set(out["c"][X["c"].isna()]) == {"u"}
    *numbers, mode = imputer.statistics_
    assert_allclose(numbers, X[["a", "b"]].median())
    assert mode == "u"
    assert set(imputer.held_out_) == {"a", "b", "c"}
    assert list(imputer.fallback_columns_) == ["a", "b", "c"]


def test_without_a_fallback_the_network_fills_every_column():
    _, X = make_noise()
    X = X.assign(empty=np.nan)
    auto = NeuralImputer(random_state=0).fit(X)
    never = clone(auto).set_params(fallback="never").fit(X)
    assert never.learned_.tolist() == [True, True, True, False]
    assert never.fallback_columns_.tolist() == [] and "empty" not in auto.fallback_columns_
    # The same network, judged alike; what it guesses is only used.
    assert never.held_out_ == auto.held_out_
    gaps, out = X["a"].isna(), never.transform(X)
    assert out["a"][gaps].nunique() > 1
    blank = X[gaps][["a", "b", "c"]].isna().to_numpy()
    table = never._as_table(X[gaps])
    guess = reconstruct(never._code, never._weights, table)
    ranges = X[["a", "b"]].agg(["min", "max"])
    assert_allclose(out["a"][gaps], guess[:, 0].clip(*ranges["a"]))
    texts = np.array(["u", "v", "w"])[guess[blank[:, 2], 2].astype(int)]
    assert_array_equal(out["c"][gaps][blank[:, 2]], texts)


def test_columns_that_fall_back_are_named(linked):
    full, X, _ = linked
    X = X.assign(noise=np.random.RandomState(1).normal(size=len(X)))
    imputer = NeuralImputer(random_state=0).fit(X.mask(np.eye(len(X), 6, dtype=bool)))
    assert list(imputer.fallback_columns_) == ["noise"]
    assert imputer.learned_.sum() == 5


@pytest.mark.parametrize(("rows", "columns"), [(20, 1), (2, 3)])
def test_too_little_for_a_network_is_an_error_without_a_fallback(rows, columns):
    X = make_noise(rows)[0].iloc[:, :columns]
    with pytest.raises(ValueError, match=f"n_features = {columns}, n_samples = {rows}"):
        NeuralImputer(fallback="never").fit(X)
    # Too few rows to judge by are no obstacle.
    assert NeuralImputer(fallback="never", max_epochs=2).fit(make_noise(20)[0]).learned_.all()


def test_learnt_columns_beat_their_fallback_on_held_out_cells(linked, imputer):
    for name in linked[1].columns[imputer.learned_]:
        errors = imputer.held_out_[name]
        assert errors["network"] < 0.7 * errors["fallback"]


def test_same_seed_same_result_and_no_global_seed_is_touched():
    _, X, _ = make_linked(100)
    torch.manual_seed(7)
    np.random.seed(7)
    before = torch.get_rng_state(), np.random.get_state()[1].copy()
    imputer = NeuralImputer(max_epochs=40, random_state=3)
    first, second = (clone(imputer).fit_transform(X) for _ in range(2))
    assert torch.equal(before[0], torch.get_rng_state())
    assert_array_equal(before[1], np.random.get_state()[1])
    pd.testing.assert_frame_equal(first, second)
    other = imputer.set_params(random_state=4).fit_transform(X)
    assert not np.allclose(first["y"], other["y"])


def test_rows_do_not_see_each_other_in_transform(linked, imputer):
    _, X, _ = linked
    out = imputer.transform(X[:20])
    alone = pd.concat([imputer.transform(X[i : i + 1]) for i in range(20)])
    assert_allclose(out[["x", "y"]], alone[["x", "y"]])
    assert_array_equal(out["site"], alone["site"])


def test_guesses_stay_in_the_range_seen(linked, imputer):
    _, X, _ = linked
    far = X[:5].assign(x=1e6, y=np.nan)
    assert (imputer.transform(far)["y"] <= X["y"].max() + 1e-9).all()


def test_values_not_seen_in_fit_are_no_gaps(linked, imputer):
    _, X, _ = linked
    out = imputer.transform(X[:3].assign(site=["toe", None, "arm"]))
    assert out["site"].iloc[0] == "toe" and out["site"].iloc[2] == "arm"
    assert out["site"].iloc[1] in {"arm", "back", "face"}


@pytest.mark.parametrize("keep", [False, True])
def test_empty_columns(keep):
    _, X, _ = make_linked(60)
    X = X.assign(x=np.nan, site=pd.Series([None] * 60, index=X.index, dtype="str"))
    imputer = NeuralImputer(keep_empty_features=keep, random_state=0).fit(X)
    out = imputer.transform(X)
    assert list(out) == list(imputer.get_feature_names_out())
    assert ("x" in out) == ("site" in out) == keep
    if keep:
        assert (out["x"] == 0).all() and (out["site"] == "missing").all()


def test_indicators():
    _, X, gaps = make_linked(60)
    imputer = NeuralImputer(add_indicator=True, max_epochs=2, random_state=0)
    out = imputer.fit_transform(X)
    assert list(out) == list(imputer.get_feature_names_out())
    assert_array_equal(out.filter(like="==missing"), gaps)
    values = X[["x", "y"]].to_numpy()
    assert_array_equal(imputer.fit_transform(values)[:, 2:], gaps[:, :2])


def test_arrays_of_text_are_filled_too():
    _, X, _ = make_linked(60)
    values = X[["x", "site"]].to_numpy(dtype=object)
    out = NeuralImputer(max_epochs=2, random_state=0).fit_transform(values)
    assert isinstance(out, np.ndarray) and out.dtype == object
    known = ~pd.isna(values)
    assert_array_equal(out[known], values[known])
    assert set(out[:, 1]) <= {"arm", "back", "face"} and not pd.isna(out[:, 0]).any()


def test_few_rows_get_median_and_mode():
    X = pd.DataFrame({"a": [1.0, 3.0, None], "b": ["u", None, "u"]})
    out = NeuralImputer(random_state=0).fit_transform(X)
    assert_allclose(out["a"], [1, 3, 2])
    assert out["b"].tolist() == ["u", "u", "u"]


def test_numbers_come_back_in_their_precision():
    X = np.random.RandomState(0).normal(size=(40, 3)).astype(np.float32)
    X[:5, 0] = np.nan
    assert NeuralImputer(max_epochs=2, random_state=0).fit_transform(X).dtype == np.float32


def test_text_in_a_column_of_numbers_is_named():
    _, X, _ = make_linked(60)
    imputer = NeuralImputer(max_epochs=2, random_state=0).fit(X)
    with pytest.raises(ValueError, match="column 'x' must hold finite numbers.*'old' in row 'r1'"):
        imputer.transform(X.astype({"x": object}).assign(x=[1.0, "old"] + [2.0] * 58))


def test_pickle_keeps_the_result(linked, imputer):
    _, X, _ = linked
    back = pickle.loads(pickle.dumps(imputer))
    pd.testing.assert_frame_equal(back.transform(X), imputer.transform(X))
