"""Names of classes, by label."""

import difflib
import unicodedata
from collections.abc import Iterable, Mapping, Sequence, Set
from typing import Any

import numpy as np

from keras_noisy._arguments import invalid


def names_by_label(names: Any) -> list[str]:
    """The name of each class as text.

    A mapping is read by its keys, which are the labels. A list, an array or a
    column of a table is read by position.
    """
    if isinstance(names, str | bytes | Set):
        raise invalid("class_names", names, "names in the order of the labels")
    if isinstance(names, Mapping):
        labels = list(names)
        whole = all(isinstance(k, int | np.integer) for k in labels)
        if not whole or sorted(labels) != list(range(len(labels))):
            raise invalid(
                "class_names",
                names,
                "a list of names, or a mapping from each label, 0 to "
                "num_classes - 1, to its name",
            )
        names = [names[label] for label in sorted(labels)]
    return [
        name.decode() if isinstance(name, bytes) else str(name)
        for name in names
    ]


def nearest(name: str, known: Iterable[str]) -> str | None:
    """The known name that is spelled most alike, if one is close."""
    plain = {folded(other): other for other in known}
    near = difflib.get_close_matches(folded(name), plain, 1)
    return plain[near[0]] if near else None


def folded(name: str) -> str:
    """The name in lower case, with whole accents."""
    return unicodedata.normalize("NFC", name).casefold()


def quoted(name: str) -> str:
    """The name in quotes, with accents that stand apart as code points."""
    whole = unicodedata.is_normalized("NFC", name)
    return repr(name) if whole else ascii(name)


def listed(names: Sequence[str], most: int = 10) -> str:
    """The first names in quotes, and the number of the others."""
    text = ", ".join(map(quoted, names[:most]))
    more = len(names) - most
    return f"{text} and {more} more" if more > 0 else text
