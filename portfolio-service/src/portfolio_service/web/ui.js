// What pages are made of. Data is only ever put in as text.

import { t } from "./i18n.js";

/** Make an element: attributes (`class`, `text`, `on*` functions, others as they are), children. */
export function h(tag, attributes = {}, ...children) {
  const node = document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === undefined || value === null || value === false) continue;
    if (name === "class") node.className = value;
    else if (name === "text") node.textContent = value;
    else if (name.startsWith("on")) node.addEventListener(name.slice(2), value);
    else node.setAttribute(name, value === true ? "" : value);
  }
  node.append(...children.flat().filter((one) => one !== null && one !== undefined && one !== false));
  return node;
}

export const button = (label, act, attributes = {}) => h("button", { type: "button", onclick: act, ...attributes }, label);

/** Write a text where it is another one: what has not changed is not touched. */
export function put(node, text, cls) {
  const value = String(text ?? "");
  if (node.textContent !== value) node.textContent = value;
  if (cls !== undefined && node.className !== cls) node.className = cls;
  return node;
}

const SVG = "http://www.w3.org/2000/svg";
export function svg(box, shapes, attributes = {}) {
  const node = document.createElementNS(SVG, "svg");
  node.setAttribute("viewBox", box);
  node.setAttribute("aria-hidden", "true");
  for (const [name, value] of Object.entries(attributes)) node.setAttribute(name, value);
  for (const [tag, values] of shapes) {
    const shape = document.createElementNS(SVG, tag);
    for (const [name, value] of Object.entries(values)) shape.setAttribute(name, value);
    node.append(shape);
  }
  return node;
}

/** Keep the children of a node in step with a list: each stays the same node for the same key. */
export function keyed(node, list, keyOf, create, update) {
  const known = (node.keyed ??= new Map());
  const seen = new Set();
  let place = node.firstElementChild;
  for (const item of list) {
    const key = keyOf(item);
    seen.add(key);
    let child = known.get(key);
    if (!child) {
      child = create(item);
      known.set(key, child);
    }
    if (child === place) place = place.nextElementSibling;
    else node.insertBefore(child, place);
    update?.(child, item);
  }
  for (const [key, child] of known) {
    if (seen.has(key)) continue;
    child.remove();
    known.delete(key);
  }
}

/** A card with a heading; `side` stands beside the heading. */
export function card(title, { id, cls = "", side = [], lead = "" } = {}, ...children) {
  const name = id ?? `card-${Math.random().toString(36).slice(2, 8)}`;
  const head = h("div", { class: "head" }, h("h2", { id: `${name}-title`, text: title }), h("div", { class: "side" }, side));
  return h("section", { class: `card ${cls}`, id: name, "aria-labelledby": `${name}-title` },
    head, lead ? h("p", { class: "lead", text: lead }) : null, children);
}

/** A table that keeps its rows. Columns: {title, cls, write: (row) => text | {text, cls, title} | Node}. */
export function grid(caption, columns, { key, empty, cls = "", mark } = {}) {
  const body = h("tbody");
  const none = h("p", { class: "empty", text: empty ?? t("none") });
  const head = h("tr", {}, columns.map((one) => h("th", { scope: "col", class: one.cls ?? "", title: one.help }, one.title)));
  const table = h("table", { class: cls }, h("caption", { class: "hidden", text: caption }), h("thead", {}, head), body);
  const scroll = h("div", { class: "scroll", tabindex: "0", role: "region", "aria-label": caption }, table);
  const create = () => h("tr", {}, columns.map((one, i) => h(i === 0 && one.row !== false ? "th" : "td", { class: one.cls ?? "", scope: i === 0 && one.row !== false ? "row" : undefined })));
  const fill = (line, row) => {
    columns.forEach((one, i) => {
      const cell = line.children[i], value = one.write(row, cell);
      if (value === undefined) return;
      if (value instanceof Node) {
        if (cell.firstChild !== value) cell.replaceChildren(value);
      } else if (value !== null && typeof value === "object") {
        put(cell, value.text, [one.cls, value.cls].filter(Boolean).join(" "));
        if (value.title !== undefined && cell.title !== value.title) cell.title = value.title;
      } else {
        put(cell, value);
      }
    });
    mark?.(line, row);
  };
  const node = h("div", {}, scroll, none);
  const show = (rows) => {
    keyed(body, rows, key, create, fill);
    none.hidden = rows.length > 0;
    scroll.hidden = rows.length === 0;
  };
  show([]);
  return { node, show, body, table };
}

/** A figure with its name. */
export function figure(name, help) {
  const value = h("dd"), note = h("dd", { class: "small" });
  return { node: h("div", { class: "figure", title: help }, h("dt", { text: name }), value, note), value, note,
    show(text, cls = "", more = "") { put(value, text, /\d|^–$/.test(text) ? cls : `${cls} word`.trim()); put(note, more, "small"); } };
}

/** A state as a word in a pill. */
export function pill(text, kind) {
  return h("span", { class: `pill ${kind}`, text });
}
export function setPill(node, text, kind) {
  put(node, text, `pill ${kind}`);
}

let said = null;
/** Tell something that has happened; it is read out, and goes away. */
export function say(text, kind = "info") {
  const box = document.getElementById("said");
  clearTimeout(said);
  box.replaceChildren(h("p", { class: kind }, h("span", { text }), button("×", () => box.replaceChildren(), { class: "close", "aria-label": t("close") })));
  said = setTimeout(() => box.replaceChildren(), kind === "bad" ? 15000 : 6000);
}
export const complain = (error) => say(error.message || String(error), "bad");

/** Ask before something is done; with `word`, it has to be typed. `more` are further fields. */
export function confirm({ title, text, act, label, word = "", danger = false, reason = false }) {
  return new Promise((done) => {
    const why = h("input", { id: "confirm-reason", maxlength: "200", autocomplete: "off" });
    const typed = h("input", { id: "confirm-word", autocomplete: "off", spellcheck: "false" });
    const trouble = h("p", { class: "bad", role: "alert" });
    const go = h("button", { type: "submit", id: "confirm-go", class: danger ? "danger" : "main", text: label, disabled: Boolean(word) });
    typed.addEventListener("input", () => { go.disabled = typed.value.trim() !== word; });
    const form = h("form", {
      onsubmit: async (event) => {
        event.preventDefault();
        if (go.disabled) return;
        go.disabled = true;
        trouble.textContent = "";
        try {
          const result = await act(why.value.trim());
          box.close();
          done(result ?? true);
        } catch (error) {
          trouble.textContent = error.message;
          go.disabled = false;
        }
      },
    },
    h("h2", { id: "confirm-title", text: title }), h("p", { text }),
    reason ? h("label", { class: "field" }, h("span", { text: t("reason") }), why) : null,
    word ? h("label", { class: "field" }, h("span", { text: t("confirm.type", { word }) }), typed) : null,
    trouble,
    h("div", { class: "row end" }, button(t("cancel"), () => { box.close(); done(null); }, { id: "confirm-cancel" }), go));
    const box = h("dialog", { "aria-labelledby": "confirm-title", oncancel: () => done(null), onclose: () => box.remove() }, form);
    document.body.append(box);
    box.showModal();
    (word ? typed : reason ? why : go).focus();
  });
}

/** A labeled field. */
export const field = (label, control, help) => h("label", { class: "field" }, h("span", { text: label }), control, help ? h("small", { text: help }) : null);
export const options = (list, chosen) => list.map(([value, text]) => h("option", { value, selected: value === chosen, text }));
/** A few choices side by side. */
export function choices(label, list, chosen, act) {
  const node = h("div", { class: "choices", role: "group", "aria-label": label });
  const show = (value) => [...node.children].forEach((one) => one.setAttribute("aria-pressed", String(one.dataset.value === value)));
  list.forEach(([value, text]) => node.append(button(text, () => { show(value); act(value); }, { "data-value": value })));
  show(chosen);
  return node;
}
/** Not more often than each `ms`; the last call counts. */
export function seldom(act, ms) {
  let timer = 0, last = 0;
  const made = () => {
    if (timer) return;
    timer = setTimeout(() => { timer = 0; last = Date.now(); act(); }, Math.max(0, last + ms - Date.now()));
  };
  made.stop = () => clearTimeout(timer);
  return made;
}
