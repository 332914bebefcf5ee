"""Generate and execute the notebooks from examples/.

`python notebooks/generate.py` writes them with their outputs, computed on the
JAX backend, and the picture of the README from that of the quickstart;
`python notebooks/generate.py calibration` only those that are named. With
`--check` it only tells whether the cells are in step. `human_labels` needs
`--data-dir`, a folder with CIFAR-100N, see the example.
"""

import argparse
import base64
import os
import re
import sys
import tempfile
from pathlib import Path

import nbformat

ROOT = Path(__file__).resolve().parent.parent
#: Examples that are notebooks too, and the options they are executed with.
NOTEBOOKS: dict[str, list[str]] = {
    "quickstart": [],
    "calibration": [],
    "mend_labels": [],
    "tune_loss": [],
    "session_recommendation": ["--smoke"],
    "human_labels": ["--data-dir", "data"],
    "kaggle": [],
}
PICTURE = ROOT / "docs" / "quickstart.png"
NO_OPTIONS = "parse_args([] if"


def notebook_file(name):
    """Where the notebook of an example is."""
    return ROOT / "notebooks" / f"{name}.ipynb"


def to_notebook(name):
    """A notebook without outputs from a script in the format of keras.io."""
    source = (ROOT / "examples" / f"{name}.py").read_text(encoding="utf-8")
    if options := NOTEBOOKS[name]:
        listed = ", ".join(f'"{option}"' for option in options)
        source = source.replace(NO_OPTIONS, f"parse_args([{listed}] if")
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


def execute(notebook, data_dir):
    """Run all cells on JAX and keep what they print and draw.

    The folder `data` of the notebook is `data_dir`.
    """
    from nbclient import NotebookClient

    os.environ["KERAS_BACKEND"] = "jax"
    with tempfile.TemporaryDirectory() as folder:
        if data_dir:
            (Path(folder) / "data").symlink_to(data_dir.resolve())
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


def pictures(notebook):
    """The pictures that its cells draw, as PNG."""
    for cell in notebook.cells:
        for output in cell.get("outputs", []):
            if "image/png" in output.get("data", {}):
                yield base64.b64decode(output["data"]["image/png"])


def sources(notebook):
    """The type and the text of each cell."""
    return [(cell.cell_type, cell.source) for cell in notebook.cells]


def main():
    """Write the notebooks, or check them."""
    parser = argparse.ArgumentParser(description=__doc__)
    parser.add_argument("names", nargs="*", help=f"of {', '.join(NOTEBOOKS)}")
    parser.add_argument("--check", action="store_true")
    parser.add_argument("--data-dir", type=Path, help="for human_labels")
    options = parser.parse_args()
    unknown = sorted({*options.names} - {*NOTEBOOKS})
    if unknown:
        parser.error(f"no notebook {unknown[0]!r}, choose from {[*NOTEBOOKS]}")
    names = options.names or [*NOTEBOOKS]
    folder = options.data_dir
    is_run = "human_labels" in names and not options.check
    if is_run and not (folder and folder.is_dir()):
        parser.error(
            "human_labels needs --data-dir, a folder with CIFAR-100N. "
            f"Received: {folder}"
        )
    for name in names:
        notebook, file = to_notebook(name), notebook_file(name)
        if options.check:
            if sources(notebook) != sources(nbformat.read(file, as_version=4)):
                sys.exit(
                    f"notebooks/{name}.ipynb is not in step with "
                    f"examples/{name}.py: run "
                    f"`python notebooks/generate.py {name}`"
                )
            continue
        execute(notebook, folder)
        nbformat.validate(notebook)
        nbformat.write(notebook, file)
        if name == "quickstart":
            PICTURE.write_bytes(next(pictures(notebook)))


if __name__ == "__main__":
    main()
