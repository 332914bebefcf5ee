"""One run at a time in a directory."""

from __future__ import annotations

import contextlib
import datetime
import errno
import json
import os
import socket
import sys
import threading
import weakref
from pathlib import Path
from typing import Any, NamedTuple

NAME = "in_use.json"
#: What systems say of a file that another process has locked.
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
#: Windows lets no other process read a locked byte, so one far behind.
BYTE = 2**30


class Lock:
    """A lock that the system ends with the process, also with a killed one.

    If the file system has no locks, or nothing may be written, there is
    none, and no error.
    """

    def __init__(self, directory: Path):
        self.path = directory / NAME
        self._file: Any = None

    def acquire(self) -> None:
        """Take the lock; a ValueError if another run has it.

        A `fit` that was interrupted keeps it. The next one in the same thread
        takes it over.
        """
        key = str(self.path.absolute())
        earlier = _held.get(key)
        if earlier:
            thread = earlier.thread
            is_alive = thread.is_alive() and earlier.process == os.getpid()
            if is_alive and thread is not threading.current_thread():
                raise self._error(earlier.about)
            _release(key)
        with contextlib.suppress(OSError):
            self.path.parent.mkdir(parents=True, exist_ok=True)
            while key not in _held:
                file = open(self.path, "a+")  # noqa: SIM115
                if not _lock(file):
                    about = _read(file)
                    file.close()
                    raise self._error(about)
                # The one who had it deletes the file.
                if os.name == "nt" or _is_file_at(file, self.path):
                    _hold(key, file)
                    self._file = file
                    weakref.finalize(self, _release, key, file)
                else:
                    file.close()

    def release(self) -> None:
        """Give the lock back, unless another one has taken it over."""
        if self._file:
            _release(str(self.path.absolute()), self._file)

    def _error(self, about: dict[str, Any]) -> ValueError:
        process, host = about.get("process"), about.get("host")
        who = f"process {process} on {host} since {about.get('since')}"
        return ValueError(
            f"{self.path.parent} is in use by another run"
            + f", {who}" * bool(about)
            + ". Expected one run at a time in a directory. Wait for that run "
            "to end, stop it (in a notebook: restart its kernel), or give this "
            "one another directory"
        )


class _Held(NamedTuple):
    """A locked file and who locked it."""

    file: Any
    about: dict[str, Any]
    process: int
    thread: threading.Thread


#: The locks of this process, by path.
_held: dict[str, _Held] = {}


def _hold(key: str, file: Any) -> None:
    about = {
        "process": os.getpid(),
        "host": socket.gethostname(),
        "since": datetime.datetime.now().isoformat(" ", "seconds"),
    }
    _held[key] = _Held(file, about, os.getpid(), threading.current_thread())
    with contextlib.suppress(OSError):  # the disk may be full
        file.truncate(0)
        file.write(json.dumps(about))
        file.flush()


def _release(key: str, file: Any = None) -> None:
    """Give a lock back, unless it is of another file by now."""
    held = _held.get(key)
    if held is None or file not in (None, held.file):
        return
    del _held[key]
    if held.process != os.getpid():
        return  # that of the process that this one was forked from
    # Windows deletes no open file, elsewhere it must go while it is locked.
    steps = [lambda: os.unlink(key), held.file.close]
    for step in reversed(steps) if os.name == "nt" else steps:
        with contextlib.suppress(OSError):
            step()


def _lock(file: Any) -> bool:
    """Whether no other process has locked it; True if there are no locks.

    These locks belong to a process: one that is forked does not keep them.
    """
    try:
        if sys.platform == "win32":
            import msvcrt

            file.seek(BYTE)
            msvcrt.locking(file.fileno(), msvcrt.LK_NBLCK, 1)
        else:
            import fcntl

            fcntl.lockf(file, fcntl.LOCK_EX | fcntl.LOCK_NB)
    except OSError as error:
        return error.errno not in TAKEN
    return True


def _is_file_at(file: Any, path: Path) -> bool:
    try:
        return os.path.samestat(os.fstat(file.fileno()), os.stat(path))
    except FileNotFoundError:
        return False


def _read(file: Any) -> dict[str, Any]:
    try:
        file.seek(0)
        about = json.loads(file.read())
    except (OSError, ValueError):
        return {}  # It is being written.
    return about if isinstance(about, dict) else {}
