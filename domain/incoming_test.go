package domain_test

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
)

const pyotr = "+79161112233"

// hears lets an SMS come in.
func (w *world) hears(id, from, text string) {
	w.t.Helper()
	if err := w.TakeIncoming(w.t.Context(), "test", domain.IncomingSMS{GatewayID: id, From: from, Text: text}); err != nil {
		w.t.Fatalf("%s: %v", text, err)
	}
}

// incoming are the customers' SMS, newest first.
func (w *world) incoming() []domain.IncomingRow {
	w.t.Helper()
	rows, err := w.DB.IncomingRows(w.t.Context(), domain.IncomingFilter{AllStores: true})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// answers are the messages on the service channel, oldest first.
func (w *world) answers() []domain.MessageRow {
	w.t.Helper()
	rows, err := w.DB.MessageRows(w.t.Context(), domain.MessageFilter{AllStores: true, Channel: domain.ServiceChannel})
	if err != nil {
		w.t.Fatal(err)
	}
	return rows
}

// buyer makes a buyer with a programme message that is scheduled.
func (w *world) buyer(phone string) domain.Visit {
	w.t.Helper()
	v := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
	if m := w.messages(v); len(m) != 1 || m[0].State != domain.MessageScheduled {
		w.t.Fatalf("the purchase has scheduled %+v", m)
	}
	return v
}

func (w *world) agrees(contactID int64) bool {
	w.t.Helper()
	c, err := w.DB.ContactConsents(w.t.Context(), contactID)
	if err != nil {
		w.t.Fatal(err)
	}
	return c[domain.Communications]
}

// sound fails where the check of everything derived finds something.
func (w *world) sound() {
	w.t.Helper()
	differences, err := w.Recount(w.t.Context())
	if err != nil || len(differences) > 0 {
		w.t.Errorf("recount: %v %v", differences, err)
	}
}

func TestStop(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		w.hears("a-1", "79161112233", "«Стоп»!")
		m := w.messages(v)[0]
		if m.State != domain.MessageCancelled || m.Reason != "stopped" {
			t.Errorf("the scheduled message is %s, %q", m.State, m.Reason)
		}
		if w.agrees(*v.ContactID) {
			t.Error("the consent stands")
		}
		last, err := w.DB.NewestConsent(t.Context(), *v.ContactID, domain.Communications)
		if err != nil || last.Given || last.Source != domain.FromSMS || last.VisitID != 0 || last.Hash == "" {
			t.Errorf("the proof is %+v, %v", last, err)
		}
		got := w.incoming()
		if len(got) != 1 || got[0].Word != domain.StopWord || got[0].ContactID != *v.ContactID || got[0].StoreID != w.set.Moscow.ID ||
			got[0].Phone != pyotr || got[0].Body != "«Стоп»!" || got[0].VisitID != v.ID {
			t.Errorf("on record: %+v", got)
		}

		// Answered once, at once, though nothing else may be sent any more.
		answers := w.answers()
		if len(answers) != 1 || answers[0].Kind != domain.StoppedMessage || answers[0].State != domain.MessageScheduled {
			t.Fatalf("answers: %+v", answers)
		}
		w.clock.Set(time.Date(2025, 6, 3, 23, 30, 0, 0, time.UTC)) // far from the hours of programme messages
		if again, err := w.SendMessage(t.Context(), answers[0].ID, false); err != nil || !again.IsZero() {
			t.Errorf("SendMessage: again %v, %v", again, err)
		}
		if got := w.sms.Last(pyotr); got != "Тест: больше не будем вам писать." {
			t.Errorf("the answer is %q", got)
		}

		// The same again, another STOP, and one under another spelling of the
		// number are recorded and not answered.
		w.hears("a-1", "79161112233", "«Стоп»!")
		w.hears("a-2", "89161112233", "нет")
		w.hears("a-3", "+7 916 111-22-33", "ОТПИСКА")
		if got := w.incoming(); len(got) != 3 || got[0].ContactID != *v.ContactID || got[1].ContactID != *v.ContactID {
			t.Errorf("on record: %+v", got)
		}
		if len(w.answers()) != 1 {
			t.Errorf("answers: %+v", w.answers())
		}
		w.sound()
	})
}

// An SMS that is no word changes nothing and waits for the supervisor; one of
// a stranger too.
func TestIncomingQuestion(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		w.hears("q-1", pyotr, "нет, спасибо, позвоните завтра")
		w.hears("q-2", "79990000000", "СТОП")
		w.hears("q-3", "Beeline", "Пополните счёт")
		w.hears("q-4", "380501234567", "стоп")
		w.hears("q-5", pyotr, "Старт") // nothing is stopped
		w.hears("q-6", pyotr, "a\x00b\xffc")
		rows := w.incoming()
		if len(rows) != 6 {
			t.Fatalf("on record: %+v", rows)
		}
		for i, want := range []struct {
			phone, body  string
			word         domain.IncomingWord
			known, waits bool
		}{
			{pyotr, "ab\ufffdc", domain.NoWord, true, true},
			{pyotr, "Старт", domain.StartWord, true, false},
			{"+380501234567", "стоп", domain.StopWord, false, false},
			{"Beeline", "Пополните счёт", domain.NoWord, false, true},
			{"+79990000000", "СТОП", domain.StopWord, false, false},
			{pyotr, "нет, спасибо, позвоните завтра", domain.NoWord, true, true},
		} {
			r := rows[i]
			if r.Phone != want.phone || r.Body != want.body || r.Word != want.word || (r.ContactID != 0) != want.known || (r.StoreID != 0) != want.known || r.Waits() != want.waits {
				t.Errorf("%d: %+v", i, r)
			}
		}
		if !rows[5].MayBeStop() || rows[3].MayBeStop() || rows[4].MayBeStop() {
			t.Error("what may be a stop is not told from what is none")
		}
		if w.messages(v)[0].State != domain.MessageScheduled || !w.agrees(*v.ContactID) || len(w.answers()) != 0 {
			t.Errorf("something was done: %+v, answers %+v", w.messages(v), w.answers())
		}
		if err := w.TakeIncoming(t.Context(), "test", domain.IncomingSMS{GatewayID: "q-7", Text: "стоп"}); domain.KindOf(err) != domain.Invalid {
			t.Errorf("nobody's SMS: %v", err)
		}
		w.sound()
	})
}

// A gateway that names no SMS sends one again within a minute or two.
func TestIncomingWithoutName(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.clock.Set(time.Date(2025, 6, 3, 12, 0, 55, 0, time.UTC))
		w.hears("", pyotr, "Когда подарок?")
		w.hears("", pyotr, "Когда подарок?")
		w.clock.Add(30 * time.Second) // another minute by the clock
		w.hears("", "8 916 111 22 33", "Когда подарок?")
		w.hears("", pyotr, "Ау")
		w.hears("", "+79161112234", "Ау")
		w.clock.Add(2 * time.Minute)
		w.hears("", pyotr, "Когда подарок?")
		w.hears(strings.Repeat("long", 100), pyotr, "Ау")
		w.hears(strings.Repeat("long", 100), pyotr, "Ау")
		rows := w.incoming()
		if len(rows) != 5 {
			t.Errorf("%d are on record: %+v", len(rows), rows)
		}
		for _, r := range rows {
			if strings.Contains(r.GatewayID, "9161112233") || len(r.GatewayID) > 100 {
				t.Errorf("the name %q", r.GatewayID)
			}
		}
	})
}

// However a gateway writes the sender, it is the same person.
func TestSpellingsOfASender(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		for i, from := range []string{
			"79161112233", "+79161112233", "0079161112233", " 79161112233", "89161112233", "9161112233", "+7 (916) 111-22-33", "tel:+79161112233",
			"81079161112233", "00 7 916 111 22 33", "+0079161112233", "+89161112233", "79161112233@operator.example", "+79161112233/TYPE=PLMN",
		} {
			w.hears(fmt.Sprint("spelled-", i), from, "Ау")
			if got := w.incoming()[0]; got.ContactID != *v.ContactID || got.Phone != pyotr {
				t.Errorf("%q is %q, contact %d", from, got.Phone, got.ContactID)
			}
		}
		w.erase(*v.ContactID)
		w.traceless(pyotr)
	})
}

// A gateway that gives one name to several SMS loses none of them, and what it
// brings again is still the same.
func TestOneNameForSeveralSMS(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		w.hears("1", "+79161112234", "Ау")
		w.hears("1", pyotr, "Когда подарок?")
		w.hears("1", pyotr, "СТОП")
		w.hears("1", pyotr, "СТОП")
		if n := len(w.incoming()); n != 3 || w.agrees(*v.ContactID) {
			t.Errorf("%d are on record, the consent stands: %t", n, w.agrees(*v.ContactID))
		}
	})
}

// START gives nothing back by itself, and is told so once for each STOP.
func TestStart(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		kinds := func() (out string) {
			rows := w.answers()
			for i := range rows {
				out += string(rows[len(rows)-1-i].Kind) + " "
			}
			return out
		}
		says := func(text, want string) {
			t.Helper()
			w.n++
			w.clock.Add(time.Minute)
			w.hears(fmt.Sprint("s-", w.n), pyotr, text)
			if got := kinds(); got != want {
				t.Errorf("after %s the answers are %q, want %q", text, got, want)
			}
		}
		says("СТОП", "stopped ")
		says("старт", "stopped started ")
		says("start", "stopped started ")
		w.clock.Add(72 * time.Hour)
		says("start", "stopped started ") // no STOP in between
		if w.agrees(*v.ContactID) || w.messages(v)[0].State != domain.MessageCancelled {
			t.Error("START has given something back")
		}

		// A new consent, with the phone in hand, does.
		again := w.finished(w.anna, w.verified(w.anna, pyotr), domain.Purchase)
		if !w.agrees(*v.ContactID) {
			t.Error("the new consent does not count")
		}
		m := w.messages(again)
		if len(m) != 1 {
			t.Fatalf("the new purchase has scheduled %+v", m)
		}
		w.clock.Set(m[0].DueAt)
		if _, err := w.SendMessage(t.Context(), m[0].ID, false); err != nil {
			t.Fatal(err)
		}
		if m = w.messages(again); m[0].State != domain.MessageAccepted {
			t.Errorf("the message of the new purchase is %s, %q", m[0].State, m[0].Reason)
		}

		// Two machines that answer each other are soon silent, and the stops
		// are heard all the same.
		w.clock.Add(30 * 24 * time.Hour)
		says("стоп", "stopped started stopped ")
		says("старт", "stopped started stopped started ")
		third := w.finished(w.anna, w.verified(w.anna, pyotr), domain.Purchase)
		says("стоп", "stopped started stopped started ")
		says("старт", "stopped started stopped started ")
		if m := w.messages(third); w.agrees(*v.ContactID) || len(m) != 1 || m[0].State != domain.MessageCancelled {
			t.Errorf("the third STOP of a day is not heard: %+v", m)
		}
		w.sound()
	})
}

// STOP while the visit is open: neither a phone that answers afterwards nor the
// end of the visit brings anything.
func TestStopInOpenVisit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.consented(w.anna, true, true)
		v = w.must(w.RecordContact(t.Context(), w.anna, v.ID, domain.ContactForm{Phone: pyotr, Name: "Пётр"}))
		w.must(w.SendCode(t.Context(), w.anna, v.ID, w.request()))
		w.clock.Add(time.Second)
		w.hears("o-1", pyotr, "stop")
		w.must(w.CheckCode(t.Context(), w.anna, v.ID, w.request(), codePattern.FindString(w.sms.Last(pyotr))))
		w.finished(w.anna, v, domain.Purchase)
		if w.agrees(*v.ContactID) {
			t.Error("the yes from before the STOP counts")
		}
		w.clock.Add(48 * time.Hour)
		sent := len(w.sms.Sent())
		for _, m := range w.messages(v) {
			if _, err := w.SendMessage(t.Context(), m.ID, true); err != nil {
				t.Fatal(err)
			}
		}
		if got := w.sms.Sent(); len(got) != sent {
			t.Errorf("sent after the STOP: %+v", got[sent:])
		}
		for _, m := range w.messages(v) {
			if m.State != domain.MessageSuppressed || m.Reason != "no_consent" {
				t.Errorf("%s is %s, %q", m.Kind, m.State, m.Reason)
			}
		}
		w.sound()
	})
}

// A supervisor takes a sentence for a stop; one that a new yes has followed
// can't be.
func TestStopByIncoming(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		vera := domain.Actor{Staff: w.set.Supervisor}
		v := w.buyer(pyotr)
		w.hears("1", "+79990000000", "не пишите мне")
		w.hears("2", pyotr, "Больше не пишите мне")
		rows := w.incoming()
		stops := func(a domain.Actor, id int64, want domain.Kind) {
			t.Helper()
			if err := w.StopByIncoming(t.Context(), a, id); want < 0 && err != nil || want >= 0 && (err == nil || domain.KindOf(err) != want) {
				t.Errorf("StopByIncoming: %v", err)
			}
		}
		zoya := vera
		zoya.Stores = []domain.Store{w.set.Ural}
		stops(w.anna, rows[0].ID, domain.Forbidden)
		stops(zoya, rows[0].ID, domain.NotFound)
		stops(vera, rows[1].ID, domain.Conflict) // nobody we know
		if !w.agrees(*v.ContactID) {
			t.Fatal("somebody has stopped who may not")
		}
		stops(vera, rows[0].ID, -1)
		stops(vera, rows[0].ID, -1)
		if m := w.messages(v)[0]; w.agrees(*v.ContactID) || m.State != domain.MessageCancelled {
			t.Errorf("the message is %s", m.State)
		}
		if a := w.answers(); len(a) != 1 || a[0].Kind != domain.StoppedMessage {
			t.Errorf("answers: %+v", a)
		}
		if r := w.incoming()[0]; r.Word != domain.StopWord || r.SeenBy != vera.ID || r.Waits() {
			t.Errorf("on record: %+v", r)
		}

		w.clock.Add(time.Hour)
		w.hears("3", pyotr, "Хватит, пожалуйста")
		w.clock.Add(time.Hour)
		w.buyer(pyotr)
		stops(vera, w.incoming()[0].ID, domain.Conflict)
		if !w.agrees(*v.ContactID) {
			t.Error("an SMS from before the new consent has taken it back")
		}
		w.sound()
	})
}

// Anybody can name somebody's number: a yes that the phone has not answered
// keeps no supervisor from taking its owner's words for a stop, and does not
// make a START look needless.
func TestUnverifiedYesAfterAnSMS(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		vera := domain.Actor{Staff: w.set.Supervisor}
		v := w.buyer(pyotr)
		w.hears("1", pyotr, "Больше не пишите мне")
		w.clock.Add(time.Hour)
		w.contacted(w.timur, pyotr)
		if err := w.StopByIncoming(t.Context(), vera, w.incoming()[0].ID); err != nil || w.agrees(*v.ContactID) {
			t.Errorf("StopByIncoming: %v, the consent stands: %t", err, w.agrees(*v.ContactID))
		}
		w.clock.Add(time.Hour)
		w.contacted(w.timur, pyotr)
		w.hears("2", pyotr, "СТАРТ")
		if a := w.answers(); len(a) != 2 || a[0].Kind != domain.StartedMessage {
			t.Errorf("answers: %+v", a)
		}
	})
}

// On a shared number the word that leads to us stands before the STOP.
func TestStopAfterPrefix(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		if err := w.TakeIncoming(t.Context(), "test", domain.IncomingSMS{GatewayID: "1", From: pyotr, Text: "Лото стоп", Prefix: "ЛОТО"}); err != nil {
			t.Fatal(err)
		}
		if w.agrees(*v.ContactID) || w.incoming()[0].Body != "Лото стоп" {
			t.Errorf("the consent stands: %t, on record %+v", w.agrees(*v.ContactID), w.incoming())
		}
	})
}

// One number in two programmes: STOP is said to the brand that wrote and holds
// for both.
func TestStopInTwoProgrammes(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		v := w.buyer(pyotr)
		var other int64
		if err := w.DB.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) (err error) {
			p := w.set.Programme
			p.Name, p.Brand = "Вторая", "Другой"
			if other, err = tx.AddProgramme(ctx, p); err != nil {
				return err
			}
			m := w.messages(v)[0]
			m.ProgrammeID = other
			_, err = tx.AddMessage(ctx, m)
			return err
		}); err != nil {
			t.Fatal(err)
		}
		w.hears("p-1", pyotr, "STOP")
		m := w.messages(v)
		if len(m) != 2 || m[0].State != domain.MessageCancelled || m[1].State != domain.MessageCancelled || m[0].ProgrammeID == m[1].ProgrammeID {
			t.Errorf("messages: %+v", m)
		}
		if a := w.answers(); len(a) != 1 || a[0].ProgrammeID != w.set.Programme.ID {
			t.Errorf("answers: %+v", a)
		}
	})
}

// STOP beside the sending of the same customer's message, again and again:
// what was claimed before it may leave, what was not never does.
func TestStopBesideSending(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		rounds, left, pacer := 12, 0, w.Pacer
		if db, ok := w.DB.(*sql.DB); ok && db.IsPostgres() { // SQLite has one writer, which hides races
			rounds = 60
		}
		for i := range rounds {
			phone := fmt.Sprintf("+7916222%04d", i)
			v := w.buyer(phone)
			m := w.messages(v)[0]
			w.clock.Set(m.DueAt)
			// The STOP comes together with the job, when the job waits for its
			// place, or when the gateway has the text.
			start := make(chan struct{})
			begin := sync.OnceFunc(func() { close(start) })
			w.Pacer, w.Gateways = pacer, []domain.Gateway{w.sms.Gateway()}
			switch i % 3 {
			case 0:
				begin()
			case 1:
				w.Pacer = tellingPacer{pacer, begin}
			case 2:
				w.Gateways[0].Messages = tellingSender{w.sms, begin}
			}
			var wg sync.WaitGroup
			stops := func(id, text string) {
				wg.Go(func() {
					<-start
					if err := w.TakeIncoming(t.Context(), "test", domain.IncomingSMS{GatewayID: id, From: phone, Text: text}); err != nil {
						t.Error(err)
					}
				})
			}
			stops(phone, "стоп")
			stops(phone, "стоп")
			stops(phone+"x", "нет")
			_, err := w.SendMessage(t.Context(), m.ID, false)
			begin()
			wg.Wait()
			if err != nil {
				t.Error(err)
			}
			arrived := !codePattern.MatchString(w.sms.Last(phone))
			switch m = w.messages(v)[0]; {
			case m.State == domain.MessageAccepted && arrived:
				left++
			case m.State == domain.MessageCancelled && !arrived, m.State == domain.MessageSuppressed && !arrived:
			default:
				t.Errorf("round %d: the message is %s, at the gateway: %t", i, m.State, arrived)
			}
			if w.agrees(*v.ContactID) {
				t.Errorf("round %d: the consent stands", i)
			}
			// From here on nothing leaves.
			sent := len(w.sms.Sent())
			if _, err := w.SendMessage(t.Context(), m.ID, true); err != nil {
				t.Error(err)
			}
			if len(w.sms.Sent()) != sent {
				t.Errorf("round %d: something left after the STOP", i)
			}
		}
		if a := w.answers(); len(a) != min(rounds, 50) {
			t.Errorf("%d answers to %d customers", len(a), rounds)
		}
		t.Logf("%d of %d messages left before the STOP", left, rounds)
		w.sound()
	})
}

// tellingPacer tells that a message waits for its place.
type tellingPacer struct {
	domain.Pacer
	tell func()
}

func (p tellingPacer) Pace(ctx context.Context, key string, perSecond int, atMost time.Duration) (time.Duration, bool, error) {
	p.tell()
	return p.Pacer.Pace(ctx, key, perSecond, atMost)
}

// tellingSender tells that a text has come to the gateway.
type tellingSender struct {
	domain.Sender
	tell func()
}

func (s tellingSender) Send(ctx context.Context, m domain.SMSText) (string, error) {
	s.tell()
	return s.Sender.Send(ctx, m)
}
