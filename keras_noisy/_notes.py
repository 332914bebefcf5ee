"""A note in a folder of what the files there are made from."""

import json
from pathlib import Path
from typing import Any

from keras_noisy._differences import described_both, differences
from keras_noisy._files import reading, write_whole


def claim(note: Path, now: dict[str, Any]) -> tuple[str, str] | None:
    """Write a note, unless there is one that differs.

    Then return the parts that differ as texts, there and here.
    """
    if note.exists():
        with reading(note, note.parent) as stream:
            before = json.load(stream)
        found = differences(before, now)
        if found:
            return described_both(found)
    note.parent.mkdir(parents=True, exist_ok=True)
    write_whole(note, lambda path: path.write_text(json.dumps(now), "utf-8"))
    return None
