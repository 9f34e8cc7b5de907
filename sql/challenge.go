package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

const attemptColumns = `id, visit_id, store_id, staff_id, challenge_id, kind, entry, verdict, after_send_us,
	phone_key, address_key, limit_met, at`

func (q *queries) CodeAttempts(ctx context.Context, visitID int64) ([]domain.CodeAttempt, error) {
	return q.attempts(ctx, `WHERE visit_id = $1 ORDER BY id`, visitID)
}

// CountedAttempts leaves out an SMS that was not asked for: one that waits or
// was refused has spent nothing.
func (q *queries) CountedAttempts(ctx context.Context, wrongSince, sentSince time.Time) ([]domain.CodeAttempt, error) {
	return q.attempts(ctx, `WHERE phone_key <> '' AND at > $1
		AND (verdict = 'wrong' OR (at > $2 AND verdict IN ('send', 'failed', 'unclear'))) ORDER BY id`, wrongSince, sentSince)
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

func (t *tx) AddCodeAttempt(ctx context.Context, a domain.CodeAttempt) error {
	_, err := t.exec(ctx, `INSERT INTO code_attempts (visit_id, store_id, staff_id, challenge_id, kind, entry, verdict, after_send_us,
			phone_key, address_key, limit_met, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12)`,
		a.VisitID, a.StoreID, a.StaffID, a.ChallengeID, a.Kind, a.Entry, a.Verdict, a.AfterSend.Microseconds(),
		a.PhoneKey, a.AddressKey, a.LimitMet, a.At)
	return err
}

func (t *tx) AddVerification(ctx context.Context, v domain.Verification) (bool, error) {
	// A phone that was taken out of the visit and came back has answered this
	// challenge already; its row is taken up again.
	again, err := t.exec(ctx, `UPDATE verifications SET contact_id = $3
		WHERE challenge_id = $1 AND visit_id = $2 AND contact_id IS NULL
			AND NOT EXISTS (SELECT 1 FROM verifications v WHERE v.visit_id = $2 AND v.contact_id = $3)`, v.ChallengeID, v.VisitID, v.ContactID)
	if err != nil || again > 0 {
		return again > 0, err
	}
	n, err := t.exec(ctx, `INSERT INTO verifications (challenge_id, visit_id, contact_id, store_id, staff_id, at)
		VALUES ($1, $2, $3, $4, $5, $6) ON CONFLICT DO NOTHING`,
		v.ChallengeID, v.VisitID, v.ContactID, v.StoreID, v.StaffID, v.At)
	return n > 0, err
}
