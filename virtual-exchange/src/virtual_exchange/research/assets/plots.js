"use strict";
// Plots that are no charts over time: axes, dots, bars, and colors of gains and losses.
const plots = (() => {
  const { missing, number } = words;
  const NS = "http://www.w3.org/2000/svg";
  const put = (node, name, attributes, text) => {
    const made = document.createElementNS(NS, name);
    for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
    if (text !== undefined) made.textContent = text;
    node.append(made);
    return made;
  };
  const hint = (node, text) => put(node, "title", {}, text);
  const svg = (width, height, label) => {
    const node = document.createElementNS(NS, "svg");
    node.setAttribute("viewBox", `0 0 ${width} ${height}`);
    node.setAttribute("class", "plot");
    node.setAttribute("role", "img");
    node.setAttribute("aria-label", label);
    return node;
  };
  const known = (values) => values.filter((value) => !missing(value));
  const reach = (values, held = []) => {
    const all = [...known(values), ...known(held)];
    if (!all.length) return [0, 1];
    const [low, high] = [Math.min(...all), Math.max(...all)];
    return low === high ? [low - (Math.abs(low) || 1) / 2, high + (Math.abs(high) || 1) / 2] : [low, high];
  };
  const ticks = (low, high, most) => {
    const rough = (high - low) / most || 1, power = 10 ** Math.floor(Math.log10(rough));
    const step = [1, 2, 2.5, 5, 10].map((one) => one * power).find((one) => one >= rough);
    const made = [];
    for (let at = Math.ceil(low / step - 1e-9); at * step <= high + step * 1e-9; at += 1) made.push(Number((at * step).toPrecision(12)));
    return made;
  };
  const written = (value) => missing(value) ? "n/a" : typeof value !== "number" ? String(value)
    : Math.abs(value) >= 1e6 || (value && Math.abs(value) < 1e-4) ? value.toExponential(1).replace("-", "−")
    : Number(value.toPrecision(5)).toLocaleString("en-US", { maximumFractionDigits: 6 }).replace("-", "−");

  // A frame with two axes: maps values to places, and draws grid and labels.
  const frame = (node, { box, x, y, xName, yName, xWrite = written, yWrite = written, xTicks = 6, yTicks = 5, yGrid = true, xGrid = false }) => {
    const [left, top, right, bottom] = box;
    const atX = (value) => left + (right - left) * (value - x[0]) / (x[1] - x[0]);
    const atY = (value) => bottom - (bottom - top) * (value - y[0]) / (y[1] - y[0]);
    for (const value of ticks(...y, yTicks)) {
      if (yGrid) put(node, "path", { class: "grid", d: `M${left} ${atY(value).toFixed(1)}H${right}` });
      put(node, "text", { x: left - 8, y: (atY(value) + 4).toFixed(1), "text-anchor": "end" }, yWrite(value));
    }
    for (const value of xTicks ? ticks(...x, xTicks) : []) {
      if (xGrid) put(node, "path", { class: "grid", d: `M${atX(value).toFixed(1)} ${top}V${bottom}` });
      put(node, "text", { x: atX(value).toFixed(1), y: bottom + 18, "text-anchor": "middle" }, xWrite(value));
    }
    if (xName) put(node, "text", { x: (left + right) / 2, y: bottom + 38, "text-anchor": "middle" }, xName);
    if (yName) put(node, "text", { x: left - 44, y: top - 14 }, yName);
    return { x: atX, y: atY };
  };
  const path = (points) => {
    let pen = "M", d = "";
    for (const [x, y] of points) {
      if (missing(x) || missing(y) || Number.isNaN(x) || Number.isNaN(y)) { pen = "M"; continue; }
      d += `${pen}${x.toFixed(1)} ${y.toFixed(1)}`;
      pen = "L";
    }
    return d;
  };

  // Gains are blue, losses red, as strong as the value is beside the largest one of all.
  const strength = (value, most) => Math.min(1, Math.abs(value) / (most || 1));
  const shade = (value, most) => `color-mix(in oklab, var(${value < 0 ? "--bad" : "--accent"}) ${Math.round(8 + 84 * strength(value, most))}%, var(--card))`;
  const loud = (value, most) => strength(value, most) > 0.8 ? " full-cell" : "";
  const fixed = (value, digits = 2) => missing(value) ? "n/a" : number(value, digits);
  return { put, hint, svg, known, reach, ticks, written, frame, path, shade, loud, fixed };
})();
