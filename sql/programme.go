package sql

import (
	"context"
	"encoding/json"

	"prilavok/domain"
)

func (q *queries) Programme(ctx context.Context, id int64) (domain.Programme, error) {
	row, err := one[programmeRow](ctx, q, `SELECT id, name, brand, active, discounts_on,
			friend_discount_percent AS "friend_discount.percent", friend_discount_kopecks AS "friend_discount.kopecks",
			trial_discount_percent AS "trial_discount.percent", trial_discount_kopecks AS "trial_discount.kopecks",
			referral_uses, referral_days, trial_days, gift_friends, gift_title AS gift, created_at
		FROM programmes WHERE id = $1`, id)
	if err != nil {
		return domain.Programme{}, err
	}
	return row.Programme, json.Unmarshal([]byte(row.Gift), &row.GiftTitle)
}

// programmeRow is a programme as its columns hold it: the gift's title is JSON
// in text.
type programmeRow struct {
	domain.Programme
	Gift string
}

func (t *tx) AddProgramme(ctx context.Context, p domain.Programme) (int64, error) {
	if p.GiftTitle == nil {
		p.GiftTitle = domain.Localised{} // {} and not null
	}
	gift, err := json.Marshal(p.GiftTitle)
	if err != nil {
		return 0, err
	}
	return t.add(ctx, `INSERT INTO programmes (name, brand, active, discounts_on,
			friend_discount_percent, friend_discount_kopecks, trial_discount_percent, trial_discount_kopecks,
			referral_uses, referral_days, trial_days, gift_friends, gift_title, created_at)
		VALUES (:name, :brand, :active, :discounts_on,
			:friend_discount.percent, :friend_discount.kopecks, :trial_discount.percent, :trial_discount.kopecks,
			:referral_uses, :referral_days, :trial_days, :gift_friends, :gift, :created_at) RETURNING id`,
		programmeRow{Programme: p, Gift: string(gift)})
}

const productColumns = `id, programme_id, name, price, active, position`

func (q *queries) Products(ctx context.Context, programmeID int64) ([]domain.Product, error) {
	return many[domain.Product](ctx, q, `SELECT `+productColumns+` FROM products
		WHERE programme_id = $1 AND active ORDER BY position, id`, programmeID)
}

func (q *queries) Product(ctx context.Context, id int64) (domain.Product, error) {
	return one[domain.Product](ctx, q, `SELECT `+productColumns+` FROM products WHERE id = $1`, id)
}

func (t *tx) AddProduct(ctx context.Context, p domain.Product) (int64, error) {
	return t.add(ctx, `INSERT INTO products (programme_id, name, price, active, position)
		VALUES (:programme_id, :name, :price, :active, :position) RETURNING id`, p)
}

// questionRow is a question as its columns hold it: title and options are
// JSON in text, which both engines keep and neither has to search.
type questionRow struct {
	ID          int64
	ProgrammeID int64
	Title       string
	Options     string
	Active      bool
	Position    int
}

func (q *queries) Questions(ctx context.Context, programmeID int64) ([]domain.Question, error) {
	var rows []questionRow
	err := q.list(ctx, &rows, `SELECT id, programme_id, title, options, active, position FROM questions
		WHERE programme_id = $1 AND active ORDER BY position, id`, programmeID)
	if err != nil {
		return nil, err
	}
	out := make([]domain.Question, len(rows))
	for i, r := range rows {
		out[i] = domain.Question{ID: r.ID, ProgrammeID: r.ProgrammeID, Active: r.Active, Position: r.Position}
		if err := json.Unmarshal([]byte(r.Title), &out[i].Title); err != nil {
			return nil, err
		}
		if err := json.Unmarshal([]byte(r.Options), &out[i].Options); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (t *tx) AddQuestion(ctx context.Context, q domain.Question) (int64, error) {
	title, err := json.Marshal(q.Title)
	if err != nil {
		return 0, err
	}
	if q.Options == nil {
		q.Options = []domain.Option{} // [] and not null
	}
	options, err := json.Marshal(q.Options)
	if err != nil {
		return 0, err
	}
	return t.add(ctx, `INSERT INTO questions (programme_id, title, options, active, position)
		VALUES (:programme_id, :title, :options, :active, :position) RETURNING id`,
		questionRow{ProgrammeID: q.ProgrammeID, Title: string(title), Options: string(options), Active: q.Active, Position: q.Position})
}
