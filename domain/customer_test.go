package domain_test

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
)

// page gives the address of the page of a visit's customer.
func (w *world) page(v domain.Visit) string {
	w.t.Helper()
	c, err := w.DB.Contact(w.t.Context(), *v.ContactID)
	if err != nil || c.PageToken == "" {
		w.t.Fatalf("no page: %+v, %v", c, err)
	}
	return c.PageToken
}

func (w *world) customer(token string) domain.CustomerPage {
	w.t.Helper()
	p, err := w.CustomerPage(w.t.Context(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return p
}

func (w *world) data(token string) domain.CustomerData {
	w.t.Helper()
	d, err := w.CustomerData(w.t.Context(), token)
	if err != nil {
		w.t.Fatal(err)
	}
	return d
}

// A code is offered on the page just as long as the till would take it.
func TestCustomerCodeIsLiveAsTheTillSees(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.PromoVoidReturnsUse = false
		owner := w.finished(w.anna, w.verified(w.anna, "+79160000001"), domain.Purchase)
		token, code := w.page(owner), w.promo(w.messages(owner)[0].PromoCodeID)
		live := func(want bool, about string) {
			t.Helper()
			p := w.customer(token)
			if len(p.Codes) != 1 || p.Codes[0].Live(w.Now()) != want {
				t.Fatalf("%s: %+v", about, p.Codes)
			}
			ans, err := w.LookUpPromo(t.Context(), w.anna, code.Code)
			if err != nil || (ans.Refusal == nil) != want {
				t.Fatalf("%s: the till says %+v, %v", about, ans.Refusal, err)
			}
		}
		live(true, "new")
		if err := w.freeze(t.Context(), code.ID, true); err != nil {
			t.Fatal(err)
		}
		live(false, "frozen")
		if err := w.freeze(t.Context(), code.ID, false); err != nil {
			t.Fatal(err)
		}
		live(true, "thawed")
		// A use that a voided purchase does not give back is gone, although no
		// friend has bought with it.
		w.void(w.friend("+79160000002", code))
		w.friend("+79160000003", code)
		last := w.held(w.anna, "+79160000004", code)
		live(false, "held at a till")
		if c := w.customer(token).Codes[0]; c.Over(w.Now()) || c.Friends != 1 {
			t.Errorf("a held use may come back: %+v", c)
		}
		w.bought(w.anna, last)
		live(false, "used up")
		w.clock.Add(91 * 24 * time.Hour)
		live(false, "expired")
		if c := w.customer(token).Codes[0]; !c.Over(w.Now()) {
			t.Error("an expired code is not over")
		}
	})
}

// What the page says of messages is what SendMessage goes by: a yes of
// somebody who only named this number starts nothing again.
func TestCustomerStopHoldsAgainstAnUnprovedYes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		const phone = "+79160000001"
		v := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
		token := w.page(v)
		if w.customer(token).Stopped() {
			t.Fatal("stopped from the beginning")
		}
		for range 2 {
			if err := w.CustomerStop(ctx, token); err != nil {
				t.Fatal(err)
			}
		}
		if m := w.messages(v)[0]; m.State != domain.MessageCancelled || m.Reason != "stopped" {
			t.Errorf("the message is %s, %s", m.State, m.Reason)
		}
		w.contacted(w.timur, phone)
		p := w.customer(token)
		counted, err := w.DB.ContactConsents(ctx, *v.ContactID)
		if err != nil || !p.Stopped() || counted[domain.Communications] {
			t.Errorf("stopped %v, counted %v, %v", p.Stopped(), counted, err)
		}
		// The yes stands with its text, and with what ended it.
		i := slices.IndexFunc(p.Consents, func(c domain.CustomerConsent) bool { return c.Document.Kind == domain.Communications })
		if c := p.Consents[i]; !c.Given || c.TakenBack == nil || c.TakenBack.Source != domain.FromPage || c.ChallengeID == nil || c.Document.Body == "" || c.StoreName == "" {
			t.Errorf("the consent is %+v", c)
		}
		if c := p.Consents[0]; !c.Standing() || c.Document.Kind != domain.PersonalData {
			t.Errorf("the other one is %+v", c)
		}
		// A new yes whose phone answers does start them again.
		w.clock.Add(time.Hour)
		w.verified(w.timur, phone)
		if w.customer(token).Stopped() {
			t.Error("a proved yes does not count")
		}
	})
}

// Whoever named this number by mistake is somebody else: what they bought and
// answered is not told.
func TestCustomerDataIsTheirOwn(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		const phone = "+79160000001"
		friendsCode := w.referral("+79160000009")
		v := w.verified(w.anna, phone)
		v = w.must(w.RecordContact(ctx, w.anna, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр", Answers: map[int64]string{w.set.Questions[0].ID: "friend"}}))
		if _, err := w.ApplyPromo(ctx, w.anna, v.ID, friendsCode.Code); err != nil {
			t.Fatal(err)
		}
		v = w.finished(w.anna, v, domain.Purchase)
		stranger := w.contacted(w.timur, phone)
		stranger = w.must(w.RecordContact(ctx, w.timur, stranger.ID, domain.ContactForm{Phone: phone, Name: "Чужой", Answers: map[int64]string{w.set.Questions[1].ID: "секрет"}}))
		token := w.page(v)
		d := w.data(token)
		if len(d.Visits) != 2 || d.Visits[0].ID != stranger.ID || d.Visits[0].Theirs() || !d.Visits[1].Theirs() {
			t.Fatalf("visits %+v", d.Visits)
		}
		if own := d.Visits[1]; len(own.Answers) != 1 || own.Answers[0].Words("ru") != "От друга" || own.Discount == 0 || own.ProductName == "" {
			t.Errorf("their own visit is %+v", own)
		}
		if d.Contact.Name != "Пётр" || len(d.AllCodes) != 1 || len(d.All) != 4 {
			t.Errorf("%+v, %d codes, %d answers", d.Contact, len(d.AllCodes), len(d.All))
		}
		for _, m := range d.Messages {
			if m.Channel == domain.CodeChannel && m.Body != "" {
				t.Errorf("the text of a code: %+v", m)
			}
		}
		// A code of somebody else is nobody's here.
		if _, err := w.CustomerCode(ctx, token, friendsCode.ID); !domain.IsNotFound(err) {
			t.Errorf("another's code: %v", err)
		}
		if p, err := w.CustomerCode(ctx, token, d.AllCodes[0].ID); err != nil || p.ID != d.AllCodes[0].ID {
			t.Errorf("their own code: %+v, %v", p, err)
		}
	})
}

// Asked many times at once it is on record once, and once more an hour later.
func TestCustomerAsksOnRecord(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		token := w.page(w.finished(w.anna, w.verified(w.anna, "+79160000001"), domain.Purchase))
		ask := func() {
			var all sync.WaitGroup
			for range 6 {
				all.Go(func() {
					if err := w.CustomerAsk(t.Context(), token); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
		}
		ask()
		w.clock.Add(59 * time.Minute)
		ask()
		if n := len(w.data(token).Events); n != 1 {
			t.Errorf("%d records within an hour", n)
		}
		w.clock.Add(2 * time.Minute)
		ask()
		if got := w.data(token).Events; len(got) != 2 || got[1].Kind != domain.ContactAsked || got[1].Source != domain.FromPage {
			t.Errorf("on record: %+v", got)
		}
	})
}

// Erasing takes a tick and the whole number, in whatever spelling; wrong ones
// are few.
func TestCustomerErasesOnlyThemselves(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		v := w.finished(w.anna, w.verified(w.anna, "+79160000001"), domain.Purchase)
		token := w.page(v)
		before := w.dump()
		fields := func(f domain.ErasureForm) string {
			t.Helper()
			err := w.CustomerErase(ctx, token, f)
			if domain.KindOf(err) != domain.Invalid {
				t.Fatalf("%+v: %v", f, err)
			}
			var out []string
			for name, text := range domain.FieldsOf(err) {
				out = append(out, name+" "+text.Key)
			}
			slices.Sort(out)
			return strings.Join(out, ", ")
		}
		for _, c := range []struct {
			form domain.ErasureForm
			want string
		}{
			{domain.ErasureForm{}, "phone contact.phone_empty, sure customer.tick"},
			{domain.ErasureForm{Phone: "+79160000001"}, "sure customer.tick"},
			{domain.ErasureForm{Sure: true, Phone: "12"}, "phone contact.phone_malformed"},
			{domain.ErasureForm{Sure: true, Phone: "+7 916 •••-••-01"}, "phone contact.phone_malformed"},
			// Without the tick nobody learns whether the number is right.
			{domain.ErasureForm{Phone: "+79160000002"}, "sure customer.tick"},
			{domain.ErasureForm{Sure: true, Phone: "+79160000002"}, "phone customer.other_phone"},
			{domain.ErasureForm{Sure: true, Phone: "+49 30 1234567"}, "phone customer.other_phone"},
		} {
			if got := fields(c.form); got != c.want {
				t.Errorf("%+v: %s, want %s", c.form, got, c.want)
			}
		}
		for range 3 {
			fields(domain.ErasureForm{Sure: true, Phone: "+79160000002"})
		}
		err := w.CustomerErase(ctx, token, domain.ErasureForm{Sure: true, Phone: "+79160000001"})
		var e *domain.Error
		if !errors.As(err, &e) || e.Kind != domain.Limited || e.RetryAfter <= 0 {
			t.Fatalf("after five wrong numbers: %v", err)
		}
		if after := w.dump(); after != before {
			t.Error("it left a trace")
		}
		// Whoever has met the limit on one page has not met it on another's.
		for n, spelled := range []string{"8 (916) 000-00-02", "79160000003", "+7 916 000 00 04", " ８９１６０００００05 "} {
			other := w.finished(w.anna, w.verified(w.anna, fmt.Sprintf("+7916000000%d", n+2)), domain.Purchase)
			if err := w.CustomerErase(ctx, w.page(other), domain.ErasureForm{Sure: true, Phone: spelled}); err != nil {
				t.Errorf("%q: %v", spelled, err)
			}
		}
	})
}

// A message that version 6 had scheduled finds a customer without a page: it
// brings the way to one as every other does, and the page is there.
func TestPageOfAnOlderMessage(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer(phoneA)
		w.exec(`UPDATE contacts SET page_token = '' WHERE id = $1`, m.ContactID)
		sent, _ := w.send(m)
		_, token, _ := strings.Cut(sent.Body, "https://shop.example:8443/m/")
		if p, err := w.CustomerPage(t.Context(), token); err != nil || p.Contact.ID != m.ContactID {
			t.Errorf("%q leads to %+v, %v", sent.Body, p.Contact, err)
		}
	})
}
