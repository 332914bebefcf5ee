"""The plan of a training on WebVision: counts, and the formula."""

import keras
import pytest
from helpers import TESTS, program

BACKEND = keras.backend.backend()

counted = pytest.mark.skipif(
    BACKEND == "jax",
    reason="JAX compiles every initializer of ResNet-50; others count alike",
)


@pytest.fixture(scope="module")
def benchmark():
    return program(TESTS.parent / "benchmarks" / "webvision_throughput.py")


@counted
def test_work_of_the_network_is_that_of_the_paper(benchmark):
    model = benchmark.network()
    # He et al., CVPR 2016, count 3.8e9 3.8e9.
    assert 3.8e9 < benchmark.multiply_adds(model) < 3.9e9
    single = keras.Sequential(
        [
            keras.Input((8, 8, 3)),
            keras.layers.Conv2D(4, 3, padding="same"),
            keras.layers.BatchNormalization(),
            keras.layers.Activation("relu"),
            keras.layers.GlobalAveragePooling2D(),
            keras.layers.Dense(5),
        ]
    )
    assert benchmark.multiply_adds(single) == 64 * 9 * 3 * 4 + 4 * 5
    kept = [192, 256, 256, 4]  # into both layers, out of relu, into the last
    assert benchmark.kept_bytes(single, mixed=False) == 4 * sum(kept)
    assert benchmark.kept_bytes(single, mixed=True) == 2 * sum(kept) + 2 * 256


def test_what_is_kept_is_the_least_that_the_backend_keeps(benchmark):
    if BACKEND != "torch":
        pytest.skip("only PyTorch tells it without compiling ResNet-50")
    model = benchmark.network(size=64)
    computed = benchmark.kept_bytes(model, mixed=False)
    measured = benchmark.measured_kept_bytes(model, 4)
    assert 1.9 < measured / computed < 2.1


@counted
def test_the_plan_is_the_formula(benchmark):
    rows = [
        {"quantity": "reading", "unit": "images/core-second", "value": "250"},
        *(
            {
                "quantity": "kept",
                "backend": backend,
                "precision": "float32",
                "value": "100",
            }
            for backend in ("jax", "torch")
        ),
    ]
    sends = {8: 1e11, 64: 2e10}
    table = benchmark.plan(rows, "mini", "float32", 1000.0, sends)
    places = [(row["GPUs"], row["on a GPU at once"]) for row in table]
    assert places == [(1, 512), (1, 128), (8, 64), (64, 8), (64, 64)]
    one, parts, eight, *_ = table
    weights = 23_637_000  # of ResNet-50 with 50 classes
    assert one["minutes per epoch"] == parts["minutes per epoch"] == "1.1"
    assert one["GB, JAX"] == f"{(12 * weights + 512 * 100e6) / 1e9:.1f}"
    assert parts["GB, JAX"] == f"{(16 * weights + 128 * 100e6) / 1e9:.1f}"
    assert one["cores per GPU"] == "4"
    sending = 8 * weights * 7 / 8 / 1e11
    efficiency = 0.064 / (0.064 + sending)
    assert eight["efficiency"] == f"{efficiency:.0%}"
    assert eight["minutes per epoch"] == f"{66 / 8 / efficiency / 60:.2g}"
