"""The base of every loss: the steps from a batch to its values."""

from __future__ import annotations

from dataclasses import KW_ONLY
from typing import TYPE_CHECKING, Any, ClassVar

from keras import ops

from keras_noisy.distribution.processes import check_together
from keras_noisy.losses.base import (
    _arguments,
    _batch,
    _fade,
    _first_batch,
    _math,
    _reduction,
    _signature,
    _single,
)
from keras_noisy.losses.base import shared as _shared
from keras_noisy.losses.base._autograph import unconverted
from keras_noisy.losses.base._fade import FadingLoss
from keras_noisy.losses.base._fresh import FreshLoss
from keras_noisy.losses.base._labels import Labels

Tensor = Any
# Each argument has the type of its annotation, for type checkers.
shared: Any = _shared
#: Arguments that change the logits, in this order, before bias and formula.
ON_LOGITS = ("logit_clip", "logit_normalization", "logit_adjustment")


@_signature.with_shared_arguments
class RobustLoss(FreshLoss, FadingLoss):
    """Base of the losses that learn from noisy labels.

    Use a subclass. This class reads the labels, turns predictions into
    log-probabilities, clips or normalizes the logits and applies the logit
    bias, leaves out ignored and masked samples, reduces and saves. A subclass
    only adds its formula.

    Formula:

    ```
    z = log(y_pred)                      # z = y_pred if from_logits
    z = z * min(1, logit_clip / ||z||)   # if logit_clip
    z = z / ((||z|| + 1e-7) * logit_normalization)  # if that
    z = z + tau * (log(prior) - mean(log(prior)))   # if logit_adjustment
    z[y_true] += logit_bias              # if logit_bias
    loss = formula(log_softmax(z)[y_true])
    # if label_smoothing: of (1 - e) * onehot(y_true) + e / num_classes
    # if margin_scale
    margin = z[y_true] - logsumexp(z[k] for k != y_true)
    loss = formula(log_sigmoid(margin_scale * margin)) / margin_scale
    # if balance, with m = mean(plain probabilities) over the batch
    loss = loss + balance * (log(num_classes) + sum(m * log(m)))
    ```

    These steps act only inside the loss: predict with the plain outputs of
    the model. For soft targets `t`, the bias adds `logit_bias * t[k]` to logit
    `k`, and the loss is `sum_k t[k] * formula(log_softmax(z)[k])`; with a
    `margin_scale` below 1, it is this sum with the scaled margin of each
    class, even for `MAE`.

    Arithmetic uses float32 at least. Labels are never rounded, whatever the
    dtype of the loss. A sample has the loss NaN and gradient zero if its label
    is outside `[0, num_classes)`, its predictions are not probabilities, or
    its targets are not a distribution. If the first batch that the loss sees
    outside a compiled step has such a sample, the loss raises a ValueError;
    `keras_noisy.check` does so for any batch. Masked samples and samples of
    weight 0 are no exception: give padding an `ignore_class`. Soft targets
    with a sum from 0.9 to 1.1 are divided by their sum.

    Args:
        {shared}
        reduction: Any reduction of `keras.losses.Loss`. Defaults to
            `"sum_over_batch_size"`.
        name: Name of the loss. Defaults to `None`, a name made from the
            class.
        dtype: Dtype in which the loss is returned. Defaults to `None`,
            `keras.config.floatx()`.

    Call arguments:
        y_true: Integer labels of shape `(...)` or `(..., 1)`, or one-hot or
            soft targets of shape `(..., num_classes)`. For a single output,
            labels 0 and 1, or floats between them as soft labels.
        y_pred: Predictions of shape `(..., num_classes)`, or for two classes
            only the probability or logit of class 1, of shape `(..., 1)` or
            `(N,)`. A single output `z` counts as the logits `(0, z)`.
        sample_weight: Weights that broadcast to the leading shape of
            `y_pred`; weights of shape `(N,)` belong to the samples.
            Defaults to `None`.

    Returns:
        The reduced loss, or with `reduction=None` one value per sample in the
        leading shape of `y_pred`.

    Raises:
        ValueError: If an argument is outside its range, if shapes do not
            match, or if the first concrete batch has invalid labels or
            predictions.

    Example:

    A loss of your own is a subclass with a `formula` of the log-probability
    of the true class. This class handles labels, logits, bias, clip and
    saving. A number that it declares is checked, saved, and calibrated:

    >>> import keras
    >>> from keras_noisy.losses import TrueClassLoss, number
    >>> @keras.saving.register_keras_serializable("my_package")
    ... class Root(TrueClassLoss):
    ...     n: float = number(2.0, low=0)
    ...
    ...     @staticmethod
    ...     def formula(log_p, n):
    ...         return 1 - keras.ops.exp(log_p / n)
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
        - Ou, Zhang, A curriculum perspective of robust loss functions
          (rescaled margin), Preprint 2023, arXiv 2305.02139
        - Wei et al., Mitigating neural network overconfidence with logit
          normalization, ICML 2022, arXiv 2205.09310
        - Menon et al., Long-tail learning via logit adjustment, ICLR 2021,
          arXiv 2007.07314
        - Szegedy et al., Rethinking the inception architecture for computer
          vision (label smoothing), CVPR 2016, arXiv 1512.00567
        - Ye et al., Active negative loss: a robust framework for learning with
          noisy labels (balance), Preprint 2024, arXiv 2412.02373
    """

    _: KW_ONLY
    num_classes: int | None = shared.NumClasses()
    from_logits: bool = shared.FromLogits(False)
    logit_bias: float | str | None = shared.LogitBias()
    margin_scale: float | str | None = shared.MarginScale()
    logit_clip: float | None = shared.LogitClip()
    logit_normalization: float | None = shared.LogitNormalization()
    logit_adjustment: Any = shared.LogitAdjustment()
    tau: float = shared.Tau(1.0)
    ignore_class: int | None = shared.IgnoreClass()
    label_smoothing: float = shared.LabelSmoothing(0.0)
    balance: float = shared.Balance(0.0)
    fade: Any = shared.Fade()
    fade_key: str | None = shared.FadeKey()
    if TYPE_CHECKING:  # Keras sets these.
        reduction: Any = None
        name: Any = None
        dtype: Any = None

    #: Whether adding a constant to all logits changes the loss.
    needs_logits: ClassVar[bool] = False
    #: Whether outputs must go through `connect`, whatever the arguments.
    has_state: ClassVar[bool] = False

    def __init__(self, *args: Any, **kwargs: Any):
        super().__init__(*args, **kwargs)
        self._seen_concrete_batch = False

    def split_labels(
        self, y_true: Tensor, y_pred: Tensor
    ) -> tuple[Tensor, Tensor | None]:
        """Labels, and the sample indices next to them if a loss has these."""
        return y_true, None

    @unconverted
    def __call__(
        self, y_true: Tensor, y_pred: Tensor, sample_weight: Tensor = None
    ) -> Tensor:
        """Return the reduced loss."""
        # Keras would cast `y_true` to the dtype of the loss and so round
        # labels. The values are computed first; Keras then reduces them, in
        # float32 at least, as half precision overflows in sums.
        values, batch = self.measured(y_true, y_pred)
        return self.reduced(values, batch, sample_weight)

    def measured(
        self, y_true: Tensor, y_pred: Tensor
    ) -> tuple[Tensor, _batch.Batch]:
        """One value per sample, and the batch that was read."""
        check_together(y_pred)
        batch = _batch.read(self, y_true, y_pred)
        if not self._seen_concrete_batch:
            self.check_connected()
            _signature.check_config(self)
            if not _first_batch.is_filler(y_true, batch.y_pred):
                self._seen_concrete_batch = self.check_values(batch, y_true)
        if self.has_own_call():
            values = self.call(batch.y_true, batch.y_pred)
        else:
            values = self._values_of(batch)
        return values, batch

    def reduced(
        self, values: Tensor, batch: _batch.Batch, sample_weight: Tensor
    ) -> Tensor:
        """The values, weighted, masked and reduced by Keras."""
        if sample_weight is not None:
            weight = ops.convert_to_tensor(sample_weight)
            sample_weight = _reduction.per_value(weight, values)
        if batch.integers is not None and self.ignore_class is not None:
            values = (values, batch.integers != self.ignore_class)
        return _reduction.reduced(self, values, batch.y_pred, sample_weight)

    def call(self, y_true: Tensor, y_pred: Tensor) -> Tensor:
        """Return one value per sample, in the leading shape of `y_pred`."""
        return self._values_of(_batch.read(self, y_true, y_pred))

    def has_own_call(self) -> bool:
        """Whether a user's subclass replaces `call`."""
        return type(self).call is not RobustLoss.call

    def _values_of(self, batch: _batch.Batch) -> Tensor:
        """The steps from a batch that was read to its values."""
        values = _batch.restored(self.rows_of(batch), batch)
        return _math.cast(values, self.dtype)

    def rows_of(self, batch: _batch.Batch) -> Tensor:
        """One value for each row of a batch, even without a valid label."""
        numbers = self.numbers(batch.num_classes)
        smoothing, balance = numbers["label_smoothing"], numbers["balance"]
        if smoothing:
            batch = _shared.LabelSmoothing.on_labels(batch, smoothing)
        if self._fading is not None:
            numbers = _fade.now(self, numbers, batch)
        logits = self.transformed(batch.logits, numbers)
        if _single.is_single(logits) and not self.has_formula:
            logits = _single.as_pair(logits)
        values = self.values(batch.labels, logits, numbers)
        if balance:
            values = _shared.Balance.on_values(values, batch, balance)
        return values

    def transformed(self, logits: Tensor, numbers: dict[str, Any]) -> Tensor:
        """Logits after all changes that come before the bias."""
        for name in ON_LOGITS:
            if numbers[name] is not None:
                part: Any = _arguments.declared(type(self))[name]
                logits = part.on_logits(logits, part.now(self, numbers))
        return logits

    def values(
        self, labels: Labels, logits: Tensor, numbers: dict[str, Any]
    ) -> Tensor:
        """One value per sample from the transformed logits."""
        raise TypeError(
            f"{type(self).__name__} has no `formula`. Expected a subclass of "
            "TrueClassLoss with `formula(log_p)`, or of DistributionLoss with "
            "`formula(labels, log_p)`"
        )

    def check(self, y_true: Tensor, y_pred: Tensor) -> None:
        """Raise on a batch that must be a mistake, see `keras_noisy.check`."""
        self.check_connected()
        batch = _batch.read(self, y_true, y_pred)
        self.check_values(batch, y_true, strict=True)

    def check_values(
        self, batch: _batch.Batch, y_true: Any, strict: bool = False
    ) -> bool:
        """Raise on values that must be a mistake; False while traced."""
        return _first_batch.check(self, batch, y_true, strict)
