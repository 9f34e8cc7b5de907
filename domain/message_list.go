package domain

import (
	"context"
	"slices"
	"time"
)

const (
	// messagesPerPage is how many messages a list shows at once,
	// incomingPerPage how many SMS of customers.
	messagesPerPage = 50
	incomingPerPage = 50
)

// MessageFilter narrows a list of messages. Whose stores they are comes from
// the actor and never from a request.
type MessageFilter struct {
	StoreIDs  []int64
	AllStores bool
	Day       string // YYYY-MM-DD, by the clock of each message's store, when it is due
	Spans     []Span // what Day was read as; one of them must fit
	StoreID   int64
	Channel   MessageChannel
	Kind      MessageKind
	State     MessageState
	Before    int64 // keyset: messages with a smaller id; 0 = from the newest
	Limit     int
}

// Span is a day in the stores of one time zone. Messages of no store count
// with those of the first.
type Span struct {
	StoreIDs    []int64
	NoStore     bool
	From, Until time.Time // Until is the next day already
}

// MessageRow is a line of the supervisor's list of messages.
type MessageRow struct {
	Message
	StoreName     string
	StoreTimeZone string
}

// MessageChannels lists the channels in the order of a filter.
func MessageChannels() []MessageChannel {
	return []MessageChannel{ProgrammeChannel, CodeChannel, ServiceChannel}
}

// MessageKinds lists the kinds of message in the order of a filter.
func MessageKinds() []MessageKind {
	return []MessageKind{ReferralMessage, TrialMessage, GiftMessage, CodeMessage, SelfCodeMessage, StoppedMessage, StartedMessage}
}

// MessageStates lists the states in the order in which a message passes them.
func MessageStates() []MessageState {
	return []MessageState{
		MessageScheduled, MessageSending, MessageAccepted, MessageDelivered,
		MessageUndelivered, MessageUnknown, MessageCancelled, MessageSuppressed,
	}
}

// SupervisedMessages lists messages of the actor's stores, newest first, and
// tells whether older ones follow. Those of no store are an administrator's.
func (s *Service) SupervisedMessages(ctx context.Context, a Actor, f MessageFilter) ([]MessageRow, bool, error) {
	if !a.Supervises() {
		return nil, false, forbidden()
	}
	f.StoreIDs, f.AllStores = a.SupervisedStores()
	if !f.AllStores && len(f.StoreIDs) == 0 || f.StoreID != 0 && !a.MaySupervise(f.StoreID) {
		return nil, false, nil
	}
	if f.Day != "" {
		stores, _, err := s.VisitChoices(ctx, a)
		if err != nil {
			return nil, false, err
		}
		if f.Spans, err = spans(stores, f.Day); err != nil {
			return nil, false, err
		}
	}
	// One more than is shown: that it exists is all one needs to know of it.
	f.Limit = messagesPerPage + 1
	rows, err := s.DB.MessageRows(ctx, f)
	if err != nil || len(rows) < f.Limit {
		return rows, false, err
	}
	return rows[:messagesPerPage], true, nil
}

// spans gives what a day is in the stores' time zones.
func spans(stores []Store, day string) ([]Span, error) {
	var out []Span
	for _, st := range stores {
		asked, err := time.Parse(time.DateOnly, day)
		if err != nil {
			return nil, invalid("day", "visits.day_faulty")
		}
		from := dayStart(asked.Year(), asked.Month(), asked.Day(), st.Location())
		until := dayStart(asked.Year(), asked.Month(), asked.Day()+1, st.Location())
		i := slices.IndexFunc(out, func(s Span) bool { return s.From.Equal(from) && s.Until.Equal(until) })
		if i < 0 {
			i, out = len(out), append(out, Span{From: from, Until: until, NoStore: len(out) == 0})
		}
		out[i].StoreIDs = append(out[i].StoreIDs, st.ID)
	}
	return out, nil
}

// MessageDetails is everything that is known of one message.
type MessageDetails struct {
	MessageRow
	Brand   string        // of its programme
	Reports []DeliveryRow // as they came
}

// SupervisedMessage gives one message. One of a store that is not the actor's
// does not exist for them.
func (s *Service) SupervisedMessage(ctx context.Context, a Actor, id int64) (d MessageDetails, err error) {
	if d.MessageRow, err = s.DB.MessageRow(ctx, id); err != nil {
		return d, err
	}
	if !a.MaySupervise(d.StoreID) {
		return MessageDetails{}, notFound()
	}
	programme, err := s.DB.Programme(ctx, d.ProgrammeID)
	if err != nil {
		return d, err
	}
	d.Brand = programme.Brand
	d.Reports, err = s.DB.DeliveryReports(ctx, id)
	return d, err
}

// IncomingFilter narrows a list of customers' SMS.
type IncomingFilter struct {
	StoreIDs  []int64 // and those of no store
	AllStores bool
	Unseen    bool  // only what waits for somebody to read it
	Before    int64 // keyset: those with a smaller id; 0 = from the newest
	Limit     int
}

// IncomingRow is a line of the list of customers' SMS.
type IncomingRow struct {
	IncomingMessage
	StoreName     string
	StoreTimeZone string
	SeenByName    string
	VisitID       int64 // the customer's newest visit that the actor may see; 0: none
}

// Waits tells that somebody has to read it: it was not understood, and nobody
// has. Of one that was erased there is nothing left to read.
func (m IncomingMessage) Waits() bool {
	return m.Word == NoWord && m.SeenAt == nil && (m.Phone != "" || m.Body != "")
}

// MayBeStop tells that the customer may want no more messages, though it was
// not understood as a stop.
func (m IncomingMessage) MayBeStop() bool { return m.Word == NoWord && mayBeStop(m.Body) }

// SupervisedIncoming lists customers' SMS of the actor's stores and those of
// senders that belong to no store, newest first, and tells whether older ones
// follow.
func (s *Service) SupervisedIncoming(ctx context.Context, a Actor, f IncomingFilter) ([]IncomingRow, bool, error) {
	if !a.Supervises() {
		return nil, false, forbidden()
	}
	f.StoreIDs, f.AllStores = a.SupervisedStores()
	f.Limit = incomingPerPage + 1
	rows, err := s.DB.IncomingRows(ctx, f)
	if err != nil || len(rows) < f.Limit {
		return rows, false, err
	}
	return rows[:incomingPerPage], true, nil
}

// SeeIncoming notes that the actor has read a customer's SMS. The first who
// did stays on record.
func (s *Service) SeeIncoming(ctx context.Context, a Actor, id int64) error {
	if !a.Supervises() {
		return forbidden()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if _, err := readIncoming(ctx, tx, a, id); err != nil {
			return err
		}
		_, err := tx.SeeIncoming(ctx, id, a.ID, s.now())
		return err
	})
}

// SupervisedIncomingSMS gives one SMS of a customer, by the same rule.
func (s *Service) SupervisedIncomingSMS(ctx context.Context, a Actor, id int64) (IncomingMessage, error) {
	if !a.Supervises() {
		return IncomingMessage{}, forbidden()
	}
	return readIncoming(ctx, s.DB, a, id)
}

func readIncoming(ctx context.Context, q Queries, a Actor, id int64) (IncomingMessage, error) {
	m, err := q.Incoming(ctx, id)
	if err == nil && m.StoreID != 0 && !a.MaySupervise(m.StoreID) {
		return IncomingMessage{}, notFound()
	}
	return m, err
}

// MayStop tells that a supervisor can take this SMS for a stop: it was not
// understood, and comes from somebody we know, who was not erased.
func (m IncomingMessage) MayStop() bool { return m.Word == NoWord && m.ContactID != 0 && m.Phone != "" }

// StopByIncoming takes an SMS that says in a sentence of its own what STOP
// says in a word for a stop, with everything that follows from one.
func (s *Service) StopByIncoming(ctx context.Context, a Actor, id int64) error {
	if !a.Supervises() {
		return forbidden()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		m, err := readIncoming(ctx, tx, a, id)
		if err != nil || m.Word == StopWord {
			return err
		}
		if !m.MayStop() {
			return &Error{Kind: Conflict, Message: Say("incoming.nobody")}
		}
		contact, err := tx.LockContact(ctx, m.ContactID)
		if err != nil {
			return err
		}
		all, err := tx.CustomerConsents(ctx, contact.ID)
		if err != nil {
			return err
		}
		if yes, ok := standingConsent(all, Communications); ok && yes.Standing() && yes.At.After(m.At) {
			// They have changed their mind since they wrote.
			return &Error{Kind: Conflict, Message: Say("incoming.agreed_since")}
		}
		if err := tx.StopIncoming(ctx, id); err != nil {
			return err
		}
		if _, err := tx.SeeIncoming(ctx, id, a.ID, s.now()); err != nil {
			return err
		}
		stopped, err := s.stopMessages(ctx, tx, contact.ID, FromSMS)
		if err != nil || !stopped {
			return err
		}
		visit, err := tx.LastVisit(ctx, contact.ID)
		if err != nil && !IsNotFound(err) {
			return err
		}
		return s.answer(ctx, tx, contact, visit, StoppedMessage, time.Time{})
	})
}
