// Trader: one of them, from its price chart to the words behind a decision.

import { complain, card, choices, confirm, figure, field, grid, h, keyed, options, put, say, seldom } from "../ui.js";
import { get, post } from "../api.js";
import { candles } from "../candles.js";
import { curves } from "../curves.js";
import { colorOf } from "../color.js";
import { everybody, state } from "../live.js";
import { clock, exact, gain, missing, moment, named, percent, price, t, tone, upTo, usd } from "../i18n.js";
import { actionText, doing, driftColumns, driftNote, showStatus, verdictOf } from "../parts.js";
import { decisionCard } from "./decision.js";

const STEPS = { "1m": 60000, "5m": 300000, "15m": 900000, "1h": 3600000, "4h": 14400000, "1d": 86400000 };
const FILLS = 300;
const BARS = 600;

export function open(room, { rest }) {
  const ids = everybody();
  const id = rest[0] && rest[0] in state.traders ? rest[0] : rest[0] ?? ids.find((one) => !one.removed)?.id;
  let closed = false, chart = null, fills = [], orders = [], coin = "", interval = "", failed = "", structured = false;
  const one = () => state.traders[id];

  const picker = h("select", { id: "pick-trader", onchange: () => { location.hash = `#/trader/${encodeURIComponent(picker.value)}`; } });
  const showPicker = () => picker.replaceChildren(...options(everybody().map((who) => [who.id, who.name && who.name !== who.id ? `${who.name} (${who.id})` : who.id]), id));
  showPicker();
  const head = h("div", { class: "trader-head" });
  const status = h("span", { class: "pill off" });
  const why = h("p", { class: "soft small", id: "why" });

  const tell = (command, danger = false, word = "") => async () => {
    const done = await confirm({
      title: t(`command.${command}.title`, { name: one()?.name || id }), text: t(`command.${command}.text`), label: t(`command.${command}`), danger, word, reason: command !== "start" && command !== "stop",
      act: (reason) => post(`/api/strategy/${encodeURIComponent(id)}/${command}`, reason ? { reason } : {}),
    });
    if (done) say(t("command.told", { command: t(`command.${command}`), name: one()?.name || id }));
  };
  const commands = h("div", { class: "row", id: "commands" },
    doing(t("command.pause"), tell("pause"), { id: "do-pause" }), doing(t("command.resume"), tell("resume"), { id: "do-resume" }),
    doing(t("command.start"), tell("start"), { id: "do-start" }), doing(t("command.stop"), tell("stop", true), { id: "do-stop", class: "risky" }),
    doing(t("command.flatten"), tell("flatten", true), { id: "do-flatten", class: "risky" }));
  head.append(field(t("trader"), picker), h("div", { class: "row" }, status, why), commands);
  room.append(head);
  if (!id) {
    room.append(h("p", { class: "empty", text: t("arena.nobody") }));
    const waiting = { close: () => {}, update: (told) => {
      if (!told.whole || !everybody().length) return;
      room.replaceChildren();
      Object.assign(waiting, open(room, { rest }));
    } };
    return waiting;
  }

  const figures = {
    pnl: figure(t("arena.pnl"), t("arena.pnl.help")), equity: figure(t("arena.equity")), back: figure(t("arena.return")), fall: figure(t("arena.drawdown")),
    allowed: figure(t("allocation")), fees: figure(t("fees")), wins: figure(t("wins")), source: figure(t("source")),
  };
  const strip = h("dl", { class: "figures" }, Object.values(figures).map((item) => item.node));
  const model = { state: figure(t("model")), use: figure(t("model.use")), evidence: figure(t("model.evidence")), trained: figure(t("model.trained")), last: figure(t("model.last")) };
  const modelWhy = h("p", { class: "small soft", id: "model-why" });
  const modelPanel = h("section", { id: "model", hidden: true }, h("h2", { text: t("model.title") }), modelWhy, h("dl", { class: "figures" }, Object.values(model).map((item) => item.node)));
  const showModel = (m) => {
    modelPanel.hidden = !m;
    if (!m) return;
    const ready = m.state === "READY", last = m.last_attempt;
    model.state.show(named("model.state", m.state), ready ? "good" : "");
    model.use.show(m.model_id || "–", "", m.model_created_ms ? `${moment(m.model_created_ms)} UTC` : "");
    model.evidence.show(m.model_id ? t(m.evidence === "yes" ? "yes" : "model.none") : "–", "", m.overridden ? t("model.overridden") : "");
    model.trained.show(String(m.trainings), "", t("model.trained.of", { promoted: m.promoted, refused: m.refused, closed: m.closed_since_training }));
    model.last.show(last ? named("model.verdict", last.verdict) : "–", "", last ? `${moment(last.begun_ms)} UTC` : m.training_since_ms ? t("model.under") : "");
    put(modelWhy, [m.reason, last?.reason ? `${named("model.verdict", last.verdict)}: ${last.reason}` : ""].filter((text, k, all) => text && !(k && all[0].includes(last.reason))).join(" · "));
  };
  const showFigures = () => {
    const r = one();
    if (!r) return;
    figures.pnl.show(gain(r.pnl), tone(r.pnl), r.exact === null ? "" : r.exact ? t("trader.exact") : t("trader.differs", { usd: exact(r.difference_usd) }));
    figures.equity.show(usd(r.equity_usd));
    figures.back.show(percent(r.roi, true), tone(r.roi));
    figures.fall.show(percent(r.drawdown), "", t("arena.deepest", { share: percent(r.max_drawdown) }));
    figures.allowed.show(missing(r.allocation) ? t("allocation.all") : usd(r.allocation), "", missing(r.notional_usd) ? "" : t("allocation.used", { usd: usd(r.notional_usd) }));
    figures.fees.show(usd(r.fees_usd), "", t("funding.paid", { usd: gain(r.funding_usd) }));
    figures.wins.show(r.wins + r.losses ? percent(r.wins / (r.wins + r.losses), false, 0) : "–", "", t("wins.of", { wins: r.wins, losses: r.losses, fills: r.fills }));
    figures.source.show(named("source", r.source), "", r.sampled_ms ? `${clock(r.sampled_ms)} UTC` : "");
    showModel(r.model);
    showStatus(status, r);
    const causes = Object.entries(r.causes ?? {}).map(([who, text]) => `${who}: ${text}`);
    put(why, causes.length ? causes.join("; ") : [r.reason, r.alert].filter(Boolean).join(" · "));
    for (const command of ["pause", "resume", "start", "stop", "flatten"]) {
      const node = document.getElementById(`do-${command}`);
      if (!node) continue;
      node.disabled = r.removed || { pause: r.status !== "LIVE", resume: r.status !== "PAUSED", start: r.status !== "STOPPED", stop: r.status === "STOPPED", flatten: !(r.positions ?? []).length }[command];
    }
  };

  // price

  const holder = h("div", { class: "chart tall waiting", id: "price-chart" });
  const chartNote = h("p", { class: "note" });
  const legend = h("p", { class: "small soft", id: "structure-legend" });
  const symbols = () => [...new Set([...(one()?.symbols ?? []), ...(one()?.positions ?? []).map((held) => held.coin)])];
  coin = symbols()[0] ?? "";
  interval = "15m";
  const levels = () => {
    const made = [];
    for (const held of one()?.positions ?? []) {
      if (held.coin !== coin) continue;
      made.push({ price: Number(held.entry_price), title: t("entry"), color: "--accent" });
      if (held.liquidation_price) made.push({ price: Number(held.liquidation_price), title: t("liquidation"), color: "--bad" });
    }
    for (const order of orders) {
      if (order.coin !== coin) continue;
      const trigger = Number(order.triggerPx ?? 0), stop = /stop/i.test(order.orderType ?? "");
      made.push({ price: trigger > 0 ? trigger : Number(order.limitPx), title: t(trigger > 0 ? (stop ? "stop" : "target") : "order"), color: trigger > 0 ? (stop ? "--bad" : "--good") : "--soft" });
    }
    return made;
  };
  const askStructure = async (range) => {
    const told = structured ? await get("/api/structures", range) : null;
    if (closed || range.interval !== interval || range.symbol !== coin || structured !== Boolean(told)) return;
    chart.structure(told?.structures ?? []);
    put(legend, told ? t("structure.legend") : "");
  };
  const askBars = seldom(async () => {
    if (closed || !chart || !coin) return;
    try {
      const now = state.portfolio.venue_ms ?? Date.now(), step = STEPS[interval];
      // A world refuses what is in its future, and a store of the past would tell it.
      const range = { symbol: coin, interval, start: now - BARS * step, end: now };
      const bars = await get("/api/klines", range);
      if (closed) return;
      chart.set(bars, step);
      askStructure(range).catch(complain);
      chart.mark(fills.filter((fill) => fill.coin === coin));
      chart.level(levels());
      failed = bars.length ? "" : t("trader.nobars");
    } catch (error) { failed = error.message; }
    put(chartNote, failed);
  }, 1500);
  const coins = h("div", {});
  const again = () => { chart?.again(); askBars(); };
  coins.append(choices(t("coin"), symbols().map((name) => [name, name]), coin, (value) => { coin = value; again(); }));
  const toggle = h("button", { type: "button", id: "structure", "aria-pressed": "false", onclick: () => { structured = !structured; toggle.setAttribute("aria-pressed", String(structured)); askBars(); } }, t("structure"));
  const zooms = h("div", { class: "choices" }, ...[["−", 2, "zoom.out"], ["+", 0.5, "zoom.in"]].map(([text, by, label]) => h("button", { type: "button", "data-zoom": label, "aria-label": t(label), onclick: () => chart?.zoom(by) }, text)), h("button", { type: "button", "data-zoom": "all", onclick: () => chart?.fit() }, t("zoom.all")));
  const side = [coins, choices(t("interval"), Object.keys(STEPS).map((name) => [name, name]), interval, (value) => { interval = value; again(); }), h("div", { class: "choices" }, toggle), zooms];
  candles(t("trader.price", { name: one()?.name || id })).then((made) => {
    if (closed) { made.close(); return; }
    chart = made;
    holder.replaceWith(made.node);
    made.node.after(made.at);
    made.node.id = "price-chart";
    askBars();
  }).catch(complain);

  // equity

  const equity = curves(t("arena.equity"), { write: usd, axis: usd, fill: true });
  let line = { t: [], v: [] };
  const drawEquity = () => equity.set([{ id, name: one()?.name || id, color: colorOf(id), t: line.t, v: line.v, width: 1.8 }]);
  const askEquity = async () => {
    try {
      const told = await get("/api/equity", { trader: id, points: 800 });
      const mine = told.traders[id];
      line = { t: [...mine.time_ms], v: mine.equity_usd.map(Number) };
      if (!closed) drawEquity();
    } catch (error) { complain(error); }
  };

  // what it holds, wants, did

  const positions = grid(t("positions"), [
    { title: t("coin"), cls: "left", write: (r) => r.coin }, { title: t("side"), cls: "left", write: (r) => ({ text: t(Number(r.size) > 0 ? "long" : "short"), cls: Number(r.size) > 0 ? "good" : "bad" }) },
    { title: t("size"), write: (r) => upTo(Math.abs(r.size)) }, { title: t("entry"), write: (r) => price(r.entry_price) }, { title: t("mark"), write: (r) => price(r.mark_price) },
    { title: t("liquidation"), write: (r) => price(r.liquidation_price) }, { title: t("leverage"), write: (r) => `${r.leverage}×` },
    { title: t("margin"), write: (r) => usd(r.margin_used_usd) }, { title: t("unrealized"), write: (r) => ({ text: gain(r.unrealized_pnl_usd), cls: tone(r.unrealized_pnl_usd) }) },
  ], { key: (r) => r.coin, empty: t("positions.none") });
  const ordersTable = grid(t("orders"), [
    { title: t("coin"), cls: "left", write: (r) => r.coin }, { title: t("side"), cls: "left", write: (r) => ({ text: t(r.side === "B" ? "buy" : "sell"), cls: r.side === "B" ? "good" : "bad" }) },
    { title: t("kind"), cls: "left", write: (r) => [r.orderType ? named("order.type", r.orderType) : t("order"), r.reduceOnly ? t("reduce") : ""].filter(Boolean).join(" · ") },
    { title: t("size"), write: (r) => upTo(r.sz) }, { title: t("price"), write: (r) => price(Number(r.triggerPx) > 0 ? r.triggerPx : r.limitPx) },
    { title: t("time"), write: (r) => clock(r.timestamp) },
  ], { key: (r) => String(r.oid), empty: t("orders.none") });
  const ordersNote = h("p", { class: "note" });
  const fillsTable = grid(t("fills"), [
    { title: t("time"), cls: "left", write: (r) => ({ text: clock(r.time_ms), title: `${moment(r.time_ms, true)} UTC` }) }, { title: t("coin"), cls: "left", write: (r) => r.coin },
    { title: t("direction"), cls: "left", write: (r) => named("direction", r.direction) }, { title: t("size"), write: (r) => upTo(r.size) }, { title: t("price"), write: (r) => price(r.price) },
    { title: t("fee"), write: (r) => upTo(r.fee_usd, 4) }, { title: t("realized"), write: (r) => ({ text: Number(r.closed_pnl_usd) ? gain(r.closed_pnl_usd) : "–", cls: tone(r.closed_pnl_usd) }) },
  ], { key: (r) => `${r.tid} ${r.oid}`, empty: t("fills.none"), cls: "tightest" });
  const showFills = () => {
    fillsTable.show(fills.slice(0, 100));
    chart?.mark(fills.filter((fill) => fill.coin === coin));
  };
  const askFills = async () => {
    try {
      fills = (await get("/api/trades", { trader: id, limit: FILLS })).trades;
      if (!closed) showFills();
    } catch (error) { complain(error); }
  };
  const askOrders = seldom(async () => {
    if (closed) return;
    try {
      orders = (await get("/api/orders", { trader: id })).orders;
      put(ordersNote, "");
    } catch (error) { orders = []; put(ordersNote, error.message); }
    if (closed) return;
    ordersTable.show(orders);
    chart?.level(levels());
  }, 2000);

  const drift = grid(t("drift"), driftColumns(), { key: (r) => r.trader_id, empty: t("drift.empty") });
  const driftSays = h("p", { class: "note", id: "drift-note" });
  const driftCard = card(t("drift"), { id: "drift", lead: t("drift.lead") }, drift.node, driftSays);
  const showDrift = () => {
    driftCard.hidden = !state.drift;
    if (!state.drift) return;
    drift.show(state.drift.summaries.filter((r) => r.trader_id === (one()?.account || id)));
    put(driftSays, driftNote(state.drift));
  };

  const list = h("ol", { class: "decisions" });
  const noDecisions = h("p", { class: "empty", text: t("decisions.none") });
  const older = h("button", { type: "button", id: "older", text: t("decisions.older"), hidden: true });
  const shownDecisions = new Map();
  const showDecisions = () => {
    const rows = [...shownDecisions.values()].sort((a, b) => b.decision - a.decision);
    keyed(list, rows, (r) => r.decision, (r) => decisionCard(r, verdictOf(r), actionText));
    noDecisions.hidden = rows.length > 0;
    older.hidden = rows.length < 30;
  };
  const take = async (query) => {
    const told = await get("/api/decisions", { trader: id, ...query });
    told.decisions.forEach((r) => shownDecisions.set(r.decision, r));
    if (!closed) showDecisions();
    return told.decisions.length;
  };
  const askDecisions = seldom(() => { if (!closed) take({ limit: 30 }).catch((error) => { put(noDecisions, error.message); }); }, 2000);
  older.onclick = () => take({ limit: 50, before: Math.min(...shownDecisions.keys()) }).then((n) => { if (!n) older.hidden = true; }).catch(complain);

  room.append(strip, modelPanel, h("div", { class: "two" },
    h("div", {},
      card(t("price"), { id: "price", side }, holder, legend, chartNote),
      card(t("positions"), { id: "positions" }, positions.node),
      card(t("orders"), { id: "orders" }, ordersTable.node, ordersNote),
      card(t("fills"), { id: "fills" }, fillsTable.node), driftCard),
    h("div", {},
      card(t("arena.equity"), { id: "equity" }, equity.node),
      card(t("decisions"), { id: "decisions", lead: t("decisions.lead") }, list, noDecisions, older))));

  const held = () => positions.show(one()?.positions ?? []);
  const all = () => { showFigures(); showDrift(); held(); askEquity(); askFills(); askOrders(); askDecisions(); askBars(); };
  if (one()) all();
  else put(why, Object.keys(state.traders).length ? t("trader.nobody", { id }) : "");
  let lastBar = 0;
  return {
    update: (told) => {
      if (told.whole) { showPicker(); all(); return; }
      if (told.traders.has(id)) { showFigures(); held(); chart?.level(levels()); }
      if (told.sections.has("drift")) showDrift();
      if (told.turns.has(id)) askDecisions();
      if (told.turns.has(id) || told.fills[id]) askOrders();
      if (told.fills[id]) { fills = [...told.fills[id]].reverse().concat(fills).slice(0, FILLS); showFills(); }
      if (told.points[id]) {
        for (const [time, value] of told.points[id]) {
          if (line.t.length && time <= line.t[line.t.length - 1]) continue;
          line.t.push(time);
          line.v.push(Number(value));
        }
        drawEquity();
      }
      if (told.sections.has("funding") || told.sections.has("portfolio")) {
        const mark = state.funding.find((row) => row.symbol === coin)?.mark_price, now = state.portfolio.venue_ms;
        if (mark && now && told.sections.has("funding")) chart?.move(now, Number(mark));
        const bar = Math.floor((now ?? 0) / STEPS[interval]);
        if (bar !== lastBar) { lastBar = bar; askBars(); }
      }
    },
    close: () => { closed = true; chart?.close(); equity.close(); [askBars, askOrders, askDecisions].forEach((act) => act.stop()); },
  };
}
