"use strict";
// Words, numbers, tables and colours of every page. Data is only ever put in as text.
const words = (() => {
  const $ = (id) => document.getElementById(id);
  const make = (tag, text, cls) => {
    const node = document.createElement(tag);
    if (text !== undefined && text !== null) node.textContent = text;
    if (cls) node.className = cls;
    return node;
  };
  const button = (text, act, cls) => {
    const node = make("button", text, cls);
    node.type = "button";
    node.onclick = act;
    return node;
  };
  const SVG = "http://www.w3.org/2000/svg";
  const drawn = (box, paths, color, cls) => {  // an icon-sized drawing: [outline, class] each
    const svg = document.createElementNS(SVG, "svg");
    svg.setAttribute("viewBox", `0 0 ${box[0]} ${box[1]}`);
    svg.setAttribute("aria-hidden", "true");
    if (cls) svg.setAttribute("class", cls);
    if (color) svg.style.setProperty("--c", color);
    for (const [outline, kind] of paths) {
      const path = document.createElementNS(SVG, "path");
      path.setAttribute("d", outline);
      if (kind) path.setAttribute("class", kind);
      svg.append(path);
    }
    return svg;
  };

  const missing = (value) => value === null || value === undefined;
  const number = (value, digits = 2, signed = false) => missing(value) ? "n/a" : Number(value).toLocaleString("en-US", {
    minimumFractionDigits: digits, maximumFractionDigits: digits, signDisplay: signed ? "exceptZero" : "negative",
  }).replace("-", "−");
  const signedNumber = (value) => number(value, 2, true);
  const whole = (value) => number(value, 0);
  const percent = (value, signed = false) => missing(value) ? "n/a" : `${number(Number(value) * 100, 2, signed)}%`;
  const share = (value) => percent(value);
  const ratio = (value) => number(value);
  const tone = (value) => (Number(value) > 0 ? "good" : Number(value) < 0 ? "bad" : "");
  const moment = (ms) => new Date(ms).toISOString().slice(0, 16).replace("T", " ");
  const lasting = (ms) => {
    if (missing(ms)) return "n/a";
    const minutes = ms / 60000;
    if (minutes < 1) return `${number(ms / 1000, 0)} s`;
    if (minutes < 60) return `${number(minutes, 0)} min`;
    return (minutes < 2880 ? `${number(minutes / 60, 1)} h` : `${number(minutes / 1440, 1)} d`).replace(".0 ", " ");
  };
  const plain = (word) => String(word).replaceAll("_", " ");
  const sum = (counts) => Object.values(counts).reduce((total, count) => total + count, 0);
  const listed = (list) => new Intl.ListFormat("en").format(list);
  const plural = (count, one, many = `${one}s`) => `${whole(count)} ${count === 1 ? one : many}`;
  const dotted = (color) => {
    const dot = make("span", undefined, "dot");
    dot.style.setProperty("--c", color);
    return dot;
  };

  // A cell: {text | node, sort, cls, title}; a column: {title | node, cls, help}.
  const cellOf = (cell, tag = "td") => {
    const made = make(tag, cell.node ? undefined : cell.text, cell.cls);
    if (cell.node) made.append(...[cell.node].flat());
    if (cell.title) made.title = cell.title;
    return made;
  };
  const money = (value, cls) => ({ text: number(value), sort: missing(value) ? null : Number(value), title: value, cls: missing(value) ? "na" : cls });
  const gain = (value, cls = "") => missing(value) ? { text: "n/a", sort: null, cls: `na ${cls}` }
    : { text: signedNumber(value), sort: Number(value), title: value, cls: `${tone(value)} ${cls}` };
  const text = (value, cls = "left") => ({ text: value, sort: value, cls });

  // Rows are made of cells when they are shown: of many rows one part at a time.
  function table(node, columns, rows, { sortable = false, most = 0, cells = (row) => row, mark = null } = {}) {
    const head = make("tr"), body = make("tbody");
    let up = false, by = -1, shown = rows, from = 0;
    const made = (row) => {
      const line = make("tr");
      line.append(...cells(row).map((cell) => cellOf(cell)));
      if (mark) mark(line, row);
      return line;
    };
    const pager = make("div", undefined, "pager");
    const fill = () => {
      body.replaceChildren(...(most ? shown.slice(from, from + most) : shown).map(made));
      if (!shown.length) {
        const cell = make("td", "None.", "empty");
        cell.colSpan = columns.length;
        body.append(make("tr"));
        body.firstChild.append(cell);
      }
      pager.hidden = !most || shown.length <= most;
      if (pager.hidden) return;
      const go = (label, to, help) => {
        const one = button(label, () => { from = to; fill(); });
        one.disabled = to < 0 || to >= shown.length;
        one.setAttribute("aria-label", help);
        return one;
      };
      pager.replaceChildren(
        go("‹", from - most, "Rows before"),
        make("span", `${whole(from + 1)}–${whole(Math.min(from + most, shown.length))} of ${whole(shown.length)}`),
        go("›", from + most, "Rows after"),
      );
    };
    const sort = (index) => {
      up = by === index ? !up : false;
      by = index;
      from = 0;
      const empty = (cell) => missing(cell.sort) || Number.isNaN(cell.sort);
      const keyed = rows.map((row) => [cells(row)[index], row]);
      shown = keyed.sort(([one], [two]) => {
        if (empty(one) || empty(two)) return empty(one) - empty(two);
        return (one.sort < two.sort ? -1 : one.sort > two.sort ? 1 : 0) * (up ? 1 : -1);
      }).map(([, row]) => row);
      fill();
      [...head.children].forEach((th) => th.removeAttribute("aria-sort"));
      head.children[index].setAttribute("aria-sort", up ? "ascending" : "descending");
    };
    columns.forEach((column, index) => {
      const th = make("th", undefined, column.cls);
      th.scope = "col";
      if (column.help) th.title = column.help;
      if (sortable) th.append(button(column.title, () => sort(index)));
      else th.append(...[column.node ?? column.title].flat());
      head.append(th);
    });
    fill();
    const top = make("thead");
    top.append(head);
    node.replaceChildren(top, body);
    if (most) {
      const holder = node.closest(".scroll") ?? node;
      if (holder.nextElementSibling?.className === "pager") holder.nextElementSibling.remove();
      holder.after(pager);
    }
    return { // a table that is searched: only rows that fit
      keep: (fits) => { shown = rows.filter(fits); from = 0; by = -1; [...head.children].forEach((th) => th.removeAttribute("aria-sort")); fill(); },
    };
  }
  const pairs = (node, first, rows) => table(node, [{ title: first, cls: "left" }, { title: "Value", cls: "left" }],
    rows.map(([key, value]) => [{ text: key }, { text: value }]));
  const flat = (object, prefix = "") => Object.entries(object).flatMap(([key, value]) =>
    value !== null && typeof value === "object" && !Array.isArray(value) && Object.keys(value).length
      ? flat(value, `${prefix}${key} › `)
      : [[prefix + key, typeof value === "object" ? JSON.stringify(value) : String(value)]]);
  const facts = (node, list) => node.replaceChildren(...list.map(([term, parts]) => {
    const pair = make("div"), value = make("dd");
    value.append(...[parts].flat());
    pair.append(make("dt", term), value);
    return pair;
  }));
  const copied = (value, label) => {
    const copy = button("Copy", async () => {
      try {
        await navigator.clipboard.writeText(value);
      } catch {
        const area = Object.assign(document.body.appendChild(make("textarea")), { value });
        area.select();
        document.execCommand("copy");
        area.remove();
      }
      copy.textContent = "Copied";
      setTimeout(() => { copy.textContent = "Copy"; }, 1500);
    }, "small quiet");
    copy.setAttribute("aria-label", label);
    return copy;
  };

  // light and dark: the system's until the reader chooses

  const painted = [];  // called on every change
  const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
  const paintWith = (switcher) => {
    const system = matchMedia("(prefers-color-scheme: dark)");
    let chosen = { "#dark": true, "#light": false }[location.hash];
    const paint = () => {
      const dark = chosen ?? system.matches;
      document.documentElement.dataset.theme = dark ? "dark" : "light";
      switcher.textContent = dark ? "Light" : "Dark";
      switcher.setAttribute("aria-label", `Switch to ${dark ? "light" : "dark"} colours`);
      painted.forEach((act) => act());
    };
    switcher.onclick = () => { chosen = document.documentElement.dataset.theme !== "dark"; paint(); };
    system.addEventListener("change", paint);
    paint();
  };

  return {
    $, make, button, drawn, missing, number, signedNumber, whole, percent, share, ratio, tone, moment, lasting, plain, sum,
    listed, plural, dotted, cellOf, money, gain, text, table, pairs, flat, facts, copied, painted, css, paintWith,
  };
})();
