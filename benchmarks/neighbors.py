"""Keras' own robust loss and ours, side by side.

    KERAS_BACKEND=jax python benchmarks/neighbors.py
    python benchmarks/neighbors.py --table

The script gives `keras.losses.CategoricalGeneralizedCrossEntropy` and `GCE` the
same labels and networks and writes the results to `neighbors.csv`, one row for
each question and backend, which replaces older rows of the backend. `--table`
runs nothing and prints the table of the page.
"""

import argparse
import csv
import time
from collections.abc import Callable
from pathlib import Path

import keras
import numpy as np

from keras_noisy import GCE

PATH = Path(__file__).with_suffix(".csv")
COLUMNS = ("backend", "keras_version", "question", "keras", "ours")
Loss = Callable[..., keras.losses.Loss]
KERAS: Loss = keras.losses.CategoricalGeneralizedCrossEntropy
Q = 0.7
PROBABILITIES = np.array([[0.7, 0.2, 0.1], [0.3, 0.3, 0.4], [0.2, 0.5, 0.3]])
CLASSES = np.array([0, 2, 2])


def told(action: Callable[[], str]) -> str:
    """The result of an action, or the type of the error that it raises."""
    try:
        return action()
    except Exception as error:  # The type of the error is the answer.
        return type(error).__name__


def value(make: Loss, labels: np.ndarray, targets: np.ndarray) -> str:
    """Whether the value is the mean over the samples."""
    rows = len(labels)
    probabilities = PROBABILITIES[np.arange(rows) % 3]
    right = np.sum(targets * (1 - probabilities**Q) / Q) / rows
    found = float(make(q=Q)(labels, probabilities.astype("float32")))
    if abs(found - right) < 1e-5:
        return "right"
    return f"wrong: {found:.3f}, not {right:.3f}"


def values(make: Loss) -> dict[str, str]:
    """Labels in each form."""
    hot = np.eye(3)
    soft = 0.8 * hot[CLASSES] + 0.2 / 3
    return {
        "labels of shape (N,)": told(
            lambda: value(make, CLASSES, hot[CLASSES])
        ),
        "labels of shape (N, 1)": told(
            lambda: value(make, CLASSES[:, None], hot[CLASSES])
        ),
        "one-hot labels, as many samples as classes": told(
            lambda: value(make, hot[CLASSES], hot[CLASSES])
        ),
        "one-hot labels, other numbers": told(
            lambda: value(make, hot[CLASSES[:2]], hot[CLASSES[:2]])
        ),
        "soft labels": told(lambda: value(make, soft, soft)),
    }


def steps(make: Loss, policy: str) -> dict[str, str]:
    """The effect of one step on two samples, the second one ordinary."""
    gaps = (17.0, 100.0, 1000.0)
    logits = np.zeros((5, 3), "float32")
    logits[:3, 1] = gaps  # the label is class 0
    before_policy = keras.config.dtype_policy()
    keras.config.set_dtype_policy(policy)
    try:
        model = keras.Sequential(
            [
                keras.Input((), dtype="int32"),
                keras.layers.Embedding(5, 3),
                keras.layers.Softmax(),
            ]
        )
        model.compile(keras.optimizers.SGD(1.0), make(q=Q))
    finally:
        keras.config.set_dtype_policy(before_policy)
    found = {}
    cases = [(f"a logit {gap:g} below another", 0) for gap in gaps]
    for row, (case, label) in enumerate([*cases, ("a label of -1", -1)]):
        model.set_weights([logits])
        samples, labels = np.array([row, 4]), np.array([label, 1])
        model.train_on_batch(samples, labels)
        after = np.asarray(model.get_weights()[0])
        if not np.all(np.isfinite(after)):
            outcome = "weights become NaN"
        elif np.array_equal(after[4], logits[4]):
            outcome = "no step is made"
        else:
            outcome = "learns"
        found[f"{case}, {policy}"] = outcome
    return found


def accepts_one(make: Loss) -> str:
    """Whether q may be 1."""
    found = float(make(q=1.0)([0], [[0.25, 0.75]]))
    return "accepted" if abs(found - 0.75) < 1e-6 else f"wrong: {found:.3f}"


def saves_dtype(make: Loss) -> str:
    """Whether a saved and loaded loss keeps its dtype."""
    loss = make(q=Q, dtype="float64")
    again = type(loss).from_config(loss.get_config())
    return "kept" if again.dtype == "float64" else f"lost: {again.dtype}"


def answers(make: Loss) -> dict[str, str]:
    """The answer to each question except the one on speed."""
    return {
        **values(make),
        **steps(make, "float32"),
        **steps(make, "mixed_float16"),
        "q = 1": told(lambda: accepts_one(make)),
        "dtype of a saved loss": told(lambda: saves_dtype(make)),
    }


def speed(from_logits: bool, rounds: int = 15) -> float:
    """Ratio of the median processor times of a step to Keras' loss."""
    ours = GCE(q=Q, from_logits=from_logits)
    kinds = (
        (KERAS(q=Q), "softmax"),
        (ours, None if from_logits else "softmax"),
    )
    rng = np.random.default_rng(0)
    x = rng.normal(size=(256, 8)).astype("float32")
    y = rng.integers(1000, size=256)
    models = []
    for loss, activation in kinds:
        outputs = keras.layers.Dense(1000, activation=activation)
        model = keras.Sequential([keras.Input((8,)), outputs])
        model.compile("sgd", loss)
        model.train_on_batch(x, y)
        models.append(model)
    times: list[list[float]] = [[], []]
    for _ in range(rounds):
        for model, found in zip(models, times, strict=True):
            started = time.process_time()
            for _ in range(10):
                model.train_on_batch(x, y)
            found.append(time.process_time() - started)
    return float(np.median(times[1]) / np.median(times[0]))


def recorded() -> list[dict[str, str]]:
    """The rows of the file."""
    if not PATH.exists():
        return []
    with PATH.open(newline="") as file:
        return list(csv.DictReader(file))


def table() -> str:
    """The table of the page, with one cell if all backends agree."""
    names = {"jax": "JAX", "tensorflow": "TensorFlow", "torch": "PyTorch"}
    rows = recorded()
    (version,) = {row["keras_version"] for row in rows}
    lines = [f"| | Keras {version} | keras-noisy |", "| --- | --- | --- |"]
    for question in dict.fromkeys(row["question"] for row in rows):
        cells = []
        for column in ("keras", "ours"):
            found: dict[str, list[str]] = {}
            for row in rows:
                if row["question"] == question:
                    name = names[row["backend"]]
                    found.setdefault(row[column], []).append(name)
            if len(found) == 1:
                cells.append(next(iter(found)))
                continue
            cells.append(
                "; ".join(f"{k} ({', '.join(v)})" for k, v in found.items())
            )
        lines.append(f"| {question} | {cells[0]} | {cells[1]} |")
    return "\n".join(lines)


def main() -> None:
    """Measure on this backend, or print the table."""
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    parser.add_argument("--table", action="store_true")
    if parser.parse_args().table:
        print(table())
        return
    backend, ours = keras.backend.backend(), answers(GCE)
    rows = [row for row in recorded() if row["backend"] != backend]
    for question, text in answers(KERAS).items():
        cells = (backend, keras.__version__, question, text, ours[question])
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    for from_logits, what in ((False, "probabilities"), (True, "logits")):
        question = f"processor time of a step, ours from {what}"
        ratio = f"{speed(from_logits):.2f}"
        cells = (backend, keras.__version__, question, "1.00", ratio)
        rows.append(dict(zip(COLUMNS, cells, strict=True)))
    with PATH.open("w", newline="") as file:
        writer = csv.DictWriter(file, COLUMNS, lineterminator="\n")
        writer.writeheader()
        writer.writerows(rows)


if __name__ == "__main__":
    main()
