"use strict";
// Before the first paint, so that no page flashes in the wrong colors or language.
(() => {
  const kept = (name) => { try { return localStorage.getItem(name); } catch { return null; } };
  const dark = matchMedia("(prefers-color-scheme: dark)").matches;
  const root = document.documentElement;
  root.dataset.theme = kept("theme") ?? (dark ? "dark" : "light");
  root.lang = kept("language") ?? (navigator.language.toLowerCase().startsWith("zh") ? "zh" : "en");
})();
