package domain

import (
	"context"
	"regexp"
	"strings"
	"time"
)

// DeliveryReport is what a gateway tells of a text.
type DeliveryReport struct {
	MessageID int64        // ours; 0 where the gateway knows only its own name
	GatewayID string       // its own; may be empty. Some build it of the phone, so it is never logged
	State     MessageState // accepted, delivered or undelivered; empty: nothing that we know
	Status    string       // the gateway's own word
	Detail    string       // fields that we don't know, JSON, without phone and text
}

// key tells a report from another one of the same text: the same again has the
// same key.
func (r DeliveryReport) key() string { return r.Status + " " + r.Detail }

// DeliveryRow is a report on record.
type DeliveryRow struct {
	MessageID int64
	Gateway   string
	ReportKey string
	State     MessageState
	Status    string
	Detail    string
	At        time.Time
}

// TakeReport notes what a gateway tells, once, in whatever order it comes:
// "delivered" is the last word, and nothing that comes late takes it back.
// A report of a text that we don't know is NotFound.
func (s *Service) TakeReport(ctx context.Context, gateway string, r DeliveryReport) error {
	r.GatewayID, r.Status, r.Detail = shorten(r.GatewayID, maxGatewayID), shorten(r.Status, 100), shorten(r.Detail, 2000)
	return s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		id := r.MessageID
		if id == 0 {
			var err error
			if id, err = tx.MessageByGatewayID(ctx, gateway, r.GatewayID); err != nil {
				return err
			}
		}
		m, err := tx.LockMessage(ctx, id)
		if err != nil {
			return err
		}
		r.Status, r.Detail = WithoutPhone(r.Status, m.Phone), WithoutPhone(r.Detail, m.Phone)
		if m.Phone == "" || ErasedPhone(m.Phone) {
			// What comes late must not bring back who it was.
			r.GatewayID, r.Status, r.Detail = "", string(r.State), ""
		}
		if m.ChallengeID != "" {
			// A gateway may repeat the text, and a code stands nowhere here.
			code := s.code(m.ChallengeID)
			r.Status, r.Detail = strings.ReplaceAll(r.Status, code, "…"), strings.ReplaceAll(r.Detail, code, "…")
		}
		if m.Gateway != "" && m.Gateway != gateway {
			return notFound()
		}
		first, err := tx.AddDeliveryReport(ctx, DeliveryRow{
			MessageID: id, Gateway: gateway, ReportKey: shorten(r.key(), 500), State: r.State,
			Status: r.Status, Detail: r.Detail, At: s.now(),
		})
		if err != nil || !first {
			return err
		}
		if !m.reported(r, s.now()) {
			return nil
		}
		m.Gateway = gateway
		if m.GatewayID == "" {
			m.GatewayID = r.GatewayID
		}
		// It came before its answer was on record, or the program ended between.
		for _, g := range s.Gateways {
			if g.Name == gateway && m.Price == 0 {
				m.Price = int64(m.Parts) * g.PartPrice
			}
		}
		return tx.SaveDelivery(ctx, m)
	})
}

// reported moves a message by a report, and tells whether it did.
func (m *Message) reported(r DeliveryReport, now time.Time) bool {
	// A message that was not claimed can't have been sent, unless a gateway
	// took what it seemed to be too far away for.
	left := m.State != MessageScheduled || m.Attempts > 0
	if !left || m.State == MessageCancelled || m.State == MessageSuppressed {
		return false
	}
	switch r.State {
	case MessageDelivered:
		if m.State == MessageDelivered {
			return false
		}
		m.State, m.Reason, m.SettledAt = MessageDelivered, "", &now
	case MessageUndelivered:
		if m.State == MessageDelivered || m.State == MessageUndelivered {
			return false
		}
		m.State, m.Reason, m.SettledAt = MessageUndelivered, ReasonNotArrived, &now
	case MessageAccepted:
		if m.State != MessageSending && m.State != MessageUnknown && m.State != MessageScheduled {
			return false
		}
		m.State, m.Reason, m.SettledAt = MessageAccepted, "", nil
	default:
		return false
	}
	if m.AcceptedAt == nil {
		m.AcceptedAt = &now
	}
	if m.SendingAt == nil {
		m.SendingAt = &now
	}
	return true
}

// WithoutPhone blots a phone, E.164, out of what a gateway tells, in whatever
// spelling: it stands in the contact, and is erased there. As in a masked
// phone, country and area stay.
func WithoutPhone(text, phone string) string {
	const subscriber = 7 // its last digits
	if len(phone) <= subscriber {
		return text
	}
	digits := strings.Split(phone[len(phone)-subscriber:], "")
	return regexp.MustCompile(strings.Join(digits, `[\s().-]*`)).ReplaceAllLiteralString(text, "…")
}

// shorten makes what a gateway says fit for the database: not endless, and no
// bytes that PostgreSQL would refuse.
func shorten(s string, most int) string {
	s = strings.ReplaceAll(strings.ToValidUTF8(s, "\uFFFD"), "\x00", "\uFFFD")
	for i := range s {
		if i > most {
			return s[:i]
		}
	}
	return s
}

// AskDeliveryJob asks a gateway that makes no calls what became of a message.
type AskDeliveryJob struct {
	MessageID int64 `json:"message_id"`
	Code      bool  `json:"code,omitempty"` // an advisor waits for the answer
}

// Kind is the job's name in the queue.
func (AskDeliveryJob) Kind() string { return "ask_delivery" }

// Queue keeps the questions about a hundred thousand messages from standing
// before other jobs, that about a code among them.
func (j AskDeliveryJob) Queue() string {
	if j.Code {
		return ""
	}
	return AskQueue
}

// AskQueue is the queue of questions about messages for which nobody waits.
const AskQueue = "ask_delivery"

// askAfter is the pause before the n-th question, from 0: quick at first, for
// an advisor waits for a code; then slower and slower.
func askAfter(n int) time.Duration {
	return min(time.Hour, 2*time.Second<<min(n, 20))
}

// AskDelivery asks the gateway about a message that it has taken. It returns
// when to ask again, or the zero time where the answer is known.
func (s *Service) AskDelivery(ctx context.Context, id int64) (time.Time, error) {
	m, err := s.DB.Message(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	if m.State != MessageAccepted || m.GatewayID == "" {
		return time.Time{}, nil
	}
	for _, g := range s.Gateways {
		if g.Name != m.Gateway || g.Statuses == nil {
			continue
		}
		ask, cancel := context.WithTimeout(ctx, messageDeadline)
		r, err := g.Statuses.Status(ask, m.GatewayID)
		cancel()
		if err == nil {
			r.MessageID, r.GatewayID = m.ID, m.GatewayID
			err = s.TakeReport(ctx, g.Name, r)
		}
		if err == nil && (r.State == MessageDelivered || r.State == MessageUndelivered) {
			return time.Time{}, nil
		}
		// What fails is asked again like what is not known yet.
		n := 0
		for waited := askAfter(0); s.now().Sub(*m.AcceptedAt) >= waited; waited += askAfter(n) {
			n++
		}
		return s.now().Add(askAfter(n)), nil
	}
	return time.Time{}, nil
}

// SweepMessagesJob ends what nobody will tell of any more.
type SweepMessagesJob struct{}

// Kind is the job's name in the queue.
func (SweepMessagesJob) Kind() string { return "sweep_messages" }

// interruptedAfter is far above every deadline of a sending: what is claimed
// for longer was left behind by a program that ended.
const interruptedAfter = time.Minute

// SweepMessages says "unknown" of messages that were claimed and never
// recorded, and of those that were taken and never reported. A report that
// comes later settles them all the same.
func (s *Service) SweepMessages(ctx context.Context) error {
	now := s.now()
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.SweepMessages(ctx, MessageSending, now.Add(-interruptedAfter), ReasonInterrupted, now); err != nil {
			return err
		}
		return tx.SweepMessages(ctx, MessageAccepted, now.Add(-s.Settings.MessageReportWithin), ReasonNoReport, now)
	})
}
