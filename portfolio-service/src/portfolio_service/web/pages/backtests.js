// Backtests: begin one, see how far it is, read what came of it, hold runs against each other.

import { card, complain, field, grid, h, put, say, setPill, button } from "../ui.js";
import { get, post, session } from "../api.js";
import { colorOf, dot } from "../color.js";
import { curves } from "../curves.js";
import { state } from "../live.js";
import { gain, lasting, moment, named, number, percent, t, tone, upTo, usd } from "../i18n.js";

const KINDS = ["sma_cross", "hodl", "random", "flat", "fixed_spread", "funding_rate"];
const INTERVALS = ["1m", "5m", "15m", "1h", "4h", "1d"];
const PILLS = { running: "warn", done: "good", failed: "bad", canceled: "off" };
const DAY = 86400000;
const dateOf = (ms) => new Date(ms).toISOString().slice(0, 10);

export function open(room) {
  let jobs = [], closed = false, source = null, seen = null;
  const chosen = new Set(), reports = new Map();

  // the form

  const known = () => [...new Set([...Object.values(state.traders).flatMap((one) => one.symbols ?? []), ...(state.funding ?? []).map((one) => one.symbol)])].sort();
  const name = h("input", { id: "bt-name", maxlength: "40", pattern: "[A-Za-z0-9][A-Za-z0-9_.\\-]*", required: true, value: "run-1", autocomplete: "off" });
  const kind = h("input", { id: "bt-kind", list: "bt-kinds", value: KINDS[0], required: true, autocomplete: "off" });
  const coins = h("input", { id: "bt-coins", required: true, autocomplete: "off" });
  const from = h("input", { id: "bt-from", type: "date", required: true }), to = h("input", { id: "bt-to", type: "date", required: true });
  const interval = h("select", { id: "bt-interval" }, INTERVALS.map((one) => h("option", { value: one, text: one, selected: one === "15m" })));
  const money = h("input", { id: "bt-money", type: "number", min: "1", step: "any", value: "10000", required: true }), seed = h("input", { id: "bt-seed", type: "number", min: "0", step: "1", value: "0", required: true });
  const params = h("textarea", { id: "bt-params", rows: "2", spellcheck: "false" });
  params.value = "{}";
  const trouble = h("p", { class: "bad", role: "alert", id: "bt-trouble" });
  const form = h("form", { id: "backtest", class: "fields three", onsubmit: async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    let given;
    try { given = JSON.parse(params.value || "{}"); } catch { trouble.textContent = t("bt.badparams"); params.focus(); return; }
    const symbols = coins.value.split(/[\s,，]+/).filter(Boolean).map((one) => one.toUpperCase());
    try {
      await post("/api/backtests", { name: name.value, request: { symbols, from: from.value, to: to.value, seed: Number(seed.value), traders: [{ trader_id: name.value, strategy: { kind: kind.value, params: given }, symbols, interval: interval.value, initial_balance: Number(money.value) }] } });
      say(t("bt.begun", { name: name.value }));
      name.value = name.value.replace(/(\d+)?$/, (digits) => String(Number(digits || 1) + 1));
    } catch (error) { trouble.textContent = error.message; }
  } },
  field(t("bt.name"), name), field(t("bt.strategy"), kind), field(t("bt.coins"), coins), field(t("bt.from"), from), field(t("bt.to"), to), field(t("bt.interval"), interval), field(t("bt.money"), money), field(t("bt.seed"), seed), field(t("bt.params"), params),
  h("datalist", { id: "bt-kinds" }, KINDS.map((one) => h("option", { value: one }))), trouble, h("button", { type: "submit", class: "main", id: "bt-run", text: t("bt.run") }));
  const prefill = () => {
    if (!coins.value) coins.value = known().slice(0, 1).join(",");
    if (!from.value && state.portfolio.venue_ms) {
      const day = Math.floor((state.portfolio.session_start_time ?? state.portfolio.venue_ms) / DAY) * DAY;
      from.value = dateOf(day);
      to.value = dateOf(day + DAY);
    }
  };

  const unset = h("div", { class: "empty", id: "bt-unset", hidden: true });

  // runs

  const runs = grid(t("bt.runs"), [
    { title: t("bt.compare"), cls: "rank", row: false, write: (r, cell) => {
      if (!cell.box) { cell.box = h("input", { type: "checkbox", "data-compare": r.job_id, "aria-label": t("bt.compare.one", { name: r.name }), onchange: () => { chosen[cell.box.checked ? "add" : "delete"](r.job_id); compare(); } }); return cell.box; }
      cell.box.disabled = r.status !== "done";
      return undefined;
    } },
    { title: t("bt.name"), cls: "left", write: (r) => r.name }, { title: t("bt.what"), cls: "left wide", write: (r) => r.what },
    { title: t("state"), cls: "left", write: (r, cell) => { const pill = cell.firstChild ?? h("span"); setPill(pill, named("job", r.status), PILLS[r.status] ?? "off"); return pill; } },
    { title: t("bt.progress"), cls: "left wrap", write: (r, cell) => {
      if (!cell.meter) { cell.meter = h("progress", { max: "100", "aria-label": t("bt.progress") }); cell.told = h("small", { class: "soft" }); }
      cell.meter.value = r.percent;
      put(cell.told, r.error || (r.status === "running" && r.eta_s !== null ? t("bt.eta", { time: lasting(r.eta_s * 1000) }) : `${number(r.percent, 0)}%`));
      if (!cell.both) { cell.both = h("span", { class: "meter" }, cell.meter, cell.told); return cell.both; }
      return undefined;
    } },
    { title: "", cls: "left", write: (r, cell) => {
      if (cell.told === r.status) return undefined;
      cell.told = r.status;
      if (r.status === "done") return button(t("bt.open"), () => openReport(r), { class: "small", "data-open": r.job_id });
      if (r.status === "running" && session.may_change) return button(t("cancel"), () => post(`/api/backtests/${encodeURIComponent(r.job_id)}/cancel`, {}).catch(complain), { class: "small", "data-cancel": r.job_id });
      return h("span");
    } },
  ], { key: (r) => r.job_id, empty: t("bt.none") });

  // reports

  const reportOf = async (id) => {
    if (!reports.has(id)) reports.set(id, await get(`/api/backtests/${encodeURIComponent(id)}/report`));
    return reports.get(id);
  };
  const METRICS = [["total_return", (v) => percent(v, true), tone], ["total_pnl", gain, tone], ["final_equity", usd], ["max_drawdown", percent], ["sharpe", number], ["win_rate", percent], ["total_trades", (v) => upTo(v, 0)]];
  const BRIDGE = [["realized", 1], ["unrealized", 1], ["fees", -1], ["funding", 1], ["insurance", 1], ["net", 1]];  // fees are told positive
  const reportRoom = h("div", { id: "report", hidden: true });
  let chart = null;
  const openReport = async (job) => {
    let report;
    try { report = await reportOf(job.job_id); } catch (error) { complain(error); return; }
    if (closed) return;
    chart?.close();
    chart = curves(t("arena.equity"), { write: usd, fill: true });
    chart.set(Object.entries(report.traders).map(([id, one]) => ({ id, name: id, color: colorOf(`${job.job_id} ${id}`), t: one.curve.time_ms, v: one.curve.equity_usd.map(Number) })));
    reportRoom.hidden = false;
    const trades = grid(t("bt.trades"), [
      { title: t("bt.in"), cls: "left", write: (r) => moment(r.entry_time) }, { title: t("bt.out"), cls: "left", write: (r) => moment(r.exit_time) }, { title: t("coin"), cls: "left", write: (r) => r.coin },
      { title: t("side"), cls: "left", write: (r) => ({ text: t(r.side === "long" ? "long" : "short"), cls: r.side === "long" ? "good" : "bad" }) }, { title: t("bt.net"), write: (r) => ({ text: gain(r.pnl), cls: tone(r.pnl) }) },
    ], { key: (r) => `${r.trader} ${r.number}`, empty: t("bt.notrades") });
    trades.show(Object.entries(report.traders).flatMap(([id, one]) => one.trades.map((trade, i) => ({ ...trade, trader: id, number: i }))));
    const files = h("a", { class: "file", id: "whole-report", href: `/api/backtests/${encodeURIComponent(job.job_id)}/report.json`, download: `${job.name}.json`, text: t("bt.whole") });
    reportRoom.replaceChildren(card(t("bt.report", { name: job.name }), { id: "report-card", side: [files], lead: t("bt.period", { from: moment(report.from_ms), to: moment(report.to_ms), coins: report.coins.join(", ") }) }, chart.node,
      ...Object.entries(report.traders).map(([id, one]) => h("div", {}, h("h3", { text: `${id} · ${one.kind}` }), h("dl", { class: "figures inner" }, METRICS.map(([key, write, tint]) => h("div", { class: "figure" }, h("dt", { text: t(`metric.${key}`) }), h("dd", { class: tint?.(one.metrics[key]) ?? "", text: write(one.metrics[key]) })))),
        h("dl", { class: "pairs bridge" }, BRIDGE.filter(([key]) => key in one.bridge).map(([key, sign]) => h("div", {}, h("dt", { text: named("bridge", key) }), h("dd", { class: tone(sign * one.bridge[key]), text: gain(sign * one.bridge[key]) })))))),
      h("h3", { text: t("bt.trades") }), trades.node, h("p", { class: "small soft hash", text: `sha256 ${report.sha256}` })));
    reportRoom.scrollIntoView({ block: "start", behavior: "auto" });
    reportRoom.querySelector("h2").tabIndex = -1;
    reportRoom.querySelector("h2").focus({ preventScroll: true });
  };

  // compare

  const compareRoom = h("div", { id: "compare", hidden: true });
  const overlay = curves(t("bt.compared"), { write: (v) => percent(v, true), axis: (v, digits) => percent(v, true, digits), base: 0 });
  const compared = h("div", {});
  compareRoom.append(card(t("bt.compared"), { id: "compare-card" }, overlay.node, compared));
  const compare = async () => {
    const wanted = jobs.filter((one) => chosen.has(one.job_id) && one.status === "done");
    compareRoom.hidden = wanted.length < 2;
    if (compareRoom.hidden) return;
    let told;
    try { told = await Promise.all(wanted.map(async (job) => [job, await reportOf(job.job_id)])); } catch (error) { complain(error); return; }
    if (closed) return;
    const each = told.flatMap(([job, report]) => Object.entries(report.traders).map(([id, one]) => ({ id: `${job.job_id} ${id}`, title: id === job.name ? id : `${job.name} · ${id}`, ...one })));
    overlay.set(each.map((one) => ({ id: one.id, name: one.title, color: colorOf(one.id), t: one.curve.time_ms, v: one.curve.equity_usd.map((value) => Number(value) / Number(one.curve.equity_usd[0]) - 1) })));
    const table = grid(t("bt.compared"), [{ title: t("bt.name"), cls: "left", write: (r, cell) => { if (cell.told) return undefined; cell.told = true; return h("span", { class: "who" }, dot(r.id), h("span", { text: r.title })); } },
      { title: t("bt.strategy"), cls: "left", write: (r) => r.kind }, ...METRICS.map(([key, write, tint]) => ({ title: t(`metric.${key}`), write: (r) => ({ text: write(r.metrics[key]), cls: tint?.(r.metrics[key]) ?? "" }) }))], { key: (r) => r.id });
    table.show(each);
    compared.replaceChildren(table.node);
  };

  const take = (told) => {
    jobs = told.jobs ?? [];
    runs.show(jobs);
    if (seen !== null && told.why === seen) return;
    seen = told.why ?? "";
    unset.hidden = !seen;
    unset.replaceChildren(h("p", { text: seen }), h("p", { text: t("bt.set") }), h("pre", { text: "TRADING_URL=http://127.0.0.1:8100\nVENUE_TOKEN_FILE=…/var/tokens/operator.token", tabindex: "0" }));
    form.hidden = Boolean(seen);
  };
  const listen = () => {
    source?.close();
    source = null;
    if (closed || document.hidden) return;
    source = new EventSource("/api/backtests/events");
    source.addEventListener("jobs", (event) => take(JSON.parse(event.data)));
  };
  const leave = () => source?.close();
  room.append(session.may_change ? card(t("bt.new"), { id: "new" }, unset, form) : unset, card(t("bt.runs"), { id: "runs" }, runs.node), compareRoom, reportRoom);
  prefill();
  listen();
  document.addEventListener("visibilitychange", listen);
  addEventListener("pagehide", leave);
  return {
    update: (told) => { if (told.whole) prefill(); },
    close: () => {
      closed = true;
      leave();
      document.removeEventListener("visibilitychange", listen);
      removeEventListener("pagehide", leave);
      overlay.close();
      chart?.close();
    },
  };
}
