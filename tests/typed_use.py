"""Uses of losses that mypy must accept; pytest does not run this file."""

from typing import Any, assert_type

from keras_noisy import losses

loss = losses.GCE(0.7, num_classes=10, from_logits=True, name="gce", dtype=None)
assert_type(loss, losses.GCE)
assert_type(loss.q, float | str)
assert_type(loss.num_classes, int | None)
assert_type(loss.logit_clip, float | None)
assert_type(losses.MAEStar(100).logit_bias, float | str | None)
memory = losses.ELR(50_000, reduction="sum")
assert_type(memory.num_samples, int)
both = losses.ActivePassive(losses.NCE(), losses.MAE(), alpha="auto")
assert_type(both.active, losses.RobustLoss)


class Own(losses.TrueClassLoss):
    n: float = losses.number(2.0)
    times: int = losses.whole_number(1)
    negative: bool = losses.flag(True)

    # The formula of the base names no numbers.
    @staticmethod
    def formula(log_p: Any, n: float, times: int, negative: bool) -> Any:
        return times * log_p / (-n if negative else n)


assert_type(Own(3.0, times=2, num_classes=10).n, float)
