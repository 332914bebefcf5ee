"""Training without back-propagation, with the HSIC bottleneck."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import integer, invalid, real
from keras_noisy._replicas import device_count
from keras_noisy.hsic.matrices import bandwidth
from keras_noisy.training._bottleneck import (
    check_compiled,
    check_paths,
    checked_blocks,
    copy,
    loaded,
    objective,
    one_hot,
)
from keras_noisy.training._masks import averaged, stopped

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class HSICBottleneck(keras.Model):
    """Trains each block of a network on its own, without back-propagation.

    Each block learns to depend on the labels as much as possible and on the
    inputs as little as possible. No gradient passes between blocks: gradients
    of a deep network cannot explode or vanish, and no block waits for later
    ones. All blocks learn from one forward pass, each from the outputs that
    the others had before the step. The kernels compare samples within a
    batch, so use large batches, 256 or more, inputs scaled to about 1, and
    blocks that normalize their outputs, as in the example.

    With a `classifier` the last block also feeds a layer that trains at the
    same time with the compiled loss, whose gradient stops at the blocks. (The
    paper trains it afterwards; freeze the blocks for that.) Without a
    classifier compile no loss, make the last block as wide as the number of
    classes, and find the class of each unit with
    `keras_noisy.hsic.assign_units`. Several sigmas give one network each,
    with other initial weights, and the model averages their outputs.

    On several devices JAX compares all samples of a batch. TensorFlow and
    PyTorch compare only samples on the same device, and average the
    gradients: there the batch per device should be large.

    Formula:

    ```
    loss of a block = nHSIC(Z, X) - lambda_y * nHSIC(Z, Y)
    ```

    where `Z` are the outputs of the block, `X` the inputs of the model, `Y`
    the one-hot labels and `nHSIC` is `keras_noisy.hsic.normalized_hsic`. The
    logged loss is the sum of the losses of all blocks and of the classifier;
    `nhsic_input` and `nhsic_labels` are averages over the blocks, and
    `classifier_loss` is the loss of the classifier. `evaluate` reports them
    too. Their values depend on the batch size.

    Args:
        blocks: List of layers or models, in order from the inputs.
        classifier: Layer or model on the outputs of the last block. Defaults
            to `None`, no classifier.
        sigma: Bandwidth of the kernels, a positive number; `None` to choose
            one for each batch; or a list of these, one network each. Defaults
            to `5.0`.
        lambda_y: Weight of the labels, a positive number. Defaults to `50.0`.
        num_classes: Number of classes, an integer of at least 2. Defaults to
            `None`, the number of outputs, or 2 for a single output.
        name: Name of the model. Defaults to `"hsic_bottleneck"`.
        **kwargs: Arguments of `keras.Model`.

    Returns:
        A `keras.Model` to `compile` and `fit`. In training it returns a
        dictionary with `"outputs"` and `"blocks"`, the outputs of the blocks
        of each network.

    Raises:
        ValueError: If an argument is outside its range, or layers of different
            blocks share a name; in `fit`, for a loss without a classifier, a
            classifier without a loss, metrics without a classifier, labels
            that do not fit, or sample or class weights. A label outside the
            classes makes the loss NaN, and no block learns from that batch.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy import CrossEntropy
    >>> from keras_noisy.training import HSICBottleneck
    >>> def block(units):
    ...     return keras.Sequential(
    ...         [
    ...             keras.layers.Dense(units),
    ...             keras.layers.BatchNormalization(center=False, scale=False),
    ...             keras.layers.ReLU(),
    ...         ]
    ...     )
    >>> model = HSICBottleneck(
    ...     [block(8), block(8)],
    ...     classifier=keras.layers.Dense(3, activation="softmax"),
    ... )
    >>> model.compile(keras.optimizers.SGD(1e-3), CrossEntropy())
    >>> x = np.random.default_rng(0).uniform(size=(64, 4))
    >>> history = model.fit(x, np.arange(64) % 3, batch_size=32, verbose=0)
    >>> sorted(history.history)
    ['classifier_loss', 'loss', 'nhsic_input', 'nhsic_labels']
    >>> model.predict(x, verbose=0).shape
    (64, 3)

    References:
        - Ma, Lewis, Kleijn, The HSIC bottleneck: deep learning without
          back-propagation, AAAI 2020, arXiv 1908.01580
    """

    def __init__(
        self,
        blocks: Sequence[keras.layers.Layer],
        classifier: keras.layers.Layer | None = None,
        sigma: float | Sequence[float | None] | None = 5.0,
        lambda_y: float = 50.0,
        num_classes: int | None = None,
        name: str = "hsic_bottleneck",
        **kwargs: Any,
    ):
        super().__init__(name=name, **kwargs)
        if isinstance(sigma, list | tuple):
            if not sigma:
                raise invalid("sigma", sigma, "at least one bandwidth")
            self.sigma: Any = [bandwidth(each) for each in sigma]
        else:
            self.sigma = bandwidth(sigma)
        self.lambda_y = real("lambda_y", lambda_y, 0)
        if num_classes is not None:
            num_classes = integer("num_classes", num_classes, 2)
        self.num_classes = num_classes
        first = checked_blocks("blocks", blocks)
        if classifier is not None and (
            not isinstance(classifier, keras.layers.Layer)
            or any(classifier is block for block in first)
        ):
            expected = "None, or a keras.layers.Layer that is not a block"
            raise invalid("classifier", classifier, expected)
        others = [
            copy(block, number)
            for number in range(1, len(self.sigmas))
            for block in first
        ]
        #: Blocks of all networks in one list, as Keras cannot save lists of
        #: lists.
        self.blocks = [*first, *others]
        self.classifier = classifier
        names = ["nhsic_input", "nhsic_labels"]
        if classifier is not None:
            names.append("classifier_loss")
        self.trackers = [keras.metrics.Mean(name=name) for name in names]

    @property
    def sigmas(self) -> list[float | None]:
        """The bandwidth of each network."""
        return self.sigma if isinstance(self.sigma, list) else [self.sigma]

    @property
    def networks(self) -> list[list[keras.layers.Layer]]:
        """The blocks of each network."""
        depth = len(self.blocks) // len(self.sigmas)
        return [
            self.blocks[start : start + depth]
            for start in range(0, len(self.blocks), depth)
        ]

    def build(self, input_shape: Any) -> None:
        """Build the blocks and the classifier in order."""
        if isinstance(input_shape, dict | list) and not all(
            size is None or isinstance(size, int) for size in input_shape
        ):
            raise ValueError(
                "Expected one input, as the blocks are compared with its "
                f"kernel. Received inputs of the shapes {input_shape}. "
                "Concatenate them before the model"
            )
        for blocks in self.networks:
            # A user's layer need not have `compute_output_shape`.
            x = keras.KerasTensor(input_shape)
            for block in blocks:
                x = block(x)
        if self.classifier is not None and not self.classifier.built:
            self.classifier.build(x.shape)
        check_paths(self.trainable_variables)
        self.built = True

    def call(self, inputs: Any, training: bool = False) -> Any:
        """Outputs of the model; in training also of all blocks."""
        networks = self._block_outputs(inputs, training)
        outputs = averaged([blocks[-1] for blocks in networks])
        if self.classifier is not None:
            outputs = self.classifier(stopped(outputs), training=training)
        return {"outputs": outputs, "blocks": networks} if training else outputs

    def _block_outputs(self, inputs: Any, training: bool) -> list[list[Tensor]]:
        networks = []
        for blocks in self.networks:
            x, outputs = inputs, []
            for block in blocks:
                x = block(stopped(x), training=training)
                outputs.append(x)
            networks.append(outputs)
        return networks

    def compute_loss(
        self,
        x: Any = None,
        y: Any = None,
        y_pred: Any = None,
        sample_weight: Any = None,
        training: bool = True,
    ) -> Tensor:
        """The sum of the losses of all blocks and of the classifier."""
        check_compiled(self, sample_weight)
        if training:
            networks, y_pred = y_pred["blocks"], y_pred["outputs"]
        else:
            networks = self._evaluated(x)
        classes = self._class_count(y_pred)
        targets = one_hot(y, y_pred, self.loss, classes)
        found = objective(networks, x, targets, self.sigmas, self.lambda_y)
        # TensorFlow sums the gradients of all devices.
        loss = found.loss / device_count()
        values = [found.with_inputs, found.with_labels]
        if self.classifier is None:
            loss += sum(self.losses) / device_count()
        else:
            own = super().compute_loss(x, y, y_pred, None, training)
            values.append(own * device_count())
            loss += ops.cast(own, loss.dtype)
        for tracker, value in zip(self.trackers, values, strict=True):
            tracker.update_state(ops.stop_gradient(value))
        return loss

    def _evaluated(self, x: Any) -> list[list[Tensor]]:
        """Outputs of the blocks in inference mode, without state changes."""
        states = [(v, ops.convert_to_tensor(v)) for v in self.variables]
        with keras.StatelessScope(states):
            return self._block_outputs(x, False)

    def compute_metrics(
        self, x: Any, y: Any, y_pred: Any, sample_weight: Any = None
    ) -> dict[str, Any]:
        """Metrics of the outputs."""
        if isinstance(y_pred, dict):
            y_pred = y_pred["outputs"]
        return super().compute_metrics(x, y, y_pred, sample_weight)

    def _class_count(self, y_pred: Tensor) -> int:
        # A single output, as of a sigmoid, means two classes.
        classes = max(y_pred.shape[-1], 2)
        fits = self.num_classes in (None, classes)
        if self.classifier is not None and not fits:
            expected = f"{classes}, the number of classes of the classifier"
            raise invalid("num_classes", self.num_classes, expected)
        return self.num_classes or classes

    def get_config(self) -> dict[str, Any]:
        """Return every argument, with the blocks of the first network."""
        serialize = keras.saving.serialize_keras_object
        return {
            **super().get_config(),
            "blocks": [serialize(block) for block in self.networks[0]],
            "classifier": serialize(self.classifier),
            "sigma": self.sigma,
            "lambda_y": self.lambda_y,
            "num_classes": self.num_classes,
        }

    @classmethod
    def from_config(cls, config: dict[str, Any], **kwargs: Any) -> Any:
        """Rebuild the blocks and the classifier, with new weights."""
        config = dict(config)
        config["blocks"] = [
            loaded(block, f"block_{index}")
            for index, block in enumerate(config["blocks"])
        ]
        config["classifier"] = loaded(config["classifier"], "classifier")
        return cls(**config)
