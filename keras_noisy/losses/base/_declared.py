"""A loss with declared arguments, and with formulas that use them."""

from __future__ import annotations

from typing import Any, ClassVar

import keras

from keras_noisy._arguments import invalid, is_auto
from keras_noisy.calibration.matching import automatic
from keras_noisy.losses.base import _formulas, _signature
from keras_noisy.losses.base._arguments import declared

#: Calibrations of every loss, and the values that change nothing.
TRANSFORMS = {"logit_bias": 0.0, "margin_scale": 1.0}


class DeclaredLoss(keras.losses.Loss):
    """Base of `RobustLoss`: arguments, `"auto"`, config and formulas."""

    num_classes: int | None
    logit_bias: float | str | None
    margin_scale: float | str | None

    #: Arguments that may be `"auto"`, with their values at 10 classes.
    references: ClassVar[dict[str, float]] = {}

    def __init_subclass__(cls, **kwargs: Any):
        super().__init_subclass__(**kwargs)
        _signature.complete(cls)
        cls.adopt(cls)

    @staticmethod
    def adopt(kind: type[DeclaredLoss]) -> None:
        """Give a subclass what its formula needs."""

    def __init__(self, *args: Any, **kwargs: Any):
        given = _signature.bound(type(self), args, kwargs)
        super().__init__(
            **{name: given.pop(name) for name in _signature.OF_KERAS}
        )
        self.arguments: dict[str, Any] = {}
        self._own: list[str] = []
        self._now: dict[str, Any] = {}
        self._matched: dict[tuple[str, int], float]
        for name, value in given.items():
            setattr(self, name, value)
        for argument in declared(type(self)).values():
            argument.verify(self)
        self.check_numbers(**self.arguments)
        self._check_automatic()

    def set_hyperparameters(self, **values: Any) -> None:
        """Store numbers that the class does not declare, for `get_config`.

        Call it in the `__init__` of a subclass. Numbers that `references`
        names may be `"auto"`.
        """
        self.arguments = {**values, **self.arguments, **values}
        self._own += [name for name in values if name not in self._own]
        for name, value in values.items():
            if is_auto(value) and name not in self.references:
                raise invalid(name, value, 'a number: it has no "auto"')
        self._check_automatic()

    def _check_automatic(self) -> None:
        automatic = self.automatic_arguments()
        if len(automatic) > 1:
            raise ValueError(
                f"Only one of `{'` and `'.join(automatic)}` can be "
                '"auto": each alone restores the error of few classes'
            )
        for name in automatic:
            # Transforms can take a while, so they wait until they are used.
            if self.num_classes is not None and name not in TRANSFORMS:
                self.argument(name)

    def automatic_arguments(self) -> list[str]:
        """Names of the arguments that were given as `"auto"`."""
        names = [*self.references, *TRANSFORMS]
        return [n for n in names if is_auto(self.arguments.get(n))]

    def argument(self, name: str) -> Any:
        """The value of an argument; may be `"auto"` without `num_classes`."""
        value = self._now.get(name, self.arguments[name])
        if is_auto(value) and self.num_classes is not None:
            return self.matched(name, self.num_classes)
        return value

    def __getattr__(self, name: str) -> Any:
        own = vars(self).get("_own", ())
        if name in own:
            return self.argument(name)
        kind = type(self).__name__
        raise AttributeError(f"{kind!r} object has no attribute {name!r}")

    def matched(self, name: str, num_classes: int) -> float:
        """The value of an `"auto"` argument for a number of classes."""
        if (name, num_classes) not in self._matched:
            value = automatic(self, name, num_classes)
            self._matched[name, num_classes] = value
        return self._matched[name, num_classes]

    def forget_matches(self) -> None:
        """Compute `"auto"` values anew, as another argument has changed."""
        self._matched = {}

    def numbers(self, num_classes: Any, **changes: Any) -> dict[str, Any]:
        """The numbers that the formula takes, for a number of classes."""
        kind = type(self)
        own = {n: vars(self)[n] for n in self._own if n in vars(self)}
        values = {**self.arguments, **own, **changes}
        values["num_classes"] = num_classes
        automatic = [name for name, v in values.items() if is_auto(v)]
        if not isinstance(num_classes, int) and (
            automatic or _formulas.takes_num_classes(kind)
        ):
            raise ValueError(
                f"{self.name} depends on the number of classes, which the "
                "shape of `y_pred` does not tell: pass `num_classes` to the "
                "loss"
            )
        for name in automatic:
            values[name] = self.matched(name, num_classes)
        values["logit_bias"] = values["logit_bias"] or None
        if values["margin_scale"] == 1:
            values["margin_scale"] = None
        return values

    def evaluate(
        self, formula: str, inputs: tuple, numbers: dict[str, Any]
    ) -> Any:
        """Call a formula of the class with the numbers that it names."""
        kinds = type(self).__mro__
        function = next(vars(k)[formula] for k in kinds if formula in vars(k))
        if isinstance(function, staticmethod):
            found = numbers.__getitem__
            return _formulas.with_numbers(function.__func__, inputs, found)
        # A method reads the numbers from its loss.
        before, self._now = self._now, numbers
        try:
            return getattr(self, formula)(*inputs)
        finally:
            self._now = before

    @staticmethod
    @_signature.any_numbers
    def check_numbers(**numbers: Any) -> None:
        """Raise a ValueError if the numbers do not fit together."""

    def get_config(self) -> dict[str, Any]:
        """Return every argument; `"auto"` stays `"auto"`."""
        arguments = declared(type(self))
        given = {
            name: arguments[name].config(value) if name in arguments else value
            for name, value in self.arguments.items()
        }
        return {**given, **super().get_config(), "dtype": self.dtype}

    def __reduce__(self) -> tuple[Any, ...]:
        # Keras would copy the state of the layers too.
        return _from_config, (type(self), self.get_config())


def _from_config(kind: type[DeclaredLoss], config: dict) -> DeclaredLoss:
    return kind.from_config(config)
