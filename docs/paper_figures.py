"""Draw the figures of Staats, Thamm and Rosenow (AAAI 2025) anew.

`python docs/paper_figures.py` writes `figure_1.png` to `figure_6.png`, and the
data of each as CSV, into `paper_figures/` beside itself. Figure 6 trains a
network with each of five losses, minutes on two cores; a loss that has its
rows in `figure_6.csv` is not trained again. `--figures 1 2` draws those alone.
"""

import argparse
import csv
from pathlib import Path

import keras
import matplotlib.pyplot as plt
import numpy as np
from keras import layers
from matplotlib.patches import Rectangle

from keras_noisy import GCE, MAE, CrossEntropy, MAEStar, ScaledMAE
from keras_noisy.calibration import (
    matched_hyperparameter,
    matched_logit_bias,
    plot_average_error,
)
from keras_noisy.datasets import load

FOLDER = Path(__file__).resolve().with_suffix("")
EPOCHS, BATCH_SIZE, SAMPLES = 12, 256, 30_000


def save(figure: plt.Figure, name: str) -> None:
    """Write a picture, and all of its lines and bars as rows of numbers."""
    figure.savefig(FOLDER / f"{name}.png", dpi=90)
    rows = []
    for panel, axes in enumerate(figure.axes):
        for line in axes.lines:
            label = " ".join(str(line.get_label()).split())
            if not label.startswith("_"):
                for x, y in line.get_xydata():
                    rows.append([panel, label, f"{x:.6g}", f"{y:.6g}"])
        for bar in axes.patches:
            if isinstance(bar, Rectangle):
                middle = bar.get_x() + bar.get_width() / 2
                height = bar.get_height()
                rows.append([panel, "bar", f"{middle:.6g}", f"{height:.6g}"])
    with (FOLDER / f"{name}.csv").open("w", newline="") as file:
        writer = csv.writer(file, lineterminator="\n")
        writer.writerows([["panel", "label", "x", "y"], *rows])
    plt.close(figure)


def images(count: int) -> np.ndarray:
    """Handwritten numbers of mean 0 and deviation 1, 32 x 32 in 3 colors."""
    x = load("digits", num_classes=1000, num_samples=1000).x_train[:count]
    x = x.reshape(*x.shape[:3], 1).astype("float32")
    x = keras.ops.convert_to_numpy(keras.ops.image.resize(x, (32, 32)))
    x = np.repeat(x, 3, axis=-1)
    return (x - x.mean()) / x.std()


def mlp1024(num_classes: int) -> keras.Model:
    """Three hidden layers of 1024 units."""
    hidden = [layers.Dense(1024, activation="relu") for _ in range(3)]
    return keras.Sequential(
        [
            keras.Input((32, 32, 3)),
            layers.Flatten(),
            *hidden,
            layers.Dense(num_classes),
        ]
    )


def resnet34(num_classes: int) -> keras.Model:
    """A ResNet-34 whose first layer is made for small images."""

    def convolution(x, filters, size=3, strides=1):
        x = layers.Conv2D(filters, size, strides, "same", use_bias=False)(x)
        return layers.BatchNormalization()(x)

    inputs = keras.Input((32, 32, 3))
    x = layers.ReLU()(convolution(inputs, 64))
    for filters, blocks in zip((64, 128, 256, 512), (3, 4, 6, 3), strict=True):
        for block in range(blocks):
            strides = 2 if block == 0 and filters > 64 else 1
            y = layers.ReLU()(convolution(x, filters, strides=strides))
            y = convolution(y, filters)
            if strides > 1:
                x = convolution(x, filters, 1, strides)
            x = layers.ReLU()(layers.Add()([x, y]))
    x = layers.GlobalAveragePooling2D()(x)
    return keras.Model(inputs, layers.Dense(num_classes)(x))


def fresh_logits(build, num_classes: int, count: int = 256) -> np.ndarray:
    """Logits of a network that has learned nothing, as its first step sees."""
    keras.utils.set_random_seed(0)
    # Batch normalization has no averages of a fresh network yet.
    logits = build(num_classes)(images(count), training=True)
    return np.ravel(keras.ops.convert_to_numpy(logits))


def figures_1_and_2() -> None:
    """Error by the logit with 10 and with 1000 classes, without and with bias.

    The histogram has the logits of a fresh network.
    """
    plain = {"cross-entropy": CrossEntropy(), "GCE .7": GCE(), "MAE": MAE()}
    biased = {"MAE": MAE(), "MAE with the bias": MAEStar()}
    logits = fresh_logits(mlp1024, 1000, count=32)
    for name, compared in (("figure_1", plain), ("figure_2", biased)):
        save(plot_average_error(compared, (10, 1000), logits), name)


def figure_3() -> None:
    """The q with which 1000 classes have the error of 100 at logit 0."""
    q = matched_hyperparameter(GCE(q=0.7), "q", 1000, reference_classes=100)
    compared = {"GCE .7": GCE(q=0.7), f"GCE {q:.4f}": GCE(q=q)}
    save(plot_average_error(compared, (100, 1000)), "figure_3")


def sampled_bias(num_classes: int, draws: int = 20_000) -> float:
    """The bias from drawn logits in place of the exact integral."""
    rng = np.random.default_rng(0)

    def others(count):
        logits = [rng.normal(size=count - 1) for _ in range(draws)]
        return np.array([np.exp(z).sum() for z in logits])

    def error(bias, sums):
        p = np.exp(bias) / (np.exp(bias) + sums)
        return np.mean(2 * p * (1 - p))

    few, many = error(0.0, others(10)), others(num_classes)
    low, high = 0.0, np.log(num_classes)
    for _ in range(40):
        middle = (low + high) / 2
        below = error(middle, many) < few
        low, high = (middle, high) if below else (low, middle)
    return low


def figure_4() -> None:
    """The bias of MAE* by the number of classes, up to a million."""
    counts = np.unique(np.geomspace(10, 1e6, 41).astype(int))
    figure, axes = plt.subplots(figsize=(6, 4), layout="constrained")
    exact = [matched_logit_bias(MAE(), int(k)) for k in counts]
    axes.semilogx(counts, exact, "C0", label="exact")
    logarithm = np.log((counts - 1) / 9)
    axes.semilogx(counts, logarithm, "0.5", ls="--", label="log((K - 1) / 9)")
    drawn = [14, 20, 50, 100, 200, 365, 1000, 3000]
    found = [sampled_bias(k) for k in drawn]
    axes.semilogx(drawn, found, "C3o", label="from 20,000 drawn samples")
    axes.set(xlabel="number of classes K", ylabel="logit bias of MAE*")
    axes.grid(alpha=0.3)
    axes.legend()
    save(figure, "figure_4")


def figure_5() -> None:
    """The logits of two fresh networks of 1000 classes, and the normal."""
    figure, panels = plt.subplots(
        1, 2, figsize=(9, 3.5), layout="constrained", sharey=True
    )
    edges = np.linspace(-4, 4, 81)
    middles = (edges[1:] + edges[:-1]) / 2
    normal = np.exp(-(middles**2) / 2) / np.sqrt(2 * np.pi)
    networks = {"MLP1024": mlp1024, "ResNet-34": resnet34}
    for axes, (title, build) in zip(panels, networks.items(), strict=True):
        logits = fresh_logits(build, 1000, count=64)
        density, _ = np.histogram(logits, edges, density=True)
        spread = f"deviation {logits.std():.2f}"
        print(f"{title}: mean {logits.mean():.3f}, {spread}")
        axes.plot(middles, density, "C0", ds="steps-mid", label=spread)
        axes.plot(middles, normal, "k--", label="standard normal")
        axes.set(title=title, xlabel="logit")
        axes.legend(fontsize="small")
    panels[0].set_ylabel("density")
    save(figure, "figure_5")


def trained(loss, data) -> list[tuple[float, float]]:
    """Accuracy and memorization by epoch, by the quickstart's recipe."""
    keras.utils.set_random_seed(0)
    inputs = keras.Input(data.x_train.shape[1:])
    x = layers.Flatten()(layers.Rescaling(1 / 255)(inputs))
    for _ in range(2):
        x = layers.Dense(512)(x)
        x = layers.BatchNormalization()(x)
        x = layers.Activation("relu")(x)
    outputs = layers.Dense(1000, activation="softmax")(x)
    model = keras.Model(inputs, loss.connect(outputs) if loss.fade else outputs)
    steps = EPOCHS * -(-SAMPLES // BATCH_SIZE)
    rate = keras.optimizers.schedules.CosineDecay(0.1, steps)
    optimizer = keras.optimizers.SGD(rate, momentum=0.9)
    model.compile(optimizer, loss, metrics=["accuracy"])
    wrong, points = np.flatnonzero(data.changed)[:5000], []
    for epoch in range(EPOCHS):
        fit = {"batch_size": BATCH_SIZE, "verbose": 0}
        model.fit(
            data.x_train,
            data.y_train,
            initial_epoch=epoch,
            epochs=epoch + 1,
            **fit,
        )
        parts = (
            (data.x_test, data.y_test),
            (data.x_train[wrong], data.y_train[wrong]),
        )
        points.append(
            tuple(
                100 * model.evaluate(x, y, batch_size=1000, verbose=0)[1]
                for x, y in parts
            )
        )
    return points


def figure_6() -> None:
    """Accuracy and memorization by epoch, with and without bias and fade."""
    path = FOLDER / "figure_6.csv"
    found: dict[str, list[list[float]]] = {}
    if path.exists():
        with path.open(newline="") as file:
            for row in csv.DictReader(file):
                panels = found.setdefault(row["label"], [[], []])
                panels[int(row["panel"])].append(float(row["y"]))
    steps = EPOCHS * -(-SAMPLES // BATCH_SIZE)
    cosine = keras.optimizers.schedules.CosineDecay(1.0, steps)
    compared = {
        "cross-entropy": CrossEntropy(),
        "MAE": MAE(),
        "MAE*: bias": MAEStar(num_classes=1000),
        "MAE*: bias, fade": MAEStar(num_classes=1000, fade=cosine),
        "ScaledMAE": ScaledMAE(num_classes=1000),
    }
    data = None
    for label, loss in compared.items():
        if label not in found:
            data = data or load(
                "digits", "symmetric", 0.4, num_classes=1000, seed=0
            )
            found[label] = list(zip(*trained(loss, data), strict=True))
            print(label, *(f"{values[-1]:.1f} %" for values in found[label]))
    figure, panels = plt.subplots(1, 2, figsize=(9, 4), layout="constrained")
    looks = ["C3o-", "C7s-", "C0^-", "C4v-", "C2D-"]
    titles = ("Accuracy on clean test labels", "Wrong labels memorized")
    for panel, (axes, title) in enumerate(zip(panels, titles, strict=True)):
        for label, look in zip(compared, looks, strict=True):
            values = found[label][panel]
            epochs = np.arange(1, len(values) + 1)
            axes.plot(epochs, values, look, label=label, markersize=4)
        axes.set(title=f"{title} (%)", xlabel="Epoch", ylim=(-3, 103))
        axes.grid(alpha=0.3)
    panels[0].legend(fontsize="small")
    save(figure, "figure_6")


def main() -> None:
    """Draw what is asked for."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    number = {"type": int, "choices": range(1, 7)}
    parser.add_argument("--figures", nargs="+", default=range(1, 7), **number)
    chosen = set(parser.parse_args().figures)
    FOLDER.mkdir(exist_ok=True)
    if chosen & {1, 2}:
        figures_1_and_2()
    for i, draw in ((3, figure_3), (4, figure_4), (5, figure_5), (6, figure_6)):
        if i in chosen:
            draw()


if __name__ == "__main__":
    main()
