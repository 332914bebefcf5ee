"""Whether predictions match the given labels better than chance."""

from typing import Any

import numpy as np

#: Agreement must be this many standard deviations above chance. Samples are
#: too few to judge if perfect agreement would not reach the second number.
ABOVE, VISIBLE = 3.0, 6.0
#: Above this share of the predictions a class counts as the only prediction.
NEARLY_ALL = 0.99


def learned_nothing(
    labels: np.ndarray, predicted: np.ndarray, num_classes: int
) -> str | None:
    """Evidence that a model has learned nothing, None if there is none.

    Agreement must exceed two chance levels: the agreement of independent
    labels and predictions with the same class shares, and the agreement after
    a random permutation of the outputs. The second one is that of a fresh
    network, which separates some classes but under the wrong names.
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
    # Both are exact variances under permutations: of labels, of outputs.
    of_labels: Any = chance + chance**2 - (given * guessed) @ (given + guessed)
    cells, counts = np.unique(
        labels * np.int64(num_classes) + predicted, return_counts=True
    )
    joint = counts / count
    row, column = np.divmod(cells, num_classes)
    of_outputs: Any = joint @ (joint - 2 * given[row] * guessed[column])
    of_outputs += best * (guessed @ guessed)
    above = agreement - chance
    needed = max(
        ABOVE * np.sqrt(max(of_labels, 0) / (count - 1)),
        # With two or three outputs a random permutation is often right.
        min(2, 0.35 * (num_classes - 1))
        * np.sqrt(max(of_outputs, 0) / (num_classes - 1)),
    )
    if above > max(needed, 1e-9):
        return None
    return (
        f"it predicts the given label of {100 * agreement:.3g} % of the "
        f"samples, and by chance it would be {100 * chance:.3g} %"
    )
