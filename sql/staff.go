package sql

import (
	"context"
	stdsql "database/sql"

	"prilavok/domain"
)

const staffColumns = `id, login, name, role, language, password_hash, active, created_at`

func (q *queries) StaffByLogin(ctx context.Context, login string) (domain.Staff, error) {
	return q.staff(ctx, `m.login = $1`, login)
}

func (q *queries) StaffByID(ctx context.Context, id int64) (domain.Staff, error) {
	return q.staff(ctx, `m.id = $1`, id)
}

// staffRow is a member of staff beside one of their stores, or beside none.
type staffRow struct {
	domain.Staff
	Assigned struct {
		ID, ProgrammeID               *int64
		Name, City, Address, TimeZone *string
		Active, SelfEntry             *bool
	}
}

// staff reads one member of staff with the assigned stores, by name. It is
// asked on every request, so it is one statement: a row for each store.
func (q *queries) staff(ctx context.Context, where string, arg any) (domain.Staff, error) {
	rows, err := many[staffRow](ctx, q, `SELECT m.id, m.login, m.name, m.role, m.language, m.password_hash, m.active, m.created_at,
			s.id AS "assigned.id", s.programme_id AS "assigned.programme_id", s.name AS "assigned.name", s.city AS "assigned.city",
			s.address AS "assigned.address", s.time_zone AS "assigned.time_zone", s.active AS "assigned.active",
			s.self_entry AS "assigned.self_entry"
		FROM staff m LEFT JOIN staff_stores a ON a.staff_id = m.id LEFT JOIN stores s ON s.id = a.store_id
		WHERE `+where+` ORDER BY s.name, s.id`, arg)
	if err == nil && len(rows) == 0 {
		err = translate(ctx, stdsql.ErrNoRows)
	}
	if err != nil {
		return domain.Staff{}, err
	}
	m := rows[0].Staff
	for _, r := range rows {
		if s := r.Assigned; s.ID != nil {
			m.Stores = append(m.Stores, domain.Store{
				ID: *s.ID, ProgrammeID: *s.ProgrammeID, Name: *s.Name, City: *s.City, Address: *s.Address,
				TimeZone: *s.TimeZone, Active: *s.Active, SelfEntry: *s.SelfEntry,
			})
		}
	}
	return m, nil
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
