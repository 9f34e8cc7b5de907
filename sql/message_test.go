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
		Kind: kind, ProgrammeID: v.ProgrammeID, ContactID: *v.ContactID, Phone: v.Phone, VisitID: v.ID, StoreID: v.StoreID,
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

		claim := func(id int64) (ok bool) {
			t.Helper()
			do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
				ok, err = tx.ClaimMessage(ctx, id, at(time.Hour))
				return err
			})
			return ok
		}
		if !claim(all[0].ID) || claim(all[0].ID) {
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
		if claim(all[1].ID) {
			t.Error("a cancelled message is claimed")
		}
		all[0].State, all[0].Body, all[0].Gateway, all[0].Reason = domain.MessageUnknown, "текст", "handset", "gateway_ambiguous"
		all[0].SettledAt = ptr(at(3 * time.Hour))
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.SettleMessage(ctx, all[0]) })
		equal(t, "settled", must(db.VisitMessages(ctx, v.ID))(t), all[:3])
		equal(t, "of the other contact", must(db.Message(ctx, all[3].ID))(t), all[3])
		isKind(t, db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
			return tx.SettleMessage(ctx, domain.Message{ID: 1 << 40, State: domain.MessageSent})
		}), domain.NotFound)
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
					ok, err := tx.ClaimMessage(ctx, m.ID, at(0))
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
