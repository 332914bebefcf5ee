"""Transition matrices and class shares as arguments of a loss."""

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._stochastic import distributions
from keras_noisy._stochastic import transition_matrix as checked


def transition_matrix(
    matrix: Any, arguments: dict[str, Any], regular: bool = False
) -> np.ndarray:
    """`matrix` as float64, its size set as `num_classes` in `arguments`."""
    T = checked("T", matrix)
    if regular and np.linalg.cond(T) > 1 / np.finfo("float32").eps:
        raise ValueError(
            "Invalid value for argument `T`. Expected a matrix that has an "
            "inverse, for the backward correction. Received: a singular one, "
            f"of condition number {np.linalg.cond(T):.3g}. Use "
            "`ForwardCorrection`, which needs no inverse"
        )
    _set_num_classes("T", len(T), arguments)
    return T


def distribution(
    name: str, shares: Any, arguments: dict[str, Any]
) -> list[float]:
    """`shares` as floats, their number set as `num_classes`."""
    expected = "a number per class, of at least 2 classes"
    row = distributions(name, [shares], expected)[0]
    if len(row) < 2:
        raise invalid(name, shares, expected)
    _set_num_classes(name, len(row), arguments)
    return row.tolist()


def _set_num_classes(name: str, found: int, arguments: dict[str, Any]) -> None:
    if arguments.get("logit_bias") == "auto":
        raise ValueError(
            '`logit_bias="auto"` compares the error of many classes with that '
            f"of few, but `{name}` is for {found} classes alone. Pass a "
            "number, such as `keras_noisy.calibration.matched_logit_bias("
            f"CrossEntropy(), {found})`"
        )
    if arguments.get("num_classes") not in (None, found):
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected the size of "
            f"num_classes={arguments['num_classes']}. Received: {found}"
        )
    arguments["num_classes"] = found
