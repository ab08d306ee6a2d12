// What is wrong with a page as it is drawn; read by accessibility.py.
(() => {
  const found = [];
  const seen = (node) => {
    const style = getComputedStyle(node), box = node.getBoundingClientRect();
    return style.visibility !== "hidden" && style.display !== "none" && box.width > 1 && box.height > 1;
  };
  const where = (node) => {
    const cls = typeof node.className === "string" ? node.className : "";
    return `${node.tagName.toLowerCase()}${node.id ? `#${node.id}` : ""}${cls ? `.${cls.trim().replaceAll(" ", ".")}` : ""}`;
  };
  const say = (rule, node, more = "") => found.push(`${rule}: ${where(node)} ${more}`.trim());

  if (!document.documentElement.lang) found.push("html has no lang");
  if (!document.title) found.push("page has no title");
  if (document.querySelectorAll("main").length !== 1) found.push("not one main");
  const heads = [...document.querySelectorAll("h1, h2, h3, h4, h5, h6")].filter(seen);
  if (heads.filter((one) => one.tagName === "H1").length !== 1) found.push("not one h1");
  let last = 0;
  for (const one of heads) {
    const level = Number(one.tagName[1]);
    if (level > last + 1) say("heading leaves a level out", one, one.textContent);
    last = level;
  }
  const ids = new Set();
  for (const one of document.querySelectorAll("[id]")) {
    if (ids.has(one.id)) say("id is not unique", one);
    ids.add(one.id);
  }
  for (const name of ["aria-labelledby", "aria-describedby", "aria-controls"]) {
    for (const one of document.querySelectorAll(`[${name}]`)) {
      for (const id of one.getAttribute(name).split(/\s+/)) if (!document.getElementById(id)) say(`${name} names nothing`, one, id);
    }
  }
  for (const one of document.querySelectorAll("[tabindex]")) if (one.tabIndex > 0) say("tabindex above 0", one);
  for (const one of document.querySelectorAll("table")) {
    if (one.closest(".tv-lightweight-charts")) continue;
    if (!one.caption) say("table has no caption", one);
    for (const head of one.querySelectorAll("th")) if (!head.scope) say("th has no scope", head, head.textContent);
  }
  for (const one of document.querySelectorAll("*")) {
    const style = getComputedStyle(one);
    const scrolls = /(auto|scroll)/.test(style.overflow + style.overflowX + style.overflowY) && (one.scrollHeight > one.clientHeight + 1 || one.scrollWidth > one.clientWidth + 1);
    if (scrolls && seen(one) && one !== document.documentElement && one !== document.body && one.tabIndex < 0 && !one.querySelector("a, button, input, select, summary, [tabindex='0']")) say("scrolls, and keys cannot reach it", one);
  }
  for (const one of document.querySelectorAll("button, select, input, summary")) {
    if (!seen(one) || one.type === "checkbox") continue;
    const { width, height } = one.getBoundingClientRect();
    if (width < 24 || height < 24) say("target is under 24 px", one, `${width} x ${height}`);
  }

  const pen = document.createElement("canvas").getContext("2d", { willReadFrequently: true });
  const rgba = (color) => {
    pen.clearRect(0, 0, 1, 1);
    pen.fillStyle = color;
    pen.fillRect(0, 0, 1, 1);
    const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
    return [r, g, b, a / 255];
  };
  const over = (top, low) => top.slice(0, 3).map((value, i) => value * top[3] + low[i] * (1 - top[3]));
  const ground = (node) => {
    const layers = [];
    for (let one = node; one; one = one.parentElement) {
      const style = getComputedStyle(one), color = rgba(style.backgroundColor);
      if (style.backgroundImage !== "none") return null;
      layers.push(color);
      if (color[3] === 1) break;
    }
    return layers.reverse().reduce((low, top) => over(top, low), [255, 255, 255]);
  };
  const light = (color) => {
    const [r, g, b] = color.map((value) => value / 255).map((value) => (value <= 0.04045 ? value / 12.92 : ((value + 0.055) / 1.055) ** 2.4));
    return 0.2126 * r + 0.7152 * g + 0.0722 * b;
  };
  const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
  while (walker.nextNode()) {
    const node = walker.currentNode.parentElement;
    if (!walker.currentNode.textContent.trim() || !seen(node) || node.closest(".hidden, .skip, :disabled, .tv-lightweight-charts, option")) continue;
    const style = getComputedStyle(node), low = ground(node);
    if (!low) continue;
    const top = over(rgba(style.color), low);
    const [dark, bright] = [light(top), light(low)].sort((a, b) => a - b), ratio = (bright + 0.05) / (dark + 0.05);
    const px = parseFloat(style.fontSize), large = px >= 24 || (px >= 18.66 && Number(style.fontWeight) >= 700);
    if (ratio < (large ? 3 : 4.5)) say("contrast", node, `${ratio.toFixed(2)} of "${walker.currentNode.textContent.trim().slice(0, 30)}"`);
  }
  return found;
})()
