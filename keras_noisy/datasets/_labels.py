"""Labels of files as numbers, with warnings about probable mistakes."""

from collections import Counter
from collections.abc import Callable, Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy._label_arrays import class_labels, whole_labels
from keras_noisy._names import folded, names_by_label, nearest, quoted
from keras_noisy._warn import warn

#: Where a row is in a file, such as " in line 3 of list.csv", for messages.
Place = Callable[[int], str]

#: Texts that programs write for a missing entry. "none" is often a class.
_MISSING = {"nan", "na", "n/a", "#n/a", "<na>", "null"}
#: A class of fewer images is too small to say that another one is misspelled.
_COMMON = 10
#: Shorter words often differ by one letter and are both right.
_SHORTEST = 4
#: With fewer images per class, class 0 can be absent by chance.
_PER_CLASS = 5
#: Number of examples in a warning.
_SHOWN = 5


def nowhere(row: int) -> str:
    """The place of a row that is in no file."""
    return ""


def numbered(
    labels: Any, class_names: Sequence[str] | None, place: Place
) -> tuple[np.ndarray, list[str] | None]:
    """Labels as integers, and the names of their classes."""
    array = as_array("labels", labels)
    names = None if class_names is None else names_by_label(class_names)
    if names is not None and len(set(names)) != len(names):
        raise invalid("class_names", class_names, "different names")
    entries = [
        e.decode() if isinstance(e, bytes) else e for e in array.tolist()
    ]
    is_text = [isinstance(entry, str) for entry in entries]
    if array.ndim == 1 and all(is_text):
        return _numbered_names(entries, names, place)
    if any(is_text):
        name, row = is_text.index(True), is_text.index(False)
        raise ValueError(
            "Invalid value for argument `labels`. Expected whole numbers, or "
            "names of classes, all of them text. Received: "
            f"labels[{name}]={entries[name]} and labels[{row}]="
            f"{entries[row]}{place(row)}. Pass names that are numbers as "
            "text, and leave out images without a label"
        )
    if names is not None:
        numbers = class_labels("labels", array, len(names))
        return numbers.astype("int64"), names
    whole = whole_labels("labels", array).astype("int64")
    _warn_of_no_zero(whole)
    return whole, None


def _numbered_names(
    entries: list[str], names: list[str] | None, place: Place
) -> tuple[np.ndarray, list[str]]:
    """The number of the name of each entry, and the names."""
    if names is None:
        names = sorted(set(entries))
        _warn_of_names(entries, place)
    by_name = {name: number for number, name in enumerate(names)}
    wrong = [row for row, entry in enumerate(entries) if entry not in by_name]
    if wrong:
        row, more = wrong[0], len(wrong) - 1
        near = nearest(entries[row], names)
        raise ValueError(
            "Invalid value for argument `labels`. Expected names of the "
            f"{len(names)} `class_names`. Received: "
            f"labels[{row}]={quoted(entries[row])}{place(row)}"
            + f", and {more} more that are none of them" * (more > 0)
            + (f". Did you mean {quoted(near)}?" if near else "")
        )
    return np.array([by_name[entry] for entry in entries], "int64"), names


def warn_of_conflicts(
    files: np.ndarray,
    labels: np.ndarray,
    class_names: list[str] | None,
    place: Place,
) -> None:
    """Warn if a file has several labels.

    It is no error, because several persons may have labeled an image.
    """
    paths = files.tolist()
    if len(set(paths)) == len(paths):
        return
    first: dict[str, int] = {}
    found: dict[str, tuple[int, int]] = {}
    for row, path in enumerate(paths):
        other = first.setdefault(path, row)
        if labels[other] != labels[row]:
            found.setdefault(path, (other, row))
    if not found:
        return
    path, rows = next(iter(found.items()))
    shown = " and ".join(
        f"labels[{row}]="
        + repr(class_names[labels[row]] if class_names else int(labels[row]))
        + place(row)
        for row in rows
    )
    warn(
        f"Different labels are listed for {len(found)} of the {len(first)} "
        f"files, such as {path}: {shown}. All of these rows are used. Keep one "
        "row of each file, unless several persons labeled it"
    )


def _warn_of_no_zero(labels: np.ndarray) -> None:
    """Warn if the labels are 1, 2, ... without a gap.

    Other absent classes are usual: a part of the data or a long tail.
    """
    found = np.unique(labels)
    last = len(found)
    if last < 2 or found[0] != 1 or found[-1] != last:
        return
    if len(labels) >= _PER_CLASS * last:
        warn(
            f"The labels are 1 to {last}, so class 0 has no image and there "
            f"are {last + 1} classes. If there are {last}, subtract 1, as in "
            "`ImageFiles(files.files, files.labels - 1)`. Otherwise pass "
            f"{last + 1} `class_names=`"
        )


def _warn_of_names(entries: list[str], place: Place) -> None:
    """Warn of class names that are probably mistakes."""
    found = _doubtful(entries)
    if not found:
        return
    shown = [
        f"labels[{row}]={quoted(name)}{place(row)}, {found[name]}"
        for name in [*found][:_SHOWN]
        for row in [entries.index(name)]
    ]
    more = len(found) - len(shown)
    warn(
        f"{len(found)} of the {len(set(entries))} class names look like "
        f"mistakes: {'; '.join(shown)}"
        + f"; and {more} more" * (more > 0)
        + ". Correct them, or pass `class_names=`, the names of all classes"
    )


def _doubtful(entries: list[str]) -> dict[str, str]:
    """The class names that are probably mistakes, and why.

    A class of one image is not enough, as a long tail has many of them: its
    name must also be that of a common class, except for a letter. Two names
    that differ in nothing but case or spaces are always suspicious.
    """
    counts = Counter(entries)
    found, usual = {}, dict[str, str]()
    for name, _ in counts.most_common():
        plain = _plain(name)
        other = usual.setdefault(plain, name)
        if plain in _MISSING:
            found[name] = "perhaps a missing label"
        elif other != name and len(plain) > 1:
            found[name] = f"perhaps {quoted(other)}"
    common = {
        part: name
        for plain, name in usual.items()
        if counts[name] >= _COMMON
        for part in _without_a_letter(plain)
    }
    for name, count in counts.items():
        if count == 1 and name not in found:
            parts = _without_a_letter(_plain(name)) & common.keys()
            if parts:
                found[name] = f"perhaps {common[min(parts)]!r}"
    return found


def _plain(name: str) -> str:
    """A name in lower case with single spaces."""
    return " ".join(folded(name).replace("_", " ").split())


def _without_a_letter(name: str) -> set[str]:
    """The name, also without one letter: names share one if they are close.

    They differ then by a letter that is added, left out, replaced or moved.
    Digits stay, as "cat 1" and "cat 2" are two classes.
    """
    shorter = {
        name[:i] + name[i + 1 :] for i, c in enumerate(name) if c.isalpha()
    }
    return {part for part in shorter | {name} if len(part) >= _SHORTEST}
