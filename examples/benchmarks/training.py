"""
===================================
Training beside a hand-written loop
===================================

Seconds an epoch of an image classifier with its default settings, and of a plain PyTorch loop in
fp32 over the same pictures, each in a process of its own that the other one waits for. Ours calls
`tune_allocator` first, as a script that trains does:
``python examples/benchmarks/training.py``. Prints medians, the spread and the ratio.
"""

import argparse
import json
import multiprocessing
import statistics
import time

# backbone, pixels, batch, rows
CASES = {
    "resnet18 at 64": ("resnet18", 64, 64, 512),
    "resnet18 at 224": ("resnet18", 224, 16, 96),
    "tiny at 32": ("test_resnet", 32, 32, 512),
}


def draw(n_rows, size):
    """Return noise as uint8 pictures (n, h, w, 3), and three classes."""
    import numpy as np

    rng = np.random.default_rng(0)
    return rng.integers(256, size=(n_rows, size, size, 3), dtype=np.uint8), np.arange(n_rows) % 3


def make_plain(backbone, size, batch_size, n_rows):
    """Return a function that trains one epoch of a plain loop and returns its seconds."""
    import torch
    from torch.utils.data import DataLoader, TensorDataset

    from sklearn_skin.modules import make_backbone  # noqa: F401  repairs torchvision for timm

    pixels, labels = draw(n_rows, size)
    images = torch.from_numpy(pixels).permute(0, 3, 1, 2).float() / 255
    mean, std = torch.tensor([0.485, 0.456, 0.406]), torch.tensor([0.229, 0.224, 0.225])
    images = (images - mean[:, None, None]) / std[:, None, None]
    loader = DataLoader(
        TensorDataset(images, torch.from_numpy(labels)), batch_size=batch_size, shuffle=True
    )
    import timm  # not before

    # timm's own network: nothing of this library takes part.
    network = timm.create_model(backbone, num_classes=3)
    optimizer = torch.optim.Adam(network.parameters(), lr=1e-3)
    loss_function = torch.nn.CrossEntropyLoss()

    def epoch():
        start = time.perf_counter()
        network.train()
        for inputs, targets in loader:
            optimizer.zero_grad()
            loss = loss_function(network(inputs), targets)
            loss.backward()
            optimizer.step()
        return time.perf_counter() - start

    return epoch


def make_ours(backbone, size, batch_size, n_rows, **options):
    """Return a function that trains one epoch of an `ImageClassifier` and returns its seconds."""
    import pandas as pd

    from sklearn_skin.image import as_images
    from sklearn_skin.neural_network import ImageClassifier
    from sklearn_skin.utils import tune_allocator

    tune_allocator()
    pixels, labels = draw(n_rows, size)
    X = pd.DataFrame({"image": as_images(list(pixels))})
    network = ImageClassifier(
        backbone=backbone,
        weights=None,
        image_size=size,
        batch_size=batch_size,
        max_epochs=1,
        warm_start=True,
        **options,
    )

    def epoch():
        return network.fit(X, labels).history_[-1]["dur"]

    return epoch


def serve(connection, make, case, options):
    """Train an epoch whenever asked, and answer with its seconds."""
    epoch = make(*case, **options)
    while connection.recv():
        connection.send(epoch())


def alternate(contestants, rounds):
    """Return the seconds of each contestant's epochs, taken in turn after one that warms up."""
    context = multiprocessing.get_context("spawn")
    ends, processes = {}, []
    for name, arguments in contestants.items():
        ends[name], other = context.Pipe()
        processes.append(context.Process(target=serve, args=(other, *arguments), daemon=True))
        processes[-1].start()
    seconds = {name: [] for name in contestants}
    for _ in range(rounds + 1):
        for name, end in ends.items():
            end.send(True)
            seconds[name].append(end.recv())
    for end in ends.values():
        end.send(False)
    for process in processes:
        process.join()
    return {name: found[1:] for name, found in seconds.items()}


def main():
    """Print the table."""
    parser = argparse.ArgumentParser(description=__doc__.strip().splitlines()[1])
    parser.add_argument("--smallest", action="store_true", help="the tiny network, once")
    parser.add_argument("--rounds", type=int, default=7)
    parser.add_argument("--cases", nargs="+", choices=list(CASES), default=list(CASES))
    parser.add_argument("--json", help="file for all seconds")
    parser.add_argument("--set", nargs="*", default=[], help="parameters, such as precision=fp32")
    arguments = parser.parse_args()
    if arguments.smallest:
        arguments.cases, arguments.rounds = ["tiny at 32"], 1
    options = dict(item.split("=") for item in arguments.set)
    results = {}
    print("| network | plain loop (s) | here (s) | times as fast |")
    print("| --- | --: | --: | --- |")
    for name in arguments.cases:
        found = alternate(
            {
                "plain": (make_plain, CASES[name], {}),
                "here": (make_ours, CASES[name], options),
            },
            arguments.rounds,
        )
        results[name] = found
        plain, here = (statistics.median(found[side]) for side in ("plain", "here"))
        spread = [a / b for a, b in zip(found["plain"], found["here"])]
        print(
            f"| {name} | {plain:.2f} | {here:.2f} | {plain / here:.2f} "
            f"({min(spread):.2f} to {max(spread):.2f}) |",
            flush=True,
        )
    if arguments.json:
        with open(arguments.json, "w", encoding="utf-8") as file:
            json.dump(results, file, indent=1)


if __name__ == "__main__":
    main()
