// System: is everything there, what should a person know, and the switch that stops it all.

import { button, complain, card, confirm, grid, h, put, say, seldom, setPill } from "../ui.js";
import { get, post, session } from "../api.js";
import { state } from "../live.js";
import { driftColumns, driftNote, traderLink } from "../parts.js";
import { clock, exact, missing, named, number, percent, t, whole } from "../i18n.js";

const STATES = { up: "good", degraded: "warn", failing: "bad", down: "bad" };
const LEVELS = ["LIVE", "PAUSED", "STOPPED", "KILLED"];
const WORDS = { pause: "", stop: "STOP", kill: "KILL", resume: "RESUME" };

export function open(room) {
  let closed = false, told = null;
  const detail = (r) => {
    const known = told?.services.find((one) => one.name === r.name);
    return Object.entries(known?.detail ?? {}).filter(([name, value]) => name !== "locks" && typeof value !== "object").slice(0, 6).map(([name, value]) => `${named("tells", name)} ${typeof value === "number" ? number(value, Number.isInteger(value) ? 0 : 2) : value}`).join(" · ");
  };
  const services = grid(t("system.services"), [
    { title: t("system.service"), cls: "left", write: (r) => named("service", r.name) },
    { title: t("state"), cls: "left", write: (r, cell) => { const pill = cell.firstChild ?? h("span"); setPill(pill, named("health", r.state), STATES[r.state] ?? "off"); return pill; } },
    { title: t("system.address"), cls: "left wide", write: (r) => r.url }, { title: t("system.took"), cls: "wide", write: (r) => { const one = told?.services.find((known) => known.name === r.name); return one?.took_ms ? `${one.took_ms} ms` : "–"; } },
    { title: t("system.says"), cls: "left wrap", write: (r) => r.reason || detail(r) },
  ], { key: (r) => r.name, empty: t("system.noservices") });
  // What a service was told to leave out, or to let through.
  const locks = grid(t("system.locks"), [
    { title: t("system.lock"), cls: "left", write: (r) => r.lock }, { title: t("system.service"), cls: "left", write: (r) => named("service", r.name) },
    { title: t("system.lock.does"), cls: "left wrap", write: (r) => named("lock", r.lock) },
  ], { key: (r) => `${r.name} ${r.lock}`, empty: t("system.nolocks") });
  const showLocks = () => locks.show((told?.services ?? []).flatMap((one) => String(one.detail?.locks ?? "").split(", ").filter(Boolean).map((lock) => ({ name: one.name, lock }))));
  const alerts = h("ul", { class: "alerts", "aria-live": "polite" });
  const noAlerts = h("p", { class: "empty good", text: t("system.noalerts") });
  const showAlerts = () => {
    const list = state.alerts ?? [];
    alerts.replaceChildren(...list.map((one) => h("li", { class: one.level }, h("b", { text: named("alert", one.level) }), h("span", { class: "clamp", title: one.text }, h("b", { text: `${state.traders[one.source]?.name || named("service", one.source)}: ` }), one.text), one.at_ms ? h("time", { class: "soft small", text: `${clock(one.at_ms)} UTC` }) : null)));
    noAlerts.hidden = list.length > 0;
  };
  // Requests that were used, and how many may be; whoever tells it otherwise is shown as it is.
  const budgets = grid(t("system.budgets"), [
    { title: t("budget.of"), cls: "left", write: (r) => r.name }, { title: t("budget.used"), write: (r) => whole(r.used) }, { title: t("budget.left"), write: (r) => whole(r.left) },
    { title: t("budget.share"), write: (r) => (missing(r.share) ? "–" : { text: percent(r.share, false, 1), cls: r.share > 0.9 ? "bad" : r.share > 0.7 ? "warn" : "" }) },
  ], { key: (r) => r.name, empty: t("system.nobudgets") });
  const budgetOf = (name, told) => {
    const used = told.requests_used ?? told.used, all = told.requests_cap ?? (missing(told.left) ? undefined : told.left + used);
    return { name, used, left: missing(all) ? told.left : all - used, share: all ? used / all : null };
  };
  const showBudgets = () => budgets.show(Object.entries(told?.budgets ?? {}).flatMap(([service, values]) => Object.entries(values)
    .map(([name, value]) => (value !== null && typeof value === "object" ? budgetOf(state.traders[name]?.name || `${named("service", service)} · ${name.replaceAll("_", " ")}`, value) : budgetOf(`${named("service", service)} · ${name.replaceAll("_", " ")}`, { left: value })))));

  // the switch

  const level = h("span", { class: "pill off", id: "safety-level" }), why = h("p", { class: "soft", id: "safety-why" });
  const causes = h("ul", { class: "alerts", id: "safety-causes" });
  const outcome = h("ul", { class: "note", id: "safety-outcome", "aria-live": "polite" });
  const typed = (scope) => (state.safety?.causes ?? []).find((one) => one.scope === scope && one.typed)?.typed;
  const press = (command, trader = "all") => async () => {
    const live = Boolean(state.safety), word = (command === "resume" && typed(trader)) || WORDS[command];
    const done = await confirm({
      title: trader === "all" ? t(`safety.${command}.title`) : t(`command.${command}.title`, { name: trader }), text: `${trader === "all" ? t(`safety.${command}.text`) : t(`command.${command}.text`)} ${t(live ? "safety.by.proxy" : "safety.by.manager")}${command === "resume" && typed(trader) ? ` ${t("safety.ends.kill")}` : ""}`,
      label: t(`safety.${command}`), word, danger: command === "kill" || command === "stop", reason: command !== "resume",
      act: (reason) => post(`/api/safety/${command}`, { reason, confirmation: word, trader }),
    });
    if (!done) return;
    say(t("safety.done", { command: t(`safety.${command}`) }));
    const rows = Object.entries(done.traders ?? {});
    outcome.replaceChildren(...rows.map(([id, text]) => h("li", { class: text === "ok" ? "" : "bad", text: `${id}: ${text === "ok" ? t("safety.ok") : text}` })));
  };
  const kill = h("div", { class: "switch", id: "switch" }, ["pause", "resume", "stop", "kill"].map((command) => h("button", { type: "button", id: `safety-${command}`, class: command === "kill" ? "danger" : command === "stop" ? "risky" : "", onclick: () => press(command)(), text: t(`safety.${command}`) })));
  const showSafety = () => {
    const safety = state.safety;
    const causes_ = safety?.causes ?? [];
    causes.replaceChildren(...causes_.map((one) => h("li", { class: one.level === "KILLED" ? "critical" : "" }, h("b", { text: named("safety.level", one.level) }),
      h("span", {}, h("b", { text: `${one.scope}: ` }), `${one.reason} · ${one.by} · ${clock(one.since_ms)} UTC`),
      session.may_change ? button(t("command.resume"), press("resume", one.scope), { class: "small", "data-scope": one.scope }) : null)));
    if (safety) {
      const worst = safety.levels ? LEVELS[Math.max(0, ...Object.values(safety.levels).map((one) => LEVELS.indexOf(one)))] : safety.level ?? "unknown";
      setPill(level, named("safety.level", worst), worst === "LIVE" ? "good" : worst === "PAUSED" ? "warn" : "bad");
      put(why, safety.reason ?? t("safety.proxy"));
      return;
    }
    const all = Object.values(state.traders).filter((one) => !one.removed), live = all.filter((one) => one.status === "LIVE").length;
    setPill(level, t("safety.trading", { n: live, all: all.length }), live ? "good" : "off");
    put(why, t("safety.manager"));
  };
  const sums = h("dl", { class: "pairs" });
  const showSums = () => {
    const checked = state.portfolio.sums;
    if (!checked) return;
    const rows = [[t("sums.traders"), `${exact(checked.traders_usd)} USD`], [t("sums.accounts"), `${exact(checked.accounts_usd)} USD`], [t("sums.difference"), `${exact(checked.difference_usd)} USD`], [t("sums.compared"), String(checked.compared)], [t("sums.not"), checked.not_compared.join(", ") || "–"]];
    sums.replaceChildren(...rows.map(([name, value], i) => h("div", {}, h("dt", { text: name }), h("dd", { text: value, class: i === 2 ? (checked.ok ? "good" : "bad") : "" }))));
  };

  // live against the model

  const drift = grid(t("drift"), driftColumns([{ title: t("trader"), cls: "left", write: (r) => (r.trader_id === "*" ? t("drift.all") : traderLink(r.trader_id, state.traders[r.trader_id]?.name)) }]), { key: (r) => r.trader_id, empty: t("drift.empty") });
  const driftSays = h("p", { class: "note", id: "drift-note" });
  const driftCard = card(t("drift"), { id: "drift", lead: t("drift.lead") }, drift.node, driftSays);
  const showDrift = () => {
    driftCard.hidden = !state.drift;
    if (!state.drift) return;
    drift.show(state.drift.summaries);
    put(driftSays, driftNote(state.drift));
  };

  const look = seldom(async () => {
    try {
      told = await get("/api/system");
    } catch (error) { complain(error); return; }
    if (closed) return;
    services.show(state.services.length ? state.services : told.services);
    showBudgets();
    showLocks();
  }, 5000);
  const all = () => { services.show(state.services ?? []); showAlerts(); showSafety(); showSums(); showDrift(); look(); };
  room.append(h("div", { class: "two even" },
    h("div", {}, card(t("system.services"), { id: "services" }, services.node), card(t("system.locks"), { id: "locks", lead: t("system.locks.lead") }, locks.node), card(t("system.alerts"), { id: "alerts" }, alerts, noAlerts)),
    h("div", {}, card(t("safety"), { id: "safety", cls: "grave", side: [level], lead: t("safety.lead") }, why, session.may_change ? kill : h("p", { class: "soft", text: t("viewer") }), causes, outcome),
      card(t("system.budgets"), { id: "budgets", lead: t("system.budgets.lead") }, budgets.node), card(t("sums"), { id: "sums", lead: t("sums.lead") }, sums))), driftCard);
  all();
  return {
    update: (what) => {
      if (what.whole) { all(); return; }
      if (what.sections.has("services")) { services.show(state.services); look(); }
      if (what.sections.has("alerts")) showAlerts();
      if (what.sections.has("safety") || what.traders.size) showSafety();
      if (what.sections.has("portfolio")) showSums();
      if (what.sections.has("drift")) showDrift();
    },
    close: () => { closed = true; look.stop(); },
  };
}
