"""The page on which a person goes through the suspects."""

import hashlib
import importlib.resources
import json
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_noisy.quality._pictures import (
    SIDE,
    pictures,
    refuse_only_gaps,
    thumbnail,
    with_notes,
)

#: Keeps spreadsheets from taking a fingerprint for a number.
_PREFIX = "data-"
_NO_PIXELS = np.empty((0, 0), "uint8")


def report_page(
    evidence: Any,
    labels: np.ndarray,
    suspects: np.ndarray,
    *,
    score: str,
    title: str,
    images: Any,
    class_names: Sequence[str],
    clean_labels: np.ndarray | None,
    warning: str | None,
) -> str:
    """The HTML of the suspects, which `score` has ranked."""
    values = {name: evidence.of(name) for name in evidence.names}
    cards, notes, largest = [], [], 0
    shown = with_notes(images, suspects)
    for i, image in zip(suspects.tolist(), shown, strict=True):
        notes.append(image._replace(pixels=_NO_PIXELS))
        if not image.is_gap:
            largest = max(largest, *image.pixels.shape[:2])
        card = {
            "index": i,
            "image": thumbnail(image.pixels),
            "note": image.note,
            "probability": round(float(evidence.probability[i]), 4),
            "scores": {name: _short(of[i]) for name, of in values.items()},
        }
        if clean_labels is not None:
            clean = int(clean_labels[i])
            known = 0 <= clean < len(class_names)
            card["clean"] = (
                class_names[clean] if known else "none of the classes"
            )
            card["wrong"] = clean != int(labels[i])
        cards.append(card)
    refuse_only_gaps(notes)
    content = {
        "title": title,
        "key": fingerprint(labels, images),
        "names": class_names,
        "source": evidence.source(),
        "score": score,
        "given": labels.tolist(),
        "predicted": evidence.predicted.tolist(),
        "values": [_short(value) for value in values[score]],
        "crisp": largest <= SIDE // 2,
        "cards": cards,
        "warning": warning,
        "finding": _finding(evidence, labels, clean_labels, len(suspects)),
    }
    # A class named </script> must not end the script.
    code = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    page = _file("report.html")
    page = page.replace("{{ style }}", _file("report.css"))
    page = page.replace("{{ script }}", _file("report.js"))
    return page.replace("{{ content }}", code)


def _file(name: str) -> str:
    folder = importlib.resources.files("keras_noisy.quality")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _finding(
    evidence: Any,
    labels: np.ndarray,
    clean_labels: np.ndarray | None,
    shown: int,
) -> dict[str, Any] | None:
    """How well each score finds the wrong labels, where they are known."""
    if clean_labels is None:
        return None
    wrong = labels != clean_labels
    total = int(wrong.sum())
    found: dict[str, Any] = {"wrong": total, "shown": shown, "scores": []}
    if total:
        at = np.unique(np.linspace(1, len(wrong), 100).astype(int))
        for score in evidence.names:
            hits = wrong[evidence.order(score)].cumsum()
            curve = zip(hits[at - 1] / total, hits[at - 1] / at, strict=True)
            found["scores"].append(
                {
                    "score": score,
                    "at_wrong": hits[total - 1] / total,
                    "precision": hits[shown - 1] / shown,
                    "recall": hits[shown - 1] / total,
                    "curve": [[_short(v) for v in point] for point in curve],
                }
            )
    return found


def fingerprint(labels: np.ndarray, images: Any) -> str:
    """The same for the same labels and images: their decisions are too."""
    count = len(labels)
    key = hashlib.sha256(labels.astype("<i8").tobytes())
    if images is None:
        return _PREFIX + key.hexdigest()[:16]
    for picture in pictures(images, (0, count // 2, count - 1)):
        key.update(picture.tobytes())
    return _PREFIX + key.hexdigest()[:16]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
