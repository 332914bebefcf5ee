"use strict";
const $ = (id) => document.getElementById(id);
const content = JSON.parse($("content").textContent);
const { names, given, predicted } = content;
const words = (name) => name.replaceAll("_", " ");
const whole = (number) => number.toLocaleString("en");
const percent = (share, digits = 1) => `${(100 * share).toFixed(digits)}\u00a0%`;

function make(parent, tag, attributes = {}, text = "") {
  const space = tag === "svg" || parent instanceof SVGElement;
  const element = space
    ? document.createElementNS("http://www.w3.org/2000/svg", tag)
    : document.createElement(tag);
  for (const name in attributes) element.setAttribute(name, attributes[name]);
  element.textContent = text;
  parent.append(element);
  return element;
}

// Names to choose from; several classes of one name are told by their number.
const uses = new Map();
for (const name of names) uses.set(name, (uses.get(name) ?? 0) + 1);
const choices = names.map((name, i) =>
  uses.get(name) === 1 ? name : `${i}: ${name}`);

// What is decided: the index of a sample to "keep", "drop" or its new label.
let decisions = new Map();
const earlier = [];
const key = `keras-noisy ${content.key}`;

function load() {
  try {
    decisions = new Map(JSON.parse(localStorage.getItem(key) ?? "[]"));
    $("storage").textContent =
      "This browser remembers the decisions for these labels.";
  } catch {
    warn();
  }
}

function warn() {
  $("storage").textContent =
    "This browser does not remember the decisions: download them in time.";
}

function change(indices, decision) {
  earlier.push(new Map(decisions));
  for (const index of indices) decisions.set(index, decision);
  store();
}

function store() {
  try {
    localStorage.setItem(key, JSON.stringify([...decisions]));
  } catch {
    warn();
  }
  cards.forEach(paint);
  count();
}

// One card for each suspect.
const cards = content.cards.map((sample) => {
  const { index } = sample;
  const labels = [names[given[index]], names[predicted[index]]];
  const place = sample.place ?? `Sample ${index}`;
  const element = make($("cards"), "div", {
    class: "card", tabindex: -1, role: "group", "data-index": index,
    "aria-label": `${place}, given ${labels[0]}, predicted ${labels[1]}`,
  });
  if (sample.image) {
    make(element, "img", { src: sample.image, alt: place, loading: "lazy" });
  }
  if (sample.words) {
    const [before, word, after] = sample.words;
    const p = make(element, "p", { class: "words" }, `${before} `);
    make(p, after || before ? "mark" : "span", {}, word);
    p.append(` ${after}`);
  }
  if (sample.note) make(element, "p", { class: "note" }, sample.note);
  const line = (name, value, rest = "") => {
    const p = make(element, "p", {}, `${name} `);
    make(p, "b", {}, value);
    p.append(rest);
    return p;
  };
  line("given", labels[0]);
  line("predicted", labels[1], ` ${percent(sample.probability, 0)}`);
  if ("clean" in sample) {
    const p = line("clean", sample.clean);
    p.className = sample.wrong ? "clean wrong" : "clean";
    if (sample.wrong) p.append(", the given label is wrong");
  }
  const fresh = make(element, "p", { class: "fresh" });
  const score = make(element, "p", { class: "soft" });
  const row = make(element, "div", { class: "row" });
  const button = (decision, text, key, act) => {
    const button = make(row, "button", {
      class: decision, tabindex: -1, "aria-keyshortcuts": key,
    }, text);
    button.addEventListener("click", act);
    return button;
  };
  const buttons = [
    button("keep", "Keep", "k", () => change([index], "keep")),
    button("drop", "Drop", "d", () => change([index], "drop")),
  ];
  if (content.relabels) buttons.push(button("relabel", "Class", "c", () => ask(card)));
  element.addEventListener("focusin", () => select(card));
  const card = { ...sample, element, fresh, score, buttons };
  return card;
});
let order = cards;

function paint(card) {
  const decision = decisions.get(card.index) ?? "";
  const kind = kindOf(decision);
  card.element.dataset.decision = kind;
  card.fresh.textContent = kind === "relabel" ? `now ${names[decision]}` : "";
  for (const button of card.buttons) {
    button.setAttribute("aria-pressed", button.className === kind);
  }
}

const kindOf = (decision) =>
  typeof decision === "number" ? "relabel" : decision;

// A class given to a sample: its own is a decision to keep it.
function relabel(card, label) {
  change([card.index], label === given[card.index] ? "keep" : label);
}

function ask(card) {
  $("class-error").textContent = "";
  $("class").value = choices[predicted[card.index]];
  $("ask").dataset.index = card.index;
  $("ask").showModal();
  $("class").select();
  $("likely").replaceChildren();
  for (const [label, share] of card.choices ?? []) {
    const text = `${names[label]} ${percent(share, 0)}`;
    make($("likely"), "button", { type: "button" }, text)
      .addEventListener("click", () => settle(card, label));
  }
}

function answer(event) {
  event.preventDefault();
  const label = choices.indexOf($("class").value);
  if (label < 0) {
    $("class-error").textContent = "Choose one of the classes in the list.";
    return;
  }
  settle(cards.find((card) => card.index === Number($("ask").dataset.index)), label);
}

function settle(card, label) {
  $("ask").close();
  relabel(card, label);
  move(card, 1);
}

// Only one card is in the tab order; arrows move from there.
function select(card) {
  for (const other of cards) other.element.tabIndex = other === card ? 0 : -1;
}

const shown = () => order.filter((card) => !card.element.hidden);

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

function filter() {
  const fits = (id, label) => $(id).value === "" || +$(id).value === label;
  for (const { index, element } of cards) {
    element.hidden =
      !fits("given", given[index]) || !fits("predicted", predicted[index]);
  }
  select(shown()[0]);
  count();
}

function sort() {
  const by = $("sort").value;
  // The page is in the order of its own score, ties included.
  order = by === content.score
    ? cards : cards.toSorted((a, b) => b.scores[by] - a.scores[by]);
  for (const card of order) {
    const value = card.scores[by];
    const short = Number.isInteger(value) ? value : value.toFixed(3);
    card.score.textContent = `${card.place ?? `#${card.index}`}, score ${short}`;
  }
  $("cards").append(...order.map((card) => card.element));
  select(shown()[0]);
}

function options(id, labels) {
  const counts = new Map();
  for (const label of labels) counts.set(label, (counts.get(label) ?? 0) + 1);
  make($(id), "option", { value: "" }, "all");
  const found = [...counts.keys()].sort((a, b) => a - b);
  for (const label of found) {
    const text = `${names[label]} (${counts.get(label)})`;
    make($(id), "option", { value: label }, text);
  }
  $(id).addEventListener("change", filter);
}

function move(card, step) {
  const visible = shown();
  const next = visible[visible.indexOf(card) + step];
  next?.element.focus();
}

function columns() {
  const tops = shown().map((card) => card.element.offsetTop);
  return tops.filter((top) => top === tops[0]).length;
}

function undo() {
  if (earlier.length === 0) return;
  decisions = earlier.pop();
  store();
}

document.addEventListener("keydown", (event) => {
  const elsewhere = event.target.closest("select, input, dialog");
  if (elsewhere || event.ctrlKey || event.metaKey || event.altKey) return;
  if (event.key === "u") return undo();
  const element = event.target.closest(".card");
  const card = cards.find((card) => card.element === element);
  if (!card) {
    if (event.key === "ArrowRight") shown()[0]?.element.focus();
    return;
  }
  const steps = { ArrowLeft: -1, ArrowRight: 1 };
  const rows = { ArrowUp: -1, ArrowDown: 1 };
  if (event.key in steps) move(card, steps[event.key]);
  else if (event.key in rows) move(card, rows[event.key] * columns());
  else if (event.key === "k" || event.key === "d") {
    change([card.index], event.key === "k" ? "keep" : "drop");
    move(card, 1);
  } else if (event.key === "r" && content.relabels) {
    relabel(card, predicted[card.index]);
    move(card, 1);
  } else if (event.key === "c" && content.relabels) ask(card);
  else return;
  event.preventDefault();
});

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

document.title = $("title").textContent = content.title;
$("score").textContent = words(content.score);
$("numbers").textContent =
  `${content.samples}, ${whole(names.length)} classes, ` +
  `${content.source}. ` +
  `Below are the ${whole(cards.length)} worst by ${words(content.score)}.`;
$("warning").textContent = content.warning;
$("warning").hidden = !content.warning;
if (content.finding) finding(content.finding);
// Lists of samples to train on are of samples with one label.
for (const id of ["dropped", "kept", "lists"]) $(id).hidden = !content.lists;
$("keys-relabel").hidden = !content.relabels;
$("cards").classList.toggle("crisp", content.crisp);
$("clean-choice").hidden = content.finding === null;
$("clean").addEventListener("change", () =>
  $("cards").classList.toggle("show-clean", $("clean").checked));
options("given", cards.map((card) => given[card.index]));
options("predicted", cards.map((card) => predicted[card.index]));
for (const name in cards[0].scores) make($("sort"), "option", { value: name }, words(name));
$("sort").value = content.score;
$("sort").addEventListener("change", sort);
const allShown = () => shown().map((card) => card.index);
$("drop-shown").addEventListener("click", () => change(allShown(), "drop"));
$("keep-shown").addEventListener("click", () => change(allShown(), "keep"));
$("undo").addEventListener("click", undo);
$("clear").addEventListener("click", () => {
  earlier.push(decisions);
  decisions = new Map();
  store();
});
$("dropped").addEventListener("click", () => download("dropped.csv", true));
$("kept").addEventListener("click", () => download("kept.csv", false));
$("decisions").addEventListener("click", downloadDecisions);
$("answer").addEventListener("submit", answer);
$("cancel").addEventListener("click", () => $("ask").close());
for (const value of choices) make($("classes"), "option", { value });
load();
sort();
cards.forEach(paint);
filter();
