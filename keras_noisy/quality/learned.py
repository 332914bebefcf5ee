"""Whether predictions tell more about the given labels than chance does."""

from typing import Any

import numpy as np

#: Standard deviations that agreement must be above chance, and those that a
#: perfect one must reach for fewer samples than that to be judged.
ABOVE, VISIBLE = 3.0, 6.0
#: A class with a larger share of the predictions is taken for all of them.
NEARLY_ALL = 0.99


def learned_nothing(
    labels: np.ndarray, predicted: np.ndarray, num_classes: int
) -> str | None:
    """What shows that a model has learned nothing, None if nothing does.

    Agreement has to be above chance in two ways. Of independent labels and
    predictions, with the shares of classes that these have, so many agree at
    times. A fresh network tells some classes apart, but under other names:
    its agreement is like that after a random permutation of the outputs.
    """
    count = len(labels)
    given = np.bincount(labels, minlength=num_classes) / count
    guessed = np.bincount(predicted, minlength=num_classes) / count
    # The chance of a model that knows all labels.
    best = given @ given
    if np.sqrt((1 - best) * (count - 1)) < VISIBLE * np.sqrt(best):
        return None  # Too few samples to tell.
    most = int(guessed.argmax())
    if guessed[most] >= NEARLY_ALL and given[most] < 0.9:
        return (
            f"it predicts one class, number {most}, for "
            f"{100 * guessed[most]:.3g} % of the samples"
        )
    agreement = float(np.mean(labels == predicted))
    chance = float(given @ guessed)
    # Both variances are exact: labels or outputs are permuted.
    of_labels: Any = chance + chance**2 - (given * guessed) @ (given + guessed)
    cells, counts = np.unique(
        labels * np.int64(num_classes) + predicted, return_counts=True
    )
    joint = counts / count
    row, column = np.divmod(cells, num_classes)
    of_outputs: Any = joint @ (joint - 2 * given[row] * guessed[column]) + (
        given @ given
    ) * (guessed @ guessed)
    above = agreement - chance
    needed = max(
        ABOVE * np.sqrt(max(of_labels, 0) / (count - 1)),
        # A permutation of two or three outputs is often the right one.
        min(2, 0.35 * (num_classes - 1))
        * np.sqrt(max(of_outputs, 0) / (num_classes - 1)),
    )
    if above > max(needed, 1e-9):
        return None
    return (
        f"it predicts the given label of {100 * agreement:.3g} % of the "
        f"samples, and by chance it would be {100 * chance:.3g} %"
    )
