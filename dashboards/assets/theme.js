// The colours that a reader chose, kept in this browser. No module: it runs before the page is painted first.
"use strict";
{
  const KEY = "hpo-theme";
  const CHOICES = ["light", "dark"]; // anything else is what the reader's screen prefers
  const root = document.documentElement;

  /** Show the page in colours, or as the screen prefers, and tell who draws. */
  const wear = (theme) => {
    if (CHOICES.includes(theme)) root.dataset.theme = theme;
    else delete root.dataset.theme;
    document.dispatchEvent(new Event("theme"));
  };

  /** What was chosen; a browser that keeps nothing forgets it with the page. */
  const kept = () => {
    try {
      return localStorage.getItem(KEY);
    } catch {
      return null;
    }
  };
  const keep = (theme) => {
    try {
      localStorage.setItem(KEY, theme);
    } catch {
      // It holds for this page.
    }
  };

  const show = () => (document.getElementById("theme").value = root.dataset.theme ?? "auto");

  wear(kept());
  addEventListener("storage", ({ key, newValue }) => {
    if (key !== KEY) return; // of another window
    wear(newValue);
    show();
  });
  addEventListener("DOMContentLoaded", () => {
    show();
    document.getElementById("theme").addEventListener("change", ({ target }) => {
      keep(target.value);
      wear(target.value);
    });
  });
}
