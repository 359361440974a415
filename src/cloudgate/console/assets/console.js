// What pages can do besides: news by one stream, times of the reader's zone, and copying. Without it,
// everything can be read and every form sent.
"use strict";
(() => {
  const IDLE_MINUTES = 60;
  const texts = document.body.dataset;

  function localTimes(root) {
    // As the reader's own country writes them, where the page is in the reader's language.
    const tag = document.documentElement.lang;
    const own = navigator.languages.find((each) => each.split("-")[0] === tag) ?? tag;
    const format = new Intl.DateTimeFormat(own, { dateStyle: "medium", timeStyle: "short" });
    for (const each of root.querySelectorAll("time[datetime]")) {
      const at = new Date(each.dateTime);
      if (Number.isNaN(at.getTime())) continue;
      each.title = each.dateTime;
      each.textContent = format.format(at);
    }
  }

  function copying(root) {
    if (!navigator.clipboard) return;
    for (const each of root.querySelectorAll("pre.copy:not(:has(button))")) {
      const text = each.textContent;
      const button = document.createElement("button");
      button.type = "button";
      button.className = "small";
      button.textContent = texts.copy;
      button.addEventListener("click", async () => {
        await navigator.clipboard.writeText(text.trim());
        button.textContent = texts.copied;
        setTimeout(() => { button.textContent = texts.copy; }, 2000);
      });
      each.append(button);
    }
  }

  function dress(root) {
    localTimes(root);
    copying(root);
  }

  function say(text) {
    let shown = document.getElementById("news");
    if (!text) { shown?.remove(); return; }
    if (!shown) {
      shown = document.createElement("p");
      shown.id = "news";
      shown.className = "news note warn";
      shown.setAttribute("role", "status");
      document.querySelector("main").append(shown);
    }
    shown.textContent = text;
  }

  // A second click would send a form again, and the answer to the first would be dropped.
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    if (event.defaultPrevented || event.target.method !== "post") return;
    if (sent.has(event.target)) { event.preventDefault(); say(texts.sent); return; }
    sent.add(event.target);
  });
  addEventListener("pageshow", () => { sent = new WeakSet(); });

  const live = document.getElementById("live");
  let stream = null;
  let used = Date.now();
  let shownAs = null;
  let pressed = false;
  let held = null;

  // What has the focus keeps it; what somebody has opened stays open. While something is pressed
  // nothing is put in its place: a click is one only if it ends where it began.
  function show(html) {
    if (html === shownAs) return;
    if (pressed) { held = html; live.dataset.state = "held"; return; }
    shownAs = html;
    const focused = live.contains(document.activeElement) ? document.activeElement : null;
    const where = focused?.getAttribute("href") || focused?.id;
    live.innerHTML = html;
    dress(live);
    if (!where) return;
    for (const each of live.querySelectorAll("a, button, input")) {
      if (each.getAttribute("href") === where || each.id === where) { each.focus(); break; }
    }
  }

  function press() { pressed = true; }

  // After the click that this may be the end of.
  function release() {
    setTimeout(() => {
      pressed = false;
      if (held === null) return;
      live.dataset.state = "live";
      const html = held;
      held = null;
      show(html);
    }, 0);
  }

  function listen() {
    if (stream || document.hidden) return;
    stream = new EventSource(live.dataset.events);
    stream.addEventListener("open", () => say(""));
    stream.addEventListener("live", (event) => {
      live.dataset.state = "live";
      if (Date.now() - used > IDLE_MINUTES * 60000) { hush(); say(texts.paused); return; }
      show(JSON.parse(event.data));
    });
    stream.addEventListener("again", () => { hush(); listen(); });
    stream.addEventListener("signed-out", () => { hush(); location.reload(); });
    stream.addEventListener("gone", (event) => { hush(); say(JSON.parse(event.data)); });
    stream.addEventListener("error", () => {
      live.dataset.state = "waiting";
      say(texts.waiting);
      // A proxy may have answered for the manager: then the browser itself does not ask again.
      if (stream?.readyState === EventSource.CLOSED) { hush(); setTimeout(listen, 2000); }
    });
  }

  function hush() { stream?.close(); stream = null; }

  dress(document);
  document.addEventListener("htmx:after:swap", () => dress(document));
  if (live) {
    for (const kind of ["pointerdown", "keydown", "scroll"]) {
      addEventListener(kind, () => { used = Date.now(); if (!stream) { say(""); listen(); } }, { passive: true });
    }
    addEventListener("pointerdown", press);
    addEventListener("keydown", (event) => { if (event.key === " ") press(); });
    for (const kind of ["pointerup", "pointercancel", "keyup", "blur"]) addEventListener(kind, release);
    document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
    listen();
  }
})();
