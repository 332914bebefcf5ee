"""Tables of the benchmark of accuracy, as Markdown."""

from collections import defaultdict
from collections.abc import Mapping, Sequence

import numpy as np
from accuracy_losses import GRIDS, LOSSES, TRICKS

Rows = Sequence[Mapping[str, str]]
#: Values of the grids that stand among the losses.
UNTUNED = {
    "CE": ("CE",),
    "GCE": ("GCE .7", "GCE auto"),
    "MAE with a bias": ("MAE", "MAE*"),
    "NCE+AGCE": ("NCE+AGCE",),
    "BiTempered": ("BiTempered",),
}
#: What needs no knowledge of the noise and nothing tuned.
OURS = (
    "ScaledMAE",
    "ScaledMAE, margin fade",
    "ScaledMAE, low start, fade",
    "GCE auto",
    "MAE*",
)


def _found(rows: Rows) -> dict[tuple[str, str], dict[str, list]]:
    """Rows by cell and loss, a list over seeds."""
    found: dict = defaultdict(lambda: defaultdict(list))
    for row in sorted(rows, key=lambda row: int(row["seed"])):
        found[row["task"], row["noise"]][row["loss"]].append(row)
    return found


def _percent(values: Sequence[float], bold: bool = False) -> str:
    text = f"{100 * np.mean(values):.1f}"
    if bold:
        text = f"**{text}**"
    if len(values) > 1:
        text += f" ± {100 * np.std(values, ddof=1):.1f}"
    return text


def _lines(of_task: Mapping[str, Mapping[str, list]]) -> dict:
    """Accuracies by line and noise: all losses, and what tuning finds."""
    lines: dict = defaultdict(dict)
    for noise, losses in of_task.items():
        for name in (*LOSSES, *TRICKS):
            if name in losses:
                values = [float(row["last"]) for row in losses[name]]
                lines[f"`{name}`"][noise] = values
        if "CE" in losses:
            values = [float(row["stopped"]) for row in losses["CE"]]
            lines["CE, epoch by noisy validation"][noise] = values
        for grid, members in GRIDS.items():
            there = [n for n in members if n in losses]
            if len(there) < len(members):
                continue
            there += [n for n in UNTUNED[grid] if n in losses]
            by_seed = list(zip(*(losses[n] for n in there), strict=False))
            column = "stopped" if grid == "CE" else "last"
            for way, key in (
                ("noisy validation", "held_out"),
                ("oracle", column),
            ):
                best = [
                    max(row, key=lambda r: float(r[key])) for row in by_seed
                ]
                values = [float(row[column]) for row in best]
                lines[f"{grid}, tuned by {way}"][noise] = values
    return lines


def show(rows: Rows, cells: Mapping[str, Sequence[str]]) -> None:
    """Print a table for each task, and what leaving out the tuning costs."""
    found = _found(rows)
    for task, noises in cells.items():
        of_task = {n: found[task, n] for n in noises if (task, n) in found}
        if not of_task:
            continue
        lines = _lines(of_task)
        best = {
            noise: max(
                np.mean(line[noise])
                for name, line in lines.items()
                if noise in line and "oracle" not in name
            )
            for noise in of_task
        }
        print(f"\n**{task}**\n")
        print(f"| Loss | {' | '.join(of_task)} |")
        print("| --- " * (1 + len(of_task)) + "|")
        for name, line in lines.items():
            texts = [
                _percent(line[n], np.mean(line[n]) >= best[n] - 1e-9)
                if n in line
                else ""
                for n in of_task
            ]
            print(f"| {name} | {' | '.join(texts)} |")
    _behind(found, cells)
    _cost(found, cells)


def _behind(found: Mapping, cells: Mapping[str, Sequence[str]]) -> None:
    """Print how far each loss is behind the best one of each cell."""
    names = (*LOSSES, *TRICKS)
    points = defaultdict(list)
    for task, noise in ((t, n) for t, noises in cells.items() for n in noises):
        measured = {
            name: 100 * np.mean([float(row["last"]) for row in of_loss])
            for name, of_loss in found[task, noise].items()
            if name in names
        }
        # Cells that are not whole would favor what is there.
        if len(measured) < 0.9 * len(names):
            continue
        for name, mean in measured.items():
            points[name].append(max(measured.values()) - mean)
    print("\n**Points behind the best loss of a cell**\n")
    print("| Loss | mean | worst | cells |")
    print("| --- | --- | --- | --- |")
    for name in sorted(points, key=lambda name: np.mean(points[name])):
        mean, worst = np.mean(points[name]), max(points[name])
        print(f"| `{name}` | {mean:.1f} | {worst:.1f} | {len(points[name])} |")


def _cost(found: Mapping, cells: Mapping[str, Sequence[str]]) -> None:
    """Print how far ours are behind the best that a user can tune."""
    print("\n**Points behind the best line tuned by noisy validation**\n")
    print(f"| Task, noise | best tuned | {' | '.join(OURS)} |")
    print("| --- " * (2 + len(OURS)) + "|")
    for task, noise in ((t, n) for t, noises in cells.items() for n in noises):
        means = {
            name: 100 * np.mean(line[noise])
            for name, line in _lines({noise: found[task, noise]}).items()
        }
        tuned = [name for name in means if "tuned by noisy" in name]
        if not tuned:
            continue
        best = max(tuned, key=means.__getitem__)
        behind = [means[best] - means.get(f"`{ours}`", np.nan) for ours in OURS]
        text = f"{means[best]:.1f} ({best.split(',')[0]})"
        cells_of_row = " | ".join(f"{points:.1f}" for points in behind)
        print(f"| {task}, {noise} | {text} | {cells_of_row} |")
