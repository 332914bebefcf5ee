"""The contents of arguments, as JSON that is the same in every process."""

from __future__ import annotations

import collections
import contextlib
import copyreg
import dis
import enum
import hashlib
import json
import math
import os
import re
import sys
import sysconfig
import types
import warnings
from collections.abc import Callable, Iterator, Mapping
from typing import Any

import keras
import numpy as np
from keras import ops

#: Reads a part of an object, from the suffix of its name and its value.
Inner = Callable[[str, Any], Any]
#: Code of these libraries and of installed packages is known by its name.
LIBRARIES = sys.stdlib_module_names | {"builtins", "keras", "keras_noisy"}
INSTALLED = tuple(
    sysconfig.get_path(kind) + os.sep for kind in ("purelib", "platlib")
)
#: Form of a random key that a loss draws if none is given.
_DRAWN = r"[0-9a-f]{32}"
_HAS_PARTS = object()


class Opaque(ValueError):
    """Raised if an object does not show what it contains."""


def canonical(name: str, value: Any, advice: str) -> Any:
    """`value` as JSON that is equal exactly if the contents are equal.

    Numbers, text, lists and dictionaries stay unchanged. Arrays are hashed and
    sets sorted. A Keras object becomes its class and `get_config`, a function
    its name, its code and captured values, and any other object the contents
    of its `pickle`. If this is not possible, an error with the `name` of the
    argument and `advice` is raised.
    """
    try:
        return _Reader().form(name, value, ())
    except Opaque as error:
        raise Opaque(
            f"Invalid value for argument `{name}`. Expected contents that can "
            "be compared with those of another run, such as numbers, text, "
            f"arrays, functions and Keras objects. Received: {error}. "
            f"{advice}"
        ) from error


def _text(form: Any) -> str:
    return json.dumps(form, sort_keys=True)


def _digest(form: Any) -> str:
    return hashlib.sha256(_text(form).encode()).hexdigest()[:16]


def _where(of: Any) -> str:
    return f"{getattr(of, '__module__', None)}.{of.__qualname__}"


def _is_of_library(of: Any) -> bool:
    package = (getattr(of, "__module__", None) or "builtins").partition(".")[0]
    file = getattr(sys.modules.get(package), "__file__", None) or ""
    return package in LIBRARIES or file.startswith(INSTALLED)


def _is_array(value: Any) -> bool:
    return (
        isinstance(value, np.ndarray | np.generic | keras.Variable)
        or ops.is_tensor(value)
        or hasattr(type(value), "__array__")
    )


def _leaf(value: Any) -> Any:
    """The form of a value without parts, or `_HAS_PARTS`."""
    if value is None or type(value) in (bool, int, str):
        return value
    if isinstance(value, enum.Enum):
        return {"__enum__": f"{_where(type(value))}.{value.name}"}
    if isinstance(value, str):
        return str(value)
    if isinstance(value, np.bool_):
        return bool(value)
    if isinstance(value, int | np.integer):
        return int(value)
    if isinstance(value, float | np.floating):
        number = float(value)
        return number if math.isfinite(number) else {"__float__": str(number)}
    if isinstance(value, os.PathLike):
        return os.fsdecode(value)
    if isinstance(value, bytes | bytearray):
        return {"__bytes__": hashlib.sha256(value).hexdigest()}
    if isinstance(value, types.ModuleType):
        return {"__module__": value.__name__}
    return _HAS_PARTS


class _Reader:
    """Reads one argument; repeated code is recorded by its name."""

    def __init__(self) -> None:
        self.code_seen: set[int] = set()

    def form(self, name: str, value: Any, above: tuple[int, ...]) -> Any:
        """The form of `value`; `above` are the objects around it."""
        leaf = _leaf(value)
        if leaf is not _HAS_PARTS:
            return leaf
        if id(value) in above:
            return {"__above__": len(above) - above.index(id(value))}
        above = (*above, id(value))

        def inner(part: str, of: Any) -> Any:
            return self.form(f"{name}{part}", of, above)

        if isinstance(value, Mapping):
            return self.mapping(value, inner)
        if isinstance(value, list | tuple):
            return [inner(f"[{i}]", item) for i, item in enumerate(value)]
        if isinstance(value, set | frozenset):
            items = [inner("", item) for item in value]
            return {"__set__": sorted(items, key=_text)}
        if isinstance(value, types.CodeType):
            return inner("", [value.co_code, value.co_consts, value.co_names])
        if isinstance(value, types.FunctionType):
            return self.function(value, inner)
        if isinstance(value, type):
            return self.of_class(value, inner)
        return self.other(name, value, inner)

    def other(self, name: str, value: Any, inner: Inner) -> Any:
        """An array or an object; an error with its name if it is neither."""
        try:
            if isinstance(value, Iterator):
                raise TypeError("it can be read only once")
            if _is_array(value):
                return self.array(value, inner)
            if callable(getattr(value, "get_config", None)):
                return self.configured(value, inner)
            return self.pickled(value, inner)
        except Opaque:
            raise
        except Exception as error:
            reason = str(error).split("\n")[0] or type(error).__name__
            where = _where(type(value))
            raise Opaque(f"{name} is a {where} ({reason})") from error

    def mapping(self, value: Mapping, inner: Inner) -> dict[str, Any]:
        """A dictionary, as pairs if its keys are not plain text."""
        if all(isinstance(k, str) and not k.startswith("__") for k in value):
            return {str(k): inner(f"[{k!r}]", v) for k, v in value.items()}
        pairs = [
            [inner("", key), inner(f"[{key!r}]", of)]
            for key, of in value.items()
        ]
        return {"__dict__": sorted(pairs, key=_text)}

    def array(self, value: Any, inner: Inner) -> dict[str, Any]:
        """Type, shape and bytes of an array, tensor or table."""
        form = {}
        if isinstance(value, np.ma.MaskedArray):
            form["mask"] = inner("", np.ma.getmaskarray(value))
            value = value.filled()
        if hasattr(value, "columns"):
            form["columns"] = inner("", list(value.columns))
        if isinstance(value, keras.Variable) or ops.is_tensor(value):
            value = ops.convert_to_numpy(value)
        array = np.asarray(value)
        if array.dtype.hasobject or array.dtype.kind == "T":
            form["values"] = inner("", array.reshape(-1).tolist())
        else:
            flat = np.ascontiguousarray(array).reshape(-1)
            form["sha256"] = hashlib.sha256(flat.view("uint8").data).hexdigest()
        return {"__array__": [str(array.dtype), list(array.shape)], **form}

    def configured(self, value: Any, inner: Inner) -> dict[str, Any]:
        """A Keras object: its config, and parts that the config may lack."""
        kind, config = type(value), None
        try:
            config = _config(value.get_config)
        except NotImplementedError:
            # This is how Keras says that there is no config. A layer is then
            # known by its class, and a model by its weights too.
            if not isinstance(value, keras.Layer):
                return self.pickled(value, inner)
        form = self.of_class(kind, inner)
        if config is not None:
            form["config"] = inner("", config)
        if isinstance(value, keras.Model):
            form["weights"] = [
                [list(weight.shape), str(weight.dtype), weight.trainable]
                for weight in value.weights
            ]
            others = _config(value.get_compile_config)
            for part in ("optimizer", "loss"):
                others[part] = getattr(value, part, None)
            form["compiled"] = inner(".compile", others)
        elif not (isinstance(value, keras.Layer) or _is_of_library(kind)):
            # An inherited `get_config` lacks the arguments of the subclass.
            form["state"] = {
                key: inner(f".{key}", of)
                for key, of in vars(value).items()
                if not key.startswith("_")
            }
        return form

    def pickled(self, value: Any, inner: Inner) -> dict[str, Any]:
        """An object by the parts from which `pickle` would rebuild it."""
        owner = getattr(value, "__self__", None)
        is_bound = not (owner is None or isinstance(owner, types.ModuleType))
        if hasattr(value, "__wrapped__") and not is_bound:
            value = value.__wrapped__  # what JAX compiles, or a cache calls
            return {"__wrapped__": inner("", value)}
        if hasattr(value, "__qualname__") and not is_bound:
            return {"__global__": _where(value)}
        reduce = copyreg.dispatch_table.get(type(value))
        parts = reduce(value) if reduce else value.__reduce_ex__(4)
        if isinstance(parts, str):  # the name of something global
            return {"__global__": f"{getattr(value, '__module__', '')}.{parts}"}
        kind = type(value)
        make, arguments, state, *items = (*parts, None, None, None)[:5]
        if isinstance(value, keras.callbacks.Callback) and state:
            # Training sets these.
            unset = ("_model", "params")
            state = {k: v for k, v in state.items() if k not in unset}
        form = self.of_class(kind, inner)
        form["made"] = inner("", [make, *(a for a in arguments if a != kind)])
        if state is not None:
            form["state"] = inner("", state)
        if any(of is not None for of in items):
            form["items"] = [inner("", list(of or ())) for of in items]
        return form

    def function(
        self, value: types.FunctionType, inner: Inner
    ) -> dict[str, Any]:
        """A function: its code and the values that it captures."""
        form: dict[str, Any] = {"__function__": _where(value)}
        code, cells = value.__code__, value.__closure__ or ()
        is_known = _is_of_library(value) and not cells
        if is_known or id(value) in self.code_seen:
            return form
        self.code_seen.add(id(value))
        form["code"] = _digest(inner("", code))
        form["defaults"] = inner("", [value.__defaults__, value.__kwdefaults__])
        captured: dict[str, Any] = {}
        for name, cell in zip(code.co_freevars, cells, strict=True):
            with contextlib.suppress(ValueError):  # not assigned yet
                captured[name] = cell.cell_contents
        for name in sorted(_globals(code) & set(value.__globals__)):
            of = value.__globals__[name]
            if not isinstance(of, types.ModuleType):
                captured[name] = of
        form["captured"] = {
            name: inner(f".{name}", of) for name, of in captured.items()
        }
        return form

    def of_class(self, kind: type, inner: Inner) -> dict[str, Any]:
        """The name of a class, and a digest of the user's code in it."""
        form = {"__class__": _where(kind)}
        if id(kind) in self.code_seen:
            return form
        self.code_seen.add(id(kind))
        found = []
        for base in kind.__mro__:
            if _is_of_library(base):
                continue
            for name, value in sorted(vars(base).items()):
                if isinstance(value, staticmethod | classmethod):
                    value = value.__func__
                if isinstance(value, property):
                    value = [value.fget, value.fset]
                is_code = isinstance(value, list | types.FunctionType)
                if name.startswith("_") and not is_code:
                    continue
                with contextlib.suppress(Opaque):  # a descriptor
                    found.append([name, inner(f".{name}", value)])
        if found:
            form["code"] = _digest(found)
        return form


def _globals(code: types.CodeType) -> set[str]:
    """Names of the globals that a function and its inner functions use."""
    found = {
        step.argval
        for step in dis.get_instructions(code)
        if step.opname == "LOAD_GLOBAL"
    }
    within = [c for c in code.co_consts if isinstance(c, types.CodeType)]
    return found.union(*map(_globals, within))


def _config(get: Callable[[], Any]) -> Any:
    """A config with layers numbered from its first layer, not the process's.

    The random keys that tie losses to their layers are numbered too.
    """
    with warnings.catch_warnings():
        # Keras warns that it will not load a lambda; nothing is loaded here.
        warnings.simplefilter("ignore")
        config = get()
    new: dict[str, str] = {}
    counts: collections.Counter[str] = collections.Counter()

    def collect(part: Any) -> None:
        if isinstance(part, Mapping):
            name = part.get("name")
            if isinstance(name, str) and name not in new:
                base = re.sub(r"_\d+$", "", name)
                number = counts[base]
                new[name] = f"{base}_{number}" if number else base
                counts[base] += 1
            for kind, key in part.items():
                is_key = str(kind).endswith("key") and isinstance(key, str)
                if is_key and re.fullmatch(_DRAWN, key):
                    new.setdefault(key, f"key_{len(new)}")
            part = list(part.values())
        if isinstance(part, list | tuple):
            for item in part:
                collect(item)

    def renamed(part: Any) -> Any:
        if isinstance(part, str):
            return new.get(part, part)
        if isinstance(part, Mapping):
            return {key: renamed(item) for key, item in part.items()}
        if isinstance(part, list | tuple):
            return [renamed(item) for item in part]
        return part

    collect(config)
    return renamed(config)
