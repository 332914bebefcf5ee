"""Tables and a plot of how well the methods find wrong labels."""

from collections.abc import Mapping, Sequence
from pathlib import Path

import numpy as np

Rows = Sequence[Mapping[str, str]]
#: Columns of the documents, by the name of the method.
METHODS = {
    "neighbors, weights": "`FeatureQuality`",
    "neighbors, posterior": 'the same, `"posterior"`',
    "out of fold": "`PredictionQuality`",
    "AUM": "`LabelQuality`",
    "cleanlab": "cleanlab",
}


def percent(value: str) -> str:
    number = float(value)
    return "" if np.isnan(number) else f"{100 * number:.1f}"


def cells_of(finding: Rows) -> dict[tuple[str, str], dict[str, Mapping]]:
    """The row of each method, by task and noise."""
    cells: dict[tuple[str, str], dict[str, Mapping]] = {}
    for row in finding:
        cell = cells.setdefault((row["task"], row["noise"]), {})
        cell[row["method"]] = row
    return cells


def show(finding: Rows, mending: Rows) -> None:
    """Print the tables of the page."""
    for columns, names in (
        (("estimated", "f1"), list(METHODS)),
        (("pr_auc",), [name for name in METHODS if name != "cleanlab"]),
    ):
        heads = [METHODS[name] for name in names]
        print(f"| task | noise, wrong | {' | '.join(heads)} |")
        print("|" + " --- |" * (2 + len(names)))
        for (task, kind), methods in cells_of(finding).items():
            wrong = percent(next(iter(methods.values()))["rate"])
            values = (
                ", ".join(percent(methods[name][c]) for c in columns)
                for name in names
            )
            print(f"| {task} | {kind}, {wrong} | {' | '.join(values)} |")
        print()
    losses = list(dict.fromkeys(row["loss"] for row in mending))
    print(f"| task | noise | labels | {' | '.join(losses)} |")
    print("|" + " --- |" * (3 + len(losses)))
    found: dict[tuple[str, ...], dict[str, str]] = {}
    for row in mending:
        cell = found.setdefault((row["task"], row["noise"], row["labels"]), {})
        cell[row["loss"]] = percent(row["accuracy"])
    for names_of, cells in found.items():
        values = (cells.get(loss, "") for loss in losses)
        print(f"| {' | '.join((*names_of, *values))} |")


def draw(finding: Rows, path: Path) -> None:
    """Plot precision and recall of the suspects, ours and cleanlab's."""
    import matplotlib.pyplot as plt

    cells = cells_of(finding)
    figure, panels = plt.subplots(
        1, 2, figsize=(9, 0.9 + 0.42 * len(cells)), sharey=True,
        layout="constrained",
    )  # fmt: skip
    heights = np.arange(len(cells))[::-1]
    shown = {
        "neighbors, weights": ("o", "FeatureQuality"),
        "neighbors, posterior": ("D", 'FeatureQuality, "posterior"'),
        "AUM": ("s", "LabelQuality"),
        "cleanlab": ("x", "cleanlab"),
    }
    for axes, column, title in zip(
        panels,
        ("precision", "f1"),
        ("Suspects that are wrong, %", "F1 of the suspects, %"),
        strict=True,
    ):
        for number, (name, (marker, label)) in enumerate(shown.items()):
            values = [100 * float(row[name][column]) for row in cells.values()]
            axes.plot(values, heights - number / 8, marker, label=label)
        axes.set(xlabel=title, xlim=(0, 102))
        axes.grid(axis="x", alpha=0.4)
    panels[0].set_yticks(heights, [f"{task}, {kind}" for task, kind in cells])
    figure.legend(
        *panels[0].get_legend_handles_labels(),
        loc="outside upper center",
        ncols=len(shown),
    )
    figure.savefig(path, dpi=100)
