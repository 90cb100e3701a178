// The history of a product by keyboard: from release to release by arrows, closer and further by + and −. The page works without it.
"use strict";

(() => {
  const FRAME = "chart";
  const chart = () => document.getElementById(FRAME);
  const dots = (track) => [...track.querySelectorAll("a.dot")];
  const tracks = () => [...chart().querySelectorAll("[data-track]")].filter((one) => dots(one).length);
  const middle = (dot) => {
    const box = dot.querySelector(".shape").getBoundingClientRect();
    return box.left + box.width / 2;
  };

  // One stop of the Tab key for all releases: the newest of the uppermost line, then wherever the arrows went.
  const settle = (wanted) => {
    const every = [...chart().querySelectorAll("a.dot")];
    const first = wanted ?? tracks().map((one) => dots(one).at(-1))[0];
    for (const dot of every) dot.setAttribute("tabindex", dot === first ? "0" : "-1");
    const picture = chart().querySelector("[data-picture]");
    if (!picture || wanted) return;
    // On a narrow screen the newest releases are looked at first.
    const left = picture.getBoundingClientRect().left - picture.scrollLeft;
    const newest = Math.max(0, ...every.map((dot) => middle(dot) - left));
    picture.scrollLeft = newest - picture.clientWidth * 0.8;
  };

  const go = (dot) => {
    if (!dot) return;
    settle(dot);
    dot.focus();
    dot.scrollIntoView({ block: "nearest", inline: "nearest" });
  };

  const step = (dot, key) => {
    const track = dot.closest("[data-track]");
    const row = dots(track);
    const place = row.indexOf(dot);
    if (key === "ArrowLeft") return row[place - 1];
    if (key === "ArrowRight") return row[place + 1];
    if (key === "Home") return row[0];
    if (key === "End") return row.at(-1);
    const every = tracks();
    const other = every[every.indexOf(track) + (key === "ArrowDown" ? 1 : -1)];
    if (!other) return undefined;
    const x = middle(dot);
    return dots(other).reduce((best, one) => (Math.abs(middle(one) - x) < Math.abs(middle(best) - x) ? one : best));
  };

  const MOVES = ["ArrowLeft", "ArrowRight", "ArrowUp", "ArrowDown", "Home", "End"];
  document.addEventListener("keydown", (event) => {
    if (event.ctrlKey || event.altKey || event.metaKey || !chart()) return;
    if (event.target.closest("input, select, textarea")) return;
    const dot = event.target.closest("a.dot");
    if (dot && MOVES.includes(event.key)) {
      event.preventDefault();
      go(step(dot, event.key));
      return;
    }
    const key = { "=": "+", _: "-", "−": "-" }[event.key] ?? event.key;
    const link = [...chart().querySelectorAll("[data-key]")].find((one) => one.dataset.key === key);
    if (link && (!key.startsWith("Page") || chart().contains(event.target))) {
      event.preventDefault();
      link.click();
    }
  });

  // What was swapped in has an address of its own, so that the reader can go back, keep it and send it.
  let asked = null;
  document.addEventListener("click", (event) => {
    const link = event.target.closest(`#${FRAME} a[hx-get]`);
    if (link) asked = { address: link.href, label: link.dataset.key ?? null };
  });
  document.addEventListener("htmx:after:swap", () => {
    if (!asked || !chart()) return;
    history.pushState(null, "", asked.address);
    settle();
    const same = asked.label && [...chart().querySelectorAll("[data-key]")].find((one) => one.dataset.key === asked.label);
    const dot = chart().querySelector('a.dot[tabindex="0"]');
    (same ?? dot ?? chart().querySelector("[data-picture]"))?.focus({ preventScroll: true });
    asked = null;
  });
  window.addEventListener("popstate", () => location.reload());

  if (chart()) settle();
})();
