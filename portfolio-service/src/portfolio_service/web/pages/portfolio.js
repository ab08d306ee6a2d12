// Portfolio: who may use how much, how that is changed, and what is at risk.

import { complain, card, confirm, field, figure, grid, h, options, put, say, seldom, setPill } from "../ui.js";
import { get, post, put as send, session } from "../api.js";
import { dot } from "../color.js";
import { everybody, state } from "../live.js";
import { clock, distance, gain, missing, named, percent, price, t, tone, usd } from "../i18n.js";
import { traderLink } from "../parts.js";
import { automatic, history, showPlanPill, waysOf } from "./plans.js";

const KINDS = { normal: "good", ok: "good", safe: "good", neutral: "good", balanced: "good", offset: "warn", severe: "bad", extreme: "bad", low: "good", warning: "warn", moderate: "warn", medium: "warn", elevated: "warn", danger: "bad", high: "bad", critical: "bad", unknown: "off" };
const kindOf = (word) => KINDS[word] ?? "off";

export function open(room) {
  let told = null, risks = null, plan = null, closed = false, filled = false;

  const figures = { capital: figure(t("alloc.capital")), allotted: figure(t("alloc.allotted")), free: figure(t("alloc.free")), unlimited: figure(t("alloc.unlimited")) };
  const strip = h("dl", { class: "figures" }, Object.values(figures).map((one) => one.node));

  // bars

  const bar = (r, cell, top) => {
    const key = [r.allocation, r.equity_usd, r.used_usd, top].join(" ");
    if (cell.told === key) return undefined;
    cell.told = key;
    const share = (value) => `${Math.max(0, Math.min(100, (Number(value ?? 0) / top) * 100))}%`;
    const node = h("span", { class: "bar", role: "img", "aria-label": t("alloc.bar", { allotted: missing(r.allocation) ? t("allocation.all") : usd(r.allocation), used: usd(r.used_usd), equity: usd(r.equity_usd) }) }, h("i", { class: "has" }), h("i", { class: missing(r.allocation) ? "all" : "may" }), h("i", { class: r.over ? "used over" : "used" }));
    [r.equity_usd, missing(r.allocation) ? r.equity_usd : r.allocation, r.used_usd].forEach((value, i) => node.children[i].style.setProperty("width", share(value)));
    return node;
  };
  let top = 1;
  const bars = grid(t("alloc.title"), [
    { title: t("trader"), cls: "left", write: (r, cell) => { if (cell.told) return undefined; cell.told = true; return h("span", { class: "who" }, dot(r.id), traderLink(r.id, state.traders[r.id]?.name)); } },
    { title: t("alloc.bars"), cls: "left bars", write: (r, cell) => bar(r, cell, top) },
    { title: t("allocation"), write: (r) => (missing(r.allocation) ? t("allocation.all") : usd(r.allocation)) },
    { title: t("alloc.share"), cls: "wide", write: (r) => percent(r.share) },
    { title: t("alloc.used"), write: (r) => ({ text: usd(r.used_usd), cls: r.over ? "bad" : "" }) },
    { title: t("alloc.force"), cls: "left", write: (r) => ({ text: r.over ? t("alloc.over") : t(r.in_force ? "yes" : "alloc.telling"), cls: r.over ? "bad" : r.in_force ? "good" : "warn" }) },
  ], { key: (r) => r.id, empty: t("arena.nobody") });
  const trouble = h("p", { class: "bad" });

  // limits

  const number = (id, low, high) => h("input", { id, type: "number", min: low, max: high, step: "0.1", required: true, inputmode: "decimal" });
  const most = number("limit-weight", "0.1", "100"), reserve = number("limit-reserve", "0", "99.9"), stop = number("limit-drawdown", "0.1", "100");
  const method = h("select", { id: "limit-method" });
  const limitsTrouble = h("p", { class: "bad", role: "alert" });
  const limits = h("form", { id: "limits", class: "fields", onsubmit: async (event) => {
    event.preventDefault();
    limitsTrouble.textContent = "";
    try {
      await send("/api/portfolio/allocation/limits", { weight_max: Number(most.value) / 100, reserve_min: Number(reserve.value) / 100, drawdown_stop: Number(stop.value) / 100, method: method.value });
      say(t("limits.saved"));
      filled = false;
      load();
    } catch (error) { limitsTrouble.textContent = error.message; }
  } },
  field(t("limits.weight"), most, t("limits.weight.help")), field(t("limits.reserve"), reserve, t("limits.reserve.help")), field(t("limits.drawdown"), stop, t("limits.drawdown.help")), field(t("limits.method"), method),
  limitsTrouble, session.may_change ? h("button", { type: "submit", id: "save-limits", text: t("limits.save") }) : null);
  const fillLimits = () => {
    if (filled || !told) return;
    filled = true;
    const share = (value) => String(Number((value * 100).toFixed(4)));
    [most.value, reserve.value, stop.value] = [share(told.limits.weight_max), share(told.limits.reserve_min), share(told.limits.drawdown_stop)];
    method.replaceChildren(...options(told.methods.map((name) => [name, named("method", name)]), told.limits.method));
    by.replaceChildren(...options([["", t("rebalance.usual")], ...told.methods.map((name) => [name, named("method", name)]), ["own", t("rebalance.own")]], by.value));
    [most, reserve, stop, method].forEach((one) => { one.disabled = !session.may_change; });
  };

  // rebalance

  const by = h("select", { id: "rebalance-method", onchange: () => { shares.hidden = by.value !== "own"; fillShares(); } });
  const shares = h("div", { class: "shares", hidden: true });
  const fillShares = () => {
    if (shares.hidden || shares.childElementCount) return;
    shares.replaceChildren(...everybody().filter((one) => !one.removed).map((one) => field(`${one.name || one.id} (%)`, h("input", { type: "number", step: "0.01", inputmode: "decimal", "data-trader": one.id, value: "0" }))));
  };
  const because = h("input", { id: "rebalance-reason", maxlength: "200", autocomplete: "off" });
  const rebalanceTrouble = h("p", { class: "bad", role: "alert", id: "rebalance-trouble" });
  const rebalance = h("form", { id: "rebalance", class: "fields", onsubmit: async (event) => {
    event.preventDefault();
    rebalanceTrouble.textContent = "";
    const own = [...shares.querySelectorAll("input")].filter((one) => one.value.trim() !== "").map((one) => [one.dataset.trader, Number(one.value) / 100]);
    const asked = by.value === "own" ? { shares: Object.fromEntries(own) } : by.value ? { method: by.value } : {};
    try {
      showPlan(await post("/api/portfolio/rebalance", { ...asked, preview: true, reason: because.value.trim() }));
      plans.load();
    } catch (error) { rebalanceTrouble.textContent = error.message; }
  } }, field(t("rebalance.method"), by), shares, field(t("reason"), because), rebalanceTrouble,
  h("button", { type: "submit", id: "preview", text: t("rebalance.preview") }));

  const planPill = h("span", { class: "pill off" }), planWords = h("span", { class: "soft small" });
  const progress = h("progress", { max: "1", value: "0", "aria-label": t("rebalance.progress"), id: "plan-progress" });
  const steps = grid(t("rebalance.steps"), [
    { title: "#", row: false, write: (r) => String(r.number) }, { title: t("trader"), cls: "left", write: (r) => state.traders[r.trader]?.name || r.trader },
    { title: t("rebalance.from"), write: (r) => (missing(r.from_usd) ? t("allocation.all") : usd(r.from_usd)) }, { title: t("rebalance.to"), write: (r) => usd(r.to_usd) },
    { title: t("rebalance.change"), write: (r) => { const v = missing(r.from_usd) ? null : Number(r.to_usd) - Number(r.from_usd); return { text: gain(v), cls: tone(v) }; } },
    { title: t("state"), cls: "left", write: (r) => ({ text: named("step", r.status), cls: r.status === "done" ? "good" : "soft" }) },
  ], { key: (r) => r.key, empty: t("rebalance.nothing") });
  const planNotes = h("ul", { class: "note" });
  const run = h("button", { type: "button", id: "run-plan", class: "main", text: t("rebalance.run"), onclick: async () => {
    const asked = plan;
    const done = await confirm({ title: t("rebalance.sure"), text: t("rebalance.sure.text", { n: asked.steps.length }), label: t("rebalance.run"), act: () => post("/api/portfolio/rebalance", { plan_id: asked.plan_id }) });
    if (done) showPlan(done);
  } });
  const planRoom = h("div", { id: "plan", hidden: true, "aria-live": "polite" }, h("div", { class: "row" }, planPill, planWords), progress, steps.node, planNotes, session.may_change ? run : null);
  const showPlan = (next) => {
    plan = next;
    planRoom.hidden = !plan;
    if (!plan) return;
    showPlanPill(planPill, plan.status);
    put(planWords, [waysOf(plan), `${clock(plan.made_ms)} UTC`, t("rebalance.reserve", { usd: usd(plan.reserve_after) }), plan.note].filter(Boolean).join(" · "));
    progress.value = plan.progress;
    progress.hidden = plan.status === "planned";
    steps.show(plan.steps);
    planNotes.replaceChildren(...[...plan.notes, ...Object.entries(plan.left).map(([who, text]) => `${who}: ${text}`), ...plan.transfers.map((one) => t("rebalance.transfer", { from: one.from_trader, to: one.to_trader, usd: usd(one.usd) }))].map((text) => h("li", { text })));
    run.hidden = plan.status !== "planned" || !plan.steps.length;
  };

  // risk

  const indicator = (title, help) => {
    const value = h("dd"), pill = h("dd", {}, h("span", { class: "pill off" })), meter = h("i");
    const gauge = h("span", { class: "gauge", "aria-hidden": "true" }, meter);
    return { node: h("div", { class: "indicator" }, h("dt", { text: title, title: help }), value, pill, h("dd", { class: "small soft", text: help }), h("dd", { class: "wideline" }, gauge)),
      show: (text, status, share) => { put(value, text); setPill(pill.firstChild, named("severity", status), kindOf(status)); meter.style.setProperty("width", `${Math.max(0, Math.min(1, share ?? 0)) * 100}%`); meter.className = kindOf(status); } };
  };
  const buffer = indicator(t("risk.buffer"), t("risk.buffer.help")), drift = indicator(t("risk.drift"), t("risk.drift.help")), fall = indicator(t("risk.fall"), t("risk.fall.help"));
  const nearest = (told) => {
    const [, id, coin] = /^(.*) (\S+)$/.exec(told) ?? [null, told, ""];
    return `${state.traders[id]?.name || id} ${coin}`.trim();
  };
  const level = h("span", { class: "pill off", id: "risk-level" });
  const showRisk = () => {
    const r = state.risk ?? {};
    buffer.show(`${distance(r.liquidation_buffer)}${r.nearest ? ` · ${nearest(r.nearest)}` : ""}`, r.liquidation_buffer_status ?? "unknown", missing(r.liquidation_buffer) ? 0 : r.liquidation_buffer);
    drift.show(`${percent(r.inventory_drift, true)}${r.inventory_direction ? ` · ${named("drift", r.inventory_direction)}` : ""}`, r.inventory_drift_status ?? "unknown", Math.abs(r.inventory_drift ?? 0));
    fall.show(`${percent(r.drawdown)} · ${t("arena.deepest", { share: percent(r.max_drawdown) })}`, r.max_drawdown_status ?? "unknown", (r.drawdown ?? 0) * 4);
    setPill(level, named("level", r.overall_risk_level ?? "unknown"), kindOf(r.overall_risk_level));
  };
  const each = grid(t("risk.each"), [
    { title: t("trader"), cls: "left", write: (r, cell) => { if (cell.told) return undefined; cell.told = true; return h("span", { class: "who" }, dot(r.id), traderLink(r.id, state.traders[r.id]?.name)); } },
    { title: t("risk.buffer"), write: (r) => distance(r.liquidation_buffer) }, { title: t("risk.drift"), write: (r) => percent(r.inventory_drift, true) }, { title: t("risk.fall"), write: (r) => percent(r.drawdown) },
    { title: t("arena.risk"), cls: "left", write: (r, cell) => { const pill = cell.firstChild ?? h("span"); setPill(pill, named("level", r.overall_risk_level), kindOf(r.overall_risk_level)); return pill; } },
  ], { key: (r) => r.id, empty: t("arena.nobody") });
  const funding = grid(t("funding"), [
    { title: t("coin"), cls: "left", write: (r) => r.symbol }, { title: t("mark"), write: (r) => price(r.mark_price) },
    { title: t("funding.rate"), write: (r) => ({ text: percent(r.funding_rate, true, 4), cls: tone(-r.funding_rate) }) }, { title: t("funding.day"), write: (r) => percent(r.daily_yield, true, 3) },
    { title: t("funding.favors"), cls: "left", write: (r) => named("favors", r.direction) },
  ], { key: (r) => r.symbol, empty: t("funding.none") });
  const exports = h("div", { class: "row", id: "exports" }, ["portfolio", "equity", "trades", "decisions"].flatMap((kind) => ["csv", "parquet"].map((form) => h("a", { class: "file", "data-export": `${kind} ${form}`, href: `/api/export?kind=${kind}&form=${form}`, download: true, text: `${t(`export.${kind}`)} · ${form}` }))));

  const byItself = automatic(), plans = history();
  const load = async () => {
    try {
      [told, risks] = await Promise.all([get("/api/portfolio/allocation"), get("/api/risk-indicators")]);
    } catch (error) { complain(error); return; }
    if (closed) return;
    figures.capital.show(usd(told.total_capital));
    figures.allotted.show(usd(told.allocated));
    figures.free.show(usd(told.available_balance));
    figures.unlimited.show(String(told.traders.filter((one) => missing(one.allocation)).length));
    top = Math.max(1, ...told.traders.flatMap((one) => [one.equity_usd, one.allocation, one.used_usd].map((value) => Number(value ?? 0))));
    bars.show(told.traders);
    put(trouble, told.trouble);
    each.show(Object.entries(risks.traders).map(([id, one]) => ({ id, ...one })));
    byItself.show(told.automatic);
    plans.load();
    fillLimits();
    if (told.running) showPlan(told.running);
  };
  const again = seldom(load, 3000);
  const lookAtPlan = seldom(async () => {
    try { showPlan(await get(`/api/portfolio/rebalance/${encodeURIComponent(plan.plan_id)}`)); } catch { /* the next message says more */ }
  }, 1000);

  room.append(strip, h("div", { class: "two even" },
    h("div", {},
      card(t("alloc.title"), { id: "allocation", lead: t("alloc.lead") }, bars.node, trouble),
      session.may_change ? card(t("rebalance"), { id: "rebalancing", lead: t("rebalance.lead") }, rebalance, planRoom) : planRoom,
      card(t("limits"), { id: "limits-card" }, limits), byItself.node),
    h("div", {},
      card(t("risk"), { id: "risk", side: [level] }, h("dl", { class: "indicators" }, buffer.node, drift.node, fall.node)),
      card(t("risk.each"), { id: "risks" }, each.node),
      card(t("funding"), { id: "funding" }, funding.node),
      plans.node, card(t("export"), { id: "export" }, exports))));
  const shown = () => { showRisk(); funding.show(state.funding ?? []); };
  shown();
  load();
  return {
    update: (what) => {
      if (what.whole) { shown(); load(); return; }
      if (what.sections.has("risk")) showRisk();
      if (what.sections.has("funding")) funding.show(state.funding ?? []);
      if (what.traders.size) again();
      if (what.sections.has("plan") && state.plan) showPlan(state.plan);
      // A short plan may be over between two looks of the service: it is asked how it ended.
      else if (plan?.status === "running" && !state.plan) lookAtPlan();
      if (what.sections.has("plan")) again();
    },
    close: () => { closed = true; again.stop(); lookAtPlan.stop(); },
  };
}
