package sql_test

import (
	"context"
	"sync/atomic"
	"testing"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func TestTemplates(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		ctx := t.Context()
		s := sqltest.Fixture(t, db)
		template := func(kind domain.MessageKind, language string, version int, body string) domain.MessageTemplate {
			return domain.MessageTemplate{
				ProgrammeID: s.Programme.ID, Kind: kind, Language: language, Version: version, Body: body,
				StaffID: s.Administrator.ID, StaffName: s.Administrator.Name, CreatedAt: at(0),
			}
		}
		all := []domain.MessageTemplate{
			template(domain.TrialMessage, "ru", 1, "раз {promo}"), template(domain.TrialMessage, "ru", 2, "два\n{promo} — «😀»"),
			template(domain.TrialMessage, "en", 1, "one {promo}"), template(domain.GiftMessage, "ru", 1, "подарок"),
		}
		_, err := db.NewestTemplate(ctx, s.Programme.ID, domain.TrialMessage, "ru")
		isKind(t, err, domain.NotFound)
		do(t, db, func(ctx context.Context, tx domain.Tx) error {
			for i, m := range all {
				ok, err := tx.AddTemplate(ctx, m)
				if err != nil || !ok {
					t.Errorf("template %d: %t, %v", i, ok, err)
				}
			}
			// A version that is there stays as it is, and the transaction goes on.
			ok, err := tx.AddTemplate(ctx, template(domain.TrialMessage, "ru", 2, "другой {promo}"))
			if ok {
				t.Error("a version was written twice")
			}
			return err
		})
		for i := range all {
			all[i].ID = int64(count(t, db, `SELECT id FROM message_templates WHERE kind = $1 AND language = $2 AND version = $3`, all[i].Kind, all[i].Language, all[i].Version))
		}
		equal(t, "the newest", must(db.NewestTemplate(ctx, s.Programme.ID, domain.TrialMessage, "ru"))(t), all[1])
		equal(t, "of all", must(db.NewestTemplates(ctx))(t), all[1:])
		equal(t, "versions", must(db.TemplateVersions(ctx, s.Programme.ID, domain.TrialMessage, "ru"))(t), []domain.MessageTemplate{all[1], all[0]})
		equal(t, "of a text that nobody wrote", len(must(db.TemplateVersions(ctx, s.Programme.ID, domain.CodeMessage, "ru"))(t)), 0)
		for _, bad := range []domain.MessageTemplate{template(domain.TrialMessage, "ru", 0, "x"), template(domain.TrialMessage, "ru", 3, "")} {
			if err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error { _, err := tx.AddTemplate(ctx, bad); return err }); err == nil {
				t.Errorf("%+v was let in", bad)
			}
		}
	})
}

// Of any number who write the same version exactly one does, and each of the
// others reads it in the same transaction.
func TestTemplateAtOnce(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		for version := 1; version <= 10; version++ {
			var wrote atomic.Int32
			together(8, func(int) {
				err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
					ok, err := tx.AddTemplate(ctx, domain.MessageTemplate{
						ProgrammeID: s.Programme.ID, Kind: domain.StoppedMessage, Language: "ru", Version: version, Body: "x",
						StaffID: s.Administrator.ID, CreatedAt: at(0),
					})
					if ok {
						wrote.Add(1)
					}
					if err != nil {
						return err
					}
					newest, err := tx.NewestTemplate(ctx, s.Programme.ID, domain.StoppedMessage, "ru")
					if newest.Version != version {
						t.Errorf("the newest is version %d, want %d", newest.Version, version)
					}
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
			if wrote.Load() != 1 {
				t.Errorf("version %d was written %d times", version, wrote.Load())
			}
		}
	})
}

// A trial sending has no phone, so it stands on no handset.
func TestRecentMessages(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		p := addReferral(t, db, s, phone(1), "0000000001")
		v := addVisitFor(t, db, s, phone(2))
		trial := domain.Message{
			Channel: domain.ServiceChannel, Kind: domain.TrialMessage, ProgrammeID: s.Programme.ID, Language: "ru", Body: "проба",
			State: domain.MessageSending, DueAt: at(0), SendingAt: ptr(at(0)), CreatedAt: at(0),
		}
		own := message(p, v, domain.ReferralMessage)
		do(t, db, func(ctx context.Context, tx domain.Tx) (err error) {
			if trial.ID, err = tx.AddMessage(ctx, trial); err == nil {
				own.ID, err = tx.AddMessage(ctx, own)
			}
			return err
		})
		equal(t, "on handsets", must(db.RecentMessages(t.Context(), 10))(t), []domain.Message{own})
		equal(t, "a trial sending", must(db.Message(t.Context(), trial.ID))(t), trial)
	})
}
