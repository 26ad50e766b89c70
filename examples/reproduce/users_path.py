"""
What a user of scikit-learn types, and what comes back: mistakes and conveniences.

``python examples/reproduce/users_path.py`` runs everything below in a fresh process and a folder of
its own, as it would be typed: it prints each line with its results, warnings and errors, and at
the end how many are as they should be (a minute). ``--smallest`` runs the second topic.
"""

import argparse
import contextlib
import io
import os
import re
import subprocess
import sys
import tempfile
import textwrap
import warnings
from itertools import islice

from sklearn.exceptions import ConvergenceWarning

SETUP = """\
import joblib, numpy as np, pandas as pd
from sklearn import config_context
from sklearn.linear_model import LogisticRegression
from sklearn.model_selection import StratifiedGroupKFold, cross_val_score, cross_validate
from sklearn.multioutput import ClassifierChain
from sklearn.pipeline import make_pipeline
from sklearn.preprocessing import StandardScaler
from sklearn_skin.datasets import make_lesions
from sklearn_skin.ensemble import FusionM4NetClassifier, WeightedFusionClassifier
from sklearn_skin.metrics import SCORERS
from sklearn_skin.model_selection import (
    MultiTaskStratifiedGroupKFold, StudyObjective, make_study, run_study)
from sklearn_skin.neural_network import ImageClassifier, JointFusionClassifier
from sklearn_skin.presets import make_preset
from sklearn_skin.preprocessing import make_lesion_transformer

small = dict(backbone="test_resnet", weights=None, image_size=32, max_epochs=1, random_state=0)
lesions = make_lesions(48, image_size=32, images_per_lesion=2, folder="photos", random_state=0)
X, y, patient = lesions.data, lesions.target, lesions.groups
numbers = X[["age", "diameter"]].fillna(50)
pair = [("a", LogisticRegression()), ("b", LogisticRegression(C=0.1))]
model = make_pipeline(make_lesion_transformer(), JointFusionClassifier(**small))
"""

# What is tried: the lines, and a regular expression for what they print, warn of or raise.
LINES = {
    "A model in a new process": [
        (
            """
            model.fit(X, y)
            joblib.dump(model, "model.joblib")
            table = pd.read_csv("photos/metadata.csv", index_col="image_id")
            table.drop(columns=["diagnosis", "lesion_id"]).to_csv("new.csv")
            fresh = '''
            import joblib, pandas as pd
            from sklearn_skin.image import as_images
            X = pd.read_csv("new.csv", index_col=0)
            X["image"] = as_images(X["image"], root="photos")
            print(joblib.load("model.joblib").predict_proba(X.head(2)).shape)
            '''
            run(fresh)
            """,
            r"^\(2, 3\)$",
        ),
        (
            """
            found = cross_validate(model, X, y, cv=2, n_jobs=2, return_estimator=True)
            print(len(found["estimator"]))
            """,
            "^2$",
        ),
        (
            """
            network = JointFusionClassifier(**small)
            stages = FusionM4NetClassifier(network, cv=2, n_jobs=2, random_state=0)
            print(make_pipeline(make_lesion_transformer(), stages).fit(X, y).predict(X).shape)
            """,
            r"^\(48,\)$",
        ),
    ],
    "Networks without images": [
        (
            "model.fit(numbers, y)",
            "ValueError: JointFusionClassifier finds no image",
        ),
        (
            "model.fit(numbers.assign(file=[f'{i}.jpg' for i in range(48)]), y)",
            "ValueError: column 'file' holds names of image files.*image_columns.*drop",
        ),
        (
            "model.fit(pd.concat([X['image'], X['image'].astype(str).rename('file')], axis=1), y)",
            "ValueError: column 'file' holds names of image files.*image_columns.*drop",
        ),
        (
            "model.fit(X.assign(patient=[f'PAT_{i}' for i in range(48)]), y)",
            "ValueError: column 'patient' holds 48 different texts.*group_column.*drop",
        ),
        (
            """
            transformer = make_lesion_transformer(drop="patient")
            print(list(transformer.fit_transform(X.assign(patient=range(48))))[:3])
            """,
            r"^\['image', 'age', 'diameter'\]$",
        ),
    ],
    "Numbers that name patients": [
        (
            "model.fit(X.assign(patient_id=np.arange(1000, 1048)), y)",
            "ValueError: column 'patient_id' holds 48 different numbers in 48 rows, such as 1000,.*"
            r"`group_column` of make_lesion_transformer\(\) and of the network, or in `drop`",
        ),
        (
            "model.fit(X.assign(**{'Patient ID': [np.nan, *range(1001, 1048)]}), y)",
            "ValueError: column 'Patient ID' holds 47 different numbers",
        ),
        (
            "model.fit(X.assign(accession_number=[str(1000 + i) for i in range(48)]), y)",
            "ValueError: column 'accession_number' holds 48 different numbers.* such as '1000'",
        ),
        (
            """
            named = X.assign(patient_id=np.arange(48) // 2 + 1000)
            prep = make_lesion_transformer(group_column="patient_id")
            make_pipeline(prep, JointFusionClassifier(**small)).fit(named, y)
            """,
            "ValueError: column 'patient_id' holds groups.*`group_column` of JointFusionClassifier",
        ),
        (
            """
            images_left_out = prep.set_params(image="drop")
            make_pipeline(images_left_out, LogisticRegression()).fit(named, y)
            """,
            "ValueError: could not convert string to float: .*group of 'patient_id': 1000",
        ),
        (
            """
            prep = make_lesion_transformer(group_column="patient_id")
            network = JointFusionClassifier(group_column="patient_id", **small)
            grouped = make_pipeline(prep, network).fit(named, y)
            print(abs(grouped.predict_proba(named) - grouped.predict_proba(X)).max() < 1e-6)
            """,
            "^True$",
        ),
        (
            """
            clinics = [f"clinic {i % 24}" for i in range(144)]
            thrice = pd.concat([numbers] * 3).assign(clinic=clinics)
            line = make_pipeline(make_lesion_transformer(), LogisticRegression())
            print(cross_val_score(line, thrice, np.tile(y, 3), cv=2, error_score="raise").shape)
            """,
            r"^\(2,\)\sUserWarning: column 'clinic' has 24 categories in 72 rows.*dtype category",
        ),
    ],
    "Meta-estimators with routing": [
        (
            """
            scaled = make_pipeline(StandardScaler(), LogisticRegression())
            with config_context(enable_metadata_routing=True):
                print(WeightedFusionClassifier([("a", scaled)], cv=2).fit(numbers, y).weights_)
            """,
            r"^\[1\.\]$",
        ),
        (
            """
            with config_context(enable_metadata_routing=True):
                print(FusionM4NetClassifier(scaled, "svm", cv=2).fit(numbers, y).stage_weights_)
            """,
            "^{'P1': .*, 'P2': .*}$",
        ),
    ],
    "Presets": [
        (
            """
            preset = make_preset(
                "jif-mmfa", group_column="lesion_id", image_steps="gray_world",
                imputation="mean", **small)
            preset.fit(X.assign(lesion_id=patient), y)
            print(preset[-1].group_column, preset[-1].n_features_in_)
            """,
            r"^lesion_id \d+$",
        ),
        (
            """
            print(make_preset("fusionm4net", second_stage=LogisticRegression())[-1].second_stage)
            """,
            r"^LogisticRegression\(\)$",
        ),
        ("print(type(make_preset('S3')[-1]).__name__)", "^JointIndividualFusionClassifier$"),
        ("make_preset('jif_mfa')", "ValueError: .*'jif-mmfa'"),
        ("make_preset('jif-mmfa', epochs=3)", "max_epochs"),
    ],
    "Studies": [
        (
            """
            study = make_study("rates")
            objective = StudyObjective(model, X, y, cv=2, scoring="balanced_acuracy")
            """,
            "ValueError: .*scoring.*balanced_acuracy",
        ),
        (
            """
            space = {"jointfusionclassifier__lrate": [0.1, 0.01]}
            objective = StudyObjective(model, X, y, cv=2, space=space)
            """,
            "ValueError: .*jointfusionclassifier__lrate",
        ),
        (
            """
            choice = {"logisticregression": [LogisticRegression(), LogisticRegression(C=0.1)]}
            line = make_pipeline(StandardScaler(), LogisticRegression())
            objective = StudyObjective(line, numbers, y, cv=2, space=choice)
            run_study(study, objective, n_trials=3)
            print(len(study.trials), objective.params_of(study.best_trial))
            """,
            r"^3 {'logisticregression': LogisticRegression\(.*\)}$",
        ),
        (
            """
            def depends(trial):
                C = trial.suggest_float("C", 0.1, 10)
                return {"logisticregression__C": C}

            study = make_study("conditional")
            objective = StudyObjective(line, numbers, y, cv=2, space=depends)
            run_study(study, objective, n_trials=2)
            print(study.best_params.keys())
            """,
            "'C'",
        ),
        (
            """
            study = make_study("fails")
            run_study(study, lambda trial: 1 / 0, n_trials=3, max_failures=2)
            """,
            "RuntimeError: .*ZeroDivisionError",
        ),
        (
            """
            corrected = StudyObjective(
                line, numbers, y, cv=2, space={"logisticregression__C": [0.1, 1]})
            run_study(make_study("fails"), corrected, n_trials=3, max_failures=2)
            print([trial.state.name for trial in make_study("fails").trials])
            """,
            r"^\['FAIL', 'FAIL', 'COMPLETE', 'COMPLETE', 'COMPLETE'\]$",
        ),
    ],
    "Second stages that need codes": [
        (
            """
            from xgboost import XGBClassifier
            stages = FusionM4NetClassifier(pair, XGBClassifier(n_estimators=2), cv=2)
            print(stages.fit(numbers, y).predict(numbers)[:1])
            """,
            "^\\['[ABC]'\\]$",
        ),
    ],
    "Second stages of several tasks": [
        (
            """
            both = np.column_stack([y == "A", numbers["age"] > 50])
            stages = FusionM4NetClassifier(pair, ClassifierChain(LogisticRegression()), cv=2)
            print(stages.fit(numbers, both).predict(numbers).shape)
            """,
            r"^\(48, 2\)$",
        ),
    ],
    "What a column holds": [
        (
            """
            ages = X.assign(age=[str(a) for a in X["age"].head(46)] + ["unknown", "?"])
            print(list(make_lesion_transformer().fit_transform(ages))[:2])
            """,
            r"(?s)\['image', 'age'\].*columns of texts are read as numbers: 'age', with gaps for "
            r"'unknown' \(1 times\), '\?'",
        ),
        (
            "make_lesion_transformer().fit(X.assign(day=['2024-01-31'] * 48))",
            "TypeError: column 'day' holds dates",
        ),
        (
            "make_lesion_transformer().fit(X.assign(tags=[['a']] * 48))",
            "TypeError: column 'tags' holds a list",
        ),
    ],
    "Files that cannot be read": [
        (
            """
            from pathlib import Path
            broken = sorted(Path("photos").glob("*.jpg"))[0]
            intact = broken.read_bytes()
            _ = broken.write_bytes(intact[:50])
            model.fit(X, y)
            """,
            "ImageDecodeError: .*on_error=.missing.",
        ),
        (
            """
            tolerant = JointFusionClassifier(
                on_error="missing", allow_missing_images=True, **small)
            print(make_pipeline(make_lesion_transformer(), tolerant).fit(X, y).predict(X).shape)
            """,
            r"^\(48,\)\s",
        ),
        ("_ = broken.write_bytes(intact)", "^$"),
    ],
    "Missing labels": [
        (
            """
            gaps = y.astype(object).where(np.arange(48) % 6 > 0, np.nan)
            print(model.fit(X, gaps).classes_)
            """,
            r"^\['A' 'B' 'C'\]$",
        ),
        (
            """
            tasks = np.column_stack([gaps, np.where(X["age"] > 50, "old", "young")])
            folds = MultiTaskStratifiedGroupKFold(2)
            print(cross_validate(model, X, tasks, cv=folds, groups=patient)["test_score"].shape)
            """,
            r"^\(2,\)\s",
        ),
        (
            """
            first = SCORERS["mean_task_auc"]
            print(cross_val_score(model, X, tasks, cv=folds, groups=patient, scoring=first).shape)
            """,
            r"^\(2,\)\s",
        ),
        (
            # Only scikit-learn's scorers have names there.
            "cross_val_score(model, X, y, cv=2, scoring='mean_task_auc')",
            "InvalidParameterError: The 'scoring' parameter of cross_val_score must be a str among",
        ),
        (
            """
            objective = StudyObjective(model, X, y, cv=2, scoring="mean_task_auc")
            print(cross_val_score(model, X, y, cv=2, scoring=SCORERS["mean_task_auc"]).shape)
            """,
            r"^\(2,\)\s",
        ),
    ],
    "Rows that are named by integers": [
        (
            """
            numbered = X.reset_index(drop=True)
            lacks = numbered.assign(image=numbered["image"].where(numbered.index != 5))
            model.fit(lacks, y)
            """,
            r"ValueError: 1 rows lack an image in \['image'\]: 5\. allow_missing_images",
        ),
        (
            """
            numbered.loc[7, "age"] = np.nan
            JointFusionClassifier(**small).fit(numbered[["image", "age"]], y)
            """,
            r"ValueError: Input X contains NaN: row 7, column 'age'\.",
        ),
    ],
    "Messages": [
        (
            "make_pipeline(make_lesion_transformer(), LogisticRegression()).fit(X, y)",
            "Error: .*ImageEmbedder",
        ),
        ("ImageClassifier(**small).fit(np.zeros((4, 8, 8, 3)), list('AABB'))", "as_images"),
        ("ImageClassifier(**small).fit(['a.png', 'b.png'], list('AB'))", "as_images"),
        (
            "FusionM4NetClassifier(pair, 'svm').set_params(second_stage__C=2.0)",
            r"ValueError: `second_stage__C`: `second_stage` is 'svm', a name.*SVC\(\)",
        ),
        (
            """
            wrong = JointFusionClassifier(fusion_options={"width": 3}, **small)
            make_pipeline(make_lesion_transformer(), wrong).fit(X, y)
            """,
            "ValueError: .*width",
        ),
        (
            """
            before = model.fit(X, y).predict_proba(X)
            model.set_params(jointfusionclassifier__image_size=64)
            print(abs(model.predict_proba(X) - before).max() < 1e-5)
            _ = model.set_params(jointfusionclassifier__image_size=32)
            """,
            "^True$",
        ),
    ],
    "Warnings": [
        (
            """
            few = X.assign(site=["arm"] * 40 + ["toe"] * 8)
            halves = StratifiedGroupKFold(2)
            scores = cross_validate(model, few, y, groups=np.arange(48) // 24, cv=halves)
            """,
            r"^UserWarning: categories not seen in fit are encoded as all zeros: column 'site': "
            r"'toe' \(8 of 24 rows\)\.$",
        ),
    ],
    "Conveniences": [
        (
            """
            stages = FusionM4NetClassifier(pair, "logistic_regression", cv=2).fit(numbers, y)
            print(stages.set_params(second_stage="svm").refit_second_stage().second_stage_[0])
            """,
            "SVC|Calibrated",
        ),
        ("print(np.exp(model.predict_log_proba(X)).sum(axis=1).round(5)[:2])", r"^\[1\. 1\.\]$"),
        ("import sklearn_skin; sklearn_skin.show_versions()", "(?s)python.*torch.*sklearn_skin"),
        ("print(lesions.feature_names)", r"^\['image', 'age', 'sex', 'site', 'diameter'\]$"),
        (
            """
            rare = make_lesions(60, weights=[0.8, 0.1, 0.1], image_size=16, random_state=0)
            print(rare.target.value_counts(normalize=True).round(1).max() > 0.6)
            """,
            "^True$",
        ),
        ("print('mmfa' in JointFusionClassifier.__doc__)", "^True$"),
    ],
}

# What a line may need and an installation may lack.
OPTIONAL = {"xgboost"}
# Warnings of other packages about their own use.
OTHERS = (DeprecationWarning, FutureWarning, ConvergenceWarning)


def run(code):
    """Run code in a new process and print what it prints."""
    found = subprocess.run(
        [sys.executable, "-W", "ignore", "-c", textwrap.dedent(code)],
        check=False,
        capture_output=True,
        text=True,
    )
    print(found.stdout.strip() or found.stderr.strip().splitlines()[-1])


def attempt(code, names):
    """Run lines; return what was printed, warned of and raised, and a package that was missing."""
    printed = io.StringIO()
    with contextlib.redirect_stdout(printed), warnings.catch_warnings(record=True) as caught:
        warnings.simplefilter("default")
        try:
            exec(compile(code, "<typed>", "exec"), names)
        except ModuleNotFoundError as error:
            if error.name not in OPTIONAL:
                raise
            return "", error.name
        except Exception as error:
            print(f"{type(error).__name__}: {' '.join(str(error).split())}")
    told = [
        f"{w.category.__name__}: {w.message}" for w in caught if not issubclass(w.category, OTHERS)
    ]
    return "\n".join([printed.getvalue().strip(), *told]).strip(), None


def main():
    """Print the transcript."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[0])
    parser.add_argument("--smallest", action="store_true", help="the second topic alone")
    topics = dict(islice(LINES.items(), 1, 2)) if parser.parse_args().smallest else LINES
    names, counts = {"run": run}, {True: 0, False: 0, None: 0}
    os.chdir(tempfile.mkdtemp())
    print(SETUP)
    with warnings.catch_warnings():
        warnings.simplefilter("ignore")
        exec(SETUP, names)
    for topic, lines in topics.items():
        print(f"\n# {topic}")
        for code, expected in lines:
            typed = textwrap.dedent(code).strip()
            found, lacking = attempt(typed, names)
            print("\n" + textwrap.indent(typed, "> "))
            if lacking:
                counts[None] += 1
                print(f"not tried ({lacking} is not installed)")
                continue
            right = re.search(expected, found) is not None
            counts[right] += 1
            print(found if right else f"{found}\n!!! not as expected: {expected}", flush=True)
    left_out = f", {counts[None]} not tried" if counts[None] else ""
    print(f"\n{counts[True]} of {counts[True] + counts[False]} as expected{left_out}.")
    sys.exit(counts[False] > 0)


if __name__ == "__main__":
    main()
