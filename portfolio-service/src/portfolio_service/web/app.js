// The frame around the pages: login, navigation, colors, language, what is wrong.

import { Refused, look, onLoggedOut, post, session } from "./api.js";
import { choose, language, named, other, speak, t } from "./i18n.js";
import { connect, disconnect, link, onLink, state, watch } from "./live.js";
import { button, h, put } from "./ui.js";

const PAGES = ["arena", "trader", "backtests", "portfolio", "data", "system"];
const ICONS = {
  arena: "M3 17l5-6 4 3 5-8", trader: "M6 3v3m0 8v3M4 6h4v8H4zm10-4v4m0 7v4m-2-11h4v7h-4z", backtests: "M10 3a7 7 0 1 0 7 7M10 6v4l3 2M13 3h4v4",
  portfolio: "M10 3v7h7a7 7 0 1 1-7-7zM13 3a5 5 0 0 1 4 4h-4z", data: "M4 5c0-3 12-3 12 0v10c0 3-12 3-12 0zM4 5c0 3 12 3 12 0M4 10c0 3 12 3 12 0",
  system: "M3 5h14v4H3zm0 7h14v4H3zM6 7h.01M6 14h.01",
};
const $ = (id) => document.getElementById(id);
const main = $("main");
let shown = null, turn = 0;

function icon(name) {
  const node = document.createElementNS("http://www.w3.org/2000/svg", "svg");
  node.setAttribute("viewBox", "0 0 20 20");
  node.setAttribute("aria-hidden", "true");
  const path = document.createElementNS("http://www.w3.org/2000/svg", "path");
  path.setAttribute("d", ICONS[name]);
  node.append(path);
  return node;
}

function place() {
  const [page, ...rest] = location.hash.replace(/^#\/?/, "").split("/");
  return { page: PAGES.includes(page) ? page : PAGES[0], rest: rest.map(decodeURIComponent) };
}

function frame() {
  put($("skip"), t("skip"));
  $("nav").setAttribute("aria-label", t("nav"));
  $("nav").replaceChildren(...PAGES.map((name) => h("a", { href: `#/${name}`, "data-page": name }, icon(name), h("span", { text: t(`nav.${name}`) }))));
  put($("language"), other() === "zh" ? "中文" : "EN");
  $("language").setAttribute("aria-label", t("language.switch"));
  $("language").lang = other();
  theme();
  put($("logout"), t("logout"));
  $("foot").replaceChildren(h("p", { text: t("foot") }), h("p", { class: "soft", text: t("foot.charts") }));
  linked();
}

function theme() {
  const dark = document.documentElement.dataset.theme === "dark";
  put($("theme"), dark ? "☀" : "☾");
  $("theme").setAttribute("aria-label", t(dark ? "theme.light" : "theme.dark"));
  $("theme").title = t(dark ? "theme.light" : "theme.dark");
}

function linked() {
  put($("link"), t(link.up ? "link.up" : "link.down"), `link ${link.up ? "up" : "down"}`);
  trouble();
}

function trouble() {
  const text = state.portfolio.trouble ?? "";
  put($("banner"), text ? t("trouble", { text }) : "");
  $("banner").hidden = !text;
  // Money is real where the live proxy is between the traders and the venue: it has a safety level.
  const real = Boolean(state.safety), known = real || Boolean(state.portfolio.world);
  $("world").hidden = !known;
  if (known) put($("world"), t(real ? "world.live" : "world.paper"), `badge ${real ? "real" : "paper"}`);
}

async function show({ focus = false } = {}) {
  const { page, rest } = place(), mine = (turn += 1);
  const made = await import(`./pages/${page}.js`);
  if (mine !== turn) return;
  shown?.close();
  for (const one of $("nav").children) {
    if (one.dataset.page === page) one.setAttribute("aria-current", "page");
    else one.removeAttribute("aria-current");
  }
  document.title = `${t(`nav.${page}`)} · AutoCryptoTrader`;
  main.dataset.page = page;
  const top = h("h1", { text: t(`nav.${page}`), tabindex: "-1" });
  const room = h("div", { class: `page ${page}` });
  main.replaceChildren(top, room);
  shown = made.open(room, { rest, top });
  if (focus) {
    scrollTo(0, 0);
    top.focus({ preventScroll: true });
  }
}

// login

function login(text = "") {
  disconnect();
  shown?.close();
  shown = null;
  turn += 1;
  $("top").hidden = $("foot").hidden = true;
  $("banner").hidden = true;
  document.title = `${t("login")} · AutoCryptoTrader`;
  main.dataset.page = "login";
  const token = h("input", { id: "token", type: "password", autocomplete: "current-password", required: true, maxlength: "200", "aria-describedby": "token-help" });
  const trouble = h("p", { class: "bad", role: "alert", id: "login-trouble", text });
  const form = h("form", {
    class: "login", id: "login",
    onsubmit: async (event) => {
      event.preventDefault();
      trouble.textContent = "";
      try {
        Object.assign(session, await post("/api/login", { token: token.value.trim() }));
        token.value = "";
        enter({ focus: true });
      } catch (error) {
        trouble.textContent = error instanceof Refused && error.status === 401 ? t("login.unknown") : error.message;
        token.select();
      }
    },
  },
  h("h1", { text: "AutoCryptoTrader" }), h("p", { class: "soft", text: t("login.lead") }),
  h("label", { class: "field" }, h("span", { text: t("login.token") }), token),
  h("p", { id: "token-help", class: "small soft", text: t("login.help") }),
  trouble, h("button", { type: "submit", id: "login-go", class: "main", text: t("login") }),
  h("div", { class: "row end" }, button(other() === "zh" ? "中文" : "English", async () => { await choose(other()); login(); }, { class: "quiet", lang: other(), id: "login-language" })));
  main.replaceChildren(form);
  token.focus();
}

function enter({ focus = false } = {}) {
  $("top").hidden = $("foot").hidden = false;
  document.body.dataset.role = session.role;
  frame();
  connect();
  show({ focus });
}

$("language").onclick = async () => { await choose(other()); frame(); show(); };
$("theme").onclick = () => {
  const next = document.documentElement.dataset.theme === "dark" ? "light" : "dark";
  document.documentElement.dataset.theme = next;
  try { localStorage.setItem("theme", next); } catch { /* forgotten with the page */ }
  theme();
  show();
};
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", (event) => {
  try { if (localStorage.getItem("theme")) return; } catch { /* the system's it is */ }
  document.documentElement.dataset.theme = event.matches ? "dark" : "light";
  theme();
  if (shown) show();
});
$("logout").onclick = async () => {
  try { await post("/api/logout"); } finally { login(); }
};
addEventListener("hashchange", () => { if (shown) show({ focus: true }); });
onLoggedOut(() => { if (main.dataset.page !== "login") login(t("login.ended")); });
onLink(linked);
watch((told) => {
  if (told.whole || told.sections.has("portfolio") || told.sections.has("safety")) trouble();
  shown?.update?.(told);
});

const [, who] = await Promise.all([speak(language()), look().catch((error) => error)]);
if (who instanceof Error) login(who.status === 401 ? "" : named("error", who.message));
else enter();
