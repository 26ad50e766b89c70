"""What is worth trying for the parameters that networks share."""

from sklearn_skin.modules.fusion import FUSIONS
from sklearn_skin.utils import Choice, Range

# A backbone and the next wider ones of its family.
_WIDTHS = (
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


def network_ranges(net):
    """Return the ranges of the common parameters, valid for `net` as it is set."""
    own = net.get_params(deep=False)
    schedule = own["lr_schedule"] if isinstance(own["lr_schedule"], dict) else "cosine"
    ranges = {
        "lr": Range(1e-5, 1e-2, log=True),
        "batch_size": Choice((16, 32, 64)),
        "lr_schedule": Choice((None, schedule)),
        "loss": Choice(("cross_entropy", "focal")),
        "dropout": Range(0.0, 0.5),
        "image_dropout": Range(0.0, 0.5),
        "fusion": Choice(tuple(sorted(FUSIONS))),
    }
    # Both correct the imbalance, and the networks refuse them together.
    if own["sampler"] is None:
        ranges["class_weight"] = Choice((None, "balanced"))
    if net._uses_images:
        ranges |= _image_ranges(own)
    return {name: values for name, values in ranges.items() if name in own}


def _image_ranges(own):
    ranges = {}
    if own["freeze"] is None:
        ranges["augment"] = Choice((None, "flips", "geometric", "full"))
    # A file of weights belongs to one backbone.
    if own["weights"] in (None, "imagenet"):
        widths = next((w for w in _WIDTHS if w[0] == own["backbone"]), (own["backbone"],))
        ranges["backbone"] = Choice(widths)
    return ranges
