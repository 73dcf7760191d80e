"use strict";
(() => {
  const data = JSON.parse(document.getElementById("data").textContent);
  const root = document.documentElement;
  const PIECE = 200;
  const MISSING = "–";
  // What rounds to nothing has no sign.
  const fixed = (value, digits) => {
    const text = value.toFixed(digits);
    return Number(text) === 0 ? (0).toFixed(digits) : text.replace("-", "−");
  };
  const element = (tag, attributes = {}, ...children) => {
    const made = document.createElement(tag);
    for (const [key, value] of Object.entries(attributes)) {
      if (value === true) made.setAttribute(key, "");
      else if (value !== false && value !== null && value !== undefined) made.setAttribute(key, value);
    }
    made.append(...children);
    return made;
  };

  const state = { metric: data.metrics[0].name, at: "" };
  const metricOf = (name) => data.metrics.find((each) => each.name === name) || data.metrics[0];

  const isName = (column) => column.kind === "name";
  const signed = (value, digits) => (Number(value.toFixed(digits)) > 0 ? "+" : "") + fixed(value, digits);
  const write = (column, row, digits) => {
    const value = row[column.at];
    if (isName(column)) return column.values[value];
    if (column.kind === "interval") {
      const high = row[column.at + 1];
      return value === null || high === null ? MISSING : `${signed(value, digits)} to ${signed(high, digits)}`;
    }
    if (value === null || value === undefined) return MISSING;
    switch (column.kind) {
      case "gain": return signed(value, digits);
      case "level": return fixed(value, column.share ? 1 : digits);
      case "p": return value < 0.001 ? "< 0.001" : value.toFixed(value < 0.1 ? 3 : 2);
      case "probability": return value.toFixed(2);
      case "decimal": return fixed(value, 2);
      default: return String(Math.round(value * 10) / 10);
    }
  };
  const collator = new Intl.Collator("en", { numeric: true });
  const comparer = (column) => {
    const at = column.at;
    if (isName(column) && !column.ordered) return (a, b) => collator.compare(column.values[a[at]], column.values[b[at]]);
    return (a, b) => a[at] - b[at];
  };

  class Table {
    constructor(place) {
      this.spec = data.tables[place.dataset.table];
      this.place = place;
      this.name = place.dataset.caption;
      this.sort = null;
      this.filters = new Map();
      this.text = "";
      this.all = false;
      this.shown = PIECE;
      this.build();
      this.update();
    }

    get rows() {
      const rows = this.spec.rows;
      return Array.isArray(rows) ? rows : rows[state.metric] || [];
    }

    get columns() {
      return this.spec.columns.filter((column) => this.all || !column.more);
    }

    build() {
      const filters = element("div", { class: "filters", role: "group", "aria-label": `Filter: ${this.name}` });
      const search = element("input", { type: "search", placeholder: "any text", "aria-label": `${this.name}: any text` });
      search.addEventListener("input", () => { this.text = search.value; this.restart(); });
      filters.append(element("label", {}, "contains", search));
      for (const column of this.spec.columns.filter((each) => each.filter)) {
        const select = element("select", { "aria-label": `${this.name}: ${column.label}` }, element("option", { value: "" }, "all"));
        const present = new Set();
        const rows = Array.isArray(this.spec.rows) ? this.spec.rows : Object.values(this.spec.rows).flat();
        for (const row of rows) present.add(row[column.at]);
        const places = [...present].sort((a, b) => a - b);
        for (const place of places) select.append(element("option", { value: place }, column.values[place]));
        if (places.length < 2) continue;
        select.addEventListener("change", () => {
          if (select.value === "") this.filters.delete(column.at);
          else this.filters.set(column.at, Number(select.value));
          this.restart();
        });
        filters.append(element("label", {}, column.label, select));
      }
      if (this.spec.columns.some((column) => column.more)) {
        const box = element("input", { type: "checkbox" });
        box.addEventListener("change", () => { this.all = box.checked; this.head(); this.update(); });
        filters.append(element("label", { class: "check" }, box, "all tests"));
      }
      this.thead = element("thead");
      this.tbody = element("tbody");
      const table = element("table", {}, element("caption", { hidden: true }, this.name), this.thead, this.tbody);
      this.count = element("span", { role: "status", "aria-live": "polite" });
      this.button = element("button", { type: "button" }, "Show more");
      this.button.addEventListener("click", () => { this.shown += 5 * PIECE; this.update(); });
      const grid = element("div", { class: "grid", tabindex: 0, role: "region", "aria-label": this.name }, table);
      const aside = element("span", { class: "aside" }, "the table is wider than the page: it scrolls sideways");
      this.place.replaceChildren(filters, grid, element("div", { class: "more" }, this.count, aside, this.button));
      const measure = () => { aside.hidden = grid.scrollWidth <= grid.clientWidth; };
      for (const each of [grid, table]) new ResizeObserver(measure).observe(each);
      this.head();
    }

    head() {
      const row = element("tr");
      for (const column of this.columns) {
        const button = element("button", { type: "button", title: column.help || null }, column.label);
        const order = this.sort && this.sort.column === column ? (this.sort.up ? "ascending" : "descending") : "none";
        const cell = element("th", { scope: "col", class: isName(column) ? null : "number", "aria-sort": order }, button);
        button.addEventListener("click", () => this.sortBy(column));
        row.append(cell);
      }
      this.thead.replaceChildren(row);
    }

    sortBy(column) {
      const again = this.sort && this.sort.column === column;
      this.sort = { column, up: again ? !this.sort.up : isName(column) || column.kind === "p" };
      const at = this.columns.indexOf(column);
      this.head();
      this.thead.querySelectorAll("button")[at].focus();
      this.restart();
    }

    restart() {
      this.shown = PIECE;
      this.update();
    }

    chosen() {
      const wanted = this.text.trim().toLowerCase().split(/\s+/).filter(Boolean);
      const names = this.spec.columns.filter(isName);
      const lower = names.map((column) => column.values.map((value) => value.toLowerCase()));
      const fits = (row) => {
        for (const [at, place] of this.filters) if (row[at] !== place) return false;
        return wanted.every((word) => names.some((column, index) => lower[index][row[column.at]].includes(word)));
      };
      const found = this.rows.filter(fits);
      if (!this.sort) return found;
      const { column, up } = this.sort;
      const order = comparer(column);
      const isMissing = (row) => row[column.at] === null || row[column.at] === undefined;
      // What is missing stands last, whichever way.
      return found.sort((a, b) => isMissing(a) - isMissing(b) || (isMissing(a) ? 0 : up ? order(a, b) : order(b, a)));
    }

    update() {
      const rows = this.chosen();
      const digits = metricOf(state.metric).digits;
      const columns = this.columns;
      const piece = document.createDocumentFragment();
      for (const row of rows.slice(0, this.shown)) {
        const line = document.createElement("tr");
        for (const column of columns) {
          const cell = document.createElement("td");
          const text = write(column, row, digits);
          cell.textContent = text;
          const classes = [isName(column) ? (text.length > 40 ? "long" : text.length > 16 ? "short phrase" : "short") : "number"];
          if (column.strong) classes.push("strong");
          if (column.outcome) classes.push("verdict");
          if (column.outcome && row[column.at] < 2) classes.push(row[column.at] === 0 ? "better" : "worse");
          cell.className = classes.join(" ");
          line.append(cell);
        }
        piece.append(line);
      }
      this.tbody.replaceChildren(piece);
      const [one, many] = this.spec.noun;
      const of = rows.length === this.rows.length ? "" : ` of ${this.rows.length.toLocaleString("en")}`;
      const shown = rows.length > this.shown ? `, the first ${this.shown} shown` : "";
      this.count.textContent = `${rows.length.toLocaleString("en")}${of} ${rows.length === 1 ? one : many}${shown}`;
      this.button.hidden = rows.length <= this.shown;
    }
  }

  const tables = [...document.querySelectorAll("[data-table]")].map((place) => new Table(place));

  const remember = () => {
    const parts = [`metric=${encodeURIComponent(state.metric)}`];
    if (state.at) parts.push(`at=${state.at}`);
    history.replaceState(null, "", `#${parts.join("&")}`);
  };
  const select = document.getElementById("metric");
  const show = () => {
    select.value = state.metric;
    for (const name of document.querySelectorAll("[data-metric-name]")) name.textContent = metricOf(state.metric).label;
    for (const figure of document.querySelectorAll("figure[data-metric]")) figure.hidden = figure.dataset.metric !== state.metric;
    for (const note of document.querySelectorAll("[data-no-figure]")) {
      note.hidden = note.parentElement.querySelector("figure:not([hidden])") !== null;
    }
    for (const table of tables) if (!Array.isArray(table.spec.rows)) table.restart();
  };
  const go = (id) => {
    const target = document.getElementById(id);
    if (!target) return;
    target.scrollIntoView();
    const heading = target.querySelector("h2");
    if (heading) { heading.tabIndex = -1; heading.focus({ preventScroll: true }); }
  };
  const read = () => {
    const hash = location.hash.slice(1);
    const asked = new URLSearchParams(hash.includes("=") ? hash : `at=${hash}`);
    if (data.metrics.some((each) => each.name === asked.get("metric"))) state.metric = asked.get("metric");
    state.at = asked.get("at") || "";
    show();
    if (state.at) go(state.at);
  };
  select.addEventListener("change", () => { state.metric = select.value; show(); remember(); });
  window.addEventListener("hashchange", read);
  for (const link of document.querySelectorAll('a[href^="#"]')) {
    link.addEventListener("click", (event) => {
      event.preventDefault();
      state.at = link.getAttribute("href").slice(1);
      const contents = link.closest("details");
      if (contents) contents.open = false;
      remember();
      go(state.at);
    });
  }

  const toggle = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { toggle.textContent = isDark() ? "Light" : "Dark"; toggle.setAttribute("aria-label", `${toggle.textContent} colours`); };
  try { root.dataset.theme = localStorage.getItem("synaug-theme") || ""; } catch { /* a file may have no storage */ }
  if (!root.dataset.theme) delete root.dataset.theme;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("synaug-theme", root.dataset.theme); } catch { /* as above */ }
    label();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", label);
  label();
  read();
})();
