package handlers

import (
	"bytes"
	"fmt"
	"net/http"
	"strconv"
	"strings"

	"github.com/a-h/templ"
	"github.com/labstack/echo/v4"

	"prilavok/domain"
	"prilavok/views"
)

// wantsPart tells whether htmx will swap the answer into a part of the page
// that is already there. A boosted link or a restored history entry wants the
// whole page although htmx asks.
func wantsPart(r *http.Request) bool {
	return isHTMX(r) && r.Header.Get("HX-Request-Type") == "partial" &&
		r.Header.Get("HX-Boosted") == "" && r.Header.Get("HX-History-Restore-Request") == ""
}

func isHTMX(r *http.Request) bool { return r.Header.Get("HX-Request") == "true" }

// render answers with a page, or with only its part where htmx will swap that
// in. Both are rendered to a buffer first: half a page with status 200 is
// worse than an error.
func render(c echo.Context, status int, page, part templ.Component) error {
	what := page
	if wantsPart(c.Request()) && part != nil {
		what = part
		// Tells app.js that a 503 is a form of ours and may be swapped in.
		c.Response().Header().Set("Prilavok-Part", "1")
	}
	var buf bytes.Buffer
	if err := what.Render(c.Request().Context(), &buf); err != nil {
		return err
	}
	h := c.Response().Header()
	h.Add(echo.HeaderVary, "HX-Request, HX-Request-Type, HX-Boosted, HX-History-Restore-Request")
	// Every screen shows somebody's work: no cache may keep it.
	h.Set("Cache-Control", "no-store")
	h.Set(echo.HeaderContentLength, strconv.Itoa(buf.Len()))
	return c.HTMLBlob(status, buf.Bytes())
}

// redirect leads on after a success: 303 for a plain form, HX-Location for
// htmx, which fetches the next page and puts it into the history.
func redirect(c echo.Context, url string) error {
	if isHTMX(c.Request()) {
		c.Response().Header().Set("HX-Location", asLocation(url))
		return c.NoContent(http.StatusOK)
	}
	return c.Redirect(http.StatusSeeOther, url)
}

// asLocation keeps an address one word: htmx reads HX-Location as a list, with
// commas or blanks between, in which another "path" may stand.
func asLocation(url string) string {
	var b strings.Builder
	for i := range len(url) {
		if c := url[i]; c == ',' || c <= ' ' || c >= 0x7f {
			fmt.Fprintf(&b, "%%%02X", c)
		} else {
			b.WriteByte(c)
		}
	}
	return b.String()
}

// leave is redirect with a full page load, for when session or language
// changed and nothing of the old page may stay.
func leave(c echo.Context, url string) error {
	if isHTMX(c.Request()) {
		c.Response().Header().Set("HX-Redirect", url)
		return c.NoContent(http.StatusOK)
	}
	return c.Redirect(http.StatusSeeOther, url)
}

// page fills the frame of a screen: who, which store, which section.
func (h *Handlers) page(c echo.Context, title string) views.Page {
	p := views.Page{Title: title, Path: c.Request().URL.RequestURI(), Demo: h.Inbox != nil}
	if m := c.Request().Method; m != http.MethodGet && m != http.MethodHead {
		// The language switch comes back by GET; a form's own address may
		// know only POST.
		p.Path = h.backTo(c)
	}
	a, ok := actorOf(c)
	if !ok {
		return p
	}
	p.StaffID, p.StaffName, p.RoleKey = a.ID, a.Name, string(a.Role)
	for _, s := range a.Stores {
		if s.ID == a.StoreID {
			p.StoreName = s.Name
		}
	}
	if a.Role == domain.Advisor && len(a.Stores) > 1 {
		p.StoreURL = "/store"
	}
	ctx, path := c.Request().Context(), c.Request().URL.Path
	item := func(key, url string) {
		p.Nav = append(p.Nav, views.NavItem{Label: views.T(ctx, key), URL: url, Current: path == url})
	}
	switch {
	case a.Role == domain.Advisor:
		item("nav.counter", "/counter")
		item("nav.promo_check", "/promo-check")
	case a.Supervises():
		item("nav.visits", "/visits")
		item("nav.promo_codes", "/promo-codes")
		item("nav.messages", "/messages")
		item("nav.incoming", "/incoming")
		item("nav.limits", "/limits")
		item("nav.promo_check", "/promo-check")
		if a.Role == domain.Administrator {
			item("nav.stores", "/stores")
			item("nav.templates", "/templates")
			item("nav.gateways", "/gateways")
		}
	}
	return p
}

// faults turns an error into lines for a form's summary, in the order of the
// given fields; what belongs to no field comes first.
func faults(c echo.Context, err error, order ...string) views.Faults {
	ctx := c.Request().Context()
	fields, limited := domain.FieldsOf(err), domain.KindOf(err) == domain.Limited
	var out views.Faults
	if len(fields) == 0 {
		return append(out, views.FieldError{Text: views.Say(ctx, messageOf(err)), Limited: limited})
	}
	for _, name := range order {
		if t, ok := fields[name]; ok {
			out = append(out, views.FieldError{Field: name, Text: views.Say(ctx, t)})
		}
	}
	for name, t := range fields {
		if out.Error(name) == "" {
			out = append(out, views.FieldError{Text: views.Say(ctx, t)})
		}
	}
	return out
}
