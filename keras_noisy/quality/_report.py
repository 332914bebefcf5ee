"""The page for a person who reviews the suspects."""

import hashlib
import importlib.resources
import json
import os
from collections.abc import Sequence
from typing import Any

import numpy as np

from keras_noisy._elements import Elements
from keras_noisy._files import file_name
from keras_noisy.quality._pictures import (
    SIDE,
    pictures,
    refuse_only_gaps,
    thumbnail,
)
from keras_noisy.quality._ranked import Ranked
from keras_noisy.quality._shown import Shown

#: Keeps spreadsheets from reading a fingerprint as a number.
_PREFIX = "data-"
_PATH = str | bytes | os.PathLike
_NO_PIXELS = np.empty((0, 0), "uint8")
_NO_CLASS = "none of the classes"


def report_page(
    shown: Shown,
    *,
    score: str,
    title: str,
    class_names: Sequence[str],
    warning: str | None,
) -> str:
    """The HTML page of the suspects, ranked by `score`."""
    findings = shown.findings
    elements, evidence = findings.elements, findings.evidence
    cards, crisp = _cards(shown, class_names)
    content = {
        "title": title,
        "key": fingerprint(elements.given, findings.images),
        "names": class_names,
        "samples": _samples(elements),
        "count": len(elements.labels),
        "source": evidence.source(),
        "score": score,
        **_columns(shown, evidence.of(score)),
        "lists": elements.is_plain,
        "relabels": not elements.are_areas,
        "crisp": crisp,
        "cards": cards,
        "warning": warning,
        "finding": _finding(findings, len(shown.found)),
    }
    # A class named </script> must not end the script.
    code = json.dumps(content, allow_nan=False).replace("<", "\\u003c")
    page = _file("report.html")
    page = page.replace("{{ style }}", _file("report.css"))
    script = _file("report.js") + _file("report_lists.js")
    script += _file("report.js", "keras_noisy.metrics")
    page = page.replace("{{ script }}", script)
    return page.replace("{{ content }}", code)


def _cards(
    shown: Shown, class_names: Sequence[str]
) -> tuple[list[dict[str, Any]], bool]:
    """The content of each card, and whether the pictures are small."""
    findings, found = shown.findings, shown.found
    elements, evidence = findings.elements, findings.evidence
    values = {name: evidence.of(name) for name in evidence.names}
    cards = []
    for index, i, place in zip(
        shown.keys().tolist(), found.tolist(), shown.places(), strict=True
    ):
        card: dict[str, Any] = {
            "index": index,
            "probability": round(float(evidence.probability[i]), 4),
            "scores": {name: _short(of[i]) for name, of in values.items()},
        }
        if place:
            card["place"] = place
        cards.append(card)
    if findings.clean_labels is not None and not elements.are_areas:
        clean = elements.take(findings.clean_labels)[found].tolist()
        given = elements.labels[found].tolist()
        for card, true, label in zip(cards, clean, given, strict=True):
            known = 0 <= true < len(class_names)
            card["clean"] = class_names[true] if known else _NO_CLASS
            card["wrong"] = true != label
    choices = evidence.choices(found)
    if choices is not None:
        for card, classes, shares in zip(cards, *choices, strict=True):
            pairs = zip(classes.tolist(), shares.tolist(), strict=True)
            card["choices"] = [[of, _short(share)] for of, share in pairs]
    if shown.texts is not None:
        for card, words in zip(cards, shown.words(), strict=True):
            card["words"] = words
        if findings.images is None:
            return cards, False
    notes, largest = [], 0
    for card, image in zip(cards, shown.pictures(), strict=True):
        notes.append(image._replace(pixels=_NO_PIXELS))
        if not image.is_gap:
            largest = max(largest, *image.pixels.shape[:2])
        card["image"] = thumbnail(image.pixels)
        card["note"] = image.note
    refuse_only_gaps(notes)
    return cards, largest <= SIDE // 2


def _columns(shown: Shown, values: np.ndarray) -> dict[str, Any]:
    """Labels and scores of all samples, or only of those on the page."""
    elements = shown.findings.elements
    of_all = {
        "given": elements.labels,
        "predicted": shown.findings.evidence.predicted,
    }
    if not elements.is_plain:
        keys = shown.keys().tolist()
        return {
            name: dict(zip(keys, of[shown.found].tolist(), strict=True))
            for name, of in of_all.items()
        }
    found = {name: of.tolist() for name, of in of_all.items()}
    found["values"] = [_short(value) for value in values]
    # Samples without a score have no row.
    return {
        name: elements.put(np.array(column, object), None).tolist()
        for name, column in found.items()
    }


def _samples(elements: Elements) -> str:
    """The number of labels and samples, as text."""
    count, labels = f"{len(elements.given):,} samples", len(elements.labels)
    if elements.is_plain and labels == len(elements.given):
        return count
    return f"{labels:,} labels of {count}"


def _file(name: str, package: str = "keras_noisy.quality") -> str:
    folder = importlib.resources.files(package)
    return folder.joinpath(name).read_text(encoding="utf-8")


def _finding(findings: Ranked, shown: int) -> dict[str, Any] | None:
    """How well each score finds the wrong labels, if they are known."""
    if findings.clean_labels is None or findings.elements.are_areas:
        return None
    evidence, wrong = findings.evidence, findings.wrong()
    total = int(wrong.sum())
    found: dict[str, Any] = {"wrong": total, "shown": shown, "scores": []}
    if total:
        at = np.unique(np.linspace(1, len(wrong), 100).astype(int))
        for score in evidence.names:
            hits = wrong[evidence.order(score)].cumsum()
            found_here = int(hits[shown - 1]) if shown else 0
            curve = zip(hits[at - 1] / total, hits[at - 1] / at, strict=True)
            found["scores"].append(
                {
                    "score": score,
                    "at_wrong": hits[total - 1] / total,
                    "precision": found_here / max(1, shown),
                    "recall": found_here / total,
                    "curve": [[_short(v) for v in point] for point in curve],
                }
            )
    return found


def fingerprint(labels: np.ndarray, images: Any) -> str:
    """A hash of labels and images, to match a decisions file with its data."""
    count = len(labels)
    key = hashlib.sha256(labels.astype("<i8").tobytes())
    if images is None:
        return _PREFIX + key.hexdigest()[:16]
    for picture in pictures(images, (0, count // 2, count - 1)):
        key.update(picture.tobytes())
    # A new file in a folder moves those behind it; three pictures may stay.
    are_listed = isinstance(images, list | tuple | np.ndarray)
    for image in images if are_listed else ():
        if isinstance(image, _PATH):
            key.update(f"{file_name(image)}/".encode(errors="replace"))
    return _PREFIX + key.hexdigest()[:16]


def _short(value: float) -> float:
    return float(f"{value:.6g}")
