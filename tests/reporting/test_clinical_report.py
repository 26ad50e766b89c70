"""What the report says, for any classifier, and how it is written."""

import os
from html.parser import HTMLParser

import numpy as np
import pytest
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Perceptron
from sklearn.metrics import confusion_matrix, recall_score, roc_auc_score
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin.ensemble import WeightedFusionClassifier
from sklearn_skin.reporting import clinical_report
from sklearn_skin.reporting._cases import find_network

SECTIONS = [
    "data",
    "metrics",
    "classes",
    "roc",
    "calibration",
    "confusion",
    "subgroups",
    "missingness",
    "comparison",
    "gallery",
    "relevance",
    "card",
]


class Page(HTMLParser):
    """Start tags and text of a page."""

    def __init__(self, path):
        super().__init__()
        self.tags, self.text = [], ""
        self.feed(path.read_text("utf-8"))

    def handle_starttag(self, tag, attrs):
        self.tags.append((tag, dict(attrs)))

    def handle_data(self, data):
        self.text += data

    def of(self, tag):
        return [attributes for name, attributes in self.tags if name == tag]


@pytest.fixture(scope="module")
def held_out(numbers):
    """The second half of the rows; of the first task alone, and of both with missing labels."""
    y = numbers.target[150:].astype(object)
    y.iloc[:40, 1] = None
    return numbers.data[150:], y["diagnosis"], y


@pytest.fixture(scope="module")
def tree(numbers):
    X, y = numbers.data[:150], numbers.target[:150]
    return DecisionTreeClassifier(max_depth=3, random_state=0).fit(X, y)


@pytest.fixture(scope="module")
def twins(numbers, held_out, tree, tmp_path_factory):
    """A report on one tree under two names, with two tasks and what training rows share."""
    X, _, y = held_out
    groups = numbers.groups.to_numpy().copy()
    groups[150:153] = groups[0]
    return clinical_report(
        [("tree", tree), ("twin", tree)],
        X,
        y,
        groups=groups[150:],
        # Of all rows, in another order: the row labels say which is which.
        subgroups=numbers.subgroups.sample(frac=1, random_state=0),
        X_train=numbers.data[:150],
        groups_train=groups[:150],
        cv_scores={"tree": [1], "twin": [2]},
        n_resamples=20,
        output=tmp_path_factory.mktemp("twins") / "report.html",
    )


@pytest.fixture(scope="module")
def prior(numbers):
    """A model of the frequencies of two of the three classes."""
    y = numbers.target["diagnosis"][:150]
    return DummyClassifier(strategy="prior").fit(numbers.data[:150][y != "C"], y[y != "C"])


ATTRIBUTES = {
    "age_approx": np.arange(150) % 90,
    "stage": np.arange(150) % 12,
    "hand": np.arange(150) % 2,
}


def write_prior(prior, held_out, folder, **options):
    options = {"subgroups": ATTRIBUTES, "n_resamples": 20} | options
    X, y, _ = held_out
    return clinical_report(prior, X, y, output=folder / "report.html", **options)


@pytest.fixture(scope="module")
def prior_report(prior, held_out, tmp_path_factory):
    return write_prior(prior, held_out, tmp_path_factory.mktemp("prior"))


def test_every_section_is_there_once_and_linked(report):
    page = Page(report.path)
    assert [section["id"] for section in page.of("section")] == SECTIONS
    links = [link["href"] for link in page.of("a")]
    assert links == ["#content", *[f"#{name}" for name in SECTIONS]]
    assert "Research software, not a medical device" in page.text


def test_values_are_escaped(report, lesions):
    page = Page(report.path)
    assert len(page.of("script")) == 1
    assert not [image for image in page.of("img") if not image["src"].startswith("data:image/")]
    assert not [tag for tag, attributes in page.tags if any(a.startswith("on") for a in attributes)]
    # The name of the class is there as text, in tables and in plots.
    assert page.text.count("<script>window.broken") > 5


def test_nothing_is_referred_to(report):
    for _, attributes in Page(report.path).tags:
        for name in ("src", "href", "xlink:href", "action", "data", "srcset"):
            assert attributes.get(name, "#").startswith(("#", "data:"))
    assert "url(http" not in report.path.read_text("utf-8")


def test_ids_are_unique(report):
    ids = [attributes["id"] for _, attributes in Page(report.path).tags if "id" in attributes]
    assert len(ids) == len(set(ids))


def test_subgroups_cover_every_row_and_missing_is_a_group(report):
    table = report.tables["subgroups"].query("model == 'forest'")
    assert set(table.groupby("attribute")["n_rows"].sum()) == {48}
    missing = table.query("attribute == 'sex' and level == 'missing'")
    assert missing["n_rows"].item() == 10


def test_subgroups_are_aligned_by_row_label(twins, numbers, held_out, tree):
    table = twins.tables["subgroups"].query("task == 'diagnosis' and model == 'twin'")
    groups = numbers.subgroups.loc[held_out[0].index]
    right = tree.predict(held_out[0])[:, 0]
    assert set(table["attribute"]) == set(groups)
    for row in table.query("level != 'missing'").itertuples():
        rows = (groups[row.attribute] == row.level).to_numpy()
        assert row.n_rows == rows.sum()
        expected = recall_score(
            held_out[1][rows].astype(str),
            right[rows].astype(str),
            labels=held_out[1][rows].unique().astype(str),
            average="macro",
        )
        assert_allclose(row.estimate, expected)


def test_per_class_values_are_those_of_the_confusion_matrix(twins, held_out, tree):
    counts = confusion_matrix(held_out[1].tolist(), tree.predict(held_out[0])[:, 0].tolist())
    found = twins.tables["classes"].query("task == 'diagnosis' and model == 'tree'")
    found = found.pivot(index="class", columns="metric", values="estimate")
    assert_allclose(found["Sensitivity"], counts.diagonal() / counts.sum(axis=1))
    called = counts.sum(axis=0)
    expected = np.divide(counts.diagonal(), called, out=np.full(3, np.nan), where=called > 0)
    assert_allclose(found["Positive predictive value"], expected)


def test_a_model_compared_with_itself_does_not_differ(twins):
    found = twins.tables["comparison"][["difference", "low", "high"]]
    assert_allclose(found, np.zeros_like(found), atol=1e-12)


def test_missing_labels_of_a_task_do_not_count(twins, held_out, tree):
    metrics = twins.tables["metrics"].query("model == 'tree'").set_index(["task", "metric"])
    accuracy = metrics["estimate"].unstack()["Accuracy"]
    X, _, y = held_out
    right = tree.predict(X) == y.to_numpy()
    assert_allclose(accuracy["diagnosis"], right[:, 0].mean())
    assert_allclose(accuracy["veil"], right[40:, 1].mean())
    assert_allclose(accuracy["all tasks"], accuracy[["diagnosis", "veil"]].mean())
    assert "veil: 40 rows without a label." in Page(twins.path).text


def test_shared_patients_of_training_and_test_rows_are_named(twins, numbers):
    text = Page(twins.path).text
    assert twins.leakage_checked and "1 finding in 150 training rows" in text
    assert str(numbers.groups.iloc[0]) in text


def test_too_few_folds_are_told_in_the_report(twins):
    assert "No test was made: `scores` has 1 folds" in Page(twins.path).text
    assert "folds" not in twins.tables


def test_a_classifier_of_arrays_without_probabilities(numbers, tmp_path):
    X, y = numbers.data.to_numpy(), numbers.target["diagnosis"].to_numpy()
    model = Perceptron(random_state=0).fit(X[:150], y[:150])
    report = clinical_report(model, X[150:], y[150:], output=tmp_path / "r.html", n_resamples=20)
    text = Page(report.path).text
    assert "Left out, for they give no probabilities: Perceptron." in text
    metrics = report.tables["metrics"].set_index("metric")["estimate"]
    one_against_rest = [
        roc_auc_score(y[150:] == label, scores)
        for label, scores in zip(model.classes_, model.decision_function(X[150:]).T)
    ]
    assert np.isnan(metrics["Brier score"])
    assert_allclose(metrics["AUC"], np.mean(one_against_rest))


def test_a_class_that_the_model_does_not_know_is_never_found(prior_report):
    found = prior_report.tables["classes"].set_index(["class", "metric"])["estimate"]
    assert_allclose(found["C", "Sensitivity"], 0, atol=1e-12)
    assert_allclose(found["C", "AUC"], 0.5)


def test_numbers_of_a_subgroup_become_bands(prior_report):
    table = prior_report.tables["subgroups"]
    levels = table.groupby("attribute")["level"].apply(list)
    assert levels["age_approx"] == ["0-19", "20-39", "40-59", "60-79", "80+"]
    assert levels["hand"] == ["0", "1"] and len(levels["stage"]) == 4
    counts = table.query("attribute == 'age_approx'")["n_rows"]
    edges = [0, 20, 40, 60, 80, 200]
    assert counts.tolist() == np.histogram(ATTRIBUTES["age_approx"], edges)[0].tolist()


def test_only_networks_of_this_package_are_networks():
    assert find_network(make_pipeline(StandardScaler(), DummyClassifier())) is None
    # Branches alone make no network.
    members = [("a", DummyClassifier()), ("b", DummyClassifier())]
    ensemble = WeightedFusionClassifier(members)
    assert hasattr(ensemble, "predict_branches") and find_network(ensemble) is None


def lines_of(report):
    return [line for line in report.path.read_text("utf-8").splitlines() if "· made 20" not in line]


def test_the_same_seed_writes_the_same_page(prior_report, held_out, prior, tmp_path):
    lines = lines_of(prior_report)
    assert lines_of(write_prior(prior, held_out, tmp_path)) == lines
    assert lines_of(write_prior(prior, held_out, tmp_path, random_state=1)) != lines


def test_the_old_report_stays_if_the_new_one_cannot_be_written(
    held_out, prior, tmp_path, monkeypatch
):
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write_prior(prior, held_out, tmp_path)
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def full_disk(descriptor):
    raise OSError(28, "No space left on device")


@pytest.mark.parametrize(
    ("options", "error", "message"),
    [
        ({"new": DecisionTreeClassifier()}, NotFittedError, "'new' is not fitted. X and y are te"),
        ({"odd": 3}, TypeError, "must hold fitted classifiers; 'odd' is 3"),
        ({"y": "both"}, ValueError, "predicts 1 tasks, but y has 2"),
        ({"groups": [1, 2]}, ValueError, "inconsistent numbers of samples"),
        ({"groups": [None, *range(149)]}, ValueError, "1 are missing, of rows 'L50_0'"),
        ({"subgroups": {"sex": ["f", "m"]}}, ValueError, "`subgroups` must have a row for each of"),
        ({"subgroups": ["tone"]}, ValueError, "`subgroups` names columns that X lacks: 'tone'"),
        ({"n_resamples": 0}, ValueError, "`n_resamples` must be an int >= 1; got 0"),
        ({"n_examples": -1}, ValueError, "`n_examples` must be an int >= 0; got -1"),
        ({"output": "nowhere/r.html"}, FileNotFoundError, "`output`: the folder .* does not exist"),
    ],
)
def test_errors_name_what_is_wrong(held_out, prior, tmp_path, options, error, message):
    models = {name: options[name] for name in ("new", "odd") if name in options}
    X, y, both = held_out
    options = {"y": y, "output": "r.html"} | {k: v for k, v in options.items() if k not in models}
    options["output"] = tmp_path / options["output"]
    options["y"] = both if options["y"] is not y else y
    with pytest.raises(error, match=message):
        clinical_report({"prior": prior} | models, X, **options)


def test_names_of_models_must_differ(held_out, prior, tmp_path):
    with pytest.raises(ValueError, match="`estimators` must be .* with different names"):
        write_prior([("a", prior), ("a", prior)], held_out, tmp_path)
