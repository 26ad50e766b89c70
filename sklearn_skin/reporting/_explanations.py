"""Sections on what the models look at."""

import base64
import io
import time
from functools import partial

import numpy as np
import pandas as pd
from PIL import Image
from sklearn.utils import _safe_indexing

from sklearn_skin.reporting._cases import find_network
from sklearn_skin.reporting._page import (
    Case,
    Figures,
    Gallery,
    Heading,
    Picture,
    Section,
    Table,
    Text,
    number,
    per_task,
)
from sklearn_skin.reporting._plots import bar_figure, heat_figure

_SIDE = 176
_QUALITY = 82
# Maps of fewer cells a side say too little about places.
_MIN_MAP = 3
# A mean over this many rows ranks the features; each row costs a backward pass for every step.
_MAX_EXPLAINED = 200
_MAX_FEATURES = 20
_MAX_CLASSES = 10
_N_REPEATS = 5
_MAX_SECONDS = 20


def gallery_section(evaluation, estimators, n_examples, random_state):
    """Return the section of right and wrong cases with their Grad-CAM.

    Parameters
    ----------
    evaluation : Evaluation
        The predictions.
    estimators : dict of str to estimator
        The models.
    n_examples : int
        Right cases, and as many wrong ones, for each model and task.
    random_state : int, RandomState instance or None
        Decides which right cases are shown.
    """
    title = "Right and wrong cases"
    seed = np.random.default_rng(np.random.SeedSequence(_seed(random_state)))

    def build(position):
        blocks = []
        for name, estimator in estimators.items():
            blocks.append(Heading(name))
            prediction = evaluation.predictions[name][position]
            chosen = _choose(evaluation.cases.tasks[position], prediction, n_examples, seed)
            blocks += _galleries(evaluation.cases, estimator, position, prediction, chosen)
        return blocks

    if not any(map(_image_columns, estimators.values())) and not evaluation.cases.images:
        return Section("gallery", title, [Text("The models see no images.")])
    intro = Text(
        "Wrong cases are those that the model was surest of; right ones are drawn at random. "
        "The heat map (Grad-CAM) marks what speaks for the predicted class; it shows where the "
        "model looked, not whether it was right to."
    )
    return Section("gallery", title, [intro, *per_task(evaluation.cases, build)])


def _seed(random_state):
    if random_state is None or isinstance(random_state, int | np.integer):
        return random_state
    return int(random_state.randint(2**31 - 1))


def _image_columns(estimator):
    network = find_network(estimator)
    return [] if network is None else list(network.image_columns_)


def _choose(task, prediction, n_examples, rng):
    """Return positions of right rows and of wrong rows."""
    right = np.flatnonzero(task.known & (prediction.codes == task.codes))
    wrong = np.flatnonzero(task.known & (prediction.codes != task.codes))
    # Drawn, not the surest: those would flatter the model.
    right = np.sort(rng.choice(right, min(n_examples, len(right)), replace=False))
    if prediction.proba is not None:
        wrong = wrong[np.argsort(-prediction.confidence[wrong], kind="stable")]
    return right, wrong[:n_examples]


def _galleries(cases, estimator, position, prediction, chosen):
    task, blocks = cases.tasks[position], []
    rows = np.concatenate(chosen)
    if not len(rows):
        return [Text("No row has a label.")]
    columns = _image_columns(estimator)
    if columns:
        pictures, notes = _explained_pictures(cases, estimator, columns, position, rows)
    else:
        pictures = _plain_pictures(cases, rows)
        kind = "sees no image" if find_network(estimator) else "is no network of this package"
        notes = [Text(f"No Grad-CAM: the model {kind}.", "note")]
    shown = [
        Case(
            label=str(cases.row_names[row]),
            truth=task.names[task.codes[row]],
            predicted=task.names[prediction.codes[row]],
            probability="" if prediction.proba is None else number(prediction.confidence[row], 2),
            right=bool(task.codes[row] == prediction.codes[row]),
            pictures=pictures[place],
        )
        for place, row in enumerate(rows)
    ]
    n_right = len(chosen[0])
    for title, part in (("Right", shown[:n_right]), ("Wrong", shown[n_right:])):
        blocks.append(Gallery(title, part) if part else Text(f"{title}: no case."))
    return notes + blocks


def _explained_pictures(cases, estimator, columns, position, rows):
    """Return for each row its pictures with heat maps, and what could not be done."""
    from sklearn_skin.inspection import grad_cam

    pictures, notes = [[] for _ in rows], []
    for column in columns:
        try:
            found = grad_cam(
                estimator, _safe_indexing(cases.X, rows), image_column=column, task=position
            )
        except (ImportError, ValueError) as error:
            notes.append(Text(f"No Grad-CAM of “{column}”: {error}", "warning"))
            continue
        if max(found.map_size) < _MIN_MAP:
            size = " × ".join(map(str, found.map_size))
            text = f"The last map of “{column}” has {size} cells: Grad-CAM cannot say where."
            notes.append(Text(text, "warning"))
        for place in np.flatnonzero(found.present):
            pixels, heat = found.pixels[place], found.heatmaps[place]
            pictures[place] += [
                Picture(_as_uri(pixels), f"{column} as the model sees it"),
                Picture(_as_uri(_overlay(pixels, heat)), f"{column} with its heat map"),
            ]
    if not any(pictures) and notes:
        # Pictures without maps are better than none.
        pictures = _plain_pictures(cases, rows)
    return pictures, notes


def _plain_pictures(cases, rows):
    from sklearn_skin.image import load_pixels

    pictures = [[] for _ in rows]
    for name, images in cases.images.items():
        pixels, present = load_pixels(images.take(rows), _SIDE, on_error="missing", column=name)
        for place in np.flatnonzero(present):
            pictures[place].append(Picture(_as_uri(pixels[place]), name))
    return pictures


def _overlay(pixels, heat):
    """Blend a heat map (h, w) in [0, 1] over an image, the warmer the less transparent."""
    import matplotlib

    warm = matplotlib.colormaps["turbo"](heat)[..., :3] * 255
    opacity = 0.15 + 0.4 * heat[..., None]
    return (pixels * (1 - opacity) + warm * opacity).round().astype(np.uint8)


def _as_uri(pixels):
    picture = Image.fromarray(pixels)
    height, width = pixels.shape[:2]
    scale = _SIDE / max(height, width)
    size = max(1, round(width * scale)), max(1, round(height * scale))
    file = io.BytesIO()
    picture.resize(size, Image.Resampling.BICUBIC).save(file, "JPEG", quality=_QUALITY)
    return "data:image/jpeg;base64," + base64.b64encode(file.getvalue()).decode("ascii")


def relevance_section(evaluation, estimators, random_state):
    """Return the section on the relevance of the metadata features.

    Networks are explained by integrated gradients, other models by permutation.

    Parameters
    ----------
    evaluation : Evaluation
        The predictions.
    estimators : dict of str to estimator
        The models.
    random_state : int, RandomState instance or None
        Decides the permutations and which rows are explained.
    """
    seed = _seed(random_state)
    cases, blocks = evaluation.cases, []
    for name, estimator in estimators.items():
        blocks.append(Heading(name))
        if find_network(estimator) is None:
            blocks += _permutation(cases, estimator, seed)
        else:
            blocks += per_task(cases, lambda task, e=estimator: _gradients(cases, e, task, seed))
    return Section("relevance", "Feature relevance", blocks)


def _sample(n_rows, size, seed):
    if n_rows <= size:
        return np.arange(n_rows)
    return np.sort(np.random.default_rng(seed).choice(n_rows, size, replace=False))


def _gradients(cases, estimator, position, seed):
    from sklearn_skin.inspection import integrated_gradients

    rows = _sample(len(cases), _MAX_EXPLAINED, seed)
    try:
        found = integrated_gradients(estimator, _safe_indexing(cases.X, rows), task=position)
    except (ImportError, ValueError) as error:
        return [Text(f"No relevance: {error}", "note")]
    table = found.raw_class_relevance.T
    table = table.loc[table.mean(axis=1).sort_values(ascending=False, kind="stable").index]
    text = (
        f"Integrated gradients of the predicted class over {len(rows):,} rows: mean size per "
        "feature, as a share of the largest of the class. Completeness error "
        f"{100 * found.completeness_error:.2f} %."
    )
    values = [
        [str(name), *(float(value) for value in row)]
        for name, row in zip(table.index, table.to_numpy())
    ]
    blocks = [Text(text)]
    if table.shape[1] <= _MAX_CLASSES:
        shown = table.head(_MAX_FEATURES)
        blocks.append(Figures([heat_figure(shown, "Relevance of features.", "Predicted class")]))
    columns = ["Feature", *map(str, table.columns)]
    return [*blocks, Table("Relevance per predicted class", columns, values)]


def _permutation(cases, estimator, seed):
    from sklearn.inspection import permutation_importance

    rows = _sample(len(cases), 2 * _MAX_EXPLAINED, seed)
    X = _safe_indexing(cases.X, rows)
    codes = np.stack([task.codes[rows] for task in cases.tasks], axis=1)
    score = partial(_mean_balanced_accuracy, tasks=cases.tasks)
    names = [str(name) for name in getattr(X, "columns", cases.metadata.columns)]
    if not names:
        return [Text("X has no columns to permute.", "note")]
    start = time.perf_counter()
    score(estimator, X, codes)
    seconds = (time.perf_counter() - start) * len(names)
    # A fast model may take no tick of the clock.
    n_repeats = min(_N_REPEATS, int(_MAX_SECONDS / max(seconds, 1e-9)))
    if n_repeats < 1:
        return [Text("The model is too slow to permute its features.", "note")]
    found = permutation_importance(
        estimator, X, codes, scoring=score, n_repeats=n_repeats, random_state=seed
    )
    text = (
        f"Loss of balanced accuracy when a column's values are permuted among {len(rows):,} "
        f"rows; mean and standard deviation of {n_repeats}."
    )
    table = pd.DataFrame({"mean": found.importances_mean, "std": found.importances_std}, names)
    return [Text(text), *_importances(table.sort_values("mean", ascending=False, kind="stable"))]


def _importances(table):
    shown, loss = table.head(_MAX_FEATURES), "Loss of balanced accuracy"
    plot = bar_figure(
        list(shown.index), shown["mean"], shown["std"], "Permutation importance.", loss
    )
    rows = [[name, float(row["mean"]), float(row["std"])] for name, row in table.iterrows()]
    columns = ["Feature", loss, "Standard deviation"]
    return [Figures([plot]), Table("Permutation importance", columns, rows)]


def _mean_balanced_accuracy(estimator, X, codes, tasks):
    predicted = np.asarray(estimator.predict(X)).reshape(codes.shape)
    return np.mean([_balanced(*parts) for parts in zip(predicted.T, tasks, codes.T)])


def _balanced(predicted, task, codes):
    right = predicted == task.classes[codes]
    return np.mean([right[codes == code].mean() for code in np.unique(codes[codes >= 0])])
