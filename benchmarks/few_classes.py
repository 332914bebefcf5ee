"""Which losses start to learn in a short training with few classes.

Up to ten classes `MAEStar` is `MAE`, which is slow to start. This benchmark
uses handwritten digits of 10 classes, 10,000 samples with symmetric noise, a
network with one hidden layer, and three seeds:

    KERAS_BACKEND=torch python benchmarks/few_classes.py

It prints the mean accuracy on clean test labels. Trainings with a row in
`few_classes.csv` are skipped; `--csv again.csv` repeats them in another file.
"""

import argparse
import itertools
from pathlib import Path

import keras
import numpy as np
import rows

from keras_noisy import losses
from keras_noisy.datasets import load

LOSSES = {
    "CrossEntropy()": losses.CrossEntropy,
    "MAEStar()": losses.MAEStar,
    "GCE(q=0.7)": losses.GCE,
}
RATES, EPOCHS, SEEDS = (0.0, 0.4), (2, 5, 20), range(3)


def accuracy(data, loss, epochs, seed):
    keras.utils.set_random_seed(seed)
    model = keras.Sequential(
        [
            keras.Input((8, 8)),
            keras.layers.Rescaling(1 / 255),
            keras.layers.Flatten(),
            keras.layers.Dense(64, activation="relu"),
            keras.layers.Dense(10, activation="softmax"),
        ]
    )
    optimizer = keras.optimizers.SGD(0.01, momentum=0.9)
    model.compile(optimizer, loss(), metrics=["accuracy"])
    model.fit(
        data.x_train, data.y_train, batch_size=128, epochs=epochs, verbose=0
    )
    return model.evaluate(data.x_test, data.y_test, verbose=0)[1]


def main():
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    path = Path(__file__).with_suffix(".csv")
    parser.add_argument("--csv", type=Path, default=path)
    file = parser.parse_args().csv
    done = {tuple(row.values())[:4] for row in rows.read(file)}
    for rate, seed, epochs, name in itertools.product(
        RATES, SEEDS, EPOCHS, LOSSES
    ):
        if (str(rate), str(epochs), name, str(seed)) in done:
            continue
        noise = "symmetric" if rate else None
        data = load(
            "digits", noise, rate, seed, num_classes=10, num_samples=10_000
        )
        row = {"rate": rate, "epochs": epochs, "loss": name, "seed": seed}
        found = accuracy(data, LOSSES[name], epochs, seed)
        rows.append(file, [{**row, "accuracy": f"{found:.4f}"}])
    for rate, epochs, name in itertools.product(RATES, EPOCHS, LOSSES):
        of = [
            float(row["accuracy"])
            for row in rows.read(file)
            if tuple(row.values())[:3] == (str(rate), str(epochs), name)
        ]
        print(f"{rate} {epochs:3} {name:16} {100 * np.mean(of):.1f} %")


if __name__ == "__main__":
    main()
