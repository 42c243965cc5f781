// The portfolio's sorting, filters and search, and the button that copies a summary. Without this
// script the first rows are there in their order and the summary can be selected by hand.
"use strict";

const STEP = 100; // rows at a time: browsers are slow to lay out thousands

const language = document.documentElement.lang;
const collator = new Intl.Collator(language, { numeric: true, sensitivity: "base" });
const whole = new Intl.NumberFormat(language);
const percent = new Intl.NumberFormat(language, { style: "percent", minimumFractionDigits: 1 });
const roundPercent = new Intl.NumberFormat(language, { style: "percent" });
const points = new Intl.NumberFormat(language, {
  minimumFractionDigits: 1,
  signDisplay: "exceptZero",
});
const plain = (text) => text.normalize("NFKC").toLowerCase();
const signed = (tenths) => points.format(tenths / 10).replace("-", "\u2212");
const share = (tenths) => percent.format(tenths / 1000);

// The rows of `portfolio.js` as objects, with what search looks through.
function unpacked({ fields, words, worded, rows }) {
  const byNumber = new Set(worded);
  return rows.map((values) => {
    const one = {};
    fields.forEach((field, place) => {
      one[field] = byNumber.has(field) ? words[values[place]] : values[place];
    });
    const texts = ["group_id", "account", "solution", "owner", "task_word", "risk", "status_word"];
    one.text = plain([...texts, "strongest", "missing", "tier"].map((field) => one[field]).join(" "));
    return one;
  });
}

function filled(template, one, { dataset }) {
  const row = template.content.firstElementChild.cloneNode(true);
  const known = dataset.known.split(" ");
  row.dataset.view = one.view;
  for (const cell of row.querySelectorAll("[data-cell]")) {
    cell.dataset.value = one[cell.dataset.cell] ?? "";
  }
  const texts = {
    ...one,
    rank: whole.format(one.rank),
    owner: one.owner || dataset.nothing,
    tier: one.tier || dataset.nothing,
    readiness: share(one.readiness),
    interval: `(${share(one.low)} ${dataset.to} ${share(one.high)})`,
    change: one.change === null ? dataset.nothing : signed(one.change),
    completeness: roundPercent.format(one.completeness / 100),
    missing: one.missing && `${dataset.missing}: ${one.missing}`,
    strongest: one.strongest || dataset.nobody,
    points: one.points === null ? "" : signed(one.points),
  };
  for (const part of row.querySelectorAll("[data-fill]")) {
    const field = part.dataset.fill;
    if (field !== "crm") part.textContent = texts[field];
    if (field === "task_word") part.className = `task task-${one.task}`;
    if (field === "status_word") {
      part.className = `status status-${known.includes(one.status) ? one.status : "other"}`;
    }
    if (field === "account") {
      if (one.page) part.setAttribute("href", dataset.prefix + one.page);
      else part.removeAttribute("href");
    }
    if (field === "crm") {
      if (!one.url) part.remove();
      else {
        part.setAttribute("href", one.url);
        part.setAttribute("aria-label", `${dataset.crm}: ${one.account}, ${one.solution}`);
      }
    }
  }
  const [band, limit, at] = ["band", "limit", "at"].map((name) => row.querySelector(`.${name}`));
  const [low, width, threshold, readiness] = one.gauge;
  band.setAttribute("x", low);
  band.setAttribute("width", width);
  for (const [line, place] of [[limit, threshold], [at, readiness]]) {
    line.setAttribute("x1", place);
    line.setAttribute("x2", place);
  }
  const trend = row.querySelector(".trend");
  if (trend && one.trend) trend.firstElementChild.setAttribute("points", one.trend);
  else trend?.remove();
  return row;
}

function portfolio(table, form, told, more, nothing, template, rows) {
  const body = table.tBodies[0];
  const heads = [...table.tHead.rows[0].cells];
  const search = form.querySelector("input[type=search]");
  const views = [...form.querySelectorAll("input[type=radio]")];
  const choices = [...form.querySelectorAll("select")];
  let sorted = { field: "urgency", order: "ascending" };
  let ordered = rows;
  let limit = STEP;

  function compared(a, b) {
    if (a === null || b === null) return (a === null) - (b === null);
    return typeof a === "string" ? collator.compare(a, b) : a - b;
  }

  function sort(field, order) {
    const turn = order === "ascending" ? 1 : -1;
    ordered = rows
      .map((one, place) => ({ one, place }))
      .sort((a, b) => {
        const [left, right] = [a.one[field], b.one[field]];
        const unknown = left === null || right === null; // stays last either way
        return compared(left, right) * (unknown ? 1 : turn) || a.place - b.place;
      })
      .map(({ one }) => one);
    for (const head of heads) {
      if (head.dataset.sort === field) head.setAttribute("aria-sort", order);
      else head.removeAttribute("aria-sort");
    }
    sorted = { field, order };
    show(STEP);
  }

  function wanted() {
    const parts = plain(search.value).split(/\s+/).filter(Boolean);
    const chosen = choices.filter((one) => one.value !== "");
    const view = views.find((one) => one.checked)?.value ?? "all";
    // What is looked for by name is found wherever it is listed.
    const anywhere = view === "all" || parts.length > 0 || chosen.some((one) => one.dataset.filter === "status");
    return ordered.filter(
      (one) =>
        (anywhere || one.view === view) &&
        parts.every((part) => one.text.includes(part)) &&
        chosen.every((choice) => one[choice.dataset.filter] === choice.value),
    );
  }

  function show(count) {
    limit = count;
    const found = wanted();
    body.replaceChildren(...found.slice(0, limit).map((one) => filled(template, one, table)));
    told.querySelector("b").textContent = whole.format(found.length);
    more.hidden = found.length <= limit;
    nothing.hidden = found.length > 0;
    keep();
  }

  // What was chosen stands behind the address's #, so that a way back, or a link, leads to it.
  function keep() {
    const state = new URLSearchParams();
    if (search.value) state.set("q", search.value);
    for (const one of choices) if (one.value) state.set(one.dataset.filter, one.value);
    const view = views.find((one) => one.checked);
    if (view && view !== views[0]) state.set("view", view.value);
    if (sorted.field !== "urgency" || sorted.order !== "ascending") {
      state.set("sort", `${sorted.field} ${sorted.order}`);
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
    for (const one of views) one.checked = one.value === (state.get("view") ?? views[0]?.value);
    if (views.length && !views.some((one) => one.checked)) views[0].checked = true;
    for (const one of choices) {
      const value = state.get(one.dataset.filter) ?? "";
      one.value = [...one.options].some((option) => option.value === value) ? value : "";
    }
    const [field, order] = (state.get("sort") ?? "").split(" ");
    if (heads.some((head) => head.dataset.sort === field) && order) {
      sort(field, order === "descending" ? order : "ascending");
    } else show(STEP);
  }

  for (const head of heads) {
    const button = document.createElement("button");
    button.type = "button";
    button.append(...head.childNodes);
    head.append(button);
    button.addEventListener("click", () => {
      const { first, sort: field } = head.dataset;
      const other = first === "ascending" ? "descending" : "ascending";
      sort(field, head.getAttribute("aria-sort") === first ? other : first);
    });
  }
  form.addEventListener("submit", (event) => event.preventDefault());
  form.addEventListener("reset", () => setTimeout(show, 0, STEP)); // after the fields are empty
  let waiting = 0;
  search.addEventListener("input", () => {
    clearTimeout(waiting);
    waiting = setTimeout(show, 150, STEP);
  });
  for (const one of [...choices, ...views]) one.addEventListener("change", () => show(STEP));
  more.addEventListener("click", () => {
    const first = limit;
    show(limit + STEP);
    body.rows[first]?.querySelector("a[href]")?.focus();
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
  const table = document.getElementById("groups");
  if (table && globalThis.portfolioData) {
    const parts = ["filters", "found", "more", "none", "row"].map((id) => document.getElementById(id));
    portfolio(table, ...parts, unpacked(globalThis.portfolioData));
  }
  const button = document.getElementById("copy");
  if (button) {
    copying(button, document.getElementById("summary"), document.getElementById("copied"));
  }
}

document.addEventListener("DOMContentLoaded", start);
