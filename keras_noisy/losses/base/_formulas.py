"""The formulas that a class defines: what they receive and return."""

from __future__ import annotations

import functools
import inspect
from collections.abc import Callable, Collection, Iterator
from types import CodeType
from typing import Any

from keras_noisy._label_tensors import agree, is_unranked
from keras_noisy.losses.base._arguments import Argument, Shared

#: Functions of tensors and of the numbers of a loss.
FORMULAS = (
    "formula",
    "target_formula",
    "class_losses",
    "headroom",
    "log_probabilities",
    "error_powers",
)
#: Names of the tensors that they take; all other names are numbers.
INPUTS = {"labels", "log_p", "logits", "targets", "total", "is_late"}


@functools.cache
def names_of(function: Any) -> list[str]:
    """The names of the arguments of a formula."""
    return list(inspect.signature(function).parameters)


def with_numbers(
    function: Callable[..., Any], inputs: tuple, number: Callable[[str], Any]
) -> Any:
    """Call a formula with its inputs, and with the numbers that it names."""
    names = names_of(function)[len(inputs) :]
    return function(*inputs, *map(number, names))


class Pure(staticmethod):
    """A function of tensors and numbers; a loss passes its own numbers."""

    def __get__(self, loss: Any, owner: type | None = None) -> Any:
        if loss is None:
            return self.__func__

        def formula(*inputs: Any) -> Any:
            return with_numbers(self.__func__, inputs, loss.argument)

        return formula


def takes_num_classes(cls: type) -> bool:
    """Whether a formula of the class names the number of classes."""
    formula = inspect.getattr_static(cls, "formula", None)
    return isinstance(formula, staticmethod) and "num_classes" in names_of(
        formula.__func__
    )


def check(cls: type, arguments: dict[str, Any]) -> None:
    """Raise on a formula of the class that does not go with its numbers."""
    found = [name for name in FORMULAS if name in vars(cls)]
    taken: set[str] = set()
    for name in found:
        value = vars(cls)[name]
        if isinstance(value, staticmethod):
            names = names_of(value.__func__)
            _check_names(cls, name, names, arguments)
            taken.update(names)
        elif inspect.isfunction(value) or isinstance(value, classmethod):
            function = getattr(value, "__func__", value)
            _check_method(cls, name, function, arguments)
    for number, value in vars(cls).items():
        declared = isinstance(value, Argument) and not isinstance(value, Shared)
        if not (found and declared) or number in taken:
            continue
        if number not in _used(cls):  # slow
            raise TypeError(
                f"`{cls.__name__}` declares `{number}`, which its formula does "
                f"not take, so it would do nothing. Expected `{number}` among "
                f"the last arguments of `{cls.__name__}.{found[0]}`, or no "
                f"`{number}` in the class"
            )


def is_current(kind: type, name: str, sources: Collection[str]) -> bool:
    """Whether a class has a `name` that still belongs to its `sources`."""
    for base in kind.__mro__:
        if name in vars(base):
            return True
        if any(source in vars(base) for source in sources):
            return False
    return False


def check_shape(loss: Any, values: Any, expected: tuple) -> None:
    """Raise if a formula does not give one value for each of its inputs."""
    shape = getattr(values, "shape", ())
    if is_unranked(shape):
        return
    if not agree(tuple(shape), expected):
        each = "sample" if len(expected) == 1 else "sample and class"
        raise ValueError(
            f"Expected the formula of `{type(loss).__name__}` to return one "
            f"value per {each}, of shape {expected}. Received: shape "
            f"{tuple(shape)}. Leave out a mean or sum over the samples: the "
            "loss weights and reduces the values itself"
        )


def _check_names(
    cls: type, formula: str, names: list[str], arguments: dict[str, Any]
) -> None:
    """Raise on names that a static formula cannot receive."""
    ordered = sorted(names, key=lambda name: name not in INPUTS)
    if "self" in names:
        rest = ", ".join(name for name in ordered if name != "self")
        raise TypeError(
            f"`{cls.__name__}.{formula}` is a static method and has no `self`. "
            f"Expected `def {formula}({rest})`"
        )
    for name in names:
        if name not in arguments and name not in INPUTS:
            raise TypeError(
                f"`{cls.__name__}.{formula}` takes `{name}`, which "
                f"the class does not declare. Expected `{name} = "
                "keras_noisy.losses.number(default)` in the class, or a first "
                "argument `log_p`, or `labels` and `log_p`"
            )
    if names[:1] != ordered[:1]:
        raise TypeError(
            f"Expected the numbers of `{cls.__name__}.{formula}` last, `def "
            f"{formula}({', '.join(ordered)})`. Received: "
            f"`{formula}({', '.join(names)})`"
        )


def _check_method(
    cls: type, formula: str, function: Any, arguments: dict[str, Any]
) -> None:
    """Raise on a method that expects numbers, which only `self` has."""
    names = names_of(function)
    numbers = [name for name in names[1:] if name in arguments]
    if not numbers and names[:1] != ["log_p"] and names[:1] != ["labels"]:
        return
    inputs = [n for n in names if n not in numbers and n not in ("self", "cls")]
    reads = "".join(f", which reads `self.{name}`" for name in numbers[:1])
    raise TypeError(
        f"`{cls.__name__}.{formula}` is not a static method, so it does not "
        "receive numbers. Expected `@staticmethod` above `def "
        f"{formula}({', '.join([*inputs, *numbers])})`; or `def "
        f"{formula}({', '.join(['self', *inputs])})`{reads}"
    )


def _used(cls: type) -> set[str]:
    """All names that the methods of a class may read as numbers."""
    found = set()
    for base in cls.__mro__:
        for name, value in vars(base).items():
            if name == "check_numbers":
                continue
            if isinstance(value, staticmethod):
                found.update(names_of(value.__func__))
            function = getattr(value, "fget", value)
            function = getattr(function, "__func__", function)
            code = getattr(inspect.unwrap(function), "__code__", None)
            found.update(_mentioned(code))
    return found


def _mentioned(code: CodeType | None) -> Iterator[str]:
    """The attributes and texts in a function and the functions inside it."""
    if code is None:
        return
    yield from code.co_names
    for constant in code.co_consts:
        if isinstance(constant, str):
            yield constant
        elif isinstance(constant, CodeType):
            yield from _mentioned(constant)
