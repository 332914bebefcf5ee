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
#: Error codes for a file that another process has locked.
TAKEN = (errno.EACCES, errno.EAGAIN, errno.EDEADLK)
#: On Windows no other process can read a locked byte, so lock a far one.
BYTE = 2**30


class Lock:
    """A lock that the system releases when the process ends or is killed.

    If the file system has no locks or is read-only, there is no lock and no
    error.
    """

    def __init__(self, directory: Path):
        self.path = directory / NAME
        self._file: Any = None

    def acquire(self) -> None:
        """Take the lock, or raise a ValueError if another run has it.

        An interrupted `fit` keeps the lock. The next `fit` in the same thread
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
                # The previous owner may have deleted the file.
                if os.name == "nt" or _is_file_at(file, self.path):
                    _hold(key, file)
                    self._file = file
                    weakref.finalize(self, _release, key, file)
                else:
                    file.close()

    def release(self) -> None:
        """Release the lock, unless another `Lock` has taken it over."""
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
    """Release a lock, unless it now belongs to another file."""
    held = _held.get(key)
    if held is None or file not in (None, held.file):
        return
    del _held[key]
    if held.process != os.getpid():
        return  # It belongs to the process that forked this one.
    # Windows cannot delete an open file; others must delete it while locked.
    steps = [lambda: os.unlink(key), held.file.close]
    for step in reversed(steps) if os.name == "nt" else steps:
        with contextlib.suppress(OSError):
            step()


def _lock(file: Any) -> bool:
    """Whether no other process has locked it; True if there are no locks.

    The locks belong to a process: a forked process does not inherit them.
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
        return {}  # Another process is writing it.
    return about if isinstance(about, dict) else {}
