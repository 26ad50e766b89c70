"""Made-up patients of drawn lesions."""

from dataclasses import dataclass

import numpy as np
import pandas as pd

SITES = ("face", "scalp", "neck", "trunk", "arm", "hand", "leg", "foot")


@dataclass(frozen=True)
class Profile:
    """The patients of one kind of lesion: years, share of women, usual sites, millimetres."""

    age: float
    female: float
    sites: tuple
    diameter: float


PROFILES = (
    Profile(26, 0.70, ("trunk", "leg"), 5.0),
    Profile(74, 0.30, ("face", "scalp"), 8.0),
    Profile(50, 0.60, ("hand", "foot"), 6.5),
    Profile(10, 0.50, ("arm", "neck"), 4.0),
    Profile(88, 0.50, ("neck", "hand"), 11.0),
    Profile(62, 0.20, ("trunk", "foot"), 9.0),
    Profile(38, 0.80, ("face", "arm"), 7.0),
)


def make_patients(rng, profiles):
    """Return a table of patients; of two profiles each patient is half-way between both."""
    rows = []
    for choice in profiles:
        age = np.mean([profile.age for profile in choice]) + rng.normal(scale=8)
        usual = [site for profile in choice for site in profile.sites]
        diameter = np.mean([p.diameter for p in choice]) * np.exp(rng.normal(scale=0.35))
        rows.append(
            {
                "age": float(np.clip(np.round(age), 0, 100)),
                "sex": "female" if rng.uniform() < np.mean([p.female for p in choice]) else "male",
                "site": str(rng.choice(usual if rng.uniform() < 0.8 else SITES)),
                "diameter": round(diameter, 1),
                "skin_tone": rng.beta(1.3, 2.8),
            }
        )
    return pd.DataFrame(rows).astype({"sex": "str", "site": "str"})
