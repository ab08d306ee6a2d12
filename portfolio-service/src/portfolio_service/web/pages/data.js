// Data: what is stored of each coin, and what is missing.

import { card, figure, grid, h, put, svg } from "../ui.js";
import { get } from "../api.js";
import { lasting, moment, percent, t, whole } from "../i18n.js";

const CELL = 13, ROW = 14, GAP = 2;

const share = (value) => (value >= 1 ? "whole" : value >= 0.99 ? "most" : value >= 0.5 ? "part" : value > 0 ? "few" : "none");
const LEGEND = ["whole", "most", "part", "few", "none"];

/** A square a day, a column a week, as people know it from calendars. */
function picture(days) {
  const cells = days.map((one) => ({ ms: Number(one[0] ?? one.day_ms), part: Number(one[1] ?? one.share) }));
  if (!cells.length) return h("p", { class: "empty", text: t("data.none") });
  const first = Math.floor(cells[0].ms / 86400000), shift = (first + 3) % 7;
  const columns = Math.ceil((cells[cells.length - 1].ms / 86400000 - first + shift + 1) / 7);
  const shapes = cells.map(({ ms, part }) => {
    const place = Math.floor(ms / 86400000) - first + shift;
    return ["rect", { x: Math.floor(place / 7) * (CELL + GAP), y: (place % 7) * (CELL + GAP), width: CELL, height: CELL, rx: 2, class: share(part) }];
  });
  const wide = columns * (CELL + GAP), node = svg(`0 0 ${wide} ${7 * (CELL + GAP)}`, shapes, { class: "days" });
  node.style.setProperty("width", `${wide}px`);
  node.querySelectorAll("rect").forEach((rect, i) => {
    const title = document.createElementNS("http://www.w3.org/2000/svg", "title");
    title.textContent = `${moment(cells[i].ms).slice(0, 10)}: ${percent(cells[i].part)}`;
    rect.append(title);
  });
  return node;
}

/** The whole range as one line, gaps marked. */
function strip(row) {
  const span = Math.max(1, row.end_ms - row.first_open_ms);
  const shapes = [["rect", { x: 0, y: 0, width: 400, height: ROW, rx: 3, class: "whole" }], ...row.gaps.map(([from, to]) => ["rect", { x: ((from - row.first_open_ms) / span) * 400, y: 0, width: Math.max(2, ((to - from) / span) * 400), height: ROW, class: "none" }])];
  return svg(`0 0 400 ${ROW}`, shapes, { class: "strip", preserveAspectRatio: "none" });
}

export function open(room) {
  let closed = false;
  const figures = { series: figure(t("data.series")), coins: figure(t("data.coins")), bars: figure(t("data.bars")), whole: figure(t("data.complete")), gaps: figure(t("data.gaps")) };
  const told = h("div", {}), trouble = card(t("data.unset"), { id: "data-trouble" }, told);
  trouble.hidden = true;
  const stored = grid(t("data.stored"), [
    { title: t("coin"), cls: "left", write: (r) => r.coin }, { title: t("interval"), cls: "left", write: (r) => r.interval }, { title: t("data.from.where"), cls: "left wide", write: (r) => `${r.venue}${r.market ? ` · ${r.market}` : ""}${r.synthetic && r.venue !== "synthetic" ? ` · ${t("data.synthetic")}` : ""}` },
    { title: t("data.picture"), cls: "left bars", write: (r, cell) => { const key = `${r.end_ms} ${r.gaps.length}`; if (cell.told === key) return undefined; cell.told = key; return strip(r); } },
    { title: t("data.from"), write: (r) => moment(r.first_open_ms) }, { title: t("data.to"), write: (r) => moment(r.end_ms) }, { title: t("data.bars"), write: (r) => whole(r.bars) },
    { title: t("data.missing"), write: (r) => ({ text: whole(r.missing_bars), cls: r.missing_bars ? "bad" : "good" }) },
  ], { key: (r) => `${r.venue} ${r.market} ${r.coin} ${r.interval}`, empty: t("data.none") });
  const gaps = grid(t("data.gaps"), [
    { title: t("coin"), cls: "left", write: (r) => `${r.coin} ${r.interval}` }, { title: t("data.from"), cls: "left", write: (r) => moment(r.from) }, { title: t("data.to"), cls: "left", write: (r) => moment(r.to) }, { title: t("data.length"), write: (r) => lasting(r.to - r.from) },
  ], { key: (r) => `${r.venue} ${r.coin} ${r.interval} ${r.from}`, empty: t("data.nogaps") });
  const daysRoom = h("div", { class: "scroll days-room", tabindex: "0", role: "region", "aria-label": t("data.days") }), legend = h("p", { class: "legend" }, LEGEND.map((kind) => h("span", {}, h("i", { class: `cell ${kind}` }), t(`cover.${kind}`))));
  const coin = h("select", { id: "data-coin", "aria-label": t("coin"), onchange: () => days() });
  const days = async () => {
    if (!coin.value) return;
    try {
      const series = await get("/api/data/coverage/days", { symbol: coin.value });
      if (closed) return;
      daysRoom.replaceChildren(...series.flatMap((one) => [h("h3", { text: `${coin.value} ${one.interval} · ${one.venue}` }), picture(Array.isArray(one.days) ? one.days : Object.entries(one.days).map(([day, part]) => [Number.isNaN(Number(day)) ? Date.parse(day) : Number(day), part]))]));
    } catch (error) { daysRoom.replaceChildren(h("p", { class: "bad", text: error.message })); }
  };
  const collecting = h("div", {});
  const load = async () => {
    try {
      const rows = await get("/api/data/coverage");
      if (closed) return;
      trouble.hidden = true;
      store.forEach((one) => { one.hidden = false; });
      stored.show(rows);
      gaps.show(rows.flatMap((one) => one.gaps.map(([from, to]) => ({ ...one, from, to }))).sort((a, b) => b.to - a.to).slice(0, 200));
      const bars = rows.reduce((sum, one) => sum + one.bars, 0), lost = rows.reduce((sum, one) => sum + one.missing_bars, 0);
      const coins = [...new Set(rows.map((one) => one.coin))];
      figures.series.show(whole(rows.length));
      figures.coins.show(whole(coins.length));
      figures.bars.show(whole(bars));
      figures.whole.show(bars ? percent(bars / (bars + lost), false, 3) : "–", lost ? "warn" : "good");
      figures.gaps.show(whole(rows.reduce((sum, one) => sum + one.gaps.length, 0)));
      coin.replaceChildren(...coins.map((name) => h("option", { value: name, text: name })));
      days();
    } catch (error) {
      // Nothing is known of any store: that is said, and no empty table says otherwise.
      store.forEach((one) => { one.hidden = true; });
      trouble.hidden = false;
      told.replaceChildren(h("p", { text: error.message }), h("p", { text: t("data.set") }), h("pre", { tabindex: "0", text: "data-collector serve --data var/data\nDATA_SERVICE_URL=http://127.0.0.1:8000" }));
      return;
    }
    try {
      const one = await get("/api/data/collection");
      if (closed) return;
      const flat = Object.entries(one).map(([name, value]) => [name, typeof value === "object" && value !== null ? (Array.isArray(value) ? value.map((one) => (typeof one === "object" ? one.coin ?? one.symbol ?? JSON.stringify(one) : one)).join(", ") : JSON.stringify(value)) : String(value)]);
      collecting.replaceChildren(!flat.length ? h("p", { class: "empty", text: t("data.idle") }) : h("dl", { class: "pairs" }, flat.map(([name, value]) => h("div", {}, h("dt", { text: name.replaceAll("_", " ") }), h("dd", { text: value })))));
    } catch (error) { collecting.replaceChildren(h("p", { class: "soft", text: error.message })); }
  };
  const commands = ["data-collector import downloads/klines --data var/data", "data-collector backfill --venue hyperliquid --symbols BTC --from 2025-05-01 --data var/data", "data-collector coverage --data var/data --picture coverage.svg"];
  const hint = h("div", {}, h("p", { text: t("data.import.text") }), h("pre", { tabindex: "0", id: "import-commands" }));
  put(hint.lastChild, commands.join("\n"));
  const importing = card(t("data.import"), { id: "import" }, hint);
  const store = [h("dl", { class: "figures" }, Object.values(figures).map((one) => one.node)),
    card(t("data.stored"), { id: "stored" }, stored.node),
    card(t("data.days"), { id: "days", side: [coin] }, daysRoom, legend),
    h("div", { class: "two even" }, h("div", {}, card(t("data.gaps"), { id: "gaps" }, gaps.node)), h("div", {}, card(t("data.collecting"), { id: "collecting" }, collecting)))];
  room.append(store[0], trouble, ...store.slice(1), importing);
  load();
  return { update: (told) => { if (told.whole) load(); }, close: () => { closed = true; } };
}
