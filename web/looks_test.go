package main

import (
	"slices"
	"testing"

	"prilavok/sql/sqltest"
)

// looks is what the page finds wrong with its own look.
type looks struct {
	Texts    []string // text or control that is too faint
	Targets  []string // too small for a finger
	Overflow []string // wider than the screen
}

// judge measures what is on the screen: WCAG 2.2 contrast of every visible text
// (4.5:1, large text 3:1) and of the edges of fields (3:1), the size of every
// target, and what sticks out sideways. Colours are read back from a canvas,
// which knows every notation that a style may have.
const judge = `(() => {
	const out = {texts: [], targets: [], overflow: []};
	const pen = Object.assign(document.createElement("canvas"), {width: 1, height: 1}).getContext("2d", {willReadFrequently: true});
	const known = new Map();
	const rgba = (color) => {
		if (!known.has(color)) {
			pen.clearRect(0, 0, 1, 1);
			pen.fillStyle = color;
			pen.fillRect(0, 0, 1, 1);
			const [r, g, b, a] = pen.getImageData(0, 0, 1, 1).data;
			known.set(color, [r, g, b, a / 255]);
		}
		return known.get(color);
	};
	const over = ([r, g, b, a], [R, G, B]) => [r * a + R * (1 - a), g * a + G * (1 - a), b * a + B * (1 - a), 1];
	const light = ([r, g, b]) => [r, g, b].map((v) => (v /= 255) <= 0.04045 ? v / 12.92 : ((v + 0.055) / 1.055) ** 2.4)
		.reduce((sum, v, i) => sum + v * [0.2126, 0.7152, 0.0722][i], 0);
	const ratio = (a, b) => { const [x, y] = [light(a), light(b)].sort((m, n) => n - m); return (x + 0.05) / (y + 0.05); };
	const lineage = (e) => { const all = []; for (; e; e = e.parentElement) all.unshift(e); return all; };
	const ground = (e) => lineage(e).reduce((under, x) => over(rgba(getComputedStyle(x).backgroundColor), under), rgba("Canvas"));
	const opacity = (e) => lineage(e).reduce((o, x) => o * getComputedStyle(x).opacity, 1);
	// What is only for a screen reader, or cut off by a box round it, is not seen.
	const seen = (e, box) => box.width > 1 && box.height > 1 && box.right > 0 && box.bottom + scrollY > 0 &&
		e.checkVisibility({opacityProperty: true, visibilityProperty: true}) && lineage(e).every((x) => {
			const style = getComputedStyle(x), frame = x.getBoundingClientRect();
			return style.clipPath === "none" && (style.overflowX === "visible" || x === document.documentElement || x === document.body ||
				box.left < frame.right - 1 && box.right > frame.left + 1 && frame.width > 1 && frame.height > 1);
		});
	const name = (e) => e.tagName.toLowerCase() + (e.id && "#" + e.id) + " " + JSON.stringify((e.innerText || e.value || e.getAttribute("aria-label") || "").trim().slice(0, 40));
	const faint = (e, what, color, under, least) => {
		const [r, g, b, a] = rgba(color), got = ratio(over([r, g, b, a * opacity(e)], under), under);
		if (got < least - 0.005) out.texts.push(what + " of " + name(e) + ": " + got.toFixed(2) + ":1, want " + least);
	};
	const text = (e, what, pseudo) => {
		const style = getComputedStyle(e, pseudo), size = parseFloat(style.fontSize);
		faint(e, what, style.color, ground(e), size >= 24 || size >= 18.66 && style.fontWeight >= 700 ? 3 : 4.5);
	};
	for (const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT); walker.nextNode();) {
		const node = walker.currentNode, e = node.parentElement, range = document.createRange();
		if (!node.data.trim() || e.closest("option, noscript, :disabled")) continue;
		range.selectNodeContents(node);
		if (seen(e, range.getBoundingClientRect())) text(e, "the text");
	}
	for (const e of document.querySelectorAll("[data-label]")) if (seen(e, e.getBoundingClientRect())) text(e, "the label", "::before");
	for (const e of document.querySelectorAll("a, button, input:not([type=hidden]), select, textarea, summary, [role=button]")) {
		const tick = ["radio", "checkbox"].includes(e.type), card = tick ? e.closest(".choice") || e : e, box = card.getBoundingClientRect();
		if (!seen(card, box)) continue;
		const style = getComputedStyle(card), field = ["INPUT", "SELECT", "TEXTAREA"].includes(e.tagName);
		if (field && !e.disabled) {
			if (!tick) text(e, "the value");
			if (e.placeholder) text(e, "the placeholder", "::placeholder");
			faint(card, "the edge", style.borderTopColor, ground(card.parentElement), 3);
		}
		// A link in the run of a text is as high as its line (WCAG 2.5.8, inline).
		const inline = e.tagName === "A" && (style.display.startsWith("inline") && !e.matches(".btn") || e.parentElement.matches("p, li:not(nav li), td, dd"));
		if (!inline && (box.width < 47.5 || box.height < 47.5)) out.targets.push(name(e) + ": " + box.width.toFixed(0) + "×" + box.height.toFixed(0));
	}
	const width = document.documentElement.clientWidth;
	if (document.documentElement.scrollWidth > width) {
		out.overflow = [...document.body.querySelectorAll("*")].filter((e) => e.getBoundingClientRect().right > width + 1).slice(0, 5).map(name);
		out.overflow.unshift("the page is " + document.documentElement.scrollWidth + " wide, the screen " + width);
	}
	return out;
})()`

// TestLooksInABrowser measures every screen on a tablet and a phone, by day and by night.
func TestLooksInABrowser(t *testing.T) {
	t.Parallel()
	browser(t)
	walkScreens(t, func(name string, w *window) {
		for _, size := range sizes[:2] {
			for _, theme := range []string{"light", "dark"} {
				w.dress(size.width, size.height, theme)
				found, err := eval[looks](w, judge)
				if err != nil {
					w.t.Fatalf("%s: %v", name, err)
				}
				for _, fault := range slices.Concat(found.Texts, found.Targets, found.Overflow) {
					w.t.Errorf("%s at %d, %s: %s", name, size.width, theme, fault)
				}
			}
		}
		w.dress(1024, 768, "light")
	})
}

// TestJudgeInABrowser holds the measure against a page that has each fault once.
func TestJudgeInABrowser(t *testing.T) {
	t.Parallel()
	sqltest.SkipEmbedded(t)
	browser(t)
	w := newWindow(t, "data:")
	w.base = "data:text/html,"
	w.open(`<!DOCTYPE html><body style="margin:0;background:white">
		<p style="color:%23777777">faint</p><p style="color:%23767676">readable</p>
		<p style="color:%23949494;font-size:24px">large</p>
		<div style="background:rgba(0,0,0,.5)"><p style="color:%23aaa">on grey</p></div>
		<button style="width:40px;height:48px">x</button><button style="width:48px;height:48px">y</button>
		<input style="height:48px;width:60px;border:1px solid %23ccc">
		<div style="width:2000px;height:1px"></div>`)
	found, err := eval[looks](w, judge)
	if err != nil {
		t.Fatal(err)
	}
	if len(found.Texts) != 3 || len(found.Targets) != 1 || len(found.Overflow) == 0 {
		t.Errorf("found %+v", found)
	}
}
