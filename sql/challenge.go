package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

func (q *queries) CodeAttempts(ctx context.Context, visitID int64) ([]domain.CodeAttempt, error) {
	var rows []struct {
		domain.CodeAttempt
		AfterSendUs int64
	}
	err := q.list(ctx, &rows, `SELECT visit_id, store_id, staff_id, challenge_id, kind, verdict, after_send_us, at
		FROM code_attempts WHERE visit_id = $1 ORDER BY id`, visitID)
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
	_, err := t.exec(ctx, `INSERT INTO code_attempts (visit_id, store_id, staff_id, challenge_id, kind, verdict, after_send_us, at)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8)`,
		a.VisitID, a.StoreID, a.StaffID, a.ChallengeID, a.Kind, a.Verdict, a.AfterSend.Microseconds(), a.At)
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
