"""What all networks of images share: backbones, sizes, augmentation, views, missing images."""

from sklearn_skin.modules import MetadataNet, make_backbone
from sklearn_skin.neural_network._base import BaseNetwork
from sklearn_skin.neural_network._parameters import ImageParameters
from sklearn_skin.neural_network._table import check_images, find_image_columns
from sklearn_skin.utils import Choice

# A backbone and neighbours of its family, which a search may try in its place.
_FAMILIES = (
    ("test_resnet", "resnet10t", "resnet18"),
    ("resnet10t", "resnet18", "resnet34"),
    ("resnet18", "resnet34", "resnet50"),
    ("resnet34", "resnet50", "resnet101"),
    ("mobilenetv3_small_050", "mobilenetv3_small_075", "mobilenetv3_small_100"),
    ("mobilenetv3_small_100", "mobilenetv3_large_100"),
    ("mobilenetv2_100", "mobilenetv2_140"),
    ("efficientnet_b0", "efficientnet_b1", "efficientnet_b2"),
    ("efficientnet_b4", "efficientnet_b3"),
    ("densenet121", "densenet169"),
    ("vgg13", "vgg16"),
    ("swin_tiny_patch4_window7_224", "swin_small_patch4_window7_224"),
    ("convnext_atto", "convnext_femto", "convnext_pico"),
    ("convnext_tiny", "convnext_small"),
)


class BaseImageNetwork(BaseNetwork):
    """Base of the classifiers of images, and of images with metadata.

    A subclass adds its own parameters in ``__init__(self, *, own=…, **common)`` and makes its
    network in `make_module`; `make_loss` and `choose_images` may be its own, too. An array, or
    ``image_columns=[]``, is classified by a perceptron, unless the network can do without images.

    Parameters
    ----------
    %(common)s

    Attributes
    ----------
    uses_metadata : bool
        Whether the network reads metadata beside images. Set it in the class.
    needs_images : bool
        Whether `make_module` is only called where X has images; otherwise a perceptron takes
        its place. Set it in the class.
    %(fitted)s

    Examples
    --------
    >>> from sklearn_skin.datasets import make_lesions
    >>> from sklearn_skin.modules import JointFusionNet
    >>> from sklearn_skin.neural_network import (
    ...     BaseImageNetwork, make_backbones, missing_options
    ... )
    >>> class GatedClassifier(BaseImageNetwork):
    ...     def make_module(self, shapes, recipe):
    ...         return JointFusionNet(
    ...             make_backbones(shapes, recipe), shapes.n_metadata, shapes.n_classes,
    ...             fusion="gated", metadata_groups=shapes.metadata_groups,
    ...             **missing_options(recipe),
    ...         )
    >>> lesions = make_lesions(20, image_size=32, missing_rate=0, random_state=0)
    >>> net = GatedClassifier(backbone="resnet10t", weights=None, image_size=32, max_epochs=1)
    >>> net.fit(lesions.data[["image", "age"]], lesions.target).predict(lesions.data).shape
    (20,)
    """

    uses_metadata = True
    needs_images = True
    _described = [ImageParameters, *BaseNetwork._described]
    _parameter_constraints = ImageParameters.constraints | BaseNetwork._parameter_constraints

    def __init__(
        self,
        *,
        image_columns="auto",
        backbone="resnet18",
        weights="imagenet",
        freeze=None,
        adapt=None,
        image_size=224,
        augment=None,
        frozen_views=None,
        tta=1,
        branch_weights="mean",
        allow_missing_images=False,
        on_error="raise",
        modality_dropout=0.0,
        cache_dir="auto",
        **common,
    ):
        super().__init__(**common)
        self.image_columns = image_columns
        self.backbone = backbone
        self.weights = weights
        self.freeze = freeze
        self.adapt = adapt
        self.image_size = image_size
        self.augment = augment
        self.frozen_views = frozen_views
        self.tta = tta
        self.branch_weights = branch_weights
        self.allow_missing_images = allow_missing_images
        self.on_error = on_error
        self.modality_dropout = modality_dropout
        self.cache_dir = cache_dir

    def choose_images(self, images):
        """Choose and order the image columns that the network takes.

        Parameters
        ----------
        images : list of str
            Image columns of X, or those that `image_columns` names; at least one.

        Returns
        -------
        images : list of str
            Those to read, in the network's order.
        """
        return images

    def search_ranges(self):
        """Return sensible ranges for parameters; see `sklearn_skin.model_selection.search_space`.

        Returns
        -------
        ranges : dict of str to Range or Choice
            By parameter; only what stays valid whatever the other parameters are.
        """
        ranges = super().search_ranges()
        if self.freeze is None:
            # Augmented images of a frozen backbone would have to be embedded every epoch.
            ranges["augment"] = Choice((None, "flips", "geometric", "full"))
        if self.weights in (None, "imagenet"):
            family = next((f for f in _FAMILIES if f[0] == self.backbone), (self.backbone,))
            ranges["backbone"] = Choice(family)
        return ranges

    def _find_images(self, X):
        images = find_image_columns(X, self.image_columns)
        check_images(images, X, self.image_columns, self)
        return images

    def _choose(self, images, metadata):
        if not images:
            return [], metadata
        return self.choose_images(images), metadata if self.uses_metadata else []

    def _makers(self, shapes):
        if shapes.image_columns or not self.needs_images:
            return super()._makers(shapes)
        # A network that cannot do without images leaves the rest to a perceptron.
        return _make_perceptron, super().make_loss


def _make_perceptron(shapes, recipe):
    return MetadataNet(shapes.n_metadata, shapes.n_classes)


def make_backbones(shapes, recipe, shared=False):
    """Make the backbones that a recipe asks for.

    Parameters
    ----------
    shapes, recipe
        What `make_module` is given.
    shared : bool, default=False
        One backbone for all image columns.

    Returns
    -------
    backbones : list of Backbone
        One per image column, or a single one.

    Examples
    --------
    See :class:`BaseImageNetwork`.
    """
    n_images = len(shapes.image_columns)
    return [
        make_backbone(
            recipe.backbone,
            weights=recipe.weights,
            freeze=recipe.freeze,
            image_size=shapes.image_size,
            adapt=recipe.adapt,
        )
        for _ in range(min(n_images, 1) if shared else n_images)
    ]


def missing_options(recipe):
    """Return a network's options about missing images.

    Parameters
    ----------
    recipe
        What `make_module` is given.

    Returns
    -------
    options : dict
        `allow_missing_images` and `modality_dropout`.

    Examples
    --------
    See :class:`BaseImageNetwork`.
    """
    return {
        "allow_missing_images": recipe.allow_missing_images,
        "modality_dropout": recipe.modality_dropout,
    }
