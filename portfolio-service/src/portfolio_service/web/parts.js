// Parts that more than one page shows.

import { clock, gain, missing, named, price, t, tone, upTo } from "./i18n.js";
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
    h("p", { class: "words", text: one.fault || one.reasoning || t("feed.silent") }),
    (one.actions ?? []).slice(0, 3).map((action, i) => h("p", { class: "small soft" }, `${actionText(action)} `, one.verdicts?.[i]?.outcome && one.verdicts[i].outcome !== "accepted" ? h("span", { class: "bad", text: ruleText(one.verdicts[i]) }) : "")));
}

export const signed = (value) => ({ text: gain(value), cls: tone(value) });
