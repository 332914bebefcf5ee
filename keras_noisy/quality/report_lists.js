// What the page says of all decisions and samples, and the lists of them;
// report.js goes before.
function count() {
  const visible = shown();
  const values = [...decisions.values()];
  const dropped = values.filter((value) => value === "drop").length;
  const kept = values.filter((value) => value === "keep").length;
  const relabeled = values.length - dropped - kept;
  const here = cards.filter((card) => decisions.has(card.index)).length;
  const elsewhere = values.length - here;
  $("status").textContent =
    `${whole(visible.length)} of ${whole(cards.length)} shown. ` +
    `Dropped ${whole(dropped)}, kept ${whole(kept)}, ` +
    (relabeled ? `relabeled ${whole(relabeled)}, ` : "") +
    `undecided ${whole(cards.length - here)}.` +
    (elsewhere ? ` Of these decisions ${whole(elsewhere)} come from an ` +
      "earlier report of the same labels and are not on this page." : "");
  $("undo").disabled = earlier.length === 0;
  $("clear").disabled = decisions.size === 0;
  $("drop-shown").disabled = $("keep-shown").disabled = visible.length === 0;
}

function finding({ wrong, shown, scores }) {
  const section = $("finding");
  section.hidden = false;
  make(section, "h2", {}, "Finding the wrong labels");
  if (wrong === 0) {
    make(section, "p", {}, "Every given label is equal to its clean label.");
    return;
  }
  const share = percent(wrong / content.count);
  make(section, "p", {},
    `${whole(wrong)} labels (${share}) differ from the clean ones. Among as ` +
    "many suspects precision and recall are the same.");
  const table = make(make(section, "div", { class: "wide" }), "table");
  const head = make(make(table, "thead"), "tr");
  for (const text of [
    "score", `precision and recall at ${whole(wrong)}`,
    `precision at ${whole(shown)}`, `recall at ${whole(shown)}`,
  ]) make(head, "th", { scope: "col" }, text);
  const body = make(table, "tbody");
  const dashes = ["none", "7 3", "2 2", "9 3 2 3"];
  const figure = make(section, "figure");
  const chart = make(figure, "svg", {
    viewBox: "0 0 260 160", width: 260, height: 160, role: "img",
    "aria-label": "Precision over recall for each score, as in the table",
  });
  make(chart, "path", { class: "frame", d: "M40 5V125H250" });
  for (const [x, y, text, anchor] of [
    [36, 12, "1", "end"], [36, 128, "0", "end"], [40, 140, "0", "middle"],
    [250, 140, "1", "end"], [145, 154, "recall", "middle"],
  ]) make(chart, "text", { x, y, "text-anchor": anchor }, text);
  const upright = { transform: "translate(14 65) rotate(-90)" };
  make(chart, "text", { ...upright, "text-anchor": "middle" }, "precision");
  scores.forEach((of, i) => {
    const row = make(body, "tr");
    const name = make(row, "th", { scope: "row" });
    const stroke = { "stroke-dasharray": dashes[i] };
    const sample = make(name, "svg", { width: 36, height: 8, "aria-hidden": true });
    make(sample, "path", { d: "M0 5H30", ...stroke });
    name.append(words(of.score));
    for (const value of [of.at_wrong, of.precision, of.recall]) {
      make(row, "td", {}, percent(value));
    }
    const points = of.curve.map(([x, y]) => `${40 + 210 * x} ${125 - 120 * y}`);
    make(chart, "path", { d: `M${points.join("L")}`, ...stroke });
  });
}
