import numpy as np
import pandas as pd
import pytest
from sklearn import config_context
from sklearn.model_selection import GridSearchCV, StratifiedGroupKFold, cross_validate

from sklearn_skin.model_selection import MultiTaskStratifiedGroupKFold
from sklearn_skin.neural_network import MetadataClassifier


def make_tasks(n=400, seed=0):
    """Return labels of two tasks with gaps, a rare class in each, and groups of 1 to 4 rows."""
    rng = np.random.default_rng(seed)
    y = pd.DataFrame(
        {
            "diagnosis": rng.choice(["nevus", "melanoma", "rare"], n, p=[0.7, 0.25, 0.05]),
            "crust": rng.choice(["absent", "present"], n, p=[0.9, 0.1]),
        }
    ).astype(object)
    y.loc[rng.uniform(size=n) < 0.4, "crust"] = None
    groups = np.repeat(np.arange(n), rng.integers(1, 5, n))[:n]
    return y, groups


def spread_of_shares(y, folds):
    """Return the largest deviation of a fold's share of any label from an equal one."""
    worst = 0
    for _, column in y.items():
        for label in column.dropna().unique():
            counts = np.array([(column.iloc[test] == label).sum() for _, test in folds])
            worst = max(worst, abs(counts / counts.sum() - 1 / len(folds)).max())
    return worst


@pytest.mark.parametrize("grouped", [False, True])
@pytest.mark.parametrize("shuffle", [False, True])
def test_every_label_of_every_task_is_shared_out(grouped, shuffle):
    y, groups = make_tasks()
    splitter = MultiTaskStratifiedGroupKFold(4, shuffle=shuffle, random_state=0)
    folds = list(splitter.split(y, y, groups if grouped else None))
    tests = [test for _, test in folds]
    assert sorted(np.concatenate(tests)) == list(range(400))
    for train, test in folds:
        assert sorted([*train, *test]) == list(range(400))
        if grouped:
            assert not set(groups[train]) & set(groups[test])
    assert spread_of_shares(y, folds) < 0.06
    assert max(map(len, tests)) - min(map(len, tests)) <= 8


def test_labels_of_the_second_task_are_shared_out_better_than_by_the_first_alone():
    better = []
    for seed in range(5):
        y, groups = make_tasks(200, seed)
        ours = list(MultiTaskStratifiedGroupKFold(5).split(y, y, groups))
        theirs = list(StratifiedGroupKFold(5).split(y, y["diagnosis"].astype(str), groups))
        better.append(spread_of_shares(y[["crust"]], theirs) - spread_of_shares(y[["crust"]], ours))
    assert np.mean(better) > 0.05 and min(better) >= 0


def test_the_seed_decides_the_order():
    y, groups = make_tasks(80)
    parts = []
    for seed in (0, 0, 1):
        splitter = MultiTaskStratifiedGroupKFold(3, shuffle=True, random_state=seed)
        parts.append([test.tolist() for _, test in splitter.split(y, y, groups)])
    assert parts[0] == parts[1] != parts[2]


@pytest.mark.parametrize("routing", [False, True])
def test_scikit_learn_cross_validates_tasks_with_gaps(routing):
    y, groups = make_tasks(60)
    X = np.random.default_rng(1).normal(size=(60, 3))
    net = MetadataClassifier(max_epochs=1, random_state=0)
    cv = MultiTaskStratifiedGroupKFold(2)
    params = {"params": {"groups": groups}} if routing else {"groups": groups}
    with config_context(enable_metadata_routing=routing):
        scores = cross_validate(net, X, y, cv=cv, error_score="raise", **params)["test_score"]
        assert np.isfinite(scores).all() and len(scores) == 2
        search = GridSearchCV(net, {"lr": [0.1, 0.01]}, cv=cv, error_score="raise")
        assert np.isfinite(search.fit(X, y, groups=groups).best_score_)


def test_one_task_is_a_special_case():
    labels = np.array(["A", "B", "B", "B"] * 10)
    for _, test in MultiTaskStratifiedGroupKFold(5).split(labels, labels):
        assert (labels[test] == "A").sum() == 2


def test_errors():
    with pytest.raises(ValueError, match="`n_splits` must be an int of at least 2; got 1"):
        MultiTaskStratifiedGroupKFold(1)
    y, groups = make_tasks(20)
    with pytest.raises(ValueError, match="n_splits=5 cannot be greater than .* groups, 2"):
        list(MultiTaskStratifiedGroupKFold(5).split(y, y, groups > 3))
    with pytest.raises(ValueError, match="groups must name the group of every row; 20 of 20"):
        list(MultiTaskStratifiedGroupKFold(5).split(y, y, [None] * 20))
