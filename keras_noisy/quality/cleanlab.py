"""Conversion to and from cleanlab, which the extra `cleanlab` installs."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import keras
import numpy as np

from keras_noisy._arguments import boolean, invalid
from keras_noisy._containers import as_array, without_tensor
from keras_noisy._label_arrays import class_labels
from keras_noisy._new_models import built, check_builder, train
from keras_noisy._stochastic import (
    labels_of,
    of_model,
    predictions,
    transition_matrix,
)
from keras_noisy._torch_random import same_random_state
from keras_noisy.distribution import divisible


def find_label_issues(
    probabilities: Any, y: Any, **arguments: Any
) -> np.ndarray:
    """Find wrong labels with cleanlab's confident learning.

    Use it to compare with `PredictionQuality`, or if you already know
    cleanlab. It needs `pip install "cleanlab>=2.8"`.

    Args:
        probabilities: Predictions of models that have not seen the samples,
            of shape `(N, num_classes)`, such as those of
            `keras_noisy.noise.out_of_fold_probabilities`.
        y: The given labels, integers of shape `(N,)` or `(N, 1)`.
        **arguments: Passed to `cleanlab.filter.find_label_issues`.

    Returns:
        Indices of the samples, the most likely wrong labels first.

    Raises:
        ValueError: If rows are not probabilities, or lengths differ.
        ImportError: If cleanlab is not installed.

    Example:

    >>> import numpy as np
    >>> from keras_noisy.quality import find_label_issues
    >>> p = np.repeat([[0.9, 0.1], [0.1, 0.9]], 20, axis=0)
    >>> y = np.repeat([0, 1], 20)
    >>> y[3] = 1  # a wrong label
    >>> find_label_issues(p, y, n_jobs=1).tolist()
    [3]
    """
    rows = predictions(probabilities)
    labels = labels_of(rows, "y", y)
    try:
        from cleanlab.filter import find_label_issues as find
    except ImportError as error:
        raise ImportError(
            'find_label_issues needs cleanlab: pip install "cleanlab>=2.8"'
        ) from error
    settings = {
        "return_indices_ranked_by": "self_confidence",
        **arguments,
    }
    rows /= rows.sum(axis=1, keepdims=True)
    return np.asarray(find(labels.astype("int64"), rows, **settings))


def to_noise_matrix(transition: Any) -> np.ndarray:
    """Convert a transition matrix to cleanlab's `noise_matrix`.

    `CleanLearning.fit` takes the result. Its columns are the true classes, so
    it is the transpose of the transition matrix.

    Args:
        transition: `P(given = j | true = i)`, row-stochastic, of shape
            `(num_classes, num_classes)`, such as `transition` of an
            `Estimate`.

    Returns:
        A float64 array whose columns sum to 1.

    Raises:
        ValueError: If `transition` is not a row-stochastic square matrix.

    Example:

    >>> from keras_noisy.quality import to_noise_matrix
    >>> to_noise_matrix([[0.9, 0.1], [0.3, 0.7]])
    array([[0.9, 0.3],
           [0.1, 0.7]])
    """
    return transition_matrix("transition", transition).T.copy()


def from_noise_matrix(noise_matrix: Any) -> np.ndarray:
    """Convert cleanlab's `noise_matrix` to a transition matrix.

    Use the result for losses such as `ForwardCorrection`.

    Args:
        noise_matrix: `P(given = i | true = j)`, whose columns sum to 1.

    Returns:
        A float64 array whose rows sum to 1.

    Raises:
        ValueError: If the columns do not sum to 1.

    Example:

    >>> from keras_noisy.quality import from_noise_matrix
    >>> from_noise_matrix([[0.9, 0.3], [0.1, 0.7]])
    array([[0.9, 0.1],
           [0.3, 0.7]])
    """
    try:
        columns = np.asarray(without_tensor(noise_matrix))
        return transition_matrix("noise_matrix", columns.T)
    except ValueError as error:
        expected = (
            "a square matrix of at least 2 classes, without negative entries, "
            "whose columns sum to 1; a transition matrix, whose rows do, needs "
            "no conversion"
        )
        raise invalid("noise_matrix", noise_matrix, expected) from error


def _inputs(X: Any) -> Any:
    """Inputs of a model: an array, or a sparse matrix of SciPy by rows."""
    return X.tocsr() if hasattr(X, "tocsr") else as_array("X", X)


class KerasClassifier:
    """A Keras model as a classifier that scikit-learn and cleanlab train.

    Use it for `cleanlab.classification.CleanLearning`, Datalab and
    `sklearn.model_selection.cross_val_predict`. It has `fit`, `predict` and
    `predict_proba`, and each `fit` builds a new model.

    Args:
        build_model: Function of no arguments that returns a new compiled
            model with an output for each class.
        from_logits: Whether the model returns logits. Defaults to `False`.
        **fit_arguments: Passed to `fit` of the model, such as `epochs`;
            `verbose` defaults to 0.

    Returns:
        A classifier.

    Raises:
        ValueError: If labels are not classes of the model, or predictions are
            not probabilities.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.quality import KerasClassifier
    >>> def build_model():
    ...     layers = [keras.Input((4,)), keras.layers.Dense(3, "softmax")]
    ...     model = keras.Sequential(layers)
    ...     model.compile("sgd", "sparse_categorical_crossentropy")
    ...     return model
    >>> x, y = np.zeros((30, 4)), np.arange(30) % 3
    >>> KerasClassifier(build_model, epochs=2).fit(x, y).predict_proba(x).shape
    (30, 3)

    References:
        - Northcutt et al., Confident learning: estimating uncertainty in
          dataset labels, JAIR 2021, arXiv 1911.00068
    """

    _estimator_type = "classifier"

    def __init__(
        self,
        build_model: Callable[[], keras.Model],
        from_logits: bool = False,
        **fit_arguments: Any,
    ):
        check_builder(build_model)  # Raise here rather than in `fit`.
        self.build_model = build_model
        self.from_logits = boolean("from_logits", from_logits)
        self.fit_arguments = fit_arguments

    def fit(self, X: Any, y: Any, sample_weight: Any = None) -> KerasClassifier:
        """Train a new model.

        Args:
            X: Inputs, an array of shape `(N, ...)`.
            y: Labels, integers of shape `(N,)`.
            sample_weight: Weights of shape `(N,)`. Defaults to `None`.

        Returns:
            The classifier itself.

        Raises:
            ValueError: If the labels are not classes of the model.
        """
        inputs, labels = _inputs(X), class_labels("y", y)
        self.model_ = built(self.build_model)
        # Losses of Keras fail without a word about the labels, or train.
        with same_random_state():
            classes = self.predict_proba(inputs[:1]).shape[1]
        if labels.max(initial=0) >= classes:
            raise invalid("y", int(labels.max()), f"labels below {classes}")
        self.classes_ = np.arange(classes)
        train(
            self.model_,
            inputs,
            labels,
            sample_weight=sample_weight,
            **self.fit_arguments,
        )
        return self

    def predict_proba(self, X: Any) -> np.ndarray:
        """Probabilities of the classes.

        Args:
            X: Inputs, an array of shape `(N, ...)`.

        Returns:
            A float64 array of shape `(N, num_classes)`.

        Raises:
            ValueError: If the outputs are not probabilities.
        """
        if not hasattr(self, "model_"):
            raise RuntimeError("Call `fit` before `predict_proba`")
        inputs = _inputs(X)
        if not inputs.shape[0]:
            raise invalid("X", inputs.shape, "at least one sample")
        predicted = divisible.predict(
            self.model_, inputs, self.fit_arguments.get("batch_size")
        )
        return of_model(np.asarray(predicted, "float64"), self.from_logits)

    def predict(self, X: Any) -> np.ndarray:
        """The likeliest classes.

        Args:
            X: Inputs, an array of shape `(N, ...)`.

        Returns:
            An int64 array of shape `(N,)`.
        """
        return self.predict_proba(X).argmax(axis=1)

    def score(self, X: Any, y: Any, sample_weight: Any = None) -> float:
        """The share of correct predictions.

        Args:
            X: Inputs, an array of shape `(N, ...)`.
            y: Labels, integers of shape `(N,)`.
            sample_weight: Weights of shape `(N,)`. Defaults to `None`.

        Returns:
            The accuracy.
        """
        right = self.predict(X) == class_labels("y", y)
        return float(np.average(right, weights=sample_weight))

    def __sklearn_tags__(self) -> Any:
        """What scikit-learn from 1.6 on reads in place of `_estimator_type`."""
        from sklearn.utils import ClassifierTags, Tags, TargetTags

        return Tags(
            estimator_type="classifier",
            target_tags=TargetTags(required=True),
            classifier_tags=ClassifierTags(),
        )

    def get_params(self, deep: bool = True) -> dict[str, Any]:
        """The arguments, which scikit-learn needs to copy a classifier.

        Args:
            deep: Unused; scikit-learn passes it.

        Returns:
            The arguments by name.
        """
        return {
            "build_model": self.build_model,
            "from_logits": self.from_logits,
            **self.fit_arguments,
        }

    def set_params(self, **params: Any) -> KerasClassifier:
        """Change arguments.

        Args:
            **params: Arguments by name.

        Returns:
            The classifier itself.
        """
        self.__init__(**{**self.get_params(), **params})  # type: ignore[misc]
        return self
