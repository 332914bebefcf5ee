"""The official layout of WebVision 1.0: its files, lists and classes."""

from __future__ import annotations

import codecs
import re
from collections.abc import Iterator, Mapping
from os import PathLike
from typing import Any

HOMEPAGE = "https://data.vision.ee.ethz.ch/cvl/webvision/dataset2017.html"
DOWNLOADS = "https://data.vision.ee.ethz.ch/cvl/webvision/"

NUM_CLASSES = 1000

#: Maximum number of bytes of an image, and of a list in an archive.
MOST_BYTES = 1 << 26
MOST_LIST_BYTES = 1 << 28

#: The sources of the training set and the number of classes.
CONFIGS = {
    "google": (("google",), NUM_CLASSES),
    "flickr": (("flickr",), NUM_CLASSES),
    "all": (("google", "flickr"), NUM_CLASSES),
    "mini": (("google",), 50),
}
SPLITS = ("train", "validation")

#: What each archive unpacks to.
FOLDERS = {
    "info": "info",
    "google": "google",
    "flickr": "flickr",
    "validation": "val_images_256",
}
ARCHIVES = {
    "info": "info.tar",
    "google": "google_resized_256.tar",
    "flickr": "flickr_resized_256.tar",
    "validation": "val_images_256.tar",
}
SYNSETS = "synsets.txt"
FILE_LISTS = {
    "google": "train_filelist_google.txt",
    "flickr": "train_filelist_flickr.txt",
    "validation": "val_filelist.txt",
}


def sources(config: str, split: str) -> tuple[str, ...]:
    """The sources of the images of a split."""
    return CONFIGS[config][0] if split == "train" else ("validation",)


def query(image_id: str) -> str:
    """The query that found an image, such as `"q0001"`, or `""`."""
    folder = image_id.split("/")[-2:-1]
    return folder[0] if folder and folder[0].startswith("q") else ""


def image_folder(root: Any, source: str) -> Any:
    """The unpacked folder to which the paths of a file list are relative."""
    return root / FOLDERS[source] if source == "validation" else root


def class_names(content: bytes, config: str) -> list[str]:
    """The classes of `synsets.txt`, by label.

    A name is the whole line, because two classes have the same word, `crane`.
    """
    names = [" ".join(line.split()) for _, line in _lines(content, SYNSETS)]
    if len(names) != NUM_CLASSES or len(set(names)) != NUM_CLASSES:
        raise ValueError(
            f"Expected `{SYNSETS}` of WebVision 1.0, {NUM_CLASSES} different "
            "lines such as 'n01440764 tench, Tinca tinca'. Received: "
            f"{len(names)} lines, {len(set(names))} of them different. Get it "
            f"again from {DOWNLOADS}{ARCHIVES['info']}"
        )
    return names[: CONFIGS[config][1]]


def labels(content: bytes, source: str, config: str) -> dict[str, int]:
    """The images of a file list and their labels, in the list's order.

    For `mini`, only the images of its classes. A repeated line is one image.
    """
    num_classes, file = CONFIGS[config][1], FILE_LISTS[source]
    found: dict[str, int] = {}
    for number, line in _lines(content, file):
        # A name may have spaces in it.
        *name, digits = line.rsplit(None, 1)
        image_id = _unquoted("".join(name))
        is_label = re.fullmatch(r"\d{1,9}", digits)
        label = int(digits) if is_label else NUM_CLASSES
        if not image_id or label >= NUM_CLASSES:
            raise ValueError(
                f"Expected a path, a space or a tab, and a label in "
                f"[0, {NUM_CLASSES}) in line {number} of `{file}`, such as "
                f"'google/q0001/NAME.jpg 0'. Received: {line!r}. Correct the "
                "line, or remove it"
            )
        if leaves_folder(image_id):
            raise ValueError(
                "Expected a path inside the folder of WebVision, with / "
                f"between its parts and no .., in line {number} of `{file}`. "
                f"Received: {line!r}. Correct the line, or remove it"
            )
        if label < num_classes and found.setdefault(image_id, label) != label:
            raise ValueError(
                f"Expected one label for each image of `{file}`. Received: "
                f"{image_id!r} with {found[image_id]} and, in line {number}, "
                f"with {label}. Remove one of the lines"
            )
    if not found:
        raise ValueError(
            f"Expected images with labels in [0, {num_classes}) in `{file}`. "
            "Received: none. Get it again from "
            f"{DOWNLOADS}{ARCHIVES['info']}"
        )
    return found


def leaves_folder(path: str) -> bool:
    """Whether a path is absolute or goes up, on any operating system."""
    return (
        path.startswith("/")
        or path[1:2] == ":"
        or "\\" in path
        or ".." in path.split("/")
    )


def missing(
    root: PathLike, parts: Mapping[str, str], advice: str
) -> FileNotFoundError:
    """An error that names the missing parts and their archives."""
    lines = [
        f"  {name}, from {DOWNLOADS}{ARCHIVES[part]}"
        for name, part in parts.items()
    ]
    return FileNotFoundError(
        "\n".join([f"WebVision is incomplete in `{root}`. {advice}", *lines])
    )


def listed(faults: Mapping[str, str], count: int) -> str:
    """The first `count` skipped images with the reasons, one per line."""
    lines = [f"  {name}: {fault}" for name, fault in faults.items()]
    if len(lines) > count:
        lines[count:] = [f"  and {len(lines) - count} more"]
    return "\n".join(lines)


def _lines(content: bytes, file: str) -> Iterator[tuple[int, str]]:
    """The non-empty lines and their numbers, with spaces between the cells.

    Editors and spreadsheets add byte order marks, tabs, quotes and empty lines.
    """
    if b"\0" in content or content.startswith(
        (codecs.BOM_UTF16_LE, codecs.BOM_UTF16_BE)
    ):
        raise ValueError(
            f"Expected `{file}` as a text in UTF-8. Received: UTF-16, or no "
            "text. Save it as UTF-8, or get it again from "
            f"{DOWNLOADS}{ARCHIVES['info']}"
        )
    # An image whose name is not UTF-8 is then reported as missing.
    text = content.decode("utf-8", errors="replace").replace("\ufeff", "")
    for number, line in enumerate(re.split(r"\r*\n|\r", text), 1):
        cells = [_unquoted(cell.strip()) for cell in line.split("\t")]
        if line := " ".join(cells).strip():
            yield number, line


def _unquoted(cell: str) -> str:
    """A cell as it was before a spreadsheet put it in quotes."""
    if len(cell) > 1 and cell[0] == cell[-1] == '"':
        return cell[1:-1].replace('""', '"')
    return cell
