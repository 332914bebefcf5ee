"""Files of sessions, and the preparation rules of the papers."""

import csv
from datetime import date
from pathlib import Path

import numpy as np

#: All clicks one after the other, and the number of clicks per session.
Clicks = tuple[np.ndarray, np.ndarray]

#: Number of days at the end for the test.
TEST_DAYS = 7
#: Minimum number of clicks of an item.
FEWEST_CLICKS = 5


def prepared(file: Path) -> tuple[Clicks, Clicks]:
    """Prepared sessions; the last click of a test session is stored apart."""
    with np.load(file) as saved:
        lengths = _integers(saved["test_lengths"])
        ends = np.cumsum(lengths)
        if len(ends) and ends[-1] != len(saved["test_items"]):
            raise ValueError(
                "the lengths of the test are not those of its items"
            )
        items, targets = saved["test_items"], saved["test_targets"]
        # NumPy would cast inserted numbers, and wrap large ones around.
        items = items.astype(np.promote_types(items.dtype, targets.dtype))
        clicks = np.insert(items, ends, targets)
        train = saved["train_items"], _integers(saved["train_lengths"])
    return train, (clicks, lengths + 1)


def _integers(lengths: np.ndarray) -> np.ndarray:
    """Lengths whose sums do not wrap; a fraction is a TypeError."""
    return lengths.astype("int64", casting="same_kind")


def official(file: Path) -> tuple[Clicks, Clicks]:
    """Training and test sessions from the official table of item views."""
    names: dict[str, int] = {}
    rows = []
    with open(file, newline="", encoding="utf-8-sig") as lines:
        reader = csv.DictReader(lines, delimiter=";")
        for row in reader:
            try:
                session = row.get("sessionId") or row["session_id"]
                item = row.get("itemId") or row["item_id"]
                day = date.fromisoformat(row["eventdate"]).toordinal()
                number = names.setdefault(session, len(names))
                rows.append((number, int(row["timeframe"]), int(item), day))
            except (KeyError, TypeError, ValueError) as error:
                where = f"line {reader.line_num}: {error}"
                raise ValueError(where) from error
    table = np.array(rows, "int64")
    if not len(table):
        raise ValueError("the file has no clicks")
    return split(*table.T)


def split(
    session: np.ndarray, time: np.ndarray, item: np.ndarray, day: np.ndarray
) -> tuple[Clicks, Clicks]:
    """Apply the rules of SR-GNN to a table of clicks, in file order."""
    # The day of a session is the day of its last row.
    days = np.zeros(session.max() + 1, "int64")
    days[session] = day
    order = np.lexsort((time, session))
    session, item = session[order], item[order]

    kept = np.bincount(session)[session] > 1
    session, item = session[kept], item[kept]
    items, item = np.unique(item, return_inverse=True)
    session, item = _kept(
        session, item, np.bincount(item)[item] >= FEWEST_CLICKS
    )
    if not len(session):
        raise ValueError("no session is left of two clicks on frequent items")
    border = days[session].max() - TEST_DAYS
    by_day = np.lexsort((session, days[session]))
    session, item = session[by_day], item[by_day]
    before, after = days[session] < border, days[session] > border
    if not before.any() or not after.any():
        raise ValueError("there are no sessions before the last week")
    found, first = np.unique(item[before], return_index=True)
    number = np.zeros(len(items), "int64")
    number[found[np.argsort(first)]] = np.arange(1, len(found) + 1)
    item = number[item]
    train = session[before], item[before]
    test = _kept(session[after], item[after], item[after] > 0)
    return _sessions(*train), _sessions(*test)


def _kept(
    session: np.ndarray, item: np.ndarray, chosen: np.ndarray
) -> tuple[np.ndarray, np.ndarray]:
    """The chosen clicks, of sessions with at least two of them."""
    session, item = session[chosen], item[chosen]
    long = np.bincount(session, minlength=1)[session] > 1
    return session[long], item[long]


def _sessions(session: np.ndarray, item: np.ndarray) -> Clicks:
    """Clicks and lengths of sessions that follow one another."""
    begins = np.flatnonzero(np.diff(session, prepend=-1))
    return item, np.diff(begins, append=len(session))
