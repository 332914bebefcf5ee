import atexit
import os
import shutil
import sys
import tempfile
from pathlib import Path

if "JAX_COMPILATION_CACHE_DIR" not in os.environ:
    # Tests and the processes that they start compile many programs anew that
    # are the same. All of these processes share what JAX has compiled.
    cache = tempfile.mkdtemp(prefix="jax-cache-")
    atexit.register(shutil.rmtree, cache, ignore_errors=True)
    os.environ["JAX_COMPILATION_CACHE_DIR"] = cache
    os.environ["JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS"] = "0"
    os.environ["JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES"] = "-1"

import keras
import pytest

sys.path.insert(0, str(Path(__file__).parent))

BACKEND = keras.backend.backend()
LEFT_OUT = pytest.StashKey[int]()

if BACKEND == "torch":
    import torch

    # Small tensors on one thread, as several only wait for each other.
    torch.set_num_threads(1)


def pytest_addoption(parser):
    parser.addoption(
        "--once-on",
        metavar="BACKEND",
        default=BACKEND,
        help="leave tests marked `once` to the run on this backend",
    )
    parser.addoption(
        "--run-slow", action="store_true", help="run tests marked `slow` too"
    )


def pytest_report_header():
    return f"keras {keras.__version__}, backend {BACKEND}"


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-slow"):
        slow = pytest.mark.skip(reason="slow: runs with --run-slow")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(slow)
    if config.getoption("--once-on") != BACKEND:
        once = {item for item in items if item.get_closest_marker("once")}
        config.hook.pytest_deselected(items=list(once))
        items[:] = [item for item in items if item not in once]
        config.stash[LEFT_OUT] = len(once)


def pytest_sessionfinish(session):
    """Tell the process that reports what this one left out."""
    if hasattr(session.config, "workeroutput"):
        left_out = session.config.stash.get(LEFT_OUT, 0)
        session.config.workeroutput["left out"] = left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if hasattr(node, "workeroutput"):
        node.config.stash[LEFT_OUT] = node.workeroutput["left out"]


def pytest_terminal_summary(terminalreporter, config):
    if count := config.stash.get(LEFT_OUT, 0):
        backend = config.getoption("--once-on")
        terminalreporter.write_line(
            f"{count} tests marked `once` run on {backend} only"
        )


@pytest.fixture(autouse=True)
def fresh_state():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
