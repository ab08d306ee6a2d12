// Colors: of traders, each its own, readable on light and on dark ground.

export const isDark = () => document.documentElement.dataset.theme === "dark";
export const css = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();

const FIRST = {
  light: ["#2563eb", "#d97706", "#0d9488", "#9333ea", "#4d7c0f", "#db2777", "#0891b2", "#854d0e"],
  dark: ["#6ea0ff", "#f5a742", "#2dd4bf", "#c084fc", "#a3e635", "#f472b6", "#22d3ee", "#d6a35c"],
};
const known = new Map();
/** Of a trader; the order of first sight decides, so that nobody changes color. */
export function colorOf(id) {
  if (!known.has(id)) known.set(id, known.size);
  const place = known.get(id), first = FIRST[isDark() ? "dark" : "light"];
  if (place < first.length) return first[place];
  const hue = Math.round((place * 137.508) % 360);
  return isDark() ? `hsl(${hue} 70% 68%)` : `hsl(${hue} 65% 40%)`;
}
export function dot(id) {
  const node = document.createElement("span");
  node.className = "dot";
  node.style.setProperty("--c", colorOf(id));
  return node;
}
