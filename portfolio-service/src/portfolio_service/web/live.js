// What the service pushes: one picture, then differences. Pages are told once a frame at most.

import { get, loggedOut } from "./api.js";

const empty = () => ({
  portfolio: {}, traders: {}, risk: {}, plan: null, services: [], alerts: [], funding: [], safety: null, drift: null, synced_ms: null,
});
export const state = empty();
export const link = { up: false, since: 0 };
const watchers = new Set();
const linked = new Set();
let source = null, planned = 0, waiting = null, wanted = false;

/** Be told of changes: `{whole, sections: Set, traders: Set, points: {id: [...]}, fills: {id: [...]}}`. */
export function watch(act) {
  watchers.add(act);
  return () => watchers.delete(act);
}
export const onLink = (act) => linked.add(act);

const fresh = () => ({ whole: false, sections: new Set(), traders: new Set(), turns: new Set(), points: {}, fills: {} });

function flush() {
  planned = 0;
  const told = waiting;
  waiting = null;
  if (told) watchers.forEach((act) => act(told));
}
function plan() {
  // A page that is not shown has no frames: it is told when it is seen again.
  if (!planned) planned = requestAnimationFrame(flush);
}

function begin(picture) {
  Object.assign(state, empty(), picture);
  waiting = { ...fresh(), whole: true };
  plan();
}

function change(told) {
  waiting ??= fresh();
  for (const [name, value] of Object.entries(told)) {
    waiting.sections.add(name);
    if (name === "traders") {
      for (const [id, fields] of Object.entries(value)) {
        if ("turn" in fields) waiting.turns.add(id);
        state.traders[id] = { ...state.traders[id], ...fields };
        waiting.traders.add(id);
      }
    } else if (name === "gone") {
      value.forEach((id) => { delete state.traders[id]; });
      waiting.whole = true;
    } else if (name === "portfolio") {
      Object.assign(state.portfolio, value);
    } else if (name === "points") {
      for (const [id, point] of Object.entries(value)) (waiting.points[id] ??= []).push(point);
    } else if (name === "fills") {
      for (const [id, list] of Object.entries(value)) (waiting.fills[id] ??= []).push(...list);
    } else {
      state[name] = value;
    }
  }
  plan();
}

function mark(up) {
  if (link.up === up) return;
  link.up = up;
  link.since = Date.now();
  linked.forEach((act) => act(up));
}

export function connect() {
  wanted = true;
  if (source || document.hidden) return;
  source = new EventSource("/api/stream");
  source.addEventListener("snapshot", (event) => { begin(JSON.parse(event.data)); mark(true); });
  source.addEventListener("changes", (event) => { change(JSON.parse(event.data)); mark(true); });
  source.onerror = async () => {
    mark(false);
    if (source?.readyState !== EventSource.CLOSED) return;  // it comes again by itself
    rest();
    try {
      await get("/api/session");
      setTimeout(again, 2000);
    } catch (error) {
      if (error.status === 401) loggedOut();
      else setTimeout(again, 2000);
    }
  };
}
const again = () => { if (wanted) connect(); };

function rest() {
  source?.close();
  source = null;
  mark(false);
}

export function disconnect() {
  wanted = false;
  rest();
}

// A browser has six connections to a host for all its tabs: a tab that nobody sees holds none.
document.addEventListener("visibilitychange", () => { if (document.hidden) rest(); else again(); });
addEventListener("pagehide", rest);
addEventListener("pageshow", again);

/** Who there is, by name; those that the manager has no more come last. */
export const everybody = () => Object.values(state.traders)
  .sort((a, b) => (a.removed - b.removed) || a.id.localeCompare(b.id));
