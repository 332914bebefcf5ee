"""LabelQuality reads labels, images and names of every form."""

import keras
import numpy as np
import pytest
from columns import Column
from shown_epochs import EPOCHS, LABELS, X, identity, shown

from keras_noisy.callbacks import LabelQuality
from keras_noisy.losses import with_index


@pytest.mark.once
def test_labels_of_every_form_are_the_same():
    forms = (
        LABELS.tolist(),
        LABELS[:, None].astype("uint8"),
        LABELS.astype("float32"),
        with_index(LABELS),
        keras.ops.convert_to_tensor(LABELS),
        LABELS.astype(object),
        Column(LABELS),
    )
    for labels in forms:
        assert np.array_equal(LabelQuality(X, labels).labels, LABELS)
    for labels in (LABELS > 0, (LABELS > 0).astype(object), Column(LABELS > 0)):
        quality = LabelQuality(X, labels, clean_labels=labels)
        assert np.array_equal(quality.labels, [0, 0, 1, 1])
        assert np.array_equal(quality.clean_labels, [0, 0, 1, 1])


@pytest.mark.once
def test_columns_of_tables_are_read_by_position(tmp_path):
    image = pytest.importorskip("PIL.Image", reason="files need Pillow")
    pixels = np.arange(0, 200, 50, "uint8")[:, None, None] * np.ones((4, 4))
    paths = []
    for i, of in enumerate(pixels.astype("uint8")):
        paths.append(tmp_path / f"{i}.png")
        image.fromarray(of).save(paths[-1])
    for images in (Column(pixels), Column(paths), Column(map(str, paths))):
        quality, _ = shown(
            EPOCHS,
            Column(LABELS),
            clean_labels=Column(LABELS[::-1]),
            class_names=Column(["a", "b", "c"]),
            images=images,
        )
        assert quality.clean_labels.tolist() == LABELS[::-1].tolist()
        assert quality.class_names == ["a", "b", "c"]
        for i, axes in zip([1, 0, 2, 3], quality.plot(4).axes, strict=True):
            assert np.all(axes.images[0].get_array() == 50 * i)
    quality = LabelQuality(Column(paths), LABELS, image_size=4)
    assert quality.images[0] == paths[0]
    quality.images = Column(paths[::-1])
    assert quality.images[0] == paths[3]
    with pytest.raises(ValueError, match=r"`images`.*4 labels.*\)=3"):
        quality.images = paths[:3]
    quality = LabelQuality(Column(EPOCHS[0]), LABELS)
    assert quality.x[0].tolist() == EPOCHS[0][0].tolist()


@pytest.mark.once
def test_columns_of_pandas_are_read_by_position():
    pandas = pytest.importorskip("pandas", reason="the table is of pandas")
    pixels = np.arange(0, 200, 50)[:, None, None] * np.ones((4, 4))
    frame = pandas.DataFrame(
        {"label": LABELS, "image": list(pixels), "p": list(EPOCHS[0])},
        index=[3, 2, 0, 1],
    )
    table = pandas.DataFrame(EPOCHS[0], index=frame.index, columns=[*"abc"])
    quality = LabelQuality(table, frame["label"], images=frame["image"])
    assert quality.labels.tolist() == LABELS.tolist()
    assert np.array_equal(quality.x, EPOCHS[0])
    quality.set_model(identity((3,)))
    quality.on_epoch_end(0)
    suspects = shown(EPOCHS[:1], LABELS)[0].suspects(4)
    assert np.array_equal(quality.suspects(4), suspects)
    for i, axes in zip(suspects, quality.plot(4).axes, strict=True):
        assert np.all(axes.images[0].get_array() == 50 * i)


@pytest.mark.once
def test_names_may_be_a_mapping_or_bytes():
    for names in ({1: "b", 2: "c", 0: "a"}, np.array([b"a", b"b", b"c"])):
        quality = LabelQuality(X, LABELS, class_names=names)
        assert quality.class_names == ["a", "b", "c"]
