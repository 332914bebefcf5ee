"""Warnings that point at the user's line."""

import sys
import warnings


def warn(text: str) -> None:
    """Warn at the line outside this package that led here."""
    frame, level = sys._getframe(), 1
    while frame.f_back and _is_own(frame.f_globals.get("__name__", "")):
        frame, level = frame.f_back, level + 1
    warnings.warn(text, stacklevel=level)


def _is_own(module: str) -> bool:
    return module.startswith("keras_noisy.")
