package sql

import (
	"context"
	"encoding/json"

	"prilavok/domain"
)

func (q *queries) ContactByToken(ctx context.Context, token string) (domain.Contact, error) {
	return one[domain.Contact](ctx, q, contactColumns+` WHERE page_token = $1 AND page_token <> ''`, token)
}

func (q *queries) CustomerBrand(ctx context.Context, contactID int64) (string, error) {
	brand, err := one[string](ctx, q, `SELECT g.brand FROM messages m JOIN programmes g ON g.id = m.programme_id
		WHERE m.contact_id = $1 ORDER BY m.id DESC LIMIT 1`, contactID)
	if domain.IsNotFound(err) {
		return "", nil
	}
	return brand, err
}

// customerCodeRow is a code with its gift's title as the column holds it.
type customerCodeRow struct {
	domain.CustomerCode
	GiftJSON string
}

func (q *queries) CustomerCodes(ctx context.Context, contactID int64) ([]domain.CustomerCode, error) {
	rows, err := many[customerCodeRow](ctx, q, `SELECT `+promoColumns+`, g.brand, g.gift_title AS gift_json, g.gift_friends AS gift_at,
			g.active AND g.discounts_on AS "on",
			s.time_zone AS zone, (SELECT count(*) FROM redemptions u WHERE u.promo_code_id = p.id AND u.state = 'confirmed') AS friends
		`+promoTables+`
		JOIN programmes g ON g.id = p.programme_id
		JOIN visits v ON v.id = p.source_visit_id
		JOIN stores s ON s.id = v.store_id
		WHERE p.owner_id = $2 ORDER BY CASE p.kind WHEN 'referral' THEN 0 ELSE 1 END, p.id DESC`, q.now(), contactID)
	if err != nil {
		return nil, err
	}
	out := make([]domain.CustomerCode, len(rows))
	for i, r := range rows {
		out[i] = r.CustomerCode
		if err := json.Unmarshal([]byte(r.GiftJSON), &out[i].GiftTitle); err != nil {
			return nil, err
		}
	}
	return out, nil
}

func (q *queries) CustomerConsents(ctx context.Context, contactID int64) ([]domain.CustomerConsent, error) {
	// The store's name is read as it is: see Visits.
	var rows []struct {
		domain.CustomerConsent
		Store *string
	}
	err := q.list(ctx, &rows, `SELECT `+consentFields+`, s.name AS store, coalesce(s.time_zone, '') AS zone,
			`+consentCounts("c", "v")+` AS counts
		`+consentTables+` LEFT JOIN stores s ON s.id = c.store_id LEFT JOIN visits v ON v.id = c.visit_id WHERE c.contact_id = $1 ORDER BY c.id`, contactID)
	out := make([]domain.CustomerConsent, len(rows))
	for i, r := range rows {
		out[i] = r.CustomerConsent
		if r.Store != nil {
			out[i].StoreName = *r.Store
		}
	}
	return out, err
}

func (q *queries) CustomerVisits(ctx context.Context, contactID int64) ([]domain.CustomerVisit, error) {
	rows, err := q.Visits(ctx, domain.VisitFilter{AllStores: true, ContactID: contactID, Limit: 10_000})
	if err != nil {
		return nil, err
	}
	var answers []struct {
		VisitID        int64
		Title, Options string
		Value          string
	}
	if err := q.list(ctx, &answers, `SELECT a.visit_id, q.title, q.options, a.value FROM answers a JOIN questions q ON q.id = a.question_id
		JOIN visits v ON v.id = a.visit_id WHERE v.contact_id = $1 ORDER BY a.visit_id, q.position, q.id`, contactID); err != nil {
		return nil, err
	}
	out := make([]domain.CustomerVisit, len(rows))
	for i, r := range rows {
		out[i].VisitRow = r
		for _, a := range answers {
			if a.VisitID != r.ID {
				continue
			}
			answer := domain.CustomerAnswer{VisitID: a.VisitID, Value: a.Value}
			if err := json.Unmarshal([]byte(a.Title), &answer.Title); err != nil {
				return nil, err
			}
			if err := json.Unmarshal([]byte(a.Options), &answer.Options); err != nil {
				return nil, err
			}
			out[i].Answers = append(out[i].Answers, answer)
		}
	}
	return out, nil
}

func (q *queries) CustomerMessages(ctx context.Context, contactID int64) ([]domain.Message, error) {
	return many[domain.Message](ctx, q, `SELECT `+messageColumns+messageTables+` WHERE m.contact_id = $1 ORDER BY m.id`, contactID)
}

// CustomerSMS takes what came from the phone before it was anybody's here, too:
// that was a stranger then, and is theirs all the same.
func (q *queries) CustomerSMS(ctx context.Context, contactID int64) ([]domain.CustomerSMS, error) {
	return many[domain.CustomerSMS](ctx, q, `SELECT body, at FROM incoming_messages
		WHERE contact_id = $1 OR phone = (SELECT phone FROM contacts WHERE id = $1) ORDER BY id`, contactID)
}

func (q *queries) ContactEvents(ctx context.Context, contactID int64) ([]domain.ContactEvent, error) {
	return many[domain.ContactEvent](ctx, q, `SELECT contact_id, kind, source, at FROM contact_events WHERE contact_id = $1 ORDER BY id`, contactID)
}
