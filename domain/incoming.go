package domain

import (
	"context"
	"encoding/hex"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/nyaruka/phonenumbers"
)

// IncomingSMS is a customer's SMS as a gateway brings it.
type IncomingSMS struct {
	GatewayID string // the gateway's own name for it: the same again has the same one
	From      string // as the gateway writes it, with or without a plus
	Text      string
	Prefix    string // the word that leads to us on a shared number; the text may begin with it
}

// IncomingMessage is a customer's SMS on record.
type IncomingMessage struct {
	ID        int64
	Gateway   string
	GatewayID string // the gateway's own name for it, or one that we have made
	Phone     string // E.164, or a sender as it was written; empty once it was forgotten
	ContactID int64  // 0: nobody we know
	StoreID   int64  // of the contact's last visit; 0 where there was none
	Body      string
	Word      IncomingWord // what it was understood as
	At        time.Time
	SeenAt    *time.Time // when a supervisor had read it
	SeenBy    int64
}

const (
	// The most that is kept of a sender and of a text, in bytes.
	maxSender   = 40
	maxIncoming = 4000
	// answersApart is the least time between two answers of a kind to one
	// person: two machines must not talk to each other for long.
	answersApart = 24 * time.Hour
)

// TakeIncoming hears a customer's SMS, once however often it comes. STOP takes
// the consent to messages back, cancels what is scheduled and is answered;
// START gives nothing back by itself, for only a new consent does, and is told
// so. A stranger is heard and not answered: there is nothing to stop, and
// whoever can forge senders would have us write to anybody.
func (s *Service) TakeIncoming(ctx context.Context, gateway string, in IncomingSMS) error {
	m := IncomingMessage{
		Gateway: gateway, GatewayID: readableText(in.GatewayID), Phone: s.senderPhone(in.From),
		Body: shorten(readableText(in.Text), maxIncoming), Word: readWordAfter(in.Prefix, in.Text),
	}
	if m.Phone == "" {
		return &Error{Kind: Invalid, Err: errors.New("an SMS names no sender")}
	}
	return s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		contact, err := lockSender(ctx, tx, m.Phone)
		if err != nil {
			return err
		}
		m.ContactID, m.At = contact.ID, s.now()
		last, err := tx.LastVisit(ctx, contact.ID)
		if err != nil && !IsNotFound(err) {
			return err
		}
		m.StoreID = last.StoreID
		name, again, err := s.incomingName(ctx, tx, m)
		if err != nil || again {
			return err
		}
		row := m // a transaction that is run again begins with m as it came
		row.GatewayID = name
		first, err := tx.AddIncoming(ctx, row)
		if err != nil || !first || contact.ID == 0 {
			return err
		}
		switch m.Word {
		case StopWord:
			stopped, err := s.stopMessages(ctx, tx, contact.ID, FromSMS)
			if err != nil || !stopped {
				return err
			}
			return s.answer(ctx, tx, contact, last, StoppedMessage, time.Time{})
		case StartWord:
			all, err := tx.CustomerConsents(ctx, contact.ID)
			if err != nil {
				return err
			}
			no, ok := standingConsent(all, Communications)
			if !ok || no.Standing() {
				return nil // nothing was stopped
			}
			if no.TakenBack != nil {
				no = *no.TakenBack
			}
			return s.answer(ctx, tx, contact, last, StartedMessage, no.At)
		}
		return nil
	})
}

// lockSender finds the contact of a phone and keeps others from changing it;
// the zero contact where it is nobody's.
func lockSender(ctx context.Context, tx Tx, phone string) (Contact, error) {
	id, err := tx.ContactByPhone(ctx, phone)
	if err == nil {
		var c Contact
		if c, err = tx.LockContact(ctx, id); err == nil {
			if c.Phone == phone {
				return c, nil
			}
			// Erased while we waited: this number is nobody's now, and their
			// record must not learn of it again.
			return Contact{}, nil
		}
	}
	if IsNotFound(err) { // or it was deleted meanwhile
		return Contact{}, nil
	}
	return Contact{}, err
}

// incomingName is what the message is known by, and whether it came before. To
// the gateway's name for it belongs who wrote what: a gateway that gives one
// name to two SMS must lose no STOP. Where it gives no name the minute takes
// its place: what is sent again within a minute or two is the same, and a text
// that is written again later is another. It is keyed, since it would tell the
// phone otherwise, and it outlives an erasure.
func (s *Service) incomingName(ctx context.Context, tx Tx, m IncomingMessage) (name string, again bool, err error) {
	if m.GatewayID != "" {
		return hex.EncodeToString(s.mac("incoming id", m.GatewayID, m.Phone, m.Body)[:16]), false, nil
	}
	made := func(at time.Time) string {
		return "made-" + hex.EncodeToString(s.mac("incoming", m.Phone, m.Body, strconv.FormatInt(at.Unix()/60, 10))[:16])
	}
	again, err = tx.IncomingKnown(ctx, m.Gateway, made(m.At.Add(-time.Minute)))
	return made(m.At), again, err
}

// answer writes to somebody who has just written: once after the given moment,
// and not more often than answersApart.
func (s *Service) answer(ctx context.Context, tx Tx, c Contact, last Visit, kind MessageKind, after time.Time) error {
	now := s.now()
	before, err := tx.NewestAnswer(ctx, c.ID, kind)
	if err != nil && !IsNotFound(err) {
		return err
	}
	if err == nil && (!before.CreatedAt.Before(after) && !after.IsZero() || now.Sub(before.CreatedAt) < answersApart) {
		return nil
	}
	programme := last.ProgrammeID
	if programme == 0 {
		// No visit is left of them, but the text that they agreed to is.
		consent, err := tx.NewestConsent(ctx, c.ID, Communications)
		if IsNotFound(err) {
			return nil
		}
		if err != nil {
			return err
		}
		programme = consent.Document.ProgrammeID
	}
	id, err := tx.AddMessage(ctx, Message{
		Channel: ServiceChannel, Kind: kind, ProgrammeID: programme, ContactID: c.ID, StoreID: last.StoreID,
		Language: c.Language, State: MessageScheduled, DueAt: now, CreatedAt: now,
	})
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, SendMessageJob{MessageID: id, Answer: true}, now)
}

// senderPhone writes a sender as contacts are written. Gateways leave out the
// plus or write two zeros instead, some put it before the 8 that is dialled
// inside the country, and some add the kind of address. What is no phone, a
// short number or a name, stays as it is.
func (s *Service) senderPhone(from string) string {
	from = foldDigits(readableText(from))
	number := from
	if i := strings.IndexAny(from, "/@"); i > 0 {
		number = from[:i]
	}
	if p := s.parsePhone(number); p.fault == nil {
		return p.e164
	}
	number = strings.TrimPrefix(number, "+")
	abroad := "+" + strings.TrimSpace(strings.TrimPrefix(number, "00"))
	if n, err := phonenumbers.Parse(abroad, ""); err == nil && phonenumbers.IsValidNumber(n) {
		return phonenumbers.Format(n, phonenumbers.E164)
	}
	if p := s.parsePhone(number); p.fault == nil {
		return p.e164
	}
	return shorten(from, maxSender)
}

// readableText takes out what no database keeps as text. A STOP counts with
// whatever bytes stand round it.
func readableText(text string) string {
	return strings.ReplaceAll(strings.ToValidUTF8(text, "\ufffd"), "\x00", "")
}
