package domain_test

import (
	"context"
	"fmt"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
)

// Each test here is a way by which a phone or a code came back, or was told,
// after its owner was gone.

// odd is a phone as no program would look for it.
func odd(phone string) string {
	n := len(phone)
	return "8 (" + phone[2:n-7] + ") " + phone[n-7:n-4] + "-" + phone[n-4:n-2] + "-" + phone[n-2:]
}

// traceless fails where the database tells the phone.
func (w *world) traceless(phone string) {
	w.t.Helper()
	text := w.dump()
	if at := traceOf(phone, "Пётр").FindStringIndex(text); at != nil {
		w.t.Errorf("left: …%s", text[max(0, at[0]-200):min(len(text), at[1]+50)])
	}
}

// A visit lets go of its customer, who is known from nowhere else: neither the
// gateway's name for the code nor what was reported of it tells the phone, and
// what is reported later brings nothing back.
func TestCodeOfAVisitThatWasLetGo(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.sentTo(w.anna, phoneA)
		m := w.codeMessage(v)
		if !strings.Contains(m.GatewayID, phoneA) {
			t.Fatalf("the gateway's name is %q", m.GatewayID)
		}
		reported := func(status string) {
			t.Helper()
			if err := w.TakeReport(t.Context(), "test", domain.DeliveryReport{
				MessageID: m.ID, GatewayID: m.GatewayID, State: domain.MessageAccepted, Status: status, Detail: `{"x":"` + odd(phoneA) + `"}`,
			}); err != nil {
				t.Fatal(err)
			}
		}
		reported("buffered")
		w.consent(w.anna, v, false, false)
		w.traceless(phoneA)
		if got := w.message(m.ID); got.ContactID != 0 || got.GatewayID != "" || got.State != domain.MessageAccepted {
			t.Errorf("the code is %+v", got)
		}
		reported("buffered")
		reported("taken")
		w.traceless(phoneA)
		rows, err := w.DB.DeliveryReports(t.Context(), m.ID)
		if err != nil || len(rows) < 2 {
			t.Errorf("on record: %+v, %v", rows, err)
		}
	})
}

// The gateway answers after its customer was erased: of an open visit, of one
// that has ended and may still be verified, and of a programme message.
func TestErasedWhileOnTheWay(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for _, c := range []struct {
			what, phone string
			begin       func(phone string) domain.Visit // whose contact is erased
			send        func(v domain.Visit) error
		}{
			{"a code of an open visit", "+79160000031", func(phone string) domain.Visit { return w.contacted(w.anna, phone) }, func(v domain.Visit) error {
				_, err := w.SendCode(ctx, w.anna, v.ID, w.request())
				return err
			}},
			{"a code of one that has ended", "+79160000032", func(phone string) domain.Visit { return w.deferred(phone, domain.Purchase) }, func(v domain.Visit) error {
				w.clock.Add(time.Hour)
				return w.SelfSend(ctx, v.SelfToken, w.request(), customersAddress)
			}},
			{"a programme message", "+79160000033", w.buyer, func(v domain.Visit) error {
				m := w.messages(v)[0]
				w.clock.Set(m.DueAt)
				_, err := w.SendMessage(ctx, m.ID, false)
				return err
			}},
		} {
			for reportedFirst, again := range map[bool]string{false: "0", true: "1"} {
				phone := c.phone[:10] + again + c.phone[11:]
				v := c.begin(phone)
				var sent domain.SMSText
				erases := hooked{w.sms, func(m domain.SMSText) {
					sent = m
					if reportedFirst {
						if err := w.report(domain.Message{ID: m.MessageID}, "test", domain.MessageDelivered); err != nil {
							t.Error(err)
						}
					}
					w.erase(*v.ContactID)
				}}
				g := w.sms.Gateway()
				g.Codes, g.Messages = erases, erases
				w.Gateways = []domain.Gateway{g}
				if err := c.send(v); err != nil {
					t.Errorf("%s: %v", c.what, err)
				}
				w.Gateways = []domain.Gateway{w.sms.Gateway()}
				want := map[bool]domain.MessageState{false: domain.MessageAccepted, true: domain.MessageDelivered}[reportedFirst]
				if got := w.message(sent.MessageID); sent.To != phone || got.State != want || got.GatewayID != "" {
					t.Errorf("%s: to %s, the message is %+v", c.what, sent.To, got)
				}
				w.traceless(phone)
			}
		}
	})
}

// opened does something when a challenge was opened, before its SMS is made.
type opened struct {
	domain.Challenges
	do func()
}

func (o opened) Open(ctx context.Context, r domain.OpenRequest) (domain.OpenResult, error) {
	res, err := o.Challenges.Open(ctx, r)
	o.do()
	return res, err
}

// In another tab the number is changed, or a consent taken back, or the
// customer erases themselves, while the code is being made: no SMS leaves. What
// Redis has counted for it is on record.
func TestCodeForAPhoneThatIsGone(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		challenges := w.Challenges
		for what, c := range map[string]struct {
			begin func(phone string) domain.Visit
			gone  func(v domain.Visit) error
			self  bool
			key   string
		}{
			"another number": {key: "code.phone_changed", gone: func(v domain.Visit) error {
				_, err := w.RecordContact(ctx, w.anna, v.ID, domain.ContactForm{Phone: phoneB, Name: "Пётр"})
				return err
			}},
			"no consent to personal data": {key: "code.phone_changed", gone: func(v domain.Visit) error {
				w.consent(w.anna, v, false, false)
				return nil
			}},
			"no consent to messages": {key: "code.no_consent", gone: func(v domain.Visit) error {
				w.consent(w.anna, v, true, false)
				return nil
			}},
			"erased": {key: "code.phone_changed", gone: func(v domain.Visit) error { return w.EraseCustomer(ctx, *v.ContactID, domain.FromPage) }},
			"erased after the visit": {
				self: true, begin: func(phone string) domain.Visit { return w.deferred(phone, domain.Purchase) },
				gone: func(v domain.Visit) error { return w.EraseCustomer(ctx, *v.ContactID, domain.FromPage) },
			},
		} {
			w.n++
			phone := fmt.Sprintf("+791600001%02d", w.n)
			w.Challenges = challenges
			if c.begin == nil {
				c.begin = func(phone string) domain.Visit { return w.contacted(w.anna, phone) }
			}
			v := c.begin(phone)
			w.clock.Add(time.Hour)
			before, texts := w.count(`SELECT count(*) FROM messages`), len(w.sms.Sent())
			w.Challenges = opened{challenges, func() {
				if err := c.gone(v); err != nil {
					t.Errorf("%s: %v", what, err)
				}
			}}
			var err error
			if c.self {
				err = w.SelfSend(ctx, v.SelfToken, w.request(), customersAddress)
				if !domain.IsNotFound(err) {
					t.Errorf("%s: %v", what, err)
				}
			} else {
				_, err = w.SendCode(ctx, w.anna, v.ID, w.request())
				if domain.KindOf(err) != domain.Conflict || said(err) != c.key {
					t.Errorf("%s: %v", what, err)
				}
			}
			if got := w.sms.Sent(); len(got) != texts || w.count(`SELECT count(*) FROM messages`) != before {
				t.Errorf("%s: sent %+v", what, got[texts:])
			}
			w.Challenges = challenges
			if found, err := w.RecountLimits(ctx); err != nil || len(found) != 0 {
				t.Errorf("%s: the limits: %v, %v", what, found, err)
			}
		}
	})
}

// The customer asks by themselves, and twice the number is changed meanwhile:
// both are on record, as the limits have counted both.
func TestCodesThatAreGoneAreCounted(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx, challenges := t.Context(), w.Challenges
		v := w.contacted(w.anna, phoneA)
		for range 2 {
			w.clock.Add(3 * time.Minute)
			w.must(w.RecordContact(ctx, w.anna, v.ID, domain.ContactForm{Phone: phoneA, Name: "Пётр"}))
			v = w.must(w.DeferCode(ctx, w.anna, v.ID))
			w.Challenges = opened{challenges, func() {
				w.must(w.RecordContact(ctx, w.anna, v.ID, domain.ContactForm{Phone: phoneB, Name: "Пётр"}))
			}}
			if err := w.SelfSend(ctx, v.SelfToken, w.request(), customersAddress); !domain.IsNotFound(err) {
				t.Errorf("SelfSend: %v", err)
			}
			w.Challenges = challenges
		}
		if found, err := w.RecountLimits(ctx); err != nil || len(found) != 0 || len(w.sms.Sent()) != 0 {
			t.Errorf("the limits: %v, %v; sent %+v", found, err, w.sms.Sent())
		}
		if n := w.count(`SELECT count(*) FROM code_attempts WHERE verdict = 'failed'`); n != 2 {
			t.Errorf("%d are on record", n)
		}
	})
}

// A gateway that repeats the text tells the code; it stands nowhere.
func TestCodeInAReport(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.CodeLength = 6 // so that nothing else looks like it
		v := w.sentTo(w.anna, phoneA)
		m, code := w.codeMessage(v), w.codeOf(phoneA)
		if err := w.TakeReport(t.Context(), "test", domain.DeliveryReport{
			MessageID: m.ID, State: domain.MessageDelivered, Status: "DELIVRD " + code, Detail: `{"quoted":"` + w.sms.Last(phoneA) + `"}`,
		}); err != nil {
			t.Fatal(err)
		}
		rows, err := w.DB.DeliveryReports(t.Context(), m.ID)
		if err != nil || len(rows) != 1 || !strings.Contains(rows[0].Detail, "quoted") || !strings.HasPrefix(rows[0].Status, "DELIVRD") {
			t.Errorf("on record: %+v, %v", rows, err)
		}
		if text := w.dump(); len(code) != 6 || strings.Contains(text, code) {
			t.Errorf("the code %s is on record", code)
		}
	})
}

// A name that is long or no text at all, as a gateway gave it, loses no record
// of what was sent.
func TestOddNameOfAGateway(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer(phoneA)
		w.Gateways[0].Messages = calls{w.sms, "a\x00\xff" + strings.Repeat("я", 300)}
		got, _ := w.send(m)
		if got.State != domain.MessageAccepted || len(got.GatewayID) > 210 || !strings.HasPrefix(got.GatewayID, "a\ufffdяя") {
			t.Errorf("the message is %+v", got)
		}
	})
}

// calls is a gateway that has one name for every text.
type calls struct {
	domain.Sender
	name string
}

func (c calls) Send(ctx context.Context, m domain.SMSText) (string, error) {
	_, err := c.Sender.Send(ctx, m)
	return c.name, err
}

// What a customer wrote is known by a name that some gateways make of the
// phone: nothing of it is left.
func TestIncomingOfTheErased(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(phoneA)
		w.hears("GW-"+phoneA+"-1", phoneA, "Это Пётр")
		w.hears("GW-"+phoneA+"-1", phoneA, "Это Пётр")
		if n := len(w.incoming()); n != 1 {
			t.Errorf("%d are on record", n)
		}
		w.erase(*v.ContactID)
		w.traceless(phoneA)
	})
}

// A gateway tells the phone in its word for the state, in a spelling of its
// own, before and after its owner is erased.
func TestPhoneInAReport(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		for _, phone := range []string{"+79163856149", "+37253856149", "+375293856149"} {
			w.Settings.PhoneRegions = []string{"RU", "EE", "BY"}
			m := w.dueBuyer(phone)
			w.send(m)
			national := phone[len(phone)-9:]
			if phone == "+37253856149" {
				national = phone[4:]
			}
			for what, told := range map[string]string{"odd": odd(phone), "bare": phone[1:], "national": national} {
				if err := w.TakeReport(t.Context(), "test", domain.DeliveryReport{
					MessageID: m.ID, State: domain.MessageDelivered, Status: "delivered " + told, Detail: `{"` + what + `":"` + told + `"}`,
				}); err != nil {
					t.Fatal(err)
				}
			}
			rows, err := w.DB.DeliveryReports(t.Context(), m.ID)
			if err != nil || len(rows) != 3 {
				t.Errorf("on record: %+v, %v", rows, err)
			}
			for _, r := range rows {
				if told := domain.WithoutPhone(r.Status+r.Detail+r.ReportKey, phone); told != r.Status+r.Detail+r.ReportKey || !strings.Contains(r.Status, "…") {
					t.Errorf("on record: %+v", r)
				}
			}
			w.erase(m.ContactID)
			if err := w.TakeReport(t.Context(), "test", domain.DeliveryReport{MessageID: m.ID, State: domain.MessageDelivered, Status: "delivered " + odd(phone)}); err != nil {
				t.Fatal(err)
			}
			if text := w.dump(); domain.WithoutPhone(text, phone) != text {
				t.Errorf("the phone %s is back", phone)
			}
		}
	})
}

// Whoever wrote before they were a customer, and takes the consent to personal
// data back at the counter, leaves no number behind in what they wrote.
func TestStrangersSMSAfterAWithdrawal(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.hears("1", phoneA, "Где вы находитесь?")
		v := w.verified(w.anna, phoneA)
		w.hears("2", phoneA, "Нашёл, спасибо!")
		w.consent(w.anna, v, false, false)
		w.traceless(phoneA)
		if rows := w.incoming(); len(rows) != 2 || rows[1].Body == "" {
			t.Errorf("on record: %+v", rows)
		}
	})
}

// PostgreSQL tells whoever had to wait for an ended visit the phone that its
// customer had before the erasure; that their page is gone tells the rest.
func TestCodeOfAVisitThatHadToWait(t *testing.T) {
	id := int64(7)
	asked := domain.Visit{ContactID: &id, Phone: phoneA, Communications: true, SelfToken: "token"}
	if err := domain.StillAsked(asked, asked); err != nil {
		t.Error(err)
	}
	now := asked
	now.SelfToken = ""
	if err := domain.StillAsked(now, asked); said(err) != "code.phone_changed" {
		t.Errorf("the page is gone: %v", err)
	}
	// The first code of a visit finds a page that was drawn meanwhile.
	if err := domain.StillAsked(asked, now); err != nil {
		t.Error(err)
	}
}
