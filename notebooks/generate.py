"""Generate and execute the notebooks from the examples of their names.

`python notebooks/generate.py` writes the notebooks with their outputs, computed
on the JAX backend; with `--check` it only tells whether the cells are in step.
`python notebooks/generate.py kaggle` does it with one of them.
"""

import argparse
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
NAMES = ("quickstart", "kaggle")


def to_notebook(source):
    """A notebook without outputs from a script in the format of keras.io."""
    # Triple quotes on lines of their own enclose every second part.
    _, header, *parts = re.split(r'^"""\n', source, flags=re.MULTILINE)
    fields = dict(line.split(": ", 1) for line in header.splitlines())
    title = "\n".join(
        [f"# {fields.pop('Title')}\n"]
        + [f"**{name}:** {value}<br>" for name, value in fields.items()]
    )
    cells = [nbformat.v4.new_markdown_cell(title.removesuffix("<br>"))]
    new_cells = (nbformat.v4.new_code_cell, nbformat.v4.new_markdown_cell)
    for number, part in enumerate(parts):
        if part.strip():
            cells.append(new_cells[number % 2](part.strip()))
    for number, cell in enumerate(cells):
        cell.id = f"cell-{number}"
    kernel = {"display_name": "Python 3", "language": "python"}
    metadata = {"kernelspec": {**kernel, "name": "python3"}}
    return nbformat.v4.new_notebook(cells=cells, metadata=metadata)


def execute(notebook):
    """Run all cells on JAX and keep what they print and draw."""
    from nbclient import NotebookClient

    os.environ["KERAS_BACKEND"] = "jax"
    with tempfile.TemporaryDirectory() as folder:
        NotebookClient(
            notebook,
            coalesce_streams=True,
            record_timing=False,
            resources={"metadata": {"path": folder}},
        ).execute()
    for cell in notebook.cells:
        if cell.cell_type == "code":
            # What backends log belongs to the machine, not to the example.
            cell.outputs = [
                output
                for output in cell.outputs
                if output.get("name") != "stderr"
            ]


def sources(notebook):
    """The type and the text of each cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def main():
    """Write the notebooks, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", choices=NAMES, default=NAMES)
    parser.add_argument("--check", action="store_true")
    options = parser.parse_args()
    for name in options.names:
        example = ROOT / "examples" / f"{name}.py"
        file = ROOT / "notebooks" / f"{name}.ipynb"
        notebook = to_notebook(example.read_text(encoding="utf-8"))
        if not options.check:
            execute(notebook)
            nbformat.validate(notebook)
            nbformat.write(notebook, file)
        elif sources(notebook) != sources(nbformat.read(file, as_version=4)):
            sys.exit(
                f"notebooks/{name}.ipynb is not in step with "
                f"examples/{name}.py: run `python notebooks/generate.py {name}`"
            )


if __name__ == "__main__":
    main()
