"""The report for several labels per sample: cards, decisions, results."""

import base64
import io

import numpy as np
import pytest
import test_report
from test_label_elements import compared, noisy
from test_report import card, content, read_back, visible

pytest.importorskip("PIL", reason="the report needs Pillow")

pytestmark = pytest.mark.once

browser, open_page = test_report.browser, test_report.open_page


def test_tokens_are_read_and_decided_about(open_page, tmp_path):
    labels, epochs, clean = noisy((20, 5), 3)
    names = ["noun", "verb", "</b>"]
    found = compared(
        labels,
        epochs,
        clean_labels=clean,
        class_names=names,
        ignore_class=-1,
        top=3,
    )
    words = np.array([[f"w{i}-{j}" for j in range(5)] for i in range(20)])
    with pytest.raises(ValueError, match=r"`images`.*or `texts` to `report`"):
        found.report(tmp_path / "page.html")
    with pytest.raises(ValueError, match=r"`texts`.*len\(texts\)=19"):
        found.report(tmp_path / "page.html", texts=words[1:])
    path = found.report(tmp_path / "page.html", n=8, texts=words)
    suspects = found.suspects(8)
    places = (suspects @ [5, 1]).tolist()
    page = open_page(path)
    assert visible(page) == places
    numbers = page.locator("#numbers").inner_text()
    scored = np.count_nonzero(labels != -1)
    assert numbers.startswith(f"{scored} labels of 20 samples, 3 classes")
    for place, (i, j) in zip(places, suspects.tolist(), strict=True):
        text = card(page, place).inner_text()
        around = " ".join(words[i])
        assert (
            text.startswith(around) and f"given {names[labels[i, j]]}" in text
        )
        assert f"Sample {i}, position {j}, score" in text
        assert card(page, place).locator("mark").inner_text() == words[i, j]
    assert not page.get_by_role("button", name="Download kept").is_visible()
    # The page offers the likely classes.
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    classes, shares = found.evidence.choices(found.found(1))
    buttons = page.locator("#likely button")
    assert buttons.all_inner_texts() == [
        f"{names[label]} {100 * share:.0f}\xa0%"
        for label, share in zip(
            classes[0], shares[0].astype(float), strict=True
        )
    ]
    buttons.nth(1).click()  # the last one is the given label
    page.keyboard.press("d")
    page.keyboard.press("k")
    decisions = read_back(page, found, tmp_path)
    assert decisions.relabeled.tolist() == suspects[:1].tolist()
    assert decisions.new_labels.tolist() == [classes[0, 1]]
    assert decisions.dropped.tolist() == suspects[1:2].tolist()
    assert decisions.kept.tolist() == suspects[2:3].tolist()
    _, mended = decisions.apply(words, labels)
    assert mended[tuple(suspects[1])] == -1
    assert np.count_nonzero(mended != labels) == 2


def test_padding_needs_no_word(tmp_path):
    labels, epochs, _ = noisy((20, 5), 3)
    labels[:, 0], labels[::2, 3:] = 0, -1
    found = compared(labels, epochs, ignore_class=-1)
    lengths = [5 - np.argmax(row[::-1] != -1) for row in labels]
    words = [[f"w{i}-{j}" for j in range(n)] for i, n in enumerate(lengths)]
    cards = content(found.report(tmp_path / "page.html", texts=words))["cards"]
    for card_of, (i, j) in zip(cards, found.suspects(500), strict=True):
        before, word, after = card_of["words"]
        assert word == words[i][j]
        assert [*before.split(), word, *after.split()] == words[i]
    # Words that are not those of the labels are shown without a mark.
    words = [row[:-1] for row in words]
    cards = content(found.report(tmp_path / "page.html", texts=words))["cards"]
    assert all(card_of["words"][1:] == ["", ""] for card_of in cards)


def test_an_image_is_there_once_with_its_suspected_pixels(open_page, tmp_path):
    from PIL import Image

    labels, epochs, clean = noisy((12, 6, 8), 3)
    images = np.full((12, 60, 80), 255, "uint8")
    found = compared(
        labels, epochs, clean_labels=clean, ignore_class=-1, images=images
    )
    path = found.report(tmp_path / "page.html", n=5)
    worst = np.argsort(-found.sample_scores())[:5].tolist()
    page = open_page(path)
    assert visible(page) == worst
    assert "Sample" in card(page, worst[0]).inner_text()
    assert page.get_by_role("button", name="Class").count() == 0
    code = content(path)["cards"][1]["image"].split(",")[1]
    pixels = np.asarray(Image.open(io.BytesIO(base64.b64decode(code))))
    red = (pixels[..., 1] < 128)[5::10, 5::10]
    suspects = found.suspects()
    own = suspects[suspects[:, 0] == worst[1], 1:]
    expected = np.zeros((6, 8), bool)
    expected[tuple(own.T)] = True
    assert red.sum() > 0 and np.array_equal(red, expected)
    page.keyboard.press("ArrowRight")
    for key in "drck":  # `r` and `c` do nothing
        page.keyboard.press(key)
    decisions = read_back(page, found, tmp_path)
    assert decisions.dropped.tolist() == worst[:1]
    assert decisions.kept.tolist() == worst[1:2]
    kept, rest = decisions.apply(images, labels)
    assert len(kept) == len(rest) == 11
    # A picture that is smaller than the labels shows them too.
    found.images = images[:, ::60, ::80]
    found.report(tmp_path / "small.html", n=None)
    small = content(tmp_path / "small.html")["cards"]
    assert len(small) == len(set(suspects[:, 0].tolist()))
    figure = pytest.importorskip("matplotlib.figure", reason="for a plot")
    assert isinstance(found.plot(3), figure.Figure)


def test_several_labels_are_named(open_page, tmp_path):
    labels, epochs, _ = noisy((20, 5), 2)
    found = compared(
        labels,
        epochs[..., 1],
        class_names=["cat", "dog", "cow", "hen", "fox"],
        ignore_class=-1,
        multi_label=True,
        images=np.zeros((20, 4, 4)),
    )
    page = open_page(
        found.report(tmp_path / "page.html", n=6, texts=["t"] * 20)
    )
    (i, j), *_ = found.suspects(6).tolist()
    text = card(page, 5 * i + j).inner_text()
    assert f"Sample {i}, {found.class_names[j]}, score" in text
    given, predicted = ("yes", "no") if labels[i, j] else ("no", "yes")
    assert f"given {given}\npredicted {predicted} " in text.replace(
        "\n\n", "\n"
    )
