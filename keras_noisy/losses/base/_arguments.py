"""Declarations of the arguments of a loss class."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection
from typing import Any

from keras_noisy._arguments import boolean, choice, integer, is_auto, real

REQUIRED = inspect.Parameter.empty


class Argument:
    """An argument of a loss: its default, check, config, and attribute.

    Args:
        default: Default value. Without one, the argument is required.
        kw_only: Whether it can only be passed by name.
    """

    #: Whether `"auto"` is allowed. The default is then known to train with
    #: 10 classes.
    auto = False

    def __init__(self, default: Any = REQUIRED, *, kw_only: bool = False):
        self.default = default
        self.kw_only = kw_only

    def __set_name__(self, owner: type, name: str) -> None:
        self.name = name

    def __get__(self, loss: Any, owner: type) -> Any:
        return self if loss is None else loss.argument(self.name)

    def __set__(self, loss: Any, value: Any) -> None:
        loss.arguments[self.name] = self.check(value)
        loss.forget_matches()

    def check(self, value: Any) -> Any:
        """Return the value to store; raise a ValueError if out of range."""
        return value

    def verify(self, loss: Any) -> None:
        """Raise if it does not go with the other arguments of a loss."""

    def config(self, value: Any) -> Any:
        """The value as `get_config` returns it."""
        return value

    def parameter(self) -> inspect.Parameter:
        """The parameter that a signature shows."""
        of = inspect.Parameter
        kind = of.KEYWORD_ONLY if self.kw_only else of.POSITIONAL_OR_KEYWORD
        return of(self.name, kind, default=self.default)


class Converted(Argument):
    """An argument that is stored in another form, and shown as in a config."""

    def __get__(self, loss: Any, owner: type) -> Any:
        return self if loss is None else self.config(loss.arguments[self.name])


def typed(argument: Argument) -> Any:
    """The argument, typed so that a class can annotate it freely."""
    return argument


class Number(Argument):
    """A number in an interval, see `number`."""

    def __init__(
        self, default: Any, low: float, high: float, closed: str, auto: bool
    ):
        super().__init__(default)
        self.low, self.high, self.closed = low, high, closed
        self.auto = auto

    def check(self, value: Any) -> float | str:
        """A float inside the interval, or `"auto"`."""
        if self.auto and is_auto(value):
            return value
        other = ', or "auto"' * self.auto
        return real(self.name, value, self.low, self.high, self.closed, other)


class Integer(Argument):
    """A whole number, see `whole_number`."""

    def __init__(self, default: Any, low: int):
        super().__init__(default)
        self.low = low

    def check(self, value: Any) -> int:
        """An integer of at least `low`."""
        return integer(self.name, value, self.low)


class Choice(Argument):
    """One of several names."""

    def __init__(self, default: str, names: Collection[str]):
        super().__init__(default)
        self.names = names

    def check(self, value: Any) -> str:
        """The name."""
        return choice(self.name, value, self.names)


class Flag(Argument):
    """True or False, see `flag`."""

    def check(self, value: Any) -> bool:
        """The value."""
        return boolean(self.name, value)


def number(
    default: Any = REQUIRED,
    low: float = -float("inf"),
    high: float = float("inf"),
    closed: str = "",
    auto: bool = False,
) -> Any:
    """Declare a number that a loss of your own takes.

    Use it in the body of a subclass of `TrueClassLoss` or `DistributionLoss`,
    under the name that `formula` uses. The number becomes an argument of the
    loss, is checked, and is saved with the model.

    Args:
        default: Default value. Without one, the argument is required.
        low: Lower end of the interval. Defaults to minus infinity.
        high: Upper end of the interval. Defaults to infinity.
        closed: Which ends belong to the interval, `""`, `"low"`, `"high"` or
            `"low high"`. Defaults to `""`.
        auto: Whether `"auto"` is allowed. The value is then computed from the
            number of classes, such that the error is the one of the default
            at 10 classes. Defaults to `False`.

    Returns:
        A descriptor of the class.

    Raises:
        ValueError: When the loss is built with a value outside the interval.

    Example:

    >>> from keras import ops
    >>> from keras_noisy.losses import TrueClassLoss, number
    >>> class Power(TrueClassLoss):
    ...     q: float | str = number(0.7, 0, 1, closed="high", auto=True)
    ...
    ...     @staticmethod
    ...     def formula(log_p, q):
    ...         return (1 - ops.exp(q * log_p)) / q
    >>> round(Power(q="auto", num_classes=100).q, 3)
    0.379
    """
    return Number(default, low, high, closed, auto)


def whole_number(default: Any = REQUIRED, low: int = 1) -> Any:
    """Declare a whole number that a loss of your own takes, as `number` does.

    Args:
        default: Default value. Without one, the argument is required.
        low: Smallest value allowed. Defaults to `1`.

    Returns:
        A descriptor of the class.

    Raises:
        ValueError: When the loss is built with any other value.

    Example:

    >>> from keras_noisy.losses import TrueClassLoss, whole_number
    >>> class Power(TrueClassLoss):
    ...     n: int = whole_number(2)
    ...
    ...     @staticmethod
    ...     def formula(log_p, n):
    ...         return (-log_p) ** n
    >>> Power().n
    2
    """
    return Integer(default, low)


def flag(default: bool) -> Any:
    """Declare a True or False argument of a loss of your own.

    Args:
        default: Default value.

    Returns:
        A descriptor of the class.

    Raises:
        ValueError: When the loss is built with any other value.

    Example:

    >>> from keras_noisy.losses import TrueClassLoss, flag
    >>> class Signed(TrueClassLoss):
    ...     negative: bool = flag(True)
    ...
    ...     @staticmethod
    ...     def formula(log_p, negative):
    ...         return -log_p if negative else log_p
    >>> Signed().negative
    True
    """
    return Flag(default)


@functools.cache
def _declared(cls: type) -> dict[str, Argument]:
    """All arguments of a class; a subclass may redeclare one."""
    found: dict[str, Argument] = {}
    for base in reversed(cls.__mro__):
        for name, value in vars(base).items():
            if isinstance(value, Argument):
                found[name] = value
    # Hyperparameters come before the arguments that all losses share.
    return dict(sorted(found.items(), key=lambda x: isinstance(x[1], Shared)))


# Type checkers do not accept a class as the key of a cache.
declared: Callable[[type], dict[str, Argument]] = _declared


class Shared(Argument):
    """An argument of every loss."""

    #: Description for the docstring of every loss.
    documentation = ""

    #: Whether it depends on the size of the logits.
    needs_logits = False

    def __init__(self, default: Any = None, *, kw_only: bool = True):
        super().__init__(default, kw_only=kw_only)

    def now(self, loss: Any, numbers: dict[str, Any]) -> Any:
        """The value that acts on the logits, from the numbers of a loss."""
        return numbers[self.name]

    def verify(self, loss: Any) -> None:
        """Raise if it does not go with the other arguments of a loss."""
        value = loss.arguments[self.name]
        if self.needs_logits and value is not None and not loss.from_logits:
            raise needs_logits(self.name, f"{self.name}={value:g}, ")


def needs_logits(name: str, received: str = "") -> ValueError:
    """The error for an argument that probabilities are not enough for."""
    return ValueError(
        f"`{name}` needs `from_logits=True`: the size of the logits "
        "cannot be told from probabilities. Remove the softmax at the "
        "end of the model and pass `from_logits=True`. Received: "
        f"{received}from_logits=False"
    )
