package sql

import (
	"context"
	"time"

	"prilavok/domain"
)

// messageRow is MessageRow as its columns hold it: a message may have no
// store. The names are read as they are; see IncomingRows.
type messageRow struct {
	domain.MessageRow
	Store, Zone *string
}

func (r messageRow) row() domain.MessageRow {
	r.StoreName, r.StoreTimeZone = orEmpty(r.Store), orEmpty(r.Zone)
	return r.MessageRow
}

const messageRowSelect = `SELECT ` + messageColumns + `, s.name AS store, s.time_zone AS zone` + messageTables + `
	LEFT JOIN stores s ON s.id = m.store_id WHERE `

func (q *queries) MessageRow(ctx context.Context, id int64) (domain.MessageRow, error) {
	r, err := one[messageRow](ctx, q, messageRowSelect+`m.id = $1`, id)
	return r.row(), err
}

// MessageRows pages by the key, as Visits does.
func (q *queries) MessageRows(ctx context.Context, f domain.MessageFilter) ([]domain.MessageRow, error) {
	where, args := `TRUE`, []any{}
	and := func(condition string, arg any) {
		args = append(args, arg)
		where += ` AND ` + condition + placeholder(len(args))
	}
	if !f.AllStores {
		var ids string
		ids, args = in("m.store_id", f.StoreIDs, args)
		where += ` AND ` + ids
	}
	order := `m.id`
	if f.Day != "" {
		// The sum keeps the engine from walking down the key until it meets an
		// old day: the day's few messages are found by the index on due_at.
		order = `m.id + 0`
		day, from, until := `FALSE`, time.Time{}, time.Time{}
		for i, span := range f.Spans {
			var ids string
			ids, args = in("m.store_id", span.StoreIDs, args)
			if span.NoStore {
				ids = `(` + ids + ` OR m.store_id IS NULL)`
			}
			args = append(args, span.From, span.Until)
			day += ` OR ` + ids + ` AND m.due_at >= ` + placeholder(len(args)-1) + ` AND m.due_at < ` + placeholder(len(args))
			if i == 0 || span.From.Before(from) {
				from = span.From
			}
			if span.Until.After(until) {
				until = span.Until
			}
		}
		where += ` AND (` + day + `)`
		and(`m.due_at >= `, from)
		and(`m.due_at < `, until)
	}
	if f.StoreID != 0 {
		and(`m.store_id = `, f.StoreID)
	}
	if f.Channel != "" {
		and(`m.channel = `, f.Channel)
	}
	if f.Kind != "" {
		and(`m.kind = `, f.Kind)
	}
	if f.State != "" {
		and(`m.state = `, f.State)
	}
	if f.Before != 0 {
		and(`m.id < `, f.Before)
	}
	if f.Limit <= 0 {
		f.Limit = listed
	}
	args = append(args, f.Limit)
	rows, err := many[messageRow](ctx, q, messageRowSelect+where+` ORDER BY `+order+` DESC LIMIT `+placeholder(len(args)), args...)
	out := make([]domain.MessageRow, 0, len(rows))
	for _, r := range rows {
		out = append(out, r.row())
	}
	return out, err
}
