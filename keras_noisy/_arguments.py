"""Checks of arguments, with errors that say what was expected."""

import math
import numbers
from collections.abc import Iterable
from typing import TypeGuard

#: Longest text of a value in an error: a list of arrays can be very long.
LONGEST = 400


def invalid(name: str, value: object, expected: str) -> ValueError:
    """A ValueError in Keras' wording, to be raised by the caller."""
    text = repr(value)
    if len(text) > LONGEST:
        text = f"{text[:LONGEST]}..., a {type(value).__name__}"
    return ValueError(
        f"Invalid value for argument `{name}`. Expected {expected}. "
        f"Received: {name}={text}"
    )


def real(
    name: str,
    value: object,
    low: float = -math.inf,
    high: float = math.inf,
    closed: str = "",
    alternative: str = "",
) -> float:
    """`value` as a float inside an interval; `closed` names its closed ends.

    `closed` is `""`, `"low"`, `"high"` or `"low high"`; `alternative` names
    other values that the argument accepts, for the error message.
    """
    left = "[" if "low" in closed else "("
    right = "]" if "high" in closed else ")"
    expected = f"a number in {left}{low:g}, {high:g}{right}{alternative}"
    if isinstance(value, bool) or not isinstance(value, numbers.Real):
        raise invalid(name, value, expected)
    number = float(value)
    above = number > low or (left == "[" and number == low)
    below = number < high or (right == "]" and number == high)
    if not (above and below):
        raise invalid(name, value, expected)
    return number


def integer(name: str, value: object, low: int | None = None) -> int:
    """`value` as an int, at least `low`."""
    expected = "an integer" if low is None else f"an integer >= {low}"
    if isinstance(value, bool) or not isinstance(value, numbers.Integral):
        raise invalid(name, value, expected)
    if low is not None and value < low:
        raise invalid(name, value, expected)
    return int(value)


def backend_seed(value: object) -> int:
    """`value` as a seed that the generators of every backend take."""
    if (value := integer("seed", value, 0)) >= 2**31:
        raise invalid("seed", value, "an integer from 0 to 2147483647")
    return value


def is_auto(value: object) -> TypeGuard[str]:
    """Whether it is the text `"auto"`; arrays cannot be compared with one."""
    return isinstance(value, str) and value == "auto"


def choice(name: str, value: object, names: Iterable[str]) -> str:
    """`value` if it is one of these names."""
    known = list(names)
    if not isinstance(value, str) or value not in known:
        raise invalid(name, value, f"one of {known}")
    return value


def boolean(name: str, value: object) -> bool:
    """`value` if it is True or False."""
    if not isinstance(value, bool):
        raise invalid(name, value, "True or False")
    return value
