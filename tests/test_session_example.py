"""The short form of the session example, and its options."""

import re
import runpy
from pathlib import Path
from types import SimpleNamespace

import pytest
from helpers import run_here

pytestmark = pytest.mark.once

EXAMPLE = Path(__file__).parent.parent / "examples"
EXAMPLE = EXAMPLE / "session_recommendation.py"
UNTIL = '"""\n## The model'


def test_trains_measures_and_recommends():
    options = ["--smoke", "--loss", "GCE*", "--replace", 0.2]
    printed = run_here(EXAMPLE, *options)["printed"]
    recall, mrr = re.findall(r"^(?:P|MRR)@20 +(\d+\.\d\d) %$", printed, re.M)
    # By chance it would be a third, and 6 %.
    assert float(recall) > 80 and float(mrr) > 40
    assert "20% of the clicks replaced" in printed
    assert re.search(r"we recommend \[(\d+, ){9}\d+\]", printed)


@pytest.mark.parametrize("steps, saved", [(3, 0), (2, 1)])
def test_only_a_whole_epoch_of_the_benchmark_has_a_row(tmp_path, steps, saved):
    names = runpy.run_path(EXAMPLE.parent.parent / "benchmarks" / "sessions.py")
    report = object.__new__(names["Report"])
    report.path, report.run = tmp_path / "rows.csv", names["STUDIES"]["full"][0]
    report.start, report.deadline, report.test = (0, saved), 0.0, None
    found = {"recall_at_20": 0.5, "mrr_at_20": 0.1}
    report.tester = SimpleNamespace(evaluate=lambda *args, **kwargs: found)
    report.set_model(SimpleNamespace(built=True))
    report.set_params({"steps": 3})
    report.on_epoch_begin(0)
    for batch in range(steps):
        # The time is over, which may be in the last step of the epoch.
        report.on_train_batch_end(batch)
        report.on_epoch_end(0, {"loss": 1.0})
        whole = saved + batch + 1 == 3
        assert report.path.exists() == whole and report.is_stopped


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        ([], "--data-dir is needed"),
        (["--smoke", "--replace", "1"], "--replace must be at least 0"),
        (["--smoke", "--share", "0"], "--share must be above 0"),
        (["--smoke", "--loss", "XYZ"], "--loss "),
        (["--smoke", "--loss", "ELR"], "--loss "),
        (["--smoke", "--loss", "OGC"], "--loss OGC needs a layer"),
        (["--smoke", "--loss", "GJS"], "--loss GJS needs several views"),
    ],
)
def test_bad_arguments_get_a_clear_error(arguments, message, capsys):
    with pytest.raises(SystemExit):
        run_here(EXAMPLE, *arguments, until=UNTIL)
    assert message in capsys.readouterr().err
