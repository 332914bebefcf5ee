"""Archives of many gigabytes, read once from start to end."""

from __future__ import annotations

import hashlib
import tarfile
from collections.abc import Container, Iterator
from typing import IO, Any

from keras_noisy.datasets.webvision._layout import DOWNLOADS


class Archive:
    """A tar file that is read and hashed in one pass, without unpacking.

    After the last of `files` the size and the SHA-256 of the whole file are
    in `checksum`.
    """

    def __init__(self, path: Any):
        self.path = path
        self.checksum: dict[str, int | str] = {}

    def files(self, wanted: Container[str]) -> Iterator[tuple[str, bytes]]:
        """Name and content of each file of which the end of the path is wanted.

        `wanted` may change meanwhile.
        """
        with self.path.open("rb") as file:
            hashed = _HashedFile(file)
            try:
                with tarfile.open(
                    fileobj=hashed, mode="r|", bufsize=1 << 20
                ) as tar:
                    while member := tar.next():
                        tar.members.clear()  # a gigabyte at the end of it
                        name = member.name
                        while name not in wanted and "/" in name:
                            name = name.split("/", 1)[1]
                        if name in wanted and member.isfile():
                            yield name, tar.extractfile(member).read()
            except tarfile.ReadError as error:
                raise ValueError(
                    f"`{self.path}` is no complete archive, it fails after "
                    f"{hashed.size} bytes ({error}). Get it again from "
                    f"{DOWNLOADS}{self.path.name}"
                ) from error
            # What follows the end of the archive belongs to the file.
            while hashed.read(1 << 20):
                pass
            # Cut between two files it would only seem to have fewer of them.
            if hashed.tail.strip(b"\0"):
                raise ValueError(
                    f"`{self.path}` is no complete archive, it has no end. Get "
                    f"it again from {DOWNLOADS}{self.path.name}"
                )
        self.checksum = {
            "size": hashed.size,
            "sha256": hashed.sha256.hexdigest(),
        }


class _HashedFile:
    def __init__(self, file: IO[bytes]):
        self.file = file
        self.size = 0
        self.tail = b""
        self.sha256 = hashlib.sha256()

    def read(self, size: int) -> bytes:
        content = self.file.read(size)
        self.size += len(content)
        self.sha256.update(content)
        self.tail = (self.tail + content)[-1024:]
        return content
