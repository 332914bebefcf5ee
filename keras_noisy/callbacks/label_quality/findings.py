"""What the predictions of several epochs say about the given labels."""

from __future__ import annotations

import os
import warnings
from collections.abc import Sequence
from pathlib import Path
from typing import Any, cast

import numpy as np

from keras_noisy._arguments import integer, invalid
from keras_noisy.callbacks.label_quality._learned import advice, learned_nothing
from keras_noisy.callbacks.label_quality._pictures import figure, with_notes
from keras_noisy.callbacks.label_quality._report import report_page
from keras_noisy.callbacks.label_quality._scores import (
    Scores,
    Statistics,
    statistics,
)


class Findings:
    """Answers which labels are likely wrong, and shows the samples.

    A `LabelQuality` makes it and feeds it. It knows no model, so that a
    training loop of your own can feed it too: call `compare` with the
    predictions of all samples, in order, and `update` with what it returns.

    Args:
        labels: The given labels, integers of shape `(N,)`.
        clean_labels: The true labels, if they are known. Defaults to
            `None`.
        class_names: A name for each class. Defaults to `None`, the numbers.
        images: A picture of each sample. Defaults to `None`, no pictures.

    Raises:
        ValueError: If predictions do not fit the labels.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.callbacks.label_quality import Findings
    >>> findings = Findings(np.array([0, 1, 0]))
    >>> predictions = np.array([[0.9, 0.1], [0.2, 0.8], [0.3, 0.7]])
    >>> findings.update(findings.compare(predictions))
    >>> findings.suspects(1)
    array([2])

    References:
        - Pleiss et al., Identifying mislabeled data using the area under the
          margin ranking, NeurIPS 2020, arXiv 2001.10528
    """

    def __init__(
        self,
        labels: np.ndarray,
        clean_labels: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        images: Any = None,
    ):
        self.labels = labels
        self.clean_labels = clean_labels
        self.class_names = class_names
        self.images = images
        self._scores = Scores(labels)
        self._has_warned = False

    @property
    def epochs(self) -> int:
        """Number of epochs that count."""
        return self._scores.epochs

    @property
    def predicted(self) -> np.ndarray:
        """The class predicted for each sample in the last epoch."""
        return self._scores.last.predicted

    def compare(
        self, predictions: np.ndarray, from_logits: bool = False
    ) -> Statistics:
        """Compare the predictions of all samples with their labels.

        Args:
            predictions: Probabilities or logits of shape `(N, num_classes)`.
            from_logits: Whether they are logits. Defaults to `False`.

        Returns:
            Loss, margin, predicted class and its probability, each of shape
            `(N,)`, for `update` and `rates`.
        """
        found = statistics(predictions, self.labels, from_logits)
        num_classes = predictions.shape[1]
        if self.class_names is None:
            self.class_names = [str(label) for label in range(num_classes)]
        if len(self.class_names) != num_classes:
            raise invalid(
                "class_names",
                self.class_names,
                f"{num_classes} names, as the model has that many outputs",
            )
        clean = self.clean_labels
        if clean is not None and clean.max() >= num_classes:
            raise invalid(
                "clean_labels",
                clean,
                f"labels below {num_classes}, the outputs of the model",
            )
        return found

    def update(self, epoch: Statistics) -> None:
        """Count one more epoch.

        Args:
            epoch: What `compare` returned.
        """
        self._scores.update(epoch)

    def rates(self, epoch: Statistics) -> dict[str, float]:
        """How far predictions agree with wrong and with clean labels.

        Args:
            epoch: What `compare` returned.

        Returns:
            `memorization_rate` and `clean_accuracy`; nothing without clean
            labels.
        """
        if self.clean_labels is None:
            return {}
        memorized = (epoch.predicted == self.labels)[self._wrong()]
        clean = epoch.predicted == self.clean_labels
        return {
            "memorization_rate": float(
                memorized.sum() / max(1, len(memorized))
            ),
            "clean_accuracy": float(clean.mean()),
        }

    def scores(self, score: str = "area_under_margin") -> np.ndarray:
        """The score of each sample, higher where its label is likelier wrong.

        Args:
            score: `"area_under_margin"`, `"margin"`, `"loss"` or
                `"forgetting"`. Defaults to `"area_under_margin"`.

        Returns:
            A float64 array of shape `(N,)`.
        """
        return self._scores.of(score)

    def suspects(
        self,
        n: int,
        score: str = "area_under_margin",
        label: int | None = None,
    ) -> np.ndarray:
        """The samples whose labels are most likely wrong, the worst first.

        Ties are in the order of the area under the margin.

        Args:
            n: How many, at most.
            score: See `scores`. Defaults to `"area_under_margin"`.
            label: Only samples that were given this label. Defaults to
                `None`, all.

        Returns:
            Indices, an int64 array of shape `(n,)`.
        """
        n = integer("n", n, 1)
        order = self._scores.order(score)
        warning = None if self._has_warned else self.warning()
        if warning:
            self._has_warned = True
            # Name the line that asked the callback.
            warnings.warn(warning, stacklevel=3)
        if label is not None:
            order = order[self.labels[order] == integer("label", label)]
            if len(order) == 0:
                raise invalid("label", label, "a label that `y` has")
        return order[:n]

    def precision_recall(
        self, n: int | None = None, score: str = "area_under_margin"
    ) -> tuple[float, float]:
        """How well the suspects meet the wrong labels, against the clean ones.

        Args:
            n: Number of suspects. Defaults to `None`, the number of labels
                that are wrong, where precision and recall are the same.
            score: See `scores`. Defaults to `"area_under_margin"`.

        Returns:
            The share of wrong labels among the suspects, and the share of
            suspects among the wrong labels.
        """
        if self.clean_labels is None:
            raise ValueError(
                "Precision and recall need the true labels: build "
                "LabelQuality with `clean_labels`"
            )
        wrong = self._wrong()
        if not wrong.any():
            raise ValueError(
                "Precision and recall need a wrong label, but `y` is equal to "
                "`clean_labels`"
            )
        hits = wrong[self.suspects(wrong.sum() if n is None else n, score)]
        return float(hits.mean()), float(hits.sum() / wrong.sum())

    def plot(
        self,
        n: int = 24,
        score: str = "area_under_margin",
        label: int | None = None,
    ) -> Any:
        """Plot the samples whose labels are most likely wrong.

        Needs matplotlib: `pip install "keras-noisy[plot]"`.

        Args:
            n: How many, at most. Defaults to `24`.
            score: See `scores`. Defaults to `"area_under_margin"`.
            label: Only samples that were given this label. Defaults to
                `None`, all.

        Returns:
            A `matplotlib.figure.Figure`; call its `savefig`.
        """
        suspects = self.suspects(n, score, label)
        names = self._names()
        titles = [
            [
                f"given {names[self.labels[i]]}",
                f"predicted {names[self.predicted[i]]}",
            ]
            for i in suspects
        ]
        return figure(with_notes(self.images, suspects), titles)

    def report(
        self,
        path: str | os.PathLike,
        n: int = 500,
        score: str = "area_under_margin",
        title: str = "Label quality",
    ) -> Path:
        """Write a page on which a person goes through the suspects.

        One HTML file that a browser opens without a network: the pictures
        with given and predicted label and scores, to filter and to sort, a
        decision to keep or to drop each sample, and the indices of the kept
        and the dropped ones to download as CSV. Needs Pillow: `pip
        install pillow`.

        Args:
            path: The file to write.
            n: How many suspects to show, at most. Defaults to `500`.
            score: See `scores`. Defaults to `"area_under_margin"`.
            title: The title of the page. Defaults to `"Label quality"`.

        Returns:
            The path.
        """
        path = Path(path)
        page = report_page(
            self._scores,
            self.suspects(n, score),
            score=score,
            title=title,
            images=self.images,
            class_names=self._names(),
            clean_labels=self.clean_labels,
            warning=self.warning(),
        )
        path.write_text(page, encoding="utf-8")
        return path

    def warning(self) -> str | None:
        """What speaks against the order of the suspects, `None` if nothing.

        Returns:
            A text that says what to do.
        """
        finding = learned_nothing(
            self.labels, self.predicted, len(self._names())
        )
        return finding and advice(finding)

    def _names(self) -> Sequence[str]:
        # Known since the first epoch, and not asked for before.
        return cast(Sequence[str], self.class_names)

    def _wrong(self) -> np.ndarray:
        return self.labels != self.clean_labels
