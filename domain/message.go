package domain

import (
	"context"
	"errors"
	"strconv"
	"strings"
	"time"
)

// MessageKind is what a message is for.
type MessageKind string

// The kinds of message.
const (
	CodeMessage     MessageKind = "code"      // a one-time code; never a row, never stored
	SelfCodeMessage MessageKind = "code_self" // the same, which only the customer may type
	ReferralMessage MessageKind = "referral"  // the buyer's code for friends
	TrialMessage    MessageKind = "trial"     // the trial code
	GiftMessage     MessageKind = "gift"      // to the owner of a code: enough friends have bought
)

// MessageState is where a message stands.
type MessageState string

// The states of a message.
const (
	MessageScheduled  MessageState = "scheduled"
	MessageSending    MessageState = "sending"    // claimed; a crash leaves it here, and it is not sent again
	MessageSent       MessageState = "sent"       // the gateway took it
	MessageFailed     MessageState = "failed"     // the gateway refused it for good
	MessageUnknown    MessageState = "unknown"    // the gateway's answer was ambiguous
	MessageCancelled  MessageState = "cancelled"  // what it was for is gone
	MessageSuppressed MessageState = "suppressed" // it was not allowed when it was due
)

// Message is one text to a customer and its fate.
type Message struct {
	ID          int64
	Kind        MessageKind
	ProgrammeID int64
	ContactID   int64
	Phone       string // of the contact, read through it; E.164
	VisitID     int64  // that caused it
	StoreID     int64  // whose time zone decides the hours
	PromoCodeID int64
	Language    string
	Body        string // as sent; empty until then
	State       MessageState
	Reason      string // why cancelled, suppressed, failed or unknown
	Gateway     string
	DueAt       time.Time
	SettledAt   *time.Time
	CreatedAt   time.Time
}

// templates are the texts to customers per kind and language. They are
// versioned with the program until an administrator can edit them.
var templates = map[MessageKind]map[string]string{
	CodeMessage: {
		"ru": "{code} — ваш код. {brand}, магазин «{store}». Назовите его консультанту, чтобы подтвердить телефон.",
		"en": "{code} is your code. {brand}, store “{store}”. Read it to the advisor to confirm your phone.",
	},
	SelfCodeMessage: {
		"ru": "{code} — ваш код. {brand}, магазин «{store}». Введите его на странице подтверждения в своём телефоне.",
		"en": "{code} is your code. {brand}, store “{store}”. Type it on the confirmation page on your own phone.",
	},
	ReferralMessage: {
		"ru": "{brand}: спасибо за покупку! Ваш промокод {promo}: скидка {discount} для друзей, осталось использований: {left}.{until}",
		"en": "{brand}: thank you! Your promo code {promo} gives friends {discount} off, uses left: {left}.{until}",
	},
	TrialMessage: {
		"ru": "{brand}: спасибо, что попробовали! Ваш промокод {promo}: скидка {discount} на первую покупку.{until}",
		"en": "{brand}: thanks for trying! Your promo code {promo} gives you {discount} off your first purchase.{until}",
	},
	GiftMessage: {
		"ru": "{brand}: друзья купили по вашему промокоду {promo}, вас ждёт подарок{gift}. Заберите его в любом нашем магазине с этим телефоном в руках.",
		"en": "{brand}: friends have bought with your promo code {promo}, a gift is waiting for you{gift}. Collect it at any of our stores with this phone in your hand.",
	},
}

func renderTemplate(kind MessageKind, language string, values map[string]string) string {
	text, ok := templates[kind][language]
	if !ok {
		text = templates[kind]["ru"]
	}
	pairs := make([]string, 0, 2*len(values))
	for k, v := range values {
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.NewReplacer(pairs...).Replace(text)
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

// SendMessageJob sends one programme message.
type SendMessageJob struct {
	MessageID int64 `json:"message_id"`
}

// Kind is the job's name in the queue.
func (SendMessageJob) Kind() string { return "send_message" }

// NextDayAt is when a message that was caused at t leaves: the next day at
// Settings.MessageAt of the store's clock.
func (s *Service) NextDayAt(store Store, t time.Time) time.Time {
	local := t.In(store.Location())
	return time.Date(local.Year(), local.Month(), local.Day()+1, 0, s.Settings.MessageAt, 0, 0, store.Location()).UTC()
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
	return time.Date(local.Year(), local.Month(), day, 0, s.Settings.MessageFrom, 0, 0, store.Location()).UTC()
}

// schedule adds a message and its job, in the transaction of what caused it.
func (s *Service) schedule(ctx context.Context, tx Tx, m Message) error {
	m.State, m.CreatedAt = MessageScheduled, s.now()
	id, err := tx.AddMessage(ctx, m)
	if err != nil {
		return err
	}
	return tx.Enqueue(ctx, SendMessageJob{MessageID: id}, m.DueAt)
}

// SendMessage sends a due message once. It returns the time to try again
// where it is too early, or the zero time where the message is settled.
// force sends outside of the hours: the demo handset's "send now".
func (s *Service) SendMessage(ctx context.Context, id int64, force bool) (time.Time, error) {
	m, err := s.DB.Message(ctx, id)
	if err != nil {
		return time.Time{}, err
	}
	if m.State != MessageScheduled {
		return time.Time{}, nil
	}
	store, err := s.DB.Store(ctx, m.StoreID)
	if err != nil {
		return time.Time{}, err
	}
	if now := s.now(); !force {
		if m.DueAt.After(now) {
			return m.DueAt, nil
		}
		if at := s.nextAllowed(store, now); at.After(now) {
			return at, nil
		}
	}
	if s.SMS == nil {
		return time.Time{}, &Error{Kind: Unavailable, Message: Say("code.no_gateway")}
	}
	body, err := s.messageBody(ctx, m, store)
	if err != nil {
		return time.Time{}, err
	}
	// Claim, send, record: from the claim on the message is never sent again,
	// whatever happens to this process.
	ctx = context.WithoutCancel(ctx)
	claimed, reason := false, ""
	err = s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		claimed, reason = false, ""
		// A withdrawal that is being saved comes first; one that comes later
		// finds the message gone.
		if _, err := tx.LockContact(ctx, m.ContactID); err != nil {
			return err
		}
		var err error
		if claimed, err = tx.ClaimMessage(ctx, m.ID, s.now()); err != nil || !claimed {
			return err
		}
		if reason, err = s.mayMessage(ctx, tx, m); err != nil || reason == "" {
			return err
		}
		return s.settle(ctx, tx, m, MessageSuppressed, reason)
	})
	if err != nil || !claimed || reason != "" {
		return time.Time{}, err
	}
	m.Body, m.Gateway = body, s.SMS.Name()
	state, reason := s.handOver(ctx, m)
	return time.Time{}, s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error { return s.settle(ctx, tx, m, state, reason) })
}

// handOver gives the text to the gateway and names the outcome.
func (s *Service) handOver(ctx context.Context, m Message) (MessageState, string) {
	ctx, cancel := context.WithTimeout(ctx, 10*time.Second)
	defer cancel()
	err := s.SMS.Send(ctx, SMSText{To: m.Phone, Text: m.Body})
	var se *SMSError
	switch {
	case err == nil:
		return MessageSent, ""
	case errors.As(err, &se) && !se.Ambiguous:
		return MessageFailed, "gateway_refused"
	default:
		return MessageUnknown, "gateway_ambiguous"
	}
}

func (s *Service) settle(ctx context.Context, tx Tx, m Message, state MessageState, reason string) error {
	now := s.now()
	m.State, m.Reason, m.SettledAt = state, reason, &now
	return tx.SettleMessage(ctx, m)
}

// mayMessage asks at the last moment what allowed the message when it was
// scheduled; the answer is a reason not to send, or nothing.
func (s *Service) mayMessage(ctx context.Context, q Queries, m Message) (string, error) {
	programme, err := q.Programme(ctx, m.ProgrammeID)
	if err != nil {
		return "", err
	}
	consents, err := q.ContactConsents(ctx, m.ContactID)
	if err != nil {
		return "", err
	}
	c, err := q.Contact(ctx, m.ContactID)
	if err != nil {
		return "", err
	}
	p, err := q.PromoCodeByID(ctx, m.PromoCodeID)
	if err != nil {
		return "", err
	}
	switch {
	case !programme.discounts():
		return "programme_off", nil
	case !consents[PersonalData] || !consents[Communications]:
		return "no_consent", nil
	case c.VerifiedAt == nil:
		return "not_verified", nil
	case m.Kind == GiftMessage:
		// A gift comes of a code that is used up, so that is no reason here.
		gift, err := q.GiftOfCode(ctx, m.PromoCodeID)
		if IsNotFound(err) || err == nil && gift.State != GiftEarned {
			return "gift_gone", nil
		}
		return "", err
	case p.State != PromoActive || p.Expired(s.now()) || p.Left() <= 0:
		return "code_dead", nil
	}
	return "", nil
}

func (s *Service) messageBody(ctx context.Context, m Message, store Store) (string, error) {
	programme, err := s.DB.Programme(ctx, m.ProgrammeID)
	if err != nil {
		return "", err
	}
	p, err := s.DB.PromoCodeByID(ctx, m.PromoCodeID)
	if err != nil {
		return "", err
	}
	until := ""
	if p.ExpiresAt != nil {
		day := p.LastDay().In(store.Location()).Format("02.01.2006")
		until = map[string]string{"en": " Valid until " + day + "."}[m.Language]
		if until == "" {
			until = " Действует до " + day + "."
		}
	}
	gift := programme.GiftTitle.In(m.Language)
	if gift != "" {
		gift = ": " + gift
	}
	return renderTemplate(m.Kind, m.Language, map[string]string{
		"brand": programme.Brand, "promo": FormatPromoCode(p.Code), "discount": p.Discount.inWords(),
		"left": strconv.Itoa(p.Left()), "until": until,
		"gift": gift,
	}), nil
}
