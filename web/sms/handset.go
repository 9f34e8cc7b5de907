// Package sms holds the gateways that carry texts to customers, one file
// each. Each gives a domain.Gateway.
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

// NewHandset makes a handset that keeps its texts in outbox.
func NewHandset(outbox Outbox, now func() time.Time) *Handset {
	return &Handset{outbox: outbox, now: now}
}

// Gateway is the handset among the gateways. It is as quick as anything, and
// what it has taken stands on its screen: that is delivery.
func (h *Handset) Gateway() domain.Gateway {
	return domain.Gateway{Name: "handset", Codes: h, Messages: h, Rate: 1000, Instant: true}
}

// Health is that of a page of our own.
func (h *Handset) Health() domain.GatewayHealth { return domain.GatewayHealth{} }

// Send takes a text. Only one-time codes are kept here: they are stored
// nowhere else, while programme messages are rows in SQL, which the page
// reads, and would be shown twice.
func (h *Handset) Send(ctx context.Context, m domain.SMSText) (string, error) {
	if !m.Code {
		return "", nil
	}
	text, err := json.Marshal(HandsetText{To: m.To, Text: m.Text, Code: m.Code, At: h.now().UTC().Truncate(time.Microsecond)})
	if err == nil {
		err = h.outbox.Push(ctx, text)
	}
	if err != nil {
		return "", &domain.SMSError{Fault: domain.SMSDown, Trouble: domain.TroubleOwn, Err: err}
	}
	return "", nil
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
