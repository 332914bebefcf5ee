import sys
from pathlib import Path

import keras
import pytest

sys.path.insert(0, str(Path(__file__).parent))

if keras.backend.backend() == "torch":
    import torch

    # Small tensors on one thread, as several only wait for each other.
    torch.set_num_threads(1)


def pytest_report_header():
    return f"keras {keras.__version__}, backend {keras.backend.backend()}"


@pytest.fixture(autouse=True)
def fresh_state():
    keras.utils.set_random_seed(0)
    yield
    keras.config.set_dtype_policy("float32")
