package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

const attemptColumns = `id, visit_id, store_id, staff_id, challenge_id, kind, entry, verdict, after_send_us,
	phone_key, address_key, limit_met, at, link, request_key`

func (q *queries) CodeAttempts(ctx context.Context, visitID int64) ([]domain.CodeAttempt, error) {
	return q.attempts(ctx, `WHERE visit_id = $1 ORDER BY id`, visitID)
}

// CountedAttempts leaves out an SMS that was not asked for: one that waits or
// was refused has spent nothing.
func (q *queries) CountedAttempts(ctx context.Context, wrongSince, sentSince time.Time) ([]domain.CodeAttempt, error) {
	return q.attempts(ctx, `WHERE phone_key <> '' AND at > $1
		AND (verdict = 'wrong' OR (verdict = 'asked' AND kind = 'check')
			OR (at > $2 AND (verdict IN ('send', 'failed', 'unclear', 'unsent') OR (verdict = 'asked' AND kind = 'send'))))
		ORDER BY id`, wrongSince, sentSince)
}

func (q *queries) AskedAttempts(ctx context.Context, visitID int64, limit int) ([]domain.CodeAttempt, error) {
	return q.attempts(ctx, `WHERE visit_id = $1 AND verdict = 'asked' ORDER BY id LIMIT $2`, visitID, limit)
}

func (q *queries) OrphanedAttempts(ctx context.Context, before time.Time, limit int) ([]domain.CodeAttempt, error) {
	return q.attempts(ctx, `WHERE verdict = 'asked' AND at < $1 ORDER BY id LIMIT $2`, before, limit)
}

func (q *queries) attempts(ctx context.Context, where string, args ...any) ([]domain.CodeAttempt, error) {
	var rows []struct {
		domain.CodeAttempt
		AfterSendUs int64
	}
	err := q.list(ctx, &rows, `SELECT `+attemptColumns+` FROM code_attempts `+where, args...)
	if err != nil {
		return nil, err
	}
	out := make([]domain.CodeAttempt, len(rows))
	for i, r := range rows {
		out[i] = r.CodeAttempt
		out[i].AfterSend = time.Duration(r.AfterSendUs) * time.Microsecond
	}
	return out, nil
}

// AskAttempt is one statement where the form is new, which is nearly always.
func (t *tx) AskAttempt(ctx context.Context, a domain.CodeAttempt) (domain.CodeAttempt, error) {
	ids, err := many[int64](ctx, &t.queries, `INSERT INTO code_attempts (visit_id, store_id, staff_id, challenge_id, kind, entry,
			verdict, after_send_us, phone_key, address_key, limit_met, at, link, request_key)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13, $14)
		ON CONFLICT (visit_id, request_key) WHERE request_key <> '' DO NOTHING RETURNING id`,
		a.VisitID, a.StoreID, a.StaffID, a.ChallengeID, a.Kind, a.Entry, a.Verdict, a.AfterSend.Microseconds(),
		a.PhoneKey, a.AddressKey, a.LimitMet, a.At, a.Link, a.RequestKey)
	if err != nil {
		return a, err
	}
	if len(ids) == 1 {
		a.ID = ids[0]
		return a, nil
	}
	if _, err := t.exec(ctx, `UPDATE code_attempts SET at_work = at_work + 1
		WHERE visit_id = $1 AND request_key = $2 AND verdict = 'asked'`, a.VisitID, a.RequestKey); err != nil {
		return a, err
	}
	before, err := t.attempts(ctx, `WHERE visit_id = $1 AND request_key = $2`, a.VisitID, a.RequestKey)
	if err == nil && len(before) == 0 {
		// Its verdict has just let go of the key.
		err = &domain.Error{Kind: domain.Invalid, Message: domain.Say("error.form_stale")}
	}
	if err != nil {
		return a, err
	}
	return before[0], nil
}

// unheard is true of an attempt that has no verdict, and that nobody can be at
// work on any more.
const unheard = `verdict IN ('asked', 'unjudged') AND at_work < 1`

// leave is one less at work.
func (t *tx) leave(ctx context.Context, attemptID int64) error {
	_, err := t.exec(ctx, `UPDATE code_attempts SET at_work = at_work - 1 WHERE id = $1 AND verdict IN ('asked', 'unjudged')`, attemptID)
	return err
}

func (t *tx) FinishAttempt(ctx context.Context, a domain.CodeAttempt) (bool, error) {
	if a.Answers() {
		// Whoever else has heard Redis has heard the same. Of what it has settled
		// meanwhile this tells more.
		return t.finishAttempt(ctx, a, `verdict IN ('asked', 'unjudged', 'unsent', $3)`)
	}
	if err := t.leave(ctx, a.ID); err != nil {
		return false, err
	}
	return t.finishAttempt(ctx, a, unheard)
}

func (t *tx) DropAttempt(ctx context.Context, id int64) (bool, error) {
	if err := t.leave(ctx, id); err != nil {
		return false, err
	}
	n, err := t.exec(ctx, `DELETE FROM code_attempts WHERE id = $1 AND `+unheard, id)
	return n > 0, err
}

func (t *tx) SettleAttempt(ctx context.Context, a domain.CodeAttempt) error {
	_, err := t.finishAttempt(ctx, a, `verdict = 'asked'`)
	return err
}

func (t *tx) ClaimSend(ctx context.Context, a domain.CodeAttempt) (bool, error) {
	return t.finishAttempt(ctx, a, `verdict IN ('asked', 'unjudged', 'unsent')`)
}

func (t *tx) EndSend(ctx context.Context, a domain.CodeAttempt) error {
	_, err := t.finishAttempt(ctx, a, `verdict = 'send'`)
	return err
}

func (t *tx) finishAttempt(ctx context.Context, a domain.CodeAttempt, where string) (bool, error) {
	key := a.RequestKey
	if !a.Answers() {
		key = ""
	}
	n, err := t.exec(ctx, `UPDATE code_attempts SET challenge_id = $2, verdict = $3, after_send_us = $4, limit_met = $5, request_key = $6
		WHERE id = $1 AND `+where, a.ID, a.ChallengeID, a.Verdict, a.AfterSend.Microseconds(), a.LimitMet, key)
	return n > 0, err
}

func (t *tx) AddVerification(ctx context.Context, v domain.Verification) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO verifications (challenge_id, visit_id, contact_id, store_id, staff_id, at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		v.ChallengeID, v.VisitID, v.ContactID, v.StoreID, v.StaffID, v.At)
	return n > 0, err
}
