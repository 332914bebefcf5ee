"""The objective of the blocks of an HSIC bottleneck, for a whole batch."""

from __future__ import annotations

from collections.abc import Sequence
from typing import Any, NamedTuple

import keras
from keras import ops

from keras_noisy._arguments import invalid
from keras_noisy._label_tensors import (
    as_tensor,
    safe_index,
    static_shape,
    widened,
)
from keras_noisy.hsic.matrices import (
    centered_kernel,
    inverse,
    only_finite,
    or_nan,
    precise,
    ridge_of,
    rows,
)

Tensor = Any


class Objective(NamedTuple):
    """The loss of all blocks, and the averages of its two parts."""

    loss: Tensor
    with_inputs: Tensor
    with_labels: Tensor


def objective(
    networks: Sequence[Sequence[Tensor]],
    x: Tensor,
    targets: Tensor,
    sigmas: Sequence[float | None],
    lambda_y: float,
) -> Objective:
    """Sum of `nHSIC(Z, X) - lambda_y nHSIC(Z, Y)` over all blocks.

    One decomposition serves all matrices. The derivative of `R = S (S + cI)^-1`
    is `c (S + cI)^-1 dS (S + cI)^-1`, which needs no derivative of the
    decomposition. Only first derivatives are available.
    """
    inputs, labels = rows("x", x), rows("y", targets)
    centered = ops.stack(
        [
            centered_kernel(matrix, sigma)
            for blocks, sigma in zip(networks, sigmas, strict=True)
            for matrix in (inputs, labels, *(rows("x", z) for z in blocks))
        ]
    )
    centered, is_finite = only_finite(centered)
    fixed = ops.stop_gradient(centered)
    identity, ridge = ridge_of(fixed)
    inverses = inverse(fixed + ridge * identity)
    ratios = identity - ridge * inverses
    loss, with_inputs, with_labels, first = 0.0, 0.0, 0.0, 0
    for blocks in networks:
        outputs = slice(first + 2, first + 2 + len(blocks))
        of_inputs, of_labels = ratios[first], ratios[first + 1]
        shared = ops.sum(ratios[outputs] * of_inputs)
        told = ops.sum(ratios[outputs] * of_labels)
        weights = of_inputs - lambda_y * of_labels
        with precise():
            slope = inverses[outputs] @ weights @ inverses[outputs]
        # `change` is 0; its gradient is that of the weighted ratios.
        change = centered[outputs] - fixed[outputs]
        loss += shared - lambda_y * told + ridge * ops.sum(slope * change)
        with_inputs, with_labels = with_inputs + shared, with_labels + told
        first = outputs.stop
    count = sum(map(len, networks))
    return Objective(
        *(
            ops.cast(or_nan(v, is_finite), "float32")
            for v in (loss, with_inputs / count, with_labels / count)
        )
    )


def one_hot(y: Any, y_pred: Tensor, loss: Any, num_classes: int) -> Tensor:
    """Labels as targets of shape (N, num_classes), NaN for invalid labels."""
    y = as_tensor(y)
    if hasattr(loss, "split_labels") and len(y_pred.shape) == 2:
        y, _ = loss.split_labels(y, y_pred)
    shape = static_shape(y)
    if len(shape) == 2 and shape[1] == num_classes:
        return ops.cast(y, "float32")
    if not (len(shape) == 1 or (len(shape) == 2 and shape[1] == 1)):
        raise ValueError(
            "Expected `y` to hold integer labels of shape (N,) or (N, 1), or "
            f"targets of shape (N, {num_classes}). Received: y.shape={shape}. "
            "Pass `num_classes` if there are other classes"
        )
    labels = widened(ops.reshape(y, (-1,)))
    if num_classes == 2 and y_pred.shape[-1] == 1:  # They may be soft.
        share = ops.cast(labels, "float32")
        valid = ops.logical_and(share >= 0, share <= 1)
        targets = ops.stack([1 - share, share], axis=-1)
    else:
        index, valid = safe_index(labels, num_classes)
        targets = ops.one_hot(index, num_classes, dtype="float32")
    return ops.where(valid[:, None], targets, float("nan"))


def checked_blocks(name: str, blocks: Any) -> list[keras.layers.Layer]:
    """`blocks` as a list of distinct layers."""
    expected = "a list of at least one layer, all different"
    if not isinstance(blocks, list | tuple) or not blocks:
        raise invalid(name, blocks, expected)
    for index, block in enumerate(blocks):
        if not isinstance(block, keras.layers.Layer):
            raise invalid(f"{name}[{index}]", block, "a keras.layers.Layer")
    if len({id(block) for block in blocks}) < len(blocks):
        raise invalid(name, [block.name for block in blocks], expected)
    return list(blocks)


def copy(layer: keras.layers.Layer, number: int) -> keras.layers.Layer:
    """The same layer with new weights, whose paths have a number."""
    config = keras.saving.serialize_keras_object(layer)
    name = config["config"]["name"] = f"{layer.name}_sigma_{number}"
    return loaded(config, name)


def loaded(config: Any, scope: str) -> Any:
    """A layer from its config, whose weights get their own paths."""
    with keras.name_scope(scope):
        return keras.saving.deserialize_keras_object(config)


def check_paths(variables: Sequence[keras.Variable]) -> None:
    """Reject weights that share a path.

    On PyTorch, Keras looks up weights by path. Of two weights with one path it
    would never reset the gradients of one, which then add up over the steps.
    """
    paths = [variable.path for variable in variables]
    twice = sorted({path for path in paths if paths.count(path) > 1})
    if twice:
        raise ValueError(
            "Expected blocks whose weights have different paths. Received "
            f"several with the path {twice[0]!r}. Give the layers of each "
            "block different names, or no names"
        )


def check_compiled(model: Any, sample_weight: Any) -> None:
    """Raise if `compile` or `fit` got arguments that blocks cannot use."""
    if sample_weight is not None:
        raise ValueError(
            "Expected no `sample_weight` and no `class_weight`: the kernel "
            "of a batch compares its samples and cannot weight them. "
            "Draw important samples more often instead, with "
            "`sample_weight` of `keras_noisy.datasets.pipeline`"
        )
    if model.classifier is not None:
        if model.loss is None:
            raise ValueError(
                "Expected a `loss` in `compile` for the `classifier`. "
                "Received: None. To train only the blocks, which need no "
                "loss, leave out the classifier"
            )
        return
    if model.loss is not None:
        raise ValueError(
            "Expected no `loss` in `compile`, as the blocks have their "
            f"own. Received: loss={model.loss}. Create the model again, as "
            "Keras keeps a loss when it compiles without one; or pass a "
            "`classifier` to train with this loss"
        )
    own = {"loss", *(tracker.name for tracker in model.trackers)}
    if any(metric.name not in own for metric in model.metrics):
        raise ValueError(
            "Expected no `metrics` in `compile` without a `classifier`, "
            "as the units do not know their classes. Predict, and use "
            "`assign_units` and `unit_accuracy` of `keras_noisy.hsic`"
        )
