"""The page on which a person goes through the suspects."""

from __future__ import annotations

import hashlib
import importlib.resources
import json
from typing import TYPE_CHECKING, Any

import numpy as np

from keras_noisy.metrics._pictures import (
    SIDE,
    pictures,
    refuse_only_gaps,
    thumbnail,
    with_notes,
)
from keras_noisy.metrics._scores import Scores

if TYPE_CHECKING:
    from keras_noisy.metrics.label_quality import LabelQuality


def report_page(quality: LabelQuality, n: int, score: str, title: str) -> str:
    """The HTML of `LabelQuality.report`."""
    suspects = quality.suspects(n, score)
    names = quality.class_names
    scores = {name: quality.scores(name) for name in Scores.names}
    last = quality._scores.last
    cards, notes, largest = [], [], 0
    images = with_notes(quality.images, suspects)
    for i, image in zip(suspects.tolist(), images, strict=True):
        notes.append(image._replace(pixels=None))
        if not image.is_gap:
            largest = max(largest, *image.pixels.shape[:2])
        card = {
            "index": i,
            "image": thumbnail(image.pixels),
            "note": image.note,
            "probability": round(float(last.probability[i]), 4),
            "scores": {name: _short(of[i]) for name, of in scores.items()},
        }
        if quality.clean_labels is not None:
            clean = int(quality.clean_labels[i])
            known = 0 <= clean < len(names)
            card["clean"] = names[clean] if known else "none of the classes"
            card["wrong"] = clean != int(quality.labels[i])
        cards.append(card)
    refuse_only_gaps(notes)
    content = {
        "title": title,
        "key": _fingerprint(quality),
        "names": names,
        "epochs": quality._scores.epochs,
        "score": score,
        "given": quality.labels.tolist(),
        "predicted": last.predicted.tolist(),
        "values": [_short(value) for value in scores[score]],
        "crisp": largest <= SIDE // 2,
        "cards": cards,
        "warning": quality._warning(),
        "finding": _finding(quality, len(suspects)),
    }
    # A class named </script> must not end the script.
    code = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    page = _file("report.html")
    page = page.replace("{{ style }}", _file("report.css"))
    page = page.replace("{{ script }}", _file("report.js"))
    return page.replace("{{ content }}", code)


def _file(name: str) -> str:
    folder = importlib.resources.files("keras_noisy.metrics")
    return folder.joinpath(name).read_text(encoding="utf-8")


def _finding(quality: LabelQuality, shown: int) -> dict[str, Any] | None:
    """How well each score finds the wrong labels, where they are known."""
    if quality.clean_labels is None:
        return None
    wrong = quality.labels != quality.clean_labels
    total = int(wrong.sum())
    found = {"wrong": total, "shown": shown, "scores": []}
    if total:
        at = np.unique(np.linspace(1, len(wrong), 100).astype(int))
        for score in Scores.names:
            hits = wrong[quality.suspects(len(wrong), score)].cumsum()
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


def _fingerprint(quality: LabelQuality) -> str:
    """The same for the same labels and images, for the stored decisions."""
    count = len(quality.labels)
    key = hashlib.sha256(quality.labels.tobytes())
    for picture in pictures(quality.images, (0, count // 2, count - 1)):
        key.update(picture.tobytes())
    return key.hexdigest()[:16]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
