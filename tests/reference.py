"""The losses again, in float64 NumPy, as their papers write them.

Each takes targets (..., K), one-hot or soft, and logits (..., K), and returns
values (...). Everything begins from log-probabilities, which stay finite where
probabilities underflow.
"""

import math

import numpy as np


def log_softmax(z):
    z = z - z.max(axis=-1, keepdims=True)
    return z - np.log(np.exp(z).sum(axis=-1, keepdims=True))


def softmax(z):
    return np.exp(log_softmax(z))


def log_or_minus_infinity(x):
    x = np.asarray(x, "float64")
    return np.where(x > 0, np.log(np.where(x > 0, x, 1.0)), -np.inf)


def one_hot(labels, num_classes):
    return np.eye(num_classes)[labels]


def one_hot_argmax(z):
    return one_hot(z.argmax(axis=-1), z.shape[-1])


def loss_values(
    formula,
    targets,
    z,
    /,
    bias=None,
    clip=None,
    normalization=None,
    adjustment=None,
    **hyperparameters,
):
    """Values for logits z: clipped or normalized, adjusted, then biased."""
    z = np.asarray(z, "float64")
    targets = np.asarray(targets, "float64")
    norm = np.linalg.norm(z, axis=-1, keepdims=True)
    if clip is not None:
        z = z * (clip / np.maximum(norm, clip))
    if normalization is not None:
        z = z / ((norm + 1e-7) * normalization)
    if adjustment is not None:
        z = z + np.log(adjustment) - np.mean(np.log(adjustment))
    if bias is not None:
        of_views = z.ndim > targets.ndim
        z = z + bias * (targets[..., None, :] if of_views else targets)
    return formula(targets, z, **hyperparameters)


def expectation(targets, losses):
    """`sum_k t_k l_k`, where a class of target 0 may have an infinite loss."""
    return (targets * np.where(targets == 0, 0.0, losses)).sum(-1)


def normalized(losses):
    return losses / losses.sum(axis=-1, keepdims=True)


# Losses of the true-class probability


def cross_entropy(targets, z, /):
    return expectation(targets, -log_softmax(z))


def mae(targets, z, /):
    return np.abs(targets - softmax(z)).sum(-1)


def unhinged(targets, z, /):
    """`1 - p_y`, exact where p_y is near 1."""
    return expectation(targets, -np.expm1(log_softmax(z)))


def _gce(lp, q):
    return -np.expm1(q * lp) / q


def gce(targets, z, /, q=0.7):
    return expectation(targets, _gce(log_softmax(z), q))


def truncated_gce(targets, z, /, q=0.7, k=0.5):
    largest = _gce(math.log(k), q)
    return expectation(targets, np.minimum(_gce(log_softmax(z), q), largest))


def rce(targets, z, /):
    return -math.log(1e-4) * unhinged(targets, z)


def sce(targets, z, /, alpha=0.1, beta=1.0):
    return alpha * cross_entropy(targets, z) + beta * rce(targets, z)


def agce(targets, z, /, a=0.6, q=0.6):
    return expectation(targets, ((a + 1) ** q - (a + softmax(z)) ** q) / q)


def aul(targets, z, /, a=5.5, q=3.0):
    return expectation(targets, ((a - softmax(z)) ** q - (a - 1) ** q) / q)


def ael(targets, z, /, a=2.5):
    return expectation(targets, np.exp(-softmax(z) / a))


def phuber_ce(targets, z, /, tau=10.0):
    lp = log_softmax(z)
    line = -tau * np.exp(lp) + math.log(tau) + 1
    return expectation(targets, np.where(lp <= -math.log(tau), line, -lp))


def taylor_ce(targets, z, /, t=2):
    rest = -np.expm1(log_softmax(z))
    return expectation(targets, sum(rest**i / i for i in range(1, t + 1)))


def _focal(lp, gamma):
    return -((-np.expm1(lp)) ** gamma) * lp


def focal(targets, z, /, gamma=0.5, stop_weight_gradient=False):
    return expectation(targets, _focal(log_softmax(z), gamma))


def icce(targets, z, /, gamma=2.0):
    """Cross-entropy whose gradient is weighted by `exp(-gamma (1 - p_y))`.

    The series has a Poisson weight in every term.
    """
    lp = log_softmax(z)
    weight = math.exp(-gamma)
    total = -weight * lp
    for n in range(1, 60 + int(gamma + 12 * math.sqrt(gamma))):
        weight *= gamma / n
        total = total - weight * np.expm1(n * lp) / n
    return expectation(targets, total)


# Losses of the whole distribution


def nce(targets, z, /):
    return expectation(targets, normalized(-log_softmax(z)))


def nfl(targets, z, /, gamma=0.5, stop_weight_gradient=False):
    return expectation(targets, normalized(_focal(log_softmax(z), gamma)))


def ngce(targets, z, /, q=0.1):
    return expectation(targets, normalized(_gce(log_softmax(z), q)))


def nmae(targets, z, /):
    return unhinged(targets, z) / (z.shape[-1] - 1)


def nrce(targets, z, /):
    return rce(targets, z) / (-math.log(1e-4) * (z.shape[-1] - 1))


def jensen_shannon(targets, z, /, pi=0.5):
    return generalized_jensen_shannon(targets, z, pi=pi)


def generalized_jensen_shannon(targets, z, /, pi=0.5, views=1):
    """The loss of targets (..., K) and z (..., K), or (..., views, K)."""
    lp = log_softmax(z if views > 1 else z[..., None, :])
    log_t = log_or_minus_infinity(targets)
    mean_lp = np.logaddexp.reduce(lp - math.log(views), axis=-2)
    log_m = np.logaddexp(math.log(pi) + log_t, math.log1p(-pi) + mean_lp)
    of_targets = expectation(targets, log_t - log_m)
    of_views = (np.exp(lp) * (lp - log_m[..., None, :])).sum(-1).mean(-1)
    scale = -(1 - pi) * math.log1p(-pi)
    return (pi * of_targets + (1 - pi) * of_views) / scale


def _tempered_log(log_u, t):
    """`log_t(u)` of `log u`."""
    return log_u if t == 1 else np.expm1((1 - t) * log_u) / (1 - t)


def _log_tempered_exp(u, t):
    """`log exp_t(u)`; minus infinity where `exp_t(u)` is 0."""
    if t == 1:
        return u
    excess = (1 - t) * u
    positive = excess > -1
    log = np.log1p(np.where(positive, excess, 0.0)) / (1 - t)
    return np.where(positive, log, -np.inf)


def tempered_log_softmax(z, t):
    z = z - z.max(axis=-1, keepdims=True)
    # The sum of exp_t(z - shift) is at least 1 at `low`, at most 1 at `high`.
    low = np.zeros_like(z[..., :1])
    high = low - _tempered_log(-math.log(z.shape[-1]), t)
    for _ in range(200):
        shift = (low + high) / 2
        p = np.exp(_log_tempered_exp(z - shift, t))
        too_large = p.sum(axis=-1, keepdims=True) > 1
        low = np.where(too_large, shift, low)
        high = np.where(too_large, high, shift)
    return _log_tempered_exp(z - (low + high) / 2, t)


def bi_tempered(targets, z, /, t1=0.8, t2=1.2):
    lp = tempered_log_softmax(z, t2)
    log_t = log_or_minus_infinity(targets)
    logs = _tempered_log(np.where(targets > 0, log_t, 0.0), t1)
    divergence = expectation(targets, logs - _tempered_log(lp, t1))
    powers = np.exp((2 - t1) * log_t) - np.exp((2 - t1) * lp)
    return divergence - powers.sum(-1) / (2 - t1)


def nnce(targets, z, /):
    largest = -math.log(1e-7)
    lp = np.maximum(log_softmax(z), -largest)
    return 1 - expectation(targets, normalized(largest + lp))


def nnfl(targets, z, /, gamma=0.5, stop_weight_gradient=False):
    floor = math.log(1e-7)
    lp = np.maximum(log_softmax(z), floor)
    negative = _focal(floor, gamma) - _focal(lp, gamma)
    return 1 - expectation(targets, normalized(negative))


def epsilon_softmax_ce(targets, z, /, m=1e5):
    lp = log_softmax(z)
    raised = np.log1p(np.expm1(lp) / (m + 1))
    largest = one_hot_argmax(z) == 1
    return expectation(targets, -np.where(largest, raised, lp - np.log1p(m)))


def amse(targets, z, /, a=30.0):
    return ((softmax(z) - a * targets) ** 2).mean(-1)


def ldr_kl(targets, z, /, lambda_=10.0, margin=0.1):
    num_classes = z.shape[-1]
    # log(softplus(z)) is z far below 0, where softplus itself underflows.
    softplus = np.logaddexp(0, np.maximum(z, -36.0))
    z = num_classes * softmax(np.where(z < -36, z, np.log(softplus)))
    margins = margin * (1 - np.eye(num_classes))
    # Row y holds what the loss of label y compares.
    violations = margins + z[..., None, :] - z[..., :, None]
    log_sums = np.logaddexp.reduce(violations / lambda_, axis=-1)
    losses = lambda_ * (log_sums - math.log(num_classes))
    return expectation(targets, losses)


def soft_bootstrapping(targets, z, /, beta=0.95):
    return cross_entropy(beta * targets + (1 - beta) * softmax(z), z)


def hard_bootstrapping(targets, z, /, beta=0.8):
    return cross_entropy(beta * targets + (1 - beta) * one_hot_argmax(z), z)


def forward_correction(targets, z, /, T):
    given_lp = log_softmax(z)[..., :, None] + log_or_minus_infinity(T)
    return expectation(targets, -np.logaddexp.reduce(given_lp, axis=-2))


def importance_reweighting(targets, z, /, T):
    p = softmax(z)
    return expectation(targets, -(p / (p @ np.asarray(T))) * log_softmax(z))


def confidence_correction(targets, z, /, T):
    return cross_entropy(targets, z)  # labels without a confidence


def backward_correction(targets, z, /, T):
    return expectation(targets, -log_softmax(z) @ np.linalg.inv(T).T)


def cores(targets, z, /, beta=2.0):
    return cross_entropy(targets, z) + beta * log_softmax(z).mean(-1)


def peer_loss(targets, z, /, prior, alpha=1.0):
    peer = -(np.asarray(prior) * log_softmax(z)).sum(-1)
    return cross_entropy(targets, z) - alpha * peer


def active_passive(targets, z, /, active, passive, alpha=1.0, beta=1.0):
    """The sum of two losses, each a tuple (function, hyperparameters)."""
    (active, of_active), (passive, of_passive) = active, passive
    return alpha * active(targets, z, **of_active) + beta * passive(
        targets, z, **of_passive
    )


def margins(z):
    """`z_k - logsumexp(z_j for j != k)` of every class."""
    others = np.where(np.eye(z.shape[-1], dtype=bool), -np.inf, z[..., None, :])
    return z - np.logaddexp.reduce(others, axis=-1)


def scaled_mae(targets, z, /, margin_scale):
    bounded = 2 * np.exp(-np.logaddexp(0, margin_scale * margins(z)))
    return expectation(targets, bounded / margin_scale)


def symmetrized(targets, z, /, loss):
    formula, arguments = loss
    classes = np.eye(z.shape[-1])
    each = [
        formula(np.broadcast_to(k, z.shape), z, **arguments) for k in classes
    ]
    each = np.stack(each, axis=-1)
    return expectation(targets, each) - each.mean(-1)
