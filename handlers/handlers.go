// Package handlers turns HTTP requests into domain verbs and their results
// into HTML. It holds no rules: what may happen is decided in domain, what
// exists in web/routes.go, how it looks in views.
package handlers

import (
	"context"
	"log/slog"
	"time"

	"github.com/gorilla/sessions"

	"prilavok/domain"
)

// Sessions is a gorilla store that can give a session a new id.
type Sessions interface {
	sessions.Store
	// Renew makes the next Save give the session a fresh id and delete the
	// old one on the server, so that an id known before sign-in is worth
	// nothing after it.
	Renew(s *sessions.Session)
}

// Inbox is what the demo handset has received that is kept nowhere else: the
// texts of one-time codes.
type Inbox interface {
	// Texts gives the received texts, newest first.
	Texts(ctx context.Context) ([]InboxText, error)
}

// InboxText is one received text.
type InboxText struct {
	To   string // E.164
	Text string
	At   time.Time
}

// Probe is one part that /readyz asks.
type Probe struct {
	Name string
	Ping func(context.Context) error
	Note func() string // what an operator should know of it although it works; may be nil
}

// Handlers serves every screen.
type Handlers struct {
	Service  *domain.Service
	Sessions Sessions
	Inbox    Inbox // nil: no demo handset
	Probes   []Probe
	Secure   bool // cookies over https only
	Log      *slog.Logger
	// UploadTimeout is how long a file may take to come in.
	UploadTimeout time.Duration
}
