package sql

import (
	"context"

	"prilavok/domain"
)

const storeColumns = `s.id, s.programme_id, s.name, s.city, s.address, s.time_zone, s.active, s.self_entry`

func (q *queries) Store(ctx context.Context, id int64) (domain.Store, error) {
	return one[domain.Store](ctx, q, `SELECT `+storeColumns+` FROM stores s WHERE s.id = $1`, id)
}

func (q *queries) Stores(ctx context.Context) ([]domain.Store, error) {
	return many[domain.Store](ctx, q, `SELECT `+storeColumns+` FROM stores s ORDER BY s.name, s.id`)
}

func (t *tx) AddStore(ctx context.Context, s domain.Store) (int64, error) {
	return t.add(ctx, `INSERT INTO stores (programme_id, name, city, address, time_zone, active, self_entry)
		VALUES (:programme_id, :name, :city, :address, :time_zone, :active, :self_entry) RETURNING id`, s)
}

func (t *tx) SetSelfEntry(ctx context.Context, storeID int64, on bool) error {
	delete(t.stores, storeID)
	return t.execOne(ctx, `UPDATE stores SET self_entry = $2 WHERE id = $1`, storeID, on)
}
