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
for (const name in cards[0]?.scores) make($("sort"), "option", { value: name }, words(name));
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
