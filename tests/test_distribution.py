"""Data parallelism gives the result of a single device."""

import functools
import json

import distributed_training
import keras
import numpy as np
import pytest
from helpers import CATALOGUE, TESTS, run_python
from processes import Processes

from keras_noisy.distribution import (
    data_parallel,
    process_count,
    process_index,
)

BACKEND = keras.backend.backend()
DEVICES = {"jax": 4, "tensorflow": 2, "torch": 1}[BACKEND]
SCRIPT = TESTS / "distributed_training.py"
METHODS = TESTS / "distributed_methods.py"


#: Results that differ between topologies: batch means, choices in a row.
FEW = ("PeerLoss", "HardBootstrapping")
few_and_all = pytest.mark.parametrize(
    "names",
    [FEW, pytest.param((), marks=pytest.mark.slow)],
    ids=["few", "all"],
)


@functools.cache
def on_devices(names):
    """On one device, and on several if the backend has them."""
    if DEVICES == 1:
        with data_parallel() as parallel:
            found = distributed_training.train(parallel, names or CATALOGUE)
        return {"heads": {"1": found}}
    output = run_python(
        SCRIPT, f"1,{DEVICES}", *names, backend=BACKEND, timeout=600
    )
    return json.loads(output.splitlines()[-1])


@functools.cache
def in_processes(names):
    with Processes(SCRIPT, 1, *names, backend=BACKEND) as processes:
        return processes.results(timeout=600)


def compare(several, one):
    assert one.keys() - several.keys() <= {"ELR", "SELC", "SOP"}
    for case, (losses, weights) in several.items():
        np.testing.assert_allclose(
            losses, one[case][0], rtol=1e-5, err_msg=case
        )
        for left, right in zip(weights, one[case][1], strict=True):
            np.testing.assert_allclose(left, right, atol=1e-5, err_msg=case)


@few_and_all
@pytest.mark.skipif(DEVICES == 1, reason="a process of PyTorch has one device")
def test_several_devices_train_like_one(names):
    results = on_devices(names)
    one, several = (results["heads"][str(n)] for n in (1, DEVICES))
    compare(several, one)
    assert several.keys() == one.keys()
    assert len(one) == (6 if names else 2 * len(CATALOGUE) + 9)
    refused = "\n".join(results["refused"])
    assert f"a multiple of the {DEVICES} devices" in refused
    if BACKEND == "jax":
        assert "Expected batches, the last one too" in refused
        assert "lost its weights" in refused


@pytest.mark.skipif(BACKEND != "jax", reason="others take any batch")
def test_batches_that_the_devices_cannot_share():
    found = on_devices(FEW)["uneven"]
    received = [
        f"a batch of {size} samples in `{name}`"
        for size, name in (
            (31, "x"),
            (31, "x"),
            (1, "validation_data"),
            (7, "validation_split"),
            (7, "x"),
        )
    ]
    for error, text in zip(found["errors"], received, strict=True):
        assert "multiple of the 4 devices" in error and text in error
    *scores, expected = found["scores"]
    for each in scores:
        np.testing.assert_allclose(each, expected, atol=1e-6)


@pytest.mark.parametrize(
    "names",
    [
        # Keras does this on the other backends, and this package on PyTorch.
        pytest.param(FEW, marks=() if BACKEND == "torch" else pytest.mark.slow),
        pytest.param((), marks=pytest.mark.slow),
    ],
    ids=["few", "all"],
)
def test_several_processes_train_like_one(names):
    for result in in_processes(names):
        compare(result["heads"]["1"], on_devices(names)["heads"]["1"])


@pytest.mark.slow
@pytest.mark.skipif(DEVICES == 1, reason="a process of PyTorch has one device")
def test_other_methods_on_several_devices():
    one, several = (
        json.loads(run_python(METHODS, count, backend=BACKEND).splitlines()[-1])
        for count in (1, DEVICES)
    )
    assert one.keys() == several.keys()
    for name, (losses, weights) in one.items():
        # On TensorFlow each device climbs along the gradient of its part, and
        # divides it among the replicas.
        differs = BACKEND == "tensorflow" and name in ("SAM", "ReplicatedSGD")
        # JAX inverts nearly singular matrices in float32.
        is_rough = BACKEND == "jax" and name == "HSICBottleneck"
        limit = 2e-3 if is_rough else 1e-5
        np.testing.assert_allclose(
            several[name][0],
            losses,
            rtol=0.05 if differs else limit,
            err_msg=name,
        )
        if differs:
            continue
        for left, right in zip(several[name][1], weights, strict=True):
            np.testing.assert_allclose(left, right, atol=limit, err_msg=name)


@pytest.mark.slow
def test_a_run_that_lost_a_process_ends_and_goes_on(tmp_path):
    script = TESTS / "parallel_training.py"
    with Processes(script, 1, tmp_path / "a", backend=BACKEND) as processes:
        processes.wait_for(0, "ConnectionError", timeout=240)
        assert "Process 0 of 2 lost another" in processes.output(0)
        assert "Run the same command again" in processes.output(0)
        folders = tmp_path / "a", tmp_path / "b"
        with Processes(script, -1, *folders, backend=BACKEND) as again:
            resumed, expected = zip(*again.results(), strict=True)
        assert resumed[0]["start"] == [1, 2]
        assert (tmp_path / "a.keras").stat().st_size > 0
        for result in (*resumed, expected[1]):
            assert result["scores"] == pytest.approx(expected[0]["scores"])
            for name, values in expected[0]["history"].items():
                assert result["history"][name] == pytest.approx(values)
        for one in expected if BACKEND == "torch" else ():
            assert one["scores"][0] == pytest.approx(one["loss of all"])
        for one, other in zip(resumed, expected, strict=True):
            for left, right in zip(
                one["weights"], other["weights"], strict=True
            ):
                np.testing.assert_allclose(left, right, atol=1e-6)
        # JAX waits for the heartbeat of the lost process.
        assert processes.end(0, timeout=120) != 0


def test_one_device_needs_no_other_code():
    with data_parallel(devices=1) as parallel:
        assert (parallel.num_devices, parallel.shard) == (1, None)
        assert parallel.is_chief and parallel.batch_size(7) == 7
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(1)])
        model.compile("sgd", "mse")
        x = np.ones((4, 2))
        assert len(parallel.fit(model, x, x[:, :1], verbose=0).history) == 1
        assert parallel.evaluate(model, x, x[:, :1], verbose=0) > 0
    assert (process_index(), process_count()) == (0, 1)


def test_leaving_restores_what_was_before():
    before = current()
    with data_parallel():
        with pytest.raises(KeyError), data_parallel():
            raise KeyError
        with data_parallel():
            inside = current()
        assert current() == inside
    assert current() == before


@pytest.mark.skipif(BACKEND != "tensorflow", reason="others have no numbers")
def test_a_second_training_has_operations_of_its_own():
    # Each strategy would number its collective operations from the start.
    with data_parallel(1):
        first = current()
    with data_parallel(1):
        assert current() is first


def current():
    """The topology that variables are made for."""
    if BACKEND == "jax":
        found = keras.distribution.distribution()
        return found and str(found.device_mesh)
    if BACKEND == "tensorflow":
        import tensorflow as tf

        return tf.distribute.get_strategy()
    return None


@pytest.mark.parametrize(
    "devices", [0, -1, 99, True, 1.5, "cpu", [], ["cpu:99"], ["x"]]
)
def test_devices_that_do_not_exist_are_refused(devices):
    with (
        pytest.raises(ValueError, match="argument `devices`"),
        data_parallel(devices),
    ):
        pass


@pytest.mark.skipif(BACKEND != "torch", reason="others are one program")
def test_processes_that_differ_are_refused_in_all_of_them():
    first, second = (each["mistakes"] for each in in_processes(FEW))
    assert first == second
    assert "as many batches in every process" in first["batches"]
    assert "process: [8, 4]" in first["sizes"]
    assert "Expected `parallel.fit(model, ...)`" in first["alone"]
    assert "Losses with memory" in first["memory"]
    assert "a `train_step` of its own" in first["own step"]
    assert "the same weights in every process" in first["drift"]


@pytest.mark.skipif(BACKEND != "tensorflow", reason="of TensorFlow alone")
def test_a_process_of_several_on_tensorflow_has_one_device(monkeypatch):
    # A CPU never has more, so act as if there were no process.
    from keras_noisy.distribution import _tensorflow

    monkeypatch.setattr(_tensorflow, "process_count", lambda: 0)
    message = "In several processes TensorFlow takes one GPU"
    with pytest.raises(ValueError, match=message):
        _tensorflow._multi_worker_strategy()
