// Many curves on one canvas: 50 of them with hundreds of points each are drawn in a few milliseconds.

import { css } from "./color.js";
import { clock, moment, t } from "./i18n.js";
import { h, put } from "./ui.js";

const STEPS = [1, 2, 2.5, 5, 10];
const TIMES = [1, 5, 10, 15, 30, 60, 120, 180, 360, 720, 1440, 2880, 7200, 14400, 43200].map((one) => one * 60000);
const TOLD = 6;

function stepOf(span, count) {
  const rough = span / count, power = 10 ** Math.floor(Math.log10(rough));
  return power * STEPS.find((one) => one * power >= rough);
}

/** The last place of a rising list that is not after a value; -1 before the first. */
export function before(list, value) {
  let low = -1, high = list.length - 1;
  while (low < high) {
    const middle = Math.ceil((low + high) / 2);
    if (list[middle] <= value) low = middle;
    else high = middle - 1;
  }
  return low;
}

/**
 * A chart. Lines: {id, name, color, t: [ms], v: [number], width, dash}.
 * `write` tells a value, `axis` shorter, with the digits that a hundredth part of it needs; `base` is a value that has a line of its own.
 */
export function curves(label, { write, axis = write, base = null, fill = false, onPick = null }) {
  const canvas = h("canvas", {
    tabindex: "0", role: "slider", "aria-label": label, "aria-valuemin": "0", "aria-valuemax": "1000", "aria-valuenow": "1000",
  });
  const tip = h("div", { class: "tip", hidden: true, "aria-hidden": "true" });
  const node = h("div", { class: "chart" }, canvas, tip);
  const pen = canvas.getContext("2d");
  let lines = [], strong = null, at = null, planned = 0, box = { w: 0, h: 0 }, range = null, near = null;
  const left = 4, top = 10, low = 22;
  let right = 58;

  const plan = () => { if (!planned) planned = requestAnimationFrame(draw); };
  const x = (time) => left + ((time - range.from) / (range.to - range.from)) * (box.w - left - right);
  const y = (value) => top + ((range.high - value) / (range.high - range.low)) * (box.h - top - low);

  function measure() {
    let from = Infinity, to = -Infinity, bottom = Infinity, high = -Infinity;
    for (const { t: times, v } of lines) {
      if (!times.length) continue;
      from = Math.min(from, times[0]);
      to = Math.max(to, times[times.length - 1]);
      for (const one of v) {
        if (one < bottom) bottom = one;
        if (one > high) high = one;
      }
    }
    if (from === Infinity) { range = null; return; }
    if (base !== null) { bottom = Math.min(bottom, base); high = Math.max(high, base); }
    const room = (high - bottom) * 0.06 || Math.abs(high) * 0.001 || 0.001;
    range = { from, to: Math.max(to, from + 60000), low: bottom - room, high: high + room };
  }

  function draw() {
    planned = 0;
    if (!box.w || !box.h) return;
    const ratio = devicePixelRatio || 1;
    pen.setTransform(ratio, 0, 0, ratio, 0, 0);
    pen.clearRect(0, 0, box.w, box.h);
    pen.font = `12px ${getComputedStyle(node).fontFamily}`;
    measure();
    if (!range) {
      pen.fillStyle = css("--soft");
      pen.textAlign = "center";
      pen.fillText(t("chart.empty"), box.w / 2, box.h / 2);
      return;
    }
    scales();
    const ordered = strong ? [...lines].sort((a, b) => (a.id === strong) - (b.id === strong)) : lines;
    ordered.forEach(trace);
    if (at !== null) cross();
  }

  function scales() {
    const step = stepOf(range.high - range.low, Math.max(2, box.h / 56));
    const first = Math.ceil(range.low / step) * step, marks = [];
    for (let value = first; value <= range.high; value += step) marks.push(Math.abs(value) < step / 1e6 ? 0 : value);
    const digits = [0, 1, 2, 3, 4, 5, 6].find((one) => Math.abs(step * 100 * 10 ** one - Math.round(step * 100 * 10 ** one)) < 1e-6) ?? 6;
    right = Math.max(44, ...marks.map((one) => pen.measureText(axis(one, digits)).width + 12));
    pen.lineWidth = 1;
    pen.textAlign = "left";
    pen.textBaseline = "middle";
    for (const value of marks) {
      const h_ = Math.round(y(value)) + 0.5;
      pen.strokeStyle = css("--line");
      pen.beginPath();
      pen.moveTo(left, h_);
      pen.lineTo(box.w - right, h_);
      pen.stroke();
      pen.fillStyle = css("--soft");
      pen.fillText(axis(value, digits), box.w - right + 6, h_);
    }
    if (base !== null) {
      pen.strokeStyle = css("--soft");
      pen.setLineDash([2, 3]);
      pen.beginPath();
      pen.moveTo(left, Math.round(y(base)) + 0.5);
      pen.lineTo(box.w - right, Math.round(y(base)) + 0.5);
      pen.stroke();
      pen.setLineDash([]);
    }
    const span = range.to - range.from, room = Math.max(2, (box.w - right) / 96);
    const unit = TIMES.find((one) => span / one <= room) ?? Math.ceil(span / room / 86400000) * 86400000;
    pen.textAlign = "center";
    pen.textBaseline = "alphabetic";
    for (let time = Math.ceil(range.from / unit) * unit; time <= range.to; time += unit) {
      const w = x(time);
      if (w < 36 || w > box.w - right - 30) continue;
      const text = clock(time);
      pen.fillText(unit >= 86400000 ? text.slice(0, 5) : span < 86400000 ? text.slice(6) : text, w, box.h - 5);
    }
  }

  function trace(line) {
    const { t: times, v } = line;
    if (!times.length) return;
    const dim = strong && strong !== line.id;
    pen.globalAlpha = dim ? 0.22 : 1;
    pen.strokeStyle = line.color;
    pen.lineWidth = strong === line.id ? 2.6 : line.width ?? 1.6;
    pen.lineJoin = "round";
    pen.setLineDash(line.dash ?? []);
    pen.beginPath();
    for (let i = 0; i < times.length; i += 1) pen[i ? "lineTo" : "moveTo"](x(times[i]), y(v[i]));
    pen.stroke();
    pen.setLineDash([]);
    if (fill && lines.length === 1) {
      pen.lineTo(x(times[times.length - 1]), box.h - low);
      pen.lineTo(x(times[0]), box.h - low);
      pen.globalAlpha = 0.09;
      pen.fillStyle = line.color;
      pen.fill();
    }
    pen.globalAlpha = dim ? 0.22 : 1;
    pen.fillStyle = line.color;
    pen.beginPath();
    pen.arc(x(times[times.length - 1]), y(v[v.length - 1]), strong === line.id ? 4 : 2.6, 0, 7);
    pen.fill();
    pen.globalAlpha = 1;
  }

  function cross() {
    const w = Math.round(x(at)) + 0.5;
    pen.strokeStyle = css("--soft");
    pen.setLineDash([3, 3]);
    pen.beginPath();
    pen.moveTo(w, top);
    pen.lineTo(w, box.h - low);
    pen.stroke();
    pen.setLineDash([]);
  }

  function told() {
    const rows = lines.map((line) => {
      const place = before(line.t, at);
      return place < 0 ? null : { line, value: line.v[place] };
    }).filter(Boolean).sort((a, b) => b.value - a.value);
    return rows;
  }

  function show(mouse) {
    if (at === null || !range) { tip.hidden = true; return; }
    const rows = told();
    near = null;
    if (mouse && rows.length) {
      near = rows.reduce((best, row) => (Math.abs(y(row.value) - mouse.y) < Math.abs(y(best.value) - mouse.y) ? row : best)).line.id;
    }
    let kept = rows.slice(0, TOLD);
    const own = rows.find((row) => row.line.id === (near ?? strong));
    if (own && !kept.includes(own)) kept = [...kept.slice(0, TOLD - 1), own];
    tip.replaceChildren(h("p", { class: "soft", text: `${moment(at)} UTC` }), ...kept.map(({ line, value }) => {
      const mark = h("span", { class: "dot" });
      mark.style.setProperty("--c", line.color);
      return h("p", { class: line.id === (near ?? strong) ? "on" : "" }, mark, h("span", { text: line.name }), h("b", { text: write(value) }));
    }), rows.length > kept.length ? h("p", { class: "soft", text: t("chart.more", { n: rows.length - kept.length }) }) : "");
    tip.hidden = false;
    const w = x(at), wide = tip.offsetWidth;
    tip.style.setProperty("left", `${Math.max(4, w + wide + 14 > box.w - right ? w - wide - 10 : w + 10)}px`);
    canvas.setAttribute("aria-valuenow", String(Math.round(((at - range.from) / (range.to - range.from)) * 1000)));
    canvas.setAttribute("aria-valuetext", `${moment(at)}: ${kept.map(({ line, value }) => `${line.name} ${write(value)}`).join(", ")}`);
  }

  const leave = () => { at = null; near = null; tip.hidden = true; plan(); };
  canvas.addEventListener("pointermove", (event) => {
    if (!range) return;
    const edge = canvas.getBoundingClientRect();
    const share = (event.clientX - edge.left - left) / (box.w - left - right);
    at = range.from + Math.min(1, Math.max(0, share)) * (range.to - range.from);
    show({ y: event.clientY - edge.top });
    plan();
  });
  canvas.addEventListener("pointerleave", leave);
  canvas.addEventListener("blur", leave);
  canvas.addEventListener("click", () => { if (near && onPick) onPick(near); });
  canvas.addEventListener("keydown", (event) => {
    if (!range) return;
    const span = range.to - range.from;
    const moves = { ArrowLeft: -0.02, ArrowRight: 0.02, PageDown: -0.1, PageUp: 0.1 };
    if (event.key in moves) at = (at ?? range.to) + moves[event.key] * span;
    else if (event.key === "Home") at = range.from;
    else if (event.key === "End") at = range.to;
    else if (event.key === "Escape") { leave(); return; }
    else return;
    event.preventDefault();
    at = Math.min(range.to, Math.max(range.from, at));
    show(null);
    plan();
  });
  const watcher = new ResizeObserver(() => {
    const ratio = devicePixelRatio || 1;
    box = { w: node.clientWidth, h: node.clientHeight };
    canvas.width = Math.round(box.w * ratio);
    canvas.height = Math.round(box.h * ratio);
    cancelAnimationFrame(planned);
    draw();  // at once: a canvas of another size is empty
  });
  watcher.observe(node);

  return {
    node, canvas,
    set: (next) => { lines = next; node.dataset.lines = String(next.length); plan(); },
    write: (next, nextAxis, nextBase) => { write = next; axis = nextAxis; base = nextBase; plan(); },
    stress: (id) => { strong = id; plan(); },
    tell: (text) => put(canvas, text),
    close: () => { watcher.disconnect(); cancelAnimationFrame(planned); },
  };
}
