"""A score for each training sample: how likely its label is wrong."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import boolean, integer
from keras_noisy._given import opened_files
from keras_noisy._torch_random import same_random_state
from keras_noisy.callbacks.label_quality import _training_set
from keras_noisy.callbacks.label_quality.findings import Findings
from keras_noisy.quality import Decisions, Estimate


class LabelQuality(keras.callbacks.Callback):
    """Finds the wrong labels of a training set, while a model trains on it.

    Use it to clean a data set, or to see what a model memorizes. Pass it to
    `fit`, then get the `suspects` and an `estimate` of how many labels are
    wrong, let `clean` drop or relabel them, or write a `report` that a person
    reviews in a browser. After each epoch it predicts the training samples and
    updates four scores of each. A higher score means that the label is more
    likely wrong:

    - `"area_under_margin"`: minus the margin, averaged over the epochs. The
      margin is the log-probability (or logit) of the given label minus the
      largest one of the other classes.
    - `"margin"`: minus the margin of the last epoch.
    - `"loss"`: the cross-entropy of the given label in the last epoch, the
      small-loss criterion.
    - `"forgetting"`: how many times the given label was predicted after one
      epoch and not after the next. If it was never predicted, the score is the
      number of epochs, which is above any such count.

    The scores are most useful before the wrong labels are memorized, so train
    for a few epochs or with a robust loss. They continue over several calls of
    `fit`; use a new callback for a new model. Samples are predicted as in
    evaluation, without augmentation and dropout. The predictions of 8192 labels
    are in memory at a time, and 30 bytes are kept for each label. The model
    trains the same with the callback as without it.

    Each label of a token, a pixel or one of several outputs has its own score;
    `sample_scores` gives the score of the worst label of each sample. Arrays,
    lists and columns of a table are read by position; the index of a table is
    ignored. If the predictions agree with the labels no better than chance, a
    warning says so.

    Args:
        x: All training samples, as an array or anything else that
            `model.predict` takes, such as a `tf.data.Dataset` or a
            `keras.utils.PyDataset`, in the order of `y` in every epoch. It must
            not shuffle, unless it gives integer labels with their index, as
            `with_index` returns. If a data set gives labels, they are compared
            with `y`. Or, with `image_size`, the paths of images, or the folder
            or table that `y` is read from.
        y: The given labels, integers of shape `(N,)` or `(N, 1)`, or the result
            of `keras_noisy.losses.with_index`, for outputs of shape
            `(N, num_classes)`, or `(N, 1)` for labels 0 and 1. Labels of
            tokens, `(N, T)`, or pixels, `(N, H, W)`, need outputs with one more
            axis. If the images are files, pass an `ImageFiles` or anything
            that `ImageDataset` reads: a folder of class folders, a CSV file or
            a table of paths and labels; it gives pictures, labels and names.
        clean_labels: The true labels if they are known, of the same shape;
            -1 for a sample that belongs to no class. With them, the logs of
            each epoch have `memorization_rate`, the share of wrongly labeled
            samples whose wrong label is predicted, and `clean_accuracy`, the
            share of all samples whose true label is predicted. `History` and
            the callbacks after this one see them, in place of metrics with
            these names. Defaults to `None`.
        class_names: The name of each class, or with `multi_label` of each
            output, for the picture and the report: a list in the order of the
            labels, or a mapping from label to name. Defaults to `None`, the
            names in `y`, or else the numbers.
        batch_size: Number of samples to predict at once. Defaults to `256`.
        from_logits: Whether the model returns logits. Defaults to `False`,
            probabilities; those below 1e-38 count as 1e-38.
        start_epoch: First epoch that counts, numbered from 0 as in `fit`. Pass
            `initial_epoch` to a second `fit`. Defaults to `0`.
        images: A picture of each sample, for the picture and the report:
            arrays of shape (height, width) or (height, width, channels), or
            paths of files. Defaults to `None`: the files of `y`, or `x` if it
            is such an array or lists files.
        ignore_class: A label that has no score and is never a suspect, such as
            the label of padding; the `ignore_class` of the loss. Defaults to
            `None`.
        multi_label: Whether each output is a separate label, a sigmoid or a
            logit, with labels 0 and 1 of the same shape `(N, labels)`.
            Defaults to `False`.
        top: How many of the likeliest classes of the last epoch to keep, such
            as 5, to choose from on the page of `report`; each takes 4 bytes.
            `clean` then relabels to the likeliest class other than the given
            one. Defaults to `0`, none.
        image_size: Height and width, an integer for both, if `x` lists files
            of images. They are read as `ImageDataset` does, in [0, 1]; if the
            model expects other inputs, pass the data set that gives them.
            Defaults to `None`.

    Returns:
        A callback for `model.fit(..., callbacks=[...])`.

    Raises:
        ValueError: If an argument is outside its range, if lengths differ, if
            `x` shuffles, or if predictions are not probabilities.
        RuntimeError: If scores are requested before the first epoch that
            counts.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.callbacks import LabelQuality
    >>> x = np.repeat(np.eye(3), 20, axis=0)
    >>> y = np.repeat([0, 1, 2], 20)
    >>> y[7] = 2  # a wrong label
    >>> quality = LabelQuality(x, y)
    >>> model = keras.Sequential([keras.layers.Dense(3, "softmax")])
    >>> optimizer = keras.optimizers.SGD(1.0)
    >>> model.compile(optimizer, "sparse_categorical_crossentropy")
    >>> _ = model.fit(x, y, epochs=9, callbacks=[quality], verbose=0)
    >>> quality.suspects(1)
    array([7])

    References:
        - Pleiss et al., Identifying mislabeled data using the area under the
          margin ranking, NeurIPS 2020, arXiv 2001.10528
        - Toneva et al., An empirical study of example forgetting during deep
          neural network learning, ICLR 2019, arXiv 1812.05159
        - Han et al., Co-teaching: Robust training of deep neural networks
          with extremely noisy labels, NeurIPS 2018, arXiv 1804.06872
        - Liu et al., Early-learning regularization prevents memorization of
          noisy labels, NeurIPS 2020, arXiv 2007.00151
    """

    def __init__(
        self,
        x: Any,
        y: Any,
        clean_labels: Any = None,
        class_names: Sequence[str] | Mapping[int, str] | None = None,
        batch_size: int = 256,
        from_logits: bool = False,
        start_epoch: int = 0,
        images: Any = None,
        ignore_class: int | None = None,
        multi_label: bool = False,
        top: int = 0,
        image_size: int | tuple[int, int] | None = None,
    ):
        super().__init__()
        self.batch_size = integer("batch_size", batch_size, 1)
        self._findings = Findings(
            y, clean_labels, class_names, images, ignore_class, multi_label, top
        )
        x, elements = opened_files(x), self._findings.elements
        self.x = _training_set.samples(x, elements, self.batch_size, image_size)
        if self.images is None:
            self.images = _training_set.pictures_in(x, elements, image_size)
        self.from_logits = boolean("from_logits", from_logits)
        self.start_epoch = integer("start_epoch", start_epoch, 0)

    def on_epoch_end(
        self, epoch: int, logs: dict[str, Any] | None = None
    ) -> None:
        """Predict the training samples, update scores and logs."""
        if epoch < self.start_epoch and self.clean_labels is None:
            return
        findings = self._findings
        predictions = _training_set.predict(
            self.model, self.x, findings.elements, self.batch_size
        )
        with same_random_state():
            found = findings.compare(predictions, self.from_logits)
        if logs is not None:
            logs.update(findings.rates(found))
        if epoch >= self.start_epoch:
            findings.update(found)

    @property
    def findings(self) -> Findings:
        """The findings so far; an error before the first epoch that counts."""
        if self._findings.epochs == 0:
            raise RuntimeError(
                "LabelQuality has seen no epoch yet. Pass it to "
                "`model.fit(..., callbacks=[quality])`; epochs count from "
                f"`start_epoch={self.start_epoch}` on"
            )
        return self._findings

    @property
    def labels(self) -> np.ndarray:
        """The given labels, int64 of shape `(N,)`, or one for each element."""
        return self._findings.labels

    @property
    def clean_labels(self) -> np.ndarray | None:
        """The true labels, if they are known."""
        return self._findings.clean_labels

    @property
    def class_names(self) -> Sequence[str] | None:
        """A name for each class; without names, numbers after an epoch."""
        return self._findings.class_names

    @property
    def images(self) -> Any:
        """A picture of each sample; can also be set later."""
        return self._findings.images

    @images.setter
    def images(self, images: Any) -> None:
        self._findings.images = images

    def scores(self, score: str | None = None) -> np.ndarray:
        """See `Findings.scores`."""
        return self.findings.scores(score)

    def sample_scores(self, score: str | None = None) -> np.ndarray:
        """See `Findings.sample_scores`."""
        return self.findings.sample_scores(score)

    def estimate(self) -> Estimate:
        """See `Findings.estimate`."""
        return self.findings.estimate()

    @property
    def threshold(self) -> float:
        """See `Findings.threshold`."""
        return self.findings.threshold

    def suspects(
        self,
        n: int | None = None,
        score: str | None = None,
        label: int | None = None,
    ) -> np.ndarray:
        """See `Findings.suspects`."""
        return self.findings.suspects(n, score, label)

    def clean(
        self,
        x: Any,
        y: Any = None,
        action: str = "drop",
        n: int | None = None,
        score: str | None = None,
    ) -> tuple[Any, ...]:
        """See `Findings.clean`."""
        return self.findings.clean(x, y, action, n, score)

    def precision_recall(
        self, n: int | None = None, score: str | None = None
    ) -> tuple[float, float]:
        """See `Findings.precision_recall`."""
        return self.findings.precision_recall(n, score)

    def plot(
        self,
        n: int = 24,
        score: str | None = None,
        label: int | None = None,
    ) -> Any:
        """See `Findings.plot`."""
        return self.findings.plot(n, score, label)

    def report(
        self,
        path: str | os.PathLike,
        n: int | None = 500,
        score: str | None = None,
        title: str = "Label quality",
        texts: Any = None,
    ) -> Path:
        """See `Findings.report`."""
        return self.findings.report(path, n, score, title, texts)

    def decisions(self, path: str | os.PathLike) -> Decisions:
        """See `Findings.decisions`."""
        return self._findings.decisions(path)

    def save(self, path: str | os.PathLike) -> None:
        """See `Findings.save`."""
        self.findings.save(path)

    def load(self, path: str | os.PathLike) -> None:
        """See `Findings.load`."""
        self._findings.load(path)
