package domain

import (
	"context"
	"strconv"
	"time"
)

// MessageChannel is the way a message goes. The two ways of texts to customers
// have nothing in common that one could take from the other.
type MessageChannel string

// The channels.
const (
	CodeChannel      MessageChannel = "code"      // one-time codes, sent within the request
	ProgrammeChannel MessageChannel = "programme" // what the programme promises, by the queue, in allowed hours
	ServiceChannel   MessageChannel = "service"   // answers to a customer's SMS and trial sendings, by the queue, at once
)

// MessageKind is what a message is for.
type MessageKind string

// The kinds of message.
const (
	CodeMessage     MessageKind = "code"      // a one-time code; its text is never stored
	SelfCodeMessage MessageKind = "code_self" // the same, which only the customer may type
	ReferralMessage MessageKind = "referral"  // the buyer's code for friends
	TrialMessage    MessageKind = "trial"     // the trial code
	GiftMessage     MessageKind = "gift"      // to the owner of a code: enough friends have bought
	StoppedMessage  MessageKind = "stopped"   // answer to STOP: nothing will come any more
	StartedMessage  MessageKind = "started"   // answer to START: what it takes
)

// MessageState is where a message stands: scheduled → sending → accepted →
// delivered, undelivered or unknown; or cancelled, or suppressed. A message
// that no gateway could be reached for is scheduled again.
type MessageState string

// The states of a message.
const (
	MessageScheduled   MessageState = "scheduled"
	MessageSending     MessageState = "sending"     // claimed: from here on it is never sent a second time
	MessageAccepted    MessageState = "accepted"    // the gateway took it
	MessageDelivered   MessageState = "delivered"   // it came to the phone
	MessageUndelivered MessageState = "undelivered" // refused, or given up by gateway or operator
	MessageUnknown     MessageState = "unknown"     // nobody can say; a late report still settles it
	MessageCancelled   MessageState = "cancelled"   // what it was for is gone
	MessageSuppressed  MessageState = "suppressed"  // it was not allowed when it was due
)

// Reasons why a message was not sent, or nobody knows whether it was.
const (
	ReasonRefused     = "gateway_refused"   // every gateway refused it
	ReasonAmbiguous   = "gateway_ambiguous" // it was given away, and no clear answer came
	ReasonDown        = "gateways_down"     // no gateway could be reached for too long
	ReasonInterrupted = "interrupted"       // this program ended while it was being sent
	ReasonNoReport    = "no_report"         // taken by the gateway, and never heard of again
	ReasonNotArrived  = "not_arrived"       // the gateway or the operator gave it up
)

// Message is one text to a customer and its fate.
type Message struct {
	ID              int64
	Channel         MessageChannel
	Kind            MessageKind
	ProgrammeID     int64
	ContactID       int64  // 0: a trial sending, or a code whose customer took the consent back
	Phone           string // of the contact, read through it; E.164
	VisitID         int64  // that caused it; 0 where none did
	StoreID         int64  // whose time zone decides the hours; 0 where nothing has to wait
	PromoCodeID     int64
	ChallengeID     string // of a code
	Language        string
	TemplateVersion int    // that the text was made of; 0: the one that the program brings
	Body            string // as sent; empty until then, and always for a code
	Parts           int    // SMS that are paid for
	Price           int64  // kopecks, all parts together
	State           MessageState
	Reason          string // why cancelled, suppressed, undelivered or unknown
	Gateway         string
	GatewayID       string     // the gateway's own name for it
	Attempts        int        // at which no gateway could be reached
	DueAt           time.Time  // when it shall leave
	SendingAt       *time.Time // when it was claimed
	AcceptedAt      *time.Time // when the gateway had taken it
	SettledAt       *time.Time // when it came to its end
	CreatedAt       time.Time
}

// ChangedAt is when the message came into its state.
func (m Message) ChangedAt() time.Time {
	for _, t := range []*time.Time{m.SettledAt, m.AcceptedAt, m.SendingAt} {
		if t != nil && (m.State != MessageScheduled) {
			return *t
		}
	}
	return m.CreatedAt
}

// MessageDue is what tells whether a message may leave now: a hundred thousand
// of them are asked for it, and only those that may are worth the facts.
type MessageDue struct {
	ID        int64
	ContactID int64
	Channel   MessageChannel
	State     MessageState
	DueAt     time.Time
	TimeZone  string // of the store
}

// MessageFacts is a message with everything that allows it and that its text
// is made of, read at one moment.
type MessageFacts struct {
	Message
	Brand          string
	GiftTitle      Localised
	ProgrammeOn    bool // it runs and gives discounts
	TimeZone       string
	About          PromoCode
	PersonalData   bool // the contact's newest answer
	Communications bool
	VerifiedAt     *time.Time
	ErasedAt       *time.Time
	PageToken      string
	Gift           GiftState // of the promo code; empty where it earned none
	LastWeek       int       // programme messages that left for this contact within seven days
	NewestVersion  int       // of the template; 0: none was written
	Template       string
}

func (f MessageFacts) due() MessageDue {
	return MessageDue{ID: f.ID, ContactID: f.ContactID, Channel: f.Channel, State: f.State, DueAt: f.DueAt, TimeZone: f.TimeZone}
}

// FormatPromoCode groups a code 3-3-4, as it is shown and spoken.
func FormatPromoCode(code string) string {
	if len(code) != promoDigits {
		return code
	}
	return code[:3] + " " + code[3:6] + " " + code[6:]
}

// inWords writes a discount for a text: "15%" or "500 ₽".
func (d Discount) inWords() string {
	if d.Percent > 0 {
		return strconv.Itoa(d.Percent) + "%"
	}
	rub := strconv.FormatInt(d.Kopecks/100, 10)
	if k := d.Kopecks % 100; k != 0 {
		rub += "," + strconv.FormatInt(100+k, 10)[1:]
	}
	return rub + " ₽"
}

// SendMessageJob sends one message that is due.
type SendMessageJob struct {
	MessageID int64 `json:"message_id"`
	Answer    bool  `json:"answer,omitempty"` // to somebody who has just written
}

// Kind is the job's name in the queue.
func (SendMessageJob) Kind() string { return "send_message" }

// Queue keeps a hundred thousand due messages from standing before other jobs.
func (SendMessageJob) Queue() string { return MessageQueue }

// Priority lets an answer to STOP go before a hundred thousand due messages.
func (j SendMessageJob) Priority() int {
	if j.Answer {
		return 1
	}
	return 2
}

// MessageQueue is the queue of everything that is sent.
const MessageQueue = "messages"

// NextDayAt is when a message that was caused at t leaves: the next day at
// Settings.MessageAt of the store's clock.
func (s *Service) NextDayAt(store Store, t time.Time) time.Time {
	year, month, day := t.In(store.Location()).Date()
	return clockAt(year, month, day+1, s.Settings.MessageAt, store.Location())
}

// nextAllowed is t where the store's clock allows messages then, otherwise
// the next moment when it does.
func (s *Service) nextAllowed(store Store, t time.Time) time.Time {
	local := t.In(store.Location())
	minute := local.Hour()*60 + local.Minute()
	day := local.Day()
	switch {
	case minute >= s.Settings.MessageFrom && minute < s.Settings.MessageUntil:
		return t
	case minute >= s.Settings.MessageUntil:
		day++
	}
	return clockAt(local.Year(), local.Month(), day, s.Settings.MessageFrom, store.Location())
}

// pageToken is the length of the random part of a customer's address: 95 bits,
// and short, because each character is a part of an SMS.
const pageToken = 16

// schedule adds a programme message and its job, in the transaction of what
// caused it.
// The customer gets a page of their own with it, which the text leads to.
func (s *Service) schedule(ctx context.Context, tx Tx, m Message) error {
	m.Channel, m.State, m.CreatedAt = ProgrammeChannel, MessageScheduled, s.now()
	if err := tx.DrawPageToken(ctx, m.ContactID, linkToken(pageToken)); err != nil {
		return err
	}
	id, err := tx.AddMessage(ctx, m)
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, SendMessageJob{MessageID: id}, m.DueAt)
}

// mayMessage asks at the last moment what allowed the message when it was
// scheduled; the answer is a reason not to send, or nothing.
func (s *Service) mayMessage(f MessageFacts) string {
	switch {
	case f.ErasedAt != nil:
		return "erased"
	case f.Channel == ServiceChannel:
		return "" // the person has just asked for it
	case !f.ProgrammeOn:
		return "programme_off"
	case !f.PersonalData || !f.Communications:
		return "no_consent"
	case f.VerifiedAt == nil:
		return "not_verified"
	case f.Kind == GiftMessage && f.Gift != GiftEarned:
		return "gift_gone"
	// A gift comes of a code that is used up, so that is no reason then.
	case f.Kind != GiftMessage && (f.About.State != PromoActive || f.About.Expired(s.now()) || f.About.Left() <= 0):
		return "code_dead"
	case f.LastWeek >= s.Settings.MessagesPerWeek:
		return "week_full"
	}
	return ""
}

// text makes the message of its newest template.
func (s *Service) text(f MessageFacts) (body string, version int) {
	if f.NewestVersion > 0 {
		return fillTemplate(f.Template, s.values(f)), f.NewestVersion
	}
	return fillTemplate(builtInTemplate(f.Kind, f.Language), s.values(f)), 0
}

// values are what takes the places in a text. Those that not everybody has
// bring the space or colon before them along.
func (s *Service) values(f MessageFacts) map[string]string {
	until := ""
	if f.About.ExpiresAt != nil {
		day := f.About.LastDay().In(Store{TimeZone: f.TimeZone}.Location()).Format("02.01.2006")
		until = map[string]string{"en": " Valid until " + day + "."}[f.Language]
		if until == "" {
			until = " Действует до " + day + "."
		}
	}
	gift := f.GiftTitle.In(f.Language)
	if gift != "" {
		gift = ": " + gift
	}
	return map[string]string{
		"brand": f.Brand, "promo": FormatPromoCode(f.About.Code), "discount": f.About.Discount.inWords(),
		"left": strconv.Itoa(f.About.Left()), "until": until, "gift": gift, "link": s.PageURL(f.PageToken),
	}
}

// codeText makes the SMS with a code, which ends with the line that binds it
// to our site.
func (s *Service) codeText(body string, values map[string]string) string {
	return fillTemplate(body, values) + s.boundTo(values["code"])
}

// PageURL is the whole address of a customer's own page, as it stands in an
// SMS; empty where they have none.
func (s *Service) PageURL(token string) string {
	if token == "" {
		return ""
	}
	return s.SiteURL + "/m/" + token
}
