"""LabelQuality: pictures of the samples with the worst scores."""

import keras
import numpy as np
import pytest
from shown_epochs import EPOCHS, LABELS, shown


@pytest.mark.once
def test_plot_shows_the_worst_images_with_their_labels():
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    images = np.random.default_rng(0).integers(
        0, 256, (4, 5, 6, 3), dtype="uint8"
    )
    names = ["a cat", "$ dollar", "<c>"]
    quality, _ = shown(EPOCHS, LABELS, images=images, class_names=names)
    figure = quality.plot(3)
    assert [axes.get_title() for axes in figure.axes] == [
        "given a cat\npredicted <c>",
        "given a cat\npredicted $ dollar",
        "given $ dollar\npredicted a cat",
    ]
    drawn = [axes.images[0].get_array() for axes in figure.axes]
    assert np.array_equal(drawn, images[[1, 0, 2]])
    figure.canvas.draw()
    assert len(quality.plot(9, label=0).axes) == 2


@pytest.mark.parametrize("scale", [1.0, 1.000001, 1.02])
@pytest.mark.once
def test_float_pictures_a_little_above_one_are_not_black(scale):
    from keras_noisy.quality._pictures import pictures

    images = scale * np.linspace(0, 1, 64).reshape(1, 8, 8)
    images[0, 0, 0] = np.nan
    (found,) = pictures(images, [0])
    assert found.max() == 255 and 120 < found.mean() < 135


@pytest.mark.once
def test_deep_pictures_are_scaled_and_not_clipped(tmp_path):
    from PIL import Image

    from keras_noisy.quality._pictures import pictures

    ramp = np.arange(256, dtype="uint16").reshape(16, 16) * 257
    Image.fromarray(ramp).save(tmp_path / "deep.png")
    (found,) = pictures([tmp_path / "deep.png"], [0])
    np.testing.assert_array_equal(found[..., 0].ravel(), np.arange(256))


@pytest.mark.once
def test_images_of_every_form_are_shown_as_they_are(tmp_path):
    pytest.importorskip("matplotlib", reason="the picture needs matplotlib")
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    color = np.random.default_rng(0).integers(
        0, 256, (4, 6, 5, 3), dtype="uint8"
    )
    color[:, 0, 0], color[:, 0, 1] = 0, 255
    gray = color[..., 0]
    files = [tmp_path / f"{i}.png" for i in range(4)]
    for file, pixels in zip(files, color, strict=True):
        image.fromarray(pixels).save(file)
    quality, _ = shown(EPOCHS, LABELS)
    sizes = [color[0], color[1, :4], color[2], color[3, :, :3]]
    for images, expected in (
        (color, color),
        (color.astype("float32"), color),
        ((color / 255).astype("float32"), color),
        ((color / 127.5 - 1).astype("float32"), color),
        (np.moveaxis(color, -1, 1), color),
        (keras.ops.convert_to_tensor(color), color),
        (files, color),
        (list(map(str, files)), color),
        (gray, gray),
        (gray[..., None], gray),
        (gray > 127, np.where(gray > 127, 255, 0)),
        (sizes, sizes),
    ):
        quality.images = images
        for i, axes in zip([1, 0, 2, 3], quality.plot(4).axes, strict=True):
            drawn = axes.images[0].get_array()
            assert np.array_equal(drawn, expected[i])
    with pytest.raises(ValueError, match="pass `images` at the beginning"):
        shown(EPOCHS, LABELS)[0].plot(1)  # `x` is a table
    quality.images = gray.reshape(4, 30)
    with pytest.raises(ValueError, match=r"\(height, width\).*shape \(30,\)"):
        quality.plot(1)
