"""Archives of many gigabytes, read once from start to end."""

from __future__ import annotations

from collections.abc import Container, Iterator
from typing import Any

from keras_noisy.datasets.webvision._layout import (
    DOWNLOADS,
    MOST_BYTES,
    leaves_folder,
)
from keras_noisy.datasets.webvision._tar import BLOCK, HashedFile, members


class Archive:
    """A tar file that is read and hashed in one pass, without unpacking.

    After the last of `files`, `checksum` has the size and the SHA-256 of the
    whole file. `skipped` has the wanted files that were not read, with the
    reasons.
    """

    def __init__(self, path: Any):
        self.path = path
        self.checksum: dict[str, int | str] = {}
        self.skipped: dict[str, str] = {}

    def files(
        self, wanted: Container[str], limit: int = MOST_BYTES
    ) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file whose path ends in a wanted name.

        `wanted` may change meanwhile. Files larger than `limit` bytes are
        skipped.
        """
        with self.path.open("rb") as file:
            hashed = HashedFile(file)
            for member in members(hashed):
                name = member.name
                while name not in wanted and "/" in name:
                    name = name.split("/", 1)[1]
                if name not in wanted:
                    continue
                fault = member.fault
                if leaves_folder(member.name):
                    fault = f"leaves the folder as {member.name!r}"
                elif member.size > limit:
                    fault = f"{member.size} bytes, more than {limit}"
                if fault:
                    self.skipped[name] = fault
                else:
                    self.skipped.pop(name, None)
                    yield name, hashed.read(member.size)
            # An archive cut between two files would only seem to have fewer.
            if hashed.size <= BLOCK or hashed.tail.strip(b"\0"):
                raise ValueError(
                    f"`{self.path}` is no complete archive: its "
                    f"{hashed.length} bytes do not begin and end like a tar "
                    f"file. Get it again from {DOWNLOADS}{self.path.name}"
                )
        self.checksum = {
            "size": hashed.size,
            "sha256": hashed.sha256.hexdigest(),
        }
