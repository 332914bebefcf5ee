// The CSV files of a report, which keras_noisy/quality puts behind its own
// scripts. Programs that look at them find them where they have always been.
function save(name, lines) {
  const blob = new Blob([lines.join("\n") + "\n"], { type: "text/csv" });
  const link = document.createElement("a");
  link.href = URL.createObjectURL(blob);
  link.download = name;
  link.click();
  setTimeout(() => URL.revokeObjectURL(link.href), 60000);
}

// What Python reads: numbers alone, and which data they are of.
function downloadDecisions() {
  const lines = ["index,decision,given,new,data"];
  for (const index of [...decisions.keys()].sort((a, b) => a - b)) {
    const decision = decisions.get(index);
    const kind = kindOf(decision);
    const label = kind === "relabel" ? decision : "";
    lines.push([index, kind, given[index], label, content.key].join(","));
  }
  save("decisions.csv", lines);
}

function download(name, isDropped) {
  // A spreadsheet runs a cell that begins with one of these as a formula.
  const quote = (text) =>
    [/^\s*[=+\-@\uFF1D\uFF0B\uFF0D\uFF20]|^[\t\r\n]/.test(text) ? `'${text}` : text]
      .map((cell) => /[",;\t\r\n]/.test(cell) ? `"${cell.replaceAll('"', '""')}"` : cell)[0];
  const lines = ["index,given_label,predicted_label,score"];
  given.forEach((label, i) => {
    if (label === null) return; // It has no score.
    if ((decisions.get(i) === "drop") !== isDropped) return;
    const decision = decisions.get(i);
    const now = kindOf(decision) === "relabel" ? decision : label;
    const labels = [names[now], names[predicted[i]]].map(quote);
    lines.push([i, ...labels, content.values[i]].join(","));
  });
  save(name, lines);
}
