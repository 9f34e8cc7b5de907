package domain

import (
	"context"
	"time"
)

// SMS is a gateway, or several behind one face.
type SMS interface {
	// Send hands one text over. An *SMSError tells a refusal (nothing was
	// sent) from an ambiguous end (it may have been).
	Send(ctx context.Context, m SMSText) error
	// Name is what is noted on the message.
	Name() string
}

// SMSText is a text on its way. It is never logged.
type SMSText struct {
	To   string // E.164
	Text string
	Code bool // a one-time code: before everything else, and kept nowhere
}

// SMSError is a failure of a gateway.
type SMSError struct {
	Ambiguous bool // it may have been sent all the same: do not send again
	Err       error
}

func (e *SMSError) Error() string { return "sms gateway: " + e.Err.Error() }
func (e *SMSError) Unwrap() error { return e.Err }

// smsDeadline is how long a code may take to reach the gateway: an advisor
// stands there and waits.
const smsDeadline = 4 * time.Second
