// One decision of a trader: what it was asked, what it said, what the gate made of it, what came back.

import { clock, gain, moment, named, number, t, upTo, usd } from "../i18n.js";
import { h, pill } from "../ui.js";
import { ruleText } from "../parts.js";

const PANELS = ["prompt", "reply", "thinking", "trace", "counterfactual"];  // of traders that think in words
const MONEY = ["cost_usd", "llm_cost_usd", "tokens", "latency_ms", "model"];

const isPlain = (value) => value === null || typeof value !== "object";
const plain = (name, value) => (name.endsWith("_ms") && value > 1e11 ? `${moment(value, true)} UTC` : `${value}`);

/** Values as lines, each level further in. */
function outline(value, pad = "") {
  return Object.entries(value).map(([name, one]) => {
    const head = `${pad}${Array.isArray(value) ? `${Number(name) + 1}.` : name}`;
    if (isPlain(one)) return `${head}: ${plain(name, one)}`;
    const items = Object.values(one);
    return Array.isArray(one) && items.every(isPlain) ? `${head}: ${items.join(", ") || "–"}` : `${head}\n${outline(one, `${pad}  `)}`;
  }).join("\n");
}

function text(value) {
  if (isPlain(value)) return `${value}`;
  return Array.isArray(value) && value.every(isPlain) ? value.join("\n") : outline(value);
}
const listed = (title, items) => (items.length ? [h("h3", { text: title }), h("ul", {}, items.map((item) => h("li", { text: item })))] : []);

function answer(one) {
  if (!one) return t("decision.noanswer");
  const said = one.error ?? one.status ?? one.outcome ?? one;
  return typeof said === "string" ? said : JSON.stringify(said);
}

function body(one, actionText) {
  const parts = [];
  if (one.fault) parts.push(h("p", { class: "bad", text: one.fault }));
  parts.push(...listed(t("decision.wanted"), (one.actions ?? []).map(actionText)));
  parts.push(...listed(t("decision.verdicts"), (one.verdicts ?? []).map((verdict) => [ruleText(verdict), verdict.before !== undefined && verdict.before !== verdict.after ? `${upTo(verdict.before)} → ${upTo(verdict.after)}` : ""].filter(Boolean).join(" · "))));
  parts.push(...listed(t("decision.sent"), (one.sent ?? []).map(actionText)));
  if (one.sent?.length) parts.push(...listed(t("decision.answers"), one.results ? one.results.map(answer) : [t("decision.noanswer")]));
  parts.push(...listed(t("decision.closed"), (one.closed ?? []).map((exit) => [exit.coin, named("exit", exit.cause ?? exit.reason ?? ""), exit.pnl_usd === undefined ? "" : gain(exit.pnl_usd)].filter(Boolean).join(" · "))));
  parts.push(...listed(t("decision.notes"), one.notes ?? []));
  const told = { ...one, ...(one.llm ?? {}) };
  parts.push(...listed(t("decision.flaws"), [told.brake, ...(told.flaws ?? [])].filter(Boolean)));
  const money = MONEY.filter((name) => told[name] !== undefined && told[name] !== null);
  if (money.length) parts.push(...listed(t("decision.cost"), money.map((name) => `${named("cost", name)}: ${typeof told[name] === "number" ? number(told[name], Number.isInteger(told[name]) ? 0 : 4) : told[name]}`)));
  for (const name of PANELS) {
    if (told[name] !== undefined && told[name] !== null && told[name] !== "") {
      parts.push(h("details", { class: "panel" }, h("summary", { text: t(`panel.${name}`) }), h("pre", { text: text(told[name]), tabindex: "0" })));
    }
  }
  parts.push(h("p", { class: "small soft", text: [`#${one.decision}`, `${moment(one.now_ms, true)} UTC`, t("decision.woke", { why: (one.woke_by ?? []).map((why) => named("woke", why)).join(", ") }), t("decision.equity", { usd: usd(one.equity) })].join(" · ") }));
  return parts;
}

export function decisionCard(one, [word, kind], actionText) {
  const room = h("div", { class: "inside" });
  const details = h("details", {
    ontoggle: () => { if (details.open && !room.firstChild) room.append(...body(one, actionText)); },
  },
  h("summary", {},
    h("time", { class: "soft", datetime: new Date(one.now_ms).toISOString(), text: clock(one.now_ms) }), pill(t(`verdict.${word}`), kind),
    h("span", { class: "words", text: one.fault || one.reasoning || (one.asked === false ? t("decision.tending") : t("feed.silent")) })),
  room);
  return h("li", {}, details);
}
