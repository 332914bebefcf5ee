"""Tables of the accuracy benchmark, as Markdown."""

import re
from collections import defaultdict
from collections.abc import Iterable, Mapping, Sequence
from pathlib import Path
from typing import Any

import numpy as np
from accuracy_losses import GRIDS, LOSSES, TRICKS

Rows = Sequence[Mapping[str, str]]
Cells = Mapping[str, Sequence[str]]
#: Losses outside the grids that are also values of a grid.
UNTUNED = {
    "CE": ("CE",),
    "GCE": ("GCE .7", "GCE auto"),
    "MAE with a bias": ("MAE", "MAE*"),
    "NCE+AGCE": ("NCE+AGCE",),
    "BiTempered": ("BiTempered",),
}
#: Losses that need no tuning and no knowledge of the noise.
OURS = (
    "ScaledMAE",
    "ScaledMAE, margin fade",
    "ScaledMAE, low start, fade",
    "GCE auto",
    "MAE*",
)
#: Losses that the documents show for each task.
SHOWN = (
    *("CE", "CE, epoch by noisy validation", "ELR", "OGC"),
    *("GCE .7", "NCE+RCE", "NCE+AGCE", "SCE", "CE, clip 3", *OURS),
)
STOPPED = "CE, epoch by noisy validation"
#: Tasks with one table, and the losses that it shows besides.
SHORT = ("cnn-8", "cnn-30", "clicks")
ALSO_SHOWN = ("BiTempered", "ICCE")
#: The rows of the README, as a user writes the losses.
README = {
    "ScaledMAE, low start, fade": (
        "`ScaledMAE`, [from a low start with a fade]"
        "(docs/margin_scale.md#from-a-low-start)"
    ),
    "ScaledMAE": "`ScaledMAE()`",
    "SCE": "`SCE()`",
    "GCE auto": '`GCE(q="auto")`',
    "MAE*": "`MAEStar()`, the paper's loss",
    STOPPED: "`CrossEntropy()`, at its best epoch by noisy validation",
    "CE": "`CrossEntropy()`",
    "GCE .7": "`GCE(q=0.7)`",
}


class Found:
    """Accuracies in percent by cell and loss, a list over the seeds."""

    def __init__(self, rows: Rows):
        self.rows: dict = defaultdict(lambda: defaultdict(dict))
        for row in rows:
            cell = self.rows[row["task"], row["noise"]]
            cell[row["loss"]][int(row["seed"])] = row

    def values(self, cell: Any, name: str) -> list[float]:
        """Accuracies of a loss, or of cross-entropy with early stopping."""
        loss, column = (name, "last")
        if name == STOPPED:
            loss, column = "CE", "stopped"
        of_loss = self.rows.get(cell, {}).get(loss, {})
        return [100 * float(of_loss[s][column]) for s in sorted(of_loss)]

    def tuned(self, cell: Any, grid: str, key: str) -> dict[int, float]:
        """The accuracy by seed of the grid member that is best in a column.

        Cross-entropy is also stopped at its best epoch by noisy validation.
        """
        column = "stopped" if grid == "CE" else "last"
        if key == "held_out" and grid == "CE":
            key = "held_best"
        if key == "oracle":
            key = column
        of_cell = self.rows.get(cell, {})
        if any(name not in of_cell for name in GRIDS[grid]):
            return {}
        names = [*GRIDS[grid], *UNTUNED[grid]]
        members = [of_cell[name] for name in names if name in of_cell]
        seeds = set.intersection(*(set(member) for member in members))
        best = {
            seed: max((m[seed] for m in members), key=lambda r: float(r[key]))
            for seed in sorted(seeds)
        }
        return {seed: 100 * float(row[column]) for seed, row in best.items()}


def _text(values: Sequence[float], bold: bool = False) -> str:
    if not values:
        return ""
    text = f"{np.mean(values):.1f}"
    if bold:
        text = f"**{text}**"
    if len(values) > 1:
        text += f" ± {np.std(values, ddof=1):.1f}"
    return text


def _named(name: str) -> str:
    return name if name == STOPPED else f"`{name}`"


def _table(head: Sequence[str], lines: Iterable[Sequence[str]]) -> str:
    rule, lines = ["---"] * len(head), list(lines)
    if not lines:
        return ""
    return "\n".join(f"| {' | '.join(x)} |" for x in (head, rule, *lines))


def of_task(
    found: Found, task: str, noises: Sequence[str], names: Sequence[str]
) -> str:
    """Accuracies of losses by noise."""
    return of_cells(found, [(task, noise) for noise in noises], names)


def of_cells(
    found: Found, cells: Sequence[tuple[str, str]], names: Sequence[str]
) -> str:
    """Accuracies of losses, the best of each cell in bold."""
    cells = [cell for cell in cells if cell in found.rows]
    several = len({task for task, _ in cells}) > 1
    heads = [", ".join(cell) if several else cell[1] for cell in cells]
    lines = {name: [found.values(c, name) for c in cells] for name in names}
    lines = {name: line for name, line in lines.items() if any(line)}
    best = [
        max(
            (np.mean(line[i]) for line in lines.values() if line[i]),
            default=None,
        )
        for i in range(len(cells))
    ]
    return _table(
        ["Loss", *heads],
        (
            [
                _named(name),
                *(
                    _text(v, bool(v) and np.mean(v) == best[i])
                    for i, v in enumerate(line)
                ),
            ]
            for name, line in lines.items()
        ),
    )


def behind(
    found: Found,
    cells: Cells,
    names: Sequence[str],
    shown: Mapping[str, str] | None = None,
) -> str:
    """How far each loss is behind the best one of each cell.

    `shown` maps the losses that get a row to their texts.
    """
    shown = shown or {name: _named(name) for name in names}
    points = defaultdict(list)
    for task, noise in ((t, n) for t, noises in cells.items() for n in noises):
        measured = {
            name: np.mean(values)
            for name in names
            if (values := found.values((task, noise), name))
        }
        # Incomplete cells would favor the losses that have a row.
        if len(measured) < 0.9 * len(names):
            continue
        for name, mean in measured.items():
            points[name].append(max(measured.values()) - mean)
    return _table(
        ["Loss", "mean", "worst", "cells"],
        (
            [shown[name], f"{np.mean(p):.1f}", f"{max(p):.1f}", str(len(p))]
            for name, p in sorted(points.items(), key=lambda x: np.mean(x[1]))
            if name in shown
        ),
    )


def cost(found: Found, cells: Cells) -> str:
    """How far our losses are behind the best tuned by noisy validation."""
    lines = []
    for cell in ((t, n) for t, noises in cells.items() for n in noises):
        tuned = {grid: found.tuned(cell, grid, "held_out") for grid in GRIDS}
        tuned = {grid: by_seed for grid, by_seed in tuned.items() if by_seed}
        if not tuned:
            continue
        best = max(tuned, key=lambda grid: np.mean([*tuned[grid].values()]))
        mean = np.mean([*tuned[best].values()])
        oracle = [*found.tuned(cell, best, "oracle").values()]
        points = []
        for ours in OURS:
            of_loss = found.rows.get(cell, {}).get(ours, {})
            same = [
                100 * float(of_loss[s]["last"])
                for s in tuned[best]
                if s in of_loss
            ]
            points.append(f"{mean - np.mean(same):.1f}" if same else "")
        texts = [f"{mean:.1f} ({best})", f"{np.mean(oracle):.1f}"]
        lines.append([", ".join(cell), *texts, *points])
    head = ["Task, noise", "best tuned", "by test labels"]
    return _table([*head, *(f"`{name}`" for name in OURS)], lines)


def tuned(found: Found, task: str, noises: Sequence[str]) -> str:
    """The result of tuning by noisy validation and by the test labels."""
    cells = [(task, n) for n in noises if (task, n) in found.rows]
    lines = []
    for grid in GRIDS:
        for key, way in (("held_out", "noisy validation"), ("oracle", "test")):
            values = [[*found.tuned(c, grid, key).values()] for c in cells]
            if any(values):
                texts = [_text(v) for v in values]
                lines.append([f"{grid}, tuned by {way}", *texts])
    return _table(["Loss", *(noise for _, noise in cells)], lines)


def tables(rows: Rows, cells: Cells) -> dict[str, str]:
    """All tables by name, those of the documents among them."""
    found = Found(rows)
    names = [*LOSSES, *TRICKS]
    every = behind(found, cells, [*names, STOPPED])
    gain = cost(found, cells)
    whole = [
        every and "**Points behind the best loss of a cell**",
        every,
        gain and "**Points behind the best line tuned by noisy validation**",
        gain,
    ]
    known = {
        "behind": behind(found, cells, [*LOSSES, STOPPED]),
        "readme": behind(found, cells, [*LOSSES, STOPPED], README),
        "cost": gain,
    }
    short = [(task, n) for task in SHORT for n in cells.get(task, ())]
    known["short"] = of_cells(found, short, [*SHOWN, *ALSO_SHOWN])
    for task, noises in cells.items():
        if all((task, noise) not in found.rows for noise in noises):
            continue
        whole += [
            f"**{task}**",
            of_task(found, task, noises, [*names, STOPPED]),
            tuned(found, task, noises),
        ]
        known[task] = of_task(found, task, noises, SHOWN)
        bases = ("CE", "GCE auto", "ScaledMAE", "SmallLoss", "OGC", "SELC")
        known[f"tricks, {task}"] = of_task(
            found, task, noises, [*bases, *TRICKS]
        )
    return {**known, "whole": "\n\n".join(filter(None, whole))}


def fill(page: Path, known: Mapping[str, str]) -> None:
    """Write tables between their marks in a page."""
    text = re.sub(
        r"(<!-- table: (.+?) -->\n).*?(<!-- end -->)",
        lambda match: f"{match[1]}\n{known[match[2]]}\n\n{match[3]}",
        page.read_text(encoding="utf-8"),
        flags=re.S,
    )
    page.write_text(text, encoding="utf-8")
