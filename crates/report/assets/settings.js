// Language and theme, set before anything is shown: by the address (#lang=zh&theme=dark), else as last chosen, else as the page was
// written and the system wishes.
"use strict";
const settings = (() => {
  const root = document.documentElement;
  const wishes = new URLSearchParams(location.hash.slice(1));
  const dark = matchMedia("(prefers-color-scheme: dark)");
  const kept = (name) => {
    try { return localStorage.getItem(`tokometer-${name}`); } catch { return null; }
  };
  const keep = (name, value) => {
    try { localStorage.setItem(`tokometer-${name}`, value); } catch { /* a page opened from disk may not be let */ }
  };
  const one = (value, all) => (all.includes(value) ? value : null);
  const state = {
    lang: one(wishes.get("lang"), ["en", "zh"]) ?? one(kept("lang"), ["en", "zh"]) ?? root.dataset.lang,
    theme: one(wishes.get("theme"), ["auto", "light", "dark"]) ?? one(kept("theme"), ["auto", "light", "dark"]) ?? "auto",
    // All charts at once, not as they come into view.
    eager: wishes.get("draw") === "all",
    printing: false,
    changed: () => {},
  };
  const apply = () => {
    const theme = state.printing ? "light" : state.theme === "auto" ? (dark.matches ? "dark" : "light") : state.theme;
    root.lang = state.lang === "zh" ? "zh-Hans" : "en";
    root.dataset.lang = state.lang;
    root.dataset.theme = theme;
  };
  state.set = (name, value) => {
    state[name] = value;
    if (name !== "printing") keep(name, value);
    apply();
    state.changed();
  };
  dark.addEventListener("change", () => { apply(); state.changed(); });
  addEventListener("error", () => { root.dataset.errors = String(1 + Number(root.dataset.errors ?? 0)); });
  apply();
  return state;
})();
