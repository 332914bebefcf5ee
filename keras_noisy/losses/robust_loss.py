"""The base of every loss: labels, logits, bias, clip and saving."""

from __future__ import annotations

from typing import Any, ClassVar, TypedDict

import keras
from keras import ops

from keras_noisy._arguments import boolean, integer, invalid, real
from keras_noisy.calibration import matching
from keras_noisy.layers._pass_through import (
    PassThrough,
    Reference,
    connected,
)
from keras_noisy.layers.calibration_fade import CalibrationFade
from keras_noisy.losses import (
    _fading,
    _first_batch,
    _labels,
    _reduction,
    _transforms,
)
from keras_noisy.losses._given import Given, Index, Targets

Tensor = Any


class SharedArguments(TypedDict, total=False):
    """The arguments of every loss besides its hyperparameters."""

    from_logits: bool
    logit_clip: float | None
    logit_normalization: float | None
    ignore_class: int | None
    fade: Any
    fade_key: str | None
    reduction: str | None
    name: str | None
    dtype: Any


class LossArguments(SharedArguments, total=False):
    """The shared arguments of losses that do not set these two themselves."""

    num_classes: int | None
    logit_bias: float | str | None


class RobustLoss(keras.losses.Loss):
    """Base of the losses that learn from noisy labels.

    Use a subclass. This class reads the labels, turns predictions into
    log-probabilities, clips or normalises the logits and applies the logit
    bias, leaves out ignored and masked samples, reduces and saves. A subclass
    is its formula.

    Formula:

    ```
    z = log(y_pred)                      # z = y_pred if from_logits
    z = z * min(1, logit_clip / ||z||)   # if logit_clip
    z = z / ((||z|| + 1e-7) * logit_normalization)  # if that
    z[y_true] += logit_bias              # if logit_bias
    loss = formula(log_softmax(z)[y_true])
    ```

    These act inside the loss only: predict with the plain outputs of the
    model. For soft targets `t` the bias adds `logit_bias * t[k]` to logit
    `k`, and the loss is `sum_k t[k] * formula(log_softmax(z)[k])`.

    Arithmetic is done in float32 at least. Labels are never rounded, whatever
    the dtype of the loss. A sample with a label outside `[0, num_classes)`,
    with predictions that are no probabilities, or with targets that are no
    distribution has the loss NaN and gradient zero; where the first batch that
    the loss sees outside a compiled step shows one, a ValueError names it, and
    `keras_noisy.check` does so for any batch. This holds for masked samples
    and samples of weight 0 too: give padding an `ignore_class`. Soft targets
    that sum to 0.9 to 1.1 are divided by their sum.

    Args:
        num_classes: Number of classes, an integer of at least 2. Optional:
            by default it is read from the shape of the predictions. Needed to
            see the value of an `"auto"` hyperparameter before training.
            Defaults to `None`.
        from_logits: Whether predictions are logits. By default they are the
            probabilities of a model that ends in a softmax; rows that sum to
            0.9 to 1.1 are renormalized. Defaults to `False`.
        logit_bias: Number added to the logit of the true class; `"auto"`
            computes it from the number of classes, see
            `keras_noisy.calibration.matched_logit_bias`. Defaults to `None`,
            no bias.
        logit_clip: Largest Euclidean norm of the logits of a sample, a
            positive number; longer ones are scaled down to it. Needs
            `from_logits=True`, since probabilities do not tell the norm, and
            finite logits.
            Defaults to `None`, no clip.
        logit_normalization: Temperature of normalised logits, a positive
            number such as 0.04: their Euclidean norm is then 1 over it. In
            place of `logit_clip`, under the same conditions. Defaults to
            `None`, as they are.
        ignore_class: Integer label of samples to leave out, such as -1 or
            255; the mean is then over the other samples. It has no meaning
            for one-hot and soft targets. Defaults to `None`.
        fade: How the calibration fades in training: the logit bias to 0, and
            a hyperparameter that is `"auto"` to its value at 10 classes.
            `"margin"`, class by class as the network learns them, see
            `keras_noisy.calibration.MarginFade`; or a schedule of
            `keras.optimizers.schedules` that gives the share of the
            calibration at each training batch (with gradient accumulation, at
            each of its parts), such as `CosineDecay(1.0, steps)`. The outputs
            of the model must go through `connect`, and every output needs a
            loss of its own. On JAX such a loss is no metric. Defaults to
            `None`, no fade.
        fade_key: Text that ties the loss to its layer in a saved model.
            Defaults to `None`, a new one.
        reduction: Any reduction of `keras.losses.Loss`. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `None`, a name made from the
            class.
        dtype: Dtype in which the loss is returned. Defaults to `None`,
            `keras.config.floatx()`.

    Call arguments:
        y_true: Integer labels of shape `(...)` or `(..., 1)`, or one-hot or
            soft targets of shape `(..., num_classes)`.
        y_pred: Predictions of shape `(..., num_classes)`.
        sample_weight: Weights that broadcast to the leading shape of
            `y_pred`; weights of shape `(N,)` belong to the samples.
            Defaults to `None`.

    Returns:
        The reduced loss, or with `reduction=None` one value per sample in the
        leading shape of `y_pred`.

    Raises:
        ValueError: If an argument is outside its range, if shapes do not fit
            or if the first concrete batch holds labels or predictions that
            cannot be meant.

    Example:

    A loss of your own is a subclass with a `formula` of the log-probability
    of the true class. Labels, logits, bias, clip and saving come with it.
    Hyperparameters go through `set_hyperparameters`, so that they are saved
    and that calibration knows them:

    >>> import keras
    >>> import keras_noisy
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class Root(keras_noisy.losses.RobustLoss):
    ...     def __init__(self, n=2.0, **kwargs):
    ...         super().__init__(**kwargs)
    ...         self.set_hyperparameters(n=n)
    ...
    ...     def formula(self, log_p):
    ...         return 1 - keras.ops.exp(log_p / self.n)
    >>> loss = Root(n=2.0, from_logits=True)
    >>> float(loss([0, 1], [[0.0, 0.0], [0.0, 0.0]]))  # 1 - sqrt(1 / 2)
    0.29289...
    >>> Root(num_classes=100, logit_bias="auto").logit_bias
    2.48...

    References:
        - Staats, Thamm, Rosenow, Enhancing noise-robust losses for
          large-scale noisy data learning (logit bias), AAAI 2025,
          arXiv 2306.05497
        - Wei et al., Mitigating memorization of noisy labels by clipping the
          model's prediction (LogitClip), ICML 2023, arXiv 2212.04055
        - Wei et al., Mitigating neural network overconfidence with logit
          normalization, ICML 2022, arXiv 2205.09310
    """

    #: Whether the loss depends on what a softmax forgets: `sum(logits)`.
    needs_logits: ClassVar[bool] = False
    #: Whether the loss keeps a state for each sample, in a layer.
    needs_memory: ClassVar[bool] = False
    #: Sizes of the axes of a sample's predictions before the classes.
    sample_axes: tuple[int, ...] = ()
    #: Whether the formula itself reads `num_classes`.
    needs_num_classes: bool = False
    #: The value of each hyperparameter that may be `"auto"` at 10 classes.
    references: ClassVar[dict[str, float]] = {}

    def __init__(
        self,
        *,
        num_classes: int | None = None,
        from_logits: bool = False,
        logit_bias: float | str | None = None,
        logit_clip: float | None = None,
        logit_normalization: float | None = None,
        ignore_class: int | None = None,
        fade: Any = None,
        fade_key: str | None = None,
        reduction: str | None = "sum_over_batch_size",
        name: str | None = None,
        dtype: Any = None,
    ):
        super().__init__(name=name, reduction=reduction, dtype=dtype)
        if num_classes is not None:
            num_classes = integer("num_classes", num_classes, 2)
        from_logits = boolean("from_logits", from_logits)
        if logit_bias not in (None, "auto"):
            logit_bias = real(
                "logit_bias", logit_bias, alternative=', None or "auto"'
            )
        if logit_clip is not None:
            logit_clip = real("logit_clip", logit_clip, low=0)
        if logit_normalization is not None:
            logit_normalization = real(
                "logit_normalization", logit_normalization, low=0
            )
            if logit_clip is not None:
                raise ValueError(
                    "Pass `logit_clip` or `logit_normalization`, not both: "
                    "normalised logits all have the same norm. Received: "
                    f"logit_clip={logit_clip:g}, "
                    f"logit_normalization={logit_normalization:g}"
                )
        if not from_logits:
            self._refuse_probabilities(
                logit_clip=logit_clip, logit_normalization=logit_normalization
            )
        if ignore_class is not None:
            ignore_class = integer("ignore_class", ignore_class, -(2**31))
            if ignore_class >= 2**31:
                raise invalid("ignore_class", ignore_class, "less than 2**31")
        self.num_classes = num_classes
        self.from_logits = from_logits
        self.logit_clip = logit_clip
        self.logit_normalization = logit_normalization
        self.ignore_class = ignore_class
        self._logit_bias = logit_bias
        self._matched_bias: float | None = None
        self._faded_bias: Tensor | None = None
        self._fading: Reference | None = None
        if fade is not None:
            loaded = CalibrationFade.without_loss(fade_key)
            self._fading = Reference(loaded or CalibrationFade(fade, fade_key))
        self._hyperparameters: dict[str, Any] = {}
        self._seen_concrete_batch = False
        self._for_class_count: dict[int, RobustLoss] = {}
        # Under a name of its own: TensorFlow takes no "NCE+RCE" for a scope.
        self._reduce = _reduction.Reduction(
            reduction=reduction,
            dtype=_transforms.compute_dtype(self.dtype),
        )

    def _refuse_probabilities(self, **transforms: float | None) -> None:
        given = {k: v for k, v in transforms.items() if v is not None}
        if given or self.needs_logits:
            name, value = next(iter(given.items()), (type(self).__name__, None))
            received = "" if value is None else f"{name}={value:g}, "
            raise ValueError(
                f"`{name}` needs `from_logits=True`: the size of the logits "
                "cannot be told from probabilities. Remove the softmax at the "
                "end of the model and pass `from_logits=True`. Received: "
                f"{received}from_logits=False"
            )

    def set_hyperparameters(self, **values: Any) -> None:
        """Keep hyperparameters as attributes and for `get_config`.

        Those named in `references` may be `"auto"`: they are matched to the
        number of classes, and the attribute shows the number.
        """
        self._hyperparameters = {**self._hyperparameters, **values}
        for name, value in values.items():
            setattr(self, name, value)
            if _is_auto(value) and name not in self.references:
                raise invalid(name, value, 'a number: it has no "auto"')
        automatic = self.automatic_arguments()
        if len(automatic) > 1:
            raise ValueError(
                f"Only one of `{'` and `'.join(automatic)}` can be "
                '"auto": each alone restores the error of few classes'
            )
        if automatic and self.num_classes is not None:
            name = automatic[0]
            if name != "logit_bias":
                value = matching.automatic(self, name, self.num_classes)
                setattr(self, name, value)

    def automatic_arguments(self) -> list[str]:
        """Names of the arguments that were given as `"auto"`."""
        config = self.get_config()
        names = [*self.references, "logit_bias"]
        return [name for name in names if _is_auto(config.get(name))]

    @property
    def logit_bias(self) -> float | str | None:
        """The bias; `"auto"` only while the number of classes is unknown."""
        if self._logit_bias == "auto" and self.num_classes is not None:
            if self._matched_bias is None:
                self._matched_bias = matching.automatic(
                    self, "logit_bias", self.num_classes
                )
            return self._matched_bias
        return self._logit_bias

    @property
    def _bias(self) -> float | Tensor | None:
        """The bias to add, None for none; while it fades of shape (N, 1)."""
        if self._faded_bias is not None:
            return self._faded_bias
        bias = self.logit_bias
        return bias if isinstance(bias, float) and bias else None

    @property
    def fading(self) -> CalibrationFade | None:
        """The layer that knows how much calibration is left, with `fade`."""
        return self._fading and self._fading.layer

    def connect(self, outputs: Tensor) -> Tensor:
        """Hand the outputs of a model through the layers of this loss.

        Losses with `fade`, and those with a memory, keep their state in the
        model; for the others the outputs stay as they are. Each model gets a
        state of its own. The layers come behind the outputs, or in front of
        their layer if that has a name of its own, which they keep.
        """
        layers = self._new_layers()
        return connected(outputs, layers) if layers else outputs

    def _new_layers(self) -> list[PassThrough]:
        """The layers to put into a model, without the state of another."""
        if self._fading is None:
            return []
        _fading.ends(self)  # Raise here rather than in training.
        if self.fading.built:
            self._fading = Reference(self.fading.fresh())
        return [self.fading]

    def formula(self, log_p: Tensor) -> Tensor:
        """Loss of the log-probability of the true class, elementwise."""
        raise TypeError(
            f"{type(self).__name__} has no `formula(self, log_p)`: a subclass "
            "of RobustLoss must define it"
        )

    @property
    def has_formula(self) -> bool:
        """Whether this is a loss of the true-class probability alone."""
        return type(self).formula is not RobustLoss.formula

    def error_powers(self) -> dict[float, float] | None:
        """Error `d loss / d logit` over `1 - p` as powers of `p`, if it is one.

        Maps each power to its coefficient; calibration is then exact.
        """
        return None

    def at_start(self, num_classes: int) -> RobustLoss:
        """The loss that calibration looks at, in place of this one."""
        return self

    def target_formula(self, targets: Tensor, log_p: Tensor) -> Tensor:
        """Loss of soft targets, both of shape (N, num_classes)."""
        # A class of target 0 must not bring in an infinite loss.
        safe = ops.where(targets == 0, 0.0, log_p)
        return ops.sum(targets * self.formula(safe), axis=-1)

    def distribution_formula(self, labels: Given, log_p: Tensor) -> Tensor:
        """One value per sample from log-probabilities of shape (N, K)."""
        return labels.of_true_class(self, log_p)

    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> Tensor:
        """Return the reduced loss."""
        # Keras would cast `y_true` to the dtype of the loss and so round
        # labels. The values are computed first; Keras then reduces them, in
        # float32 at least, as half precision overflows in sums.
        given = y_true
        y_true, y_pred, labels = self._read(y_true, y_pred)
        if not self._seen_concrete_batch:
            self._seen_concrete_batch = self.check_values(
                given, y_pred, targets=labels is None
            )
        values = self.call(y_true, y_pred)
        if sample_weight is not None:
            sample_weight = _reduction.per_value(_tensor(sample_weight), values)
        if labels is not None and self.ignore_class is not None:
            values = (values, labels != self.ignore_class)
        loss = self._reduce(values, y_pred, sample_weight)
        return _transforms.cast(loss, self.dtype)

    def _read(self, y_true: Tensor, y_pred: Tensor) -> tuple:
        """Both as tensors, and the integer labels, None for targets."""
        y_true, y_pred = _labels.as_tensor(y_true), _floating(y_pred)
        _labels.class_count(y_pred, self.num_classes)
        only_labels, _ = self.split_labels(y_true, y_pred)
        labels = _labels.as_labels(only_labels, self._one_view(y_pred))
        return y_true, y_pred, labels

    def check(self, y_true: Tensor, y_pred: Tensor) -> None:
        """Raise on a batch that cannot be meant, see `keras_noisy.check`."""
        _, _, labels = self._read(y_true, y_pred)
        if self._fading is not None:
            self._fading.called(type(self).__name__)
        self.check_values(y_true, y_pred, targets=labels is None, strict=True)

    def check_values(
        self,
        y_true: Tensor,
        y_pred: Tensor,
        targets: bool,
        strict: bool = False,
    ) -> bool:
        """Raise on values that cannot be meant; False while they are traced."""
        return _first_batch.check(
            y_true,
            y_pred,
            targets=targets,
            from_logits=self.from_logits,
            ignore_class=self.ignore_class,
            strict=strict,
        )

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return one value per sample, in the leading shape of `y_pred`."""
        given_labels = _labels.as_tensor(y_true)
        y_pred = _floating(y_pred)
        y_true, sample = self.split_labels(given_labels, y_pred)
        num_classes = _labels.class_count(y_pred, self.num_classes)
        loss = self._resolved(num_classes)
        dtype = _transforms.compute_dtype(self.dtype)
        one_view = self._one_view(y_pred)
        labels = _labels.as_labels(y_true, one_view)
        shape = None
        if len(one_view.shape) != 2:
            shape = ops.shape(one_view)[:-1]
            y_pred = ops.reshape(y_pred, (-1, *self.sample_axes, num_classes))
            if labels is None:
                y_true = ops.reshape(y_true, (-1, num_classes))
            else:
                labels = ops.reshape(labels, (-1,))

        if labels is None:
            targets = _transforms.cast(y_true, dtype)
            sums = ops.sum(targets, axis=-1)
            valid, ignored = _transforms.is_distribution(sums, targets), None
            targets = targets / ops.where(valid, sums, 1.0)[:, None]
        else:
            index, valid = _labels.safe_index(labels, num_classes)
            ignored = self._ignored(labels)
        if not self.from_logits:
            sums = ops.sum(_transforms.cast(y_pred, dtype), axis=-1)
            known = _transforms.is_distribution(sums, y_pred)
            if self.sample_axes:
                axes = tuple(range(1, len(known.shape)))
                known = ops.all(known, axis=axes)
            valid = ops.logical_and(valid, known)
        if labels is None:
            given = Targets(targets, valid)
        else:
            given = Index(index, valid, ignored, sample)
        given.given = given_labels
        logits = self._plain_logits(y_pred, dtype)
        if self._fading is not None:
            loss = _fading.now(loss, given, self._one_view(logits))
        values = loss._values(given, self._transformed(logits))
        values = ops.where(valid, values, float("nan"))
        if ignored is not None:
            values = ops.where(ignored, 0.0, values)
        if shape is not None:
            values = ops.reshape(values, shape)
        return _transforms.cast(values, self.dtype)

    def split_labels(self, y_true: Tensor, y_pred: Tensor) -> tuple:
        """Labels, and the sample indices beside them where a loss has them."""
        return y_true, None

    def _one_view(self, y_pred: Tensor) -> Tensor:
        """Predictions without the axes that labels do not have."""
        for size in self.sample_axes:
            if len(y_pred.shape) < 2 or y_pred.shape[-2] not in (size, None):
                raise ValueError(
                    f"Expected `y_pred` of shape (..., {size}, num_classes), "
                    f"one row for each of the {size} views. Received: "
                    f"y_pred.shape={tuple(y_pred.shape)}"
                )
            y_pred = y_pred[..., 0, :]
        return y_pred

    def _ignored(self, labels: Tensor) -> Tensor | None:
        return (
            None if self.ignore_class is None else labels == self.ignore_class
        )

    def _values(self, labels: Given, logits: Tensor) -> Tensor:
        """Values of (N, K) logits, by the formula of the true class."""
        if isinstance(labels, Targets):
            if self._bias is not None:
                logits = logits + self._bias * labels.targets
            log_p = ops.log_softmax(logits, axis=-1)
            return self.target_formula(labels.targets, log_p)
        bias = self._bias
        if isinstance(bias, float) and bias < 0:
            # Where p is near 1 it is rounded too much to be lowered later.
            logits = logits + bias * labels.dense(logits)
            bias = None
        log_p = _transforms.log_probability(labels.index, logits)
        if bias is not None:
            bias = bias if isinstance(bias, float) else bias[:, 0]
            log_p = _transforms.biased(log_p, bias)
        return self.formula(log_p)

    def _plain_logits(self, y_pred: Tensor, dtype: str) -> Tensor:
        if not self.from_logits:
            return _transforms.log_of_probabilities(y_pred, dtype)
        return _transforms.cast(y_pred, dtype)

    def _transformed(self, logits: Tensor) -> Tensor:
        if self.logit_clip is not None:
            logits = _transforms.clip(logits, self.logit_clip)
        if self.logit_normalization is not None:
            logits = _transforms.normalize(logits, self.logit_normalization)
        return logits

    def _resolved(self, num_classes: Any) -> RobustLoss:
        """This loss, or its copy for a class count learned only now."""
        needed = self.needs_num_classes or self.automatic_arguments()
        if self.num_classes is not None or not needed:
            return self
        if not isinstance(num_classes, int):
            raise ValueError(
                f"{self.name} depends on the number of classes, which the "
                "shape of `y_pred` does not tell: pass `num_classes` to the "
                "loss"
            )
        if num_classes not in self._for_class_count:
            config = {**self.get_config(), "num_classes": num_classes}
            resolved = self.from_config(config)
            self._share_state(resolved)
            self._for_class_count[num_classes] = resolved
        return self._for_class_count[num_classes]

    def _share_state(self, copy: RobustLoss) -> None:
        """Give a copy that stands for this loss the same layers."""
        copy._fading = self._fading

    def get_config(self) -> dict[str, Any]:
        """Return every argument, `"auto"` kept as `"auto"`."""
        return {
            **self._hyperparameters,
            "num_classes": self.num_classes,
            "from_logits": self.from_logits,
            "logit_bias": self._logit_bias,
            "logit_clip": self.logit_clip,
            "logit_normalization": self.logit_normalization,
            "ignore_class": self.ignore_class,
            **self._fade_config(),
            **super().get_config(),
            "dtype": self.dtype,
        }

    def __reduce__(self):
        # Keras would copy the state of the layers too.
        return _from_config, (type(self), self.get_config())

    def _fade_config(self) -> dict[str, Any]:
        if self.fading is None:
            return {"fade": None, "fade_key": None}
        fade = keras.saving.serialize_keras_object(self.fading.fade)
        return {"fade": fade, "fade_key": self.fading.key}


def _from_config(kind: type[RobustLoss], config: dict) -> RobustLoss:
    return kind.from_config(config)


def _tensor(x: Tensor) -> Tensor:
    """`x` as a tensor in its own dtype."""
    return x if ops.is_tensor(x) else ops.convert_to_tensor(x)


def _floating(x: Tensor) -> Tensor:
    """`x` as a tensor of floating numbers."""
    x = _tensor(x)
    dtype = keras.backend.standardize_dtype(x.dtype)
    if keras.backend.is_float_dtype(dtype):
        return x
    return ops.cast(x, keras.config.floatx())


def _is_auto(value: Any) -> bool:
    return isinstance(value, str) and value == "auto"
