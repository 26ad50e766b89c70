"""Image transformers: columns get longer chains, arrays get new pixels, and both agree."""

import pickle

import numpy as np
import pandas as pd
import pytest
from numpy.testing import assert_array_equal
from sklearn.base import clone
from sklearn.pipeline import make_pipeline
from sklearn.utils.estimator_checks import check_estimator

from sklearn_skin.image import ImageStep, as_images, load_pixels
from sklearn_skin.preprocessing import CLAHE, CenterCrop, GrayWorld, HairRemoval, ShadesOfGray
from sklearn_skin.preprocessing._image_corrections import IMAGE_TRANSFORMERS
from sklearn_skin.utils import Choice

ALL = sorted(IMAGE_TRANSFORMERS)


def make_pixels(n=3, size=20):
    return np.random.RandomState(0).randint(40, 215, size=(n, size, size, 3)).astype(np.uint8)


def make_frame(n=3):
    pixels = as_images(list(make_pixels(n)))
    return pd.DataFrame({"clinical": pixels, "derm": pixels}, index=[f"r{i}" for i in range(n)])


@pytest.mark.filterwarnings("ignore::sklearn.exceptions.SkipTestWarning")
@pytest.mark.parametrize("name", ALL)
def test_passes_scikit_learns_checks_that_apply(name):
    check_estimator(IMAGE_TRANSFORMERS[name](), on_skip=None)


@pytest.mark.parametrize("name", ALL)
def test_columns_and_arrays_agree(name):
    pixels, transformer = make_pixels(), IMAGE_TRANSFORMERS[name]()
    now = transformer.fit_transform(pixels)
    column = transformer.fit_transform(as_images(list(pixels)))
    later, present = load_pixels(column, now.shape[1:3])
    assert present.all()
    assert_array_equal(later, now)


@pytest.mark.parametrize("name", ALL)
def test_a_frame_keeps_names_rows_and_dtype_and_is_not_changed(name):
    X = make_frame()
    out = IMAGE_TRANSFORMERS[name]().fit(X).transform(X)
    assert list(out.columns) == list(X.columns) and out.index.equals(X.index)
    assert [str(dtype) for dtype in out.dtypes] == ["image", "image"]
    assert [step.name for step in out["derm"].array.steps] == [name]
    assert X["derm"].array.steps == ()
    hash(out["derm"].array.steps)


def test_what_a_search_may_try_reaches_the_chain():
    X, searched = make_frame(), set()
    for name in ALL:
        transformer = IMAGE_TRANSFORMERS[name]()
        for parameter, range_ in transformer.search_ranges().items():
            values = range_.values if isinstance(range_, Choice) else (range_.low, range_.high)
            for value in values:
                out = clone(transformer).set_params(**{parameter: value}).fit_transform(X)
                assert dict(out["derm"].array.steps[0].params)[parameter] == value
                searched.add(f"{name} {parameter}")
    assert searched == {"clahe clip_limit", "shades_of_gray power"}


def test_steps_are_kept_in_order_with_their_parameters():
    X = make_frame()
    out = make_pipeline(ShadesOfGray(power=3), CLAHE(grid=[4, 2])).fit_transform(X)
    assert out["derm"].array.steps == (
        ImageStep("shades_of_gray", (("power", 3),)),
        ImageStep("clahe", (("clip_limit", 2.0), ("grid", (4, 2)))),
    )


def test_numpy_parameters_mean_the_same_step():
    X = make_frame()
    plain, numpy = (
        ShadesOfGray(power=p).fit_transform(X)["derm"].array.steps for p in (4.0, np.float64(4))
    )
    assert repr(plain) == repr(numpy)


def test_a_series_stays_a_series():
    column = make_frame()["derm"]
    out = GrayWorld().fit_transform(column)
    assert isinstance(out, pd.Series) and out.name == "derm" and out.index.equals(column.index)


def test_missing_images_stay_missing():
    X = pd.DataFrame({"image": as_images([make_pixels()[0], None])})
    assert HairRemoval().fit_transform(X)["image"].isna().tolist() == [False, True]


@pytest.mark.parametrize("name", ALL)
def test_names_pandas_output_clone_and_pickle(name):
    X = make_frame()
    transformer = pickle.loads(pickle.dumps(clone(IMAGE_TRANSFORMERS[name]()).fit(X)))
    assert list(transformer.get_feature_names_out()) == ["clinical", "derm"]
    out = transformer.set_output(transform="pandas").transform(X)
    assert [str(dtype) for dtype in out.dtypes] == ["image", "image"]


def test_an_array_is_one_column_whatever_its_size():
    transformer = CenterCrop().fit(make_pixels(size=20))
    assert transformer.transform(make_pixels(size=30)).shape == (3, 30, 30, 3)
    assert transformer.transform(make_pixels()[:0]).shape == (0, 20, 20, 3)
    assert list(transformer.get_feature_names_out()) == ["x0"]


def test_wrong_columns_and_arrays_are_named():
    X = make_frame().assign(derm="a.jpg")
    with pytest.raises(TypeError, match="column 'derm' must have dtype image; got str.*as_images"):
        GrayWorld().fit(X)
    with pytest.raises(ValueError, match="must be uint8 in 0..255; got float64"):
        GrayWorld().fit(np.zeros((2, 4, 4, 3)))
    with pytest.raises(ValueError, match=r"got ndarray of shape \(4, 3\)"):
        GrayWorld().fit(np.zeros((4, 3), dtype=np.uint8))
    transformer = GrayWorld().fit(make_frame())
    with pytest.raises(ValueError, match="feature names"):
        transformer.transform(make_frame()[["derm"]])


@pytest.mark.parametrize(
    "transformer, message",
    [
        (ShadesOfGray(power=0.5), "'power' parameter of ShadesOfGray must be a float in the range"),
        (CLAHE(clip_limit=0), "'clip_limit' parameter of CLAHE"),
        (CenterCrop(size=1.5), "'size' parameter of CenterCrop"),
        (HairRemoval(width=2), "'width' parameter of HairRemoval"),
    ],
)
def test_wrong_parameters_are_named(transformer, message):
    with pytest.raises(ValueError, match=message):
        transformer.fit(make_frame())
