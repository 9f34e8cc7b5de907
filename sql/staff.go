package sql

import (
	"context"

	"prilavok/domain"
)

const staffColumns = `id, login, name, role, language, password_hash, active, created_at`

func (q *queries) StaffByLogin(ctx context.Context, login string) (domain.Staff, error) {
	return q.staff(ctx, `SELECT `+staffColumns+` FROM staff WHERE login = $1`, login)
}

func (q *queries) StaffByID(ctx context.Context, id int64) (domain.Staff, error) {
	return q.staff(ctx, `SELECT `+staffColumns+` FROM staff WHERE id = $1`, id)
}

// staff reads one member of staff with the assigned stores, by name.
func (q *queries) staff(ctx context.Context, query string, arg any) (domain.Staff, error) {
	s, err := one[domain.Staff](ctx, q, query, arg)
	if err != nil {
		return s, err
	}
	s.Stores, err = many[domain.Store](ctx, q, `SELECT `+storeColumns+` FROM stores s
		JOIN staff_stores a ON a.store_id = s.id
		WHERE a.staff_id = $1 ORDER BY s.name, s.id`, s.ID)
	return s, err
}

func (q *queries) StaffCount(ctx context.Context) (int, error) {
	return one[int](ctx, q, `SELECT count(*) FROM staff`)
}

// Advisors leaves Stores empty: it fills a choice, not a permission. Inactive
// advisors are listed, for their visits can still be looked for.
func (q *queries) Advisors(ctx context.Context, storeIDs []int64, all bool) ([]domain.Staff, error) {
	where, args := `role = $1`, []any{domain.Advisor}
	if !all {
		var ids string
		ids, args = in("a.store_id", storeIDs, args)
		where += ` AND EXISTS (SELECT 1 FROM staff_stores a WHERE a.staff_id = staff.id AND ` + ids + `)`
	}
	return many[domain.Staff](ctx, q, `SELECT `+staffColumns+` FROM staff WHERE `+where+` ORDER BY name, id`, args...)
}

func (t *tx) AddStaff(ctx context.Context, s domain.Staff) (int64, error) {
	id, err := t.add(ctx, `INSERT INTO staff (login, name, role, language, password_hash, active, created_at)
		VALUES (:login, :name, :role, :language, :password_hash, :active, :created_at) RETURNING id`, s)
	if err != nil {
		return 0, err
	}
	for _, st := range s.Stores {
		if _, err := t.exec(ctx, `INSERT INTO staff_stores (staff_id, store_id) VALUES ($1, $2)`, id, st.ID); err != nil {
			return 0, err
		}
	}
	return id, nil
}
