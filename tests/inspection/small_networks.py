"""Small networks, in a module of their own: pickle must find their classes by name."""

from torch import nn

from sklearn_skin.modules import Backbone, JointFusionNet
from sklearn_skin.neural_network import BaseImageNetwork


class SmallBody(nn.Sequential):
    """A CNN whose map has a quarter of the image's size."""

    def __init__(self):
        super().__init__(
            nn.Conv2d(3, 8, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(8, 16, 3, 2, 1),
            nn.ReLU(),
            nn.Conv2d(16, 16, 3, 1, 1),
            nn.ReLU(),
        )

    def pool(self, maps):
        return maps.mean(dim=(2, 3))


def small_backbone():
    body = SmallBody()
    names = [[name for name, _ in body.named_parameters()]]
    return Backbone(body, 16, 16, ((0.5,) * 3, (0.25,) * 3), names)


class SmallClassifier(BaseImageNetwork):
    """A joint network over small CNNs."""

    needs_images = False

    def make_module(self, shapes, recipe):
        backbones = [small_backbone() for _ in shapes.image_columns]
        return JointFusionNet(backbones, shapes.n_metadata, shapes.n_classes)


class OwnClassifier(BaseImageNetwork):
    """A classifier around a module given by a function of the shapes."""

    needs_images = False

    def __init__(self, *, make=None, **common):
        super().__init__(**common)
        self.make = make

    _parameter_constraints = BaseImageNetwork._parameter_constraints | {"make": [callable]}

    def make_module(self, shapes, recipe):
        return self.make(shapes)
