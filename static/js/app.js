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
    if (form.matches("[data-clear-drafts]")) { forget({ everything: true }); others?.postMessage({ everything: true }); }
    const plain = !window.htmx || !form.matches("[hx-post], [hx-get]");
    // Of a form that htmx sends it is known when it has arrived.
    const draft = plain && isDrafted(form) && read(nameOf(form));
    if (draft) write(nameOf(form), { ...draft, sent: true });
    setBusy(form, event.submitter, plain);
  }, true);
  // A page that comes back from the browser's cache must not stay asleep.
  window.addEventListener("pageshow", () => { [...busy.keys()].forEach(setIdle); });

  // --- drafts: typed text survives a reload, a sleeping tablet and the end of a session ---
  // A draft is named by the login that typed it and by the address that its form
  // is sent to. It comes back to that login alone, in that tab alone, until the form
  // has arrived, the visit has ended, somebody else has signed in, or two hours are over.
  const DRAFT = "draft:";
  const ownerHere = () => document.getElementById("main")?.dataset.owner; // none at sign-in
  const isDrafted = (form) => form?.dataset?.draft !== undefined && Boolean(ownerHere());
  const nameOf = (form) => `${DRAFT}${ownerHere()}:${form.getAttribute("action")}`;
  const read = (name) => { try { return JSON.parse(sessionStorage.getItem(name)); } catch { return null; } };
  const write = (name, draft) => { try { sessionStorage.setItem(name, JSON.stringify(draft)); } catch { /* no drafts then */ } };
  const drop = (name) => { try { sessionStorage.removeItem(name); } catch { /* there are none */ } };
  const stale = (draft) => !draft || Date.now() - draft.at > DRAFT_LIFE;
  function names() {
    try { return Object.keys(sessionStorage).filter((name) => name.startsWith(DRAFT)); } catch { return []; }
  }
  // Secrets, ticks and choices are never kept: a consent is given by hand, anew.
  const keepable = (field) => field.name && field.autocomplete !== "one-time-code" && !field.hasAttribute("data-no-draft") &&
    (field.tagName === "TEXTAREA" || ["text", "tel", "search", "email"].includes(field.type));
  document.addEventListener("input", ({ target }) => {
    const { form } = target;
    if (!isDrafted(form) || !keepable(target)) return;
    const before = read(nameOf(form));
    const values = {}, from = {};
    for (const field of form.elements) {
      if (!keepable(field)) continue;
      values[field.name] = field.value;
      // A form that comes back with its fault holds what was typed, which is not what is saved.
      from[field.name] = before?.from?.[field.name] ?? field.defaultValue;
    }
    write(nameOf(form), { at: Date.now(), values, from });
  });
  function restoreDrafts() {
    for (const form of all("form[data-draft]")) {
      const draft = isDrafted(form) && read(nameOf(form));
      if (!draft || stale(draft)) continue;
      const fields = [...form.elements].filter((field) => keepable(field) && draft.values[field.name] !== undefined);
      // What was saved meanwhile is newer than the draft.
      if (fields.some(({ name, value }) => value !== draft.from?.[name] && value !== draft.values[name])) { drop(nameOf(form)); continue; }
      for (const field of fields) field.value = draft.values[field.name];
    }
  }
  // forget drops what is too old, what is of another login than the owner, what
  // belongs to the visit that has ended, or everything.
  function forget({ owner, ended, everything }) {
    for (const name of names()) {
      const foreign = owner && !name.startsWith(`${DRAFT}${owner}:`);
      const over = ended && name.startsWith(`${DRAFT}${owner}:${ended}`);
      if (everything || foreign || over || stale(read(name))) drop(name);
    }
  }
  // What a page tells of drafts counts in every tab of this browser.
  const others = "BroadcastChannel" in window ? new BroadcastChannel("drafts") : null;
  others?.addEventListener("message", ({ data }) => forget(data));
  setInterval(() => forget({}), 60000);
  function settleDrafts() {
    const here = { owner: ownerHere(), ended: document.querySelector("[data-ends-drafts]")?.dataset.endsDrafts };
    forget(here);
    if (here.owner) others?.postMessage(here);
    restoreDrafts();
    if (document.querySelector("[data-keeps-drafts]")) {
      // Instead of the page that follows on a form: the form has not arrived.
      for (const name of names()) write(name, { ...read(name), sent: false });
      return;
    }
    // A plain form that has led to another page has arrived.
    const open = new Set(all("form[data-draft]").map(nameOf));
    for (const name of names()) if (read(name).sent && !open.has(name)) drop(name);
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
  // A refusal of ours is a form with its reason, or says that it wants the whole page.
  // What a proxy or a crash sends must not take the place of the form; nor must a page
  // of ours after a fault of ours, nor the answer to a form that came in too slowly, for
  // a chosen file could not be kept.
  const LATE = 408;
  const isForeign = ({ response, hx }) => response?.status >= 400 && !response.raw.headers.has("Prilavok-Part") &&
    (response.status >= 500 || response.status === LATE || !hx?.retarget);
  let held = null; // what had the focus before a swap, if that takes it away
  document.addEventListener("htmx:before:swap", (event) => {
    if (isForeign(event.detail.ctx)) event.preventDefault();
    held = document.activeElement === document.body ? null : document.activeElement;
  });
  document.addEventListener("htmx:after:request", ({ detail: { ctx } }) => {
    if (!isForeign(ctx) && !(isWatch(ctx) && offers())) calm();
    // What leads to another page altogether is the sign-in, where a session has ended, or the choice of a store.
    const arrived = ctx.response.status < 400 && ctx.request.method === "POST" && !ctx.hx?.redirect;
    if (arrived && isDrafted(formOf(ctx))) drop(nameOf(formOf(ctx)));
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
    if (page) settleDrafts();
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
    tick();
    if (!ticking) ticking = setInterval(tick, 500); // stops itself where nothing counts
  }

  document.addEventListener("DOMContentLoaded", () => {
    settleDrafts();
    arrive();
    focusOn(document.querySelector("[data-error-summary]"));
  });
})();
