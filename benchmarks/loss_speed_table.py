"""Prints the results of `loss_speed.py` as Markdown."""

from typing import Any

from loss_speed_goals import BASELINE

Row = dict[str, Any]


def show(rows: list[Row], batch: int) -> None:
    """A table per backend and mode, and how many losses meet the goal."""
    print(
        f"The batch size is {batch}. The baseline has times in milliseconds, "
        "the losses have\nratios to it. Memory is the peak of a call in (N, K) "
        "float32 matrices, including\nthe returned gradient."
    )
    for table in dict.fromkeys((row["backend"], row["mode"]) for row in rows):
        here = [row for row in rows if (row["backend"], row["mode"]) == table]
        classes = sorted({int(row["num_classes"]) for row in here})
        heads = [f"K = {k}" for k in classes] + [f"memory, K = {classes[-1]}"]
        print(f"\n### {table[0]}, {table[1]}\n")
        print("|", " | ".join(["loss", *heads]), "|")
        print("|", " | ".join(["---"] * (1 + len(heads))), "|")
        for name in dict.fromkeys(row["loss"] for row in here):
            line = {int(r["num_classes"]): r for r in here if r["loss"] == name}
            cells = [name, *(time_cell(line.get(k)) for k in classes)]
            if last := line.get(classes[-1]):
                matrix = 4e-6 * batch * classes[-1]
                cells.append(f"{float(last['peak_mb_loss']) / matrix:.1f}")
            print("|", " | ".join(cells), "|")
    print_shares(rows)


def print_shares(rows: list[Row]) -> None:
    """How many rows of each kind and mode meet their goal."""
    judged = [row for row in rows if row["meets"]]
    groups = {(row["kind"], row["backend"], row["mode"]) for row in judged}
    classes = sorted({int(row["num_classes"]) for row in judged})
    heads = ["goals met", *(f"K = {k}" for k in classes)]
    print("\n|", " | ".join(heads), "|")
    print("|", " | ".join(["---"] * len(heads)), "|")
    for group in sorted(groups):
        line = ["{}, {}, {}".format(*group)]
        for k in classes:
            here = [
                row
                for row in judged
                if (row["kind"], row["backend"], row["mode"]) == group
                and int(row["num_classes"]) == k
            ]
            met = sum(row["meets"] == "yes" for row in here)
            goal = f" (at most {here[0]['goal']}x)" if here else ""
            line.append(f"{met} of {len(here)}{goal}" if here else "-")
        print("|", " | ".join(line), "|")
    met = sum(row["meets"] == "yes" for row in judged)
    print(f"\n{met} of {len(judged)} meet the goal.")


def time_cell(row: Row | None) -> str:
    if row is None:
        return "-"
    if row["loss"] == BASELINE:
        return f"{float(row['milliseconds_baseline']):.3g} ms"
    ratio = float(row["ratio"])
    if row["meets"] != "no":
        return f"{ratio:.2f}"
    by = ratio - float(row["goal"])
    return f"{ratio:.2f}, misses {row['goal']}x by {by:.2f}"
