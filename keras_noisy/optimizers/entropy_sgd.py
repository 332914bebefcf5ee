"""Entropy-SGD."""

from __future__ import annotations

import math
import re
from collections.abc import Callable, Sequence
from typing import Any

import keras
from keras import ops

from keras_noisy._arguments import (
    backend_seed,
    boolean,
    choice,
    integer,
    invalid,
    real,
)
from keras_noisy.optimizers._centered import Centered
from keras_noisy.optimizers._forms import (
    FORMS,
    Momentum,
    spring,
    walk_direction,
)
from keras_noisy.optimizers._noise import StepSeed

Tensor = Any


@keras.saving.register_keras_serializable("keras_noisy")
class EntropySGD(Centered):
    """SGD on the local entropy, which prefers wide minima to narrow ones.

    Between two steps of the weights an inner loop of Langevin dynamics walks
    around them, held by a spring. The weights then move to the average of the
    walk. Each batch is one inner step, so an epoch has `inner_steps` times
    fewer outer steps than with SGD: compare at equal epochs.

    Evaluate the center of the walk. The weights are the center whenever the
    number of steps is a multiple of `inner_steps`, and after `fit`. If the
    number of batches per epoch is not such a multiple, add
    `keras_noisy.callbacks.EvaluateCenter`. Training from a center begins a
    new walk and drops an unfinished one.

    Formula:

    ```
    c = mu = w, v = 0                      # once every inner_steps batches
    v = momentum * v + gradient(w)         # inner step, one for each batch
    d = gradient(w) + momentum * v + weight_decay * w
    d = d + gamma_t * (w - c) + noise * e / sqrt(inner_learning_rate / 2)
    w = w - inner_learning_rate * d,  mu = averaging * mu + (1 - averaging) * w
    w = c - learning_rate * (c - mu)       # after inner_steps inner steps
    gamma_t = gamma * (1 + gamma_growth)**t
    ```

    where `e` is standard normal and `t` is 1 in the first outer step. This
    order of operations, `form="2017"`, is that of the program behind the
    paper. In `form="2017-python"`, a program published later, weight decay
    comes before the momentum, `t` begins at 0, and the outer step also has
    weight decay and momentum, whose buffer begins as the first gradient. That
    program never advances `t`, which is `gamma_growth=0.0`. In `form="2021"`
    spring and weight decay go through the inner momentum, `t` begins at 0,
    and the outer step has weight decay and momentum that begins at 0.

    We cap `gamma_t` at `1 / inner_learning_rate`: at the cap one step leads
    back to the center, and a stronger spring diverges.

    Args:
        learning_rate: Step of the weights to the average of the walk, a float
            or a schedule, which counts batches. Defaults to `1.0`.
        inner_steps: Steps of a walk, an integer of at least 0; 0 is SGD with
            momentum. Defaults to `20`.
        inner_learning_rate: Step of the walk, above 0. Defaults to `0.1`.
        momentum: Momentum in `[0, 1)`. Defaults to `0.9`.
        nesterov: Whether to use Nesterov momentum. Defaults to `True`.
        gamma: Strength of the spring, at least 0. With `form="2021"` it may
            be `None`: 0 until `match_gamma` is called. Defaults to `1e-4`.
        gamma_growth: Growth of the spring per outer step, at least 0; for a
            factor `f` over `n` outer steps pass `f ** (1 / n) - 1`. Defaults
            to `1e-3`.
        noise: Strength of the noise, at least 0. Defaults to `1e-4`.
        averaging: Share of the old average that an inner step keeps, in
            `[0, 1)`. Defaults to `0.75`.
        weight_decay: Multiple of the weights that is added to the gradient,
            unlike in other Keras optimizers. Defaults to `None`, which means
            0.
        form: `"2017"`, `"2017-python"` or `"2021"`. Defaults to `"2017"`.
        scale_by_gamma: Whether `form="2021"` multiplies the outer step by
            `gamma_t`. Defaults to `False`.
        seed: Seed of the noise, an integer from 0 to 2147483647. Defaults to
            `0`.
        name: Name of the optimizer. Defaults to `"entropy_sgd"`.
        **kwargs: `clipnorm`, `clipvalue`, `global_clipnorm`,
            `loss_scale_factor` and `gradient_accumulation_steps` of
            `keras.optimizers.Optimizer`. Clipping applies to the gradient of
            each batch.

    Returns:
        A `keras.optimizers.Optimizer`. `centers` and `averages` hold the `c`
        and `mu` of each weight.

    Raises:
        ValueError: If an argument is outside its range; for `use_ema`, since
            the method does its own averaging; in training, for a trainable
            weight without a gradient.

    Example:

    >>> import keras
    >>> import numpy as np
    >>> from keras_noisy.optimizers import EntropySGD
    >>> model = keras.Sequential([keras.Input((4,)), keras.layers.Dense(3)])
    >>> optimizer = EntropySGD(learning_rate=1.0, inner_steps=5)
    >>> model.compile(optimizer, "mse")
    >>> x, y = np.ones((80, 4)), np.ones((80, 3))
    >>> history = model.fit(x, y, batch_size=8, epochs=2, verbose=0)
    >>> int(optimizer.outer_iterations)
    4

    References:
        - Chaudhari et al., Entropy-SGD: biasing gradient descent into wide
          valleys, ICLR 2017, arXiv 1611.01838
        - Pittorino et al., Entropic gradient descent algorithms and wide flat
          minima, ICLR 2021, arXiv 2006.07897
    """

    _squares: Sequence[keras.Variable] = ()

    def __init__(
        self,
        learning_rate: float | Any = 1.0,
        inner_steps: int = 20,
        inner_learning_rate: float = 0.1,
        momentum: float = 0.9,
        nesterov: bool = True,
        gamma: float | None = 1e-4,
        gamma_growth: float = 1e-3,
        noise: float = 1e-4,
        averaging: float = 0.75,
        weight_decay: float | None = None,
        form: str = "2017",
        scale_by_gamma: bool = False,
        seed: int = 0,
        name: str = "entropy_sgd",
        **kwargs: Any,
    ):
        if kwargs.pop("use_ema", False):
            raise invalid(
                "use_ema", True, "False, as EntropySGD averages by itself"
            )
        form = choice("form", form, FORMS)
        super().__init__(learning_rate, name=name, **kwargs)
        self.inner_steps = integer("inner_steps", inner_steps, 0)
        self.inner_learning_rate = real(
            "inner_learning_rate", inner_learning_rate, 0
        )
        self.momentum = real("momentum", momentum, 0, 1, "low")
        self.nesterov = boolean("nesterov", nesterov)
        if gamma is not None:
            gamma = real("gamma", gamma, 0, closed="low")
        elif form != "2021":
            raise invalid("gamma", gamma, 'a number, or None with form="2021"')
        self.gamma = gamma
        self.gamma_growth = real("gamma_growth", gamma_growth, 0, closed="low")
        self.noise = real("noise", noise, 0, closed="low")
        self.averaging = real("averaging", averaging, 0, 1, "low")
        # `weight_decay` of the base class is decoupled from the gradient.
        self.coupled_weight_decay = real(
            "weight_decay", weight_decay or 0.0, 0, closed="low"
        )
        self.form = form
        self.scale_by_gamma = boolean("scale_by_gamma", scale_by_gamma)
        if scale_by_gamma and form != "2021":
            raise invalid("scale_by_gamma", True, 'False without form="2021"')
        self.seed = backend_seed(seed)
        self._excluded: Callable[[Any], bool] = lambda variable: False

    def exclude_from_weight_decay(
        self,
        var_list: Sequence[Any] | None = None,
        var_names: Sequence[str] | None = None,
    ) -> None:
        """Exclude weights from weight decay; call this before `build`.

        Args:
            var_list: Variables to exclude. Defaults to `None`, none.
            var_names: Parts of their names, regular expressions, such as
                `["bias"]`. Defaults to `None`, none.

        Raises:
            ValueError: If the optimizer is already built.
        """
        if self.built:
            raise ValueError(
                "Expected `exclude_from_weight_decay` before the optimizer is "
                "built. Call it right after you create the optimizer"
            )
        known, names = {id(v) for v in var_list or ()}, list(var_names or ())

        def excluded(variable: Any) -> bool:
            found = any(re.search(name, variable.name) for name in names)
            return found or id(variable) in known

        self._excluded = excluded

    def build(self, variables: list[keras.Variable]) -> None:
        """Create the state of the walk."""
        if self.built:
            return
        super().build(variables)
        self._decays = [
            0.0 if self._excluded(v) else self.coupled_weight_decay
            for v in variables
        ]
        names = ["center", "average", "momentum"] if self.inner_steps else []
        if self.form != "2017" or not self.inner_steps:
            names.append("outer_momentum")
        slots = {
            name: self.add_optimizer_variables(variables, name)
            for name in names
        }
        self.centers = slots.get("center", [])
        self.averages = slots.get("average", [])
        self._momentums = slots.get("momentum", [])
        self._outer_momentums = slots.get("outer_momentum", [])
        self._matched_gamma = None
        if self.gamma is None:
            self._matched_gamma = self._number("gamma", "float32")
            self._squares = [
                self._number("square", "float32") for _ in variables
            ]
        self._random = StepSeed(self.seed) if self.noise else None

    def update_step(
        self, gradient: Tensor, variable: Any, learning_rate: Tensor
    ) -> None:
        """Update one weight."""
        index = self._get_variable_index(variable)
        w = _value(variable)
        gradient = ops.cast(ops.convert_to_tensor(gradient), w.dtype)
        rate = ops.cast(learning_rate, w.dtype)
        position = self._current_position()
        if not self.inner_steps:
            step = self._outer_step(index, gradient, w, gradient, position == 0)
            self.assign(variable, w - rate * step)
            return
        is_first, is_last = position == 0, position == self.inner_steps - 1
        center = ops.where(is_first, w, _value(self.centers[index]))
        walked = self._walk(index, gradient, w, center, is_first)
        if self._squares:
            square = ops.sum(ops.square(ops.cast(walked - center, "float32")))
            before = _value(self._squares[index])
            square = ops.where(is_last, square, before)
            self.assign(self._squares[index], square)
        average = ops.where(is_first, w, _value(self.averages[index]))
        average = self.averaging * average + (1 - self.averaging) * walked
        difference = center - average
        step = self._outer_step(index, difference, center, gradient, is_last)
        self.assign(self.centers[index], center)
        self.assign(self.averages[index], average)
        moved = center - rate * step
        self.assign(variable, ops.where(is_last, moved, walked))

    def _walk(
        self,
        index: int,
        gradient: Tensor,
        w: Tensor,
        center: Tensor,
        is_first: Tensor,
    ) -> Tensor:
        """The weight after a step of the walk."""
        buffer = _value(self._momentums[index])
        buffer = ops.where(is_first, ops.zeros_like(w), buffer)
        d, buffer = walk_direction(
            self.form,
            gradient,
            self._decays[index] * w,
            self._gamma(w.dtype) * (w - center),
            Momentum(self.momentum, self.nesterov),
            buffer,
        )
        self.assign(self._momentums[index], buffer)
        if self._random is not None:
            count = len(self._decays)
            number = ops.cast(self.iterations, "int32") * count + index
            e = self._random.normal(tuple(w.shape), number)
            strength = self.noise / math.sqrt(self.inner_learning_rate / 2)
            d = d + ops.cast(strength * e, w.dtype)
        return w - self.inner_learning_rate * d

    def _outer_step(
        self,
        index: int,
        d: Tensor,
        center: Tensor,
        gradient: Tensor,
        is_last: Tensor,
    ) -> Tensor:
        """Direction in which a weight moves after a walk."""
        if self.form == "2017" and self.inner_steps:
            return d
        buffer = _value(self._outer_momentums[index])
        if self.form == "2017-python":
            begins = ops.logical_and(
                _value(self.outer_iterations) == 0,
                self._current_position() == 0,
            )
            buffer = ops.where(begins, gradient, buffer)
        d, changed = Momentum(self.momentum, self.nesterov).step(
            d + self._decays[index] * center, buffer
        )
        self.assign(
            self._outer_momentums[index], ops.where(is_last, changed, buffer)
        )
        return self._gamma(d.dtype) * d if self.scale_by_gamma else d

    def _gamma(self, dtype: Any) -> Tensor:
        start = self.gamma if self.gamma is not None else self._matched_gamma
        t = _value(self.outer_iterations)
        return spring(
            start,
            math.log1p(self.gamma_growth),
            t + (self.form == "2017"),
            1 / self.inner_learning_rate,
            keras.backend.standardize_dtype(dtype),
        )

    def match_gamma(self, loss: float) -> float:
        """Choose `gamma` so that spring and loss weigh the same.

        For `gamma=None`: call it after a walk. You choose the walk and the
        loss; the program used an early walk.

        Args:
            loss: Value of the loss at the end of the walk, above 0.

        Returns:
            `loss / (0.5 * |w - c|**2)` at the end of the last walk.

        Raises:
            ValueError: If `gamma` is a number, or no walk is finished.
        """
        if self.gamma is not None:
            raise invalid("gamma", self.gamma, "None, for `match_gamma`")
        loss = real("loss", float(loss), 0)
        squares = [float(ops.convert_to_numpy(v)) for v in self._squares]
        if not sum(squares):
            raise ValueError(
                "Expected a walk to measure. Call `match_gamma` after "
                "`inner_steps` batches of training"
            )
        matched = loss / (0.5 * sum(squares))
        gamma: Any = self._matched_gamma
        gamma.assign(matched)
        return matched

    def get_config(self) -> dict[str, Any]:
        """Return every argument."""
        own = (
            *("inner_steps", "inner_learning_rate", "momentum", "nesterov"),
            *("gamma", "gamma_growth", "noise", "averaging", "form"),
            *("scale_by_gamma", "seed"),
        )
        return {
            **super().get_config(),
            **{name: getattr(self, name) for name in own},
            "weight_decay": self.coupled_weight_decay or None,
        }


def _value(variable: Any) -> Tensor:
    return ops.convert_to_tensor(variable)
