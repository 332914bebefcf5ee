"""Rows of a CSV file that a study appends to and resumes from."""

import csv
from collections.abc import Iterable, Mapping
from pathlib import Path


def read(path: Path) -> list[dict[str, str]]:
    """The rows of a file, or none if the file does not exist."""
    if not path.exists():
        return []
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.DictReader(file))


def append(path: Path, rows: Iterable[Mapping[str, object]]) -> None:
    """Append rows, under a header of their names if the file is new."""
    rows = list(rows)
    new = not path.exists()
    with path.open("a", newline="", encoding="utf-8") as file:
        writer = csv.DictWriter(file, list(rows[0]), lineterminator="\n")
        if new:
            writer.writeheader()
        writer.writerows(rows)


def collect(path: Path, keys: tuple[str, ...], sources: list[Path]) -> int:
    """Append the missing rows of other files; returns their number."""
    done = {tuple(row[k] for k in keys) for row in read(path)}
    new = []
    for row in (row for source in sources for row in read(source)):
        key = tuple(row[k] for k in keys)
        if key not in done:
            done.add(key)
            new.append(row)
    if new:
        append(path, new)
    return len(new)
