// Arena: who does how well, now.

import { complain, figure, card, choices, grid, h, keyed, put, seldom, svg } from "../ui.js";
import { get } from "../api.js";
import { colorOf, dot } from "../color.js";
import { curves } from "../curves.js";
import { everybody, state } from "../live.js";
import { clock, gain, missing, named, number, percent, t, tone, upTo, usd } from "../i18n.js";
import { decisionLine, statusPill, traderLink } from "../parts.js";

const POINTS = 15000;
const FEED = 100;

export function open(room) {
  const lines = new Map();  // id -> {t, equity, index}
  let measure = "return", board = null, closed = false, strong = null, lastSums = null;

  // figures

  const figures = {
    pnl: figure(t("arena.pnl"), t("arena.pnl.help")), equity: figure(t("arena.equity")), back: figure(t("arena.return"), t("arena.return.help")),
    fall: figure(t("arena.drawdown")), live: figure(t("arena.running")), risk: figure(t("arena.risk")), sums: figure(t("arena.sums"), t("arena.sums.help")),
  };
  const strip = h("dl", { class: "figures" }, Object.values(figures).map((one) => one.node));
  const showFigures = () => {
    const p = state.portfolio;
    figures.pnl.show(gain(p.net_pnl), tone(p.net_pnl), t("arena.fees", { usd: usd(p.commission) }));
    figures.equity.show(usd(p.equity_usd));
    figures.back.show(percent(p.total_return, true), tone(p.total_return));
    figures.fall.show(percent(p.drawdown), "", t("arena.deepest", { share: percent(p.max_drawdown) }));
    figures.live.show(`${p.active_count ?? 0} / ${p.total_count ?? 0}`, "", (p.unknown ?? []).length ? t("arena.unknown", { n: p.unknown.length }) : "");
    put(figures.risk.value, named("level", p.risk_level ?? "unknown"), `level ${p.risk_level ?? "unknown"}`);
    // Where a market moves fast, samples and positions are not always of one moment: the last word stays.
    const sums = p.sums?.compared || p.sums?.not_compared.length === 0 ? p.sums : lastSums;
    lastSums = sums;
    put(figures.sums.value, !sums?.compared ? "–" : sums.ok ? `✓ ${t("arena.agree")}` : `${usd(sums.difference_usd)} USD`, sums && !sums.ok ? "bad" : sums?.compared ? "good" : "");
    put(figures.sums.note, sums?.compared ? t("arena.compared", { n: sums.compared }) : "", "small");
  };

  // curves

  const chart = curves(t("arena.curves"), { write: (v) => percent(v, true), axis: (v, digits) => percent(v, true, digits), base: 0, onPick: (id) => { if (id) location.hash = `#/trader/${encodeURIComponent(id)}`; } });
  const name = (id) => (id === "" ? t("arena.all") : state.traders[id]?.name || id);
  const draw = () => {
    const made = [];
    for (const [id, one] of lines) {
      if (!one.t.length || (id === "" && measure === "equity")) continue;
      const v = measure === "return" ? one.index.map((value) => value - 1) : one.equity;
      made.push({ id: id || "·", name: name(id), color: id ? colorOf(id) : getComputedStyle(document.documentElement).getPropertyValue("--ink").trim(), t: one.t, v, width: id ? 1.6 : 2.2, dash: id ? [] : [6, 4] });
    }
    chart.set(made);
  };
  const take = (id, told) => lines.set(id, { t: [...told.time_ms], equity: told.equity_usd.map(Number), index: [...told.index] });
  const load = async () => {
    const count = Math.max(1, Object.keys(state.traders).length);
    try {
      const told = await get("/api/equity", { points: Math.min(600, Math.max(60, Math.floor(POINTS / count))) });
      if (closed) return;
      lines.clear();
      take("", told.portfolio);
      Object.entries(told.traders).forEach(([id, one]) => { if (!state.traders[id]?.removed) take(id, one); });
      draw();
    } catch (error) { complain(error); }
  };
  const grow = (points) => {
    for (const [id, list] of Object.entries(points)) {
      const one = lines.get(id) ?? { t: [], equity: [], index: [] };
      lines.set(id, one);
      for (const [time, equity, index] of list) {
        if (one.t.length && time <= one.t[one.t.length - 1]) continue;
        one.t.push(time);
        one.equity.push(Number(equity));
        one.index.push(index);
      }
      // What has become too long is thinned: every other of the older half.
      if (one.t.length > 1600) ["t", "equity", "index"].forEach((part) => { one[part] = one[part].filter((_, i) => i > 800 || i % 2 === 0); });
    }
    draw();
  };
  const measures = choices(t("arena.measure"), [["return", t("arena.return")], ["equity", t("arena.equity")]], measure, (value) => {
    measure = value;
    if (value === "return") chart.write((v) => percent(v, true), (v, digits) => percent(v, true, digits), 0);
    else chart.write(usd, usd, null);
    draw();
  });

  // leaderboard

  const interval = (row, cell, widest) => {
    const { low, high } = row.return_interval ?? {};
    const text = missing(low) ? t("board.none") : `${percent(low, true, 1)} … ${percent(high, true, 1)}`;
    if (cell.told === `${text} ${widest}`) return undefined;
    cell.told = `${text} ${widest}`;
    if (missing(low)) return h("span", { class: "soft small", text });
    const x = (value) => 60 + (Math.max(-widest, Math.min(widest, value)) / widest) * 58;
    return h("span", { class: "interval", title: text }, svg("0 0 120 14", [
      ["path", { d: "M60 1v12", class: "zero" }],
      ["path", { d: `M${x(low)} 7H${x(high)}`, class: low > 0 ? "good" : high < 0 ? "bad" : "both" }],
      ["circle", { cx: x(row.total_return ?? 0), cy: 7, r: 3 }]]), h("small", { text }));
  };
  let widest = 0.01;
  const table = grid(t("arena.board"), [
    { title: "#", cls: "rank", row: false, write: (r) => ({ text: missing(r.rank) ? "–" : r.tied_with?.length ? `=${r.rank}` : String(r.rank), title: r.tied_with?.length ? t("board.tied", { names: r.tied_with.join(", ") }) : r.standing ? named("standing", r.standing) : "" }) },
    { title: t("trader"), cls: "left", write: (r, cell) => {
      const known = state.traders[r.trader_id], key = `${r.trader_id} ${known?.status} ${known?.name} ${r.memory}`;
      if (cell.told === key) return undefined;
      cell.told = key;
      return h("span", { class: "who" }, dot(r.trader_id), known ? traderLink(r.trader_id, known.name) : h("span", { text: r.trader_id }),
        r.baseline ? h("span", { class: "tag", text: named("baseline", r.baseline) }) : null, r.memory ? h("span", { class: `tag memory ${r.memory}`, text: named("memory", r.memory), title: t(`memory.${r.memory}.help`) }) : null, known ? statusPill(known) : null);
    } },
    { title: t("board.return"), write: (r) => ({ text: percent(r.total_return, true), cls: `strong ${tone(r.total_return)}` }) },
    { title: t("board.interval"), cls: "left wide", help: t("board.interval.help"), write: (r, cell) => interval(r, cell, widest) },
    { title: t("board.pnl"), write: (r) => { const v = state.traders[r.trader_id]?.pnl ?? (missing(r.profit_usd) ? null : r.profit_usd / 1e6); return { text: gain(v), cls: tone(v) }; } },
    { title: t("board.sharpe"), cls: "wide", write: (r) => number(r.sharpe) },
    { title: t("board.fall"), write: (r) => percent(r.max_drawdown) },
    { title: t("board.trades"), write: (r) => (missing(r.trades) ? "–" : String(r.trades)) },
    { title: t("board.bill"), cls: "wide", help: t("board.bill.help"), write: (r) => (!r.tokens && !r.cost_usd ? "–" : { text: `${number(r.cost_usd / 1e6, 4)}${r.is_replayed ? " *" : ""}`, title: [t("board.bill.tokens", { n: upTo(r.tokens, 0) }), r.is_replayed ? t("board.bill.recorded") : ""].filter(Boolean).join(" · ") }) },
  ], { key: (r) => r.trader_id, empty: t("arena.nobody"), cls: "board", mark: (line, r) => {
    if (line.watched) return;
    line.watched = true;
    line.addEventListener("pointerenter", () => { strong = r.trader_id; chart.stress(strong); });
    line.addEventListener("pointerleave", () => { strong = null; chart.stress(null); });
  } });
  const boardNote = h("p", { class: "note" });
  const showBoard = () => {
    const rows = board?.rows ?? [];
    const known = new Set(rows.map((row) => row.trader_id));
    const others = everybody().filter((one) => !known.has(one.id) && !one.removed).map((one) => ({ trader_id: one.id, total_return: one.roi, max_drawdown: one.max_drawdown }));
    widest = Math.max(0.001, ...rows.flatMap((row) => (row.return_interval ? [Math.abs(row.return_interval.low), Math.abs(row.return_interval.high)] : [])));
    table.show([...rows.filter((row) => state.traders[row.trader_id] || row.baseline), ...others]);
    put(boardNote, board?.from_ms ? t("board.window", { from: clock(board.from_ms), to: clock(board.to_ms) }) + (rows.some((row) => row.is_replayed && row.tokens) ? ` * ${t("board.bill.recorded")}` : "") : "");
  };
  const askBoard = seldom(async () => {
    if (closed) return;
    try {
      const told = await get("/api/leaderboard");
      board = told.board;
    } catch { /* the stream's own figures stay */ }
    if (!closed) showBoard();
  }, 6000);

  // positions

  const positions = grid(t("positions"), [
    { title: t("trader"), cls: "left", write: (r, cell) => { if (cell.told) return undefined; cell.told = true; return h("span", { class: "who" }, dot(r.trader), traderLink(r.trader, state.traders[r.trader]?.name)); } },
    { title: t("coin"), cls: "left", write: (r) => r.coin },
    { title: t("position"), write: (r) => ({ text: `${t(r.size > 0 ? "long" : "short")} ${upTo(Math.abs(r.size))}`, cls: r.size > 0 ? "good" : "bad" }) },
    { title: t("unrealized"), write: (r) => ({ text: gain(r.unrealized_pnl_usd), cls: tone(r.unrealized_pnl_usd) }) },
  ], { key: (r) => `${r.trader} ${r.coin}`, empty: t("positions.none") });
  const showPositions = () => positions.show(everybody().filter((one) => !one.removed)
    .flatMap((one) => (one.positions ?? []).map((held) => ({ ...held, size: Number(held.size), trader: one.id })))
    .sort((a, b) => Math.abs(b.unrealized_pnl_usd) - Math.abs(a.unrealized_pnl_usd)));

  // what they say: who repeats that nothing changes is heard once

  const spoken = (list) => list.filter((one, i) => {
    if (one.actions?.length || one.fault || one.closed?.length) return true;
    const last = list.slice(i + 1).find((other) => other.trader_id === one.trader_id);
    return !last || last.reasoning !== one.reasoning || Boolean(last.actions?.length);
  });

  const heard = new Map();
  const feed = h("ol", { class: "feed", "aria-live": "off" });
  const quiet = h("p", { class: "empty", text: t("feed.none") });
  const askFeed = seldom(async () => {
    if (closed) return;
    try {
      const told = await get("/api/decisions", { limit: 200 });
      if (closed) return;
      told.decisions.forEach((one) => heard.set(`${one.trader_id} ${one.decision}`, one));
      const list = spoken([...heard.values()].sort((a, b) => b.now_ms - a.now_ms || b.decision - a.decision)).slice(0, FEED);
      if (heard.size > 4 * FEED) { heard.clear(); list.forEach((one) => heard.set(`${one.trader_id} ${one.decision}`, one)); }
      keyed(feed, list, (one) => `${one.trader_id} ${one.decision}`, decisionLine);
      quiet.hidden = list.length > 0;
    } catch { /* traders that do not run say nothing */ }
  }, 2500);

  room.append(strip, h("div", { class: "two" },
    h("div", {},
      card(t("arena.curves"), { id: "curves", side: [measures] }, chart.node),
      card(t("arena.board"), { id: "leaderboard" }, table.node, boardNote)),
    h("div", {},
      card(t("feed"), { id: "feed", lead: t("feed.lead") }, h("div", { class: "scroll feeds", tabindex: "0", role: "region", "aria-label": t("feed") }, feed), quiet),
      card(t("positions"), { id: "positions" }, positions.node))));

  const all = () => { showFigures(); showBoard(); showPositions(); askBoard(); askFeed(); };
  all();
  if (Object.keys(state.portfolio).length) load();
  return {
    update: (told) => {
      if (told.whole) { all(); load(); return; }
      if (told.sections.has("portfolio")) showFigures();
      if (told.sections.has("points")) { grow(told.points); askBoard(); }
      if (told.traders.size) { showPositions(); showBoard(); }
      if (told.turns.size) askFeed();
    },
    close: () => { closed = true; chart.close(); askBoard.stop(); askFeed.stop(); },
  };
}
