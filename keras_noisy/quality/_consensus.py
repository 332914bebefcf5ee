"""The transition matrix, from how far neighbors agree about the label."""

from __future__ import annotations

import numpy as np

#: Responsibilities that are in memory at once.
CELLS = 2**23
STEPS, TOLERANCE = 100, 1e-4
#: Labels of all classes together that the rate of each class also counts.
LABELS = 150


def consensus(labels: np.ndarray, num_classes: int) -> tuple[np.ndarray, float]:
    """The matrix under which the labels of neighbors are likeliest.

    `labels` of shape (M, 3) are those of a sample and of its two nearest
    neighbors, which are taken to be of one true class, each with its label
    drawn from the row of that class. The counts of triples hold those of pairs
    and of single labels too: the consensus of order 1 to 3. The expectation
    maximization finds the same matrix as their equations do, without an array
    of `num_classes` cubed, and each step is a closed form.

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
    """Labels that each true class is expected to have, and the spread.

    The spread is the standard deviation, over the triples, of the share of
    their labels that are wrong.
    """
    num_classes = len(prior)
    joint = np.zeros((num_classes, num_classes))
    # Rows are read quickest, and these are the columns of the matrix.
    likelihood = np.ascontiguousarray(matrix.T, "float32")
    first = likelihood * prior.astype("float32")
    sums = np.zeros(2)
    size = max(1, CELLS // num_classes)
    for start in range(0, len(triples), size):
        part = triples[start : start + size]
        count = counts[start : start + size].astype("float32")
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
    target[values] += np.add.reduceat(rows[order], starts, axis=0)


def class_rows(joint: np.ndarray) -> tuple[np.ndarray, np.ndarray]:
    """Shares of the true classes, and what each of them is labeled.

    `joint` counts labels, in rows, of each true class, in columns. The
    share of right labels is drawn to that of all classes together, as few
    triples of a class say little, and are often not of one class at all.
    """
    num_classes = len(joint)
    of_class = joint.sum(axis=0)
    common = np.trace(joint) / of_class.sum()
    right = np.diag(joint) + LABELS * common
    right /= of_class + LABELS
    # What a class is taken for; no class is out of the question.
    matrix = joint.T + 1 / num_classes
    np.fill_diagonal(matrix, 0)
    matrix *= ((1 - right) / matrix.sum(axis=1))[:, None]
    np.fill_diagonal(matrix, right)
    prior = of_class + 1e-3
    return prior / prior.sum(), matrix
