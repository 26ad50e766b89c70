"""Fusion operators: one feature vector from an image and its metadata.

Every operator is a `FusionOperator`: a module with ``forward(image, metadata) -> z`` of shape
(n, ``out_features``), which declares what it takes of the image and of the metadata.
"""

from sklearn_skin._lazy import attach

# Name of `fusion` -> file and class: the one list of the operators. They are named by strings
# because importing this package must not import torch.
OPERATORS = {
    "concat": ("_concat", "ConcatFusion"),
    "weighted_concat": ("_weighted_concat", "WeightedConcatFusion"),
    "hadamard": ("_hadamard", "HadamardFusion"),
    "tensor": ("_tensor", "TensorFusion"),
    "bilinear": ("_bilinear", "BilinearFusion"),
    "gated": ("_gated", "GatedFusion"),
    "self_attention": ("_self_attention", "SelfAttentionFusion"),
    "cross_attention": ("_cross_attention", "CrossAttentionFusion"),
    "metablock": ("_metablock", "MetaBlockFusion"),
    "metanet": ("_metanet", "MetaNetFusion"),
    "mutual_attention": ("_mutual_attention", "MutualAttentionFusion"),
    "mmfa": ("_mmfa", "MMFAFusion"),
}

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_operator": ["FusionOperator"],
        "_registry": ["FUSIONS", "make_fusion"],
        **{module: [operator] for module, operator in OPERATORS.values()},
    },
)
