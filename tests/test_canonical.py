"""Canonical forms tell arguments apart and are equal in all processes."""

import enum
import functools
import json
import pathlib

import keras
import numpy as np
import pytest
from helpers import TESTS, run_python

from keras_noisy import losses
from keras_noisy._canonical import canonical
from keras_noisy._differences import described, differences

pytestmark = pytest.mark.once

Color = enum.Enum("Color", ["RED", "BLUE"])
LIMIT = 3
Schedule = keras.optimizers.schedules.LearningRateSchedule


def form(value):
    found = canonical("value", value, "Leave it out")
    return json.loads(json.dumps(found))


def scaled(x, factor=2):
    return factor * min(x, LIMIT)


def scaled_by(factor):
    return lambda x: factor * x


class Rate:
    """An object without a config."""

    def __init__(self, rate, steps=()):
        self.rate, self.steps = rate, steps

    def __call__(self, epoch):
        return self.rate


class Weighted(keras.losses.Loss):
    """Inherits a config that lacks its argument."""

    def __init__(self, weight):
        super().__init__(name="weighted")
        self.weight = weight

    def call(self, y_true, y_pred):
        return self.weight * y_pred[:, 0]


def another_class(power, base=object):
    class Weighted(base):
        def __call__(self, x):
            return x**2 if power == 2 else x**3

    class Cubed(base):
        def __call__(self, x):
            return x * x * x

    Cubed.__qualname__ = Weighted.__qualname__
    return Weighted() if power == 2 else Cubed()


def network(units=4, rate=0.1, activation="relu", loss="mse", **compile):
    model = keras.Sequential(
        [
            keras.Input((3,)),
            keras.layers.Dense(units, activation),
            keras.layers.Dense(2),
        ]
    )
    model.compile(keras.optimizers.SGD(rate), loss, **compile)
    return model


def remembering(count):
    loss, inputs = losses.SOP(count), keras.Input((4,))
    outputs = keras.layers.Dense(3, activation="softmax")(inputs)
    model = keras.Model(inputs, loss.connect(outputs))
    model.compile("sgd", loss)
    return model


def changed(index, value):
    array = np.linspace(0, 1, 5000).reshape(100, 50)
    array[index] = value
    return array


def cyclic(value):
    found = [value]
    found.append(found)
    return found


#: Functions that return the same value, and one that does not.
KINDS = {
    "number": (lambda: 0.25, lambda: 0.5),
    "NaN": (lambda: {"a": float("nan")}, lambda: {"a": float("inf")}),
    "none": (lambda: None, lambda: 0),
    "text": (lambda: "a", lambda: "b"),
    "bytes": (lambda: b"a", lambda: b"b"),
    "member": (lambda: Color.RED, lambda: Color.BLUE),
    "path": (lambda: pathlib.Path("a/b"), lambda: pathlib.Path("a")),
    "set": (lambda: {"b", ("a", 1)}, lambda: {"b", ("a", 2)}),
    "keys": (lambda: {0: 1.0, 1: 2.0}, lambda: {0: 1.0, 2: 2.0}),
    "nested": (lambda: {"a": [(1, {2})]}, lambda: {"a": [(1, {3})]}),
    "scalar": (lambda: np.float32(0.1), lambda: np.float32(0.2)),
    "one of many": (lambda: changed((50, 25), 7), lambda: changed((50, 25), 8)),
    "dtype": (lambda: np.zeros(3, "int32"), lambda: np.zeros(3, "int64")),
    "shape": (lambda: np.zeros((2, 3)), lambda: np.zeros((3, 2))),
    "NaN in an array": (lambda: changed(0, np.nan), lambda: changed(0, 0)),
    "objects": (
        lambda: np.array(["a", None, 1.5], object),
        lambda: np.array(["a", None, 2.5], object),
    ),
    "masked": (
        lambda: np.ma.masked_equal([1, 2, 3], 2),
        lambda: np.ma.masked_equal([1, 2, 3], 3),
    ),
    "tensor": (
        lambda: keras.ops.convert_to_tensor([1.0, 2.0]),
        lambda: keras.ops.convert_to_tensor([1.0, 3.0]),
    ),
    "variable": (lambda: keras.Variable([1.0]), lambda: keras.Variable([2.0])),
    "loss": (lambda: losses.GCE(), lambda: losses.GCE(q=0.5)),
    "loss with a memory": (lambda: losses.ELR(5), lambda: losses.ELR(6)),
    "loss with a history": (losses.OGC, lambda: losses.OGC(epsilon=10.0)),
    "loss with a counter": (
        lambda: losses.SPLC(start=3),
        lambda: losses.SPLC(start=4),
    ),
    "loss with a mixture": (
        lambda: losses.SmallLoss(losses.GCE(), "mixture"),
        lambda: losses.SmallLoss(losses.MAE(), "mixture"),
    ),
    "loss that fades": (
        lambda: [losses.MAE(logit_bias=1.0, fade="margin")] * 2,
        lambda: [losses.MAE(logit_bias=2.0, fade="margin")] * 2,
    ),
    "model with a memory": (lambda: remembering(5), lambda: remembering(6)),
    "class": (lambda: losses.NCE(), lambda: losses.MAE()),
    "loss of a user": (lambda: Weighted(1.0), lambda: Weighted(2.0)),
    "schedule": (
        lambda: keras.optimizers.schedules.CosineDecay(0.1, 100),
        lambda: keras.optimizers.schedules.CosineDecay(0.1, 200),
    ),
    "object": (lambda: Rate(0.1, {1, 2}), lambda: Rate(0.1, {1, 3})),
    "object in a list": (lambda: [Rate(0.1)], lambda: [Rate(0.2)]),
    "code of a class": (lambda: another_class(2), lambda: another_class(3)),
    "code of a schedule": (  # It has no config.
        lambda: another_class(2, Schedule),
        lambda: another_class(3, Schedule),
    ),
    "function": (lambda: scaled, lambda: scaled_by),
    "captured": (lambda: scaled_by(2), lambda: scaled_by(3)),
    "partial": (
        lambda: functools.partial(scaled, factor=4),
        lambda: functools.partial(scaled, factor=5),
    ),
    "method": (lambda: Rate(0.1).__call__, lambda: Rate(0.2).__call__),
    "of a library": (lambda: np.less, lambda: np.greater),
    "built in": (lambda: print, lambda: len),
    "cached": (
        lambda: functools.lru_cache(scaled_by(2)),
        lambda: functools.lru_cache(scaled_by(3)),
    ),
    "method of a library": (
        lambda: keras.optimizers.schedules.CosineDecay(0.1, 9).__call__,
        lambda: keras.optimizers.schedules.CosineDecay(0.2, 9).__call__,
    ),
    "built in method": (
        lambda: np.random.default_rng(0).normal,
        lambda: np.random.default_rng(1).normal,
    ),
    "type": (lambda: int, lambda: float),
    "generator of numbers": (
        lambda: np.random.default_rng(0),
        lambda: np.random.default_rng(1),
    ),
    "cycle": (lambda: cyclic(1), lambda: cyclic(2)),
    "callback": (
        lambda: keras.callbacks.EarlyStopping(patience=2),
        lambda: keras.callbacks.EarlyStopping(patience=3),
    ),
    "callback with a function": (
        lambda: keras.callbacks.LearningRateScheduler(scaled_by(0.5)),
        lambda: keras.callbacks.LearningRateScheduler(scaled_by(0.1)),
    ),
    "layer": (lambda: network(), lambda: network(5)),
    "activation": (lambda: network(), lambda: network(activation="tanh")),
    "learning rate": (lambda: network(), lambda: network(rate=0.2)),
    "loss of a model": (
        lambda: network(loss=losses.GCE()),
        lambda: network(loss=losses.GCE(q=0.6)),
    ),
    "function as loss": (
        lambda: network(loss=lambda y, p: keras.ops.mean(p) * 2.0),
        lambda: network(loss=lambda y, p: keras.ops.mean(p) * 3.0),
    ),
    "weight of a loss": (
        lambda: network(loss_weights=1.0),
        lambda: network(loss_weights=0.5),
    ),
}


@pytest.mark.parametrize("kind", KINDS)
def test_the_same_is_equal_and_another_differs(kind):
    same, other = KINDS[kind]
    one, again, another = form(same()), form(same()), form(other())
    assert one == again
    assert differences(one, again) == {}
    assert one != another
    assert differences(one, another)


def test_a_global_that_a_function_reads_belongs_to_it(monkeypatch):
    before = form(scaled)
    monkeypatch.setitem(globals(), "LIMIT", 4)
    found = differences(before, form(scaled))
    assert found == {"captured.LIMIT": (3, 4)}


def test_another_table_differs_in_values_and_columns():
    class Table:
        columns = ("a", "b")

        def __init__(self, values):
            self.values = values

        def __array__(self, dtype=None, copy=None):
            return np.array(self.values, dtype)

    one, same, other = (form(Table(v)) for v in ([[1, 2]], [[1, 2]], [[1, 3]]))
    assert one == same != other
    Table.columns = ("a", "c")
    assert form(Table([[1, 2]])) != one


def readable():
    with open(__file__) as file:
        return file


@pytest.mark.parametrize(
    "value",
    [(i for i in range(3)), iter([1]), readable(), {"a": [iter("a")]}],
    ids=["generator", "iterator", "file", "inside"],
)
def test_what_cannot_be_compared_is_an_error_that_names_it(value):
    message = r"`data`\. Expected.*compared.*Received: data.* Leave it out"
    with pytest.raises(ValueError, match=message):
        canonical("data", value, "Leave it out")


def test_differences_are_named_by_their_place():
    saved = form({"loss": losses.GCE(), "seed": 0, "sizes": [1, 2], "old": 1})
    now = form({"loss": losses.GCE(q=0.5), "seed": 0, "sizes": [1, 3]})
    found = differences(saved, now)
    assert found == {"loss.q": (0.7, 0.5), "sizes[1]": (2, 3), "old": (1, None)}
    text = described({name: pair[0] for name, pair in found.items()})
    assert text == "loss.q=0.7, sizes[1]=2, old=1"
    assert len(described({"x": "a" * 1000})) == 120


@pytest.mark.slow
def test_another_process_finds_the_same():
    code = (
        "import json, keras, test_canonical as t; "
        "keras.layers.Dense(1); "  # counts in the names of later layers
        "print(json.dumps([t.form(t.KINDS[k][0]()) for k in t.KINDS]))"
    )
    printed = run_python(
        "-c",
        code,
        backend=keras.backend.backend(),
        PYTHONHASHSEED="7",
        PYTHONPATH=f"{TESTS}:{TESTS.parent}",
    )
    there = json.loads(printed.strip().splitlines()[-1])
    for kind, found in zip(KINDS, there, strict=True):
        assert form(KINDS[kind][0]()) == found, kind
