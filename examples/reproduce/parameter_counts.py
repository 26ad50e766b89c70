"""
Parameter counts of the networks of S4, S5 and S6, beside those that their sources print.

``python examples/reproduce/parameter_counts.py`` makes every network without numbers, for the tasks
of the seven-point checklist, and prints a table in millions.
"""

import argparse
import copy
from functools import cache

import torch
from torch import nn

from sklearn_skin.modules import AsymmetricFusionNet, FusionNet, SharedFusionNet, StagedEncoder
from sklearn_skin.modules.heads import fusion_head

# DIAG, BWV, STR, PIG, RS, DAG, PN, VS of the seven-point checklist data.
N_CLASSES = [5, 2, 3, 3, 2, 3, 3, 3]

SWIN, MOBILE = "swinv2_tiny_window8_256", "mobilenetv3_small_100"
RESNET, CONVNEXT = "resnet50", "convnext_tiny"


@cache
def original(name):
    """Make an encoder without numbers."""
    with torch.device("meta"):
        return StagedEncoder(name)


def make_encoder(name):
    """Copy the one encoder of this name: a Swin takes a while to make, even without numbers."""
    return copy.deepcopy(original(name))


def single(name):
    """Return one image's encoder with its head."""
    encoder = make_encoder(name)
    return nn.Sequential(encoder, fusion_head(encoder.out_features, N_CLASSES))


def pair(clinical, dermoscopy, attention="none"):
    """Return AMMFM's network of two encoders."""
    encoders = make_encoder(clinical), make_encoder(dermoscopy)
    return AsymmetricFusionNet(*encoders, N_CLASSES, attention=attention)


def shared(attention="none", share_heads=False):
    """Return PEMM's network of one Swin."""
    encoders = [make_encoder(SWIN)]
    return SharedFusionNet(encoders, N_CLASSES, attention=attention, share_heads=share_heads)


def fusionnet():
    """Return the first stage of FusionM4Net."""
    return FusionNet(make_encoder(RESNET), make_encoder(RESNET), N_CLASSES)


PUBLISHED = {
    "Swin single": (28.82, lambda: single(SWIN)),
    "MobileNet single": (2.91, lambda: single(MOBILE)),
    "two Swin": (58.49, lambda: pair(SWIN, SWIN)),
    "two MobileNet": (6.48, lambda: pair(MOBILE, MOBILE)),
    "MobileNet clinical, Swin dermoscopy": (32.48, lambda: pair(MOBILE, SWIN)),
    "BAB, symmetric": (60.45, lambda: pair(SWIN, SWIN, "bab")),
    "BAB, asymmetric": (33.88, lambda: pair(MOBILE, SWIN, "bab")),
    "AAB, MobileNet + Swin": (33.06, lambda: pair(MOBILE, SWIN, "aab")),
    "AAB, Swin + MobileNet": (32.62, lambda: pair(SWIN, MOBILE, "aab")),
    "AAB, MobileNet + ResNet-50": (36.36, lambda: pair(MOBILE, RESNET, "aab")),
    "AAB, MobileNet + ConvNeXt": (33.29, lambda: pair(MOBILE, CONVNEXT, "aab")),
    "AAB, symmetric": (59.09, lambda: pair(SWIN, SWIN, "aab")),
    "shared Swin": (30.14, lambda: shared()),
    "shared Swin, shared cross-attention": (31.12, lambda: shared("shared")),
    "shared Swin, cross-attention": (32.10, lambda: shared("cross")),
    "shared Swin, SCA, shared heads": (30.65, lambda: shared("shared", share_heads=True)),
    "ResNet-50 single": (26.68, lambda: single(RESNET)),
    "two ResNet-50": (55.52, lambda: pair(RESNET, RESNET)),
    "ConvNeXt single": (29.05, lambda: single(CONVNEXT)),
    "two ConvNeXt": (58.96, lambda: pair(CONVNEXT, CONVNEXT)),
    "FusionM4Net, first stage": (54.45, fusionnet),
}

# torchvision's Swin V2 (tiny) has biases of the keys that timm's does not have: 96 in each of 2
# blocks, 192 in 2, 384 in 6 and 768 in 2. With them the printed digits come out exactly.
KEY_BIASES = 4416

# Counts that fit less exactly: FusionM4Net's is printed once, in a comparison of estimates, and
# AAB's between two Swins is 0.015 above ours, while its four other counts are exact.
TOLERANCES = {"FusionM4Net, first stage": 0.03, "AAB, symmetric": 0.02}


def millions(module):
    """Return the number of a module's parameters."""
    return sum(parameter.numel() for parameter in module.parameters()) / 1e6


def count_swins(module):
    """Return how many Swins lie in a module."""
    return sum(getattr(part, "family", "") == "SwinTransformerV2" for part in module.modules())


def count(model):
    """Return a model's parameters, and with the biases that torchvision's Swin has."""
    with torch.device("meta"):
        network = PUBLISHED[model][1]()
    ours = millions(network)
    return ours, ours + count_swins(network) * KEY_BIASES / 1e6


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--smallest", action="store_true", help="one network alone")
    names = ["MobileNet single"] if parser.parse_args().smallest else PUBLISHED
    print("| network | published | here | with torchvision's key biases |")
    print("| --- | --: | --: | --: |")
    for name in names:
        ours, exact = count(name)
        print(f"| {name} | {PUBLISHED[name][0]:.2f} | {ours:.3f} | {exact:.3f} |")


if __name__ == "__main__":
    main()
