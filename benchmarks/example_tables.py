"""Run the examples whose tables stand in the documents.

    python benchmarks/example_tables.py --data-dir FOLDER
    python benchmarks/example_tables.py --write

Each example prints a table, which goes to a CSV file in `example_tables`. A
table with a file is skipped. `--write` puts all of them into the pages. The
examples' `--help` lists the files of `FOLDER`.
"""

import argparse
import csv
import os
import subprocess
import sys
from pathlib import Path
from typing import NamedTuple

from accuracy_table import fill

FOLDER = Path(__file__).parent / "example_tables"
ROOT = FOLDER.parent.parent


class Table(NamedTuple):
    """The command that prints a table, and the page that shows it."""

    page: str
    command: str
    backend: str = "jax"
    needs_data: bool = True


TABLES = {
    "hsic, digits": Table(
        "hsic_bottleneck", "hsic_bottleneck.py", "tensorflow", False
    ),
    "hsic, fashion-mnist": Table(
        "hsic_bottleneck",
        "hsic_bottleneck.py --dataset fashion_mnist --samples 12000",
    ),
    "wide minima": Table("wide_minima", "wide_minima.py", needs_data=False),
    "wide minima, rho 0.2": Table(
        "wide_minima",
        "wide_minima.py --methods SAM --noise 0.4 --rho 0.2",
        needs_data=False,
    ),
    "wide minima, rho 1": Table(
        "wide_minima",
        "wide_minima.py --methods SAM --noise 0.4 --rho 1",
        needs_data=False,
    ),
    "long tail, digits": Table("long_tail", "long_tail.py", needs_data=False),
    "long tail, cifar100": Table(
        "long_tail", "long_tail.py --dataset cifar100"
    ),
    "trusted, fashion-mnist": Table(
        "trusted_labels", "trusted_labels.py --dataset fashion_mnist"
    ),
    "trusted, cifar100": Table(
        "trusted_labels",
        "trusted_labels.py --dataset cifar100 --noise symmetric flip human",
    ),
}


def file_of(name: str) -> Path:
    """The CSV file of a table."""
    return FOLDER / f"{name.replace(', ', '_').replace(' ', '_')}.csv"


def cells(line: str) -> list[str]:
    """The cells of a row in Markdown."""
    return [cell.strip() for cell in line.strip().strip("|").split("|")]


def run(name: str, data_dir: Path | None) -> None:
    """Run an example and write its table to a file."""
    table = TABLES[name]
    command = [sys.executable, *table.command.split()]
    command[1] = str(ROOT / "examples" / command[1])
    if table.needs_data:
        command += ["--data-dir", str(data_dir)]
    done = subprocess.run(
        command,
        env={**os.environ, "KERAS_BACKEND": table.backend},
        stdout=subprocess.PIPE,
        text=True,
        check=True,
    )
    lines = [x for x in done.stdout.splitlines() if x.startswith("|")]
    print(name, *lines, sep="\n", flush=True)
    head, _, *rows = map(cells, lines)
    FOLDER.mkdir(exist_ok=True)
    with file_of(name).open("w", newline="", encoding="utf-8") as file:
        csv.writer(file, lineterminator="\n").writerows([head, *rows])


def markdown(name: str) -> str:
    """The table of a file as Markdown."""
    with file_of(name).open(newline="", encoding="utf-8") as file:
        head, *rows = csv.reader(file)
    lines = [head, ["---"] * len(head), *rows]
    return "\n".join(f"| {' | '.join(line)} |" for line in lines)


def main() -> None:
    parser = argparse.ArgumentParser(description=__doc__.splitlines()[0])
    add = parser.add_argument
    add("--data-dir", type=Path, help="the data sets of the examples")
    add("--tables", nargs="*", choices=TABLES, default=list(TABLES))
    add("--write", action="store_true", help="fill the pages instead")
    options = parser.parse_args()
    if options.write:
        known = {name: markdown(name) for name in TABLES}
        for page in {table.page for table in TABLES.values()}:
            fill(ROOT / "docs" / f"{page}.md", known)
        return
    for name in options.tables:
        if file_of(name).exists():
            continue
        if TABLES[name].needs_data and options.data_dir is None:
            print(f"{name} needs --data-dir", file=sys.stderr)
            continue
        run(name, options.data_dir)


if __name__ == "__main__":
    main()
