"""Columns of tables and of CSV files, by position."""

import csv
import io
from collections.abc import Iterable, Mapping, Sequence
from typing import Any

import numpy as np

from keras_noisy._arguments import invalid
from keras_noisy._containers import as_array
from keras_noisy.datasets._folders import ENDINGS, OTHER

#: Column separators; the first one found in the header is used.
_DELIMITERS = ",;\t"


def is_table(value: Any) -> bool:
    """Whether it has columns by name, like a DataFrame or a dictionary."""
    return isinstance(value, Mapping) or _names(value) is not None


def column(
    table: Any, argument: str, name: Any, *guesses: tuple[str, ...]
) -> np.ndarray:
    """The column `name`, or else the only one with a guessed name.

    Later guesses count if there is no column of an earlier one.
    """
    name = _found(table, argument, name, guesses)
    array = as_array(argument, table[name])
    if len(array) == 0:
        raise ValueError(
            "Expected a table of at least one row. Received: none in the "
            f"column {name!r}. Check how the rows were selected"
        )
    # A list of all pixels would take much memory.
    entries = array.tolist() if array.ndim == 1 else []
    missing = [_is_missing(entry) for entry in entries]
    if any(missing):
        row = missing.index(True)
        where = f" in row {row}, counted from 0"
        if isinstance(table, CSV):
            where = table.place(row)
        raise ValueError(
            f"Expected an entry in every row of the column {name!r}. Received: "
            f"none{where} ({sum(missing)} of {len(missing)} are missing). "
            "Leave such rows out"
        )
    return array


def _found(
    table: Any, argument: str, name: Any, guesses: Iterable[tuple[str, ...]]
) -> Any:
    """The name of the column, which the table has once."""
    names = [*table] if isinstance(table, Mapping) else _names(table) or []
    expected = f"the name of one of the columns {names}"
    if name is None:
        matches = [
            [n for n in names if str(n).lower() in guess] for guess in guesses
        ]
        found = next(filter(None, matches), [])
        name = found[0] if len(found) == 1 else None
        if any(str(n).lower().endswith(ENDINGS + OTHER) for n in names):
            expected += (
                "; write `path,label` above the first line if it has none"
            )
        elif names:
            example = f"{argument}={names[0 if argument == 'path' else -1]!r}"
            expected += f", as in `ImageFiles.from_table(table, {example})`"
    if isinstance(name, Sequence) and not isinstance(name, str):
        expected += (
            ". For several labels of an image pass `(paths, labels)` to "
            "`ImageDataset` or `pipeline`, with labels of shape (N, k)"
        )
    index = [*getattr(getattr(table, "index", None), "names", [])]
    if index != [None] * len(index):
        expected += f"; for {index}, pass `table.reset_index()`"
    if names.count(name) > 1:
        expected += "; rename or drop the others of this name"
    if names.count(name) != 1:
        raise invalid(argument, name, expected)
    return name


class CSV(dict[str, list[str]]):
    """The columns of a CSV file in UTF-8 whose first line names them."""

    def __init__(self, path: str):
        self.path = path
        rows = _rows(path)
        if len(rows) < 2:
            raise ValueError(
                f"Expected {path} to have a line with the names of the "
                "columns, and more lines after it. Received: "
                f"{len(rows)} lines"
            )
        (_, names), *rows = rows
        for line, row in rows:
            if len(row) != len(names):
                raise ValueError(
                    f"Expected {len(names)} entries in every line of {path}, "
                    f"as in the first. Received: {len(row)} in line {line}. "
                    "Put an entry that has a comma in double quotes"
                )
        self.lines = [line for line, _ in rows]
        columns = zip(*(row for _, row in rows), strict=True)
        for name, entries in zip(names, columns, strict=True):
            if name in self:
                raise ValueError(
                    f"Expected columns of different names in {path}. Received: "
                    f"{name!r} twice"
                )
            self[name] = list(entries)

    def place(self, row: int) -> str:
        """Where a row is, for messages."""
        return f" in line {self.lines[row]} of {self.path}"


def numbers(entries: np.ndarray) -> np.ndarray:
    """Texts as whole numbers if all are, otherwise unchanged.

    "nan" among numbers is not a name but a missing label, rejected later.
    """
    if any("_" in entry for entry in entries):  # Python reads "1_0" as 10.
        return entries
    try:
        found = np.array([float(entry) for entry in entries])
    except ValueError:
        return entries
    is_missing = np.isnan(found)
    whole = is_missing | (found == np.floor(found))
    return found if whole.all() and not is_missing.all() else entries


def _rows(path: str) -> list[tuple[int, list[str]]]:
    """The non-empty lines with their numbers, spaces removed."""
    with open(path, "rb") as file:
        content = file.read()
    try:
        text = content.decode("utf-8-sig")
    except UnicodeDecodeError as error:
        # The position does not count the byte order mark of `content`.
        before = (error.object[: error.start] + b".").splitlines()
        raise _no_csv(path, error, len(before)) from error
    header = next(filter(str.strip, text.splitlines()), "")
    lines = csv.reader(
        io.StringIO(text, newline=""),
        delimiter=next((d for d in _DELIMITERS if d in header), ","),
        skipinitialspace=True,
        strict=True,
    )
    try:
        rows = [(lines.line_num, [c.strip() for c in row]) for row in lines]
    except csv.Error as error:
        raise _no_csv(path, error, lines.line_num) from error
    return [(line, row) for line, row in rows if any(row)]


def _no_csv(path: str, error: Exception, line: int) -> ValueError:
    return ValueError(
        f"Expected {path} to be a CSV file in UTF-8. Received: {error}, in "
        f"line {line}. Save it as such, or read it by `pandas.read_csv` and "
        "pass the table, with the folder of its paths as `root`"
    )


def _names(table: Any) -> list[Any] | None:
    """The names of the columns of a DataFrame of any library."""
    for attribute in ("column_names", "columns"):
        names = getattr(table, attribute, None)
        if names is not None and hasattr(table, "__getitem__"):
            return list(names)
    return None


def _is_missing(entry: Any) -> bool:
    """Whether it is None, NaN, empty text or a missing value of pandas."""
    if entry is None or type(entry).__name__ in ("NAType", "NaTType"):
        return True
    if isinstance(entry, str):
        return not entry
    return isinstance(entry, float) and entry != entry
