// Package sms holds the gateways that carry texts to customers, one file
// each. All of them implement domain.SMS.
package sms

import (
	"context"
	"encoding/json"
	"fmt"
	"time"

	"prilavok/domain"
)

// Outbox keeps the newest texts of the demo handset and lets go of the rest.
type Outbox interface {
	// Push adds a text.
	Push(ctx context.Context, text []byte) error
	// All gives the texts that are left, newest first.
	All(ctx context.Context) ([][]byte, error)
}

// HandsetText is a text as the demo handset shows it.
type HandsetText struct {
	To   string    `json:"to"` // E.164
	Text string    `json:"text"`
	Code bool      `json:"code"` // a one-time code
	At   time.Time `json:"at"`   // UTC
}

// Handset is the demo phone: a gateway that sends nothing anywhere and shows
// one-time codes on a page of our own. It is for demo mode only: whoever may
// open that page can read every code.
type Handset struct {
	outbox Outbox
	now    func() time.Time
}

var _ domain.SMS = (*Handset)(nil)

// NewHandset makes a handset that keeps its texts in outbox.
func NewHandset(outbox Outbox, now func() time.Time) *Handset {
	return &Handset{outbox: outbox, now: now}
}

// Name is what is noted on the message.
func (h *Handset) Name() string { return "handset" }

// Send takes a text. Only one-time codes are kept here: they are stored
// nowhere else, while programme messages are rows in SQL, which the page
// reads, and would be shown twice.
func (h *Handset) Send(ctx context.Context, m domain.SMSText) error {
	if !m.Code {
		return nil
	}
	text, err := json.Marshal(HandsetText{To: m.To, Text: m.Text, Code: m.Code, At: h.now().UTC().Truncate(time.Microsecond)})
	if err != nil {
		return &domain.SMSError{Err: err}
	}
	if err := h.outbox.Push(ctx, text); err != nil {
		return &domain.SMSError{Err: err}
	}
	return nil
}

// Texts gives the codes that were sent of late, newest first.
func (h *Handset) Texts(ctx context.Context) ([]HandsetText, error) {
	kept, err := h.outbox.All(ctx)
	if err != nil {
		return nil, err
	}
	texts := make([]HandsetText, len(kept))
	for i, text := range kept {
		if err := json.Unmarshal(text, &texts[i]); err != nil {
			return nil, fmt.Errorf("handset: a text in the outbox is not ours: %w", err)
		}
	}
	return texts, nil
}
