// The report's own script: filters rows by words and verdict, sorts tables, opens what a link leads to.

const rows = [...document.querySelectorAll("table.verdicts tbody tr:not(.group)")];
const questions = [...document.querySelectorAll("details.question")];
// Group heads with the rows below each, in the order of the file.
const groups = new Map();
for (const row of document.querySelectorAll("table.verdicts tbody tr")) {
  if (row.classList.contains("group")) groups.set(row, []);
  else [...groups.values()].at(-1).push(row);
}
for (const [head, below] of groups) for (const row of below) row.dataset.group = head.textContent;
const words = document.getElementById("words"), kind = document.getElementById("kind");

// Without capitals and underscores: what is written t_ICL stands on the page with its index below the line.
const plain = (text) => text.toLowerCase().replaceAll("_", "");

// Whether a phrase stands in a text; one that ends in a digit stands for the whole number: N = 25 is not in N = 250.
function holds(text, phrase) {
  for (let i = text.indexOf(phrase); i >= 0; i = text.indexOf(phrase, i + 1)) {
    if (!/\d$/.test(phrase) || !/^\.?\d/.test(text.slice(i + phrase.length))) return true;
  }
  return false;
}

// Every phrase, apart by commas, must stand in a row or in its question; what has no row left is hidden, what has one is opened.
function filter() {
  const wanted = plain(words.value).split(",").map((one) => one.trim()).filter(Boolean);
  const active = wanted.length > 0 || kind.value !== "";
  let left = 0;
  for (const row of rows) {
    const asked = row.closest("details.question").querySelector("h2").textContent;
    const text = plain(`${row.dataset.group} ${row.textContent} ${asked}`);
    row.hidden = !((kind.value === "" || row.dataset.kind === kind.value) && wanted.every((one) => holds(text, one)));
    left += row.hidden ? 0 : 1;
  }
  for (const [head, below] of groups) head.hidden = below.every((row) => row.hidden);
  for (const question of questions) {
    const some = [...question.querySelectorAll("tbody tr:not(.group)")].some((row) => !row.hidden);
    question.hidden = active && !some;
    if (active && some) question.open = true;
  }
  document.body.classList.toggle("filtered", active); // results first: pictures come back with the whole table
  document.getElementById("left").textContent = active ? `${left} of ${rows.length} rows` : "";
}

// By the number of a cell where it has one, which come first, then by its words; the third click restores the order.
function sort(table, column, direction) {
  const body = table.tBodies[0], key = (row) => row.cells[column].dataset.sort;
  table.original ??= [...body.rows];
  table.classList.toggle("sorted", direction !== "none");
  const sign = direction === "descending" ? -1 : 1;
  const compare = (a, b) => {
    const x = key(a), y = key(b);
    if ((x === undefined) !== (y === undefined)) return x === undefined ? 1 : -1;
    const order = x === undefined ? a.cells[column].textContent.localeCompare(b.cells[column].textContent) : x - y;
    return sign * order;
  };
  const ordered = direction === "none" ? table.original
    : table.original.filter((row) => !row.classList.contains("group")).sort(compare);
  body.append(...ordered);
}

for (const table of document.querySelectorAll("table.verdicts")) {
  const heads = [...table.tHead.rows[0].cells];
  heads.forEach((head, column) => head.querySelector("button").addEventListener("click", () => {
    const turn = { none: "ascending", ascending: "descending", descending: "none" };
    const direction = turn[head.getAttribute("aria-sort")];
    for (const other of heads) other.setAttribute("aria-sort", "none");
    head.setAttribute("aria-sort", direction);
    sort(table, column, direction);
  }));
}
words.addEventListener("input", filter);
kind.addEventListener("input", filter);
document.getElementById("open").addEventListener("click", () => questions.forEach((one) => { one.open = true; }));
document.getElementById("close").addEventListener("click", () => questions.forEach((one) => { one.open = false; }));

function reveal() {
  const target = document.getElementById(decodeURIComponent(location.hash.slice(1)));
  if (!target) return;
  for (let one = target; one; one = one.parentElement) if (one.tagName === "DETAILS") one.open = true;
  target.scrollIntoView();
}
addEventListener("hashchange", reveal);
addEventListener("click", (event) => { // the address stays as it is: nothing else would open what was closed since
  if (event.target.closest("a[href^='#']")?.hash === location.hash) reveal();
});
reveal();
