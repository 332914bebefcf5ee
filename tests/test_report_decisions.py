"""The report of LabelQuality in a browser: decisions, and the lists of them."""

import csv
import importlib.resources
import io
import json
import pathlib
import re
import shutil
import subprocess
import unicodedata

import numpy as np
import pytest
import test_report
from test_report import (
    GIVEN,
    NAMES,
    card,
    content,
    expected_rows,
    focused,
    make_quality,
    read_back,
    rows,
    visible,
)

from keras_noisy.quality._report import fingerprint

pytest.importorskip("PIL", reason="the report needs Pillow")

pytestmark = pytest.mark.once

quality, report = test_report.quality, test_report.report
browser, open_page = test_report.browser, test_report.open_page


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
        ([f"1,delete,1,,{key}"], "line 2: 'delete', not keep, drop, rel"),
        (["", right, "", f"2,delete,1,,{key}"], "line 5: 'delete'"),
        ([f"20,drop,1,,{key}"], r"'20', not in \[0, 20\)"),
        ([f"1,drop,2,,{key}"], "another given label"),
        ([f"1,relabel,1,,{key}"], "line 2: ''"),
        ([f"1,keep,1,2,{key}"], "line 2, a new label to keep"),
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


def test_decisions_know_the_names_of_all_files():
    names = [f"ä{i}.png" for i in range(8)]
    key = fingerprint(GIVEN[:8], names)
    moved = np.array([f"C:\\photos\\{name}" for name in names], object)
    apart = [unicodedata.normalize("NFD", f"other/{name}") for name in names]
    for same in (moved, apart, [pathlib.Path("x", name) for name in names]):
        assert fingerprint(GIVEN[:8], same) == key
    # The first, the last and the one in the middle are in their places.
    names[1:3] = names[2], "new.png"
    assert fingerprint(GIVEN[:8], names) != key


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
