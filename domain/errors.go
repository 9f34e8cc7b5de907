// Package domain holds the rules of Prilavok: visits, consents, phone codes,
// promo codes and the messages that follow from them. It knows nothing of
// HTTP, SQL, Redis or SMS gateways; those are interfaces in database.go,
// challenge.go and message.go.
package domain

import (
	"errors"
	"fmt"
	"time"
)

// Kind says what sort of failure an Error is; handlers/errors.go turns it
// into an HTTP answer, and nothing else does.
type Kind int

// The kinds of failure. The zero value is Internal, so that a forgotten kind
// is answered as our fault and not as the user's.
const (
	Internal        Kind = iota // our fault: 500 with the request id and nothing else
	Invalid                     // bad input: 422, the fault beside its field
	Unauthenticated             // nobody is signed in: to the sign-in page
	Forbidden                   // signed in, but not allowed: 403
	NotFound                    // no such thing, or none that this person may see: 404
	Conflict                    // somebody else was first: 409
	Limited                     // too many attempts: 429 with Retry-After
	Unavailable                 // a part we depend on does not answer: 503
)

// Text is a sentence for a person, as a key of the message catalogues with
// its data; the words themselves live in views/locale. Data named Count
// chooses the plural form.
type Text struct {
	Key  string
	Data map[string]any
}

// Say makes a Text from alternating names and values.
func Say(key string, pairs ...any) Text {
	t := Text{Key: key}
	for i := 0; i+1 < len(pairs); i += 2 {
		if t.Data == nil {
			t.Data = map[string]any{}
		}
		t.Data[fmt.Sprint(pairs[i])] = pairs[i+1]
	}
	return t
}

// Error is the one error type that crosses the border of the domain.
type Error struct {
	Kind       Kind
	Message    Text            // shown to the person; may be empty for Internal
	Fields     map[string]Text // form field → what is wrong with it, for Invalid
	RetryAfter time.Duration   // for Limited and Unavailable
	Err        error           // what happened underneath; logged, never shown
}

func (e *Error) Error() string {
	s := e.Message.Key
	if s == "" {
		s = fmt.Sprintf("kind %d", e.Kind)
	}
	if len(e.Fields) > 0 {
		for name, t := range e.Fields {
			s += " " + name + "=" + t.Key
		}
	}
	if e.Err != nil {
		s += ": " + e.Err.Error()
	}
	return s
}

func (e *Error) Unwrap() error { return e.Err }

// KindOf tells the kind of any error; what is not an *Error is Internal.
func KindOf(err error) Kind {
	var e *Error
	if errors.As(err, &e) {
		return e.Kind
	}
	return Internal
}

// FieldsOf gives the field faults of an Invalid error, nil otherwise.
func FieldsOf(err error) map[string]Text {
	var e *Error
	if errors.As(err, &e) {
		return e.Fields
	}
	return nil
}

// IsNotFound is short for KindOf(err) == NotFound.
func IsNotFound(err error) bool { return err != nil && KindOf(err) == NotFound }

func invalid(field, key string, pairs ...any) *Error {
	return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: map[string]Text{field: Say(key, pairs...)}}
}

func notFound() *Error { return &Error{Kind: NotFound, Message: Say("error.not_found")} }

func forbidden() *Error { return &Error{Kind: Forbidden, Message: Say("error.forbidden")} }

// seconds, minutes and hours round a wait up: told too short, people knock in
// vain.
func seconds(d time.Duration) int { return int((d + time.Second - 1) / time.Second) }
func minutes(d time.Duration) int { return int((d + time.Minute - 1) / time.Minute) }
func hours(d time.Duration) int   { return int((d + time.Hour - 1) / time.Hour) }
