"""What the report says, for any classifier, and how it is written."""

import os
from html.parser import HTMLParser

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_allclose
from sklearn.dummy import DummyClassifier
from sklearn.exceptions import NotFittedError
from sklearn.linear_model import Perceptron
from sklearn.metrics import confusion_matrix
from sklearn.tree import DecisionTreeClassifier

from sklearn_skin.reporting import clinical_report

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


@pytest.fixture
def tree(numbers):
    y = numbers.target["diagnosis"]
    return DecisionTreeClassifier(max_depth=3).fit(numbers.data[:150], y[:150])


def write(estimators, numbers, tmp_path, **options):
    options = {"n_resamples": 20} | options
    y = options.pop("y", numbers.target["diagnosis"][150:])
    return clinical_report(
        estimators, numbers.data[150:], y, output=tmp_path / "report.html", **options
    )


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


def test_subgroups_of_the_whole_data_are_aligned_by_label(numbers, tree, tmp_path):
    held_out = numbers.subgroups.loc[numbers.data.index[150:]]
    first = write(tree, numbers, tmp_path, subgroups=held_out)
    second = write(tree, numbers, tmp_path, subgroups=numbers.subgroups.sample(frac=1))
    pd.testing.assert_frame_equal(first.tables["subgroups"], second.tables["subgroups"])


def test_per_class_values_are_those_of_the_confusion_matrix(numbers, tree, tmp_path):
    report = write(tree, numbers, tmp_path)
    y = numbers.target["diagnosis"][150:]
    counts = confusion_matrix(y, tree.predict(numbers.data[150:]))
    found = report.tables["classes"].pivot(index="class", columns="metric", values="estimate")
    assert_allclose(found["Sensitivity"], counts.diagonal() / counts.sum(axis=1))
    called = counts.sum(axis=0)
    expected = np.divide(counts.diagonal(), called, out=np.full(3, np.nan), where=called > 0)
    assert_allclose(found["Positive predictive value"], expected)


def test_a_model_compared_with_itself_does_not_differ(numbers, tree, tmp_path):
    report = write({"a": tree, "b": tree}, numbers, tmp_path)
    assert (report.tables["comparison"][["difference", "low", "high"]] == 0).all(axis=None)


def test_a_classifier_of_arrays_without_probabilities(numbers, tmp_path):
    X, y = numbers.data.to_numpy(), numbers.target["diagnosis"].to_numpy()
    model = Perceptron(random_state=0).fit(X[:150], y[:150])
    report = clinical_report(model, X[150:], y[150:], output=tmp_path / "r.html", n_resamples=20)
    text = Page(report.path).text
    assert "Left out, for they give no probabilities: Perceptron." in text
    metrics = report.tables["metrics"].set_index("metric")["estimate"]
    assert np.isnan(metrics["Brier score"]) and metrics["AUC"] > 0.5


def test_several_tasks_with_missing_labels(numbers, tmp_path):
    y = numbers.target.astype(object)
    tree = DecisionTreeClassifier(max_depth=3).fit(numbers.data[:150], numbers.target[:150])
    y = y[150:].copy()
    y.iloc[:40, 1] = None
    report = write({"tree": tree}, numbers, tmp_path, y=y)
    metrics = report.tables["metrics"].set_index(["task", "metric"])["estimate"]
    mean = metrics[["diagnosis", "veil"]].unstack()["Accuracy"].mean()
    assert metrics["all tasks", "Accuracy"] == pytest.approx(mean)
    right = tree.predict(numbers.data[150:])[40:, 1] == y.iloc[40:, 1]
    assert metrics["veil", "Accuracy"] == pytest.approx(right.mean())
    assert "veil: 40 rows without a label." in Page(report.path).text


def test_shared_patients_of_training_and_test_rows_are_named(numbers, tree, tmp_path):
    groups = numbers.groups.to_numpy().copy()
    groups[150:153] = groups[0]
    report = write(
        tree,
        numbers,
        tmp_path,
        groups=groups[150:],
        X_train=numbers.data[:150],
        groups_train=groups[:150],
    )
    text = Page(report.path).text
    assert report.leakage_checked and "1 finding in 150 training rows" in text
    assert str(groups[0]) in text


def test_a_class_that_the_model_does_not_know(numbers, tmp_path):
    y = numbers.target["diagnosis"]
    known = y[:150] != "C"
    model = DummyClassifier(strategy="prior").fit(numbers.data[:150][known], y[:150][known])
    report = write(model, numbers, tmp_path)
    found = report.tables["classes"].set_index(["class", "metric"])["estimate"]
    assert found["C", "Sensitivity"] == 0 and found["C", "AUC"] == 0.5


def test_the_same_seed_writes_the_same_page(numbers, tree, tmp_path):
    pages = []
    for _ in range(2):
        lines = write(tree, numbers, tmp_path).path.read_text("utf-8").splitlines()
        pages.append([line for line in lines if "· made 20" not in line])
    assert pages[0] == pages[1]


def test_the_old_report_stays_if_the_new_one_cannot_be_written(
    numbers, tree, tmp_path, monkeypatch
):
    (tmp_path / "report.html").write_text("old")
    monkeypatch.setattr(os, "fsync", full_disk)
    with pytest.raises(OSError, match="No space left"):
        write(tree, numbers, tmp_path)
    assert os.listdir(tmp_path) == ["report.html"]
    assert (tmp_path / "report.html").read_text() == "old"


def full_disk(descriptor):
    raise OSError(28, "No space left on device")


def test_errors_name_what_is_wrong(numbers, tree, tmp_path):
    with pytest.raises(NotFittedError, match="'new' is not fitted. X and y are test rows"):
        write({"tree": tree, "new": DecisionTreeClassifier()}, numbers, tmp_path)
    with pytest.raises(TypeError, match="must hold fitted classifiers; 'odd' is 3"):
        write({"odd": 3}, numbers, tmp_path)
    with pytest.raises(ValueError, match="`estimators` must be .* with different names"):
        write([("a", tree), ("a", tree)], numbers, tmp_path)
    with pytest.raises(ValueError, match="predicts 1 tasks, but y has 2"):
        write({"tree": tree}, numbers, tmp_path, y=numbers.target[150:])
    with pytest.raises(ValueError, match="inconsistent numbers of samples"):
        write(tree, numbers, tmp_path, groups=[1, 2])
    with pytest.raises(ValueError, match="`subgroups` must have a row for each of the 150 rows"):
        write(tree, numbers, tmp_path, subgroups={"sex": ["f", "m"]})
    with pytest.raises(ValueError, match=r"`n_resamples` must be an int >= 1; got 0"):
        write(tree, numbers, tmp_path, n_resamples=0)
    with pytest.raises(FileNotFoundError, match="`output`: the folder .* does not exist"):
        write(tree, numbers, tmp_path / "nowhere")


def test_too_few_folds_are_told_in_the_report(numbers, tree, tmp_path):
    report = write({"a": tree, "b": tree}, numbers, tmp_path, cv_scores={"a": [1], "b": [2]})
    assert "No test was made: `scores` has 1 folds" in Page(report.path).text
    assert "folds" not in report.tables
