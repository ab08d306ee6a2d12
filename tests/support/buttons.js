// Tells which controls a page shows, and which of them were pressed, each once.
(() => {
  const KINDS = "button, summary, select, a.file, a[data-page], input[type=checkbox]";
  const NAMES = ["page", "value", "zoom", "export"];  // of one each; others are of one of many
  const told = new Set();
  const tell = (what, name) => {
    const text = `${what} ${name}`;
    if (told.has(text)) return;
    told.add(text);
    window.controlTold(text);
  };
  const nameOf = (one) => {
    const page = document.querySelector("main")?.dataset.page ?? "";
    const place = one.closest("dialog") ? "dialog" : one.closest("header") ? "top" : one.closest("#said") ? "said" : page;
    if (one.id) return `${place} #${one.id}`;
    const card = one.closest("[id]")?.id ?? "";
    const own = Object.entries(one.dataset).find(([name]) => NAMES.includes(name));
    if (own) return `${place} #${card} ${own.join("=")}`;
    const [many] = Object.keys(one.dataset);
    return `${place} #${card} ${many ?? (one.className || one.closest("[class]")?.className || one.textContent)}`;
  };
  let planned = 0;
  const look = () => {
    planned = 0;
    document.querySelectorAll(KINDS).forEach((one) => { if (one.checkVisibility()) tell("seen", nameOf(one)); });
  };
  const press = (event) => {
    const one = event.target.closest?.(KINDS);
    if (one && (event.type === "change") === (one.tagName === "SELECT")) tell("pressed", nameOf(one));
  };
  new MutationObserver(() => { planned ||= requestAnimationFrame(look); })
    .observe(document, { subtree: true, childList: true, attributes: true, attributeFilter: ["hidden", "open"] });
  document.addEventListener("click", press, true);
  document.addEventListener("change", press, true);
})();
