"""The parts in which two canonical forms differ, and their texts."""

from collections.abc import Iterable, Mapping
from typing import Any


def differences(saved: Any, now: Any, name: str = "") -> dict[str, Any]:
    """Name of each part that differs, with the two values."""
    if isinstance(saved, Mapping) and isinstance(now, Mapping):
        pairs: Iterable[tuple[Any, Any, Any]]
        pairs = [(saved.get(k), now.get(k), k) for k in {**saved, **now}]
    elif (
        isinstance(saved, list)
        and isinstance(now, list)
        and len(saved) == len(now)
    ):
        pairs = zip(saved, now, range(len(now)), strict=True)
    else:
        return {} if saved == now else {name or "value": (saved, now)}
    found: dict[str, Any] = {}
    for left, right, key in pairs:
        if isinstance(key, int):
            part = f"{name}[{key}]"
        elif key.startswith("__") or key == "config":
            part = name
        else:
            part = f"{name}.{key}" if name else key
        found |= differences(left, right, part)
    return found


def described(values: Mapping[str, Any]) -> str:
    """`name=value` of each, short enough for an error."""
    texts = [f"{name}={_plain(value)!r}" for name, value in values.items()]
    return ", ".join(t if len(t) <= 120 else f"{t[:117]}..." for t in texts)


def described_both(found: Mapping[str, tuple[Any, Any]]) -> tuple[str, str]:
    """The two sides of `differences`, each as text."""
    there = {name: pair[0] for name, pair in found.items()}
    here = {name: pair[1] for name, pair in found.items()}
    return described(there), described(here)


def _plain(form: Any) -> Any:
    """The content of a form with a single key such as `__float__`."""
    if isinstance(form, Mapping) and len(form) == 1:
        ((name, inner),) = form.items()
        return inner if name.startswith("__") else form
    return form
