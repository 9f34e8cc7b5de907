package main

import (
	"context"
	"errors"
	"fmt"
	"net/url"
	"os"
	"os/exec"
	"strings"
	"sync"
	"testing"
	"time"

	"github.com/chromedp/cdproto/accessibility"
	"github.com/chromedp/cdproto/cdp"
	"github.com/chromedp/cdproto/dom"
	"github.com/chromedp/cdproto/emulation"
	"github.com/chromedp/cdproto/input"
	"github.com/chromedp/cdproto/network"
	"github.com/chromedp/cdproto/runtime"
	"github.com/chromedp/chromedp"
	"github.com/chromedp/chromedp/kb"
)

// patience bounds every wait for the page. It is reached only by a failure, so
// it is generous: a busy machine is slow.
const patience = time.Minute

// TestMain ends the one browser that the tests share.
func TestMain(m *testing.M) {
	code := m.Run()
	closeBrowser()
	printTable(os.Stdout)
	os.Exit(code)
}

var closeBrowser = func() {}

// openBrowser starts Chromium at its first use. Where it is at hand, the shell
// without a window is taken: the same engine, with less than half of the work.
var openBrowser = sync.OnceValues(func() (context.Context, error) {
	path := os.Getenv("CHROMIUM")
	for _, name := range []string{"chromium-headless-shell", "chrome-headless-shell", "chromium", "chromium-browser", "google-chrome"} {
		if path == "" {
			path, _ = exec.LookPath(name)
		}
	}
	if path == "" {
		return nil, errors.New("no Chromium: install chromium or google-chrome, or name it in CHROMIUM")
	}
	options := append(chromedp.DefaultExecAllocatorOptions[:],
		chromedp.ExecPath(path), chromedp.DisableGPU, chromedp.WindowSize(1024, 768),
		chromedp.Flag("disable-quic", true), chromedp.Flag("disable-component-update", true),
	)
	if os.Geteuid() == 0 {
		// Chromium's sandbox refuses root, which is who runs tests in a container.
		options = append(options, chromedp.NoSandbox)
	}
	allocator, closeAllocator := chromedp.NewExecAllocator(context.Background(), options...)
	ctx, closeTab := chromedp.NewContext(allocator)
	closeBrowser = func() { closeTab(); closeAllocator() }
	return ctx, chromedp.Do(ctx)
})

// inABrowser ends the name of every test that opens a browser. By it CI tells
// them apart: what a page does gains nothing from the race detector, and it
// takes the detector's time.
const inABrowser = "InABrowser"

// browser gives the shared browser. Without one a test is skipped; in CI it
// fails, or the journeys could be lost unseen.
func browser(t *testing.T) context.Context {
	t.Helper()
	if name, _, _ := strings.Cut(t.Name(), "/"); !strings.HasSuffix(name, inABrowser) {
		t.Fatalf("%s opens a browser, so its name must end with %s: CI runs those by name", name, inABrowser)
	}
	ctx, err := openBrowser()
	if err == nil {
		return ctx
	}
	if os.Getenv("CI") != "" || ctx != nil {
		t.Fatalf("start the browser: %v", err)
	}
	t.Skip(err)
	return nil
}

// window is a browser window that somebody works in. Windows share nothing:
// each has cookies and storage of its own.
type window struct {
	t     *testing.T
	ctx   context.Context // of the tab
	base  string
	wrong *complaints
	bare  bool // the pages' scripts are off
}

// newWindow opens a browser window. At the end the test fails if the pages
// broke their own policy, threw, or asked another host.
func newWindow(t *testing.T, base string) *window {
	t.Helper()
	wrong := &complaints{}
	w := openTab(browser(t), t, base, wrong, chromedp.WithNewBrowserContext())
	t.Cleanup(func() {
		for _, line := range wrong.list() {
			t.Errorf("the browser complains: %s", line)
		}
	})
	return w
}

// tab opens a second tab with the same cookies.
func (w *window) tab() *window {
	w.t.Helper()
	tab := openTab(w.ctx, w.t, w.base, w.wrong)
	if w.bare {
		tab.withoutScripts()
	}
	return tab
}

func openTab(parent context.Context, t *testing.T, base string, wrong *complaints, options ...chromedp.ContextOption) *window {
	t.Helper()
	home, err := url.Parse(base)
	if err != nil {
		t.Fatal(err)
	}
	ctx, closeTab := chromedp.NewContext(parent, append(options, chromedp.WithListener(func(event any) { wrong.hear(event, home.Host) }))...)
	t.Cleanup(closeTab)
	w := &window{t: t, ctx: ctx, base: base, wrong: wrong}
	// The tab lives as long as the context of its first run, so this one has no
	// deadline.
	if err := chromedp.Do(ctx, chromedp.EmulateViewport(1024, 768)); err != nil {
		t.Fatalf("open a tab: %v", err)
	}
	return w
}

// do runs steps that return nothing, within the patience.
func (w *window) do(steps ...chromedp.Action[chromedp.Void]) {
	w.t.Helper()
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	if err := chromedp.Do(ctx, steps...); err != nil {
		w.t.Fatalf("%v\n%s", err, w.scene())
	}
}

// call sends one command of the protocol, within the patience.
func call[P, R any](w *window, command cdp.Command[P, R], params P) (R, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Call(ctx, command, params)
}

// must is call for commands that can't be refused.
func must[P, R any](w *window, command cdp.Command[P, R], params P) {
	w.t.Helper()
	if _, err := call(w, command, params); err != nil {
		w.t.Fatalf("%s: %v", command.Method, err)
	}
}

// eval asks the page. It works where the page's own scripts are off, too.
func eval[T any](w *window, expression string, options ...chromedp.EvaluateOption) (T, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.Evaluate[T](expression, options...))
}

// until tries again and again until try says that there is nothing left to
// wait for. An error is what still stands in the way: on its way to another
// page a browser refuses much. Nothing of the page's is used to wait, since its
// scripts may be off.
func (w *window) until(what string, try func() error) {
	w.t.Helper()
	deadline := time.NewTimer(patience)
	defer deadline.Stop()
	// Chromium sends no event when a text appears, so this asks; 15 ms is a
	// frame. What does not come at once is asked for more seldom: other windows
	// are worked in beside this one.
	for pause := 15 * time.Millisecond; ; pause = min(2*pause, 60*time.Millisecond) {
		err := try()
		if err == nil {
			return
		}
		select {
		case <-time.After(pause):
		case <-deadline.C:
			w.t.Fatalf("%s: %v\n%s", what, err, w.scene())
		case <-w.ctx.Done():
			w.t.Fatalf("%s: the tab is gone: %v", what, err)
		}
	}
}

// scene is what stands on the screen, for the message of a failure.
func (w *window) scene() string {
	where, _ := eval[string](w, "location.href")
	text, err := eval[string](w, "document.body.innerText")
	if err != nil {
		text = err.Error()
	}
	return "--- " + where + "\n" + text + "\n---"
}

// open goes to an address of the program and waits for the page.
func (w *window) open(path string) {
	w.t.Helper()
	w.do(chromedp.Navigate(w.base + path))
}

// path is where the tab stands.
func (w *window) path() string {
	w.t.Helper()
	path, err := eval[string](w, "location.pathname")
	if err != nil {
		w.t.Fatal(err)
	}
	return path
}

// text is what can be read on the screen, its spaces made plain.
func (w *window) text() (string, error) {
	text, err := eval[string](w, "document.body.innerText")
	return strings.Join(strings.Fields(text), " "), err
}

// see waits until all the texts can be read.
func (w *window) see(texts ...string) {
	w.t.Helper()
	for _, want := range texts {
		w.until(fmt.Sprintf("see %q", want), func() error {
			if got, err := w.text(); err != nil || !strings.Contains(got, want) {
				return errors.Join(err, errors.New("not on the screen"))
			}
			return nil
		})
	}
}

// gone waits until a text can't be read any more.
func (w *window) gone(text string) {
	w.t.Helper()
	w.until(fmt.Sprintf("see %q no more", text), func() error {
		if got, err := w.text(); err != nil || strings.Contains(got, text) {
			return errors.Join(err, errors.New("still on the screen"))
		}
		return nil
	})
}

// at waits for the screen with this heading, complete and at rest: every
// journey says by it where a press has led.
func (w *window) at(heading string) {
	w.t.Helper()
	w.until(fmt.Sprintf("come to %q", heading), func() error {
		got, err := eval[string](w, `document.readyState !== "complete" ? "(loading)" :
			document.querySelector("[aria-busy=true]") ? "(busy)" : document.querySelector("h1")?.innerText ?? "(no heading)"`)
		if err == nil && strings.Join(strings.Fields(got), " ") != heading {
			err = fmt.Errorf("the heading is %q", got)
		}
		return err
	})
}

// Roles that a press, a choice and typing look for, the likelier one first.
var (
	pressed = []string{"button", "link"}
	ticked  = []string{"radio", "checkbox"}
	filled  = []string{"textbox", "combobox", "Date"}
)

// find gives the one element with an accessible name, as a screen reader would
// read it.
func (w *window) find(name string, roles []string) (runtime.RemoteObjectID, error) {
	document, err := call(w, runtime.Evaluate, runtime.EvaluateParams{Expression: "document"})
	if err != nil {
		return "", err
	}
	tree, err := call(w, accessibility.QueryAXTree, accessibility.QueryAXTreeParams{ObjectID: document.Result.ObjectID, AccessibleName: name})
	if err != nil {
		return "", err
	}
	var found []*accessibility.Node
	for _, role := range roles {
		for _, n := range tree.Nodes {
			if !n.Ignored && n.Role != nil && strings.Trim(string(n.Role.Value), `"`) == role {
				found = append(found, n)
			}
		}
		if len(found) > 0 {
			break
		}
	}
	if len(found) != 1 {
		return "", fmt.Errorf("%d elements with that name among %v", len(found), roles)
	}
	node, err := call(w, dom.ResolveNode, dom.ResolveNodeParams{BackendNodeID: found[0].BackendDOMNodeID})
	if err != nil {
		return "", err
	}
	return node.Object.ObjectID, nil
}

// apply calls a function of the page with the element as this.
func apply[T any](w *window, object runtime.RemoteObjectID, function string) (T, error) {
	ctx, cancel := context.WithTimeout(w.ctx, patience)
	defer cancel()
	return chromedp.Run(ctx, chromedp.CallFunctionOn[T](function, func(params *runtime.CallFunctionOnParams) { params.ObjectID = object }))
}

// spot is where a finger would land on an element. It is refused while the page
// is still on its way, and when something else lies over the element.
const spot = `function() {
	if (document.readyState !== "complete" || document.fonts.status !== "loaded") return {no: "the page is loading"};
	if (this.disabled) return {no: "it is asleep"};
	this.scrollIntoView({block: "center", behavior: "instant"});
	const box = this.getBoundingClientRect(), x = box.x + box.width / 2, y = box.y + box.height / 2;
	const hit = document.elementFromPoint(x, y);
	if (!hit || !(this.contains(hit) || hit.closest("label")?.control === this)) return {no: "covered by " + hit?.outerHTML.slice(0, 200)};
	return {x, y};
}`

// point waits until an element can be pressed, and gives it with its middle.
func (w *window) point(name string, roles []string) (object runtime.RemoteObjectID, x, y float64) {
	w.t.Helper()
	w.until(fmt.Sprintf("reach %q", name), func() error {
		var err error
		if object, err = w.find(name, roles); err != nil {
			return err
		}
		at, err := apply[struct {
			X, Y float64
			No   string
		}](w, object, spot)
		if err == nil && at.No != "" {
			err = errors.New(at.No)
		}
		x, y = at.X, at.Y
		return err
	})
	return object, x, y
}

// press clicks a button or a link.
func (w *window) press(name string) {
	w.t.Helper()
	_, x, y := w.point(name, pressed)
	w.do(chromedp.MouseClickXY(x, y))
}

// pressTwice is the double tap of an impatient finger.
func (w *window) pressTwice(name string) {
	w.t.Helper()
	_, x, y := w.point(name, pressed)
	w.do(chromedp.MouseClickXY(x, y, chromedp.ClickCount(1)), chromedp.MouseClickXY(x, y, chromedp.ClickCount(2)))
}

// choose picks a card or ticks a box.
func (w *window) choose(name string) {
	w.t.Helper()
	object, x, y := w.point(name, ticked)
	w.do(chromedp.MouseClickXY(x, y))
	w.until(fmt.Sprintf("choose %q", name), func() error {
		if checked, err := apply[bool](w, object, "function() { return this.checked }"); err != nil || !checked {
			return errors.Join(err, errors.New("it is not chosen"))
		}
		return nil
	})
}

// fill types into a field in place of what stands there; in a list it goes down
// to the line that begins so.
func (w *window) fill(name, value string) {
	w.t.Helper()
	var list bool
	w.until(fmt.Sprintf("find the field %q", name), func() error {
		object, err := w.find(name, filled)
		if err == nil {
			list, err = apply[bool](w, object, `function() {
				if (document.readyState !== "complete") throw Error("loading");
				this.focus();
				return this.tagName === "SELECT";
			}`)
		}
		return err
	})
	if list {
		w.pick(name, value)
		return
	}
	w.key("a", chromedp.ModifierCtrl)
	w.key(kb.Delete)
	w.key(value)
	if got, err := eval[string](w, "document.activeElement.value"); err != nil || got != value {
		w.t.Fatalf("%q holds %q after %q was typed (%v)", name, got, value, err)
	}
}

// paste puts a text in place of what stands in a field, as from the clipboard:
// at once, and cut where the field cuts it.
func (w *window) paste(name, text string) {
	w.t.Helper()
	w.fill(name, "")
	must(w, input.InsertText, input.InsertTextParams{Text: text})
	if got := w.value(name); got != text {
		w.t.Errorf("%q holds %q after %q was pasted", name, got, text)
	}
}

// pick opens a focused list by the arrow key and takes a line. Chromium opens a
// list that the page has dressed and only changes the value of a bare one.
func (w *window) pick(name, line string) {
	w.t.Helper()
	for range 20 {
		w.key(kb.ArrowDown)
		got, err := eval[string](w, `(() => { const e = document.activeElement; return e.tagName === "OPTION" ? "open " + e.text : e.selectedOptions?.[0].text ?? "" })()`)
		if err != nil {
			w.t.Fatal(err)
		}
		open := strings.HasPrefix(got, "open ")
		if !strings.HasPrefix(strings.TrimPrefix(got, "open "), line) {
			continue
		}
		if open {
			w.key(kb.Enter)
		}
		if got := w.value(name); !strings.HasPrefix(got, line) {
			w.t.Fatalf("%q holds %q after %q was picked", name, got, line)
		}
		return
	}
	w.t.Fatalf("%q has no line %q\n%s", name, line, w.scene())
}

// value is what a field holds, for a list the line that is chosen.
func (w *window) value(name string) (value string) {
	w.t.Helper()
	w.until(fmt.Sprintf("read the field %q", name), func() error {
		object, err := w.find(name, filled)
		if err == nil {
			value, err = apply[string](w, object, `function() { return this.tagName === "SELECT" ? this.selectedOptions[0].text : this.value }`)
		}
		return err
	})
	return value
}

// key presses keys of the keyboard one after another, wherever the focus is.
func (w *window) key(keys string, modifiers ...chromedp.Modifier) {
	w.t.Helper()
	for _, r := range keys {
		events := kb.Encode(r)
		down, up := *events[0], *events[len(events)-1]
		if len(events) == 3 && len(modifiers) == 0 {
			// With the text in it, a key that the page has used types nothing more,
			// as on a keyboard. chromedp's own KeyEvent would type in any case.
			down.Text, down.UnmodifiedText = events[1].Text, events[1].UnmodifiedText
		}
		for _, m := range modifiers {
			down.Modifiers, up.Modifiers = down.Modifiers|int64(m), up.Modifiers|int64(m)
		}
		must(w, input.DispatchKeyEvent, down)
		must(w, input.DispatchKeyEvent, up)
	}
}

// withoutScripts switches the scripts of all later pages off.
func (w *window) withoutScripts() *window {
	w.t.Helper()
	w.bare = true
	must(w, emulation.SetScriptExecutionDisabled, emulation.SetScriptExecutionDisabledParams{Value: true})
	return w
}

// connected cuts or mends the line between this tab and the program. Every
// answer on it takes the latency.
func (w *window) connected(yes bool, latency time.Duration) {
	w.t.Helper()
	w.wrong.lost(!yes)
	must(w, network.EmulateNetworkConditionsByRule, network.EmulateNetworkConditionsByRuleParams{
		MatchedNetworkConditions: []*network.Conditions{{
			Offline: !yes, Latency: float64(latency.Milliseconds()), DownloadThroughput: -1, UploadThroughput: -1,
		}},
	})
	must(w, network.OverrideNetworkState, network.OverrideNetworkStateParams{Offline: !yes, DownloadThroughput: -1, UploadThroughput: -1})
}
