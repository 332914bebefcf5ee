"""Compares the settings of a run with those of a saved one."""

import ast
import contextlib
import json
import re
from collections.abc import Mapping
from typing import Any

from keras_noisy._differences import differences


def other_settings(
    saved: dict[str, Any], now: dict[str, Any], given: Mapping[str, Any]
) -> dict[str, tuple[Any, Any]]:
    """The settings that differ from the saved ones, with both values.

    `now` is the canonical form of `given`.
    """
    found: dict[str, tuple[Any, Any]] = {}
    for name in {**saved, **now}:
        both = name in saved and name in given
        if both and _is_older_form(saved[name], given[name]):
            continue
        left, right = saved.get(name), now.get(name)
        found |= differences(left, right, name)
    return found


def _is_older_form(saved: Any, value: Any) -> bool:
    """Whether a value was saved in the older form: JSON, or else text."""
    if isinstance(value, set | frozenset) and isinstance(saved, str):
        with contextlib.suppress(ValueError, SyntaxError):
            return ast.literal_eval(saved) == value  # Order does not matter.
    with contextlib.suppress(TypeError, ValueError):
        older = json.loads(json.dumps(value, default=str))
        return _text(saved) == _text(older)
    return False


def _text(form: Any) -> str:
    # An address differs from process to process.
    return re.sub(r" at 0x\w+", "", json.dumps(form, sort_keys=True))
