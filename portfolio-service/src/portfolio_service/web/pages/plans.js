// Plans of the portfolio page: those that are made by themselves, and those there were.

import { card, field, grid, h, put, say, setPill } from "../ui.js";
import { get, put as send, session } from "../api.js";
import { clock, missing, named, t, usd } from "../i18n.js";

const PILLS = { done: "good", running: "warn", planned: "off", outdated: "off" };
export const showPlanPill = (node, status) => setPill(node, named("plan", status), PILLS[status] ?? "off");
export const waysOf = (plan) => (plan.method ? named("method", plan.method) : t("rebalance.own"));

/** When plans are made without anybody asking; `changed` is called with what the service says. */
export function automatic() {
  let filled = false;
  const daily = h("input", { type: "checkbox", id: "auto-daily" }), change = h("input", { type: "checkbox", id: "auto-change" });
  const time = h("input", { type: "time", id: "auto-time", required: true, value: "06:00" });
  const trouble = h("p", { class: "bad", role: "alert" }), next = h("p", { class: "note", id: "auto-next" });
  const show = (told, again = false) => {
    put(next, [told.next_ms ? t("auto.next", { time: `${clock(told.next_ms)} UTC` }) : "", !told.daily_at && !told.on_change ? t("auto.off") : "", told.trouble].filter(Boolean).join(" · "));
    if (filled && !again) return;
    filled = true;
    daily.checked = Boolean(told.daily_at);
    change.checked = told.on_change;
    if (told.daily_at) time.value = told.daily_at;
    [daily, change, time].forEach((one) => { one.disabled = !session.may_change; });
  };
  const tick = (box, text) => h("label", { class: "tick" }, box, h("span", { text }));
  const form = h("form", { id: "automatic", class: "fields", onsubmit: async (event) => {
    event.preventDefault();
    trouble.textContent = "";
    try {
      show(await send("/api/portfolio/allocation/automatic", { daily_at: daily.checked ? time.value.slice(0, 5) : null, on_change: change.checked }), true);
      say(t("auto.saved"));
    } catch (error) { trouble.textContent = error.message; }
  } }, h("div", { class: "ticks" }, tick(daily, t("auto.daily")), tick(change, t("auto.change"))), field(t("auto.time"), time), trouble,
  session.may_change ? h("button", { type: "submit", id: "save-automatic", text: t("auto.save") }) : null);
  return { node: card(t("auto"), { id: "automatic-card", lead: t("auto.lead") }, form, next), show };
}

/** The newest plans, whoever made them. */
export function history() {
  const rows = grid(t("plans"), [
    { title: t("time"), cls: "left", write: (r) => clock(r.made_ms) },
    { title: t("plans.by"), cls: "left", write: (r) => named("actor", r.actor) },
    { title: t("reason"), cls: "left wrap", write: (r) => r.reason || "–" },
    { title: t("rebalance.method"), cls: "left wide", write: waysOf },
    { title: t("plans.steps"), cls: "wide", write: (r) => String(r.steps.length) },
    { title: t("plans.reserve"), cls: "wide", write: (r) => (missing(r.reserve_after) ? "–" : usd(r.reserve_after)) },
    { title: t("state"), cls: "left", write: (r, cell) => { const pill = cell.firstChild ?? h("span"); showPlanPill(pill, r.status); pill.title = r.note; return pill; } },
  ], { key: (r) => r.plan_id, empty: t("plans.none") });
  const load = async () => {
    try { rows.show(await get("/api/portfolio/rebalance")); } catch { /* the rest of the page says what is wrong */ }
  };
  return { node: card(t("plans"), { id: "plans", lead: t("plans.lead") }, rows.node), load };
}
