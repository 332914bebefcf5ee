"""The transition matrix from the agreement of the labels of neighbors."""

from __future__ import annotations

import numpy as np

from keras_noisy._containers import slices

#: Number of responsibilities in memory at once.
CELLS = 2**23
STEPS, TOLERANCE = 100, 1e-4
#: Labels, with the rate of all classes, that the rate of each class includes.
LABELS = 150


def consensus(labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, float]:
    """The matrix that makes the labels of neighbors most likely.

    `labels` of shape (M, 3) holds the labels of a sample and of its two
    nearest neighbors. The model is that all three share one true class, and
    that each label is drawn from the matrix row of that class. The counts of
    triples include the counts of pairs and single labels: the consensus of
    order 1 to 3. Expectation maximization finds the same matrix as the
    equations of the paper, without an array of `num_classes` cubed, and each
    step has a closed form.

    Returns the matrix and the standard error of the rate of wrong labels.
    """
    triples, counts = np.unique(labels, axis=0, return_counts=True)
    prior = np.bincount(labels.ravel(), minlength=num_classes) + 1.0
    prior /= prior.sum()
    matrix = np.full((num_classes, num_classes), 0.5 / num_classes)
    matrix += 0.5 * np.eye(num_classes)
    for _ in range(STEPS):
        joint, wrong = _expected(triples, counts, prior, matrix)
        before = matrix
        prior, matrix = class_rows(joint)
        if np.abs(matrix - before).max() < TOLERANCE:
            break
    error = wrong / np.sqrt(counts.sum())
    return matrix, float(error)


def _expected(
    triples: np.ndarray,
    counts: np.ndarray,
    prior: np.ndarray,
    matrix: np.ndarray,
) -> tuple[np.ndarray, float]:
    """Expected counts of labels for each true class, and the spread.

    The spread is the standard deviation, over the triples, of the share of
    wrong labels in a triple.
    """
    num_classes = len(prior)
    joint = np.zeros((num_classes, num_classes))
    # The loop reads columns of the matrix; rows of the transpose are faster.
    likelihood = np.ascontiguousarray(matrix.T, "float32")
    first = likelihood * prior.astype("float32")
    sums = np.zeros(2)
    size = max(1, CELLS // num_classes)
    for rows in slices(len(triples), size):
        part, count = triples[rows], counts[rows].astype("float32")
        of = first[part[:, 0]]
        of *= likelihood[part[:, 1]]
        of *= likelihood[part[:, 2]]
        of /= np.maximum(of.sum(axis=1, keepdims=True), 1e-30)
        row = np.arange(len(part))
        wrong = 1 - np.mean([of[row, label] for label in part.T], axis=0)
        sums += [count @ wrong, count @ wrong**2]
        of *= count[:, None]
        for label in part.T:
            _add_rows(joint, label, of)
    mean, square = sums / counts.sum()
    return joint, float(np.sqrt(max(square - mean**2, 0)))


def _add_rows(target: np.ndarray, at: np.ndarray, rows: np.ndarray) -> None:
    """`np.add.at(target, at, rows)`, many times faster."""
    order = np.argsort(at, kind="stable")
    values, starts = np.unique(at[order], return_index=True)
    # `np.add.reduceat` is slow along the first axis.
    for value, of in zip(values, np.split(order, starts[1:]), strict=True):
        target[value] += rows[of].sum(axis=0)


def class_rows(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the true classes, and the label distribution of each.

    `joint` counts labels in rows and true classes in columns. The share of
    right labels of a class is shrunk toward the share over all classes, as a
    few triples say little and often do not share one class.
    """
    num_classes = len(joint)
    of_class = joint.sum(axis=0)
    common = np.trace(joint) / of_class.sum()
    right = np.diag(joint) + LABELS * common
    right /= of_class + LABELS
    # Distribution of the wrong labels; no class gets probability 0.
    matrix = joint.T + 1 / num_classes
    np.fill_diagonal(matrix, 0)
    matrix *= ((1 - right) / matrix.sum(axis=1))[:, None]
    np.fill_diagonal(matrix, right)
    prior = of_class + 1e-3
    return prior / prior.sum(), matrix
