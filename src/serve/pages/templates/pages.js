// The portfolio's sorting, filters and search, and the button that copies a summary. Without this
// script the table stands sorted by rank and the summary can be selected by hand.
"use strict";

const STEP = 200; // rows at a time: browsers are slow to lay out thousands

const root = document.documentElement;
const language = root.lang;
const collator = new Intl.Collator(language, { numeric: true, sensitivity: "base" });
const whole = new Intl.NumberFormat(language);
const plain = (text) => text.normalize("NFKC").toLowerCase();

function portfolio(table, form, told, more) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const rows = [...body.rows].map((row) => ({
    row,
    values: heads.map((head, place) => valueOf(row.cells[place], head.dataset.sort)),
    text: plain([...row.cells].map((cell) => cell.textContent).join(" ")),
  }));
  const search = form.querySelector("input");
  const choices = [...form.querySelectorAll("select")];
  let sorted = { place: 0, order: "ascending" };
  let ordered = rows;
  let limit = STEP;

  function valueOf(cell, kind) {
    if (kind === "text") return cell.textContent.trim();
    return cell.dataset.value === "" ? null : Number(cell.dataset.value);
  }

  function compared(a, b) {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "string" ? collator.compare(a, b) : a - b;
  }

  function sort(place, order) {
    const turn = order === "ascending" ? 1 : -1;
    const ranked = rows.map((one, rank) => ({ one, rank, value: one.values[place] }));
    ranked.sort((a, b) => {
      const unknown = a.value === null || b.value === null; // stays last either way
      return compared(a.value, b.value) * (unknown ? 1 : turn) || a.rank - b.rank;
    });
    ordered = ranked.map(({ one }) => one);
    body.append(...ordered.map(({ row }) => row));
    heads.forEach((head, other) => {
      if (other === place) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    });
    sorted = { place, order };
    show(STEP);
  }

  function wanted() {
    const parts = plain(search.value).split(/\s+/).filter(Boolean);
    const chosen = choices.filter((one) => one.value !== "");
    return ordered.filter(
      ({ row, text }) =>
        parts.every((part) => text.includes(part)) &&
        chosen.every((one) => row.dataset[one.dataset.filter] === one.value),
    );
  }

  function show(count) {
    limit = count;
    const found = wanted();
    const shown = new Set(found.slice(0, limit));
    for (const one of rows) one.row.hidden = !shown.has(one);
    told.querySelector("b").textContent = whole.format(found.length);
    more.hidden = found.length <= limit;
    keep();
    return found;
  }

  // What was chosen stands behind the address's #, so that a way back, or a link, leads to it.
  function keep() {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    for (const one of choices) if (one.value) state.set(one.dataset.filter, one.value);
    if (sorted.place !== 0 || sorted.order !== "ascending") {
      state.set("sort", `${sorted.place} ${sorted.order}`);
    }
    const address = location.href.split("#")[0] + (String(state) ? `#${state}` : "");
    try {
      history.replaceState(null, "", address);
    } catch {
      // Some browsers allow no address of its own to a page from a folder.
    }
  }

  function restore() {
    const state = new URLSearchParams(location.hash.slice(1));
    search.value = state.get("q") ?? "";
    for (const one of choices) {
      const value = state.get(one.dataset.filter) ?? "";
      one.value = [...one.options].some((option) => option.value === value) ? value : "";
    }
    const [place, order] = (state.get("sort") ?? "").split(" ");
    if (heads[Number(place)] && order) {
      sort(Number(place), order === "descending" ? order : "ascending");
    }
    show(STEP);
  }

  heads.forEach((head, place) => {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const first = head.dataset.sort === "down" ? "descending" : "ascending";
      const other = first === "ascending" ? "descending" : "ascending";
      sort(place, head.getAttribute("aria-sort") === first ? other : first);
    });
  });
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show, 0, STEP)); // after the fields are empty
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 150, STEP);
  });
  for (const one of choices) one.addEventListener("change", () => show(STEP));
  more.addEventListener("click", () => {
    const first = limit;
    show(limit + STEP)[first]?.row.querySelector("a")?.focus();
  });
  form.hidden = told.hidden = false;
  restore();
}

function copying(button, box, told) {
  async function copy() {
    try {
      await navigator.clipboard.writeText(box.value);
      return true;
    } catch {
      box.focus();
      box.select();
      return document.execCommand("copy"); // for pages without a secure origin
    }
  }

  button.addEventListener("click", async () => {
    told.textContent = "";
    told.textContent = (await copy()) ? button.dataset.done : button.dataset.refused;
  });
  button.hidden = false;
}

function start() {
  root.classList.remove("starting");
  const table = document.getElementById("groups");
  if (table) {
    const ids = ["filters", "found", "more"];
    portfolio(table, ...ids.map((id) => document.getElementById(id)));
  }
  const button = document.getElementById("copy");
  if (button) {
    copying(button, document.getElementById("summary"), document.getElementById("copied"));
  }
}

root.classList.add("starting"); // the style leaves out what `portfolio` would hide anyway
document.addEventListener("DOMContentLoaded", start);
