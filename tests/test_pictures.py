"""Pictures of samples, some of which cannot be shown, and of losses."""

import io
import itertools
import re
import struct
import zlib

import numpy as np
import pytest
from shown_epochs import EPOCHS, LABELS, shown

from keras_noisy.losses import GCE, MAE, NCE, ActivePassive, MAEStar
from keras_noisy.quality._pictures import Picture, figure, pictures, with_notes

pytestmark = pytest.mark.once
Image = pytest.importorskip("PIL.Image", reason="files need Pillow")


def png_that_claims(width, height):
    """A few bytes that would decode to this many pixels."""

    def chunk(kind, data):
        code = struct.pack(">I", zlib.crc32(kind + data))
        return struct.pack(">I", len(data)) + kind + data + code

    header = struct.pack(">IIBBBBB", width, height, 8, 0, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", header) + chunk(b"IEND", b"")


def broken(folder):
    """Images of every kind that cannot be shown, with the reason."""
    whole = io.BytesIO()
    noise = np.random.default_rng(0).integers(0, 256, (64, 64, 3), "uint8")
    Image.fromarray(noise).save(whole, "JPEG")
    for name, content in {
        "empty.png": b"",
        "text.jpg": b"<html>not found</html>",
        "cut.jpg": whole.getvalue()[: len(whole.getvalue()) // 2],
        "bomb.png": png_that_claims(13_000, 13_000),
        "larger.png": png_that_claims(60_000, 60_000),
    }.items():
        (folder / name).write_bytes(content)
    (folder / "folder.png").mkdir()
    return {
        folder / "empty.png": "cannot identify image file.*empty",
        np.str_(folder / "text.jpg"): "cannot identify image file '/.*text",
        str(folder / "cut.jpg").encode(): "cut.jpg.*truncated",
        folder / "bomb.png": "bomb.png.*169000000 pixels",
        folder / "larger.png": "larger.png.*3600000000 pixels",
        folder / "missing.png": "No such file.*missing",
        folder / "folder.png": "folder.png",
    }


BAD_ARRAYS = [
    (np.full((4, 4), np.nan), "no value is finite"),
    (np.full((4, 4), -np.inf, "float32"), "no value is finite"),
    (np.zeros((5, 5, 2)), r"Received: shape \(5, 5, 2\)"),
    (np.zeros((0, 4)), r"Received: shape \(0, 4\)"),
    (np.float64(3), r"Received: shape \(\)"),
    (None, "ValueError"),
    (float("nan"), r"Received: shape \(\)"),
    (np.array([["a", "b"]]), "could not convert"),
]


@pytest.fixture
def good():
    return list(np.random.default_rng(1).random((40, 6, 8)))


def assert_gap(images, reason, good):
    """The bad image, at 2, is a gray area; the others do not change."""
    expected = list(pictures(good, range(40)))
    found = list(with_notes(images, range(40)))
    for i, (picture, pixels) in enumerate(zip(found, expected, strict=True)):
        assert picture.is_gap == (i == 2)
        if i != 2:
            np.testing.assert_array_equal(picture.pixels, pixels)
            assert picture.note == ""
    assert set(found[2].pixels.ravel().tolist()) == {128}
    assert re.search(reason, found[2].note, re.DOTALL), found[2].note
    assert len(found[2].note) <= 200


def test_a_file_that_cannot_be_read_is_a_gap(good, tmp_path):
    for path, reason in broken(tmp_path).items():
        assert_gap([*good[:2], path, *good[3:]], reason, good)


@pytest.mark.parametrize("number", range(len(BAD_ARRAYS)))
def test_an_array_that_cannot_be_shown_is_a_gap(number, good):
    image, reason = BAD_ARRAYS[number]
    assert_gap([*good[:2], image, *good[3:]], reason, good)


@pytest.mark.parametrize("place", [0, 5, 39])
@pytest.mark.parametrize(
    ("value", "note"),
    [
        (np.inf, "1 of 48 values are not finite"),
        (-np.inf, "1 of 48"),
        (np.nan, "1 of 48"),
        (1e30, r"up to 1e\+30"),
        (-1e9, r"up to 1e\+09"),
    ],
)
@pytest.mark.parametrize("scale", ["0 to 1", "0 to 255", "standardized"])
def test_one_strange_value_leaves_the_others_as_they_are(
    place, value, note, scale, good
):
    images = np.array(good)
    images = {
        "0 to 1": images,
        "0 to 255": 255 * images,
        "standardized": 4 * images - 2,
    }[scale]
    expected = list(pictures(images, range(40)))
    images[place, 0, 0] = value
    for i, picture in enumerate(with_notes(images, range(40))):
        same = picture.pixels == expected[i]
        if i == place:
            assert np.mean(picture.note.startswith(("1 of", "values")))
            assert note.replace("\\", "") in picture.note
            assert not picture.is_gap and same.ravel()[1:].mean() > 0.9
        else:
            assert same.all() and not picture.note


def test_too_large_for_32_bits_is_infinite_without_a_warning(good):
    images = np.array(good)
    images[3, 0] = 1e300
    found = list(with_notes(images, range(40)))
    assert found[3].note == "8 of 48 values are not finite"


def test_large_files_are_made_small(tmp_path):
    Image.new("RGB", (3000, 1500), (10, 200, 30)).save(tmp_path / "large.jpg")
    (found,) = pictures([tmp_path / "large.jpg"], [0])
    assert found.shape == (256, 512, 3)
    assert np.abs(found[0, 0].astype(int) - [10, 200, 30]).max() < 4


def test_a_file_looks_the_same_after_many_black_ones(tmp_path):
    bright = np.arange(256, dtype="uint8").reshape(16, 16)
    Image.fromarray(bright).save(tmp_path / "bright.png")
    Image.fromarray(0 * bright).save(tmp_path / "black.png")
    files = [tmp_path / "black.png"] * 40 + [tmp_path / "bright.png"]
    found = list(with_notes(files, range(41)))
    np.testing.assert_array_equal(found[-1].pixels[..., 0], bright)
    assert found[0].pixels.max() == 0 and not found[-1].note


def test_a_picture_with_gaps_and_none_without_any(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    image = np.zeros((4, 4), "uint8")
    images = [image, tmp_path / "missing.png", image, image]
    quality, _ = shown(EPOCHS, LABELS, images=images)
    figure = quality.plot(4)
    texts = [text.get_text() for axes in figure.axes for text in axes.texts]
    assert len(texts) == 1 and "FileNotFoundError" in texts[0]
    report = quality.report(tmp_path / "report.html").read_text("utf-8")
    assert report.count('"note": "FileNotFoundError') == 1
    quality.images = [tmp_path / f"{i}.png" for i in range(4)]
    for show in (quality.plot, lambda: quality.report(tmp_path / "a.html")):
        with pytest.raises(ValueError, match=r"None of 4 can .*1\.png"):
            show()
    assert not (tmp_path / "a.html").exists()
    assert len(quality.plot(1).axes) == 1


def test_no_suspects_are_an_empty_picture():
    pytest.importorskip("matplotlib", reason="plot needs matplotlib")
    assert not figure([], []).axes


def test_long_names_wrap_above_a_picture():
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    names = ["great white shark, man-eater, " * 5, "a_long_name" * 9, "cat"]
    images = np.zeros((4, 8, 8), "uint8")
    quality, _ = shown(EPOCHS, LABELS, images=images, class_names=names)
    figure = quality.plot(4)
    figure.draw_without_rendering()
    boxes = [axes.title.get_window_extent() for axes in figure.axes]
    for axes, box in zip(figure.axes, boxes, strict=True):
        lines = axes.get_title().split("\n")
        assert len(lines) <= 6 and max(map(len, lines)) <= 24
        assert box.x0 >= 0 and box.x1 <= figure.bbox.x1
        assert box.y1 <= figure.bbox.y1
    for left, right in itertools.pairwise(boxes):
        assert left.x1 <= right.x0


@pytest.mark.parametrize("lines", [3, 6])
def test_no_line_above_the_pictures_is_cut_off(lines):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    for count in (1, 6):
        images = [Picture(np.zeros((8, 8), "uint8"))] * count
        found = figure(images, [[f"given {i}"] * lines for i in range(count)])
        found.draw_without_rendering()
        tops = [axes.title.get_window_extent().y1 for axes in found.axes]
        assert max(tops) <= found.bbox.y1


def test_curves_are_named_as_in_the_code_and_marked_at_0(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    from keras_noisy.calibration import average_error, plot_average_error

    losses = [
        GCE(),
        GCE(q=0.5, logit_bias=2.0),
        MAEStar(),
        MAE(name="mine"),
        ActivePassive(NCE(), MAE(), alpha=2.0),
    ]
    figure = plot_average_error(
        losses, num_classes=(10, 20), logit_std=1.5, z=np.arange(-3.0, 7.0)
    )
    lines = figure.axes[0].lines
    curves = [line for line in lines if len(line.get_xdata()) == 10]
    labels = [line.get_label().replace("\n", " ") for line in curves]
    assert labels[::2] == [
        "GCE(q=0.7), 10 classes",
        "GCE(q=0.5, logit_bias=2.0), 10 classes",
        "MAEStar(), 10 classes",
        "mine, 10 classes",
        "ActivePassive(active=NCE(), passive=MAE(), alpha=2.0, beta=1.0), "
        "10 classes",
    ]
    dots = [line for line in lines if line.get_marker() == "o"]
    for i, (curve, dot) in enumerate(zip(curves, dots, strict=True)):
        count = (10, 20)[i % 2]
        expected = -average_error(losses[i // 2], count, 0.0, 1.5)
        assert dot.get_xdata()[0] == 0
        assert dot.get_ydata()[0] == pytest.approx(float(expected), rel=1e-6)
        assert dot.get_color() == curve.get_color()
    figure.draw_without_rendering()
    (legend,) = figure.legends
    for axes in figure.axes:
        assert not legend.get_window_extent().overlaps(axes.bbox)
