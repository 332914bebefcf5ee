"""Checks of transition matrices and of class shares."""

from typing import Any

import numpy as np

from keras_noisy._arguments import invalid

# Half precision rounds a row by that much.
TOLERANCE = 2e-3


def transition_matrix(
    matrix: Any, arguments: dict[str, Any], regular: bool = False
) -> np.ndarray:
    """`matrix` as float64, its size set as `num_classes` in `arguments`."""
    T = _array("T", matrix, "a row-stochastic square matrix of numbers")
    if T.ndim != 2 or T.shape[0] != T.shape[1] or len(T) < 2:
        raise ValueError(
            "Invalid value for argument `T`. Expected a square matrix of "
            "shape (num_classes, num_classes), at least 2 classes. Received: "
            f"T.shape={T.shape}"
        )
    _check_rows("T", T)
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
    array = _array(name, shares, "a number per class")
    if array.ndim != 1 or len(array) < 2:
        raise invalid(name, shares, "a number per class")
    _check_rows(name, array[None])
    _set_num_classes(name, len(array), arguments)
    return array.tolist()


def _array(name: str, value: Any, expected: str) -> np.ndarray:
    try:
        return np.array(value, "float64")
    except (TypeError, ValueError) as error:
        raise invalid(name, value, expected) from error


def _check_rows(name: str, rows: np.ndarray) -> None:
    sums = rows.sum(axis=1)
    bad = ~(np.all(rows >= 0, axis=1) & (np.abs(sums - 1) < TOLERANCE))
    if np.any(bad):
        first = int(np.argmax(bad))
        raise ValueError(
            f"Invalid value for argument `{name}`. Expected rows of "
            "probabilities: no negative entries and a sum of 1. Received: row "
            f"{first} from {rows[first].min():g} to {rows[first].max():g} that "
            f"sums to {sums[first]:g}"
        )


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
