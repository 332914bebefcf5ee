"""How frequent each class is, and how much the logits make up for it."""

from __future__ import annotations

import functools
from typing import Any

import numpy as np
from keras import ops

from keras_noisy._arguments import real
from keras_noisy._class_counts import class_counts
from keras_noisy.losses.base._arguments import Converted, Shared, declared


class Prior:
    """Counts or shares of the classes, and what is computed from them once."""

    def __init__(self, counts: np.ndarray):
        self.counts = counts

    def __len__(self) -> int:
        return len(self.counts)

    @functools.cached_property
    def shares(self) -> np.ndarray:
        """Share of each class, with a sum of 1."""
        return self.counts / self.counts.sum()

    @functools.cached_property
    def log(self) -> np.ndarray:
        """Logarithm of the shares, less its mean.

        Equal shares then change nothing, even if a loss needs the logits.
        """
        log = np.log(self.shares)
        return log - log.mean()


class LogitAdjustment(Shared, Converted):
    """A positive number per class, or None for no adjustment."""

    documentation = (
        "Number of training samples of each class, or their shares, for "
        "data in which some classes are rare: positive numbers of shape "
        "`(num_classes,)`. The loss adds the logarithm of the shares to the "
        "logits, so that the plain outputs, with which you predict, treat "
        'all classes alike. `"auto"` values of other arguments are computed '
        "for labels with these shares. With noisy labels, count the given "
        "labels. Defaults to `None`, no adjustment."
    )

    def check(self, value: Any) -> Prior | None:
        """The numbers as a prior."""
        if value is None or isinstance(value, Prior):
            return value
        return Prior(class_counts(self.name, value))

    def verify(self, loss: Any) -> None:
        """Set the number of classes of the loss, or check it if given."""
        prior = loss.arguments[self.name]
        if prior is not None:
            self._check_count(prior, loss.num_classes)
            loss.num_classes = len(prior)

    def config(self, value: Prior | None) -> list[float] | None:
        """The numbers as a list."""
        return value if value is None else value.counts.tolist()

    def _check_count(self, prior: Prior, num_classes: int | None) -> None:
        if num_classes not in (None, len(prior)):
            raise ValueError(
                f"Invalid value for argument `{self.name}`. Expected a number "
                f"for each of num_classes={num_classes} classes. Received: "
                f"{len(prior)} numbers. Count every class, or set the loss to "
                f"`{self.name}=None` to look at other numbers of classes"
            )

    def now(self, loss: Any, numbers: dict[str, Any]) -> np.ndarray:
        """The numbers added to the logits, `tau * log(prior)`."""
        prior = numbers[self.name]
        classes = numbers["num_classes"]
        if isinstance(classes, int):
            self._check_count(prior, classes)
        # A loss may have its own `tau` with another meaning.
        is_own = "tau" in loss._own
        is_shared = isinstance(declared(type(loss))["tau"], Tau) and not is_own
        return (numbers["tau"] if is_shared else 1.0) * prior.log

    @staticmethod
    def on_logits(logits: Any, shift: np.ndarray) -> Any:
        """Logits shifted to the class frequencies of training."""
        if logits.shape[-1] == 1:  # The logit of class 1 over class 0.
            shift = shift[1:] - shift[:1]
        return logits + ops.convert_to_tensor(shift, logits.dtype)


class Tau(Shared):
    """How much of the prior the logits make up for, a number of at least 0."""

    documentation = (
        "Weight of the prior in `logit_adjustment`, a number of at least 0: "
        "1 is right for calibrated probabilities, larger values favor rare "
        "classes. A loss with another `tau`, such as `PHuberCE`, always uses "
        "1; raise the counts to a power instead. Defaults to `1.0`."
    )

    def check(self, value: Any) -> float:
        """The number."""
        return real(self.name, value, 0, closed="low")
