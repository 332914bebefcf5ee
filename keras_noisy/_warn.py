"""Warnings that point at the user's line."""

import sys
import warnings

#: Packages that call this one, and that it calls itself.
BETWEEN = {"jax", "keras", "keras_noisy", "tensorflow", "torch"}


def warn(text: str) -> None:
    """Warn at the line outside these packages that led here."""
    frame, level = sys._getframe(), 1
    while frame.f_back and _is_between(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)


def _is_between(module: str) -> bool:
    return module.partition(".")[0] in BETWEEN
