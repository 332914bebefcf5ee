"""Which way of fading a calibrated loss serves, by task and noise.

    python benchmarks/fading.py --data-dir FOLDER

Trains `MAEStar` and `GCE(q="auto")` with their calibration held and with
fades of several forms, and writes a row for each run to a CSV file. A run
that has a row is not run again, so that the study can be stopped at any
moment; it takes hours on two cores. `--plot` draws the rows, `--table` prints
them. Without a `FOLDER` of the official files Keras downloads the images.
"""

import argparse
import csv
import itertools
import time
from pathlib import Path

import keras
from keras import layers

from keras_noisy import losses
from keras_noisy.datasets import NoisyDataset, load
from keras_noisy.layers import MarginFade

KEYS = ("task", "loss", "noise", "fade", "seed")
RESULTS = ("last", "best", "memorised", "share_left", "seconds")
#: Training images and epochs; with few images a network comes to memorise.
TASKS = {
    "digits-1000": (30_000, 12),
    "cifar100": (25_000, 10),
    "cifar100 long": (10_000, 30),
    "fashion_mnist": (20_000, 5),
}
LOSSES = {
    "MAE*": lambda **kwargs: losses.MAEStar(**kwargs),
    "GCE-auto": lambda **kwargs: losses.GCE(q="auto", **kwargs),
}
decay = keras.optimizers.schedules
FADES = {
    "constant": lambda steps: None,
    "linear 1/2": lambda steps: decay.PolynomialDecay(1.0, steps // 2, 0.0),
    "linear 1": lambda steps: decay.PolynomialDecay(1.0, steps, 0.0),
    "cosine 1/2": lambda steps: decay.CosineDecay(1.0, steps // 2),
    "cosine 1": lambda steps: decay.CosineDecay(1.0, steps),
    "margin .5 to 0": lambda steps: MarginFade(0.5, 0.0),
    "margin .5 to -2.6": lambda steps: MarginFade(0.5, -2.6),
    "margin .75 to 0": lambda steps: MarginFade(0.75, 0.0),
    "margin .75 to 3": lambda steps: MarginFade(0.75, 3.0),
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
        x = layers.RandomFlip("horizontal")(x)
        for filters in (48, 96, 192):
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
    wrong = data.changed[:images]
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
        validation_data=(data.x_test, data.y_test),
        validation_batch_size=1000,
        verbose=0,
    ).history["val_accuracy"]
    memorised = float("nan")
    if wrong.any():
        x, y = x[wrong][:5000], y[wrong][:5000]
        _, memorised = model.evaluate(x, y, batch_size=1000, verbose=0)
    share = 1.0 if loss.fading is None else float(loss.fading.share())
    values = (history[-1], max(history), memorised, share)
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
    options = parser.parse_args()

    done = {tuple(row[k] for k in KEYS) for row in rows_of(options.csv)}
    plan = itertools.product(
        options.seeds,
        options.tasks,
        options.noise,
        options.losses,
        options.fades,
    )
    for seed, task, noise, loss, fade in plan:
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
