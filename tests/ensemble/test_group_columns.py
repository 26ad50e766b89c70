"""Groups that only the members of an ensemble name: never a feature, and never torn apart."""

import pandas as pd
import pytest
from ensemble_fakes import TwoBranches, twins
from numpy.testing import assert_allclose
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline

from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.ensemble._group_columns import named_group_columns
from sklearn_skin.preprocessing import make_lesion_transformer

LINEAR = LogisticRegression(max_iter=300)


class Net(TwoBranches):
    """Is told of a group column, and learns from all numbers, as a network does."""

    def __init__(self, group_column=None, base=None, *, log=None, weight=0.5):
        super().__init__(base, log=log, weight=weight)
        self.group_column = group_column


def piped(column="pat", base=None):
    return make_pipeline(make_lesion_transformer(group_column=column), Net(column, base))


def weighted(*members, **options):
    named = [(f"m{i}", member) for i, member in enumerate(members)]
    return WeightedFusionClassifier(named, **{"random_state": 0} | options)


def two_stages(*members, **options):
    first = members[0] if len(members) == 1 else [(f"m{i}", m) for i, m in enumerate(members)]
    return FusionM4NetClassifier(first, LINEAR, **{"random_state": 0} | options)


BOTH = pytest.mark.parametrize("make", [weighted, two_stages])
MEMBERS = pytest.mark.parametrize("member", [Net("pat"), piped()], ids=["alone", "piped"])


def make_table():
    """Return pairs of rows with one random label: who has seen one, knows the other."""
    X, y, pairs = twins()
    return pd.DataFrame(X, columns=list("abcdef")).assign(pat=pairs + 1000), y, pairs


@BOTH
@MEMBERS
def test_new_rows_need_no_column_that_only_members_name(make, member):
    table, y, pairs = make_table()
    model = make(member, cv=2).fit(table, y, groups=pairs)
    new = table.drop(columns="pat")
    assert_allclose(model.predict_proba(new), model.predict_proba(table))
    assert model.n_features_in_ == 6


def test_a_block_of_the_user_s_own_may_be_called_group():
    own = ColumnTransformer([("group", "passthrough", ["age_group"])])
    assert named_group_columns([("own", make_pipeline(own, LINEAR))]) == set()
    assert named_group_columns([("ours", piped())]) == {"pat"}
