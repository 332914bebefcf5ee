"""Files that are complete whenever they exist."""

from collections.abc import Callable
from pathlib import Path
from typing import Any


def write_whole(file: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write another file, which then takes the place of `file`."""
    unfinished = file.with_name(f"unfinished_{file.name}")
    write(unfinished)
    unfinished.replace(file)
