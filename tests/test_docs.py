"""The catalogue of the losses: in step with the code, complete, linked."""

import re
import sys
from pathlib import Path

import pytest
from helpers import program

from keras_noisy import losses
from keras_noisy.losses.presets import PRESETS

pytestmark = pytest.mark.once

DOCS = Path(__file__).parent.parent / "docs"
PAGE = (DOCS / "losses.md").read_text(encoding="utf-8")
CLASSES = [name for name in losses.names() if name not in PRESETS]
CLASSES += ["AsymmetricLoss", "Binary", "Hill", "SPLC"]


@pytest.fixture(scope="module")
def generator():
    return program(DOCS / "generate.py")


def sections():
    _, *parts = re.split(r"^### (.*)\n", PAGE.split("\n## For ")[0], flags=re.M)
    return dict(zip(parts[::2], parts[1::2], strict=True))


def rows():
    """The cells of the rows of all tables."""
    lines = [line for line in PAGE.splitlines() if line.startswith("|")]
    return [re.split(r" (?<!\\)\| ", line[2:-2]) for line in lines]


def anchors():
    """The anchors that GitHub makes from the headings."""
    headings = re.findall(r"^#+ (.*)$", PAGE, re.M)
    return [
        re.sub(r"[^\w -]", "", h).lower().replace(" ", "-") for h in headings
    ]


def test_the_page_is_what_the_generator_writes(generator):
    message = "run `python docs/generate.py`"
    assert generator.page() == PAGE, message


def test_check_fails_until_the_page_is_written(
    generator, monkeypatch, tmp_path
):
    monkeypatch.setattr(generator, "PAGE", tmp_path / "losses.md")
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    with pytest.raises(SystemExit, match=r"run `python docs/generate\.py`"):
        generator.main()
    monkeypatch.setattr(sys, "argv", ["generate.py"])
    generator.main()
    monkeypatch.setattr(sys, "argv", ["generate.py", "--check"])
    generator.main()
    generator.PAGE.write_text("old", encoding="utf-8")
    with pytest.raises(SystemExit):
        generator.main()


def test_every_loss_has_a_row_and_a_section():
    first = [row[0] for row in rows()]
    for name in CLASSES:
        assert first.count(f"[`{name}`](#{name.lower()})") == 1, name
    for name in PRESETS:
        assert first.count(f"`{name}`") == 1, name
    assert sorted(sections()) == sorted(CLASSES)


@pytest.mark.parametrize("name", CLASSES)
def test_every_section_has_formula_arguments_and_papers(generator, name):
    text = sections()[name]
    assert re.search(r"^```\n.*loss = .*^```$", text, re.M | re.S)
    loss = getattr(losses, name)
    for argument in re.findall(r"`(\w+)", generator.hyperparameters(loss)):
        assert re.search(rf"^- `{argument}`: \w", text, re.M), argument
    papers = text.split("\nReferences:\n")[1].split("\n## ")[0]
    papers = papers.strip().splitlines()
    assert papers
    for paper in papers:
        assert re.match(r"- .+, [A-Z][\w ]+ (19|20)\d\d(, |$)", paper), paper


def test_every_link_to_an_anchor_resolves():
    found = anchors()
    assert len(set(found)) == len(found)
    links = re.findall(r"\]\(#([^)]*)\)", PAGE)
    assert len(links) > len(CLASSES) and set(links) <= set(found)


def test_every_table_row_has_as_many_cells_as_its_head():
    tables = re.findall(r"(?:^\|.*\n)+", PAGE, re.M)
    for text in tables:
        lines = text.splitlines()
        counts = {len(re.findall(r"(?<!\\)\|", line)) for line in lines}
        assert len(counts) == 1, lines[0]


def test_no_code_span_is_left_open():
    text = re.sub(r"^```.*?^```$", "", PAGE, flags=re.M | re.S)
    for line in text.splitlines():
        assert line.count("`") % 2 == 0, line
        assert "**" not in re.sub(r"`[^`]*`", "", line), line


def test_a_loss_with_a_memory_gets_a_group_of_its_own(generator):
    assert generator.group(losses.ELR) == generator.GROUPS[2]
    assert generator.group(losses.NCE) == generator.GROUPS[1]
    assert generator.group(losses.GCE) == generator.GROUPS[0]
    assert generator.group(losses.ActivePassive) == generator.GROUPS[3]
    assert generator.group(losses.Hill) == generator.GROUPS[4]
