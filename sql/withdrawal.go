package sql

import (
	"context"

	"prilavok/domain"
)

func (t *tx) AddWithdrawal(ctx context.Context, w domain.Withdrawal) (bool, error) {
	n, err := t.exec(ctx, `INSERT INTO withdrawals (request_id, contact_id, staff_id, reason, at)
		VALUES ($1, $2, $3, $4, $5) ON CONFLICT (request_id) DO NOTHING`, w.RequestID, orNull(w.ContactID), w.StaffID, w.Reason, w.At)
	return n > 0, err
}

func (q *queries) RecentWithdrawals(ctx context.Context, staffID int64, limit int) ([]domain.WithdrawalRecord, error) {
	return many[domain.WithdrawalRecord](ctx, q, `SELECT w.id, w.request_id, coalesce(w.contact_id, 0) AS contact_id, w.staff_id, w.reason, w.at,
			s.name AS staff_name
		FROM withdrawals w JOIN staff s ON s.id = w.staff_id
		WHERE CAST($1 AS BIGINT) IN (0, w.staff_id) ORDER BY w.id DESC LIMIT $2`, staffID, limit)
}
