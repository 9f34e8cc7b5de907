package domain

import (
	"context"
	"strings"
	"time"
)

// CustomerPage is what a customer's own page shows: what they have from us,
// what they agreed to, and the ways to end it.
type CustomerPage struct {
	Contact  Contact
	Brand    string // of the programme that wrote last
	Codes    []CustomerCode
	Consents []CustomerConsent // what counts of each document, in the order of reading
}

// Stopped tells that no messages come: the customer took that consent back.
func (p CustomerPage) Stopped() bool {
	for _, c := range p.Consents {
		if c.Document.Kind == Communications {
			return !c.Standing()
		}
	}
	return true
}

// CustomerCode is a promo code as its owner sees it.
type CustomerCode struct {
	PromoCode
	Brand     string
	On        bool   // the programme runs and gives discounts
	Zone      string // time zone of the store where it was earned
	Friends   int    // who have bought with it
	Gift      *Gift  // earned or collected; nil otherwise
	GiftTitle Localised
	GiftAt    int // friends that earn a gift; 0: none
}

// Location is where the days of the code are counted.
func (c CustomerCode) Location() *time.Location { return Store{TimeZone: c.Zone}.Location() }

// Live tells whether somebody may buy with the code at t.
func (c CustomerCode) Live(t time.Time) bool {
	return c.On && c.State == PromoActive && !c.Expired(t) && c.Left() > 0
}

// Over tells whether nobody will buy with the code any more. One that is only
// stopped may come back.
func (c CustomerCode) Over(t time.Time) bool {
	return c.State == PromoVoid || c.Expired(t) || c.Friends >= c.MaxUses
}

// CustomerConsent is an answer with where it was given.
type CustomerConsent struct {
	Consent
	StoreName string // empty where no store was the source
	Zone      string
	Counts    bool             // it came from the phone, or the phone has answered in its visit
	TakenBack *CustomerConsent // the no that came after this yes; nil: it stands, or is a no itself
}

// Standing tells whether the consent is given now.
func (c CustomerConsent) Standing() bool { return c.Given && c.TakenBack == nil }

// CustomerData is everything that is kept about a customer.
type CustomerData struct {
	CustomerPage
	AllCodes []CustomerCode    // void ones too
	All      []CustomerConsent // every answer, oldest first
	Visits   []CustomerVisit
	Messages []Message
	Incoming []CustomerSMS
	Events   []ContactEvent
}

// CustomerVisit is a visit as the customer may see it.
type CustomerVisit struct {
	VisitRow
	Answers []CustomerAnswer
}

// Theirs tells whether it was this customer who stood there: their phone has
// answered. Anybody can name somebody else's number by mistake, and what that
// person bought and answered is not the customer's to read.
func (v CustomerVisit) Theirs() bool { return v.VerifiedAt != nil }

// CustomerAnswer is an answer with its question.
type CustomerAnswer struct {
	VisitID int64
	Title   Localised
	Value   string
	Options []Option
}

// Words are the answer as it was offered, or as it was typed.
func (a CustomerAnswer) Words(language string) string {
	for _, o := range a.Options {
		if o.Value == a.Value {
			return o.Title.In(language)
		}
	}
	return a.Value
}

// CustomerSMS is an SMS that the customer has sent to us.
type CustomerSMS struct {
	Body string
	At   time.Time
}

// customer gives the contact of a page. Pages that never were, and those of
// people who were erased, are one to whoever asks: the same answer after the
// same single read.
func (s *Service) customer(ctx context.Context, token string) (Contact, error) {
	return s.DB.ContactByToken(ctx, readToken(token))
}

// CustomerPage gives a customer's own page.
func (s *Service) CustomerPage(ctx context.Context, token string) (CustomerPage, error) {
	c, err := s.customer(ctx, token)
	if err != nil {
		return CustomerPage{}, err
	}
	d, err := s.customerPage(ctx, c)
	return d.CustomerPage, err
}

// customerPage gives the page, and the lists that it takes what counts from.
func (s *Service) customerPage(ctx context.Context, c Contact) (CustomerData, error) {
	d := CustomerData{CustomerPage: CustomerPage{Contact: c}}
	var err error
	if d.Brand, err = s.DB.CustomerBrand(ctx, c.ID); err != nil {
		return d, err
	}
	if d.AllCodes, err = s.DB.CustomerCodes(ctx, c.ID); err != nil {
		return d, err
	}
	for i := range d.AllCodes {
		code := &d.AllCodes[i]
		g, err := s.DB.GiftOfCode(ctx, code.ID)
		if err != nil && !IsNotFound(err) {
			return d, err
		}
		if err == nil && g.State != GiftRevoked {
			code.Gift = &g
		}
		if code.State != PromoVoid {
			d.Codes = append(d.Codes, *code)
		}
	}
	if d.All, err = s.DB.CustomerConsents(ctx, c.ID); err != nil {
		return d, err
	}
	for _, kind := range ConsentKinds() {
		if c, ok := standingConsent(d.All, kind); ok {
			d.Consents = append(d.Consents, c)
		}
	}
	return d, nil
}

// standingConsent gives the last yes to a kind of document that counts, with
// the no that followed; or the last no where there was never such a yes.
func standingConsent(all []CustomerConsent, kind ConsentKind) (out CustomerConsent, ok bool) {
	for _, c := range all { // oldest first
		switch {
		case c.Document.Kind != kind || !c.Counts:
		case c.Given || !out.Given:
			out, ok = c, true
		default:
			out.TakenBack = &c
		}
	}
	return out, ok
}

// CustomerCode gives one code of a customer's own.
func (s *Service) CustomerCode(ctx context.Context, token string, id int64) (PromoCode, error) {
	c, err := s.customer(ctx, token)
	if err != nil {
		return PromoCode{}, err
	}
	p, err := s.DB.PromoCodeByID(ctx, id)
	if err == nil && (p.OwnerID != c.ID || p.State == PromoVoid) {
		err = notFound()
	}
	if err != nil {
		return PromoCode{}, err
	}
	return p, nil
}

// CustomerStop takes the consent to messages back. Once more changes nothing.
func (s *Service) CustomerStop(ctx context.Context, token string) error {
	c, err := s.customer(ctx, token)
	if err != nil {
		return err
	}
	return s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		_, err := s.stopMessages(ctx, tx, c.ID, FromPage)
		return err
	})
}

// askedPause is how long asking for one's data again leaves no second record.
const askedPause = time.Hour

// CustomerAsk records that a customer asked what is kept about them. The law
// gives ten working days for the answer (152-ФЗ art. 20); CustomerData is the
// answer at once.
func (s *Service) CustomerAsk(ctx context.Context, token string) error {
	c, err := s.customer(ctx, token)
	if err != nil {
		return err
	}
	return s.DB.InTx(context.WithoutCancel(ctx), func(ctx context.Context, tx Tx) error {
		if _, err := tx.LockContact(ctx, c.ID); err != nil {
			return err
		}
		past, err := tx.ContactEvents(ctx, c.ID)
		if err != nil {
			return err
		}
		for _, e := range past {
			// Whoever has the address could fill the books otherwise.
			if e.Kind == ContactAsked && e.At.After(s.now().Add(-askedPause)) {
				return nil
			}
		}
		return tx.AddContactEvent(ctx, ContactEvent{ContactID: c.ID, Kind: ContactAsked, Source: FromPage, At: s.now()})
	})
}

// CustomerData gives everything that is kept about a customer.
func (s *Service) CustomerData(ctx context.Context, token string) (CustomerData, error) {
	c, err := s.customer(ctx, token)
	if err != nil {
		return CustomerData{}, err
	}
	d, err := s.customerPage(ctx, c)
	if err != nil {
		return d, err
	}
	if d.Visits, err = s.DB.CustomerVisits(ctx, c.ID); err != nil {
		return d, err
	}
	if d.Messages, err = s.DB.CustomerMessages(ctx, c.ID); err != nil {
		return d, err
	}
	if d.Incoming, err = s.DB.CustomerSMS(ctx, c.ID); err != nil {
		return d, err
	}
	d.Events, err = s.DB.ContactEvents(ctx, c.ID)
	return d, err
}

// ErasureForm is what erasing oneself asks, as typed.
type ErasureForm struct {
	Sure  bool
	Phone string
}

// erasureTries is how many phones may be tried on a page within an hour.
const erasureTries = 5

// CustomerErase erases the customer of a page, who has ticked that they are
// sure. There is no way back, and an address may be passed on or looked over
// somebody's shoulder: so it takes the whole number, which the page shows to
// nobody. It needs no SMS, which would not come to whoever has lost the phone
// or blocked us.
func (s *Service) CustomerErase(ctx context.Context, token string, f ErasureForm) error {
	c, err := s.customer(ctx, token)
	if err != nil {
		return err
	}
	faults := map[string]Text{}
	typed := s.anyPhone(f.Phone)
	if untyped(f.Phone) {
		faults["phone"] = Say("contact.phone_empty")
	} else if typed == "" {
		faults["phone"] = Say("contact.phone_malformed")
	}
	if !f.Sure {
		faults["sure"] = Say("customer.tick")
	}
	if len(faults) == 0 {
		ok, wait, err := s.Throttle.Allow(ctx, "erasure:"+s.PhoneKey(c.Phone), erasureTries, time.Hour)
		if err != nil {
			return err
		}
		if !ok {
			return &Error{Kind: Limited, Message: Say("customer.tries", "Count", minutes(wait)), RetryAfter: wait}
		}
		if typed == c.Phone {
			return s.eraseCustomer(ctx, c.ID, FromPage)
		}
		faults["phone"] = Say("customer.other_phone")
	}
	return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: faults}
}

// anyPhone reads a phone in any spelling of any country, empty where it is
// none: the countries that are allowed may have changed since it was recorded.
func (s *Service) anyPhone(typed string) string {
	if p := s.parsePhone(typed); p.fault == nil {
		return p.e164
	}
	digits := strings.Map(func(r rune) rune {
		if r < '0' || r > '9' {
			return -1
		}
		return r
	}, foldDigits(typed))
	if len(digits) < 7 || len(digits) > 15 {
		return ""
	}
	return "+" + digits
}
