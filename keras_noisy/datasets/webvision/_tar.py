"""Reads untrusted tar files once, from start to end."""

from __future__ import annotations

import hashlib
import re
from collections.abc import Iterator
from typing import IO, NamedTuple

BLOCK = 512
_PIECE = 1 << 20
#: Maximum bytes that describe a member: a long name, or pax records.
_MOST_DESCRIPTION = 1 << 20

_FILES, _SPARSE = (b"0", b"\0", b"7"), b"S"
_LONG_NAME, _PAX = b"L", (b"x", b"X")
# Long link targets and global records say nothing about a member.
_DESCRIPTIONS = (_LONG_NAME, *_PAX, b"K", b"g")
_RECORD = re.compile(rb"(\d{1,9}) ([^=\n]+)=")


class Member(NamedTuple):
    """A member of a tar file; `fault` says why it has no content to read."""

    name: str
    size: int
    fault: str


class HashedFile:
    """A file with its SHA-256, and the size and the end of what was read."""

    def __init__(self, file: IO[bytes]):
        self._file = file
        file.seek(0, 2)
        self.length = file.tell()
        file.seek(0)
        self.size = 0
        self.tail = b""
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        """The next `size` bytes, fewer at the end."""
        content = self._file.read(size)
        self.size += len(content)
        self.sha256.update(content)
        self.tail = (self.tail + content[-2 * BLOCK :])[-2 * BLOCK :]
        return content

    def read_until(self, position: int) -> None:
        """Go on to a position, with little in memory."""
        while self.size < position and self.read(
            min(position - self.size, _PIECE)
        ):
            pass


def members(file: HashedFile) -> Iterator[Member]:
    """The members; read each from `file` before asking for the next.

    `tarfile` trusts the headers: it keeps names of any length and fills sparse
    files with zeros, and it ends at the first damage. This reader continues
    with the next valid header. It stops at once if the file does not begin like
    a tar file.
    """
    described: dict[str, str] = {}
    while block := file.read(BLOCK):
        try:
            kind, name, size = _header(block)
        except ValueError:
            if file.size <= BLOCK and block.strip(b"\0"):
                return
            described = {}
            continue
        if kind in _DESCRIPTIONS:
            if size > _MOST_DESCRIPTION:
                continue
            end = _end(file, size)
            content = file.read(size)
            file.read_until(end)
            if kind == _LONG_NAME:
                described["path"] = _text(content)
            elif kind in _PAX:
                described |= _records(content)
            continue
        name = described.get("GNU.sparse.name", described.get("path", name))
        claimed = described.get("size", "")
        if re.fullmatch(r"\d{1,19}", claimed):
            size = int(claimed)
        sparse = kind == _SPARSE or "sparse" in described
        described = {}
        fault = ""
        if kind not in (*_FILES, _SPARSE):
            size, fault = 0, "a link or no file in the archive"
        elif size > file.length - file.size:
            # The end of its content is unknown: look for the next header in it.
            fault = f"claims {size} bytes, more than are left of the archive"
            size = 0
        elif sparse:
            fault = "a sparse file in the archive"
        end = _end(file, size)
        yield Member(name, size, fault)
        file.read_until(end)


def _end(file: HashedFile, size: int) -> int:
    """The end of content of `size`, padded to a whole block."""
    return file.size + -(-size // BLOCK) * BLOCK


def _header(block: bytes) -> tuple[bytes, str, int]:
    """Kind, name and size, or a ValueError if it is not a header."""
    if len(block) < BLOCK:
        raise ValueError
    # The checksum counts itself as spaces; some old programs sign the bytes.
    others = block[:148] + block[156:]
    total = sum(others) + 8 * ord(" ")
    signed = total - 256 * sum(byte > 127 for byte in others)
    if _number(block[148:156]) not in (total, signed):
        raise ValueError
    kind, name = block[156:157], _text(block[:100])
    prefix = _text(block[345:500])
    if prefix and block[257:263] == b"ustar\0":
        name = f"{prefix}/{name}"
    return kind, name, _number(block[124:136])


def _number(field: bytes) -> int:
    if field[0] == 0x80:  # binary, for sizes of 8 GiB and more
        return int.from_bytes(field[1:], "big")
    digits = field.strip(b" \0")
    if not re.fullmatch(rb"[0-7]*", digits):
        raise ValueError
    return int(digits or b"0", 8)


def _text(content: bytes) -> str:
    return content.split(b"\0")[0].decode("utf-8", errors="surrogateescape")


def _records(content: bytes) -> dict[str, str]:
    """Name and size from pax records of the form `length key=value`."""
    found, start = {}, 0
    while match := _RECORD.match(content, start):
        end = start + int(match[1])
        if end <= match.end():
            break
        key = _text(match[2])
        if key in ("path", "size", "GNU.sparse.name"):
            found[key] = _text(content[match.end() : end - 1])
        if key.startswith("GNU.sparse."):
            found["sparse"] = "yes"
        start = end
    return found
