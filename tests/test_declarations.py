"""Declarations of a loss class, and custom losses."""

import inspect
import re
import shutil
import subprocess
import sys
from pathlib import Path

import keras
import numpy as np
import pytest
from helpers import number, values
from keras import ops

from keras_noisy import losses
from keras_noisy.losses.base import robust_loss
from keras_noisy.losses.base._math import log_of_probabilities
from keras_noisy.losses.base._signature import documented

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent


def test_signatures_tell_every_argument():
    shared = [
        *("num_classes", "from_logits", "logit_bias", "margin_scale"),
        *("logit_clip", "logit_normalization", "logit_adjustment", "tau"),
        *("ignore_class", "label_smoothing", "balance", "fade", "fade_key"),
        *("reduction", "name", "dtype"),
    ]
    for kind, own in (
        (losses.MAE, []),
        (losses.GCE, ["q"]),
        (losses.AGCE, ["a", "q"]),
        (losses.ELR, ["num_samples", "beta", "lambda_", "memory_key"]),
        (losses.ActivePassive, ["active", "passive", "alpha", "beta"]),
    ):
        found = inspect.signature(kind).parameters
        assert list(found) == [*own, *shared], kind
    assert inspect.signature(losses.GCE).parameters["q"].default == 0.7
    star = inspect.signature(losses.MAEStar).parameters
    assert next(iter(star)) == "num_classes"
    assert star["logit_bias"].default == "auto"


def test_what_changes_logits_acts_in_one_order():
    """Clip or normalization, adjustment, bias, then the formula."""
    z = np.array([[3.0, -4.0, 0.0]], "float32")
    for name, scale in (("logit_clip", 0.2), ("logit_normalization", 1.0)):
        loss = losses.CrossEntropy(
            from_logits=True,
            logit_bias=2.0,
            logit_adjustment=[1.0, 2.0, 1.0],
            **{name: 1.0},
        )
        scaled = z / 5 + np.array([[2.0, np.log(2.0), 0.0]])
        exact = np.log(np.exp(scaled).sum()) - scaled[0, 0]
        assert values(loss, [0], z)[0] == pytest.approx(exact, rel=1e-5), scale
    assert robust_loss.ON_LOGITS == (
        "logit_clip",
        "logit_normalization",
        "logit_adjustment",
    )


def test_values_that_are_left_out_are_zero_even_where_labels_are_bad():
    loss = losses.MAE(ignore_class=-1, reduction=None)
    p = np.full((3, 2), 0.5, "float32")
    loss([0, 1, 1], p)
    found = values(loss, np.array([-1, 5, 0]), p)
    assert found[0] == 0 and np.isnan(found[1]) and found[2] == 1


def test_a_class_without_docstrings_is_left_as_it_is():
    """As all losses are under `python -OO`."""
    bare = documented(type("Bare", (), {}))
    assert bare.__name__ == "Bare" and bare.__doc__ is None


class Declared(losses.TrueClassLoss):
    n: float = losses.number(2.0, low=0)

    @staticmethod
    def formula(log_p, n):
        return n * (1 - ops.exp(log_p / n))


class Older(losses.RobustLoss):
    """A custom loss as written in version 0.1.0."""

    references = {"n": 2.0}  # noqa: RUF012

    def __init__(self, n=2.0, **kwargs):
        super().__init__(**kwargs)
        self.set_hyperparameters(n=n)

    def formula(self, log_p):
        return self.n * (1 - ops.exp(log_p / self.n))


class OlderDistribution(losses.DistributionLoss):
    def __init__(self, rate=0.1, **kwargs):
        super().__init__(**kwargs)
        self.set_hyperparameters(rate=rate)

    def distribution_formula(self, labels, log_p):
        mean = ops.mean(log_p, axis=-1)
        return -(1 - self.rate) * labels.pick(log_p) - self.rate * mean


def test_losses_written_for_an_earlier_version_still_work():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(30), 6).astype("float32")
    labels, soft = rng.integers(30, size=6), rng.dirichlet(np.ones(30), 6)
    for n in (2.0, 3.0):
        for y in (labels, soft.astype("float32")):
            np.testing.assert_allclose(
                values(Older(n), y, p), values(Declared(n), y, p), rtol=1e-6
            )
    assert Older(3.0).get_config()["n"] == 3.0 == Older(3.0).n
    auto = Older("auto", num_classes=100)
    assert auto.n > 2 and auto.get_config()["n"] == "auto"
    by_shape = values(Older("auto"), labels, p)
    known = values(Older(Older("auto", num_classes=30).n), labels, p)
    np.testing.assert_allclose(by_shape, known, rtol=1e-6)
    smooth = OlderDistribution(rate=0.3)
    exact = -0.7 * np.log(p[np.arange(6), labels]) - 0.3 * np.log(p).mean(1)
    np.testing.assert_allclose(values(smooth, labels, p), exact, rtol=1e-5)


class Scaled(losses.GCE):
    """Calls the formula of a loss of this package, as users may."""

    def __init__(self, q=0.7, scale=2.0, **kwargs):
        super().__init__(q, **kwargs)
        self.set_hyperparameters(scale=scale)

    def formula(self, log_p):
        return self.scale * super().formula(log_p)


def test_the_formula_of_a_parent_is_called_as_before():
    p = np.array([[0.3, 0.7], [0.6, 0.4]], "float32")
    plain = values(losses.GCE(q=0.4), [0, 1], p)
    loss = Scaled(q=0.4, scale=3.0)
    np.testing.assert_allclose(values(loss, [0, 1], p), 3 * plain, rtol=1e-6)
    again = Scaled.from_config(loss.get_config())
    assert (again.q, again.scale) == (0.4, 3.0)
    log_p = ops.log(ops.convert_to_tensor(p[:, 0]))
    one = ops.convert_to_numpy(losses.GCE(q=0.4).formula(log_p))
    np.testing.assert_allclose(one, (1 - p[:, 0] ** 0.4) / 0.4, rtol=1e-5)


def test_a_sum_of_sums_is_the_sum_of_all():
    rng = np.random.default_rng(0)
    p = rng.dirichlet(np.ones(5), 6).astype("float32")
    labels, soft = rng.integers(5, size=6), rng.dirichlet(np.ones(5), 6)
    for active in (losses.NCE(), losses.GCE()):
        pair = losses.ActivePassive(active, losses.MAE(), 2.0, 3.0)
        three = losses.ActivePassive(pair, losses.RCE(), 0.5, 1.5)
        assert three.has_formula == active.has_formula
        for y in (labels, soft.astype("float32")):
            exact = values(active, y, p) + 1.5 * values(losses.MAE(), y, p)
            exact = exact + 1.5 * values(losses.RCE(), y, p)
            np.testing.assert_allclose(values(three, y, p), exact, rtol=1e-5)


def test_a_matrix_is_inverted_once(monkeypatch):
    T = np.full((5, 5), 0.05) + 0.75 * np.eye(5)
    p = np.full((3, 5), 0.2, "float32")
    inverse, calls = np.linalg.inv, []
    monkeypatch.setattr(
        np.linalg, "inv", lambda x: calls.append(x) or inverse(x)
    )
    loss = losses.BackwardCorrection(T)
    for _ in range(3):
        number(loss([0, 1, 2], p))
    assert len(calls) == 1
    assert T.tolist() == loss.T


def test_an_automatic_value_follows_another_argument():
    loss = losses.AGCE(a=1e-5, q="auto", num_classes=1000)
    first = loss.q
    loss.a = 1e-4
    assert loss.q != first
    assert loss.q == losses.AGCE(a=1e-4, q="auto", num_classes=1000).q
    with pytest.raises(ValueError, match="`a`"):
        loss.a = -1.0


def test_an_older_loss_fades_too():
    half = keras.optimizers.schedules.PiecewiseConstantDecay([9], [0.5, 0.5])
    p = ops.convert_to_tensor(np.full((4, 100), 0.01, "float32"))
    loss = Older("auto", num_classes=100, fade=half)
    found = values(loss, [0, 1, 2, 3], loss.connect(p))
    wanted = values(Older((loss.n + 2) / 2), [0, 1, 2, 3], p)
    np.testing.assert_allclose(found, wanted, rtol=1e-5)


def test_a_number_that_is_forgotten_is_an_error():
    class Forgotten(losses.RobustLoss):
        def __init__(self, n=2.0, **kwargs):
            super().__init__(**kwargs)
            self.n = n

        def formula(self, log_p):
            return 1 - ops.exp(log_p / self.n)

    with pytest.raises(TypeError, match=r"argument `n`, which is not in its"):
        Forgotten(3.0)([0], [[0.5, 0.5]])


def own(base, formula):
    """A loss with the number `q` and a formula of one's own."""
    return type("Own", (base,), {"q": losses.number(0.7), "formula": formula})


@pytest.mark.parametrize(
    ("formula", "message"),
    [
        (
            staticmethod(lambda log_p, q, m: -m * log_p),
            "takes `m`, which the class does not",
        ),
        (
            staticmethod(lambda log_p: -log_p),
            "`Own` declares `q`, which its formula does not take",
        ),
        (lambda self, log_p: -log_p, "`Own` declares `q`, which"),
        (
            lambda self, log_p, q: -q * log_p,
            r"`def formula\(log_p, q\)`; or `def formula\(self, log_p\)`, "
            r"which reads `self\.q`",
        ),
        (
            lambda labels, log_p, q: -q * log_p,
            r"`@staticmethod` above `def formula\(labels, log_p, q\)`",
        ),
        (
            staticmethod(lambda self, log_p, q: -q * log_p),
            r"has no `self`\. Expected `def formula\(log_p, q\)`",
        ),
        (
            staticmethod(lambda q, log_p: -q * log_p),
            r"last, `def formula\(log_p, q\)`",
        ),
    ],
)
def test_a_formula_and_its_numbers_go_together(formula, message):
    with pytest.raises(TypeError, match=message):
        own(losses.TrueClassLoss, formula)


def test_a_method_reads_its_numbers():
    loss = own(losses.TrueClassLoss, lambda self, log_p: -self.q * log_p)(q=2.0)
    assert number(loss([0], [[0.5, 0.5]])) == pytest.approx(2 * np.log(2))


@pytest.mark.parametrize("keepdims", [False, True])
def test_a_formula_that_reduces_is_an_error(keepdims):
    def mean(labels, log_p, q):
        return q * ops.mean(-labels.pick(log_p), keepdims=keepdims)

    def mean_of_label(log_p, q):
        return q * ops.mean(-log_p, keepdims=keepdims)

    def mean_of_all(labels, logits, q):
        return q * ops.mean(labels * logits, keepdims=keepdims)

    soft = np.array([[0.5, 0.5], [0.1, 0.9], [0.3, 0.7]], "float32")
    for base, formula, y in (
        (losses.DistributionLoss, mean, [0, 1, 1]),
        (losses.DistributionLoss, mean, soft),
        (losses.TrueClassLoss, mean_of_label, [0, 1, 1]),
        (losses.TrueClassLoss, mean_of_label, soft),
        (losses.MultiLabelLoss, mean_of_all, soft),
    ):
        loss = own(base, staticmethod(formula))()
        with pytest.raises(ValueError, match="one value per sample"):
            loss(y, soft, [1.0, 0.0, 0.0])
    if not keepdims:  # The shape is not known of a batch of any size.
        model = keras.Sequential([keras.Input((2,)), keras.layers.Dense(2)])
        kind = own(losses.DistributionLoss, staticmethod(mean))
        model.compile("sgd", kind(from_logits=True))
        with pytest.raises(ValueError, match="one value per sample"):
            model.fit(soft, np.array([0, 1, 1]), verbose=0)


def test_a_registered_loss_of_ones_own_is_found_by_name():
    @keras.saving.register_keras_serializable("a_package")
    class HalfPower(Declared):
        """Not in this package."""

    found = losses.get("half_power", n=3.0)
    assert type(found) is HalfPower and found.n == 3.0
    assert losses.get(keras.losses.serialize(found)).n == 3.0
    assert "HalfPower" not in losses.names()


def test_logits_of_probabilities_are_not_read_twice(monkeypatch):
    calls = []

    def counted(*arguments):
        calls.append(arguments)
        return log_of_probabilities(*arguments)

    monkeypatch.setattr(
        "keras_noisy.losses.base._math.log_of_probabilities", counted
    )
    number(losses.MAE()([0], [[0.5, 0.5]]))
    assert len(calls) == 1


@pytest.mark.slow
def test_a_loss_is_added_in_three_files(tmp_path):
    """Follow the steps of CONTRIBUTING.md, in a copy of the project."""
    page = (ROOT / "CONTRIBUTING.md").read_text(encoding="utf-8")
    blocks = re.findall(
        r"^`([\w/.]+)`[^`\n]*(?:`__all__`)?:\n\n````\w+\n(.*?)````",
        page,
        re.DOTALL | re.MULTILINE,
    )
    assert len(blocks) == 3
    for part in ("keras_noisy", "tests"):
        shutil.copytree(
            ROOT / part,
            tmp_path / part,
            ignore=shutil.ignore_patterns("__pycache__", "*.keras"),
        )
    shutil.copy(ROOT / "pyproject.toml", tmp_path)
    for name, text in blocks:
        file = tmp_path / name
        if name.endswith("__init__.py"):
            line, entry = text.strip().splitlines()
            whole = file.read_text(encoding="utf-8")
            start = "\n\n__all__ = [\n"
            whole = whole.replace(start, f"\n{line}{start}    {entry}\n")
            file.write_text(whole, encoding="utf-8")
        elif file.exists():
            whole = file.read_text(encoding="utf-8")
            file.write_text(f"{whole}\n\n{text}", encoding="utf-8")
        else:
            file.write_text(text, encoding="utf-8")
    command = re.findall(r"pytest (-n 0 .*)", page)[-1]
    done = subprocess.run(
        [
            sys.executable,
            "-m",
            "pytest",
            "-q",
            *command.split(),
        ],
        cwd=tmp_path,
        capture_output=True,
        text=True,
    )
    assert done.returncode == 0, done.stdout[-3000:]
    passed = int(re.search(r"(\d+) passed", done.stdout).group(1))
    assert passed > 10
