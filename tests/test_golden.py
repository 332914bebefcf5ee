"""The losses against the results of their authors' programs: golden.json.

`LOSSES` are configurations that are a loss of this package, `COMPOSED` those
that are made of such losses, each with the reason. `DIFFERENCES` are rows that
neither reproduces; the formula that the authors compute there is shown to.
"""

import functools
import json
from collections.abc import Callable
from dataclasses import dataclass
from types import SimpleNamespace

import helpers
import numpy as np
import pytest
import reference
from helpers import gradient, values
from keras import ops

from keras_noisy import losses

pytestmark = pytest.mark.once

GOLDEN = json.loads((helpers.TESTS / "golden.json").read_text())
LOGITS = np.array(GOLDEN["logits"], "float32")
LABELS = np.array(GOLDEN["labels"])
TARGETS = reference.one_hot(LABELS, 5)
#: Row D is confident and right, row E confident and wrong.
ROWS = "ABCDE"


def of_logits(loss_class, /, *arguments, **keywords):
    return loss_class(*arguments, from_logits=True, **keywords)


def pair(active, passive, alpha=1.0, beta=1.0):
    return of_logits(losses.ActivePassive, active, passive, alpha, beta)


CE = of_logits(losses.CrossEntropy)
CE_OF_NORM = of_logits(losses.CrossEntropy, logit_normalization=1 / 2.5)
MAE = of_logits(losses.MAE)
GCE = of_logits(losses.GCE, q=0.7)
RCE = of_logits(losses.RCE)
NMAE = of_logits(losses.NMAE)
LDR = of_logits(losses.LDRKL, lambda_=10.0, margin=0.1)
ECE = of_logits(losses.EpsilonSoftmaxCE, m=1e4)
JS_1 = of_logits(losses.JensenShannon, pi=0.1)

LOSSES = {
    "CE": CE,
    "ALF MAE(scale2)": MAE,
    "APL GCE .7": GCE,
    "phuber GCE .7": GCE,
    "GJS GCE .7": GCE,
    "APL NGCE .7": of_logits(losses.NGCE, q=0.7),
    "APL RCE": RCE,
    "APL SCE .1/1": of_logits(losses.SCE, alpha=0.1, beta=1.0),
    "APL SCE 6/.1": of_logits(losses.SCE, alpha=6.0, beta=0.1),
    "APL NCE": of_logits(losses.NCE),
    "ALF NMAE": NMAE,
    "APL FL .5": of_logits(losses.Focal, gamma=0.5),
    "APL NFL .5": of_logits(losses.NFL, gamma=0.5),
    "NCE+RCE 1/1": pair(losses.NCE(), losses.RCE()),
    "NFL+RCE 1/1 .5": pair(losses.NFL(), losses.RCE()),
    "AGCE .6,.6": of_logits(losses.AGCE, a=0.6, q=0.6),
    "AGCE 6,1.5": of_logits(losses.AGCE, a=6.0, q=1.5),
    "AGCE 1e-5,.5": of_logits(losses.AGCE, a=1e-5, q=0.5),
    "AUL 5.5,3": of_logits(losses.AUL, a=5.5, q=3.0),
    "AUL 6.3,1.5": of_logits(losses.AUL, a=6.3, q=1.5),
    "AEL 2.5": of_logits(losses.AEL, a=2.5),
    "NCE+AGCE C10": pair(losses.NCE(), losses.AGCE(a=6.0, q=1.5), beta=4.0),
    "NCE+AUL C10": pair(losses.NCE(), losses.AUL(a=6.3, q=1.5), beta=4.0),
    "NCE+AEL C10": pair(losses.NCE(), losses.AEL(a=5.0), beta=4.0),
    "NNCE": of_logits(losses.NNCE),
    "NNFL .5": of_logits(losses.NNFL, gamma=0.5),
    "ECE m1e4": ECE,
    "ECE m1e2": of_logits(losses.EpsilonSoftmaxCE, m=1e2),
    "ECE+MAE C10sym": pair(
        losses.EpsilonSoftmaxCE(m=1e5), losses.MAE(), alpha=0.01, beta=5.0
    ),
    "CE+LC delta1": of_logits(losses.CrossEntropy, logit_clip=1.0),
    "LDR thr.1 L1": of_logits(losses.LDRKL, lambda_=1.0, margin=0.1),
    "LDR thr.1 L10": LDR,
    "LDR(own) thr.1 L10": LDR,
    "AMSE a30": of_logits(losses.AMSE, a=30.0),
    "AMSE a20": of_logits(losses.AMSE, a=20.0),
    "PHuberCE tau2": of_logits(losses.PHuberCE, tau=2.0),
    "PHuberCE tau10": of_logits(losses.PHuberCE, tau=10.0),
    "JS scaled .5 .5": of_logits(losses.JensenShannon, pi=0.5),
    "JS scaled .9 .1": of_logits(losses.JensenShannon, pi=0.9),
    "Bootstrap t.2": of_logits(losses.SoftBootstrapping, beta=0.8),
}


def times(factor, loss):
    return SimpleNamespace(call=lambda y, z: factor * loss.call(y, z))


def focal_of_epsilon_softmax(y, z):
    """`-(1 - p')^0.1 log p'`, the weight without gradient."""
    cross_entropy = ECE.call(y, z)
    rest = ops.stop_gradient(-ops.expm1(-cross_entropy))
    return rest**0.1 * cross_entropy


def divergence_from_smoothed_label(y, z):
    smoothed = 0.9 * ops.one_hot(y, 5) + 0.1 / 5
    entropy = -(0.92 * np.log(0.92) + 4 * 0.02 * np.log(0.02))
    return CE.call(smoothed, z) - entropy


def clip_that_stretches(y, z):
    """Logits longer than 0.4 get the norm 2.5, even if they were shorter."""
    norm = ops.sqrt(ops.sum(z**2, axis=-1))
    return ops.where(norm > 1 / 2.5, CE_OF_NORM.call(y, z), CE.call(y, z))


#: name: (why it is not a loss of this package alone, the composition)
COMPOSED = {
    "APL MAE": ("scale 1 - p_y", times(0.5, MAE)),
    "Unhinged/Linear": ("1 - p_y, GCE at q = 1", of_logits(losses.GCE, q=1.0)),
    "NCE+MAE 1/1": (
        "scale 1 - p_y",
        pair(losses.NCE(), losses.MAE(), beta=0.5),
    ),
    "NFL+MAE 1/1 .5": (
        "scale 1 - p_y",
        pair(losses.NFL(), losses.MAE(), beta=0.5),
    ),
    "APL NMAE(code)": (
        "1 / (2 (K - 1)) written for an MAE of scale 2, which has scale 1",
        times(0.5, NMAE),
    ),
    "APL NRCE(code)": ("1/4 * (K - 1) is 1 at five classes", RCE),
    "ALF NRCE": ("1/4 * (K - 1) is 1 at five classes", RCE),
    "EFL m1e4 g.1": (
        "focal loss of the epsilon-softmax",
        SimpleNamespace(call=focal_of_epsilon_softmax),
    ),
    "CE+LC delta2.5": (
        "logits longer than 1 / delta get the norm delta",
        SimpleNamespace(call=clip_that_stretches),
    ),
    "MSE": ("AMSE at a = 1", of_logits(losses.AMSE, a=1.0)),
    "PHuberGCE q.7 tau10": ("GCE where p_y is not tiny", GCE),
    "JS unscaled .1 .9": ("no scale", times(-0.9 * np.log(0.9), JS_1)),
    "LS(kl) t.1": (
        "less the entropy of the smoothed label",
        SimpleNamespace(call=divergence_from_smoothed_label),
    ),
}

#: Values of a steep slope, which multiplies the rounding of log p: their atol.
STEEP = {
    "AGCE 6,1.5": 3e-6,
    "AUL 5.5,3": 3e-6,
    "NCE+AGCE C10": 1e-5,
    "NCE+AUL C10": 3e-6,
}


@dataclass(frozen=True)
class Difference:
    """Rows in which the authors compute `theirs` instead of `ours`."""

    reason: str
    rows: str
    ours: Callable
    theirs: Callable


def clamped_softmax(z, least):
    return np.maximum(reference.softmax(z), least)


def clamped_gce(targets, z):
    p_y = (targets * clamped_softmax(z, 1e-7)).sum(-1)
    return (1 - p_y**0.7) / 0.7


def clamped_ngce(targets, z):
    powers = 1 - clamped_softmax(z, 1e-7) ** 0.7
    return (targets * powers).sum(-1) / powers.sum(-1)


def clamped_rce(targets, z):
    wrong = ((1 - targets) * clamped_softmax(z, 1e-7)).sum(-1)
    return -np.log(1e-4) * wrong


def clamped_ece(targets, z, m):
    p = reference.softmax(z) + m * reference.one_hot_argmax(z)
    return -np.log(np.maximum((targets * p).sum(-1) / (m + 1), 1e-8))


def clamped_bootstrapping(targets, z):
    mixture = 0.8 * targets + 0.2 * reference.softmax(z)
    return -(mixture * np.log(clamped_softmax(z, 1e-7))).sum(-1)


def focal_of(cross_entropy):
    return (-np.expm1(-cross_entropy)) ** 0.1 * cross_entropy


def phuber_gce(targets, z, q=0.7, tau=10.0):
    """GCE whose slope in p_y is at most tau."""
    p_y = (targets * reference.softmax(z)).sum(-1)
    corner = tau ** (1 / (q - 1))
    line = tau * (corner - p_y) + (1 - corner**q) / q
    return np.where(p_y <= corner, line, (1 - p_y**q) / q)


def asymmetric_norm(targets, z, least, a=1.5, p=0.9):
    distances = np.abs(a * targets - clamped_softmax(z, least)) ** p
    return (distances.sum(-1) - (a - 1) ** p) / p


def plus(first, second, alpha=1.0, beta=1.0):
    return lambda t, z: alpha * first(t, z) + beta * second(t, z)


def ece(m):
    return functools.partial(reference.epsilon_softmax_ce, m=m)


def their_ece(m):
    return functools.partial(clamped_ece, m=m)


CLAMPED_GCE = Difference("p >= 1e-7", "E", reference.gce, clamped_gce)
CLAMPED_RCE = Difference("p >= 1e-7", "D", reference.rce, clamped_rce)

DIFFERENCES = {
    "APL GCE .7": CLAMPED_GCE,
    "GJS GCE .7": CLAMPED_GCE,
    "APL NGCE .7": Difference(
        "p >= 1e-7",
        "E",
        functools.partial(reference.ngce, q=0.7),
        clamped_ngce,
    ),
    "APL RCE": CLAMPED_RCE,
    "APL NRCE(code)": CLAMPED_RCE,
    "ALF NRCE": CLAMPED_RCE,
    "APL SCE .1/1": Difference(
        "p >= 1e-7 in RCE",
        "D",
        reference.sce,
        plus(reference.cross_entropy, clamped_rce, alpha=0.1),
    ),
    "NCE+RCE 1/1": Difference(
        "p >= 1e-7 in RCE",
        "D",
        plus(reference.nce, reference.rce),
        plus(reference.nce, clamped_rce),
    ),
    "NFL+RCE 1/1 .5": Difference(
        "p >= 1e-7 in RCE",
        "D",
        plus(reference.nfl, reference.rce),
        plus(reference.nfl, clamped_rce),
    ),
    "ECE m1e4": Difference("p >= 1e-8", "E", ece(1e4), their_ece(1e4)),
    "ECE m1e2": Difference("p >= 1e-8", "E", ece(1e2), their_ece(1e2)),
    "ECE+MAE C10sym": Difference(
        "p >= 1e-8 in ECE",
        "E",
        plus(ece(1e5), reference.mae, 0.01, 5.0),
        plus(their_ece(1e5), reference.mae, 0.01, 5.0),
    ),
    "EFL m1e4 g.1": Difference(
        "p >= 1e-8",
        "E",
        lambda t, z: focal_of(ece(1e4)(t, z)),
        lambda t, z: focal_of(their_ece(1e4)(t, z)),
    ),
    "Bootstrap t.2": Difference(
        "p >= 1e-7 in the logarithm",
        "E",
        functools.partial(reference.soft_bootstrapping, beta=0.8),
        clamped_bootstrapping,
    ),
    "PHuberGCE q.7 tau10": Difference(
        "a line where p_y <= tau^(1 / (q - 1))", "E", reference.gce, phuber_gce
    ),
    "ANorm 1.5,.9": Difference(
        "not a loss of this package; p >= 1e-5",
        "DE",
        functools.partial(asymmetric_norm, least=0.0),
        functools.partial(asymmetric_norm, least=1e-5),
    ),
}

COMPARED = LOSSES | {name: loss for name, (_, loss) in COMPOSED.items()}


def numbers(names):
    return [ROWS.index(name) for name in names]


def same_rows(name):
    """Numbers of the rows without a known difference."""
    if name not in DIFFERENCES:
        return numbers(ROWS)
    return numbers(set(ROWS) - set(DIFFERENCES[name].rows))


def golden(name):
    of_name = GOLDEN["values"][name]
    return np.array(of_name["loss"]), np.array(of_name["grad"])


def test_every_configuration_is_compared_or_explained():
    assert not set(LOSSES) & set(COMPOSED)
    assert set(COMPARED) | set(DIFFERENCES) == set(GOLDEN["values"])


@pytest.mark.parametrize("name", COMPARED)
def test_values_and_gradients_of_the_authors_programs(name):
    loss, rows = COMPARED[name], same_rows(name)
    golden_values, golden_gradients = golden(name)
    np.testing.assert_allclose(
        values(loss, LABELS, LOGITS)[rows],
        golden_values[rows],
        rtol=1e-5,
        atol=STEEP.get(name, 1e-6),
    )
    np.testing.assert_allclose(
        gradient(lambda z: loss.call(LABELS, z), LOGITS)[rows],
        golden_gradients[rows],
        rtol=1e-4,
        atol=2e-6,
    )


def finite_differences(formula, step=1e-5):
    z = LOGITS.astype("float64")
    shifts = step * np.eye(5)
    slopes = [formula(TARGETS, z + d) - formula(TARGETS, z - d) for d in shifts]
    return np.stack(slopes, axis=-1) / (2 * step)


@pytest.mark.parametrize("name", DIFFERENCES)
def test_what_the_authors_programs_compute_where_they_differ(name):
    difference = DIFFERENCES[name]
    rows = numbers(difference.rows)
    golden_values, golden_gradients = golden(name)
    theirs = difference.theirs(TARGETS, LOGITS.astype("float64"))
    ours = difference.ours(TARGETS, LOGITS.astype("float64"))
    exact = {"rtol": 1e-6, "atol": 5e-7}
    np.testing.assert_allclose(theirs, golden_values, **exact)
    assert not np.isclose(ours, golden_values, **exact)[rows].any()
    np.testing.assert_allclose(
        finite_differences(difference.theirs)[rows],
        golden_gradients[rows],
        rtol=1e-4,
        atol=1e-7,
    )
