package views

import "context"

// Page is what the frame round every screen needs to know. The language comes
// from the context, everything else from the handler.
type Page struct {
	// Title names the screen in the browser's tab; already in the right language.
	Title string
	// Path is the page's own path and query; the language switch comes back to it.
	Path string
	// StaffID is whose drafts this page may show; 0 before sign-in.
	StaffID int64
	// StaffName is empty before sign-in; then neither context nor sign-out is shown.
	StaffName string
	// RoleKey is "advisor", "supervisor" or "administrator": the tail of a "role." key.
	RoleKey string
	// StoreName is the store the advisor works in now, always in sight.
	StoreName string
	// StoreURL leads to the choice of the store; empty when there is nothing to choose.
	StoreURL string
	// HomeURL is where the name of the program leads; "/" when empty.
	HomeURL string
	// Demo shows the link to the demo handset.
	Demo bool
	// Nav are the sections this role may open.
	Nav []NavItem
	// Wide lets tables use the whole width; other screens keep to one readable column.
	Wide bool
}

// NavItem is one section in the bar at the top.
type NavItem struct {
	// Label is the word on the link, URL its address.
	Label, URL string
	// Current marks the section the reader is in.
	Current bool
}

// home gives the address behind the program's name.
func (p Page) home() string {
	if p.HomeURL == "" {
		return "/"
	}
	return p.HomeURL
}

// tabTitle names a screen and the program, once where both have one name.
func tabTitle(ctx context.Context, title string) string {
	name := T(ctx, "app.name")
	if title == "" || title == name {
		return name
	}
	return title + " · " + name
}
