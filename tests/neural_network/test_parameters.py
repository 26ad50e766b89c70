"""What parameters a network has, and who they belong to."""

import inspect
import re

import pytest
from sklearn.base import clone

from sklearn_skin.neural_network import (
    BaseImageNetwork,
    BaseNetwork,
    JointFusionClassifier,
    LesionNetClassifier,
    MetadataClassifier,
)


class Mine(JointFusionClassifier):
    """A network of a user's own, with one more parameter.

    Parameters
    ----------
    gamma : int, default=1
        Its own.
    %(common)s
    """

    def __init__(self, *, gamma=1, **common):
        super().__init__(**common)
        self.gamma = gamma


def test_a_subclass_keeps_the_parameters_of_its_parent():
    copy = clone(Mine(fusion="hadamard", lr=0.5, gamma=3))
    assert (copy.fusion, copy.lr, copy.gamma) == ("hadamard", 0.5, 3)
    names = list(inspect.signature(Mine).parameters)
    assert names == ["gamma", *inspect.signature(JointFusionClassifier).parameters]
    assert len(_described(Mine)) == len(names) and _described(Mine)[:2] == ["gamma", "fusion"]


class Noting:
    """A mixin that hands everything else on."""

    def __init__(self, *, note="", **others):
        super().__init__(**others)
        self.note = note


class Noted(Noting, JointFusionClassifier):
    """A network with a mixin before it."""

    def __init__(self, *, gamma=1, **common):
        super().__init__(**common)
        self.gamma = gamma


def test_a_mixin_s_keywords_go_on_to_the_network():
    copy = clone(Noted(fusion="gated", lr=0.5, note="pilot", gamma=2))
    assert (copy.fusion, copy.lr, copy.note, copy.gamma) == ("gated", 0.5, "pilot", 2)


def test_a_parameter_of_one_s_own_reaches_the_recipe_under_its_name(X, y, make_net):
    class Watched(Mine):
        def make_module(self, shapes, recipe):
            seen.append(recipe.gamma)
            return super().make_module(shapes, recipe)

    seen = []
    make_net(Watched, gamma=7, loss="focal", max_epochs=1).fit(X, y)
    assert seen == [7]


def test_a_network_without_images_has_no_parameters_about_them():
    about_images = set(BaseImageNetwork().get_params()) - set(BaseNetwork().get_params())
    assert {"backbone", "weights", "image_size", "tta", "augment"} <= about_images
    assert not about_images & set(MetadataClassifier().get_params())
    with pytest.raises(TypeError, match="MetadataClassifier has no parameter 'backbone'"):
        MetadataClassifier(backbone="nonsense")


@pytest.mark.parametrize(
    ("cls", "wrong", "hint"),
    [
        (JointFusionClassifier, "epochs", "max_epochs"),
        (Mine, "gama", "gamma"),
        (MetadataClassifier, "learning_rate", "lr"),
        (MetadataClassifier, "second_stage", None),
    ],
)
def test_an_unknown_parameter_names_the_class_and_the_nearest_one(cls, wrong, hint):
    message = f"^{cls.__name__} has no parameter '{wrong}'"
    with pytest.raises(TypeError, match=message) as error:
        cls(**{wrong: 1})
    ending = "." if hint is None else f"; did you mean '{hint}'?"
    assert str(error.value).endswith(ending)
    with pytest.raises(ValueError, match=f"^Invalid parameter '{wrong}' .*{cls.__name__}") as error:
        cls().set_params(**{wrong: 1})
    assert str(error.value).endswith(ending)


def test_a_network_with_its_own_backbone_takes_no_other(X, y):
    with pytest.raises(ValueError, match="'backbone' parameter of LesionNetClassifier"):
        LesionNetClassifier(backbone="resnet18").fit(X, y)


@pytest.mark.parametrize(
    "cls", [JointFusionClassifier, MetadataClassifier, LesionNetClassifier, Mine]
)
def test_every_parameter_is_described_once(cls):
    assert sorted(_described(cls)) == sorted(cls().get_params())


def _described(cls):
    """Return the names of the entries of a class's section of parameters."""
    section = cls.__doc__.split("----------\n")[1]
    lines = re.findall(r"^    (\w[\w, ]*) :", section, flags=re.MULTILINE)
    return [name for line in lines for name in line.split(", ")]


@pytest.mark.parametrize(
    ("averaging", "message"),
    [
        ("mean", "'averaging' parameter"),
        ({"name": "swa", "decay": 0.5}, r"takes \['epochs'\] with the name 'swa'"),
        ({"name": "swa", "epochs": 0}, "at least 1 of the last epochs"),
        ({"name": "swa", "epochs": "5"}, "at least 1 of the last epochs"),
        ({"name": "ema", "decay": 1.0}, r"a decay in \(0, 1\)"),
    ],
)
def test_an_average_is_given_by_name_and_options(X, y, averaging, message):
    with pytest.raises(ValueError, match=message):
        MetadataClassifier(averaging=averaging).fit(X, y)
