"""Generate losses.md, the catalogue of the losses, from their docstrings.

`python docs/generate.py` writes the page; with `--check` it only tells
whether the page is in step with the code.
"""

import argparse
import inspect
import re
import sys
import textwrap
from itertools import chain, takewhile
from pathlib import Path

from keras_noisy import losses
from keras_noisy.layers import (
    CalibrationFade,
    LossHistory,
    SampleMemory,
    StepCounter,
)
from keras_noisy.losses.presets import DATA_SETS, PRESETS
from keras_noisy.metrics import LabelAccuracy

Loss = type[losses.RobustLoss]
PAGE = Path(__file__).resolve().parent / "losses.md"
INTRODUCTION = """\
This page lists all losses of `keras_noisy.losses`, grouped by their inputs, and
the formula, hyperparameters and papers of each. Build a loss by its class or by
its name, as in `keras_noisy.losses.get("GCE", q=0.5)`; losses of several labels
only by their class. [Which loss](which_loss.md) helps to choose one, and
[binary.md](binary.md) is about single outputs and several labels per sample.
This page is generated from the docstrings: change those, then run `python
docs/generate.py`.

The error of a loss is its gradient at the logit of the label, averaged over a
fresh network. A hyperparameter that is `"auto"` is computed from the number of
classes so that this error is the same as with 10 classes. A hyperparameter
without a default is required. All losses of one label per sample share further
arguments, see [For every loss](#for-every-loss)."""
PAIRS = """\
Build the published pairs by name, as in
`keras_noisy.losses.get("NCE+RCE", data_set="cifar100")`. The table shows their
published weights on each data set: `alpha, beta` and, in parentheses, the
hyperparameters of the two losses if they differ from the defaults. Without
`data_set`, the number of classes selects it, see `keras_noisy.losses.get`."""
GROUPS = (
    "Losses of the true-class probability",
    "Losses of the whole distribution",
    "Losses with a memory of each sample",
    "Combinations",
    "Losses of several labels",
)
#: They are no losses of one label per sample, and have no name for `get`.
OF_SEVERAL = (losses.AsymmetricLoss, losses.Binary, losses.Hill, losses.SPLC)


def group(loss: Loss) -> str:
    """What a loss is computed from, one of `GROUPS`."""
    if loss in OF_SEVERAL:
        return GROUPS[4]
    if issubclass(loss, losses.ActivePassive):
        return GROUPS[3]
    if issubclass(loss, losses.MemoryLoss):
        return GROUPS[2]
    return GROUPS[issubclass(loss, losses.DistributionLoss)]


def docstring(loss: Loss) -> dict[str, str]:
    """The sections of a docstring by title; `What` and `Purpose` lead."""
    what, _, rest = inspect.getdoc(loss).partition("\n")
    parts = re.split(r"^([A-Z][a-z]+(?: [a-z]+)?):\n", rest, flags=re.MULTILINE)
    sections = dict(zip(parts[1::2], parts[2::2], strict=True))
    return {"What": what, "Purpose": parts[0], **sections}


def paragraphs(text: str) -> str:
    """Text with each paragraph on one line, fenced blocks as they are."""
    parts = re.split(r"(^```.*?^```$)", text, flags=re.DOTALL | re.MULTILINE)
    for number in range(0, len(parts), 2):
        blocks = re.split(r"\n\s*\n", parts[number].strip())
        parts[number] = "\n\n".join(" ".join(b.split()) for b in blocks)
    return "\n\n".join(part for part in parts if part)


def entries(section: str) -> list[str]:
    """The arguments or the bullets of a section, each on one line."""
    text = textwrap.dedent(section).strip()
    parts = re.split(r"^(?=\S)", text, flags=re.MULTILINE)
    return [" ".join(part.split()) for part in parts if part]


def arguments(loss: Loss) -> list[list[str]]:
    """Name and description of what a docstring has under `Args`."""
    found = [entry.split(": ", 1) for entry in entries(docstring(loss)["Args"])]
    return [[f"`{name}`", text] for name, text in found if name != "**kwargs"]


def references(loss: Loss) -> str:
    """The papers as bullets, with links."""
    text = "\n".join(entries(docstring(loss)["References"]))
    arxiv = r"[\g<0>](https://arxiv.org/abs/\1)"
    text = re.sub(r"arXiv (\d+\.\d+)", arxiv, text)
    return re.sub(r"doi (10\.\S+)", r"[\g<0>](https://doi.org/\1)", text)


def short(paper: str) -> str:
    """Authors, venue and year of a reference."""
    parts = paper.removeprefix("- ").split(", ")
    names = list(takewhile(re.compile(r"[\w-]+").fullmatch, parts))
    authors = parts[0].removesuffix(" et al.") + " et al."
    if 0 < len(names) < 3:
        authors = " and ".join(names)
    # What the paper is cited for, where it is not the loss: (LogitClip).
    note = re.search(r" \([^)]*\)|$", paper)[0]
    venue = next(p for p in parts if re.fullmatch(r"[A-Z][\w ]+ \d{4}", p))
    return f"{authors}{note}, {venue}"


def hyperparameters(loss: Loss) -> str:
    """The hyperparameters in a signature, with their defaults."""
    is_of_several = issubclass(loss, losses.MultiLabelLoss)
    base = losses.MultiLabelLoss if is_of_several else losses.RobustLoss
    shared = inspect.signature(base.__init__).parameters
    found = []
    for name, given in inspect.signature(loss.__init__).parameters.items():
        # For saved models alone.
        if name in ("memory_key", "history_key", "step_key"):
            continue
        unchanged = name in shared and shared[name].default == given.default
        if not unchanged and given.kind is not given.VAR_KEYWORD:
            code = str(given.replace(annotation=given.empty)).replace("'", '"')
            found.append(
                f"`{code}`" + ' or `"auto"`' * (name in loss.references)
            )
    return ", ".join(found) or "none"


def link(name: str) -> str:
    """A link to the section of a loss."""
    return f"[`{name}`](#{name.lower()})"


def table(*rows: list[str]) -> str:
    """A table from its head and its rows."""
    cells = [[cell.replace("|", r"\|") for cell in row] for row in rows]
    cells.insert(1, ["---"] * len(rows[0]))
    return "\n".join(f"| {' | '.join(row)} |" for row in cells)


def summary(members: list[Loss]) -> str:
    """A table with one row per loss."""
    rows = []
    for loss in members:
        what = docstring(loss)["What"].removesuffix(".")
        paper = short(references(loss).splitlines()[0])
        rows.append([link(loss.__name__), what, hyperparameters(loss), paper])
    return table(["Loss", "What it is", "Hyperparameters", "Paper"], *rows)


def pairs() -> str:
    """A table of the published pairs, with their weights on each data set."""
    rows = []
    for name, pair in PRESETS.items():
        parts = pair.active.__name__, pair.passive.__name__
        row = [f"`{name}`", " + ".join(map(link, parts))]
        for data_set in DATA_SETS:
            cell = ", ".join(f"{w:g}" for w in pair.weights.get(data_set, ()))
            values = {
                **pair.active_arguments.get(data_set, {}),
                **pair.passive_arguments.get(data_set, {}),
            }
            inside = ", ".join(f"{key}={x:g}" for key, x in values.items())
            row.append(f"{cell} ({inside})" if values else cell)
        rows.append([*row, short(pair.paper)])
    data_sets = [f'`"{data_set}"`' for data_set in DATA_SETS]
    return table(["Name", "Losses", *data_sets, "Paper"], *rows)


def others() -> list[list[str]]:
    """What else is public, with the first line of its docstring."""
    known = {*losses.names(), *(loss.__name__ for loss in OF_SEVERAL)}
    bases = {n for n in losses.__all__ if n not in known}
    things = [getattr(losses, name) for name in sorted(bases)]
    return [
        [f"`{thing.__module__.split('.')[1]}.{thing.__name__}`", lead]
        for thing in (
            *things,
            CalibrationFade,
            LossHistory,
            SampleMemory,
            StepCounter,
            LabelAccuracy,
        )
        for lead in [inspect.getdoc(thing).splitlines()[0]]
    ]


def section(loss: Loss, others: set[str]) -> str:
    """What a docstring says, with links to the other losses it names."""
    parts = docstring(loss)
    listed = [f"- {name}: {text}" for name, text in arguments(loss)]
    text = [
        f"### {loss.__name__}",
        parts["What"],
        paragraphs(parts["Formula"]),
        re.sub(
            r"`(\w+)`",
            lambda span: link(span[1]) if span[1] in others else span[0],
            paragraphs(parts["Purpose"]),
        ),
        *(["Hyperparameters:", "\n".join(listed)] if listed else []),
        "Example:",
        f"```python\n{textwrap.dedent(parts['Example']).strip()}\n```",
        "References:",
        references(loss),
    ]
    return "\n\n".join(text)


def page() -> str:
    """The whole page."""
    names = [name for name in losses.names() if name not in PRESETS]
    groups: dict[str, list[Loss]] = {title: [] for title in GROUPS}
    for loss in (*(getattr(losses, name) for name in names), *OF_SEVERAL):
        groups[group(loss)].append(loss)
    base = losses.RobustLoss
    text = ["# Losses", paragraphs(INTRODUCTION)]
    for title, members in groups.items():
        text += [f"## {title}", summary(members)] if members else []
        if losses.ActivePassive in members:
            text += [paragraphs(PAIRS), pairs()]
    text += ["## Each loss"]
    for loss in chain.from_iterable(groups.values()):
        linked = {*names, *(loss.__name__ for loss in OF_SEVERAL)}
        text.append(section(loss, linked - {loss.__name__}))
    text += ["## Other public names", table(["Name", "What it is"], *others())]
    text += ["## For every loss", paragraphs(docstring(base)["Formula"])]
    text += [table(["Argument", "What it is"], *arguments(base))]
    return "\n\n".join([*text, "References:", references(base)]) + "\n"


def main() -> None:
    """Write the page, or check it."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("--check", action="store_true")
    if not parser.parse_args().check:
        PAGE.write_text(page(), encoding="utf-8")
    elif not PAGE.exists() or PAGE.read_text(encoding="utf-8") != page():
        sys.exit(
            "docs/losses.md is not in step with the docstrings: run "
            "`python docs/generate.py`"
        )


if __name__ == "__main__":
    main()
