package sql_test

import (
	"context"
	"slices"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func message(p domain.PromoCode, v domain.Visit, kind domain.MessageKind) domain.Message {
	return domain.Message{
		Channel: domain.ProgrammeChannel, Kind: kind, ProgrammeID: v.ProgrammeID, ContactID: *v.ContactID, Phone: v.Phone, VisitID: v.ID, StoreID: v.StoreID,
		PromoCodeID: p.ID, Language: "ru", State: domain.MessageScheduled, DueAt: at(24 * time.Hour), CreatedAt: at(0),
	}
}

func TestMessages(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		v, w := addVisitFor(t, db, s, phone(2)), addVisitFor(t, db, s, phone(3))
		all := []domain.Message{
			message(p, v, domain.TrialMessage), message(p, v, domain.TrialMessage),
			message(p, v, domain.ReferralMessage), message(p, w, domain.TrialMessage),
		}
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			for i := range all {
				if all[i].ID, err = tx.AddMessage(ctx, all[i]); err != nil {
					return err
				}
			}
			return nil
		})
		equal(t, "message", must(db.Message(ctx, all[3].ID))(t), all[3])
		equal(t, "messages of the visit", must(db.VisitMessages(ctx, v.ID))(t), all[:3])
		newest := slices.Clone(all)
		slices.Reverse(newest)
		equal(t, "newest three", must(db.RecentMessages(ctx, 3))(t), newest[:3])

		claim := func(m domain.Message) (ok bool) {
			t.Helper()
			m.State, m.Body, m.TemplateVersion, m.Parts, m.SendingAt = domain.MessageSending, "текст", 2, 1, ptr(at(time.Hour))
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				ok, err = tx.ClaimMessage(ctx, m)
				return err
			})
			return ok
		}
		if !claim(all[0]) || claim(all[0]) {
			t.Error("a message is claimed never or twice")
		}
		// A claimed message is on its way; the others of the kind are cancelled.
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			gone, err := tx.CancelMessages(ctx, v.ProgrammeID, *v.ContactID, domain.TrialMessage, "purchased", at(2*time.Hour))
			equal(t, "cancelled", gone, all[1:2])
			if err != nil {
				return err
			}
			gone, err = tx.CancelMessages(ctx, v.ProgrammeID, *v.ContactID, domain.TrialMessage, "purchased", at(2*time.Hour))
			if len(gone) != 0 {
				t.Errorf("cancelled twice: %+v", gone)
			}
			return err
		})
		all[1].State, all[1].Reason, all[1].SettledAt = domain.MessageCancelled, "purchased", ptr(at(2*time.Hour))
		if claim(all[1]) {
			t.Error("a cancelled message is claimed")
		}
		all[0].State, all[0].Body, all[0].TemplateVersion, all[0].Parts = domain.MessageUnknown, "текст", 2, 1
		all[0].SendingAt, all[0].SettledAt = ptr(at(time.Hour)), ptr(at(3*time.Hour))
		all[0].Gateway, all[0].GatewayID, all[0].Reason, all[0].Price = "kannel", "a-1", domain.ReasonAmbiguous, 450
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.RecordSending(ctx, all[0]) })
		equal(t, "recorded", must(db.VisitMessages(ctx, v.ID))(t), all[:3])
		if id := must(db.MessageByGatewayID(ctx, "kannel", "a-1"))(t); id != all[0].ID {
			t.Errorf("the gateway's name leads to message %d, want %d", id, all[0].ID)
		}
		_, err := db.MessageByGatewayID(ctx, "other", "a-1")
		isKind(t, err, domain.NotFound)
		// What is recorded after the report leaves the report's state alone.
		late := all[0]
		late.State, late.Price = domain.MessageAccepted, 900
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.RecordSending(ctx, late) })
		all[0].Price = 900
		// One that had nothing to pay leaves the report's price alone too.
		late.Price = 0
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.RecordSending(ctx, late) })
		equal(t, "recorded late", must(db.Message(ctx, all[0].ID))(t), all[0])
		equal(t, "of the other contact", must(db.Message(ctx, all[3].ID))(t), all[3])
	})
}

// Of any number of workers and one purchase, exactly one gets each message.
func TestClaimAtOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		v := addVisitFor(t, db, s, phone(2))
		for range 10 {
			m := message(p, v, domain.TrialMessage)
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				m.ID, err = tx.AddMessage(ctx, m)
				return err
			})
			var got atomic.Int32
			together(8, func(i int) {
				err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
					if i == 0 {
						gone, err := tx.CancelMessages(ctx, v.ProgrammeID, *v.ContactID, domain.TrialMessage, "purchased", at(0))
						got.Add(int32(len(gone)))
						return err
					}
					mine := m
					mine.State, mine.SendingAt = domain.MessageSending, ptr(at(0))
					ok, err := tx.ClaimMessage(ctx, mine)
					if ok {
						got.Add(1)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			if got.Load() != 1 {
				t.Errorf("%d callers got the message", got.Load())
			}
		}
	})
}
