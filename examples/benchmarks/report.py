"""Time and size of a clinical report: 500 cases and three networks by default.

The networks are barely trained: what they answer does not change the work.

    python examples/benchmarks/report.py --image-size 224
"""

import argparse
import tempfile
import time
import warnings
from pathlib import Path

from sklearn.pipeline import make_pipeline

from sklearn_skin.datasets import make_lesions
from sklearn_skin.neural_network import ImageClassifier, JointFusionClassifier, MetadataClassifier
from sklearn_skin.preprocessing import make_lesion_transformer
from sklearn_skin.reporting import clinical_report

SECONDS = 60
MEGABYTES = 10


def main():
    """Measure and print; say whether both limits are kept."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--n-cases", type=int, default=500)
    parser.add_argument("--n-tasks", type=int, default=1)
    parser.add_argument("--n-classes", type=int, default=7)
    parser.add_argument("--backbone", default="resnet18")
    parser.add_argument("--image-size", type=int, default=224)
    parser.add_argument("--output", type=Path, help="keep the report here")
    parser.add_argument("--smallest", action="store_true", help="few cases, a tiny backbone")
    options = parser.parse_args()
    if options.smallest:
        vars(options).update(n_cases=12, n_classes=3, backbone="test_resnet", image_size=32)
    n_train = 60
    lesions = make_lesions(
        options.n_cases + n_train,
        n_classes=options.n_classes,
        n_tasks=options.n_tasks,
        image_size=options.image_size,
        images_per_lesion=2,
        random_state=0,
    )
    train, test = slice(None, n_train), slice(n_train, None)
    training = {"max_epochs": 1, "random_state": 0}
    images = {"backbone": options.backbone, "weights": None, "image_size": options.image_size}
    networks = {
        "metadata": MetadataClassifier(),
        "image": ImageClassifier(**images),
        "image and metadata": JointFusionClassifier(**images),
    }
    warnings.simplefilter("ignore")
    models = {
        name: make_pipeline(make_lesion_transformer(), net.set_params(**training)).fit(
            lesions.data[train], lesions.target[train]
        )
        for name, net in networks.items()
    }
    with tempfile.TemporaryDirectory() as folder:
        wall, cpu = time.perf_counter(), time.process_time()
        report = clinical_report(
            models,
            lesions.data[test],
            lesions.target[test],
            groups=lesions.groups[test],
            subgroups=lesions.subgroups,
            X_train=lesions.data[train],
            groups_train=lesions.groups[train],
            output=options.output or Path(folder) / "report.html",
        )
        wall, cpu = time.perf_counter() - wall, time.process_time() - cpu
        size = report.path.stat().st_size / 1e6
    print("| cases | models | backbone | wall (s) | CPU (s) | file (MB) |")
    print("| --: | --: | --: | --: | --: | --: |")
    print(
        f"| {options.n_cases} | {len(models)} | {options.backbone} at {options.image_size} "
        f"| {wall:.1f} | {cpu:.1f} | {size:.2f} |"
    )
    print(f"limits: {SECONDS} s, {MEGABYTES} MB")
    print("both limits kept" if wall < SECONDS and size < MEGABYTES else "a limit is broken")


if __name__ == "__main__":
    main()
