"""One run at a time in a directory, and none blocked by a killed one."""

import errno
import os
import re
import signal
import subprocess
import sys
import threading
from pathlib import Path

import pytest

from keras_noisy.callbacks import _lock
from keras_noisy.callbacks._lock import NAME, Lock

pytestmark = pytest.mark.once

#: Loads only this module, which is fast.
HOLD = """
import importlib.util, pathlib, sys, time
spec = importlib.util.spec_from_file_location("lock", sys.argv[1])
lock = importlib.util.module_from_spec(spec)
spec.loader.exec_module(lock)
held = lock.Lock(pathlib.Path(sys.argv[2]))
held.acquire()
print("held", flush=True)
sys.stdin.read()
held.release()
"""


@pytest.fixture
def hold():
    """Another process that holds the lock of a directory."""
    processes = []

    def start(directory):
        arguments = [sys.executable, "-c", HOLD, _lock.__file__, directory]
        process = subprocess.Popen(
            arguments, stdin=subprocess.PIPE, stdout=subprocess.PIPE, text=True
        )
        processes.append(process)
        assert process.stdout.readline() == "held\n"
        return process

    yield start
    for process in processes:
        process.kill()
        process.communicate()


def test_another_process_is_named_and_left_alone(hold, tmp_path):
    process = hold(tmp_path)
    message = (
        rf"{re.escape(str(tmp_path))} is in use .*process {process.pid} on \S+ "
        r"since \d{4}-\d\d-\d\d \d\d:\d\d:\d\d\. .*another directory"
    )
    for _ in range(2):
        with pytest.raises(ValueError, match=message):
            Lock(tmp_path).acquire()
    process.communicate()  # it ends by itself
    lock = Lock(tmp_path)
    lock.acquire()
    lock.release()
    assert not list(tmp_path.iterdir())


def test_a_killed_process_blocks_nobody(hold, tmp_path):
    process = hold(tmp_path)
    os.kill(process.pid, signal.SIGKILL)
    process.wait()
    assert (tmp_path / NAME).exists()
    lock = Lock(tmp_path)
    lock.acquire()
    with pytest.raises(AssertionError):
        hold(tmp_path)
    lock.release()
    hold(tmp_path)


def test_what_its_owner_deletes_meanwhile_is_no_lock(
    hold, tmp_path, monkeypatch
):
    lock, opened = Lock(tmp_path), []
    real = _lock._lock

    def deleted_first(file):
        opened.append(file)
        if len(opened) == 1:
            os.unlink(lock.path)
        return real(file)

    monkeypatch.setattr(_lock, "_lock", deleted_first)
    lock.acquire()
    assert len(opened) == 2 and opened[0].closed
    with pytest.raises(AssertionError):
        hold(tmp_path)
    lock.release()


def test_the_next_one_in_the_thread_takes_it_over(hold, tmp_path):
    first, second = Lock(tmp_path), Lock(tmp_path)
    first.acquire()
    second.acquire()
    first.release()
    with pytest.raises(AssertionError):
        hold(tmp_path)
    second.release()
    hold(tmp_path)


def test_another_thread_does_not_take_it_over(tmp_path):
    errors = []

    def other():
        try:
            Lock(tmp_path).acquire()
        except ValueError as error:
            errors.append(str(error))

    lock = Lock(tmp_path)
    lock.acquire()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(errors) == 1 and f"process {os.getpid()}" in errors[0]
    lock.release()
    thread = threading.Thread(target=other)
    thread.start()
    thread.join()
    assert len(errors) == 1
    Lock(tmp_path).acquire()  # that thread is done
    Lock(tmp_path).release()


def test_it_ends_with_its_object(hold, tmp_path):
    lock = Lock(tmp_path)
    lock.acquire()
    del lock
    hold(tmp_path)


@pytest.mark.parametrize("number", [errno.ENOLCK, errno.EOPNOTSUPP])
def test_a_file_system_without_locks_stops_nothing(
    number, tmp_path, monkeypatch
):
    def refuse(*arguments):
        raise OSError(number, "no locks")

    monkeypatch.setattr("fcntl.lockf", refuse)
    lock = Lock(tmp_path)
    lock.acquire()
    lock.release()


def test_a_folder_that_cannot_be_written_stops_nothing(tmp_path):
    (tmp_path / "file").write_text("")
    lock = Lock(Path(tmp_path / "file" / "folder"))
    lock.acquire()
    lock.release()


def test_a_file_that_says_nothing_still_locks(hold, tmp_path):
    hold(tmp_path)
    (tmp_path / NAME).write_text("{")
    with pytest.raises(ValueError, match=r"another run\. Expected one run"):
        Lock(tmp_path).acquire()
