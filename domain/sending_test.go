package domain_test

import (
	"context"
	"errors"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/domain/domaintest"
	"prilavok/web/redisstore"
)

// gateways puts gateways of these names behind the service, in this order,
// three roubles a part.
func (w *world) gateways(names ...string) []*domaintest.SMS {
	var all []*domaintest.SMS
	w.Gateways = nil
	for _, name := range names {
		sms := &domaintest.SMS{}
		g := sms.Gateway()
		g.Name, g.PartPrice = name, 300
		all, w.Gateways = append(all, sms), append(w.Gateways, g)
	}
	return all
}

// dueBuyer makes a buyer whose message is due now.
func (w *world) dueBuyer(phone string) domain.Message {
	w.t.Helper()
	m := w.messages(w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase))[0]
	w.clock.Set(m.DueAt)
	return m
}

// another schedules the same message once more, as its only difference the
// number.
func (w *world) another(like domain.Message) domain.Message {
	w.t.Helper()
	like.ID = 0
	err := w.DB.InTx(w.t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
		like.ID, err = tx.AddMessage(ctx, like)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
	return like
}

// send sends a message that must not fail, and gives it as it is then.
func (w *world) send(m domain.Message) (domain.Message, time.Time) {
	w.t.Helper()
	again, err := w.SendMessage(w.t.Context(), m.ID, false)
	if err != nil {
		w.t.Fatal(err)
	}
	return w.message(m.ID), again
}

func (w *world) message(id int64) domain.Message {
	w.t.Helper()
	m, err := w.DB.Message(w.t.Context(), id)
	if err != nil {
		w.t.Fatal(err)
	}
	return m
}

// codeMessage is the newest code of a visit.
func (w *world) codeMessage(v domain.Visit) domain.Message {
	w.t.Helper()
	all, err := w.DB.VisitMessages(w.t.Context(), v.ID)
	if err != nil {
		w.t.Fatal(err)
	}
	var newest domain.Message
	for _, m := range all {
		if m.Channel == domain.CodeChannel {
			newest = m
		}
	}
	return newest
}

func smsFails(f domain.SMSFault) error { return &domain.SMSError{Fault: f, Err: errors.New("as told")} }

// fate is what a test wants of a message.
type fate struct {
	state   domain.MessageState
	reason  string
	gateway string
	paid    bool
}

func (w *world) expect(what string, m domain.Message, want fate) {
	w.t.Helper()
	price := int64(0)
	if want.paid {
		price = int64(m.Parts) * 300
	}
	if m.State != want.state || m.Reason != want.reason || m.Gateway != want.gateway || m.Price != price {
		w.t.Errorf("%s: %s (%s) by %q for %d, want %+v", what, m.State, m.Reason, m.Gateway, m.Price, want)
	}
}

// The next gateway is asked after a refusal and an outage, and never after an
// answer that leaves it open.
func TestNextGateway(t *testing.T) {
	accepted := func(by string) fate { return fate{domain.MessageAccepted, "", by, true} }
	unclear := fate{domain.MessageUnknown, "gateway_ambiguous", "first", true}
	for _, c := range []struct {
		name          string
		first, second error
		asked         int // texts that the second one took
		code, message fate
	}{
		{"both work", nil, nil, 0, accepted("first"), accepted("first")},
		{"refused", smsFails(domain.SMSRefused), nil, 1, accepted("second"), accepted("second")},
		{"down", smsFails(domain.SMSDown), nil, 1, accepted("second"), accepted("second")},
		{"unclear", smsFails(domain.SMSAmbiguous), nil, 0, unclear, unclear},
		{"a failure without a name", errors.New("what?"), nil, 0, unclear, unclear},
		{"both refuse", smsFails(domain.SMSRefused), smsFails(domain.SMSRefused), 0,
			fate{domain.MessageUndelivered, "gateway_refused", "first", false}, fate{domain.MessageUndelivered, "gateway_refused", "first", false}},
		// The one that is down might take it.
		{"refused and down", smsFails(domain.SMSRefused), smsFails(domain.SMSDown), 0,
			fate{domain.MessageUndelivered, "gateways_down", "second", false}, fate{domain.MessageScheduled, "", "", false}},
		{"down and refused", smsFails(domain.SMSDown), smsFails(domain.SMSRefused), 0,
			fate{domain.MessageUndelivered, "gateways_down", "first", false}, fate{domain.MessageScheduled, "", "", false}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				m := w.dueBuyer("+79160000001")
				all := w.gateways("first", "second")
				all[0].Fail(c.first)
				all[1].Fail(c.second)
				got, again := w.send(m)
				w.expect("message", got, c.message)
				if again.IsZero() == (c.message.state == domain.MessageScheduled) {
					t.Errorf("again at %v", again)
				}
				if n := len(all[1].Sent()); n != c.asked {
					t.Errorf("the second gateway took %d", n)
				}
				v := w.consented(w.anna, true, true)
				v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: "+79160000002", Name: "Пётр"}))
				_, err := w.SendCode(t.Context(), w.anna, v.ID, w.request())
				if failed := c.code.state == domain.MessageUndelivered; failed != (domain.KindOf(err) == domain.Unavailable) || failed == (err == nil) {
					t.Errorf("the advisor is told %v", err)
				}
				w.expect("code", w.codeMessage(v), c.code)
				if n := len(all[1].Sent()); n != 2*c.asked {
					t.Errorf("the second gateway took %d with the code", n)
				}
				if m := w.codeMessage(v); m.Body != "" {
					t.Error("the text of a code is stored")
				}
			})
		})
	}
}

// One gateway says no, the other one was never asked: that is no refusal.
func TestRefusedByOneOnly(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		all := w.gateways("first", "second")
		all[0].Fail(smsFails(domain.SMSRefused))
		all[1].SetHealth(domain.GatewayHealth{SetAside: true})
		got, again := w.send(m)
		w.expect("the second one is set aside", got, fate{state: domain.MessageScheduled})
		all[1].SetHealth(domain.GatewayHealth{})
		w.Gateways[1].Rate = 0 // no place at all
		w.clock.Set(again)
		got, again = w.send(m)
		w.expect("the second one has no place", got, fate{state: domain.MessageScheduled})
		w.Gateways[1].Rate = 1000
		w.clock.Set(again)
		got, _ = w.send(m)
		w.expect("the second one is back", got, fate{domain.MessageAccepted, "", "second", true})
		if got.Attempts != 2 {
			t.Errorf("%d attempts", got.Attempts)
		}
	})
}

// Without any gateway that can be reached the pauses grow up to an hour, and
// after two days it is over, with the reason.
func TestBackOff(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		all := w.gateways("first", "second")
		all[0].Fail(smsFails(domain.SMSDown))
		all[1].Fail(smsFails(domain.SMSDown))
		want, attempts := 30*time.Second, 0
		for range 500 {
			got, again := w.send(m)
			if again.IsZero() {
				w.expect("in the end", got, fate{domain.MessageUndelivered, "gateways_down", "second", false})
				if over := w.clock.Now().Sub(m.DueAt); over < 48*time.Hour || over > 72*time.Hour {
					t.Errorf("given up after %v", over)
				}
				if got.SettledAt == nil || attempts < 20 {
					t.Errorf("%d attempts, settled at %v", attempts, got.SettledAt)
				}
				return
			}
			if got.Attempts > attempts {
				attempts = got.Attempts
				if pause := again.Sub(w.clock.Now()); pause != want {
					t.Fatalf("pause %d is %v, want %v", attempts, pause, want)
				}
				want = min(time.Hour, 2*want)
				w.expect("between two attempts", got, fate{state: domain.MessageScheduled})
			}
			w.clock.Set(again) // at night that is the morning
		}
		t.Error("it never gives up")
	})
}

// While every gateway is set aside nobody is asked, and the message is there
// when one is back.
func TestAllSetAside(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		all := w.gateways("first", "second")
		aside := func(first, second time.Duration) {
			for i, d := range []time.Duration{first, second} {
				at := w.clock.Now().Add(d)
				all[i].SetHealth(domain.GatewayHealth{SetAside: true, RetryAt: &at})
			}
		}
		for _, c := range []struct {
			late, first, second, want time.Duration
		}{
			{0, 40 * time.Second, 25 * time.Second, 25 * time.Second},
			{0, 40 * time.Second, time.Second, 15 * time.Second}, // not all in one moment
			{30 * time.Minute, 30 * time.Second, 30 * time.Second, 3 * time.Minute},
			{8 * time.Hour, 30 * time.Second, 30 * time.Second, 10 * time.Minute},
		} {
			w.clock.Set(m.DueAt.Add(c.late))
			aside(c.first, c.second)
			got, again := w.send(m)
			if got.State != domain.MessageScheduled || got.Attempts != 0 || again.Sub(w.clock.Now()) != c.want {
				t.Errorf("%v late: %s after %d attempts, again in %v, want %v", c.late, got.State, got.Attempts, again.Sub(w.clock.Now()), c.want)
			}
		}
		// One message tries a gateway that may be back; the others wait for what
		// comes of it, and not as long as through a night.
		w.clock.Set(m.DueAt)
		aside(time.Hour, 0)
		all[1].SetHealth(domain.GatewayHealth{SetAside: true})
		if _, again := w.send(m); again.Sub(w.clock.Now()) != 15*time.Second {
			t.Errorf("while a gateway is tried: again in %v", again.Sub(w.clock.Now()))
		}
		all[1].SetHealth(domain.GatewayHealth{})
		got, _ := w.send(m)
		w.expect("one is back", got, fate{domain.MessageAccepted, "", "second", true})

		lost := w.another(m)
		w.clock.Set(m.DueAt.Add(48*time.Hour + time.Second))
		aside(time.Minute, time.Minute)
		got, again := w.send(lost)
		w.expect("two days later", got, fate{domain.MessageUndelivered, "gateways_down", "", false})
		if !again.IsZero() {
			t.Errorf("again at %v", again)
		}
	})
}

// The hours are over while the message waits for its place.
func TestHoursEndMeanwhile(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		sms := w.gateways("first")[0]
		// 21:00 in Moscow is 18:00 UTC.
		evening := time.Date(2025, 6, 4, 18, 0, 0, 0, time.UTC)
		w.clock.Set(evening.Add(-time.Second))
		w.Pacer = pacer(func() { w.clock.Add(2 * time.Second) })
		got, again := w.send(m)
		if want := evening.Add(12 * time.Hour); got.State != domain.MessageScheduled || !again.Equal(want) || len(sms.Sent()) != 0 {
			t.Errorf("%s, again at %v, want %v; %d SMS", got.State, again, want, len(sms.Sent()))
		}
		// "Send now" of the demo means now.
		if _, err := w.SendMessage(t.Context(), m.ID, true); err != nil || len(sms.Sent()) != 1 {
			t.Errorf("forced: %d SMS, %v", len(sms.Sent()), err)
		}
	})
}

// pacer does something while it is asked, and has always place.
type pacer func()

func (p pacer) Pace(context.Context, string, int, time.Duration) (time.Duration, bool, error) {
	p()
	return 0, true, nil
}

// busy is a row whose next free place is so far away.
type busy time.Duration

func (b busy) Pace(_ context.Context, _ string, _ int, atMost time.Duration) (time.Duration, bool, error) {
	if time.Duration(b) > atMost {
		return time.Duration(b), false, nil
	}
	return 0, true, nil
}

// At a slow gateway a hundred thousand messages keep the row as full as they
// may, and would snatch every place that comes free from an answer to STOP.
func TestAnswerFindsPlaceBehindMessages(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		sms := w.gateways("first")[0]
		w.Pacer = busy(5*time.Second + time.Millisecond)
		if got, again := w.send(w.another(m)); got.State != domain.MessageScheduled || !again.After(w.clock.Now()) {
			t.Errorf("a message is %s, again at %v", got.State, again)
		}
		w.hears("1", m.Phone, "STOP")
		got, _ := w.send(w.answers()[0].Message)
		w.expect("the answer", got, fate{domain.MessageAccepted, "", "first", true})
		if n := len(sms.Sent()); n != 1 {
			t.Errorf("%d SMS", n)
		}
		if _, err := w.SendTrial(t.Context(), w.administrator(), domain.TrialForm{
			TemplateKey: w.textOf(domain.StoppedMessage), RequestID: w.request(), Body: "{brand}", Phone: "+79160000009",
		}); err != nil {
			t.Errorf("a trial: %v", err)
		}
	})
}

// Without Redis nothing is claimed: the message waits.
func TestSendWithoutRedis(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		gone, err := redisstore.Open(t.Context(), redisstore.Options{})
		if err != nil {
			t.Fatal(err)
		}
		w.Pacer = gone.Pacer()
		if err := gone.Close(); err != nil {
			t.Fatal(err)
		}
		sms := w.gateways("first")[0]
		if _, err := w.SendMessage(t.Context(), m.ID, false); domain.KindOf(err) != domain.Unavailable {
			t.Errorf("without Redis: %v", err)
		}
		if got := w.message(m.ID); got.State != domain.MessageScheduled || len(sms.Sent()) != 0 {
			t.Errorf("%s, %d SMS", got.State, len(sms.Sent()))
		}
	})
}

// flickering is a database that is away for the next few transactions.
type flickering struct {
	domain.Database
	away atomic.Int32
}

func (d *flickering) InTx(ctx context.Context, f func(context.Context, domain.Tx) error) error {
	if d.away.Add(-1) >= 0 {
		return &domain.Error{Kind: domain.Unavailable, Err: errors.New("away for a moment")}
	}
	return d.Database.InTx(ctx, f)
}

// What a gateway said is said once: a database that is away in that moment is
// waited for.
func TestRecordedWhenTheDatabaseIsBack(t *testing.T) {
	for _, c := range []struct {
		name   string
		answer error
		want   fate
	}{
		{"accepted", nil, fate{domain.MessageAccepted, "", "first", true}},
		{"nothing left", smsFails(domain.SMSDown), fate{state: domain.MessageScheduled}},
	} {
		t.Run(c.name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				m := w.dueBuyer("+79160000001")
				sms := w.gateways("first")[0]
				sms.Fail(c.answer)
				db := &flickering{Database: w.DB}
				w.DB = db
				w.Gateways[0].Messages = hooked{sms, func(domain.SMSText) { db.away.Store(3) }}
				got, again := w.send(m)
				w.expect("back", got, c.want)
				if again.IsZero() != (c.answer == nil) {
					t.Errorf("again at %v", again)
				}
			})
		})
	}
}

// However many run at once, each message goes once, and nobody gets more of
// them within a week than the settings allow.
func TestAtMostOnceAndNeverOverTheCap(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		sms := w.gateways("first")[0]
		w.Settings.MessagesPerWeek = 3
		const callers = 16
		fail := func(err error) {
			if err != nil {
				t.Error(err)
			}
		}
		atOnce(callers, func(int) {
			_, err := w.SendMessage(t.Context(), m.ID, false)
			fail(err)
		})
		if n := len(sms.Sent()); n != 1 {
			t.Fatalf("%d SMS for one message", n)
		}
		messages := make([]domain.Message, callers)
		for i := range messages {
			messages[i] = w.another(m)
		}
		atOnce(callers, func(i int) {
			_, err := w.SendMessage(t.Context(), messages[i].ID, false)
			fail(err)
		})
		full := 0
		for _, m := range messages {
			if got := w.message(m.ID); got.State == domain.MessageSuppressed && got.Reason == "week_full" {
				full++
			}
		}
		if n := len(sms.Sent()); n != 3 || full != callers-2 {
			t.Errorf("%d SMS within a week, %d suppressed", n, full)
		}
		// One that did not arrive does not count; a week later there is room.
		w.clock.Add(7 * 24 * time.Hour)
		late := w.another(m)
		if got, _ := w.send(late); got.State != domain.MessageAccepted {
			t.Errorf("a week later: %s (%s)", got.State, got.Reason)
		}
	})
}

// What a message needs is asked again when it leaves; see TestMayMessage for
// each reason.
func TestSuppressedAtTheLastMoment(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		sms := w.gateways("first")[0]
		err := w.DB.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
			return tx.SetPromoState(ctx, m.PromoCodeID, domain.PromoFrozen)
		})
		if err != nil {
			t.Fatal(err)
		}
		got, again := w.send(m)
		w.expect("a frozen code", got, fate{state: domain.MessageSuppressed, reason: "code_dead"})
		if !again.IsZero() || len(sms.Sent()) != 0 || got.SettledAt == nil || got.Body != "" {
			t.Errorf("again at %v, %d SMS, settled at %v, text %q", again, len(sms.Sent()), got.SettledAt, got.Body)
		}
	})
}

// hooked is a gateway that does something before it answers.
type hooked struct {
	domain.Sender
	do func(domain.SMSText)
}

func (h hooked) Send(ctx context.Context, m domain.SMSText) (string, error) {
	h.do(m)
	return h.Sender.Send(ctx, m)
}
