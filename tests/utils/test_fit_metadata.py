"""Weights and groups reach the fit that takes them."""

import numpy as np
import pytest
from imblearn.over_sampling import RandomOverSampler
from imblearn.pipeline import make_pipeline as make_resampling_pipeline
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.linear_model import LogisticRegression
from sklearn.neighbors import KNeighborsClassifier
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler

from sklearn_skin.utils import metadata_for_fit

WEIGHT, GROUPS = np.ones(4), np.arange(4)


class Splits(ClassifierMixin, BaseEstimator):
    def __init__(self, group_column=None):
        self.group_column = group_column

    def fit(self, X, y, *, sample_weight=None, groups=None):
        return self


@pytest.mark.parametrize(
    "estimator, names",
    [
        (Splits(), {"sample_weight", "groups"}),
        (LogisticRegression(), {"sample_weight"}),
        (make_pipeline(StandardScaler(), Splits()), {"splits__sample_weight", "splits__groups"}),
        (
            make_pipeline(StandardScaler(), make_pipeline(StandardScaler(), Splits())),
            {"pipeline__splits__sample_weight", "pipeline__splits__groups"},
        ),
    ],
)
def test_metadata_reaches_the_final_step_that_takes_it(estimator, names):
    params = metadata_for_fit(estimator, sample_weight=WEIGHT, groups=GROUPS)
    assert set(params) == names
    assert all(values is WEIGHT or name.endswith("groups") for name, values in params.items())
    estimator.fit(np.eye(4), [0, 1, 0, 1], **params)
    assert metadata_for_fit(estimator) == {}


def test_weights_are_never_dropped_without_a_word():
    assert metadata_for_fit(KNeighborsClassifier(), groups=GROUPS) == {}
    with pytest.raises(ValueError, match="KNeighborsClassifier does not support it"):
        metadata_for_fit(KNeighborsClassifier(), sample_weight=WEIGHT)


def test_with_routing_requests_decide():
    with config_context(enable_metadata_routing=True):
        net = Splits().set_fit_request(groups=True, sample_weight=False)
        assert metadata_for_fit(net, sample_weight=WEIGHT, groups=GROUPS) == {"groups": GROUPS}
        pipe = make_pipeline(StandardScaler(), net)
        assert metadata_for_fit(pipe, sample_weight=WEIGHT, groups=GROUPS) == {"groups": GROUPS}
        nearest = KNeighborsClassifier()
        assert metadata_for_fit(nearest, sample_weight=WEIGHT, groups=GROUPS) == {}


def test_groups_do_not_go_past_a_sampler():
    pipe = make_resampling_pipeline(RandomOverSampler(random_state=0), Splits())
    with pytest.warns(UserWarning, match="Splits behind RandomOverSampler.*`group_column`"):
        assert metadata_for_fit(pipe, groups=GROUPS) == {}
    pipe.set_params(splits__group_column="patient")
    assert metadata_for_fit(pipe, groups=GROUPS) == {}


def test_weights_do_not_go_past_a_sampler():
    pipe = make_resampling_pipeline(RandomOverSampler(random_state=0), Splits())
    for estimator in (pipe, make_pipeline(StandardScaler(), pipe)):
        with pytest.raises(ValueError, match="RandomOverSampler before Splits changes the rows"):
            metadata_for_fit(estimator, sample_weight=WEIGHT)
