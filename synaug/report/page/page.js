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
    const heading = target.querySelector("h2, h3");
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

  // Maps: a canvas for each method. Colour tells the class, shape what a row is: dot, ring or cross.
  const COLOURS = ["#0077bb", "#ee7733", "#009988", "#cc3311", "#8c7a2e", "#5b8def", "#8a6d5d", "#2f8f4e", "#ee3377"];
  const TRAINS = 0, HELD_BACK = 1, SYNTHETIC = 2;
  const SHAPES = ["real, trains", "real, held back", "synthetic"];
  const mark = (pen, shape, x, y, size, colour) => {
    pen.strokeStyle = pen.fillStyle = colour;
    pen.beginPath();
    if (shape === SYNTHETIC) {
      pen.moveTo(x - size, y - size); pen.lineTo(x + size, y + size);
      pen.moveTo(x - size, y + size); pen.lineTo(x + size, y - size);
    } else pen.arc(x, y, size, 0, 2 * Math.PI);
    if (shape === TRAINS) pen.fill(); else pen.stroke();
  };

  class MapPanel {
    constructor(map, method, tell) {
      this.map = map;
      this.tell = tell;
      this.at = -1;
      const real = map.real;
      this.points = real.labels.map((label, row) => ({ label, row, shape: real.trains[row] ? TRAINS : HELD_BACK, of: real }));
      this.points.push(...method.labels.map((label, row) => ({ label, row, shape: SYNTHETIC, of: method })));
      // What is many is drawn first, and what trains last.
      this.points.sort((a, b) => [1, 0, 2].indexOf(a.shape) - [1, 0, 2].indexOf(b.shape));
      const drawn = method.labels.length < method.total ? `, ${method.labels.length} of them drawn` : "";
      const name = `${method.label}: ${method.total} synthetic rows${drawn}`;
      this.canvas = element("canvas", { tabindex: 0, role: "img", "aria-label": `${name}, among ${real.labels.length} real rows` });
      this.place = element("div", {}, element("h5", {}, name), this.canvas);
      this.canvas.addEventListener("pointermove", (event) => this.choose(this.nearest(event)));
      this.canvas.addEventListener("pointerleave", () => this.choose(-1));
      this.canvas.addEventListener("keydown", (event) => {
        const step = { ArrowRight: 1, ArrowDown: 1, ArrowLeft: -1, ArrowUp: -1 }[event.key];
        if (!step || !this.points.length) return;
        event.preventDefault();
        this.choose((this.at + step + this.points.length + (this.at < 0 && step < 0 ? 1 : 0)) % this.points.length);
      });
      new ResizeObserver(() => this.draw()).observe(this.canvas);
    }

    where(point) {
      const places = point.of.places[this.map.kind];
      const side = this.canvas.clientWidth - 16;
      const of = this.map.side - 1;
      return [8 + places[2 * point.row] / of * side, 8 + (1 - places[2 * point.row + 1] / of) * side];
    }

    nearest(event) {
      const box = this.canvas.getBoundingClientRect();
      const [x, y] = [event.clientX - box.left, event.clientY - box.top];
      let best = -1, least = 14 ** 2;
      this.points.forEach((point, place) => {
        const [px, py] = this.where(point);
        const apart = (px - x) ** 2 + (py - y) ** 2;
        if (apart <= least) [best, least] = [place, apart];
      });
      return best;
    }

    choose(place) {
      if (place === this.at) return;
      this.at = place;
      this.draw();
      this.tell(place < 0 ? "" : this.words(this.points[place]));
    }

    words(point) {
      const { class_names: names, real } = this.map;
      const text = (row) => (real.texts ? `“${real.texts[row]}”` : `a ${real.trains[row] ? "training" : "held-back"} row`);
      const what = `${SHAPES[point.shape]}: ${names[point.label]}`;
      if (point.shape !== SYNTHETIC) return real.texts ? `${what}. ${text(point.row)}` : what;
      const parents = [...new Set(point.of.parents.slice(2 * point.row, 2 * point.row + 2))].filter((row) => row >= 0);
      if (!parents.length) return `${point.of.label}, ${what}; no parent is known or drawn`;
      return `${point.of.label}, ${what}, made of ${parents.map(text).join(" and ")}`;
    }

    draw() {
      const size = this.canvas.clientWidth;
      if (!size) return;
      const scale = window.devicePixelRatio || 1;
      this.canvas.width = this.canvas.height = Math.round(size * scale);
      const pen = this.canvas.getContext("2d");
      pen.scale(scale, scale);
      for (const point of this.points) {
        pen.globalAlpha = point.shape === HELD_BACK ? 0.45 : point.shape === TRAINS ? 0.9 : 0.65;
        mark(pen, point.shape, ...this.where(point), point.shape === SYNTHETIC ? 2.2 : 2.6, COLOURS[point.label % COLOURS.length]);
      }
      if (this.at < 0) return;
      const point = this.points[this.at];
      pen.globalAlpha = 1;
      pen.lineWidth = 2;
      const ink = getComputedStyle(root).getPropertyValue("--ink");
      if (point.shape === SYNTHETIC) {
        const [x, y] = this.where(point);
        for (const row of point.of.parents.slice(2 * point.row, 2 * point.row + 2)) {
          if (row < 0) continue;
          pen.strokeStyle = ink;
          pen.beginPath(); pen.moveTo(x, y); pen.lineTo(...this.where({ row, of: this.map.real })); pen.stroke();
        }
      }
      mark(pen, HELD_BACK, ...this.where(point), 7, ink);
    }
  }

  const panels = [];
  for (const place of document.querySelectorAll("figure[data-map]")) {
    const map = data.maps[Number(place.dataset.map)];
    map.kind = map.kinds[0][0];
    const told = element("p", { class: "told", role: "status", "aria-live": "polite" });
    const own = map.methods.map((method) => new MapPanel(map, method, (text) => { told.textContent = text; }));
    panels.push(...own);
    const kinds = element("select", { "aria-label": `Projection: ${map.scenario}` });
    for (const [name, label] of map.kinds) kinds.append(element("option", { value: name }, label));
    kinds.addEventListener("change", () => { map.kind = kinds.value; for (const each of own) each.draw(); });
    const key = element("ul", { class: "key" });
    const sign = (label, shape, colour) => {
      const canvas = element("canvas", { width: 32, height: 32, "aria-hidden": "true" });
      const pen = canvas.getContext("2d");
      pen.lineWidth = 3;
      mark(pen, shape, 16, 16, 9, colour);
      key.append(element("li", {}, canvas, label));
    };
    map.class_names.slice(0, COLOURS.length).forEach((name, label) => sign(name, TRAINS, COLOURS[label]));
    SHAPES.forEach((label, shape) => sign(label, shape, "#808890"));
    const more = map.class_names.length > COLOURS.length ? element("p", { class: "missing" }, `${map.class_names.length} classes share ${COLOURS.length} colours; only the first ${COLOURS.length} classes are listed`) : "";
    const n = map.real.labels.length;
    const drawn = n < map.real.total ? `, ${n} of ${map.real.total} real rows drawn` : "";
    const where = element("p", {}, `seed ${map.seed}, fold ${map.fold}${drawn}; `, element("label", {}, "projection ", kinds));
    place.append(where, key, more, element("div", { class: "panels" }, ...own.map((each) => each.place)), told);
  }

  // On paper nothing can be opened.
  let opened = [];
  window.addEventListener("beforeprint", () => {
    opened = [...document.querySelectorAll("main details:not([open])")];
    for (const each of opened) each.open = true;
  });
  window.addEventListener("afterprint", () => { for (const each of opened) each.open = false; });

  const toggle = document.getElementById("theme");
  const isDark = () => (root.dataset.theme || (matchMedia("(prefers-color-scheme: dark)").matches ? "dark" : "light")) === "dark";
  const label = () => { toggle.textContent = isDark() ? "Light" : "Dark"; toggle.setAttribute("aria-label", `${toggle.textContent} colours`); };
  try { root.dataset.theme = localStorage.getItem("synaug-theme") || ""; } catch { /* a file may have no storage */ }
  if (!root.dataset.theme) delete root.dataset.theme;
  toggle.addEventListener("click", () => {
    root.dataset.theme = isDark() ? "light" : "dark";
    try { localStorage.setItem("synaug-theme", root.dataset.theme); } catch { /* as above */ }
    label();
    for (const panel of panels) panel.draw();
  });
  matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { label(); for (const panel of panels) panel.draw(); });
  label();
  read();
})();
