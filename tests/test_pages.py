"""The pages: code runs; links, commands and pictures exist."""

import ast
import importlib
import re
from pathlib import Path

import pytest

pytestmark = pytest.mark.once

ROOT = Path(__file__).parent.parent
PAGES = sorted(
    str(page.relative_to(ROOT))
    for folder in (".", "docs", "benchmarks", "notebooks")
    for page in (ROOT / folder).glob("*.md")
)
TEXTS = {page: (ROOT / page).read_text(encoding="utf-8") for page in PAGES}
#: One page on GitHub, and a page for each loss on the site.
CATALOGUE = "docs/losses.md"
#: The examples of the catalogue run with the docstrings.
TO_RUN = [p for p in PAGES if p not in (CATALOGUE, "CONTRIBUTING.md")]
#: Shorter replacements for slow code in the pages.
SMALLER = {
    "num_classes=100)\n": "num_classes=100, num_samples=4_000)\n",
    "num_samples=10_000": "num_samples=4_000",
    "imbalance=0.01": "imbalance=0.05",
    "max_trials=12": "max_trials=4",
    "2000:": "1000:",
    ":2000": ":1000",
}


def blocks(page, language):
    return re.findall(rf"```{language}\n(.*?)```", TEXTS[page], re.DOTALL)


def of_language(language):
    return [p for p in TO_RUN if blocks(p, language)]


def prose(page):
    """A page without its blocks of code."""
    return re.sub(r"^ *```.*?^ *```$", "", TEXTS[page], flags=re.M | re.S)


def anchors(text):
    """The anchors that GitHub makes from the headings."""
    headings = re.findall(r"^#+ (.*)$", text, re.MULTILINE)
    words = [re.sub(r"[^\w -]", "", heading).lower() for heading in headings]
    return {word.replace(" ", "-") for word in words}


# KerasTuner uses names that Python has deprecated.
@pytest.mark.filterwarnings(
    "ignore:.* is deprecated, (use current_thread|get the name):"
)
@pytest.mark.parametrize("page", of_language("python"))
def test_python_blocks_of_the_pages_run(page, tmp_path, monkeypatch):
    """Later blocks continue earlier ones, as for a reader."""
    monkeypatch.chdir(tmp_path)
    code = "\n".join(blocks(page, "python"))
    for here, there in SMALLER.items():
        code = code.replace(here, there)
    exec(compile(code, page, "exec"), {"__name__": "page"})


@pytest.mark.parametrize("page", of_language("py"))
def test_blocks_that_need_a_download_name_what_exists(page):
    for code in blocks(page, "py"):
        for node in ast.walk(ast.parse(code)):
            if isinstance(node, ast.ImportFrom):
                module = importlib.import_module(node.module)
                for name in node.names:
                    assert hasattr(module, name.name), name.name


def test_links_lead_to_files_and_headings():
    for page in PAGES:
        for link in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
            if link.startswith(("https://", "http://")):
                continue
            path, _, anchor = link.partition("#")
            target = (ROOT / page).parent / path if path else ROOT / page
            assert target.exists(), (page, link)
            if anchor:
                assert anchor in anchors(target.read_text()), (page, link)


def test_commands_name_programs_and_their_options():
    found = 0
    for page in PAGES:
        text = re.sub(r"\\?\n\s*", " ", TEXTS[page])
        pattern = r"((?:examples|benchmarks|docs|notebooks)/\w+\.py)([^`|]*)"
        for program, rest in re.findall(rf"python {pattern}", text):
            source = (ROOT / program).read_text(encoding="utf-8")
            command = re.split(r"KERAS_BACKEND|python |[.;:]( |$)|#", rest)[0]
            for option in re.findall(r" (--[a-z-]+)", command):
                assert f'"{option}"' in source, (page, program, option)
            found += 1
    assert found > 20


def test_every_picture_names_its_command():
    """The page has the command of the program that writes the picture."""
    found = 0
    for page in PAGES:
        for picture in re.findall(r"!\[[^]]+\]\(([^)]+)\)", prose(page)):
            programs = re.findall(r"python (\w+/\w+\.py)", TEXTS[page])
            name, found = Path(picture).name, found + 1
            assert any(
                name in TEXTS[page].replace(f"]({picture})", "")
                or Path(picture).stem in (ROOT / program).read_text()
                for program in programs
            ), (page, picture)
    assert found > 5


def test_a_page_is_read_in_a_minute():
    tables = {"benchmarks/accuracy.md", "benchmarks/loss_speed.md"}
    pages = set(TO_RUN) - tables
    lengths = {page: TEXTS[page].count("\n") for page in pages}
    assert lengths["README.md"] <= 130
    too_long = {page for page, length in lengths.items() if length > 250}
    assert not too_long


def test_the_readme_begins_with_install_and_few_lines_of_code():
    first, *_ = blocks("README.md", "python")
    assert len(first.strip().replace("\n\n", "\n").splitlines()) == 8
    assert TEXTS["README.md"].index("pip install") < 600
