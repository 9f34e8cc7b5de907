package sql

import (
	"context"

	"prilavok/domain"
)

// recounts are the questions of the check, each giving the rows that differ:
// subject, stored, counted. Whoever adds a figure that is derived adds its
// question here.
var recounts = []struct{ what, query string }{
	// used is the sum of what counts as a use.
	{"uses of a promo code", `SELECT 'promo code ' || p.id AS subject, p.used AS stored, count(r.id) AS counted
		FROM promo_codes p LEFT JOIN redemptions r ON r.promo_code_id = p.id
			AND (r.state IN ('held', 'confirmed') OR r.use_kept)
		GROUP BY p.id, p.used HAVING p.used <> count(r.id)`},
	// A redemption and its visit tell the same story.
	{"redemption of a visit that is not like it", `SELECT 'redemption ' || r.id AS subject, r.state AS stored,
			CASE WHEN v.voided_at IS NOT NULL THEN 'voided' WHEN v.outcome = '' THEN 'open' ELSE v.outcome END AS counted
		FROM redemptions r JOIN visits v ON v.id = r.visit_id
		WHERE (r.state = 'held' AND v.outcome <> '')
			OR (r.state = 'confirmed' AND (v.outcome <> 'purchase' OR v.voided_at IS NOT NULL))
			OR (r.state = 'voided' AND v.voided_at IS NULL)`},
	// The discount of a purchase is that of its code, and none without one.
	{"discount of a purchase", `SELECT 'visit ' || v.id AS subject, v.discount AS stored,
			coalesce(` + discountOf + `, 0) AS counted
		FROM visits v
		LEFT JOIN redemptions r ON r.visit_id = v.id AND r.state IN ('confirmed', 'voided')
		LEFT JOIN promo_codes p ON p.id = r.promo_code_id
		WHERE v.discount <> coalesce(` + discountOf + `, 0)`},
	{"sum of a visit without a purchase", `SELECT 'visit ' || id AS subject, price AS stored, 0 AS counted
		FROM visits WHERE outcome <> 'purchase' AND price <> 0`},
	// A gift stands where enough friends have bought with a code that was not
	// taken back. Where the programme gives none, nobody is owed one.
	{"friends of a gift", `SELECT 'promo code ' || p.id AS subject, coalesce(g.state, 'none') AS stored,
			(SELECT count(*) FROM redemptions r WHERE r.promo_code_id = p.id AND r.state = 'confirmed') AS counted
		FROM promo_codes p
		JOIN programmes pr ON pr.id = p.programme_id
		LEFT JOIN gifts g ON g.promo_code_id = p.id
		WHERE pr.gift_friends > 0 AND p.kind = 'referral' AND coalesce(g.state, 'none') <> 'collected'
			AND (coalesce(g.state, 'none') = 'earned') <>
				(p.state <> 'void' AND (SELECT count(*) FROM redemptions r WHERE r.promo_code_id = p.id AND r.state = 'confirmed') >= pr.gift_friends)`},
	{"owner of a gift", `SELECT 'gift ' || g.id AS subject, g.owner_id AS stored, p.owner_id AS counted
		FROM gifts g JOIN promo_codes p ON p.id = g.promo_code_id WHERE g.owner_id <> p.owner_id`},
	// A voided purchase has earned nothing that is alive, unless another
	// purchase of the same person has earned it too.
	{"code of a voided purchase", `SELECT 'promo code ' || p.id AS subject, p.state AS stored, 'void' AS counted
		FROM promo_codes p JOIN visits v ON v.id = p.source_visit_id
		WHERE p.kind = 'referral' AND p.state <> 'void' AND v.voided_at IS NOT NULL
			AND NOT EXISTS (SELECT 1 FROM visits o WHERE o.contact_id = p.owner_id AND o.programme_id = p.programme_id
				AND o.outcome = 'purchase' AND o.voided_at IS NULL AND o.verified_at IS NOT NULL)`},
	{"verified phone", `SELECT 'visit ' || v.id AS subject, 'verified' AS stored, 'no proof' AS counted
		FROM visits v WHERE v.verified_at IS NOT NULL AND v.request_id <> '` + domain.DemoRequestID + `'
			AND NOT EXISTS (SELECT 1 FROM verifications x WHERE x.visit_id = v.id AND x.contact_id = v.contact_id)`},
	// After STOP nothing leaves until a new yes counts. What the visits say has
	// the time at which their form came in, which may be before a sending that
	// was saved first; what the customer says by themselves is in order.
	{"message that left after its customer had stopped all", `SELECT 'message ' || m.id AS subject, m.state AS stored, 'stopped' AS counted
		FROM messages m JOIN consents n ON n.contact_id = m.contact_id AND n.source <> 'visit' AND NOT n.given AND n.at < m.sending_at
		JOIN consent_documents d ON d.id = n.document_id AND d.kind = 'communications'
		WHERE m.channel = 'programme' AND m.sending_at IS NOT NULL AND NOT EXISTS (
			SELECT 1 FROM consents y JOIN consent_documents e ON e.id = y.document_id JOIN visits v ON v.id = y.visit_id
			WHERE y.contact_id = n.contact_id AND y.id > n.id AND y.given AND e.kind = 'communications'
				AND v.verified_at IS NOT NULL AND y.at <= m.sending_at)
		GROUP BY m.id, m.state`},
	// One that no gateway took is scheduled again, and refused when it is due.
	{"scheduled message of a customer who has stopped all", `SELECT 'message ' || m.id AS subject, m.state AS stored, 'cancelled' AS counted
		FROM messages m JOIN consents n ON n.contact_id = m.contact_id AND n.source <> 'visit' AND NOT n.given AND n.at > m.created_at
		JOIN consent_documents d ON d.id = n.document_id AND d.kind = 'communications'
		WHERE m.channel = 'programme' AND m.state = 'scheduled' AND m.attempts = 0
		GROUP BY m.id, m.state`},
	// Whoever is said to have stopped has said no.
	{"stop that took nothing back", `SELECT 'incoming message ' || i.id AS subject, i.word AS stored, 'consent stands' AS counted
		FROM incoming_messages i WHERE i.word = 'stop' AND i.contact_id IS NOT NULL AND EXISTS (
			SELECT 1 FROM consents y JOIN consent_documents d ON d.id = y.document_id JOIN visits v ON v.id = y.visit_id
			WHERE y.contact_id = i.contact_id AND y.given AND d.kind = 'communications' AND v.verified_at < i.at AND y.at < i.at
				AND NOT EXISTS (SELECT 1 FROM consents n JOIN consent_documents e ON e.id = n.document_id
					WHERE n.contact_id = y.contact_id AND n.id > y.id AND NOT n.given AND e.kind = 'communications'))`},
	{"withdrawal that took nothing back", `SELECT 'withdrawal ' || w.id AS subject, 'withdrawn' AS stored, 'consent stands' AS counted
		FROM withdrawals w WHERE w.contact_id IS NOT NULL AND EXISTS (
			SELECT 1 FROM consents y JOIN consent_documents d ON d.id = y.document_id JOIN visits v ON v.id = y.visit_id
			WHERE y.contact_id = w.contact_id AND y.given AND d.kind = 'communications' AND v.verified_at < w.at AND y.at < w.at
				AND NOT EXISTS (SELECT 1 FROM consents n JOIN consent_documents e ON e.id = n.document_id
					WHERE n.contact_id = y.contact_id AND n.id > y.id AND NOT n.given AND e.kind = 'communications'))`},
	// Who was referred by whom never runs in a circle: from each use upwards
	// nobody meets themselves again.
	{"ring of referrals", `WITH RECURSIVE edges AS (
			SELECT r.programme_id, r.friend_id AS friend, p.owner_id AS owner FROM redemptions r
			JOIN promo_codes p ON p.id = r.promo_code_id
			WHERE r.state IN ('held', 'confirmed') AND p.kind = 'referral'),
		chain AS (
			SELECT programme_id, friend AS origin, owner FROM edges
			UNION
			SELECT c.programme_id, c.origin, e.owner FROM chain c
			JOIN edges e ON e.friend = c.owner AND e.programme_id = c.programme_id)
		SELECT 'contact ' || origin AS subject, 'in a ring' AS stored, 'no ring' AS counted FROM chain WHERE owner = origin`},
}

// discountOf is domain.Discount.Of in SQL, in whole kopecks on both engines.
const discountOf = `CASE WHEN p.discount_percent > 0
		THEN v.price / 100 * p.discount_percent + v.price % 100 * p.discount_percent / 100
		WHEN p.discount_kopecks > v.price THEN v.price ELSE p.discount_kopecks END`

// Recount asks one question after the other. Each is one statement and so
// sees one picture, and none needs the picture of another.
func (q *queries) Recount(ctx context.Context) ([]domain.Difference, error) {
	var out []domain.Difference
	for _, r := range recounts {
		rows, err := many[domain.Difference](ctx, q, `SELECT d.subject, CAST(d.stored AS TEXT) AS stored, CAST(d.counted AS TEXT) AS counted
			FROM (`+r.query+`) d ORDER BY d.subject LIMIT 1000`)
		if err != nil {
			return nil, err
		}
		for _, d := range rows {
			d.What = r.what
			out = append(out, d)
		}
	}
	return out, nil
}
