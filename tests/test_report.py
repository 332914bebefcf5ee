"""The report of LabelQuality, operated in a browser."""

import base64
import csv
import importlib.resources
import io
import json
import re
import shutil
import subprocess

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


def test_decisions_by_mouse_go_into_the_lists(
    open_page, quality, report, tmp_path
):
    page = open_page(report)
    first, second, third = quality.suspects(3).tolist()
    everything = expected_rows(quality, range(20))
    assert rows(page, "dropped.csv", tmp_path) == everything[:1]
    assert rows(page, "kept.csv", tmp_path) == everything
    for index, name in ((first, "Drop"), (second, "Keep"), (third, "Drop")):
        card(page, index).get_by_role("button", name=name).click()
    card(page, third).get_by_role("button", name="Keep").click()
    drop = card(page, first).get_by_role("button", name="Drop")
    assert drop.get_attribute("aria-pressed") == "true"
    status = page.get_by_role("status").inner_text()
    assert status == "12 of 12 shown. Dropped 1, kept 2, undecided 9."
    dropped = rows(page, "dropped.csv", tmp_path)
    assert dropped == expected_rows(quality, [first])
    kept = [i for i in range(20) if i != first]
    assert rows(page, "kept.csv", tmp_path) == expected_rows(quality, kept)
    read = np.loadtxt(
        tmp_path / "kept.csv", int, delimiter=",", skiprows=1, usecols=0
    )
    assert read.tolist() == kept


#: Names that a spreadsheet would run, and how the lists have them.
FORMULAS = {
    "=HYPERLINK(1)": "'=HYPERLINK(1)",
    "+1": "'+1",
    "-1": "'-1",
    "@SUM(1)": "'@SUM(1)",
    "\t=1": "'\t=1",
    "\r=1": "'\r=1",
    " =1": "' =1",
    '=a,"b"': '\'=a,"b"',
    "\uff1d1": "'\uff1d1",
    "a=b": "a=b",
    "cat, dog": "cat, dog",
}


def quoted(names):
    """Cells as the page writes them, by node."""
    node = shutil.which("node")
    if node is None:
        pytest.skip("node, which runs a part of the page, is not installed")
    folder = importlib.resources.files("keras_noisy.metrics")
    source = (folder / "report.js").read_text(encoding="utf-8")
    quote = re.search(r"const quote = .*?;\n", source, re.DOTALL)[0]
    code = f"{quote}process.stdout.write({json.dumps(names)}.map(quote).join())"
    return subprocess.run([node, "-e", code], capture_output=True).stdout


def test_a_cell_is_no_formula():
    text = quoted(list(FORMULAS)).decode()
    (cells,) = csv.reader(io.StringIO(text, newline=""))
    assert cells == list(FORMULAS.values())


def test_lists_hold_no_formula_and_their_indices_can_be_read(
    open_page, tmp_path
):
    names = list(FORMULAS)[:4]
    quality = make_quality(class_names=names)
    page = open_page(quality.report(tmp_path / "report.html"))
    found = rows(page, "kept.csv", tmp_path)[1:]
    assert [row[1] for row in found] == [FORMULAS[names[i]] for i in GIVEN]
    assert [float(row[3]) for row in found] == pytest.approx(
        quality.scores(), rel=1e-5
    )
    read = np.loadtxt(
        tmp_path / "kept.csv", int, delimiter=",", skiprows=1, usecols=0
    )
    assert read.tolist() == list(range(20))
    # The page itself shows the names as they are.
    assert f"given {names[0]}\n" in card(page, 0).inner_text()


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


def test_decides_about_all_shown_and_undoes(
    open_page, quality, report, tmp_path
):
    page = open_page(report)
    suspects = quality.suspects(12).tolist()

    def button(name):
        return page.get_by_role("button", name=name)

    assert button("Undo").is_disabled()
    page.get_by_label("Given label").select_option("1")
    shown_ones = visible(page)
    button("Drop all shown").click()
    page.get_by_label("Given label").select_option("")
    expected = expected_rows(quality, sorted(shown_ones))
    assert rows(page, "dropped.csv", tmp_path) == expected
    button("Keep all shown").click()
    assert rows(page, "dropped.csv", tmp_path) == expected[:1]
    button("Undo").click()
    assert rows(page, "dropped.csv", tmp_path) == expected
    button("Clear all decisions").click()
    status = page.get_by_role("status").inner_text()
    assert status.endswith("Dropped 0, kept 0, undecided 12.")
    assert button("Clear all decisions").is_disabled()
    page.keyboard.press("u")
    assert rows(page, "dropped.csv", tmp_path) == expected
    button("Undo").click()
    assert button("Undo").is_disabled()
    assert visible(page) == suspects


def test_keys_move_and_decide(open_page, quality, report, tmp_path):
    page = open_page(report, viewport={"width": 800, "height": 700})
    suspects = quality.suspects(12).tolist()
    page.keyboard.press("d")  # nothing has the focus yet
    page.keyboard.press("ArrowRight")
    assert focused(page) == suspects[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("ArrowLeft")
    page.keyboard.press("ArrowLeft")
    assert focused(page) == suspects[0]
    page.keyboard.press("d")
    page.keyboard.press("k")
    page.keyboard.press("d")
    assert focused(page) == suspects[3]
    tops = page.locator(".card").evaluate_all(
        "all => all.map(c => c.offsetTop)"
    )
    columns = tops.count(tops[0])
    assert 2 <= columns < 9
    page.keyboard.press("ArrowDown")
    assert focused(page) == suspects[3 + columns]
    page.keyboard.press("ArrowUp")
    assert focused(page) == suspects[3]
    page.keyboard.press("Control+d")
    dropped = rows(page, "dropped.csv", tmp_path)
    assert dropped == expected_rows(quality, sorted(suspects[:3:2]))
    # One stop of the tab key for all cards, at the one that was left.
    page.get_by_label("Show the clean labels").focus()
    page.keyboard.press("Tab")
    assert focused(page) == suspects[3]
    page.get_by_label("Given label").focus()
    page.keyboard.press("d")
    assert rows(page, "dropped.csv", tmp_path) == dropped


def reload(page, decided):
    """Reload the page, once the browser has written the last decision.

    It does so behind the page's back, later where other tests run beside it.
    """
    for _ in range(25):
        page.wait_for_timeout(200)
        page.reload()
        if card(page, decided).get_attribute("data-decision"):
            return


def read_back(page, quality, tmp_path):
    """The decisions as Python reads them."""
    rows(page, "decisions.csv", tmp_path)
    return quality.decisions(tmp_path / "decisions.csv")


def test_decisions_come_back_and_are_applied(
    open_page, quality, report, tmp_path
):
    page = open_page(report)
    suspects = quality.suspects(12).tolist()
    predicted = quality.findings.predicted
    page.keyboard.press("ArrowRight")
    for key in "krd":
        page.keyboard.press(key)
    # The fourth one gets a class of the list, after one that is not in it.
    page.keyboard.press("c")
    field = page.get_by_label("New class")
    assert field.input_value() == NAMES[predicted[suspects[3]]]
    field.fill("mouse")
    page.keyboard.press("Enter")
    alert = page.locator("#class-error").inner_text()
    assert alert == "Choose one of the classes in the list."
    other = (GIVEN[suspects[3]] + 2) % 4
    field.fill(NAMES[other])
    page.keyboard.press("Enter")
    assert not page.locator("dialog").is_visible()
    assert focused(page) == suspects[4]
    # The fifth one's is its own: the label is kept.
    card(page, suspects[4]).get_by_role("button", name="Class").click()
    field.fill(NAMES[GIVEN[suspects[4]]])
    page.get_by_role("button", name="Relabel").click()
    # A sixth decision is undone.
    page.keyboard.press("d")
    page.keyboard.press("u")
    status = page.get_by_role("status").inner_text()
    assert "Dropped 1, kept 2, relabeled 2, undecided 7." in status
    new = {suspects[1]: predicted[suspects[1]], suspects[3]: other}
    assert f"now {NAMES[other]}" in card(page, suspects[3]).inner_text()

    reload(page, suspects[4])
    found = read_back(page, quality, tmp_path)
    assert found.kept.tolist() == sorted([suspects[0], suspects[4]])
    assert found.dropped.tolist() == [suspects[2]]
    pairs = zip(
        found.relabeled.tolist(), found.new_labels.tolist(), strict=True
    )
    assert dict(pairs) == new
    x, y = found.apply(np.arange(20), GIVEN)
    rest = [i for i in range(20) if i != suspects[2]]
    assert x.tolist() == rest
    assert y.tolist() == [new.get(i, GIVEN[i]) for i in rest]
    listed = rows(page, "kept.csv", tmp_path)[1:]
    assert [row[1] for row in listed] == [NAMES[label] for label in y]


def test_classes_of_one_name_are_told_by_their_number(open_page, tmp_path):
    quality = make_quality(class_names=["cat", "dog", "cat", "cow"])
    page = open_page(quality.report(tmp_path / "report.html"))
    first = quality.suspects(1).tolist()[0]
    page.keyboard.press("ArrowRight")
    page.keyboard.press("c")
    label = 2 if GIVEN[first] != 2 else 0
    page.get_by_label("New class").fill(f"{label}: cat")
    page.keyboard.press("Enter")
    assert read_back(page, quality, tmp_path).new_labels.tolist() == [label]


def test_decisions_about_other_data_are_refused(quality, tmp_path):
    path = tmp_path / "decisions.csv"
    key = content(quality.report(tmp_path / "page.html"))["key"]
    head, right = "index,decision,given,new,data", f"1,drop,1,,{key}"

    def read(*lines, of=quality):
        path.write_text("\n".join([head, *lines]) + "\n", encoding="utf-8-sig")
        return of.decisions(path)

    assert read(right).dropped.tolist() == [1]
    assert read(f"1.0,relabel,1,2.0,{key}").new_labels.tolist() == [2]
    assert read(right, ",,,,").dropped.tolist() == [1]
    assert len(read().apply(GIVEN)[0]) == 20
    for delimiter in ";\t":
        text = f"{head}\n{right}\n".replace(",", delimiter)
        path.write_text(text, encoding="utf-8")
        assert quality.decisions(path).dropped.tolist() == [1]
    for lines, message in (
        ([right, right], "line 3, a second one for 1"),
        ([f"1,delete,1,,{key}"], "line 2: 'delete'"),
        ([f"20,drop,1,,{key}"], r"'20', not in \[0, 20\)"),
        ([f"1,drop,2,,{key}"], "another given label"),
        ([f"1,relabel,1,,{key}"], "line 2: ''"),
        ([f"1,relabel,1,4,{key}"], r"not in \[0, 4\)"),
        (["1,drop,1,,0123"], "belongs to other labels or pictures"),
    ):
        with pytest.raises(ValueError, match=message):
            read(*lines)
    other = make_quality(images=255 - quality.images)
    with pytest.raises(ValueError, match="other labels or pictures"):
        read(right, of=other)
    for text, encoding, message in (
        ("index,label\n1,2\n", "utf-8", "columns index, label"),
        ("index,label\n", "utf-8", "columns index, label"),
        ("", "utf-8", "columns none"),
        (f"{head}\n{right}\n", "utf-16", "not UTF-8 text"),
    ):
        path.write_bytes(text.encode(encoding))
        with pytest.raises(ValueError, match=rf"decisions\.csv, .*{message}"):
            quality.decisions(path)


def test_decisions_survive_a_reload_and_another_report(
    open_page, quality, report, tmp_path
):
    page = open_page(report)
    last = quality.suspects(12).tolist()[-1]
    card(page, last).get_by_role("button", name="Drop").click()
    assert card(page, last).get_attribute("data-decision") == "drop"
    reload(page, last)
    assert card(page, last).get_attribute("data-decision") == "drop"
    expected = expected_rows(quality, [last])
    assert rows(page, "dropped.csv", tmp_path) == expected
    shorter = quality.report(tmp_path / "shorter.html", n=5)
    page.goto(shorter.as_uri())
    status = page.get_by_role("status").inner_text()
    assert "5 of 5 shown. Dropped 1, kept 0, undecided 5." in status
    assert "Of these decisions 1 come from an earlier report" in status
    assert rows(page, "dropped.csv", tmp_path) == expected
    # Other images are other samples, even with the same labels.
    other = make_quality(images=255 - quality.images)
    page.goto(other.report(tmp_path / "other.html", n=5).as_uri())
    status = page.get_by_role("status").inner_text()
    assert status == "5 of 5 shown. Dropped 0, kept 0, undecided 5."


def test_works_where_the_browser_may_not_store(
    open_page, quality, report, tmp_path
):
    forbid = """Object.defineProperty(window, "localStorage", {
        get() { throw new DOMException("no", "SecurityError"); } });"""
    page = open_page(report, script=forbid)
    first = quality.suspects(1).tolist()
    card(page, first[0]).get_by_role("button", name="Drop").click()
    expected = expected_rows(quality, first)
    assert rows(page, "dropped.csv", tmp_path) == expected
    assert "does not remember" in page.locator("#storage").inner_text()


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
