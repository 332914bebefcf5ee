import contextlib
import gc
import importlib.metadata
import os
import sys
from pathlib import Path

import pytest

sys.path.insert(0, str(Path(__file__).parent))

# Each process has one core, and keeps to it: threads for small tensors
# only wait for each other.
os.environ.setdefault("OMP_NUM_THREADS", "1")
os.environ.setdefault("TF_NUM_INTRAOP_THREADS", "1")

# Tests, the processes that they start and the next run share the JAX programs
# that take long to compile. Saving the others takes longer than compiling.
CACHE = Path(__file__).parent.parent / ".pytest_cache" / "jax"
os.environ.setdefault("JAX_COMPILATION_CACHE_DIR", str(CACHE))
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_COMPILE_TIME_SECS", "0.1")
os.environ.setdefault("JAX_PERSISTENT_CACHE_MIN_ENTRY_SIZE_BYTES", "-1")

# Compiling takes most of the time on JAX. What the compiler does to the
# numbers of a step is seen with --run-slow, and in tests that ask for it.
if "--run-slow" not in sys.argv:
    os.environ.setdefault("JAX_DISABLE_MOST_OPTIMIZATIONS", "1")
    # The newer way to fuse takes a third of what is left. XLA ends a process
    # that gives it an unknown flag: so only where the flag is known.
    with contextlib.suppress(importlib.metadata.PackageNotFoundError):
        if importlib.metadata.version("jaxlib").startswith("0.10."):
            flag = "--xla_cpu_use_fusion_emitters=false"
            os.environ.setdefault("XLA_FLAGS", flag)

#: The slowest files run first, so that no core idles while
#: another ends with one of them.
LONGEST_FIRST = (
    "test_distribution.py",
    "test_extremes.py",
    "test_memory.py",
    "test_memory_models.py",
    "test_memory_batches.py",
    "test_closed_form.py",
    "test_parity.py",
    "test_training.py",
    "test_inputs.py",
    "test_values.py",
    "test_pages.py",
    "test_package.py",
    "test_session_models.py",
    "test_resume.py",
    "test_fading.py",
    "test_readers.py",
    "test_label_quality.py",
    "test_pipeline.py",
    "test_clouded_logits.py",
    "test_session_layers.py",
    "test_webvision_example.py",
    "test_webvision_example_steps.py",
    "test_noisy_cifar.py",
    "test_clean_labels.py",
    "test_entropy_sgd.py",
    "test_calibration_of_losses.py",
    "test_following_losses.py",
    "test_margin_scale.py",
    "test_saving.py",
    "test_calibration.py",
    "test_label_smoothing.py",
    "test_single_output.py",
    "test_image_dataset.py",
    "test_tuning.py",
)
LEFT_OUT = pytest.StashKey[int]()


def backend():
    """The backend of the tests; Keras is imported only if needed to know it.

    The process that hands tests out to others needs no Keras.
    """
    if "KERAS_BACKEND" not in os.environ:
        import keras

        os.environ["KERAS_BACKEND"] = keras.backend.backend()
    return os.environ["KERAS_BACKEND"]


def pytest_addoption(parser):
    parser.addoption(
        "--once-on",
        metavar="BACKEND",
        help="leave tests marked `once` to the run on this backend",
    )
    parser.addoption(
        "--run-slow", action="store_true", help="run tests marked `slow` too"
    )


def pytest_report_header():
    return f"keras {importlib.metadata.version('keras')}, backend {backend()}"


def pytest_collection_modifyitems(config, items):
    if not config.getoption("--run-slow"):
        slow = pytest.mark.skip(reason="slow: runs with --run-slow")
        for item in items:
            if item.get_closest_marker("slow"):
                item.add_marker(slow)
    if config.getoption("--once-on") not in (None, backend()):
        once = {item for item in items if item.get_closest_marker("once")}
        config.hook.pytest_deselected(items=list(once))
        items[:] = [item for item in items if item not in once]
        config.stash[LEFT_OUT] = len(once)
    place = {name: number for number, name in enumerate(LONGEST_FIRST)}
    items.sort(key=lambda item: place.get(item.path.name, len(place)))


@pytest.hookimpl(optionalhook=True)
def pytest_xdist_make_scheduler(config, log):
    """Hand out whole files, in the order above."""
    from xdist.scheduler import LoadFileScheduling

    config.option.loadscopereorder = False
    return LoadFileScheduling(config, log)


def pytest_sessionfinish(session):
    """Tell the reporting process which tests this one left out."""
    if hasattr(session.config, "workeroutput"):
        left_out = session.config.stash.get(LEFT_OUT, 0)
        session.config.workeroutput["left out"] = left_out


@pytest.hookimpl(optionalhook=True)
def pytest_testnodedown(node):
    if hasattr(node, "workeroutput"):
        node.config.stash[LEFT_OUT] = node.workeroutput["left out"]


def pytest_terminal_summary(terminalreporter, config):
    if count := config.stash.get(LEFT_OUT, 0):
        terminalreporter.write_line(
            f"{count} tests marked `once` run on "
            f"{config.getoption('--once-on')} only"
        )


@pytest.fixture(autouse=True)
def fresh_state():
    import keras

    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")


@pytest.fixture
def optimized():
    """Compile with optimizations, as users do."""
    if backend() != "jax":
        yield
        return
    import jax

    before = jax.config.read("jax_disable_most_optimizations")
    jax.config.update("jax_disable_most_optimizations", False)
    yield
    jax.config.update("jax_disable_most_optimizations", before)


@pytest.fixture(autouse=True, scope="module")
def few_objects():
    """The collector skips the objects that earlier files left."""
    gc.collect()
    gc.freeze()
