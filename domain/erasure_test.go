package domain_test

import (
	"fmt"
	"regexp"
	"strings"
	"sync"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// erase erases the customer of a visit.
func (w *world) erase(contactID int64) {
	w.t.Helper()
	if err := w.EraseCustomer(w.t.Context(), contactID, domain.FromPage); err != nil {
		w.t.Fatal(err)
	}
}

// exec changes rows past the program.
func (w *world) exec(query string, args ...any) {
	w.t.Helper()
	sqltest.Exec(w.t, w.db(), query, args...)
}

func (w *world) count(query string, args ...any) int {
	w.t.Helper()
	return sqltest.Count(w.t, w.db(), query, args...)
}

// traceOf finds a Russian phone in any spelling, whole or but for its country,
// and a name but for its ending.
func traceOf(phone, name string) *regexp.Regexp {
	stem := []rune(name)
	return regexp.MustCompile(strings.Join(strings.Split(phone[2:], ""), `[\s().-]*`) + `|(?i)` + string(stem[:len(stem)-1]))
}

// db is the database that the world stands on.
func (w *world) db() *sql.DB {
	w.t.Helper()
	db, ok := w.DB.(*sql.DB)
	if !ok {
		w.t.Fatalf("the world stands on a %T", w.DB)
	}
	return db
}

// dump is everything that the world's database holds.
func (w *world) dump() string {
	w.t.Helper()
	return sqltest.Dump(w.t, w.db())
}

// After an erasure nothing in the database tells who it was, while every
// figure stays; and whoever comes again is somebody new.
func TestErasureLeavesNothing(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		const phone, name = "+79161112233", "Аполлинария"
		v := w.verified(w.anna, phone)
		v = w.must(w.RecordContact(ctx, w.anna, v.ID, domain.ContactForm{Phone: phone, Name: name, Answers: map[int64]string{
			w.set.Questions[1].ID: "от соседа " + name,
		}}))
		v = w.finished(w.anna, v, domain.Purchase)
		m := w.messages(v)[0]
		if got := w.due(m); got.State != domain.MessageAccepted || !strings.Contains(got.Body, "/m/") {
			t.Fatalf("%+v", got)
		}
		if err := w.TakeReport(ctx, "test", domain.DeliveryReport{MessageID: m.ID, State: domain.MessageDelivered, Status: "1", Detail: "to=" + phone}); err != nil {
			t.Fatal(err)
		}
		// What staff write in their own words, an SMS of the person, and a limit
		// that was lifted for them. The name stands where nobody would look.
		vera := w.vera()
		if err := w.FreezePromo(ctx, vera, m.PromoCodeID, name+" звонила, "+phone); err != nil {
			t.Fatal(err)
		}
		if err := w.ThawPromo(ctx, vera, m.PromoCodeID, "Разобрались с "+name); err != nil {
			t.Fatal(err)
		}
		if err := w.ExtendPromo(ctx, vera, m.PromoCodeID, domain.ExtensionForm{LastDay: "2026-01-31", Reason: "Просила " + name}); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(time.Hour)
		other := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
		if _, err := w.VoidPurchase(ctx, vera, other.ID, "Вернула "+name); err != nil {
			t.Fatal(err)
		}
		w.exec(`INSERT INTO incoming_messages (gateway, gateway_id, phone, contact_id, body, word, at) VALUES ('test', '1', $1, $2, $3, '', $4)`,
			phone, *v.ContactID, "Это "+name, w.Now())
		w.exec(`INSERT INTO incoming_messages (gateway, gateway_id, phone, body, word, at) VALUES ('test', '2', $1, 'Алло', '', $2)`, phone, w.Now())
		w.exec(`INSERT INTO limit_lifts (request_id, attempt_id, limit_name, subject, staff_id, reason, at)
			SELECT 'lift', max(id), 'phone_day', 'phone:' || max(phone_key), $1, $2, $3 FROM code_attempts`, vera.ID, "Рядом "+name, w.Now())
		if err := w.WithdrawFor(ctx, vera, domain.WithdrawalForm{RequestID: w.request(), Phone: phone, Reason: "Звонила " + name, Sure: true}); err != nil {
			t.Fatal(err)
		}
		w.clock.Add(time.Hour)
		// A friend holds a use of the code; another visit of the person is open.
		code := w.promo(m.PromoCodeID)
		friend := w.held(w.anna, "+79161112244", code)
		open := w.verified(w.timur, phone)
		if !strings.Contains(w.dump(), phone[1:]) {
			t.Fatal("the dump does not show what is there")
		}
		before, err := w.DB.Visits(ctx, domain.VisitFilter{AllStores: true, Limit: 100})
		if err != nil {
			t.Fatal(err)
		}

		w.erase(*v.ContactID)
		w.erase(*v.ContactID) // twice is once
		text := w.dump()
		if at := traceOf(phone, name).FindStringIndex(text); at != nil {
			t.Errorf("left: …%s", text[max(0, at[0]-200):min(len(text), at[1]+50)])
		}
		if !strings.Contains(text, "2026-01-31 —") {
			t.Error("the day of an extension is gone with its reason")
		}
		c, err := w.DB.Contact(ctx, *v.ContactID)
		if err != nil || c.ErasedAt == nil || c.PageToken != "" || !domain.ErasedPhone(c.Phone) {
			t.Errorf("the contact is %+v, %v", c, err)
		}
		if got := w.promo(code.ID); got.State != domain.PromoVoid {
			t.Errorf("the code is %s", got.State)
		}
		after, err := w.DB.Visits(ctx, domain.VisitFilter{AllStores: true, Limit: 100})
		if err != nil || len(after) != len(before) {
			t.Fatalf("%d visits, %v", len(after), err)
		}
		for i := range after {
			if after[i].Price != before[i].Price || after[i].Outcome != before[i].Outcome {
				t.Errorf("visit %d has changed its figures", after[i].ID)
			}
		}
		// Whoever stands there is asked anew for what they have just taken back,
		// and what they say now is on record as said now.
		got := w.must(w.DB.Visit(ctx, open.ID))
		if got.ContactID != nil || got.Ended() || got.Next() != domain.StepConsents || got.PersonalData {
			t.Errorf("the open visit is %+v", got)
		}
		rows := w.count(`SELECT count(*) FROM consents WHERE visit_id = $1`, open.ID)
		w.consent(w.timur, got, true, true)
		if n := w.count(`SELECT count(*) FROM consents WHERE visit_id = $1`, open.ID); n != rows+2 {
			t.Errorf("%d answers, %d before", n, rows)
		}
		// The friend's hold stays good, and nobody is told of a gift.
		if got := w.bought(w.anna, friend); got.Discount == 0 {
			t.Error("the friend lost a discount that was promised")
		}
		consents, err := w.DB.ContactConsents(ctx, c.ID)
		if err != nil || consents[domain.PersonalData] || consents[domain.Communications] {
			t.Errorf("consents %v, %v", consents, err)
		}
		if found, err := w.Recount(ctx); err != nil || len(found) != 0 {
			t.Errorf("the check: %v, %v", found, err)
		}
		w.clock.Add(25 * time.Hour)
		again := w.verified(w.anna, phone)
		if *again.ContactID == *v.ContactID {
			t.Error("who comes again is not new")
		}
	})
}

// A gift that was not collected goes with its owner.
func TestErasureTakesTheGift(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		owner := w.finished(w.anna, w.verified(w.anna, "+79161112255"), domain.Purchase)
		code := w.promo(w.messages(owner)[0].PromoCodeID)
		for i := range 3 {
			w.friend(fmt.Sprintf("+7916111226%d", i), code)
		}
		w.erase(*owner.ContactID)
		if g, err := w.DB.GiftOfCode(t.Context(), code.ID); err != nil || g.State != domain.GiftRevoked {
			t.Errorf("the gift is %+v, %v", g, err)
		}
		if found, err := w.Recount(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("the check: %v, %v", found, err)
		}
	})
}

// Whatever happens to the same person at the same moment, nothing of them is
// left behind, and nobody meets a deadlock.
func TestErasureAgainstEverything(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for round := range 8 {
			phone := fmt.Sprintf("+791622200%02d", round)
			owner := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
			m := w.messages(owner)[0]
			code := w.promo(m.PromoCodeID)
			friend := w.held(w.anna, fmt.Sprintf("+791622300%02d", round), code)
			w.clock.Add(5 * time.Minute) // the pause between two SMS; the friend's hold still stands
			open := w.verified(w.timur, phone)
			var all sync.WaitGroup
			for _, f := range []func() error{
				func() error { return w.EraseCustomer(ctx, *owner.ContactID, domain.FromPage) },
				func() error { _, err := w.SendMessage(ctx, m.ID, true); return err },
				func() error {
					_, err := w.FinishVisit(ctx, w.anna, friend.ID, domain.OutcomeForm{Outcome: domain.Purchase, ProductID: w.set.Products[0].ID})
					return err
				},
				func() error {
					_, err := w.FinishVisit(ctx, w.timur, open.ID, domain.OutcomeForm{Outcome: domain.Trial})
					return err
				},
				func() error { _, err := w.StopCustomer(ctx, *owner.ContactID); return err },
			} {
				all.Go(func() {
					// Told in words it may be; broken it may not.
					if err := f(); err != nil && domain.KindOf(err) == domain.Internal {
						t.Error(err)
					}
				})
			}
			all.Wait()
			w.erase(*owner.ContactID) // where a visit came in between, it is asked again
			if text := w.dump(); strings.Contains(text, phone[1:]) {
				i := strings.Index(text, phone[1:])
				t.Fatalf("the phone is left: %s", text[max(0, i-300):i+50])
			}
			if found, err := w.Recount(ctx); err != nil || len(found) != 0 {
				t.Fatalf("the check: %v, %v", found, err)
			}
		}
	})
}

// A contact that hangs on one open visit alone has its erasure on record too.
func TestErasureOfAnOpenVisit(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const phone = "+79161112277"
		code := w.referral("+79161112278")
		v := w.held(w.anna, phone, code)
		w.erase(*v.ContactID)
		c, err := w.DB.Contact(t.Context(), *v.ContactID)
		if err != nil || c.ErasedAt == nil {
			t.Errorf("%+v, %v", c, err)
		}
		if events, err := w.DB.ContactEvents(t.Context(), c.ID); err != nil || len(events) != 1 || events[0].Kind != domain.ContactErased {
			t.Errorf("on record: %+v, %v", events, err)
		}
		if p := w.promo(code.ID); p.Used != 0 {
			t.Errorf("the use that was held is not given back: %+v", p)
		}
		if at := traceOf(phone, "Пётр").FindString(w.dump()); at == phone {
			t.Error("the phone is left")
		}
		if found, err := w.Recount(t.Context()); err != nil || len(found) != 0 {
			t.Errorf("the check: %v, %v", found, err)
		}
	})
}

// While somebody is erased, advisors go on to type their number. Each gets the
// old contact, and is let go of it, or a new one; no visit keeps an erased one.
func TestErasureAgainstTheSameNumber(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for round := range 6 {
			phone := fmt.Sprintf("+791622400%02d", round)
			owner := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
			visits := []domain.Visit{w.consented(w.anna, true, true), w.consented(w.timur, true, true), w.consented(w.anna, true, true)}
			var all sync.WaitGroup
			all.Go(func() {
				if err := w.EraseCustomer(ctx, *owner.ContactID, domain.FromPage); err != nil {
					t.Errorf("the erasure: %v", err)
				}
			})
			for i, v := range visits {
				all.Go(func() {
					a := []domain.Actor{w.anna, w.timur, w.anna}[i]
					if _, err := w.RecordContact(ctx, a, v.ID, domain.ContactForm{Phone: phone, Name: "Пётр"}); err != nil {
						t.Errorf("the contact: %v", err)
					}
				})
			}
			all.Wait()
			if n := w.count(`SELECT count(*) FROM visits v JOIN contacts c ON c.id = v.contact_id WHERE c.erased_at IS NOT NULL AND v.ended_at IS NULL`); n > 0 {
				t.Fatalf("%d open visits hold somebody erased", n)
			}
			if n := w.count(`SELECT count(*) FROM contacts WHERE phone = $1 AND id = $2`, phone, *owner.ContactID); n > 0 {
				t.Fatal("not erased")
			}
		}
	})
}

// Two people who hold uses of each other's neighbours are erased at the same
// moment as a till swaps the same codes: everybody locks codes in one order.
func TestErasureLocksCodesInOrder(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for round := range 6 {
			number := func(n int) string { return fmt.Sprintf("+79162%02d50%02d", 60+round, n) }
			first := w.finished(w.anna, w.verified(w.anna, number(1)), domain.Purchase)
			a := w.promo(w.messages(first)[0].PromoCodeID)
			last := w.finished(w.anna, w.verified(w.anna, number(2)), domain.Purchase)
			b := w.promo(w.messages(last)[0].PromoCodeID)
			w.clock.Add(time.Hour)
			// The owner of the older code holds a use of the newer one.
			w.held(w.timur, number(1), b)
			swaps := w.held(w.anna, number(3), a)
			var all sync.WaitGroup
			for _, f := range []func() error{
				func() error { return w.EraseCustomer(ctx, *first.ContactID, domain.FromPage) },
				func() error { return w.EraseCustomer(ctx, *last.ContactID, domain.FromPage) },
				func() error { _, err := w.ApplyPromo(ctx, w.anna, swaps.ID, b.Code); return err },
			} {
				all.Go(func() {
					switch err := f(); domain.KindOf(err) {
					case domain.Internal, domain.Unavailable:
						if err != nil {
							t.Error(err)
						}
					}
				})
			}
			all.Wait()
			if found, err := w.Recount(ctx); err != nil || len(found) != 0 {
				t.Fatalf("the check: %v, %v", found, err)
			}
		}
	})
}

// An SMS that comes while its sender is being erased is either gone with them,
// or that of a stranger: the contact that was erased never gets it.
func TestErasureAgainstAnIncomingSMS(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		ctx := t.Context()
		for round := range 10 {
			phone := fmt.Sprintf("+791622700%02d", round)
			owner := w.finished(w.anna, w.verified(w.anna, phone), domain.Purchase)
			var all sync.WaitGroup
			all.Go(func() {
				if err := w.EraseCustomer(ctx, *owner.ContactID, domain.FromPage); err != nil {
					t.Error(err)
				}
			})
			for n := range 3 {
				all.Go(func() {
					in := domain.IncomingSMS{GatewayID: fmt.Sprintf("%d-%d", round, n), From: phone[1:], Text: "СТОП, это Пётр"}
					if err := w.TakeIncoming(ctx, "test", in); err != nil {
						t.Error(err)
					}
				})
			}
			all.Wait()
			if n := w.count(`SELECT count(*) FROM incoming_messages WHERE contact_id = $1 AND (phone <> '' OR body <> '')`, *owner.ContactID); n > 0 {
				t.Fatalf("%d SMS lead from somebody erased to their number", n)
			}
			if n := w.count(`SELECT count(*) FROM messages WHERE contact_id = $1 AND state IN ('scheduled', 'sending')`, *owner.ContactID); n > 0 {
				t.Fatalf("%d messages are still to go to somebody erased", n)
			}
		}
	})
}
