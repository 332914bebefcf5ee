"""The archives of WebVision, whatever their headers claim."""

import hashlib
import io
import tarfile
import tracemalloc

import pytest

from keras_noisy.datasets.webvision._archive import Archive

pytestmark = pytest.mark.once

HUGE = 5 * 10**9
BAD = "google/q0002/bad.jpg"
GOOD = {
    f"google/q0001/{name}.jpg": name.encode() * 700 for name in ("a", "b c")
}


def binary(number, length):
    """A number with too many digits, as GNU tar writes it."""
    return b"\x80" + number.to_bytes(length - 1, "big")


def header(name, size, kind=b"0", **fields):
    """A header with fields at byte positions, such as `at_483`."""
    block = bytearray(512)
    block[: len(name)] = name.encode()
    block[124:136] = size if isinstance(size, bytes) else b"%011o\0" % size
    block[156:157] = kind
    block[257:265] = b"ustar  \0"
    for place, value in fields.items():
        start = int(place.removeprefix("at_"))
        block[start : start + len(value)] = value
    block[148:156] = b" " * 8
    block[148:156] = b"%06o\0 " % sum(block)
    return bytes(block)


def member(name, content, kind=b"0"):
    return (
        header(name, len(content), kind) + content + bytes(-len(content) % 512)
    )


def pax(kind=b"x", **records):
    """A header of pax that describes the member after it."""
    content = b""
    for key, value in records.items():
        line = f" {key.replace('_', '.')}={value}\n".encode()
        length = len(line) + len(str(len(line) + 3))
        content += b"%d" % length + line
    return member("PaxHeader", content, kind)


def archive(folder, *parts, end=bytes(10240)):
    file = folder / "google_resized_256.tar"
    file.write_bytes(b"".join(parts) + end)
    return Archive(file)


def good(name):
    return member(name, GOOD[name])


FIRST, LAST = map(good, GOOD)
EMPTY = member(BAD, b"0\n")
SIZES = {"at_386": b"%011o\0" % 0, "at_398": b"%011o\0" % 512}

LIES = {
    "GNU sparse": (
        header(BAD, 512, b"S", **SIZES, at_483=binary(HUGE, 12)) + bytes(512),
        "sparse",
    ),
    "GNU sparse with more of its map": (
        header(
            BAD, 512, b"S", at_410=binary(HUGE, 12), at_482=b"\1",
            at_483=binary(2 * HUGE, 12),
        ) + bytes(504) + b"\1" + bytes(7) + bytes(512) + b"\xff" * 512,
        "sparse",
    ),
    "pax sparse 0.0": (
        pax(GNU_sparse_size=HUGE, GNU_sparse_numblocks=0) + EMPTY,
        "sparse",
    ),
    "pax sparse 0.1": (
        pax(GNU_sparse_map="0,1,9,x", GNU_sparse_size=HUGE) + EMPTY,
        "sparse",
    ),
    "pax sparse 1.0": (
        pax(
            GNU_sparse_major=1, GNU_sparse_minor=0, GNU_sparse_name=BAD,
            GNU_sparse_realsize=HUGE,
        ) + member("GNUSparseFile.1/bad.jpg", b"9" * 600),
        "sparse",
    ),
    "sparse by the header of Solaris": (
        pax(b"X", GNU_sparse_realsize=HUGE) + EMPTY,
        "sparse",
    ),
    "size": (header(BAD, binary(HUGE, 12)), "claims 5000000000 bytes"),
    "size of an old header": (
        header(BAD, HUGE, b"\0"), "claims 5000000000 bytes"
    ),
    "size of pax": (pax(size=HUGE) + EMPTY, "claims 5000000000 bytes"),
    "size of 5000 digits": (pax(size="9" * 5000) + EMPTY, None),
    "negative size": (header(BAD, b"\xff" * 12), None),
    "no number": (header(BAD, b"0x9999999999"), None),
    "long name": (header("L", binary(HUGE, 12), b"L") + EMPTY, None),
    "header of pax": (header("x", binary(HUGE, 12), b"x") + EMPTY, None),
    "global header": (
        pax(b"g", GNU_sparse_realsize=HUGE, size=HUGE) + EMPTY, None
    ),
    "many records": (pax(**{f"k{i}": i for i in range(60_000)}) + EMPTY, None),
    "records that are none": (member("x", b"7 a=\n0 =", b"x") + EMPTY, None),
    "link": (header(BAD, HUGE, b"1"), "link"),
    "symbolic link": (header(BAD, 0, b"2"), "link"),
    "folder": (header(BAD, 0, b"5"), "link or no file"),
    "unknown kind": (header(BAD, 0, b"Z"), "link or no file"),
    "damage": (b"\1" + EMPTY[1:], None),
}  # fmt: skip


@pytest.mark.parametrize("lie", LIES)
def test_a_member_that_lies_is_skipped_and_the_others_are_read(tmp_path, lie):
    parts, reason = LIES[lie]
    found = archive(tmp_path, FIRST, parts, LAST)
    tracemalloc.start()
    try:
        content = dict(found.files({*GOOD, BAD}))
        assert tracemalloc.get_traced_memory()[1] < 4e6
    finally:
        tracemalloc.stop()
    # Archives that can be read as stored are fine.
    assert content.pop(BAD, b"0\n") == b"0\n"
    assert content == GOOD
    if reason is None:
        assert found.skipped == {}
    else:
        assert [*found.skipped] == [BAD]
        assert reason in found.skipped[BAD]
    whole = found.path.read_bytes()
    assert found.checksum == {
        "size": len(whole),
        "sha256": hashlib.sha256(whole).hexdigest(),
    }


def test_a_member_above_the_limit_is_passed_in_pieces(tmp_path):
    size = 70 * 10**6
    found = archive(tmp_path, FIRST, header(BAD, size), end=b"")
    with found.path.open("r+b") as file:  # with a hole, quickly written
        file.seek(-(-size // 512) * 512, 2)
        file.write(LAST + bytes(1024))
    tracemalloc.start()
    try:
        assert dict(found.files({*GOOD, BAD})) == GOOD
        assert tracemalloc.get_traced_memory()[1] < 8e6
    finally:
        tracemalloc.stop()
    assert found.skipped == {BAD: "70000000 bytes, more than 67108864"}
    content = dict(found.files({*GOOD, BAD}, limit=size))
    assert content.pop(BAD) == bytes(size) and content == GOOD
    assert found.skipped == {}


@pytest.mark.parametrize(
    "front", ["../", "/", "data/../../", "C:/", "..\\x/", "\\\\host/"]
)
def test_a_name_that_leaves_the_folder_is_skipped(tmp_path, front):
    name, other = GOOD
    found = archive(tmp_path, member(front + name, b"evil"), good(other))
    assert dict(found.files(GOOD)) == {other: GOOD[other]}
    assert found.skipped == {name: f"leaves the folder as {front + name!r}"}
    # The same file under a name that stays inside is read.
    found = archive(tmp_path, member(front + name, b"evil"), FIRST, LAST)
    assert dict(found.files(GOOD)) == GOOD
    assert found.skipped == {}


@pytest.mark.parametrize(
    "form", [tarfile.USTAR_FORMAT, tarfile.GNU_FORMAT, tarfile.PAX_FORMAT]
)
def test_every_form_of_tar_is_read(tmp_path, form):
    folder = "x" * 60
    expected = {
        "a.jpg": b"",
        "google/é ü/名.jpg": b"1" * 511,
        f"./data/{folder}/{folder}.jpg": b"2" * 512,
        "google/q0001/a  name .jpg": b"3" * 513,
    }
    if form != tarfile.USTAR_FORMAT:
        expected[f"{'long/' * 60}{folder * 3}.jpg"] = b"4" * 2000
    path = tmp_path / "google_resized_256.tar"
    with tarfile.open(path, "w", format=form) as tar:
        for name, content in expected.items():
            info = tarfile.TarInfo(name)
            info.size, info.mtime = len(content), 1.5
            info.uname = "someone"
            tar.addfile(info, io.BytesIO(content))
    found = Archive(path)
    assert dict(found.files(expected)) == expected
    assert found.skipped == {}


@pytest.mark.parametrize("kept", [0, 100, 512, 0.3, 0.6, 0.99])
def test_an_archive_that_was_cut_is_an_error_that_names_it(tmp_path, kept):
    content = FIRST + LAST + FIRST + LAST
    length = kept if isinstance(kept, int) else int(kept * len(content))
    found = archive(tmp_path, content[:length], end=b"")
    with pytest.raises(ValueError) as raised:
        list(found.files(GOOD))
    message = str(raised.value)
    assert f"`{found.path}` is no complete archive: its {length} bytes" in (
        message
    )
    assert message.endswith("/webvision/google_resized_256.tar")
    assert found.checksum == {}


def test_an_archive_cut_between_two_files_is_an_error(tmp_path):
    found = archive(tmp_path, FIRST, end=b"")
    with pytest.raises(ValueError, match=r"google_resized.*no complete"):
        list(found.files(GOOD))


def test_a_web_page_saved_as_archive_is_an_error(tmp_path):
    found = archive(tmp_path, b"<html>Not found</html>" * 100)
    with pytest.raises(ValueError, match="no complete archive"):
        list(found.files(GOOD))
