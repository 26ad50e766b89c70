"""Loaders of public skin lesion data sets, and a generator of drawn lesions."""

from sklearn_skin._lazy import attach

__getattr__, __dir__, __all__ = attach(
    __name__,
    {
        "_bunch": ["age_bands"],
        "_derm7pt": ["load_derm7pt"],
        "_ham10000": ["load_ham10000"],
        "_isic_2019": ["load_isic_2019"],
        "_make_lesions": ["make_lesions"],
        "_milk10k": ["load_milk10k"],
        "_pad_ufes_20": ["load_pad_ufes_20"],
    },
)
