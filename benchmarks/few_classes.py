"""Which losses start to learn in a short training with few classes.

Up to ten classes `MAEStar` is `MAE`, which is slow to start. This benchmark
uses handwritten digits of 10 classes, 10,000 samples with symmetric noise, a
network with one hidden layer, and three seeds:

    KERAS_BACKEND=torch python benchmarks/few_classes.py

It writes `few_classes.csv` and prints the mean accuracy on clean test labels.
"""

import csv
import itertools
from pathlib import Path

import keras
import numpy as np

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
    rows = []
    for rate, seed in itertools.product(RATES, SEEDS):
        noise = "symmetric" if rate else None
        data = load(
            "digits", noise, rate, seed, num_classes=10, num_samples=10_000
        )
        for epochs, (name, loss) in itertools.product(EPOCHS, LOSSES.items()):
            found = accuracy(data, loss, epochs, seed)
            rows.append([rate, epochs, name, seed, f"{found:.4f}"])
    path = Path(__file__).with_suffix(".csv")
    with open(path, "w", newline="") as file:
        writer = csv.writer(file)
        writer.writerow(["rate", "epochs", "loss", "seed", "accuracy"])
        writer.writerows(rows)
    for rate, epochs, name in itertools.product(RATES, EPOCHS, LOSSES):
        of = [float(r[4]) for r in rows if r[:3] == [rate, epochs, name]]
        print(f"{rate} {epochs:3} {name:16} {100 * np.mean(of):.1f} %")


if __name__ == "__main__":
    main()
