"""The ranking of labels by how likely they are wrong."""

from __future__ import annotations

import copy
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import choice, integer, invalid
from keras_noisy._elements import Elements
from keras_noisy._given import by_position
from keras_noisy._warn import warn
from keras_noisy.quality.estimate import Estimate
from keras_noisy.quality.evidence import Evidence


class Ranked:
    """Scores, suspects and the estimated number of wrong labels.

    Internally labels and scores are flat arrays of the elements that are not
    ignored; public methods return the shape of the given labels.
    """

    def __init__(
        self,
        labels: np.ndarray | Elements,
        evidence: Evidence,
        clean_labels: np.ndarray | None = None,
        class_names: Sequence[str] | None = None,
        images: Any = None,
    ):
        if not isinstance(labels, Elements):
            labels = Elements(labels)
        self.elements = labels
        self.evidence = evidence
        self.clean_labels = clean_labels
        self.class_names = class_names
        self.images = images
        #: Whether a model predicts two classes with one output.
        self.is_single = self.elements.multi_label
        self._estimate: Estimate | None = None
        self._has_warned = False

    @property
    def images(self) -> Any:
        """A picture of each sample, by position; can also be set later."""
        return self._images

    @images.setter
    def images(self, images: Any) -> None:
        if images is not None:
            images = by_position("images", images, len(self.elements.given))
        self._images = images

    @property
    def labels(self) -> np.ndarray:
        """A copy of the given labels, in their original shape."""
        return self.elements.given.copy()

    @property
    def predicted(self) -> np.ndarray:
        """The predicted class for each label, in the shape of the labels.

        Labels without a score get `ignore_class`.
        """
        elements = self.elements
        found = elements.put(self.evidence.predicted, elements.ignore_class)
        return found.copy()

    def scores(self, score: str | None = None) -> np.ndarray:
        """The score of each label, higher where it is likelier wrong.

        Args:
            score: The name of the score. Defaults to `None`, the first.

        Returns:
            A float64 array in the shape of the labels, such as `(N,)`, with
            NaN where a label is `ignore_class`.

        Raises:
            ValueError: If there is no such score.
        """
        return self.elements.put(self.evidence.of(self._named(score)), np.nan)

    def sample_scores(self, score: str | None = None) -> np.ndarray:
        """The score of each sample: the score of its worst label.

        `np.argsort(-scores)` puts the worst samples first.

        Args:
            score: The name of the score. Defaults to `None`, the first.

        Returns:
            A float64 array of shape `(N,)`, NaN where all labels of a sample
            are `ignore_class`.

        Raises:
            ValueError: If there is no such score.
        """
        return self.elements.worst(self.evidence.of(self._named(score)))

    def estimate(self) -> Estimate:
        """Estimate how many labels are wrong, and the transition matrix.

        If samples have several labels, each label counts, and the interval
        treats them as independent. With `multi_label` all outputs are pooled
        into the classes 0 and 1.

        Returns:
            An `Estimate`.
        """
        # The suspects depend on it, whatever a caller does to its arrays.
        return copy.deepcopy(self._own_estimate())

    def _own_estimate(self) -> Estimate:
        """The estimate itself, as a copy takes time for many classes."""
        if self._estimate is None:
            self._estimate = self.evidence.estimate(len(self._names()))
        return self._estimate

    @property
    def threshold(self) -> float:
        """The default score at which the estimated number are suspects.

        It is infinite if no label is estimated to be wrong.
        """
        count = self._own_estimate().count
        if count == 0:
            return np.inf
        return float(np.sort(self.evidence.of(self._named(None)))[-count])

    def suspects(
        self,
        n: int | None = None,
        score: str | None = None,
        label: int | None = None,
    ) -> np.ndarray:
        """The labels that are most likely wrong, the worst first.

        The default score breaks ties, then how sure the prediction is, and
        then chance.

        Args:
            n: Maximum number of suspects. Defaults to `None`, the estimated
                number of wrong labels.
            score: See `scores`. Defaults to `None`, the first.
            label: Only samples with this given label. Defaults to `None`, all
                labels.

        Returns:
            Indices of the samples, an int64 array of shape `(n,)`. If samples
            have several labels, one row of indices per label:
            `y[tuple(suspects.T)]` are the labels.

        Raises:
            ValueError: If `n` is not an integer of at least 1, or there is no
                such score or label.
        """
        return self.elements.indices(self.found(n, score, label))

    def precision_recall(
        self, n: int | None = None, score: str | None = None
    ) -> tuple[float, float]:
        """Precision and recall of the suspects, given the clean labels.

        Args:
            n: Number of suspects. Defaults to `None`, the number of wrong
                labels, at which precision and recall are equal.
            score: See `scores`. Defaults to `None`, the first.

        Returns:
            The share of wrong labels among the suspects, and the share of
            suspects among the wrong labels.

        Raises:
            ValueError: If there are no clean labels, or no label is wrong.
        """
        if self.clean_labels is None:
            raise ValueError(
                "Precision and recall need the true labels: pass "
                "`clean_labels` at the beginning"
            )
        wrong = self.wrong()
        if not wrong.any():
            raise ValueError(
                "Precision and recall need a wrong label, but `y` equals "
                "`clean_labels`"
            )
        hits = wrong[self.found(wrong.sum() if n is None else n, score)]
        return float(hits.mean()), float(hits.sum() / wrong.sum())

    def warning(self) -> str | None:
        """A warning if the order of the suspects is not reliable, or `None`.

        Returns:
            A text that says what to do, or `None`.
        """
        return self.evidence.warning(len(self._names()))

    def found(
        self,
        n: int | None = None,
        score: str | None = None,
        label: int | None = None,
    ) -> np.ndarray:
        """The suspects, as positions among the labels that have a score."""
        if n is not None:
            n = integer("n", n, 1)
        order = self.evidence.order(self._named(score))
        self._warn()
        if n is None:
            order = order[: self._own_estimate().count]
        if label is not None:
            label, labels = integer("label", label), self.elements.labels
            if not np.any(labels == label):
                raise invalid("label", label, "a label that `y` has")
            order = order[labels[order] == label]
        return order[:n]

    def fit_to(self, columns: int) -> None:
        """Set the class names for outputs with `columns` numbers per label.

        Raises an error if names or clean labels do not fit.
        """
        num_classes, names = max(columns, 2), self.class_names
        self.is_single = columns == 1
        if self.elements.multi_label:
            pass  # Names belong to the outputs.
        elif names is None:
            self.class_names = [str(label) for label in range(num_classes)]
        elif len(names) != num_classes:
            expected = f"{num_classes} names, as outputs have that many classes"
            raise invalid("class_names", names, expected)
        clean = self.clean_labels
        if clean is not None and self.elements.take(clean).max() >= num_classes:
            expected = f"labels below {num_classes}, the classes of the outputs"
            raise invalid("clean_labels", clean, expected)

    def mended(self, found: np.ndarray) -> np.ndarray:
        """New labels for suspects.

        If the likeliest classes are stored, the new label is the likeliest one
        that differs from the given label, else the predicted class.
        """
        choices = self.evidence.choices(found)
        if choices is None or choices[0].shape[1] < 2:
            return self.evidence.predicted[found]
        first, second = choices[0][:, 0], choices[0][:, 1]
        return np.where(first == self.elements.labels[found], second, first)

    def wrong(self) -> np.ndarray:
        """Which of the labels that have a score are wrong."""
        clean: Any = self.clean_labels
        return self.elements.labels != self.elements.take(clean)

    def _warn(self) -> None:
        warning = None if self._has_warned else self.warning()
        if warning:
            self._has_warned = True
            warn(warning)

    def _named(self, score: str | None) -> str:
        names = self.evidence.names
        return names[0] if score is None else choice("score", score, names)

    def _names(self) -> Sequence[str]:
        """The name of each class."""
        if self.elements.multi_label:
            return ("no", "yes")
        # None before the first epoch, for which the evidence raises an error.
        return self.class_names or ()
