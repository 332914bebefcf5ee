"""The report of LabelQuality in a browser: what the page shows."""

import base64
import csv
import io
import json
import re
import shutil

import numpy as np
import pytest
from shown_epochs import SCORES, shown

from keras_noisy.quality import PredictionQuality
from keras_noisy.quality._pictures import SIDE

pytest.importorskip("PIL", reason="the report needs Pillow")

pytestmark = pytest.mark.once

NAMES = ["cat", 'a "dog", big', "</script><script>alert(1)</script>", "#4 é"]
GIVEN = np.array([0, 1, 2, 3] * 5)


def make_quality(**arguments):
    """Twenty samples after three epochs, five labels of which are wrong."""
    rng = np.random.default_rng(0)
    clean = np.where(np.arange(20) % 4 == 1, (GIVEN + 1) % 4, GIVEN)
    epochs = rng.dirichlet(np.ones(4), (3, 20)) / 2
    epochs[:, np.arange(20), clean] += 0.5
    settings = {
        "images": rng.integers(0, 256, (20, 8, 6, 3), dtype="uint8"),
        "class_names": NAMES,
        "clean_labels": clean,
        **arguments,
    }
    return shown(epochs, GIVEN, **settings)[0]


@pytest.fixture(scope="module")
def quality():
    return make_quality()


@pytest.fixture(scope="module")
def report(quality, tmp_path_factory):
    folder = tmp_path_factory.mktemp("report")
    title = "Cats & <b>dogs</b> {{ script }}"
    return quality.report(folder / "report.html", n=12, title=title)


@pytest.fixture(scope="module")
def browser():
    playwright = pytest.importorskip(
        "playwright.sync_api", reason="the browser is driven by playwright"
    )
    names = ("chromium", "chromium-browser", "google-chrome")
    program = next(filter(None, map(shutil.which, names)), None)
    if program is None:
        pytest.skip(f"no browser: none of {', '.join(names)} is installed")
    with playwright.sync_playwright() as session:
        browser = session.chromium.launch(
            executable_path=program, args=["--no-sandbox"]
        )
        yield browser
        browser.close()


@pytest.fixture
def open_page(browser):
    """Opens a report; any error in it fails the test."""
    contexts, problems = [], []

    def open_it(path, script=None, **settings):
        context = browser.new_context(**settings)
        contexts.append(context)
        page = context.new_page()
        page.set_default_timeout(5000)
        page.on("pageerror", lambda error: problems.append(str(error)))
        page.on("console", lambda message: problems.append(message.text))
        page.on("dialog", lambda dialog: problems.append(dialog.message))
        page.on("request", lambda request: requests.append(request.url))
        requests = []
        if script:
            page.add_init_script(script)
        page.goto(path.as_uri())
        sent = [url for url in requests if not url.startswith("data:")]
        assert sent == [path.as_uri()]
        return page

    yield open_it
    for context in contexts:
        context.close()
    assert problems == []


def visible(page):
    cards = page.locator(".card:visible").all()
    return [int(card.get_attribute("data-index")) for card in cards]


def focused(page):
    """The index of the sample whose card has the focus, or -1."""
    return page.evaluate("+(document.activeElement.dataset.index ?? -1)")


def card(page, index):
    return page.locator(f".card[data-index='{index}']")


def rows(page, button, tmp_path):
    """The rows of a downloaded list."""
    with page.expect_download() as download:
        page.get_by_role("button", name=f"Download {button}").click()
    assert download.value.suggested_filename == button
    path = tmp_path / button
    download.value.save_as(path)
    with path.open(newline="", encoding="utf-8") as file:
        return list(csv.reader(file))


def expected_rows(quality, indices, score="area_under_margin"):
    scores = quality.scores(score)
    predicted = quality.findings.predicted
    return [["index", "given_label", "predicted_label", "score"]] + [
        [str(i), NAMES[GIVEN[i]], NAMES[predicted[i]], f"{scores[i]:.6g}"]
        for i in indices
    ]


def content(path):
    text = path.read_text(encoding="utf-8")
    return json.loads(re.search(r'id="content">(.*?)</script>', text)[1])


def read_back(page, quality, tmp_path):
    """The decisions as Python reads them."""
    rows(page, "decisions.csv", tmp_path)
    return quality.decisions(tmp_path / "decisions.csv")


def test_page_shows_the_suspects_with_their_labels(open_page, quality, report):
    page = open_page(report)
    assert page.title() == "Cats & <b>dogs</b> {{ script }}"
    suspects = quality.suspects(12).tolist()
    assert visible(page) == suspects
    numbers = page.locator("#numbers").inner_text()
    assert numbers.startswith("20 samples, 4 classes, 3 epochs.")
    predicted = quality.findings.predicted
    for i in suspects:
        text = card(page, i).inner_text()
        assert f"given {NAMES[GIVEN[i]]}\n" in text
        assert f"predicted {NAMES[predicted[i]]} " in text
        assert f"#{i}, score {quality.scores()[i]:.3f}" in text
    # Every picture exists and belongs to its sample.
    sizes = "images => images.map(i => [i.naturalWidth, i.naturalHeight])"
    for image in page.get_by_role("img").all():
        image.scroll_into_view_if_needed()
    assert page.locator(".card img").evaluate_all(sizes) == [[6, 8]] * 12
    assert page.get_by_alt_text(f"Sample {suspects[3]}").count() == 1


def test_pictures_are_those_of_the_samples(quality, report):
    from PIL import Image

    for sample in content(report)["cards"]:
        code = sample["image"].removeprefix("data:image/webp;base64,")
        picture = Image.open(io.BytesIO(base64.b64decode(code)))
        expected = quality.images[sample["index"]]
        assert np.array_equal(np.asarray(picture.convert("RGB")), expected)


def test_large_images_are_made_small(tmp_path):
    from PIL import Image

    images = np.zeros((20, 300, 400, 3), "float32")
    images[:, :, 200:] = 1
    path = make_quality(images=images).report(tmp_path / "report.html", n=3)
    assert not content(path)["crisp"]
    code = content(path)["cards"][0]["image"].split(",")[1]
    picture = Image.open(io.BytesIO(base64.b64decode(code)))
    assert picture.size == (SIDE, 72)
    left, right = np.asarray(picture.convert("L"))[30, [10, 80]]
    assert left < 5 and right > 250


def test_filters_by_class(open_page, quality, report):
    page = open_page(report)
    suspects, predicted = quality.suspects(12), quality.findings.predicted
    labels = {"Given label": GIVEN, "Predicted label": predicted}
    for given in ["", *np.unique(GIVEN[suspects]).tolist()]:
        page.get_by_label("Given label").select_option(str(given))
        for guess in ["", *np.unique(predicted[suspects]).tolist()]:
            page.get_by_label("Predicted label").select_option(str(guess))
            fits = [
                i
                for i in suspects.tolist()
                if given in ("", GIVEN[i]) and guess in ("", predicted[i])
            ]
            assert visible(page) == fits
            status = page.get_by_role("status").inner_text()
            assert status.startswith(f"{len(fits)} of 12 shown.")
            drop = page.get_by_role("button", name="Drop all shown")
            assert drop.is_disabled() == (not fits)
            page.get_by_label("Show the clean labels").focus()
            page.keyboard.press("Tab")
            if fits:
                assert focused(page) == fits[0]
        page.get_by_label("Predicted label").select_option("")
    for name, of in labels.items():
        options = page.get_by_label(name).locator("option")
        found, counts = np.unique(of[suspects], return_counts=True)
        assert options.all_inner_texts() == ["all"] + [
            f"{NAMES[label]} ({count})"
            for label, count in zip(found, counts, strict=True)
        ]


def test_sorts_by_every_score(open_page, quality, report):
    page = open_page(report)
    suspects = quality.suspects(12)
    for score in SCORES:
        page.get_by_label("Sort by").select_option(score)
        order = quality.suspects(20, score)
        assert visible(page) == [i for i in order if i in suspects]
        first = card(page, visible(page)[0]).inner_text()
        value = float(re.search(r"score (\S+)", first)[1])
        assert value == pytest.approx(quality.scores(score)[order[0]], abs=1e-3)


def test_a_gap_says_why_and_the_others_are_shown(open_page, tmp_path):
    images = list(make_quality().images)
    suspects = make_quality().suspects(3).tolist()
    images[suspects[1]] = tmp_path / "<b>missing.png"
    path = make_quality(images=images).report(tmp_path / "report.html", n=12)
    page = open_page(path)
    assert visible(page)[:3] == suspects
    notes = page.locator(".note")
    assert notes.count() == 1
    text = card(page, suspects[1]).locator(".note").inner_text()
    assert text.startswith("FileNotFoundError") and "<b>missing" in text
    assert not page.locator("#warning").is_visible()


def test_the_page_warns_of_a_model_that_has_learned_nothing(
    open_page, tmp_path
):
    p = np.random.default_rng(5).dirichlet(np.ones(4), (1, 20))
    images = np.zeros((20, 4, 4), "uint8")
    quality = shown(p, GIVEN, images=images)[0]
    with pytest.warns(UserWarning, match="has learned nothing"):
        path = quality.report(tmp_path / "report.html")
    page = open_page(path)
    alert = page.get_by_role("alert")
    assert alert.inner_text().startswith("The model has learned nothing")
    assert "MAEStar" in alert.inner_text()


def test_clean_labels_are_hidden_until_asked_for(open_page, quality, report):
    page = open_page(report)
    clean = page.locator(".clean")
    assert clean.count() == 12 and not clean.first.is_visible()
    page.get_by_label("Show the clean labels").check()
    for i in visible(page):
        label = quality.clean_labels[i]
        expected = f"clean {NAMES[label]}"
        if label != GIVEN[i]:
            expected += ", the given label is wrong"
        assert card(page, i).locator(".clean").inner_text() == expected
    page.get_by_label("Show the clean labels").uncheck()
    assert not clean.first.is_visible()


def test_precision_and_recall_are_those_of_the_callback(
    open_page, quality, report
):
    page = open_page(report)
    table = page.get_by_role("table")
    body = table.locator("tbody tr").all()
    assert len(body) == len(SCORES)
    for row, score in zip(body, SCORES, strict=True):
        assert row.get_by_role("rowheader").inner_text() == score.replace(
            "_", " "
        )
        at_wrong = quality.precision_recall(score=score)
        assert at_wrong[0] == at_wrong[1]
        values = (at_wrong[0], *quality.precision_recall(12, score))
        cells = row.get_by_role("cell").all_inner_texts()
        assert cells == [f"{100 * value:.1f}\xa0%" for value in values]
    assert page.locator("#finding figure path").count() == 1 + len(SCORES)
    text = page.locator("#finding p").inner_text()
    assert text.startswith("5 labels (25.0\xa0%) differ")


def test_without_clean_labels_nothing_is_said_of_them(open_page, tmp_path):
    quality = make_quality(clean_labels=None, class_names=None)
    page = open_page(quality.report(tmp_path / "report.html", score="loss"))
    assert not page.locator("#finding").is_visible()
    assert not page.get_by_label("Show the clean labels").is_visible()
    assert visible(page) == quality.suspects(20, "loss").tolist()
    assert page.get_by_label("Sort by").input_value() == "loss"
    assert page.title() == "Label quality"


def test_clean_labels_without_a_difference_are_said_to_be_equal(
    open_page, tmp_path
):
    quality = make_quality(clean_labels=GIVEN)
    page = open_page(quality.report(tmp_path / "report.html"))
    text = page.locator("#finding").inner_text()
    assert "Every given label is equal to its clean label." in text
    assert not page.get_by_role("table").is_visible()


@pytest.fixture
def empty_report(tmp_path):
    given = np.arange(400) % 4
    p = np.where(np.eye(4)[given] == 1, 0.97, 0.01)
    clean = np.where(np.arange(400) == 7, 0, given)
    images = np.zeros((400, 2, 2), "uint8")
    quality = PredictionQuality(p, given, clean, images=images)
    return quality.report(tmp_path / "report.html", n=None)


def test_a_report_of_no_suspects_has_numbers(empty_report):
    found = content(empty_report)
    first = found["finding"]["scores"][0]
    assert (first["precision"], first["recall"]) == (0, 0)
    assert found["cards"] == []


def test_a_page_of_no_suspects_works(open_page, empty_report):
    page = open_page(empty_report)
    assert "0 of 0 shown" in page.text_content("#status")


@pytest.mark.parametrize("width", [360, 430, 1000])
def test_no_button_is_cut_off(open_page, report, width):
    page = open_page(report, viewport={"width": width, "height": 700})
    right = "all => all.map(e => e.getBoundingClientRect().right)"
    last = page.locator(".card:visible button:last-child").evaluate_all(right)
    rows = page.locator(".card:visible .row").evaluate_all(right)
    assert all(a <= b + 1 for a, b in zip(last, rows, strict=True)) and rows


def test_fits_a_telephone_and_the_dark(open_page, report):
    page = open_page(report, viewport={"width": 360, "height": 700})
    width = "document.documentElement.scrollWidth"
    assert page.evaluate(width) <= 360
    color = "getComputedStyle(document.body).backgroundColor"
    light = page.evaluate(color)
    page.emulate_media(color_scheme="dark")
    dark = page.evaluate(color)
    brightness = [
        sum(map(int, re.findall(r"\d+", value))) for value in (light, dark)
    ]
    assert brightness[0] > 3 * 200 and brightness[1] < 3 * 60


def test_page_is_one_file_that_names_nothing_elsewhere(report):
    text = report.read_text(encoding="utf-8")
    assert not re.search(r"\b(src|href)=[\"']?(http|//|\.|/)", text)
    addresses = set(re.findall(r"https?://[^\s\"'<>`]+", text))
    assert addresses == {"http://www.w3.org/2000/svg"}  # a name, not loaded
    assert NAMES[2] not in text
    assert "default-src 'none'" in text


def test_wrong_arguments_leave_no_file(tmp_path, quality):
    path = tmp_path / "report.html"
    for arguments in ({"n": 0}, {"score": "size"}):
        with pytest.raises(ValueError, match="Invalid value for argument"):
            quality.report(path, **arguments)
    with pytest.raises(ValueError, match="`images`"):
        make_quality(images=np.zeros((20, 0, 3))).report(path)
    assert not path.exists()
