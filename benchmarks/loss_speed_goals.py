"""The losses that `loss_speed.py` measures, and their goals."""

from typing import Any

BASELINE, AGAIN = "SparseCategoricalCrossentropy", "baseline again"
#: Largest acceptable ratio to the baseline with 10, 1000 and 21,841 classes;
#: other counts have the goal of the next smaller one.
SIZES = (10, 1000, 21_841)
GOALS = {
    ("true class", None): (1.2, 1.0, 1.0),
    ("whole distribution", "jax"): (1.5, 1.0, 1.0),
    ("whole distribution", "tensorflow"): (1.2, 1.2, 1.3),
    ("whole distribution", "torch"): (1.5, 2.0, 2.0),
    ("BiTempered", "torch"): (2.0, 2.5, 5.0),
    ("BiTempered", None): (2.0, 2.5, 3.0),
    ("clip, normalization", None): (1.2, 1.3, 1.3),
}
#: A transition matrix for more classes takes gigabytes.
LARGEST_MATRIX = 2000


def losses(num_classes: int) -> dict[str, Any]:
    """The baseline twice, every loss, the published pairs and variants.

    Losses with memory, which need a model, and several views, which need other
    predictions, are left out.
    """
    import keras

    from keras_noisy import losses as ours

    baseline = keras.losses.SparseCategoricalCrossentropy
    found = {name: baseline(from_logits=True) for name in (BASELINE, AGAIN)}
    shared = {"num_classes": num_classes, "from_logits": True}
    needed: dict[str, dict[str, Any]] = {
        "GeneralizedJensenShannon": {"views": 1},
        "ActivePassive": {"active": ours.RCE(), "passive": ours.CrossEntropy()},
        "Symmetrized": {"loss": ours.CrossEntropy()},
    }
    if num_classes <= LARGEST_MATRIX:
        noise = 0.2 / (num_classes - 1)
        T = [[noise] * num_classes for _ in range(num_classes)]
        for i in range(num_classes):
            T[i][i] = 0.8
        for name in ("Forward", "Backward", "Confidence"):
            needed[f"{name}Correction"] = {"T": T}
    for name in ours.names():
        loss = getattr(ours, name, None)
        if loss and loss.has_state:
            continue
        if name.endswith("Correction") and name not in needed:
            continue
        found[name] = ours.get(name, **needed.get(name, {}), **shared)
    found["GCE(q=auto)"] = ours.GCE(q="auto", **shared)
    for transform in (
        {"logit_clip": 1.0},
        {"logit_normalization": 0.1},
        {"logit_bias": -1.0},
        {"margin_scale": 0.5},
    ):
        ((name, value),) = transform.items()
        found[f"CrossEntropy({name}={value:g})"] = ours.CrossEntropy(
            **transform, **shared
        )
    found["MAE(margin_scale=0.5)"] = ours.MAE(margin_scale=0.5, **shared)
    return found


def kind_of(name: str, loss: Any) -> str:
    """The group of losses that share a goal, "" for the baseline."""
    if name in (BASELINE, AGAIN):
        return ""
    if "logit_clip" in name or "logit_normalization" in name:
        return "clip, normalization"
    if name == "BiTempered":
        return name
    is_of_label = getattr(loss, "has_formula", False)
    return "true class" if is_of_label else "whole distribution"


def goal_of(kind: str, backend: str, num_classes: int) -> float | None:
    """Largest acceptable ratio to the baseline."""
    goals = GOALS.get((kind, backend)) or GOALS.get((kind, None))
    if goals is None:
        return None
    reached = sum(num_classes >= size for size in SIZES)
    return goals[max(reached - 1, 0)]
