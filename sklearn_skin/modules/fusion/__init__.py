"""Fusion operators: one feature vector from an image and its metadata.

Every operator is a module with ``forward(image, metadata) -> z`` of shape (n, ``out_features``).
Its attribute ``takes`` says what it wants of the image: ``"vector"``, the pooled vector (n, d);
``"map"`` or ``"tokens"``, the feature map (n, d, h, w) of any size. Its attribute ``metadata``
says whether it reads the ``"encoded"`` metadata feature or the ``"raw"`` metadata. Widths and
numbers of weights at d = 512 and p = 256:

==================== ====== ======= ====== ========
operator             takes  reads   width  weights
==================== ====== ======= ====== ========
``concat``           vector encoded 768    0
``weighted_concat``  vector encoded 768    2
``hadamard``         vector encoded 256    131328
``tensor``           vector encoded 131072 0
``bilinear``         vector encoded 256    33554432
``gated``            vector encoded 256    262656
``self_attention``   tokens raw     768    1114112
``cross_attention``  tokens raw     768    458752
``metablock``        map    raw     512    265216
``metanet``          map    raw     512    49728
``mutual_attention`` tokens raw     512    3421440
``mmfa``             vector encoded 768    989952
==================== ====== ======= ====== ========
"""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_bilinear": ["BilinearFusion"],
        "_concat": ["ConcatFusion"],
        "_cross_attention": ["CrossAttentionFusion"],
        "_gated": ["GatedFusion"],
        "_hadamard": ["HadamardFusion"],
        "_metablock": ["MetaBlockFusion"],
        "_metanet": ["MetaNetFusion"],
        "_mmfa": ["MMFAFusion"],
        "_mutual_attention": ["MutualAttentionFusion"],
        "_registry": ["FUSIONS", "accepts_groups", "fusion_inputs", "make_fusion"],
        "_self_attention": ["SelfAttentionFusion"],
        "_tensor": ["TensorFusion"],
        "_weighted_concat": ["WeightedConcatFusion"],
    },
)
