"""Both readers see the same picture in every file format."""

import os
import struct
import zlib

import numpy as np
import pytest
from PIL import Image

from keras_noisy.datasets import ImageDataset, ImageFiles, pipeline

tf = pytest.importorskip("tensorflow")
pytestmark = pytest.mark.once

HEIGHT, WIDTH = 40, 56
ROWS, COLUMNS = np.mgrid[:HEIGHT, :WIDTH]
PIXELS = np.stack([4 * COLUMNS, 6 * ROWS, 255 - 4 * COLUMNS], axis=-1).astype(
    "uint8"
)
PICTURE = Image.fromarray(PIXELS)
GRAY = PICTURE.convert("L")
ALPHA = Image.fromarray((3 * (ROWS + COLUMNS) % 256).astype("uint8"))
DEEP = (ROWS * 1500 + 3).astype("uint16")


def with_alpha(image):
    image = image.copy()
    image.putalpha(ALPHA)
    return image


CLEAR = with_alpha(PICTURE)
FRAMES = {"save_all": True, "append_images": [PICTURE.rotate(180)]}
BLACK_AND_WHITE = PICTURE.convert("1")
#: Picture, format, arguments of saving.
FORMS = {
    "jpeg": (PICTURE, "JPEG", {"quality": 95}),
    "jpeg gray": (GRAY, "JPEG", {"quality": 95}),
    "jpeg cmyk": (PICTURE.convert("CMYK"), "JPEG", {"quality": 95}),
    "jpeg progressive": (PICTURE, "JPEG", {"progressive": True}),
    "jpeg of subsampled colors": (PICTURE, "JPEG", {"subsampling": 2}),
    "png": (PICTURE, "PNG", {}),
    "png gray": (GRAY, "PNG", {}),
    "png palette": (PICTURE.quantize(64), "PNG", {}),
    "png clear palette": (CLEAR.quantize(64), "PNG", {}),
    "png palette with a clear color": (
        PICTURE.quantize(64),
        "PNG",
        {"transparency": 3},
    ),
    "png one bit": (BLACK_AND_WHITE, "PNG", {}),
    "png 16 bits": (Image.fromarray(DEEP), "PNG", {}),
    "png gray and alpha": (with_alpha(GRAY), "PNG", {}),
    "png rgba": (CLEAR, "PNG", {}),
    "png animated": (PICTURE, "PNG", FRAMES),
    "bmp": (PICTURE, "BMP", {}),
    "bmp gray": (GRAY, "BMP", {}),
    "bmp palette": (PICTURE.quantize(16), "BMP", {}),
    "bmp one bit": (BLACK_AND_WHITE, "BMP", {}),
    "gif": (PICTURE.quantize(128), "GIF", {}),
    "gif animated": (PICTURE.quantize(128), "GIF", FRAMES),
    "gif clear": (CLEAR.quantize(64), "GIF", {}),
    "webp": (PICTURE, "WEBP", {"quality": 90}),
    "webp lossless": (CLEAR, "WEBP", {"lossless": True, "exact": True}),
    "webp animated": (PICTURE, "WEBP", FRAMES | {"lossless": True}),
    "tiff": (PICTURE, "TIFF", {}),
    "tiff cmyk": (PICTURE.convert("CMYK"), "TIFF", {}),
    "tiff palette": (PICTURE.quantize(64), "TIFF", {}),
    "tiff one bit": (BLACK_AND_WHITE, "TIFF", {}),
    "tiff 16 bits": (Image.fromarray(DEEP), "TIFF", {}),
    "tiff rgba": (CLEAR, "TIFF", {"compression": "tiff_lzw"}),
    "tiff of two pages": (PICTURE, "TIFF", FRAMES),
    "ppm 16 bits": (Image.fromarray(DEEP), "PPM", {}),
}


def wanted(name):
    """The picture itself; that of a palette is what it was reduced to."""
    image, _, _ = FORMS[name]
    if "16 bits" in name:
        return np.repeat((DEEP >> 8)[..., None], 3, axis=-1)
    image = image.convert("RGBA") if image.mode == "P" else image
    return np.asarray(image.convert("RGB"))


def both(files, **arguments):
    """The images of both readers, from 0 to 255."""
    given = files, np.arange(len(files))
    arguments = {"batch_size": len(files), "image_size": (HEIGHT, WIDTH)}
    ours = ImageDataset(given, **arguments)[0][0]
    theirs = next(pipeline(given, **arguments).as_numpy_iterator())[0]
    return 255 * ours, 255 * theirs


def test_both_readers_see_the_picture_itself(tmp_path):
    files = []
    for name, (image, form, arguments) in FORMS.items():
        # File extensions do not matter.
        files.append(str(tmp_path / f"{name}.jpg"))
        image.save(files[-1], form, **arguments)
    ours, theirs = both(files)
    for i, name in enumerate(FORMS):
        lossy = name.startswith("jpeg") or name == "webp"
        close = np.abs(ours[i] - wanted(name)).mean()
        assert close < (3 if lossy else 0.01), name
        assert np.abs(ours[i] - theirs[i]).max() < 0.01, name
    checked = ImageFiles(files, np.arange(len(files))).check()
    assert checked.files.tolist() == files
    assert checked.skipped == {}


def test_jpegs_that_others_wrote_are_the_same_in_both_readers(tmp_path):
    PICTURE.convert("CMYK").save(tmp_path / "cmyk.jpg", quality=95)
    PICTURE.save(tmp_path / "rgb.jpg", quality=95, keep_rgb=True)
    PICTURE.save(tmp_path / "exif.jpg", exif=orientation(6))
    data = (tmp_path / "cmyk.jpg").read_bytes()
    place = data.index(b"Adobe")
    # Without the marker that says how the colors are meant.
    (tmp_path / "bare.jpg").write_bytes(data[: place - 4] + data[place + 12 :])
    PICTURE.save(tmp_path / "long.jpg")
    with open(tmp_path / "long.jpg", "ab") as file:
        file.write(b"bytes after the end")
    names = "cmyk", "rgb", "exif", "bare", "long"
    ours, theirs = both([str(tmp_path / f"{name}.jpg") for name in names])
    for i, name in enumerate(names):
        assert np.abs(ours[i] - theirs[i]).max() < 0.01, name
    # A picture that lies on its side stays there, as in training with Keras.
    assert np.abs(ours[2] - PIXELS).mean() < 4


def orientation(number):
    exif = Image.Exif()
    exif[0x0112] = number
    return exif


def large_png(side):
    """A few bytes that claim to be a picture of this size."""

    def chunk(kind, data):
        body = kind + data
        return (
            struct.pack(">I", len(data))
            + body
            + struct.pack(">I", zlib.crc32(body))
        )

    return (
        b"\x89PNG\r\n\x1a\n"
        + chunk(b"IHDR", struct.pack(">IIBBBBB", side, side, 8, 2, 0, 0, 0))
        + chunk(b"IDAT", zlib.compress(b"\0" * 100))
        + chunk(b"IEND", b"")
    )


def jpeg(**arguments):
    """A JPEG that is cut in its pixels rather than its header."""
    noise = np.random.default_rng(0).integers(256, size=(96, 96, 3))
    image = Image.fromarray(noise.astype("uint8"))
    file = tf.io.encode_jpeg(np.asarray(image), quality=95, **arguments)
    return file.numpy()


def large_jpeg(height, width):
    """A whole JPEG whose header claims another size."""
    data = jpeg()
    place = data.index(b"\xff\xc0")
    size = struct.pack(">HH", height, width)
    return data[: place + 5] + size + data[place + 9 :]


BROKEN = {
    "empty": lambda: b"",
    "page": lambda: b"<!DOCTYPE html><html>not found</html>",
    "one byte": lambda: b"\xff",
    "start of a jpeg": lambda: b"\xff\xd8\xff",
    "start and end of a jpeg": lambda: b"\xff\xd8\xff\xd9",
    "header cut, with an end": lambda: jpeg()[:200] + b"\xff\xd9",
    "end cut": lambda: jpeg()[:-2],
    "half": lambda: jpeg()[: len(jpeg()) // 2],
    "half of a progressive": lambda: jpeg(progressive=True)[:5000],
    "damaged tables": lambda: jpeg()[:180] + bytes(60) + jpeg()[240:],
    "large jpeg": lambda: large_jpeg(60_000, 60_000),
    "large png": lambda: large_png(13_000),
    "half a png": lambda: large_png(50),
    "postscript": lambda: (
        b"%!PS-Adobe-3.0 EPSF-3.0\n%%BoundingBox: 0 0 9 9\n"
        b"%%EndComments\n9 9 moveto\n%%EOF\n"
    ),
    "float tiff": None,
}


@pytest.mark.filterwarnings("ignore::PIL.Image.DecompressionBombWarning")
def test_what_cannot_be_read_is_named_by_both_readers_and_by_check(tmp_path):
    names = []
    for name, content in BROKEN.items():
        path = tmp_path / f"{name}.jpg"
        if content is None:
            Image.fromarray(DEEP.astype("float32")).save(path, "TIFF")
        else:
            path.write_bytes(content())
        names.append(path)
    names.append(tmp_path / "folder.jpg")
    names[-1].mkdir()
    names.append(tmp_path / "gone.jpg")
    (tmp_path / "whole.jpg").write_bytes(jpeg())
    with_whole = [*map(str, names), str(tmp_path / "whole.jpg")]
    for path in names:
        given = [str(path)], [0]
        with pytest.raises((ValueError, OSError)) as error:
            ImageDataset(given, 1, image_size=8)[0]
        assert str(path) in str(error.value)
        assert "eave it out" in str(error.value)
    # One pipeline for all, as each is compiled.
    labels = np.arange(len(with_whole))
    seen = iter(pipeline((with_whole, labels), 1, image_size=8))
    for path in names:
        with pytest.raises(tf.errors.OpError) as error:
            next(seen)
        assert str(path) in str(error.value)
    assert next(seen)[1].numpy().tolist() == [len(names)]
    checked = ImageFiles(with_whole, labels).check(workers=2)
    assert checked.labels.tolist() == [len(names)]
    assert list(checked.skipped) == [*map(str, names)]
    assert all(checked.skipped.values())
    for name, reason in (
        ("gone", "missing"),
        ("folder", "directory"),
        ("empty", "(0 bytes)"),
        ("end cut", "truncated"),
        ("large png", "13000 x 13000 pixels"),
        ("large jpeg", "pixels"),
        ("postscript", "program"),
        ("float tiff", "white"),
    ):
        assert reason in checked.skipped[str(tmp_path / f"{name}.jpg")]


def test_a_limit_that_the_user_raised_counts(tmp_path, monkeypatch):
    Image.new("RGB", (60, 50)).save(tmp_path / "a.png")
    given = [str(tmp_path / "a.png")], [0]
    monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", 2999)
    with (
        pytest.warns(Image.DecompressionBombWarning),
        pytest.raises(ValueError, match=r"60 x 50 pixels, more than the 2999"),
    ):
        ImageDataset(given, 1, image_size=8)[0]
    for limit in (3000, None):
        monkeypatch.setattr(Image, "MAX_IMAGE_PIXELS", limit)
        assert ImageDataset(given, 1, image_size=8)[0][0].shape == (1, 8, 8, 3)


def test_a_name_that_is_no_utf_8_is_read(tmp_path):
    path = os.fsencode(tmp_path) + b"/caf\xe9.png"  # codespell:ignore caf
    try:
        with open(path, "wb") as file:
            PICTURE.save(file, "PNG")
    except OSError:
        pytest.skip("the file system takes UTF-8 alone")
    for paths in ([path], [os.fsdecode(path)]):
        ours, theirs = both(paths)
        assert np.abs(ours - theirs).max() < 0.01
        assert np.abs(ours[0] - PIXELS).max() < 0.01
