"""Pages of the site that are not files in docs/.

MkDocs calls it, see `hooks` in mkdocs.yml. The catalogue becomes a page for
each loss, the API a page for each public name, and what stands beside docs/,
such as README.md and examples/, becomes part of the site. Links that work
between files of the repository then work on the site. Nothing here is imported
from the package: its files are read.
"""

import ast
import posixpath
import re
from collections.abc import Callable
from pathlib import Path
from typing import Any

from mkdocs.structure.files import File

ROOT = Path(__file__).resolve().parent.parent
CATALOGUE = (ROOT / "docs" / "losses.md").read_text(encoding="utf-8")
#: What stands beside docs/ and is part of the site.
BESIDE = (
    "*.md",
    "CITATION.cff",
    "LICENSE",
    "benchmarks/*.*",
    "examples/*.py",
    "notebooks/*.ipynb",
)


def linked(text: str, change: Callable[[str], str]) -> str:
    """Markdown with the targets of its links changed, but not in code."""
    parts = re.split(r"(^ *```.*?^ *```$)", text, flags=re.M | re.S)
    for number in range(0, len(parts), 2):
        parts[number] = re.sub(
            r"\]\((?!https?:)([^)\s]+)\)",
            lambda link: f"]({change(link[1])})",
            parts[number],
        )
    return "".join(parts)


def in_site(page: str, target: str) -> str:
    """A link between files of the repository as one of pages of the site."""
    path, mark, anchor = target.partition("#")
    if not path:
        return target
    outside = (ROOT / page).exists()
    folder = posixpath.dirname(page if outside else f"docs/{page}")
    path = posixpath.normpath(posixpath.join(folder, path))
    path = path.removeprefix("docs/")
    start = posixpath.dirname(page) or "."
    return posixpath.relpath(path, start) + mark + anchor


def losses() -> dict[str, dict[str, str]]:
    """The section of each loss by its name, by the title of its table."""
    head, _, tail = CATALOGUE.partition("## Each loss\n")
    tail = tail.partition("\n## ")[0]
    _, *parts = re.split(r"^### (.*)\n", tail, flags=re.MULTILINE)
    texts = dict(zip(parts[::2], parts[1::2], strict=True))
    groups = {}
    for table in head.split("\n## ")[1:]:
        title = table.partition("\n")[0]
        names = re.findall(r"^\| \[`(\w+)`\]", table, re.MULTILINE)
        groups[title] = {name: texts[name] for name in names}
    return groups


def catalogue() -> dict[str, str]:
    """The pages of the catalogue: the tables, and each loss."""
    groups = losses()
    names = {name.lower() for group in groups.values() for name in group}
    before, _, after = CATALOGUE.partition("## Each loss\n")
    after = "\n## " + after.partition("\n## ")[2]

    def from_tables(target: str) -> str:
        name = target.removeprefix("#")
        return f"losses/{name}.md" if name in names else target

    def from_loss(target: str) -> str:
        name = target.removeprefix("#")
        return f"{name}.md" if name in names else f"../losses.md{target}"

    pages = {"losses.md": linked(before.rstrip() + "\n" + after, from_tables)}
    for group in groups.values():
        for name, text in group.items():
            page = f"# {name}\n{linked(text, from_loss)}"
            pages[f"losses/{name.lower()}.md"] = page
    return pages


def public(package: Path) -> tuple[str, list[str]]:
    """The docstring and the public names of a package, without an import."""
    tree = ast.parse(package.read_text(encoding="utf-8"))
    for node in tree.body:
        if isinstance(node, ast.Assign) and node.targets[0].id == "__all__":
            return ast.get_docstring(tree), ast.literal_eval(node.value)
    raise ValueError(f"Expected `__all__` in {package}")


def api() -> dict[str, str]:
    """The pages of the API: all packages, each package, each name."""
    described = {name.lower() for group in losses().values() for name in group}
    pages, packages = {}, []
    for file in sorted((ROOT / "keras_noisy").glob("*/__init__.py")):
        package = file.parent.name
        what, names = public(file)
        lines = [f"# keras_noisy.{package}", what, ""]
        for name in names:
            if package == "losses" and name.lower() in described:
                lines.append(f"- [{name}](../../losses/{name.lower()}.md)")
                continue
            lines.append(f"- [{name}]({name}.md)")
            title = f"---\ntitle: {name}\n---\n\n"
            pages[f"api/{package}/{name}.md"] = (
                f"{title}::: keras_noisy.{package}.{name}\n"
            )
        pages[f"api/{package}/index.md"] = "\n".join(lines) + "\n"
        first = what.partition("\n")[0]
        packages.append(f"| [{package}]({package}/index.md) | {first} |")
    table = "\n".join(["| Package | What it has |", "| --- | --- |", *packages])
    pages["api/index.md"] = f"# API\n\n{table}\n"
    return pages


def on_config(config: Any) -> Any:
    """Put the generated pages into the navigation."""
    for entry in config.nav:
        if "Catalogue" in entry:
            entry["Catalogue"] = ["losses.md"]
            for title, group in losses().items():
                pages = [{n: f"losses/{n.lower()}.md"} for n in group]
                if pages:
                    entry["Catalogue"].append({title: pages})
        if "API" in entry:
            pages = sorted(api())
            entry["API"] = ["api/index.md"]
            for index in pages:
                if index.count("/") == 2 and index.endswith("/index.md"):
                    folder = index.removesuffix("index.md")
                    of = [p for p in pages if p.startswith(folder)]
                    of.sort(key=lambda page: page != index)
                    entry["API"].append({folder.split("/")[1]: of})
    return config


def on_files(files: Any, config: Any) -> Any:
    """Add what is generated and what stands beside docs/."""
    for path, text in (catalogue() | api()).items():
        if old := files.get_file_from_path(path):
            files.remove(old)
        files.append(File.generated(config, path, content=text))
    for pattern in BESIDE:
        for found in sorted(ROOT.glob(pattern)):
            path = found.relative_to(ROOT).as_posix().removeprefix("docs/")
            if old := files.get_file_from_path(path):
                files.remove(old)
            file = File.generated(config, path, abs_src_path=str(found))
            files.append(file)
    return files


def on_page_markdown(markdown: str, page: Any, **kwargs: Any) -> str:
    """Links between files of the repository become links of the site."""
    source = page.file.src_uri
    if source.startswith(("losses", "api/")):  # They are made for the site.
        return markdown
    return linked(markdown, lambda target: in_site(source, target))
