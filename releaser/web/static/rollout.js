// Keeps a rollout's page up to date: puts in the pieces that its stream sends. The page works without it.
"use strict";

(() => {
  const live = document.querySelector("[data-stream]");
  if (!live || !window.EventSource) return;
  const MOST_ROWS = 40;
  const MOST_LINES = 40;
  const SAID_EVERY_MS = 5000;
  const KEEPS = ["bad", "work"];
  const line = document.getElementById("line");
  const fixed = "fixed" in live.dataset;

  // What readers opened stays open, whatever is put in.
  htmx.config.morphIgnore = [...(htmx.config.morphIgnore ?? []), "open"];

  const made = (html) => {
    const holder = document.createElement("template");
    holder.innerHTML = html;
    return holder.content;
  };
  const put = (target, html, swap) => htmx.swap({ sourceElement: target, target, text: html, swap });

  // A name or a reason that somebody is writing is not taken away.
  const FORMS = ["next", "consents"];
  const inputs = () => FORMS.flatMap((id) => [...document.querySelectorAll(`#${id} input`)]);
  const written = () => inputs().map((one) => [one.form?.action, one.name, one.value]);
  const restore = (values) => {
    const by = values.find(([, name, value]) => name === "by" && value)?.[2] ?? "";
    for (const input of inputs()) {
      const before = values.find(([action, name]) => action === input.form?.action && name === input.name);
      input.value = before?.[2] || (input.name === "by" ? by : "");
    }
  };

  const part = async (id, html) => {
    const target = document.getElementById(id);
    if (!target) return;
    const values = FORMS.includes(id) ? written() : null;
    await put(target, html, "innerMorph");
    if (values) restore(values);
  };

  const row = async (id, wave, rank, html) => {
    const known = document.getElementById(`t-${id}`);
    if (known) return put(known, html, "outerMorph");
    const rows = document.getElementById(`wave-${wave}-rows`);
    if (fixed || !rows || rows.hasAttribute("hx-get") || !KEEPS.includes(rank)) return undefined;
    // As many as fit: what is done or has not begun makes room, the last first; for what failed, what is at work does too.
    const spare = [...rows.children].reverse().filter((one) => !one.contains(document.activeElement));
    const goes =
      spare.find((one) => !KEEPS.includes(one.dataset.rank)) ??
      (rank === "bad" ? spare.find((one) => one.dataset.rank !== "bad") : undefined);
    if (rows.children.length >= MOST_ROWS) {
      if (!goes) return undefined;
      goes.remove();
    }
    rows.prepend(made(html));
    return undefined;
  };

  const log = (lines) => {
    const list = document.getElementById("log");
    if (!list || !lines?.length) return;
    list.prepend(made(lines.join("")));
    while (list.children.length > MOST_LINES) list.lastElementChild.remove();
  };

  const opened = new Set();
  const open = (waves) => {
    for (const number of waves ?? []) {
      const card = document.querySelector(`#wave-${number} > details`);
      if (!card || opened.has(number)) continue;
      opened.add(number);
      card.open = true;
    }
  };

  // Told to those who cannot see it, but not faster than it can be listened to.
  const said = document.getElementById("said");
  let saying = null;
  let last = "";
  const say = (text) => {
    if (!said || !text || text === last) return;
    last = text;
    saying ??= setTimeout(() => {
      saying = null;
      said.textContent = last;
    }, SAID_EVERY_MS);
  };

  const whole = async () => {
    if (fixed) return location.reload();
    const answer = await fetch(live.dataset.whole, { headers: { Accept: "text/html" } });
    if (!answer.ok) return undefined;
    const values = written();
    await put(live, await answer.text(), "innerMorph");
    restore(values);
    return undefined;
  };

  const apply = async (news) => {
    if (news.whole) return whole();
    for (const [id, html] of Object.entries(news.parts ?? {})) await part(id, html);
    for (const each of news.rows ?? []) await row(...each);
    log(news.log);
    open(news.open);
    say(news.said);
    return undefined;
  };

  // One after the other, in the order they came.
  let turn = Promise.resolve();
  let first = true;
  const stands = (state) => {
    if (!line) return;
    line.dataset.is = state;
    line.textContent = line.dataset[state] ?? "";
  };
  // A browser connects again by itself and says what it saw last, but not after an answer that is an error, as a proxy gives
  // while the service starts anew.
  const AGAIN_MS = 3000;
  let seen = new URL(live.dataset.stream, location.href).searchParams.get("after");
  let source = null;
  let over = false;
  const connect = () => {
    if (over || document.hidden) return;
    source?.close();
    const address = new URL(live.dataset.stream, location.href);
    address.searchParams.set("after", seen);
    const made = new EventSource(address);
    source = made;
    made.addEventListener("open", () => stands("live"));
    made.addEventListener("error", () => {
      stands("lost");
      if (made.readyState === 2 && made === source) setTimeout(connect, AGAIN_MS);
    });
    made.addEventListener("pieces", (event) => {
      const news = JSON.parse(event.data);
      seen = event.lastEventId || seen;
      if (first) last = news.said ?? "";
      first = false;
      turn = turn.then(() => apply(news)).catch((error) => console.error(error));
    });
    made.addEventListener("end", () => {
      over = true;
      made.close();
      stands("");
    });
  };

  // A browser keeps few connections to one service: a page that nobody looks at holds none, and catches up when it is looked at.
  document.addEventListener("visibilitychange", () => {
    if (document.hidden) source?.close();
    else connect();
  });
  connect();
})();
