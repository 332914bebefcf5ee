"""Which fade of a calibrated loss works best, by task and noise.

    python benchmarks/fading.py --data-dir FOLDER
    python benchmarks/fading.py --report docs/fading.png

The script trains `MAEStar` and `GCE(q="auto")` with constant calibration and
with several fades, and writes a row for each run to a CSV file. Runs with a row
are skipped, so you can stop the study at any time; it takes hours on two cores.
`--report` trains nothing: it plots the rows and prints their table. Without a
`FOLDER` of the official files Keras downloads the images.
"""

import argparse
import csv
import itertools
import time
from collections import defaultdict
from pathlib import Path

import keras
import numpy as np
from keras import layers

from keras_noisy import losses
from keras_noisy.calibration import MarginFade
from keras_noisy.datasets import NoisyDataset, load

KEYS = ("task", "loss", "noise", "fade", "seed")
RESULTS = ("last", "best", "memorized", "share_left", "seconds")
#: Training images and epochs.
TASKS = {
    "digits-1000": (30_000, 12),
    "cifar100": (8_000, 12),
    "fashion_mnist": (10_000, 5),
}
LOSSES = {
    "MAE*": lambda **kwargs: losses.MAEStar(**kwargs),
    "GCE-auto": lambda **kwargs: losses.GCE(q="auto", **kwargs),
}
decay = keras.optimizers.schedules
FADES = {
    "constant": lambda steps: None,
    "linear 1/2": lambda steps: decay.PolynomialDecay(1.0, steps // 2, 0.0),
    "cosine 1": lambda steps: decay.CosineDecay(1.0, steps),
    "median": lambda steps: MarginFade(0.5, rate=0.1, per_class=False),
    "class .75": lambda steps: MarginFade(),
}


def data_set(
    task: str, noise: float, seed: int, folder: Path | None
) -> NoisyDataset:
    arguments = {"noise": "symmetric", "rate": noise, "seed": seed}
    if task == "digits-1000":
        samples, _ = TASKS[task]
        return load(
            "digits", num_classes=1000, num_samples=samples, **arguments
        )
    return load(task.split()[0], data_dir=folder, **arguments)


def half_size(images: np.ndarray) -> np.ndarray:
    n, height, width = images.shape[:3]
    shape = (n, height // 2, 2, width // 2, 2, *images.shape[3:])
    return images.reshape(shape).mean(axis=(2, 4), dtype="float32")


def network(task: str, shape: tuple[int, ...], loss: losses.RobustLoss):
    inputs = keras.Input(shape)
    x = layers.Rescaling(1 / 255)(inputs)
    if task == "digits-1000":  # The network of examples/quickstart.py.
        x = layers.Flatten()(x)
        for _ in range(2):
            x = layers.Dense(512)(x)
            x = layers.BatchNormalization()(x)
            x = layers.ReLU()(x)
    else:
        x = layers.Rescaling(4, -2)(x)
        if len(shape) == 2:
            x = layers.Reshape((*shape, 1))(x)
        for filters in (32, 64, 128):
            x = layers.Conv2D(filters, 3, 2, "same", use_bias=False)(x)
            x = layers.BatchNormalization(momentum=0.9)(x)
            x = layers.ReLU()(x)
        x = layers.Flatten()(x)
    outputs = layers.Dense(loss.num_classes, activation="softmax")(x)
    return keras.Model(inputs, loss.connect(outputs))


def run(
    task: str,
    loss_name: str,
    noise: float,
    fade: str,
    seed: int,
    folder: Path | None,
) -> dict[str, float]:
    started = time.perf_counter()
    keras.utils.set_random_seed(seed)
    images, epochs = TASKS[task]
    data = data_set(task, noise, seed, folder)
    x, y = data.x_train[:images], data.y_train[:images]
    wrong, x_test = data.changed[:images], data.x_test
    if task != "digits-1000":  # A quarter of the pixels, for two cores.
        x, x_test = half_size(x), half_size(x_test[:3000])
    batch_size = 256 if task == "digits-1000" else 128
    steps = epochs * -(-len(x) // batch_size)
    loss = LOSSES[loss_name](
        num_classes=data.num_classes, fade=FADES[fade](steps)
    )
    model = network(task, x.shape[1:], loss)
    rate = 0.1 if task == "digits-1000" else 0.05
    optimizer = keras.optimizers.SGD(
        decay.CosineDecay(rate, steps), momentum=0.9
    )
    model.compile(optimizer, loss, metrics=["accuracy"])
    history = model.fit(
        x,
        y,
        batch_size=batch_size,
        epochs=epochs,
        validation_data=(x_test, data.y_test[: len(x_test)]),
        validation_batch_size=1000,
        verbose=0,
    ).history["val_accuracy"]
    memorized = float("nan")
    if wrong.any():
        x, y = x[wrong][:5000], y[wrong][:5000]
        _, memorized = model.evaluate(x, y, batch_size=1000, verbose=0)
    share = (
        1.0
        if loss.fading is None
        else float(keras.ops.mean(loss.fading.share()))
    )
    values = (history[-1], max(history), memorized, share)
    return dict(
        zip(
            RESULTS,
            [*(round(v, 4) for v in values), time.perf_counter() - started],
            strict=True,
        )
    )


def rows_of(path: Path) -> list[dict[str, str]]:
    if not path.exists():
        return []
    with path.open(newline="") as file:
        return list(csv.DictReader(file))


def report(rows: list[dict[str, str]], picture: Path) -> None:
    """Print a table of the last accuracies, and plot them."""
    import matplotlib.pyplot as plt

    found = defaultdict(list)
    for row in rows:
        key = tuple(row[k] for k in KEYS[:-1])
        found[key].append(
            (100 * float(row["last"]), 100 * float(row["memorized"]))
        )
    tasks, names, noises, fades = (
        list(dict.fromkeys(column)) for column in zip(*found, strict=True)
    )
    noises.sort(key=float)
    print(f"| | | {' | '.join(f'noise {noise}' for noise in noises)} |")
    print("| --- " * (2 + len(noises)) + "|")
    for task, name, fade in itertools.product(tasks, names, fades):
        cells = []
        for noise in noises:
            runs = found.get((task, name, noise, fade))
            if runs is None:
                cells.append("-")
                continue
            last, memorized = np.mean(runs, axis=0)
            text = f"{last:.1f}"
            if not np.isnan(memorized):
                text += f" ({memorized:.1f})"
            cells.append(f"{text}, {len(runs)}")
        if any(cell != "-" for cell in cells):
            print(f"| {task}, {name} | {fade} | {' | '.join(cells)} |")

    figure, axes = plt.subplots(
        len(names),
        len(tasks),
        figsize=(4 * len(tasks), 3.2 * len(names)),
        layout="constrained",
        squeeze=False,
    )
    looks = {
        "constant": "ko-",
        "linear 1/2": "C0s--",
        "cosine 1": "C1^-",
        "median": "C2v:",
        "class .75": "C3D-",
    }
    for (i, name), (j, task) in itertools.product(
        enumerate(names), enumerate(tasks)
    ):
        axis = axes[i, j]
        for fade in fades:
            points = [
                (float(noise), [last for last, _ in runs])
                for noise in noises
                if (runs := found.get((task, name, noise, fade)))
            ]
            if not points:
                continue
            x, runs = zip(*points, strict=True)
            mean = np.array([np.mean(values) for values in runs])
            low = mean - [min(values) for values in runs]
            high = [max(values) for values in runs] - mean
            axis.errorbar(
                x, mean, (low, high), fmt=looks[fade], label=fade, capsize=3
            )
        axis.set_title(f"{task}, {name}")
        axis.set(xlabel="Share of wrong labels", ylabel="Test accuracy (%)")
        axis.grid(alpha=0.3)
    lines, labels = axes[0, 0].get_legend_handles_labels()
    figure.legend(lines, labels, loc="outside lower center", ncols=len(fades))
    figure.savefig(picture, dpi=110)


def main() -> None:
    parser = argparse.ArgumentParser(
        description=__doc__.splitlines()[0],
        formatter_class=argparse.ArgumentDefaultsHelpFormatter,
    )
    add = parser.add_argument
    add("--data-dir", type=Path, help="folder of the official files")
    add("--tasks", nargs="+", choices=TASKS, default=[*TASKS])
    add("--losses", nargs="+", choices=LOSSES, default=[*LOSSES])
    add("--fades", nargs="+", choices=FADES, default=[*FADES])
    add("--noise", nargs="+", type=float, default=[0.0, 0.2, 0.4, 0.6])
    add("--seeds", nargs="+", type=int, default=[0, 1, 2])
    add("--csv", type=Path, default=Path(__file__).with_suffix(".csv"))
    add("--report", type=Path, help="picture to draw; runs nothing")
    options = parser.parse_args()
    if options.report:
        report(rows_of(options.csv), options.report)
        return

    done = {tuple(row[k] for k in KEYS) for row in rows_of(options.csv)}
    plan = itertools.product(
        options.seeds,
        options.noise,
        options.tasks,
        options.losses,
        options.fades,
    )
    for seed, noise, task, loss, fade in plan:
        key = (task, loss, f"{noise:g}", fade, str(seed))
        if key in done:
            continue
        results = run(task, loss, noise, fade, seed, options.data_dir)
        results["seconds"] = round(results["seconds"], 1)
        new = not options.csv.exists()
        with options.csv.open("a", newline="") as file:
            writer = csv.writer(file, lineterminator="\n")
            if new:
                writer.writerow([*KEYS, *RESULTS])
            writer.writerow([*key, *results.values()])
        print(*key, *results.values(), flush=True)


if __name__ == "__main__":
    main()
