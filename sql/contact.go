package sql

import (
	"context"
	"errors"
	"slices"

	"prilavok/domain"
)

const (
	contactColumns = `SELECT id, phone, name, language, verified_at, page_token, erased_at, created_at FROM contacts`
	contactByID    = contactColumns + ` WHERE id = $1`
)

func (q *queries) Contact(ctx context.Context, id int64) (domain.Contact, error) {
	return one[domain.Contact](ctx, q, contactByID, id)
}

// ContactForPhone inserts first and looks afterwards; the other order has a
// gap in which a second person for the phone could be made. The row that is
// found is kept from being deleted (DropContactIfUnused) until the visit that
// refers to it has been committed.
func (t *tx) ContactForPhone(ctx context.Context, c domain.Contact) (id int64, created bool, err error) {
	look := `SELECT id FROM contacts WHERE phone = $1`
	if t.postgres {
		look += ` FOR KEY SHARE`
	}
	// The row may be deleted between the two statements. It takes somebody
	// else's whole transaction each time, so a few rounds are enough.
	for range 5 {
		id, created, err = t.addOnce(ctx, `INSERT INTO contacts (phone, name, language, verified_at, created_at)
			VALUES (:phone, :name, :language, :verified_at, :created_at)
			ON CONFLICT (phone) DO NOTHING RETURNING id`, c)
		if err != nil || created {
			return id, created, err
		}
		if err = t.get(ctx, &id, look, c.Phone); !domain.IsNotFound(err) {
			return id, false, err
		}
	}
	return 0, false, &domain.Error{
		Kind: domain.Unavailable, Message: domain.Say("error.unavailable"),
		Err: errors.New("sql: a contact was made and deleted again and again"),
	}
}

// LockContact is as strong as DropContactIfUnused: whoever is about to add a
// consent that refers to the contact waits, or is waited for. Reading one
// table, it gives the row as it is after the wait.
func (t *tx) LockContact(ctx context.Context, id int64) (domain.Contact, error) {
	query := contactByID
	if t.postgres {
		query += ` FOR UPDATE`
	}
	return one[domain.Contact](ctx, &t.queries, query, id)
}

func (t *tx) LockContacts(ctx context.Context, ids ...int64) error {
	ids = slices.DeleteFunc(ids, func(id int64) bool { return id == 0 })
	if !t.postgres || len(ids) == 0 {
		return nil
	}
	where, args := in("id", ids, nil)
	return t.list(ctx, new([]int64), `SELECT id FROM contacts WHERE `+where+` ORDER BY id FOR UPDATE`, args...)
}

func (t *tx) SaveContact(ctx context.Context, c domain.Contact) error {
	return t.execOne(ctx, `UPDATE contacts SET name = $2, language = $3, verified_at = $4 WHERE id = $1`,
		c.ID, c.Name, c.Language, c.VerifiedAt)
}

// unusedContact is true of a contact, $1, that nothing refers to. Whoever took
// a consent back by SMS or asked for something else stays known: the wish
// holds for a later visit too.
const unusedContact = `
	AND NOT EXISTS (SELECT 1 FROM visits WHERE contact_id = $1)
	AND NOT EXISTS (SELECT 1 FROM consents WHERE contact_id = $1)
	AND NOT EXISTS (SELECT 1 FROM verifications WHERE contact_id = $1)
	AND NOT EXISTS (SELECT 1 FROM promo_codes WHERE owner_id = $1)
	AND NOT EXISTS (SELECT 1 FROM redemptions WHERE friend_id = $1)
	AND NOT EXISTS (SELECT 1 FROM messages WHERE contact_id = $1)
	AND NOT EXISTS (SELECT 1 FROM contact_events WHERE contact_id = $1)`

// DropContactIfUnused waits for whoever is about to refer to the contact, or
// to let go of it, before it looks: two visits that let go of one contact at
// the same moment must not leave it behind, each seeing the other.
func (t *tx) DropContactIfUnused(ctx context.Context, id int64) (bool, error) {
	if t.postgres {
		// Stronger than lock(): inserts that refer to the row must wait too.
		if err := t.get(ctx, new(int64), `SELECT id FROM contacts WHERE id = $1 FOR UPDATE`, id); err != nil {
			if domain.IsNotFound(err) {
				return false, nil
			}
			return false, err
		}
	}
	if _, err := t.exec(ctx, `UPDATE incoming_messages SET contact_id = NULL, phone = ''
		WHERE (contact_id = $1 OR phone = (SELECT phone FROM contacts WHERE id = $1))`+unusedContact, id); err != nil {
		return false, err
	}
	if _, err := t.exec(ctx, `UPDATE withdrawals SET contact_id = NULL, reason = '—' WHERE contact_id = $1`+unusedContact, id); err != nil {
		return false, err
	}
	n, err := t.exec(ctx, `DELETE FROM contacts WHERE id = $1`+unusedContact, id)
	return n > 0, err
}

func (q *queries) Answers(ctx context.Context, visitID int64) ([]domain.Answer, error) {
	return many[domain.Answer](ctx, q, `SELECT question_id, value FROM answers WHERE visit_id = $1 ORDER BY question_id`, visitID)
}

func (t *tx) SetAnswers(ctx context.Context, visitID int64, answers []domain.Answer) error {
	if _, err := t.exec(ctx, `DELETE FROM answers WHERE visit_id = $1`, visitID); err != nil || len(answers) == 0 {
		return err
	}
	query, args := `INSERT INTO answers (visit_id, question_id, value) VALUES `, []any{visitID}
	for i, a := range answers {
		if i > 0 {
			query += `, `
		}
		args = append(args, a.QuestionID, a.Value)
		query += `($1, ` + placeholder(len(args)-1) + `, ` + placeholder(len(args)) + `)`
	}
	_, err := t.exec(ctx, query, args...)
	return err
}
