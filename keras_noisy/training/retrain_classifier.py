"""The second stage of long-tailed training: the classifier alone."""

from __future__ import annotations

import functools
from typing import Any

import keras

from keras_noisy._arguments import integer, invalid, real
from keras_noisy._layers import all_layers, outer_input
from keras_noisy.layers import CosineDense, Frozen, without_state
from keras_noisy.losses import Focal
from keras_noisy.training._callbacks import with_callback
from keras_noisy.training.clouded_learning_rate import clouded_learning_rate

#: Published values for the second stage on CIFAR.
MARGIN, GAMMA = 0.1, 1.0


def retrain_classifier(
    model: keras.Model,
    x: Any,
    y: Any = None,
    loss: Any = None,
    optimizer: Any = None,
    epochs: int = 30,
    scale: float | None = None,
    classifier: str | None = None,
    metrics: Any = None,
    **fit: Any,
) -> keras.Model:
    """Continue to train the classifier of a trained model, and nothing else.

    On long-tailed data a network learns good features even for rare classes,
    but its classifier favors frequent ones and needs a second training on
    balanced classes. All layers before it are frozen and in inference mode,
    including dropout and batch normalization. The classifier starts from its
    current weights; the given model does not change. As published, pass `x` as
    batches drawn by class: `pipeline` and `ImageDataset` have `sample_weight`
    for that.

    Args:
        model: A functional or sequential model with one output.
        x: Training data as `fit` takes it.
        y: Labels, unless `x` contains them. Defaults to `None`.
        loss: A loss. Defaults to `None`, for a `CosineDense` the published one:
            `Focal(gamma=1.0, from_logits=True, logit_bias=-0.1 * scale)`.
        optimizer: An optimizer with its learning rate. Defaults to `None`, the
            published one: SGD with momentum 0.9, weight decay 2e-4 and the
            rates of `clouded_learning_rate(epoch, stage=2)`.
        epochs: Number of epochs, an integer of at least 1. Defaults to `30`.
        scale: New scale of a `CosineDense`, a positive number; the paper uses
            20. Defaults to `None`, its current scale.
        classifier: Name of the first layer to train. Defaults to `None`, the
            last layer with trainable weights.
        metrics: Metrics as `compile` takes them. Defaults to `None`.
        **fit: Other arguments of `fit`, such as `batch_size`, `callbacks`,
            `validation_data` and `verbose`.

    Returns:
        A new `keras.Model`, compiled and trained; `history` holds the history
        of `fit`. Its layer `"backbone"` is a `keras_noisy.layers.Frozen`.

    Raises:
        ValueError: If an argument is outside its range, or the model cannot be
            divided at the classifier.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.layers import CosineDense
    >>> from keras_noisy.training import retrain_classifier
    >>> model = keras.Sequential(
    ...     [
    ...         keras.Input((4,)),
    ...         keras.layers.Dense(8, activation="relu"),
    ...         CosineDense(3),
    ...     ]
    ... )
    >>> x, y = np.random.default_rng(0).normal(size=(64, 4)), np.arange(64) % 3
    >>> again = retrain_classifier(model, x, y, epochs=1, scale=20, verbose=0)
    >>> len(again.trainable_weights), again.predict(x, verbose=0).shape
    (1, (64, 3))

    References:
        - Li, Cheung, Lu, Long-tailed visual recognition via Gaussian clouded
          logit adjustment, CVPR 2022
        - Kang et al., Decoupling representation and classifier for long-tailed
          recognition, ICLR 2020, arXiv 1910.09217
    """
    epochs = integer("epochs", epochs, 1)
    backbone, head, first = _divided(model, classifier)
    if scale is not None:
        if not isinstance(first, CosineDense):
            raise invalid(
                "scale",
                scale,
                f"None, as the classifier is a {type(first).__name__}, not a "
                "CosineDense",
            )
        first.scale = real("scale", scale, 0)
    if loss is None:
        loss = _published_loss(first)
    if optimizer is None:
        optimizer = keras.optimizers.SGD(momentum=0.9, weight_decay=2e-4)
        schedule = functools.partial(
            clouded_learning_rate, stage=2, epochs=epochs
        )
        scheduler = keras.callbacks.LearningRateScheduler(schedule)
        _, fit = with_callback(scheduler, model, (), fit)
    inputs = [
        keras.Input(batch_shape=each.shape, dtype=each.dtype, name=each.name)
        for each in backbone.inputs
    ]
    frozen = Frozen(backbone, name="backbone")
    outputs = head(frozen(inputs if len(inputs) > 1 else inputs[0]))
    if hasattr(loss, "connect"):
        outputs = loss.connect(outputs)
    retrained = keras.Model(inputs, outputs, name=model.name)
    retrained.compile(optimizer, loss, metrics=metrics)
    retrained.fit(x, y, epochs=epochs, **fit)
    return retrained


def _published_loss(first: keras.layers.Layer) -> Focal:
    if not isinstance(first, CosineDense):
        raise invalid(
            "loss",
            None,
            "a loss, as the published one is for the scaled cosines of a "
            f"CosineDense and the classifier is a {type(first).__name__}",
        )
    return Focal(
        GAMMA,
        num_classes=first.units,
        from_logits=True,
        logit_bias=-MARGIN * first.scale,
    )


def _functional(model: keras.Model) -> keras.Model:
    """The model as a graph, with the same layers."""
    if not isinstance(model, keras.Sequential):
        return model
    (given,) = model.inputs
    x = inputs = keras.Input(batch_shape=given.shape, dtype=given.dtype)
    for layer in model.layers:
        x = layer(x)
    return keras.Model(inputs, x)


def _divided(
    model: keras.Model, name: str | None
) -> tuple[keras.Model, keras.Model, keras.layers.Layer]:
    """A copy of a model in two parts, split before its classifier."""
    try:
        plain = _functional(without_state(model))
        copy = keras.models.clone_model(plain)
        copy.set_weights(plain.get_weights())
    except (AttributeError, TypeError, ValueError) as error:
        raise ValueError(
            "Invalid value for argument `model`. Expected a functional or "
            "sequential model that has been built, all of whose layers have "
            f"a config. Received: {type(model).__name__}. {error}"
        ) from error
    found = [layer for layer in copy.layers if layer.trainable_weights]
    if name is not None:
        found = [layer for layer in copy.layers if layer.name == name]
    if not found:
        names = [layer.name for layer in copy.layers]
        raise invalid("classifier", name, f"a layer with weights, of {names}")
    first, outputs = found[-1], copy.outputs
    features = outer_input(first)
    if len(outputs) != 1 or not isinstance(features, keras.KerasTensor):
        raise ValueError(
            "Invalid value for argument `model`. Expected one output, and a "
            f"classifier of one input. Received: {len(outputs)} outputs and "
            f"the layer {first.name!r} with the inputs {features}. Name "
            "another `classifier`, or pass a model of one output"
        )
    backbone = keras.Model(copy.inputs, features)
    try:
        # Losses and logs use the name of the last layer.
        head = keras.Model(features, outputs[0], name=copy.output_names[0])
    except ValueError as error:
        raise ValueError(
            f"Expected every path of the model to pass the layer "
            f"{first.name!r}, but one bypasses it. Name another `classifier`, "
            "such that the output depends only on its input"
        ) from error
    cosine = (x for x in all_layers(first) if isinstance(x, CosineDense))
    return backbone, head, next(cosine, first)
