"""Hyperparameters outside their range are named."""

import numpy as np
import pytest
from helpers import number

from keras_noisy import losses
from keras_noisy.losses.base._arguments import (
    Flag,
    Integer,
    Number,
    declared,
)

pytestmark = pytest.mark.once

NAN = float("nan")

BAD = {
    "GCE": {"q": (0, -0.1, 1.01, NAN, "large", True, None)},
    "TruncatedGCE": {"q": (0, 1.5, "auto"), "k": (0, 1, -1, NAN, "auto")},
    "SCE": {"alpha": (-1, NAN, "a"), "beta": (-0.1, np.inf, "auto")},
    "AGCE": {"a": (0, -1, NAN), "q": (0, -2, np.inf)},
    "AUL": {"a": (1, 0.5, NAN), "q": (0, -1)},
    "AEL": {"a": (0, -1, NAN)},
    "PHuberCE": {"tau": (0.5, 0, np.inf, "auto")},
    "TaylorCE": {"t": (0, 1.5, -1, True)},
    "Focal": {"gamma": (-0.1, NAN), "stop_weight_gradient": (1, "no")},
    "ICCE": {"gamma": (-1, 51, NAN)},
    "JensenShannon": {"pi": (0, 1, -1, NAN)},
    "NFL": {"gamma": (-0.1, 1e3), "stop_weight_gradient": (None,)},
    "NGCE": {"q": (0, 1.1, "auto")},
    "GeneralizedJensenShannon": {"pi": (0, 1), "views": (0, 1.5)},
    "BiTempered": {"t1": (-0.1, 1.1, NAN), "t2": (0, 0.5, 6, np.inf)},
    "NNFL": {"gamma": (-0.1, 1e3), "stop_weight_gradient": (0,)},
    "EpsilonSoftmaxCE": {"m": (-1, NAN, np.inf)},
    "AMSE": {"a": (0.5, 1e20, NAN)},
    "LDRKL": {"lambda_": (0, -1, 1e6), "margin": (-0.1, NAN)},
    "SoftBootstrapping": {"beta": (-0.1, 1.1)},
    "HardBootstrapping": {"beta": (-0.1, 1.1)},
    "CORES": {"beta": (-1, NAN, "auto")},
    "PeerLoss": {
        "alpha": (-1, NAN),
        "prior": ([0.5, 0.6], [1.0], [-0.5, 1.5], "even", [[0.5, 0.5]]),
    },
}
CASES = [
    (name, argument, value)
    for name, arguments in BAD.items()
    for argument, values in arguments.items()
    for value in values
]


@pytest.mark.parametrize(("name", "argument", "value"), CASES)
def test_bad_hyperparameters_are_named(name, argument, value):
    with pytest.raises(ValueError, match=rf"`{argument}`.*Received"):
        losses.get(name, from_logits=True, **{argument: value})


def declared_cases():
    """Values outside what each class declares."""
    for name in losses.names():
        for argument in declared(getattr(losses, name, losses.MAE)).values():
            if isinstance(argument, Number):
                yield from bad_numbers(name, argument)
            elif isinstance(argument, Integer):
                yield from ((name, argument.name, argument.low - 1),)
                yield from ((name, argument.name, x) for x in (1.5, True))
            elif isinstance(argument, Flag):
                yield from ((name, argument.name, x) for x in (1, None))


def bad_numbers(name, argument):
    bad = [NAN, None, "large", True]
    bad += [] if argument.auto else ["auto"]
    ends = ("low", argument.low, -1), ("high", argument.high, 1)
    for end, at, step in ends:
        bad.append(at if np.isinf(at) else at + step)
        if end not in argument.closed:
            bad.append(at)
    return [(name, argument.name, value) for value in bad]


@pytest.mark.parametrize(("name", "argument", "value"), list(declared_cases()))
def test_what_is_declared_is_checked(name, argument, value):
    needed = {"T": np.eye(2), "num_samples": 9, "active": losses.NCE()}
    needed["passive"] = needed["loss"] = losses.MAE()
    kind = getattr(losses, name)
    arguments = {n: v for n, v in needed.items() if n in declared(kind)}
    with pytest.raises(ValueError, match=rf"`{argument}`.*Received"):
        kind(**{**arguments, "from_logits": True, argument: value})


BAD_MATRICES = {
    "not square": (np.ones((2, 3)) / 3, r"square.*T\.shape=\(2, 3\)"),
    "a vector": (np.ones(3) / 3, r"square.*T\.shape=\(3,\)"),
    "one class": ([[1.0]], r"at least 2"),
    "not stochastic": ([[0.9, 0.2], [0, 1]], r"row 0.*sums to 1\.1"),
    "negative": ([[1, 0], [-0.5, 1.5]], r"row 1 from -0\.5 to 1\.5"),
    "no number": ([[NAN, 1], [0, 1]], "row 0"),
    "text": ("symmetric", r"square matrix of numbers.*noise\.symmetric"),
    "ragged": ([[1, 0], [1]], "row-stochastic square matrix of numbers"),
}


@pytest.mark.parametrize("case", BAD_MATRICES)
@pytest.mark.parametrize("name", ["ForwardCorrection", "BackwardCorrection"])
def test_bad_transition_matrices_are_named(name, case):
    matrix, message = BAD_MATRICES[case]
    with pytest.raises(ValueError, match=message):
        losses.get(name, T=matrix)


def test_backward_correction_needs_an_inverse():
    singular = [[0.5, 0.5], [0.5, 0.5]]
    with pytest.raises(ValueError, match=r"`T`.*inverse.*condition number"):
        losses.BackwardCorrection(singular)
    assert losses.ForwardCorrection(singular).num_classes == 2


def test_a_matrix_and_a_prior_have_the_size_of_the_classes():
    with pytest.raises(ValueError, match=r"num_classes=3\. Received: 2"):
        losses.ForwardCorrection(np.eye(2), num_classes=3)
    with pytest.raises(ValueError, match=r"num_classes=3\. Received: 2"):
        losses.PeerLoss(prior=[0.5, 0.5], num_classes=3)
    with pytest.raises(ValueError, match=r"Expected 3,.*num_classes=2"):
        losses.ForwardCorrection(np.eye(2))([0], [[0.2, 0.3, 0.5]])


def test_a_matrix_is_not_changed_and_is_saved_as_lists():
    T = np.array([[0.8, 0.2], [0.1, 0.9]], "float32")
    given = T.copy()
    loss = losses.BackwardCorrection(T)
    np.testing.assert_array_equal(T, given)
    assert type(loss.get_config()["T"]) is list


@pytest.mark.parametrize(
    ("parts", "message"),
    [
        ((losses.NCE(), "mae"), "`passive`.*a loss of keras_noisy"),
        (
            (losses.NCE(), losses.MAE(reduction="sum")),
            "`reduction` to ActivePassive, not to its `passive`",
        ),
        (
            (losses.NCE(from_logits=True), losses.MAE()),
            "`from_logits=True` to ActivePassive, as its `active`",
        ),
        (
            (losses.NCE(logit_bias=1.0), losses.MAE()),
            "`logit_bias` to ActivePassive, not to its `active`",
        ),
        (
            (losses.NCE(), losses.MAEStar()),
            "`logit_bias` to ActivePassive, not to its `passive`",
        ),
        (
            (losses.LDRKL(from_logits=True), losses.MAE()),
            "`active`.*log-softmax",
        ),
        ((losses.NCE(), losses.ELR(9)), "`passive`.*log-softmax"),
        (
            (losses.GeneralizedJensenShannon(), losses.MAE()),
            "one prediction per label",
        ),
    ],
)
def test_parts_that_cannot_be_added(parts, message):
    with pytest.raises(ValueError, match=message):
        losses.ActivePassive(*parts)


def test_parts_agree_on_the_number_of_classes():
    active, passive = losses.NCE(num_classes=5), losses.MAE()
    with pytest.raises(ValueError, match="num_classes=7"):
        losses.ActivePassive(active, passive, num_classes=7)
    pair = losses.ActivePassive(losses.NCE(), losses.NMAE(num_classes=5))
    assert pair.num_classes == 5
    with pytest.raises(ValueError, match="num_classes=5"):
        losses.ActivePassive(active, losses.NMAE(num_classes=7))
    auto = losses.ActivePassive(
        losses.NCE(), losses.GCE(q="auto"), num_classes=100
    )
    given = losses.GCE(q=losses.GCE(q="auto", num_classes=100).q)
    z = np.random.default_rng(0).normal(size=(4, 100))
    wanted = losses.ActivePassive(losses.NCE(), given)
    p = np.exp(z) / np.exp(z).sum(axis=1, keepdims=True)
    assert number(auto([0, 1, 2, 3], p)) == pytest.approx(
        number(wanted([0, 1, 2, 3], p)), rel=1e-6
    )


@pytest.mark.parametrize(
    "arguments",
    [{}, {"logit_clip": 1.0}, {"logit_normalization": 0.1}],
    ids=str,
)
def test_what_needs_logits_refuses_probabilities(arguments):
    name = "LDRKL" if not arguments else "CrossEntropy"
    with pytest.raises(ValueError, match="needs `from_logits=True`"):
        losses.get(name, **arguments)


def test_clip_and_normalization_exclude_each_other():
    with pytest.raises(ValueError, match=r"not both.*logit_clip=1"):
        losses.MAE(from_logits=True, logit_clip=1.0, logit_normalization=0.1)
    for bad in (0, -1, NAN, "auto"):
        with pytest.raises(ValueError, match="`logit_normalization`"):
            losses.MAE(from_logits=True, logit_normalization=bad)


@pytest.mark.parametrize(
    ("loss_class", "arguments"),
    [
        (losses.AUL, {"a": 1.01, "q": 20.0}),
        (losses.AUL, {"a": 100.0, "q": 20.0}),
        (losses.AGCE, {"a": 4.0, "q": 1000.0}),
    ],
)
def test_powers_that_overflow_are_refused(loss_class, arguments):
    with pytest.raises(ValueError, match=r"`q`.*below 1e26"):
        loss_class(**arguments)
