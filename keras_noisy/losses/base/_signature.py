"""Signature and docstring of a loss, from the arguments that it declares."""

from __future__ import annotations

import functools
import inspect
import textwrap
from collections.abc import Callable
from typing import Any, TypeVar

import keras

from keras_noisy.losses.base._arguments import Shared, declared
from keras_noisy.losses.base._formulas import FORMULAS, Pure, check

PACKAGE = "keras_noisy"
Kind = TypeVar("Kind", bound=type)
#: Arguments of `keras.losses.Loss`, with their defaults.
OF_KERAS = {"reduction": "sum_over_batch_size", "name": None, "dtype": None}
RETURNS = """Returns:
    The reduced loss, see `keras_noisy.losses.RobustLoss`.
"""
RAISES = """Raises:
    ValueError: If an argument is outside its range.
"""


def any_numbers(function: Callable[..., Any]) -> Callable[..., Any]:
    """Tell type checkers that a subclass may name other numbers."""
    return function


def robust_loss(cls: Kind) -> Kind:
    """Register a loss of this package, and complete its docstring."""
    return keras.saving.register_keras_serializable(PACKAGE)(documented(cls))


def documented(cls: Kind) -> Kind:
    """Add the sections that all losses share to the docstring of a class."""
    text = inspect.getdoc(cls)
    if text is None:  # as under `python -OO`
        return cls
    own = text.partition("\nArgs:\n")[2].partition("\n\n")[0]
    names = [
        name
        for name, parameter in signature(cls).parameters.items()
        if parameter.kind is parameter.KEYWORD_ONLY
        and f"    {name}:" not in own
    ]
    listed = ", ".join(f"`{name}`" for name in names[:-1])
    shared = textwrap.fill(
        f"**kwargs: {listed} and `{names[-1]}`, see "
        "`keras_noisy.losses.RobustLoss`.",
        76,
        initial_indent=" " * 4,
        subsequent_indent=" " * 8,
        break_on_hyphens=False,
    )
    before, _, after = text.partition("\nExample:\n")
    if "\nArgs:\n" not in before:
        before = f"{before}\nArgs:\n{shared}\n"
    elif "**kwargs:" not in own:
        before = before.replace(own, f"{own.rstrip()}\n{shared}", 1)
    for section in (RETURNS, RAISES):
        title = section.partition("\n")[0]
        if f"\n{title}\n" not in before:
            head, mark, raises = before.partition("\nRaises:\n")
            before = f"{head.rstrip()}\n\n{section}{mark}{raises}"
    cls.__doc__ = f"{before.rstrip()}\n\nExample:\n{after}"
    return cls


def with_shared_arguments(cls: Kind) -> Kind:
    """Insert the descriptions of the shared arguments into the docstring."""
    if cls.__doc__ is not None:
        texts = [
            textwrap.fill(
                f"{name}: {argument.documentation}",
                76,
                initial_indent=" " * 8,
                subsequent_indent=" " * 12,
                break_on_hyphens=False,
            )
            for name, argument in declared(cls).items()
            if isinstance(argument, Shared)
        ]
        cls.__doc__ = cls.__doc__.replace(
            "        {shared}", "\n".join(texts), 1
        )
    return cls


def complete(cls: Any) -> None:
    """Set the attributes of a class that follow from its arguments."""
    arguments = declared(cls)
    inherited = {
        name: value
        for base in reversed(cls.__mro__)
        for name, value in vars(base).get("references", {}).items()
        if name not in arguments
    }
    cls.references = inherited | {
        name: argument.default
        for name, argument in arguments.items()
        if argument.auto and not isinstance(argument, Shared)
    }
    if arguments:
        _show_signature(cls)
    for name, value in list(vars(cls).items()):
        if name in FORMULAS and isinstance(value, staticmethod):
            setattr(cls, name, Pure(value.__func__))
    check(cls, arguments)


@functools.cache
def signature(cls: type) -> inspect.Signature:
    """The arguments of a class, and those of Keras."""
    parameters = [argument.parameter() for argument in declared(cls).values()]
    parameters += [
        inspect.Parameter(name, inspect.Parameter.KEYWORD_ONLY, default=value)
        for name, value in OF_KERAS.items()
    ]
    # Positional arguments come first, the required ones before the others.
    parameters.sort(key=lambda p: (p.kind, p.default is not p.empty))
    return inspect.Signature(parameters)


def bound(cls: type, args: tuple, kwargs: dict) -> dict[str, Any]:
    """The value of every argument of a call."""
    known = signature(cls)
    for name in kwargs:
        if name not in known.parameters:
            raise TypeError(
                f"`{cls.__name__}` has no argument `{name}`. Expected one of "
                f"{', '.join(known.parameters)}"
            )
    kinds = [p.kind for p in known.parameters.values()]
    most = kinds.count(inspect.Parameter.POSITIONAL_OR_KEYWORD)
    if len(args) > most:
        raise TypeError(
            f"`{cls.__name__}`: expected at most {most} arguments without a "
            f"name. Received: {len(args)}. Write the others as `name=value`, "
            f"with names out of {', '.join(known.parameters)}"
        )
    try:
        found = known.bind(*args, **kwargs)
    except TypeError as error:
        raise TypeError(f"`{cls.__name__}`: {error}") from None
    found.apply_defaults()
    return dict(found.arguments)


def _show_signature(cls: Any) -> None:
    """Give a class an `__init__` whose signature shows its arguments."""
    build = inspect.unwrap(cls.__init__)
    own = [p.kind for p in inspect.signature(build).parameters.values()][1:]
    if own != [inspect.Parameter.VAR_POSITIONAL, inspect.Parameter.VAR_KEYWORD]:
        return  # The signature shows the arguments already.

    @functools.wraps(build)
    def __init__(self: Any, *args: Any, **kwargs: Any) -> None:
        build(self, *args, **kwargs)

    this = inspect.Parameter("self", inspect.Parameter.POSITIONAL_OR_KEYWORD)
    parameters = [this, *signature(cls).parameters.values()]
    shown: Any = __init__
    shown.__signature__ = inspect.Signature(parameters)
    cls.__init__ = shown


def check_config(loss: Any) -> None:
    """Raise if an argument of a user's `__init__` is not in the config."""
    kind, config = type(loss), loss.get_config()
    forgotten = [
        p.name
        for p in inspect.signature(kind).parameters.values()
        if p.kind not in (p.VAR_POSITIONAL, p.VAR_KEYWORD)
        and p.name not in config
    ]
    if forgotten:
        name = forgotten[0]
        raise TypeError(
            f"`{kind.__name__}` has the argument `{name}`, which is not in its "
            f"config: a copy and a saved model would lose it. Declare it in "
            f"the class, `{name} = keras_noisy.losses.number(default)`, "
            f"without `__init__`; or call `self.set_hyperparameters({name}="
            f"{name})`; or return it from `get_config`"
        )
