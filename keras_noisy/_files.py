"""Files that are complete whenever they exist."""

import contextlib
import errno
import os
import secrets
import unicodedata
from collections.abc import Callable, Iterator
from pathlib import Path
from typing import Any, BinaryIO


def path_of(path: str | bytes | os.PathLike) -> Path:
    """The path of an argument, where `~` is the home folder."""
    return Path(text_of(path))


def text_of(path: str | bytes | os.PathLike) -> str:
    """The path of an argument as text, which keeps a `./` at its start."""
    # `Path.expanduser` raises an error for a file such as "~a.csv".
    return os.path.expanduser(os.fsdecode(path))


def write_whole(file: Path, write: Callable[[Path], Any]) -> None:
    """Let `write` write another file, which then takes the place of `file`."""
    # Another process may write the same file at the same time.
    unique = secrets.token_hex(4)
    unfinished = file.with_name(f"unfinished_{unique}_{file.name}")
    try:
        write(unfinished)
        unfinished.replace(file)
    finally:
        unfinished.unlink(missing_ok=True)


@contextlib.contextmanager
def reading(file: str | os.PathLike, delete: Any = "it") -> Iterator[BinaryIO]:
    """Open a file; name it, and what to delete, if it is damaged."""
    # NumPy does not close a damaged file that it has opened.
    with open(file, "rb") as stream:
        try:
            yield stream
        except Exception as error:  # Damage can cause any other.
            of_machine = isinstance(error, OSError | MemoryError)
            # A seek to a wrong place in a damaged file is EINVAL.
            if of_machine and getattr(error, "errno", None) != errno.EINVAL:
                raise  # The disk or the memory is at fault: keep the file.
            raise ValueError(
                f"Expected {os.fspath(file)} to be whole, as this package "
                f"wrote it. Received: a damaged file ({type(error).__name__})"
                f". Delete {delete}; what is lost is then computed again"
            ) from error


def file_name(path: str | bytes | os.PathLike) -> str:
    """The name without its folder, the same on every system."""
    name = os.fsdecode(path).replace("\\", "/").rpartition("/")[2]
    return unicodedata.normalize("NFC", name)
