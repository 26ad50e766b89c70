"""Groups that only the members of an ensemble name: never a feature, and never torn apart."""

import pandas as pd
import pytest
from ensemble_fakes import TwoBranches, twins
from numpy.testing import assert_allclose
from sklearn.base import clone
from sklearn.compose import ColumnTransformer
from sklearn.linear_model import LogisticRegression
from sklearn.pipeline import make_pipeline
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.ensemble._group_columns import named_group_columns
from sklearn_skin.preprocessing import make_lesion_transformer

LINEAR = LogisticRegression(max_iter=300)
TREE = DecisionTreeClassifier(random_state=0)


class Net(TwoBranches):
    """Is told of a group column, and learns from all numbers, as a network does."""

    def __init__(self, group_column=None, base=None, *, log=None, weight=0.5):
        super().__init__(base, log=log, weight=weight)
        self.group_column = group_column


def prefix_of(member):
    return "net__" if hasattr(member, "steps") else ""


def piped(column="pat", **options):
    return make_pipeline(make_lesion_transformer(group_column=column, **options), Net(column))


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


def held_out_score(model):
    """Return the accuracy of a single network on rows that it was not fitted on."""
    return getattr(model, "search_score_", None) or model.stage_scores_["clinical"]


@BOTH
@MEMBERS
def test_rows_are_split_by_the_column_that_members_name(make, member):
    table, y, pairs = make_table()
    member = clone(member).set_params(**{prefix_of(member) + "base": TREE})
    alone = make(member).fit(table, y)
    told = make(member).fit(table, y, groups=pairs)
    assert_allclose(alone.predict_proba(table), told.predict_proba(table))
    assert held_out_score(alone) < 0.65
    apart = make(Net(base=TREE)).fit(table.drop(columns="pat"), y)
    assert held_out_score(apart) > 0.8


@BOTH
def test_behind_a_transformer_groups_are_those_of_the_rows(make):
    table, y, pairs = make_table()
    model = make_pipeline(make_lesion_transformer(group_column="pat"), make(Net("pat", TREE)))
    expected = clone(model).fit(table, y, **{f"{model.steps[-1][0]}__groups": pairs})
    assert_allclose(model.fit(table, y).predict_proba(table), expected.predict_proba(table))
    assert held_out_score(model[-1]) < 0.65


@BOTH
def test_members_that_name_different_columns_leave_the_choice_to_the_ensemble(make):
    table, y, pairs = make_table()
    table["doctor"] = pairs % 7
    members = Net("pat"), piped("doctor", drop="pat")
    with pytest.raises(ValueError, match="different group columns, .'doctor', 'pat'.") as error:
        make(*members).fit(table, y)
    assert f"in `group_column` of {type(make()).__name__}" in str(error.value)
    by_column = make(*members, group_column="pat").fit(table, y)
    given = make(*members).fit(table, y, groups=pairs)
    assert_allclose(by_column.predict_proba(table), given.predict_proba(table))


def test_where_nothing_is_split_members_may_differ():
    table, y, _ = make_table()
    table["doctor"] = table["pat"] % 7
    members = Net("pat"), Net("doctor")
    for options, rows in [({"weights": None}, {}), ({}, {"X_val": table, "y_val": y})]:
        proba = weighted(*members, **options).fit(table, y, **rows).predict_proba(table)
        assert_allclose(proba.sum(axis=1), 1)


@BOTH
def test_a_column_that_members_name_and_x_lacks_is_an_error(make):
    table, y, pairs = make_table()
    with pytest.raises(ValueError, match="'patient' of the members is not a column.*`groups`"):
        make(Net("patient")).fit(table, y)
    make(Net("patient"), cv=2).fit(table.drop(columns="pat"), y, groups=pairs)


def test_a_block_of_the_user_s_own_may_be_called_group():
    own = ColumnTransformer([("group", "passthrough", ["age_group"])])
    assert named_group_columns([("own", make_pipeline(own, LINEAR))]) == set()
    assert named_group_columns([("ours", piped())]) == {"pat"}
