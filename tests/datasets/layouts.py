"""Tiny folders in the layouts that the owners of the data sets publish."""

import numpy as np
import pandas as pd
from PIL import Image

HAM_LABELS = ("nv", "nv", "mel", "bkl", "bcc", "akiec")
PAD_LABELS = ("BCC", "ACK", "NEV", "SEK", "SCC", "MEL")


def write_image(path, value=0):
    path.parent.mkdir(parents=True, exist_ok=True)
    Image.fromarray(np.full((6, 8, 3), value, np.uint8)).save(path)


def write_table(path, table):
    path.parent.mkdir(parents=True, exist_ok=True)
    pd.DataFrame(table).to_csv(path, index=False)


def write_ham10000(root, flat=False):
    ids = [f"ISIC_{i:07d}" for i in range(6)]
    write_table(
        root / "HAM10000_metadata.csv",
        {
            "lesion_id": ["HAM_0", "HAM_0", "HAM_2", "HAM_3", "HAM_4", "HAM_5"],
            "image_id": ids,
            "dx": HAM_LABELS,
            "dx_type": ["follow_up", "histo", "histo", "histo", "histo", "confocal"],
            "age": [80.0, 80.0, 0.0, None, 45.0, 50.0],
            "sex": ["male", "Male ", "unknown", "female", "female", "male"],
            "localization": ["scalp", "scalp", "unknown", "back", "face", "ear"],
        },
    )
    for place, name in enumerate(ids):
        folder = "images" if flat else f"HAM10000_images_part_{1 + place % 2}"
        write_image(root / folder / f"{name}.jpg", 40 * place)
    return root


def write_pad_ufes_20(root, suffix=".png", flat=False):
    n = 6
    empty_where_benign = [True, None, None, None, False, True]
    ids = [f"PAT_{i}_{i + 10}_{i + 100}.png" for i in range(n)]
    truth = ["True", "False", "UNK", "False", "True", "False"]
    history = (
        "smoke",
        "drink",
        "pesticide",
        "skin_cancer_history",
        "cancer_history",
        "has_piped_water",
        "has_sewage_system",
    )
    write_table(
        root / "metadata.csv",
        {
            "patient_id": ["PAT_0", "PAT_0", "PAT_2", "PAT_3", "PAT_4", "PAT_5"],
            "lesion_id": [10, 11, 12, 12, 14, 15],
            **{column: empty_where_benign for column in history},
            "background_father": ["BRASIL", None, None, None, "BRAZIL", "UNK"],
            "background_mother": ["POMERANIA", None, None, None, "GERMANY", "ITALY"],
            "age": [55, 8, 77, 60, 40, 33],
            "gender": ["FEMALE", None, None, None, "MALE", "FEMALE"],
            "fitspatrick": [3.0, None, None, None, 1.0, 6.0],
            "region": ["NECK", "ARM", "FACE", "FACE", "BACK", "EAR"],
            "diameter_1": [6.0, None, None, None, 0.0, 5.0],
            "diameter_2": [5.0, None, None, None, 9.0, 0.0],
            "diagnostic": PAD_LABELS,
            **{
                column: truth
                for column in ("itch", "grew", "hurt", "changed", "bleed", "elevation")
            },
            "img_id": ids,
            "biopsed": [True, False, False, False, True, True],
        },
    )
    for place, name in enumerate(ids):
        folder = root / "images" if flat else root / "images" / f"imgs_part_{1 + place % 3}"
        write_image(folder / name.replace(".png", suffix), 40 * place)
    return root


def write_isic_2019(root):
    classes = ("MEL", "NV", "BCC", "AK", "BKL", "DF", "VASC", "SCC", "UNK")
    ids = ["ISIC_0000000", "ISIC_0000001_downsampled", "ISIC_0000002", "ISIC_0000003"]
    hot = np.eye(9)[[1, 0, 7, 4]]
    write_table(
        root / "ISIC_2019_Training_GroundTruth.csv", {"image": ids, **dict(zip(classes, hot.T))}
    )
    write_table(
        root / "ISIC_2019_Training_Metadata.csv",
        {
            "image": ids[::-1],
            "age_approx": [None, 0.0, 55.0, 30.0],
            "anatom_site_general": ["anterior torso", None, "head/neck", "upper extremity"],
            "lesion_id": ["BCN_3", "BCN_3", None, "HAM_0"],
            "sex": ["male", "female", None, "male"],
        },
    )
    for place, name in enumerate(ids):
        write_image(root / "ISIC_2019_Training_Input" / f"{name}.jpg", 40 * place)
    return root


def write_milk10k(root):
    classes = (
        "AKIEC",
        "BCC",
        "BEN_OTH",
        "BKL",
        "DF",
        "INF",
        "MAL_OTH",
        "MEL",
        "NV",
        "SCCKA",
        "VASC",
    )
    concepts = (
        "ulceration_crust",
        "hair",
        "vasculature_vessels",
        "erythema",
        "pigmented",
        "gel_water_drop_fluid_dermoscopy_liquid",
        "skin_markings_pen_ink_purple_pen",
    )
    lesions = ["IL_0", "IL_1", "IL_2"]
    write_table(
        root / "MILK10k_Training_GroundTruth.csv",
        {"lesion_id": lesions, **dict(zip(classes, np.eye(11)[[7, 8, 1]].T))},
    )
    rows, supplement = [], []
    for place, lesion in enumerate(lesions):
        for half, kind in enumerate(("clinical: close-up", "dermoscopic")):
            name = f"ISIC_{place}{half}"
            rows.append(
                {
                    "lesion_id": lesion,
                    "image_type": kind,
                    "isic_id": name,
                    "attribution": "MILK study team",
                    "copyright_license": "CC-BY-NC",
                    "image_manipulation": "altered",
                    "age_approx": [70, None, 35][place],
                    "sex": "male",
                    "skin_tone_class": [0, 3, 5][place],
                    "site": ["trunk", None, "hand"][place],
                    **{f"MONET_{c}": [0.1, 0.5, 0.9][(place + half) % 3] for c in concepts},
                }
            )
            supplement.append(
                {
                    "isic_id": name,
                    "diagnosis_full": f"full {place}",
                    "diagnosis_confirm_type": "histopathology",
                    "invasion_thickness_interval": "<0.8" if place == 0 else None,
                }
            )
            write_image(root / "MILK10k_Training_Input" / lesion / f"{name}.jpg", 40 * place + half)
    write_table(root / "MILK10k_Training_Metadata.csv", rows[::-1])
    write_table(root / "MILK10k_Training_Supplement.csv", supplement)
    return root


def write_derm7pt(root):
    diagnoses = [
        "blue nevus",
        "melanoma (in situ)",
        "basal cell carcinoma",
        "lentigo",
        "seborrheic keratosis",
        "reed or spitz nevus",
    ]
    clinic = [
        "NEL/NEL025.JPG",
        "Aal/Aal002.jpg",
        "Fbl/Fbl003.jpg",
        "Fbl/FBL003.jpg",
        "Gal/Gal005.jpg",
        "Gal/Gal007.jpg",
    ]
    derm = [
        "NEL/Nel026.jpg",
        "Aal/Aal003.jpg",
        "Fbl/Fbl004.jpg",
        "Fbl/Fbl005.jpg",
        "Gal/Gal005.JPG",
        "Gal/Gal008.jpg",
    ]
    write_table(
        root / "meta" / "meta.csv",
        {
            "case_num": range(1, 7),
            "diagnosis": diagnoses,
            "seven_point_score": [0, 6, 1, 2, 0, 3],
            "pigment_network": ["absent", "atypical", "typical", "absent", "absent", "typical"],
            "streaks": ["absent", "irregular", "regular", "absent", "absent", "regular"],
            "pigmentation": [
                "absent",
                "diffuse irregular",
                "localized regular",
                "diffuse regular",
                "absent",
                "localized irregular",
            ],
            "regression_structures": [
                "absent",
                "blue areas",
                "white areas",
                "combinations",
                "absent",
                "absent",
            ],
            "dots_and_globules": ["regular", "irregular", "absent", "absent", "regular", "absent"],
            "blue_whitish_veil": ["present", "present", "absent", "absent", "absent", "absent"],
            "vascular_structures": [
                "absent",
                "dotted",
                "arborizing",
                "within regression",
                "linear irregular",
                "comma",
            ],
            "level_of_diagnostic_difficulty": ["medium", "high", "low", "low", "low", "high"],
            "elevation": ["palpable", "flat", "nodular", "flat", "palpable", "palpable"],
            "location": ["abdomen", "back", "head neck", "acral", "back", "chest"],
            "sex": ["female", "male", "male", "female", "female", "male"],
            "management": [
                "no further examination",
                "excision",
                "excision",
                "clinical follow up",
                "no further examination",
                "excision",
            ],
            "clinic": clinic,
            "derm": derm,
            "case_id": [None] * 6,
            "notes": [None] * 6,
        },
    )
    for name, places in {"train": [0, 5, 2], "valid": [1], "test": [3, 4]}.items():
        write_table(root / "meta" / f"{name}_indexes.csv", {"indexes": places})
    # Where the table repeats a name in another case, the published folder holds one file.
    for place, name in enumerate({name.lower(): name for name in clinic + derm}.values()):
        write_image(root / "images" / name.replace(".JPG", ".jpg"), 10 * place)
    return root
