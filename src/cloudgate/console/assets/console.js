// What pages can do besides: news by one stream, times of the reader's zone, and copying. Without it,
// everything can be read and every form sent.
"use strict";
(() => {
  const IDLE_MINUTES = 60;
  const SELECTED_SECONDS = 30;
  const AGAIN_SECONDS = 10;
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

  // A second click would send a form again, and the answer to the first would be dropped. Who has
  // stopped a slow one may send it after a while. A form may have a field that is called method.
  let sent = new WeakSet();
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (event.defaultPrevented || form.getAttribute("method") !== "post") return;
    if (sent.has(form)) { event.preventDefault(); say(texts.sent); return; }
    sent.add(form);
    setTimeout(() => { sent.delete(form); }, AGAIN_SECONDS * 1000);
  });
  addEventListener("pageshow", () => { sent = new WeakSet(); });

  const live = document.getElementById("live");
  let stream = null;
  let used = Date.now();
  let asking = 0;
  let searched = "";
  let shownAs = null;
  let pressed = false;
  let held = null;
  let selectedAt = 0;
  let quietUntil = 0;

  // What tells a thing from the others of its page, whenever that is made.
  function nameOf(thing) { return thing?.getAttribute("href") || thing?.id; }

  // Somebody selects what is there, to copy it. Who selects and watches wants news after a while.
  function isSelected() {
    const selection = getSelection();
    const isNew = Date.now() - selectedAt < SELECTED_SECONDS * 1000;
    return isNew && !selection.isCollapsed && selection.containsNode(live, true);
  }

  function noteSelection() {
    selectedAt = Date.now();
    unhold();
    setTimeout(unhold, SELECTED_SECONDS * 1000);
  }

  // A click is one only if it ends where it began, and what is searched for takes the place of what
  // was there when it was asked for.
  function isHeld() { return pressed || asking > 0 || isSelected(); }

  // What has the focus keeps it; what somebody has opened stays open.
  function show(html) {
    if (html === shownAs) { held = null; return; }
    if (isHeld()) { held = html; live.dataset.state = "held"; return; }
    held = null;
    shownAs = html;
    const where = live.contains(document.activeElement) ? nameOf(document.activeElement) : "";
    const opened = new Set([...live.querySelectorAll("details[open][id]")].map(nameOf));
    live.innerHTML = html;
    for (const each of live.querySelectorAll("details[id]")) each.open = opened.has(each.id);
    dress(live);
    if (!where) return;
    for (const each of live.querySelectorAll("a, button, input, summary[id]")) {
      if (nameOf(each) === where) { each.focus(); break; }
    }
  }

  function press() { pressed = true; }

  function unhold() {
    if (held === null || isHeld()) return;
    live.dataset.state = "live";
    show(held);
  }

  // After the click that this may be the end of.
  function release() { setTimeout(() => { pressed = false; unhold(); }, 0); }

  function listen() {
    if (stream || document.hidden || Date.now() < quietUntil) return;
    stream = new EventSource(live.dataset.events);
    stream.addEventListener("live", (event) => {
      live.dataset.state = "live";
      say("");
      if (Date.now() - used > IDLE_MINUTES * 60000) { hush(); say(texts.paused); return; }
      show(JSON.parse(event.data));
    });
    stream.addEventListener("again", () => { hush(); listen(); });
    stream.addEventListener("signed-out", () => { hush(); location.reload(); });
    stream.addEventListener("gone", (event) => { rest(Infinity, event); });
    stream.addEventListener("full", (event) => {
      rest(Date.now() + AGAIN_SECONDS * 1000, event);
      setTimeout(listen, AGAIN_SECONDS * 1000);
    });
    stream.addEventListener("waiting", wait);
    stream.addEventListener("error", () => {
      wait();
      // A proxy may have answered for the manager: then the browser itself does not ask again.
      if (stream?.readyState === EventSource.CLOSED) { hush(); setTimeout(listen, 2000); }
    });
  }

  function wait() { live.dataset.state = "waiting"; say(texts.waiting); }

  // Nothing is asked for until then, whatever is done to the page.
  function rest(until, event) {
    quietUntil = until;
    hush();
    say(JSON.parse(event.data));
  }

  function listenAgain() {
    if (stream || Date.now() < quietUntil) return;
    say("");
    listen();
  }

  function hush() { stream?.close(); stream = null; }

  dress(document);
  document.addEventListener("htmx:before:request", () => { asking += 1; });
  document.addEventListener("htmx:finally:request", () => { asking -= 1; unhold(); });
  // A page that has no list is another one: where one signs in, or what is wrong.
  document.addEventListener("htmx:before:swap", (event) => {
    const { text, request } = event.detail.ctx;
    const answer = new DOMParser().parseFromString(text, "text/html");
    if (!answer.getElementById("list")) { event.preventDefault(); location.assign(request.action); return; }
    searched = answer.getElementById("live")?.dataset.events;
  });
  document.addEventListener("htmx:after:swap", () => {
    dress(document);
    if (!live || !searched) return;
    // What is new is now that of what was searched for.
    live.dataset.events = searched;
    shownAs = held = null;
    hush();
    listenAgain();
  });
  if (live) {
    document.addEventListener("selectionchange", noteSelection);
    for (const kind of ["pointerdown", "keydown", "scroll"]) {
      addEventListener(kind, () => { used = Date.now(); listenAgain(); }, { passive: true });
    }
    addEventListener("pointerdown", press);
    addEventListener("keydown", (event) => { if (event.key === " ") press(); });
    for (const kind of ["pointerup", "pointercancel", "keyup", "blur"]) addEventListener(kind, release);
    document.addEventListener("visibilitychange", () => (document.hidden ? hush() : listen()));
    listen();
  }
})();
