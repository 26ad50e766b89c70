"""Validation rows reach the last step as the steps before it leave them."""

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampling_pipeline
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.calibration import CalibratedClassifierCV
from sklearn.ensemble import VotingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import GridSearchCV
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_skin.neural_network import MetadataClassifier
from sklearn_skin.utils import fit_with_validation

RNG = np.random.default_rng(0)
X, X_VAL = RNG.normal(3, 2, (40, 2)), RNG.normal(3, 2, (8, 2))
Y, Y_VAL = np.arange(40) % 4 // 3, np.arange(8) % 2


class Seen(ClassifierMixin, BaseEstimator):
    __metadata_request__fit = {"X_val": True, "y_val": True}

    def fit(self, X, y, *, sample_weight=None, X_val=None, y_val=None):
        self.classes_ = np.unique(y)
        self.seen_ = X, y, X_val, y_val
        self.weight_ = sample_weight
        return self


class Wrapped(Seen):
    """Keeps what it has seen, and says so when it is cloned and fitted by others."""

    fits = []

    def fit(self, X, y, *, X_val=None, y_val=None):
        Wrapped.fits.append(X_val)
        self.classes_ = np.unique(y)
        return self

    def predict(self, X):
        return np.full(len(X), self.classes_[0])

    def predict_proba(self, X):
        return np.full((len(X), len(self.classes_)), 1 / len(self.classes_))


def scaled(rows):
    return (rows - X.mean(axis=0)) / X.std(axis=0)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("nested", [False, True])
def test_the_preparation_learns_from_training_rows_and_transforms_both(routing, nested):
    final = make_pipeline("passthrough", Seen()) if nested else Seen()
    with config_context(enable_metadata_routing=routing):
        model = fit_with_validation(make_pipeline(StandardScaler(), final), X, Y, X_VAL, Y_VAL)
    train, y, valid, y_val = (model[-1][-1] if nested else model[-1]).seen_
    assert_allclose(train, scaled(X))
    assert_allclose(valid, scaled(X_VAL))
    assert y is Y and y_val is Y_VAL


@pytest.mark.parametrize("routing", [False, True])
def test_a_sampler_repeats_training_rows_alone(routing):
    sampler = RandomOverSampler(random_state=0)
    pipe = make_resampling_pipeline(StandardScaler(), sampler, Seen())
    with config_context(enable_metadata_routing=routing):
        train, y, valid, _ = fit_with_validation(pipe, X, Y, X_VAL, Y_VAL)[-1].seen_
    assert pipe.transform_input is None
    assert len(train) == len(y) == 60
    assert_allclose(valid, scaled(X_VAL))


class Shift(BaseEstimator):
    """A step that fits and transforms, without a method for both."""

    def fit(self, X, y=None):
        self.mean_ = X.mean(axis=0)
        return self

    def transform(self, X):
        return X - self.mean_


def test_a_step_may_fit_and_transform_apart():
    model = fit_with_validation(make_pipeline(Shift(), Seen()), X, Y, X_VAL, Y_VAL)
    assert_allclose(model[-1].seen_[2], X_VAL - X.mean(axis=0))


def test_requested_parameters_reach_their_steps_with_routing():
    weight = np.linspace(1, 2, 40)
    with config_context(enable_metadata_routing=True):
        scaler = StandardScaler().set_fit_request(sample_weight=True)
        final = Seen().set_fit_request(sample_weight=True)
        pipe = make_pipeline(scaler, final)
        model = fit_with_validation(pipe, X, Y, X_VAL, Y_VAL, sample_weight=weight)
    assert model[-1].weight_ is weight
    assert_allclose(model[0].mean_, np.average(X, axis=0, weights=weight))


def test_parameters_reach_their_steps():
    weight = np.linspace(1, 2, 40)
    params = {"standardscaler__sample_weight": weight, "seen__sample_weight": weight}
    model = fit_with_validation(
        make_pipeline(StandardScaler(), Seen()), X, Y, X_VAL, Y_VAL, **params
    )
    assert model[-1].weight_ is weight
    mean = np.average(X, axis=0, weights=weight)
    assert_allclose(model[0].mean_, mean)


def test_without_use_for_them_only_training_rows_are_fitted():
    plain = make_pipeline(StandardScaler(), LogisticRegression()).fit(X, Y)
    model = fit_with_validation(
        make_pipeline(StandardScaler(), LogisticRegression()), X, Y, X_VAL, Y_VAL
    )
    assert_allclose(model.predict_proba(X_VAL), plain.predict_proba(X_VAL))


def test_rows_and_labels_come_together():
    with pytest.raises(ValueError, match="`X_val` and `y_val` must be given together"):
        fit_with_validation(Seen(), X, Y, X_VAL, None)


def test_a_network_in_a_pipeline_of_scikit_learn_requests_validation_rows():
    with config_context(enable_metadata_routing=True):
        net = MetadataClassifier(max_epochs=1, random_state=0)
        pipe = make_pipeline(StandardScaler(), net, transform_input=["X_val"])
        routed = pipe.fit(X, Y, X_val=X_VAL, y_val=Y_VAL)[-1].history_[0]["valid_loss"]
    net = MetadataClassifier(max_epochs=1, random_state=0)
    alone = net.fit(scaled(X), Y, X_val=scaled(X_VAL), y_val=Y_VAL).history_[0]["valid_loss"]
    assert_allclose(routed, alone, rtol=1e-5)


@pytest.mark.parametrize("routing", [False, True])
@pytest.mark.parametrize("n_valid", [7, len(X)])
@pytest.mark.parametrize("inner", [Wrapped(), make_pipeline(StandardScaler(), Wrapped())])
@pytest.mark.parametrize(
    "around",
    [
        lambda model: GridSearchCV(model, {}, cv=2),
        lambda model: CalibratedClassifierCV(model, cv=2),
        lambda model: VotingClassifier([("one", model), ("two", model)]),
        lambda model: make_pipeline("passthrough", GridSearchCV(model, {}, cv=2)),
    ],
)
def test_meta_estimators_of_others_are_fitted_without(around, inner, n_valid, routing):
    # They would cut rows of X_val to their folds where there are as many as rows of X.
    Wrapped.fits.clear()
    with config_context(enable_metadata_routing=routing):
        fit_with_validation(around(inner), X, Y, X[:n_valid], Y[:n_valid])
    assert len(Wrapped.fits) >= 2 and all(X_val is None for X_val in Wrapped.fits)


@pytest.mark.parametrize("key", ["sample_weight", "nobody__sample_weight"])
def test_parameters_are_named_after_a_step(key):
    pipe = make_pipeline(StandardScaler(), Seen())
    with pytest.raises(ValueError, match=f"`{key}` must begin with the name of a step.*'seen__"):
        fit_with_validation(pipe, X, Y, X_VAL, Y_VAL, **{key: np.ones(len(X))})
