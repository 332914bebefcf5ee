"""A note in a folder of what the files there are made from."""

import json
from pathlib import Path
from typing import Any

from keras_noisy._differences import described_both, differences
from keras_noisy._files import reading, write_whole


def claim(note: Path, now: dict[str, Any], files: str) -> None:
    """Write a note for these files; raise if there is one that differs."""
    if note.exists():
        with reading(note, note.parent) as stream:
            before = json.load(stream)
        found = differences(before, now)
        if found:
            there, here = described_both(found)
            what = f"{files} with {there}, not {here}"
            raise of_another_call(note.parent, what)
    note.parent.mkdir(parents=True, exist_ok=True)
    write_whole(note, lambda path: path.write_text(json.dumps(now), "utf-8"))


def of_another_call(directory: Path, what: str) -> ValueError:
    """The error for a folder that holds the files of another call."""
    return ValueError(
        "Invalid value for argument `directory`. Expected a new folder, or the "
        "one of an earlier call with the same data, model and arguments. "
        f"Received: {str(directory)!r}, which holds {what}"
    )
