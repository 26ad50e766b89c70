"""Published protocols: the parts that they say, one row per run, resumed where they stopped."""

import numpy as np
import pandas as pd
import pytest
import torch
from numpy.testing import assert_allclose
from sklearn import config_context
from sklearn.base import BaseEstimator, ClassifierMixin
from sklearn.ensemble import HistGradientBoostingClassifier
from sklearn.linear_model import LogisticRegression
from sklearn.metrics import accuracy_score, balanced_accuracy_score, roc_auc_score
from sklearn.model_selection import GridSearchCV, KFold
from sklearn.naive_bayes import GaussianNB
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import FunctionTransformer, StandardScaler
from sklearn.svm import LinearSVC
from sklearn.utils import Bunch
from skorch.callbacks import Callback

from sklearn_skin.datasets import make_lesions
from sklearn_skin.model_selection import PROTOCOLS, evaluate
from sklearn_skin.model_selection._runs import FinishedRuns, fingerprint
from sklearn_skin.neural_network import MetadataClassifier
from sklearn_skin.presets import make_preset


class Recorder(ClassifierMixin, BaseEstimator):
    """A classifier that keeps what it was given, and may fail on its n-th fit."""

    __metadata_request__fit = {"X_val": True, "y_val": True}
    fits = []
    fails_at = None

    def __init__(self, random_state=None, C=1.0):
        self.random_state = random_state
        self.C = C

    def fit(self, X, y, *, groups=None, X_val=None, y_val=None):
        if len(self.fits) == self.fails_at:
            raise RuntimeError("killed")
        rows = {"train": X.index, "valid": None if X_val is None else X_val.index}
        self.fits.append(rows | {"groups": groups, "seed": self.random_state})
        self.classes_ = np.unique(y)
        self.model_ = LogisticRegression(C=self.C, max_iter=300).fit(X, y)
        return self

    def predict(self, X):
        return self.model_.predict(X)

    def predict_proba(self, X):
        return self.model_.predict_proba(X)


@pytest.fixture(autouse=True)
def recorder(monkeypatch):
    monkeypatch.setattr(Recorder, "fits", [])
    return Recorder


@pytest.fixture
def data():
    rng = np.random.default_rng(0)
    groups = np.repeat(np.arange(80), 2)
    classes = rng.permutation(np.arange(80) % 4 // 3)[groups]
    X = pd.DataFrame(rng.normal(size=(160, 3)) + classes[:, None], columns=list("abc"))
    y = pd.Series(np.array(["nevus", "melanoma"])[classes])
    order = rng.permutation(160)
    splits = {"train": order[:80], "valid": order[80:110], "test": order[110:]}
    return Bunch(data=X, target=y, groups=pd.Series(groups), splits=splits)


def test_the_published_parts_are_used_as_they_are(data, recorder):
    result = evaluate(Recorder(), data, protocol="derm7pt")
    assert len(result.runs) == PROTOCOLS["derm7pt"].n_repeats == 5
    for fit in recorder.fits:
        assert list(fit["train"]) == list(data.splits["train"])
        assert list(fit["valid"]) == list(data.splits["valid"])
        assert list(fit["groups"]) == list(data.groups[data.splits["train"]])
    assert len({fit["seed"] for fit in recorder.fits}) == 5
    assert result.runs[["n_train", "n_valid", "n_test"]].drop_duplicates().values.tolist() == [
        [80, 30, 50]
    ]


@pytest.mark.parametrize(
    ("protocol", "shares"),
    [("5-fold", (0.8, 0, 0.2)), ("80:10:10", (0.8, 0.1, 0.1)), ("70:30", (0.7, 0, 0.3))],
)
def test_parts_keep_groups_whole_and_classes_balanced(data, protocol, shares):
    for train, valid, test in PROTOCOLS[protocol].parts(data, 3):
        parts = [np.empty(0, int) if rows is None else rows for rows in (train, valid, test)]
        assert sorted(np.concatenate(parts)) == list(range(160))
        of_groups = [set(data.groups[rows]) for rows in parts]
        assert not of_groups[0] & of_groups[2] and not of_groups[1] & (of_groups[0] | of_groups[2])
        for rows, share in zip(parts, shares):
            assert len(rows) == pytest.approx(share * 160, abs=4)
            if len(rows):
                assert (data.target[rows] == "melanoma").mean() == pytest.approx(0.25, abs=0.1)


def test_five_folds_test_every_row_once(data):
    tested = [test for *_, test in PROTOCOLS["5-fold"].parts(data, 0)]
    assert sorted(np.concatenate(tested)) == list(range(160))


def test_scores_are_those_of_the_test_rows(data):
    parts = [(np.arange(100), np.arange(100, 160)), (np.arange(60, 160), np.arange(60))]
    result = evaluate(GaussianNB(), data, protocol=parts)
    for (train, test), row in zip(parts, result.runs.itertuples()):
        model = GaussianNB().fit(data.data.iloc[train], data.target[train])
        X, y = data.data.iloc[test], data.target[test]
        assert row.accuracy == pytest.approx(accuracy_score(y, model.predict(X)))
        assert row.balanced_accuracy == pytest.approx(balanced_accuracy_score(y, model.predict(X)))
        assert row.auc == pytest.approx(roc_auc_score(y, model.predict_proba(X)[:, 1]))
    assert_allclose(result.summary["std"], result.runs[result.summary.index].std(ddof=1))
    mean, std = result.summary.loc["auc", ["mean", "std"]]
    assert result.table["auc"] == f"{mean:.3f} ± {std:.3f}"


def test_several_tasks_are_scored_together_and_one_by_one(data):
    from sklearn.multioutput import MultiOutputClassifier

    second = pd.Series(np.where(data.data["a"] > 0, "present", "absent"))
    data.target = pd.DataFrame({"DIAG": data.target, "BWV": second})
    model = MultiOutputClassifier(LogisticRegression())
    runs = evaluate(model, data, protocol="70:30", n_repeats=2).runs
    assert_allclose(runs["mean_task_accuracy"], (runs["accuracy_DIAG"] + runs["accuracy_BWV"]) / 2)
    assert runs["accuracy_BWV"].min() > 0.8


@pytest.mark.parametrize("scoring", ["f1_macro", ["f1_macro"], {"f1_macro": "f1_macro"}])
def test_scoring_takes_names_lists_and_dicts(data, scoring):
    result = evaluate(GaussianNB(), data, scoring=scoring)
    assert result.summary.index.tolist() == ["f1_macro"]


def test_runs_that_finished_are_not_run_again(data, recorder, tmp_path, monkeypatch):
    path = tmp_path / "runs.csv"
    whole = evaluate(Recorder(), data, n_repeats=2).runs.drop(columns="fit_seconds")
    recorder.fits.clear()
    monkeypatch.setattr(Recorder, "fails_at", 4)
    with pytest.raises(RuntimeError, match="killed"):
        evaluate(Recorder(), data, n_repeats=2, path=path)
    assert len(pd.read_csv(path)) == 4
    monkeypatch.setattr(Recorder, "fails_at", None)
    resumed = evaluate(Recorder(), data, n_repeats=2, path=path)
    assert len(recorder.fits) == 10
    pd.testing.assert_frame_equal(resumed.runs.drop(columns="fit_seconds"), whole)
    assert len(pd.read_csv(path)) == 10


def test_more_repeats_go_on_from_fewer(data, recorder, tmp_path):
    path = tmp_path / "runs.csv"
    evaluate(Recorder(), data, protocol="70:30", n_repeats=2, path=path)
    more = evaluate(Recorder(), data, protocol="70:30", n_repeats=3, path=path)
    assert len(recorder.fits) == 3 and len(more.runs) == 3
    fewer = evaluate(Recorder(), data, protocol="70:30", n_repeats=1, path=path)
    assert len(recorder.fits) == 3 and fewer.summary["n_runs"].tolist() == [1, 1, 1]


def test_runs_of_another_model_are_never_taken_for_these(data, tmp_path):
    path = tmp_path / "runs.csv"
    evaluate(Recorder(), data, path=path)
    with pytest.raises(ValueError, match="runs.csv holds runs of another model"):
        evaluate(Recorder(C=0.1), data, path=path)
    data.data["a"] += 1
    with pytest.raises(ValueError, match="another model, protocol or data set"):
        evaluate(Recorder(), data, path=path)


def test_processes_give_the_same_scores(data):
    model = make_pipeline(StandardScaler(), LogisticRegression())
    alone, together = (evaluate(model, data, n_jobs=n_jobs).runs for n_jobs in (1, 2))
    columns = ["repeat", "fold", "accuracy", "auc"]
    pd.testing.assert_frame_equal(alone[columns], together[columns])


def test_unknown_protocols_and_missing_parts_are_named(data):
    with pytest.raises(ValueError, match=r"`protocol` must be one of \['derm7pt', .*got 'ten'"):
        evaluate(GaussianNB(), data, protocol="ten")
    data.pop("splits")
    with pytest.raises(ValueError, match="'derm7pt' needs the published parts, `data.splits`"):
        evaluate(GaussianNB(), data, protocol="derm7pt")


class SeenRows(Callback):
    valid = []

    def on_epoch_end(self, net, dataset_valid=None, **kwargs):
        SeenRows.valid.append(list(dataset_valid.table.row_names))


@pytest.mark.parametrize("name", ["pemm", "fusionm4net"])
def test_a_preset_gets_the_published_validation_rows(name):
    images = ("clinical", "dermoscopy")
    lesions = make_lesions(24, n_tasks=2, image_columns=images, image_size=16, random_state=0)
    lesions.splits = dict(zip(("train", "valid", "test"), np.split(np.arange(24), [10, 16])))
    tiny = {"backbone": "test_resnet", "weights": None, "image_size": 32, "max_epochs": 1, "tta": 1}
    model = make_preset(name, random_state=0, averaging=None, **tiny)
    seen = SeenRows()
    model.set_params(
        **{"net__callbacks" if name == "pemm" else "model__first_stage__callbacks": [seen]}
    )
    if name == "fusionm4net":
        model.set_params(model__cv="half", model__second_stage="logistic_regression")
    SeenRows.valid.clear()
    result = evaluate(model, lesions, protocol="derm7pt", n_repeats=1)
    assert result.runs[["n_train", "n_valid", "n_test"]].values.tolist() == [[10, 6, 8]]
    assert SeenRows.valid and all(
        rows == list(lesions.data.index[10:16]) for rows in SeenRows.valid
    )


def test_other_parts_of_the_same_protocol_are_run_anew(data, tmp_path):
    path = tmp_path / "runs.csv"
    evaluate(Recorder(), data, protocol="derm7pt", path=path)
    data.splits = data.splits | {"test": data.splits["test"][::-1][:20]}
    with pytest.raises(ValueError, match="another model, protocol or data set"):
        evaluate(Recorder(), data, protocol="derm7pt", path=path)


def test_without_a_random_state_nothing_can_be_gone_on_with(data, tmp_path):
    with pytest.raises(ValueError, match="`path` needs a `random_state`"):
        evaluate(GaussianNB(), data, random_state=None, path=tmp_path / "runs.csv")
    first = evaluate(GaussianNB(), data, random_state=np.random.RandomState(3), n_repeats=2)
    again = evaluate(GaussianNB(), data, random_state=np.random.RandomState(3), n_repeats=2)
    assert_allclose(first.summary["mean"], again.summary["mean"])


def test_runs_of_another_process_are_kept(data, tmp_path):
    path = tmp_path / "runs.csv"
    whole = evaluate(Recorder(), data, path=path).runs
    rows = pd.read_csv(path)
    ours, theirs = FinishedRuns(tmp_path / "both.csv"), FinishedRuns(tmp_path / "both.csv")
    ours.add(rows.iloc[0].to_dict())
    theirs.add(rows.iloc[1].to_dict())
    assert len(pd.read_csv(tmp_path / "both.csv")) == 2
    assert len(whole) == 5


@pytest.mark.parametrize("content", ["", "a,b\n1,2\n", "cut", b"\x89PNG\xff\x00"])
def test_a_file_that_holds_no_runs_is_named(data, tmp_path, content):
    path = tmp_path / "runs.csv"
    if content == "cut":
        evaluate(GaussianNB(), data, protocol="70:30", path=path)
        content = path.read_text()[:-40]
    path.write_bytes(content if isinstance(content, bytes) else content.encode())
    with pytest.raises(ValueError, match="runs.csv holds no runs"):
        evaluate(GaussianNB(), data, protocol="70:30", path=path)


def test_folders_are_looked_for_before_the_first_fit(data, recorder, tmp_path):
    with pytest.raises(FileNotFoundError, match="there is no folder '.*nowhere'"):
        evaluate(Recorder(), data, path=tmp_path / "nowhere" / "runs.csv")
    with pytest.raises(IsADirectoryError, match="is a folder"):
        evaluate(Recorder(), data, path=tmp_path)
    assert not recorder.fits


def test_a_network_among_the_parameters_is_known_by_its_weights():
    torch.manual_seed(0)
    one, same, other = torch.nn.Linear(2, 2), torch.nn.Linear(2, 2), torch.nn.Linear(2, 2)
    same.load_state_dict(one.state_dict())
    prints = [fingerprint(Recorder(C=network), 0) for network in (one, same, other)]
    assert prints[0] == prints[1] != prints[2]


@pytest.mark.parametrize("protocol", ["5-fold", "80:10:10", "70:30"])
def test_too_few_groups_are_an_error_and_no_other_protocol(data, protocol):
    data.groups = data.groups % 4
    with pytest.raises(
        ValueError, match="`protocol` needs (5|10) folds, and the data make no more"
    ):
        evaluate(GaussianNB(), data, protocol=protocol)


@pytest.mark.parametrize(
    ("protocol", "message"),
    [
        ([([0, 1], [1, 2])], "the parts of entry 0 must be different rows from 0 to 159"),
        ([([0, 1], [160])], "different rows from 0 to 159"),
        ([([0, 1],)], "entry 0 is none"),
        ([([0], [1], [2], [3])], "entry 0 is none"),
        ([(np.arange(160) < 80, np.arange(160) >= 80)], "entry 0 is none"),
        ([], "must hold at least one tuple"),
    ],
)
def test_parts_that_are_none_are_named(data, protocol, message):
    with pytest.raises(ValueError, match=message):
        evaluate(GaussianNB(), data, protocol=protocol)


def test_a_part_without_labels_of_a_task_is_named_before_the_first_fit(data, recorder):
    data.target = pd.DataFrame({"DIAG": data.target, "BWV": data.target})
    data.target.loc[data.splits["valid"], "BWV"] = None
    with pytest.raises(
        ValueError, match="repeat 0, fold 0: the target of the valid rows has no label of task 1"
    ):
        evaluate(Recorder(), data, protocol="derm7pt")
    assert not recorder.fits


def test_a_class_that_training_rows_lack_is_known_to_the_model(data):
    data.target = data.target.where(np.arange(160) < 158, "rare")
    net = MetadataClassifier(max_epochs=1)
    runs = evaluate(net, data, protocol=[(np.arange(120), np.arange(120, 160))]).runs
    assert np.isfinite(runs["accuracy"]).all()


@pytest.mark.parametrize("name", ["fold", "fingerprint", "fit_seconds"])
def test_scores_must_not_be_named_as_other_columns(data, name):
    with pytest.raises(ValueError, match="`scoring` must name at least one score, and none of"):
        evaluate(GaussianNB(), data, scoring={name: "accuracy"})


def test_scorers_are_callables_too_and_nothing_is_hashed_without_a_file(data):
    runs = evaluate(GaussianNB(), data, scoring=lambda model, X, y: 0.5).runs
    assert_allclose(runs["score"], 0.5)
    assert list(evaluate(LinearSVC(), data).summary.index) == ["accuracy", "balanced_accuracy"]


def test_arrays_are_data_and_other_things_are_not(data):
    arrays = Bunch(data=data.data.to_numpy(), target=data.target.to_numpy(), groups=data.groups)
    ours, theirs = (evaluate(GaussianNB(), part).summary["mean"] for part in (data, arrays))
    assert_allclose(ours, theirs)
    with pytest.raises(TypeError, match="`data` must be a Bunch with `data` and `target`.*tuple"):
        evaluate(GaussianNB(), (data.data, data.target))
    with pytest.raises(ValueError, match="'n_repeats' parameter of evaluate"):
        evaluate(GaussianNB(), data, n_repeats=0)


def test_processes_have_the_settings_of_scikit_learn(data):
    with config_context(transform_output="pandas"):
        model = make_pipeline(StandardScaler(), NeedsNames())
        runs = evaluate(model, data, n_jobs=2).runs
    assert len(runs) == 5


class NeedsNames(GaussianNB):
    def fit(self, X, y):
        assert list(X.columns) == ["a", "b", "c"]
        return super().fit(X, y)


def test_a_classifier_that_takes_validation_rows_in_some_settings_only_is_not_given_them(data):
    runs = evaluate(HistGradientBoostingClassifier(max_iter=5), data, protocol="80:10:10").runs
    assert runs["n_valid"].tolist() == [16] * 5


def test_a_search_around_a_pipeline_is_fitted_without_validation_rows(data):
    model = make_pipeline(StandardScaler(), MetadataClassifier(max_epochs=1))
    search = GridSearchCV(model, {"metadataclassifier__lr": [0.1, 0.01]}, cv=2)
    runs = evaluate(search, data, protocol="80:10:10", n_repeats=1).runs
    assert np.isfinite(runs["accuracy"]).all()


@pytest.mark.parametrize("protocol", ["80:10:10", "70:30"])
def test_a_single_split_is_repeated_so_that_there_is_a_deviation(data, protocol):
    assert np.isfinite(evaluate(GaussianNB(), data, protocol=protocol).summary["std"]).all()


@pytest.mark.parametrize("protocol", [5, None, KFold(3)])
def test_a_splitter_is_no_protocol(data, protocol):
    with pytest.raises(TypeError, match="`protocol` must be one of .* or a list of row positions"):
        evaluate(GaussianNB(), data, protocol=protocol)


def test_scoring_of_another_type_is_named(data):
    with pytest.raises(TypeError, match="`scoring` must be a name, a scorer, or a list or dict"):
        evaluate(GaussianNB(), data, scoring=3)


def test_a_parameter_that_cannot_be_compared_is_named(data, tmp_path):
    model = make_pipeline(FunctionTransformer(lambda X: X), GaussianNB())
    with pytest.raises(ValueError, match="`functiontransformer__func` cannot be"):
        evaluate(model, data, path=tmp_path / "runs.csv")


def test_runs_with_other_groups_are_not_gone_on_with(data, tmp_path):
    parts, path = [(np.arange(100), np.arange(100, 160))], tmp_path / "runs.csv"
    evaluate(GaussianNB(), data, protocol=parts, path=path)
    data.groups = data.groups[::-1].copy()
    with pytest.raises(ValueError, match="holds runs of another model, protocol or data set"):
        evaluate(GaussianNB(), data, protocol=parts, path=path)
