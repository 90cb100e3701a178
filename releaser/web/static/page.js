// Remembers the reader's zone for the next page, and keeps a rollout's page up to date. Every page works without it.
"use strict";

(() => {
  const zone = Intl.DateTimeFormat().resolvedOptions().timeZone;
  if (zone) {
    document.cookie = `zone=${encodeURIComponent(zone)}; path=/; max-age=31536000; samesite=lax`;
  }

  // The page follows the rollout's own events: each of them fetches the part that changes again, at most twice a second.
  const live = document.querySelector("[data-events]");
  if (!live || !window.EventSource) return;
  const refresh = () => window.htmx.trigger(document.body, "rollout-changed");
  let waiting = null;
  const changed = () => {
    waiting ??= setTimeout(() => {
      waiting = null;
      refresh();
    }, 500);
  };
  const source = new EventSource(live.dataset.events);
  for (const kind of ["move", "step"]) source.addEventListener(kind, changed);
  source.addEventListener("end", () => {
    source.close();
    clearTimeout(waiting);
    refresh();
  });
})();
