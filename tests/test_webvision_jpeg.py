"""Images of WebVision become JPEG files, or an error says why not."""

import io
import struct
import time
import warnings

import numpy as np
import pytest
import test_webvision_builder
from PIL import Image
from webvision_tree import bomb, encoded

from keras_noisy.datasets.webvision._images import as_jpeg

pytestmark = pytest.mark.once

tree = test_webvision_builder.tree


def test_deep_pictures_are_left_out_rather_than_washed_out():
    ramp = np.arange(64 * 64, dtype="uint16").reshape(64, 64)
    content = io.BytesIO()
    Image.fromarray(ramp).save(content, "PNG")
    with pytest.raises(ValueError, match="more than 8 bits"):
        as_jpeg(content.getvalue())


@pytest.mark.parametrize("filter", ["error", "ignore", "always"])
@pytest.mark.parametrize("kind", ["JPEG", "PNG", "GIF", "BMP"])
@pytest.mark.parametrize("size", [(12000, 9000), (13000, 13000), (60000, 9000)])
def test_claims_of_many_pixels_are_refused_at_once(kind, size, filter):
    content = bomb(kind, *size)
    assert len(content) < 2000
    start = time.process_time()
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter(filter)
        with pytest.raises(ValueError, match="pixels"):
            as_jpeg(content)
    assert time.process_time() - start < 0.2
    assert not leaked


@pytest.mark.parametrize("progressive", [False, True])
def test_a_jpeg_has_a_bit_for_each_block_that_it_claims(progressive):
    def content(size):
        image = Image.new("L", size)
        return encoded(image, progressive=progressive, optimize=True)

    whole = content((4000, 3000))
    assert as_jpeg(whole) is whole
    marker = b"\xff\xc2" if progressive else b"\xff\xc0"
    small = content((16, 16))
    place = small.index(marker) + 5
    claim = small[:place] + struct.pack(">HH", 3000, 4000) + small[place + 4 :]
    with pytest.raises(ValueError, match="truncated or damaged JPEG"):
        as_jpeg(claim)


@pytest.mark.parametrize("filter", ["error", "always"])
def test_what_pillow_warns_about_does_not_depend_on_filters(filter):
    image = Image.new("RGB", (30, 20), "red").quantize(2)
    content = encoded(image, "PNG", transparency=b"\0\xff")
    with warnings.catch_warnings(record=True) as leaked:
        warnings.simplefilter(filter)
        converted = Image.open(io.BytesIO(as_jpeg(content)))
    assert not leaked
    assert converted.format == "JPEG" and converted.size == (30, 20)


def test_tensorflow_decodes_every_image_that_is_kept(tree):
    import tensorflow as tf

    random = np.random.default_rng(0)
    content = tree.files["google/q0001/a name.jpg"]
    kept = 0
    for trial in range(300):
        damaged = bytearray(content)
        if trial % 2:  # as of a download that stopped
            length = random.integers(len(content))
            damaged[length:] = bytes(len(content) - length)
        else:
            damaged[random.integers(len(content))] = random.integers(256)
        try:
            image = as_jpeg(bytes(damaged))
        except ValueError:
            continue
        kept += 1
        tf.io.decode_image(image, channels=3)
    assert 20 < kept < 280
