// What the pages do beyond htmx: busy buttons, the connection banner, drafts,
// countdowns, grouping of digits, and focus after a swap. Everything here is
// comfort: without this script each form and link still works. All words come
// from the page (data attributes), so that they follow its language.
"use strict";
(() => {
  const SLOW = 4000, GIVE_UP = 20000; // ms until a wait is called slow; until a plain form may be pressed again
  const DRAFT_LIFE = 2 * 3600 * 1000; // ms: a forgotten draft is not left for the next shift
  const all = (selector, root = document) => [...root.querySelectorAll(selector)];

  // --- the connection banner ---
  let retry = null; // what "try again" does, or null when there is nothing to repeat
  function banner(word, action) {
    const box = document.getElementById("connection");
    if (!box) return;
    retry = action || null;
    box.querySelector("[data-connection-text]").textContent = document.body.dataset[word] || "";
    box.querySelector("[data-connection-retry]").hidden = !retry;
    box.dataset.state = word;
    box.hidden = false;
  }
  function calm(only) {
    const box = document.getElementById("connection");
    if (box && !box.hidden && (!only || box.dataset.state === only)) box.hidden = true;
  }
  // Only the wording trusts onLine: a server in the same room answers without the internet.
  const failure = (action) => banner(navigator.onLine === false ? "offline" : "failed", action);
  window.addEventListener("offline", () => banner("offline", retry));
  window.addEventListener("online", () => calm("offline"));
  document.addEventListener("click", (event) => {
    if (!event.target.closest("[data-connection-retry]") || !retry) return;
    calm();
    retry();
  });

  // --- busy buttons: one press, one request ---
  const busy = new Map(); // form -> {button, words, timers}
  function setBusy(form, submitter, plain) {
    const button = submitter || form.querySelector("button[type=submit], button:not([type])");
    const timers = [setTimeout(() => banner("slow"), SLOW)];
    if (plain) timers.push(setTimeout(() => setIdle(form), GIVE_UP));
    const words = document.createElement("span");
    words.className = "sr-only";
    words.textContent = " " + (document.body.dataset.working || "");
    button?.setAttribute("aria-busy", "true");
    button?.append(words);
    busy.set(form, { button, words, timers });
  }
  function setIdle(form) {
    const state = busy.get(form);
    if (!state) return;
    busy.delete(form);
    state.timers.forEach(clearTimeout);
    state.button?.removeAttribute("aria-busy");
    state.words.remove();
    calm("slow");
  }
  const stop = (event) => { event.preventDefault(); event.stopImmediatePropagation(); };
  // In the capture phase, hence before htmx hears of it.
  document.addEventListener("submit", (event) => {
    const form = event.target;
    if (busy.has(form)) return stop(event);
    if (form.matches("[data-clear-drafts]")) clearDrafts(() => true);
    const draft = form.dataset.draft && read(form.dataset.draft);
    if (draft) write(form.dataset.draft, { ...draft, sent: true });
    setBusy(form, event.submitter, !form.matches("[hx-post], [hx-get]"));
  }, true);
  // A page that comes back from the browser's cache must not stay asleep.
  window.addEventListener("pageshow", () => { [...busy.keys()].forEach(setIdle); });

  // --- drafts: typed text survives a reload or a sleeping tablet ---
  const DRAFT = "draft:";
  const read = (key) => { try { return JSON.parse(sessionStorage.getItem(DRAFT + key)); } catch { return null; } };
  const write = (key, draft) => { try { sessionStorage.setItem(DRAFT + key, JSON.stringify(draft)); } catch { /* no drafts then */ } };
  function clearDrafts(which) {
    let names = [];
    try { names = Object.keys(sessionStorage).filter((name) => name.startsWith(DRAFT)); } catch { /* no storage */ }
    names.filter((name) => which(name.slice(DRAFT.length))).forEach((name) => sessionStorage.removeItem(name));
  }
  // Secrets, ticks and choices are never kept: a consent is given by hand, anew.
  const keepable = (field) => field.name && field.autocomplete !== "one-time-code" && !field.hasAttribute("data-no-draft") &&
    (field.tagName === "TEXTAREA" || ["text", "tel", "search", "email"].includes(field.type));
  document.addEventListener("input", (event) => {
    const form = event.target.form;
    if (!form?.dataset.draft || !keepable(event.target)) return;
    const values = {};
    for (const field of form.elements) if (keepable(field)) values[field.name] = field.value;
    write(form.dataset.draft, { at: Date.now(), values });
  });
  const stale = (draft) => Date.now() - draft.at > DRAFT_LIFE;
  function restoreDrafts() {
    for (const form of all("form[data-draft]")) {
      const draft = read(form.dataset.draft);
      if (!draft || stale(draft)) continue;
      for (const field of form.elements) {
        // What the server sent is newer than any draft.
        if (keepable(field) && field.value === "" && draft.values[field.name]) field.value = draft.values[field.name];
      }
    }
  }
  // A plain post that led to another page has arrived; so has an outlived draft.
  function dropOldDrafts() {
    const here = new Set(all("form[data-draft]").map(({ dataset }) => dataset.draft));
    clearDrafts((key) => {
      const draft = read(key);
      return !draft || stale(draft) || (draft.sent && !here.has(key));
    });
  }

  // --- countdowns run against a deadline, so a sleeping tablet wakes up right ---
  const deadlines = new WeakMap(); // element -> {seconds it was given, time when they end}
  let ticking = 0;
  function tick() {
    const open = all("[data-countdown]:not([data-finished])");
    if (!open.length) { clearInterval(ticking); ticking = 0; }
    for (const element of open) {
      const given = element.dataset.countdown;
      if (deadlines.get(element)?.given !== given) deadlines.set(element, { given, end: Date.now() + given * 1000 });
      const left = Math.max(0, Math.ceil((deadlines.get(element).end - Date.now()) / 1000));
      const button = element.dataset.enables && document.getElementById(element.dataset.enables);
      if (button) button.disabled = left > 0;
      const value = element.querySelector("[data-countdown-value]");
      if (value) value.textContent = Math.floor(left / 60) + ":" + String(left % 60).padStart(2, "0");
      if (left > 0) continue;
      element.dataset.finished = "";
      element.querySelector("[data-countdown-text]").textContent = element.dataset.done;
      // Only the end is announced; every second would drown everything else.
      element.querySelector("[data-countdown-status]").textContent = element.dataset.done;
    }
  }

  // --- digits are grouped when the field is left, never under the cursor ---
  const shapes = { promo: [/^(...)(...)(....)$/, "$1 $2 $3"], phone: [/^[78]?(9..)(...)(..)(..)$/, "+7 $1 $2-$3-$4"] };
  document.addEventListener("change", ({ target: field }) => {
    const shape = shapes[field.dataset.format];
    const digits = (field.value || "").replace(/[^0-9]/g, "");
    // What begins with the code of another country is left as it was typed.
    if (shape?.[0].test(digits) && !/^\s*\+[^7]/.test(field.value)) field.value = digits.replace(...shape);
  });

  // --- htmx: its requests may fail, and its swaps must not lose the reader ---
  const formOf = (ctx) => (ctx?.sourceElement?.tagName === "FORM" ? ctx.sourceElement : null);
  // A failed GET of the next page is repeated as a visit to it: its POST has arrived.
  function again(ctx) {
    if (formOf(ctx)) return () => ctx.sourceElement.isConnected && ctx.sourceElement.requestSubmit(ctx.request.submitter);
    if (ctx?.sourceElement === document.body) return () => { location.href = ctx.request.action; };
    return null;
  }
  document.addEventListener("htmx:error", ({ detail: { ctx } }) => {
    if (!ctx?.request || ctx.text !== undefined) return; // a fault of a page, not of the network
    if (isWatch(ctx)) return watchFailed();
    [...busy.keys()].forEach(setIdle);
    failure(again(ctx));
  });
  document.addEventListener("htmx:response:error", ({ detail: { ctx } }) => {
    if (!isForeign(ctx)) return;
    if (isWatch(ctx)) watchFailed();
    else if (ctx.response.status === LATE) banner("late", again(ctx));
    else failure(again(ctx));
  });
  // What asks by itself neither hides nor replaces the offer to repeat what a person has sent.
  const isWatch = (ctx) => ctx.sourceElement?.matches?.("[hx-trigger^=every]");
  const offers = () => busy.size > 0 || (retry && !document.getElementById("connection")?.hidden);
  const watchFailed = () => { if (!offers()) failure(null); };
  // A 503 may be our own form with its reason; what a proxy or a crash sends
  // must not take the place of the form; nor must the answer to a form that came in
  // too slowly, for a chosen file could not be kept.
  const LATE = 408;
  const isForeign = (ctx) => (ctx.response?.status >= 500 || ctx.response?.status === LATE) && !ctx.response.raw.headers.has("Prilavok-Part");
  let held = null; // what had the focus before a swap, if that takes it away
  document.addEventListener("htmx:before:swap", (event) => {
    if (isForeign(event.detail.ctx)) event.preventDefault();
    held = document.activeElement === document.body ? null : document.activeElement;
  });
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    if (!isForeign(ctx) && !(isWatch(ctx) && offers())) calm();
    const key = ctx.response.status < 400 && ctx.request.method === "POST" && formOf(ctx)?.dataset.draft;
    if (key) clearDrafts((name) => name === key);
  });
  // A button that asks by itself (hx-post on it) is no form, yet as busy as one.
  const ownButton = (ctx) => (ctx.sourceElement?.tagName === "BUTTON" ? ctx.sourceElement : null);
  document.addEventListener("htmx:before:request", ({ detail: { ctx } }) => ownButton(ctx)?.setAttribute("aria-busy", "true"));
  document.addEventListener("click", (event) => {
    if (event.target.closest("button[aria-busy=true]")) stop(event);
  }, true);
  document.addEventListener("htmx:finally:request", ({ detail: { ctx } }) => {
    ownButton(ctx)?.removeAttribute("aria-busy");
    // On the way to another page the button stays busy until that page is here.
    if (formOf(ctx) && !ctx.hx?.location && !ctx.hx?.redirect) setIdle(ctx.sourceElement);
    if (ctx.sourceElement === document.body) [...busy.keys()].forEach(setIdle);
    // A form that came back with its fault is a new one, and ctx names what took its place.
    [...busy.keys()].filter((form) => !form.isConnected).forEach(setIdle);
  });
  document.addEventListener("htmx:after:swap", ({ detail: { ctx } }) => {
    if (ctx.swap === "none") return;
    const page = ctx.target === document.body || ctx.target === "body";
    arrive();
    // A part that refreshes itself, or follows what is being typed, must not pull
    // the focus away; what it has taken the focus from is another matter.
    const quiet = ctx.request?.method !== "POST" || ctx.sourceElement?.matches?.("textarea");
    if (!page && quiet && (!held || held.isConnected)) return;
    if (page && ctx.request?.headers["HX-History-Restore-Request"] !== "true") window.scrollTo(0, 0);
    const root = page ? document : document.getElementById(ctx.target?.id) || document;
    focusOn(root.querySelector("[data-error-summary]") || root.querySelector("[autofocus]") || root.querySelector("h1, h2"));
  });
  function focusOn(element) {
    if (element && !element.matches("input, select, textarea, button, a")) element.tabIndex = -1;
    element?.focus();
  }
  function arrive() {
    restoreDrafts();
    tick();
    if (!ticking) ticking = setInterval(tick, 500); // stops itself where nothing counts
  }

  document.addEventListener("DOMContentLoaded", () => {
    dropOldDrafts();
    arrive();
    focusOn(document.querySelector("[data-error-summary]"));
  });
})();
