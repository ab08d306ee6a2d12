// Parts that more than one page shows.

import { clock, gain, missing, named, number, price, t, tone, upTo, whole } from "./i18n.js";
import { button, h, pill, setPill } from "./ui.js";
import { dot } from "./color.js";
import { session } from "./api.js";
import { state } from "./live.js";

const KINDS = { LIVE: "good", PAUSED: "warn", STOPPED: "off", unknown: "bad" };

export const statusPill = (one) => pill(one.removed ? t("status.removed") : named("status", one.status), one.removed ? "off" : KINDS[one.status] ?? "off");
export const showStatus = (node, one) => setPill(node, one.removed ? t("status.removed") : named("status", one.status), one.removed ? "off" : KINDS[one.status] ?? "off");
export const traderLink = (id, name) => h("a", { href: `#/trader/${encodeURIComponent(id)}`, text: name || id });
/** A button that changes something: only who may press it sees it. */
export const doing = (label, act, attributes = {}) => (session.may_change ? button(label, act, attributes) : null);

/** What a decision came to: a word and its kind. */
export function verdictOf(one) {
  if (one.fault) return ["fault", "bad"];
  const outcomes = (one.verdicts ?? []).map((verdict) => verdict.outcome);
  if (!outcomes.length) return ["hold", "off"];
  if (outcomes.every((outcome) => outcome === "rejected")) return ["rejected", "bad"];
  if (outcomes.some((outcome) => outcome === "rejected" || outcome === "clamped")) return ["clamped", "warn"];
  return ["accepted", "good"];
}

export function actionText(one) {
  if ((one.type === "order" || one.type === "modify") && !missing(one.sz)) {
    const way = missing(one.limit_px) || Number(one.limit_px) === 0 ? t("market") : price(one.limit_px);
    const what = `${t(one.is_buy ? "buy" : "sell")} ${upTo(one.sz)} ${one.coin} @ ${way}${one.reduce_only ? ` · ${t("reduce")}` : ""}`;
    return one.type === "order" ? what : `${named("action", one.type)}: ${what}`;
  }
  return [named("action", one.type ?? ""), one.coin].filter(Boolean).join(" ");
}

export const ruleText = (verdict) => [named("outcome", verdict.outcome), verdict.rule ? verdict.rule.replaceAll("_", " ") : "", verdict.reason].filter(Boolean).join(" · ");

/** One entry of the feed of all traders. */
export function decisionLine(one) {
  const [word, kind] = verdictOf(one);
  return h("li", {},
    h("div", { class: "row" }, h("span", { class: "who" }, dot(one.trader_id), traderLink(one.trader_id, state.traders[one.trader_id]?.name)), pill(t(`verdict.${word}`), kind),
      h("time", { class: "soft small", datetime: new Date(one.now_ms).toISOString(), text: clock(one.now_ms) })),
    h("p", { class: "words", text: one.fault || one.reasoning || t(one.asked === false ? "decision.tending" : "feed.silent") }),
    (one.actions ?? []).slice(0, 3).map((action, i) => h("p", { class: "small soft" }, `${actionText(action)} `, one.verdicts?.[i]?.outcome && one.verdicts[i].outcome !== "accepted" ? h("span", { class: "bad", text: ruleText(one.verdicts[i]) }) : "")));
}

const bps = (value) => (missing(value) ? "–" : t("drift.bp", { n: number(value, 2, true) }));
const took = (value) => (missing(value) ? "–" : `${whole(value)} ms`);
/** Columns of how far live orders were from the model; `who` is the first of them. */
export const driftColumns = (who = []) => [
  ...who,
  { title: t("drift.orders"), write: (r) => whole(r.orders) },
  { title: t("drift.both"), help: t("drift.both.help"), write: (r) => whole(r.outcomes.both ?? 0) },
  { title: t("drift.apart"), help: t("drift.apart.help"), write: (r) => { const n = (r.outcomes.live_only ?? 0) + (r.outcomes.model_only ?? 0); return { text: whole(n), cls: n ? "warn" : "" }; } },
  { title: t("drift.price"), help: t("drift.price.help"), write: (r) => ({ text: bps(r.price_bps_mean), title: t("drift.price.more", { median: bps(r.price_bps_median), worst: bps(r.price_bps_worst) }), cls: tone(missing(r.price_bps_mean) ? null : -r.price_bps_mean) }) },
  { title: t("drift.fee"), help: t("drift.fee.help"), write: (r) => ({ text: bps(r.fee_bps_mean), cls: tone(missing(r.fee_bps_mean) ? null : -r.fee_bps_mean) }) },
  { title: t("drift.latency"), help: t("drift.latency.help"), write: (r) => `${took(r.latency_ms_p50)} / ${took(r.latency_ms_p99)}` },
  { title: t("drift.cost"), help: t("drift.cost.help"), write: (r) => ({ text: gain(-r.cost_usd), cls: tone(-r.cost_usd) }) },
];
/** What to say beside the table: of when it is, or why there is none. */
export function driftNote(drift) {
  if (drift.state === "known") return t("drift.of", { since: clock(drift.since_ms), at: clock(drift.as_of_ms) });
  return drift.state === "none" ? t("drift.none") : t("drift.unknown", { reason: drift.reason });
}

export const signed = (value) => ({ text: gain(value), cls: tone(value) });
