"""Files that are complete whenever they exist."""

import os
import unicodedata
from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(file: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write another file, which then takes the place of `file`."""
    unfinished = file.with_name(f"unfinished_{file.name}")
    write(unfinished)
    unfinished.replace(file)


def file_name(path: str | bytes | os.PathLike) -> str:
    """The name without its folder, the same on every system."""
    name = os.fsdecode(path).replace("\\", "/").rpartition("/")[2]
    return unicodedata.normalize("NFC", name)
