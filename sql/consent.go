package sql

import (
	"context"

	"prilavok/domain"
)

func (t *tx) AddConsentDocument(ctx context.Context, d domain.ConsentDocument) (int64, error) {
	return t.add(ctx, `INSERT INTO consent_documents (programme_id, kind, language, version, title, body, hash, published_at)
		VALUES (:programme_id, :kind, :language, :version, :title, :body, :hash, :published_at) RETURNING id`, d)
}

func (q *queries) CurrentConsentDocuments(ctx context.Context, programmeID int64, language string) ([]domain.ConsentDocument, error) {
	return many[domain.ConsentDocument](ctx, q, `SELECT d.id, d.programme_id, d.kind, d.language, d.version, d.title, d.body, d.hash, d.published_at
		FROM consent_documents d
		WHERE d.programme_id = $1 AND d.language = $2 AND d.version = (
			SELECT max(n.version) FROM consent_documents n
			WHERE n.programme_id = d.programme_id AND n.kind = d.kind AND n.language = d.language)
		ORDER BY CASE d.kind WHEN 'personal_data' THEN 0 ELSE 1 END, d.id`, programmeID, language)
}

const consentFields = `c.id, c.source, coalesce(c.visit_id, 0) AS visit_id, c.contact_id, coalesce(c.store_id, 0) AS store_id,
		coalesce(c.staff_id, 0) AS staff_id, c.document_id, c.hash, c.given, c.at, c.challenge_id,
		d.id AS "document.id", d.programme_id AS "document.programme_id", d.kind AS "document.kind",
		d.language AS "document.language", d.version AS "document.version", d.title AS "document.title",
		d.body AS "document.body", d.hash AS "document.hash", d.published_at AS "document.published_at"`

const consentTables = ` FROM consents c JOIN consent_documents d ON d.id = c.document_id`

func (q *queries) VisitConsents(ctx context.Context, visitID int64) ([]domain.Consent, error) {
	return many[domain.Consent](ctx, q, `SELECT `+consentFields+consentTables+` WHERE c.visit_id = $1 ORDER BY c.id`, visitID)
}

func (q *queries) NewestConsent(ctx context.Context, contactID int64, kind domain.ConsentKind) (domain.Consent, error) {
	return one[domain.Consent](ctx, q, `SELECT `+consentFields+consentTables+` LEFT JOIN visits v ON v.id = c.visit_id
		WHERE c.contact_id = $1 AND d.kind = $2 AND (c.given OR `+consentCounts("c", "v")+`) ORDER BY c.id DESC LIMIT 1`, contactID, kind)
}

func (t *tx) AddContactEvent(ctx context.Context, e domain.ContactEvent) error {
	_, err := t.exec(ctx, `INSERT INTO contact_events (contact_id, kind, source, at) VALUES ($1, $2, $3, $4)`, e.ContactID, e.Kind, e.Source, e.At)
	return err
}

func (q *queries) ContactConsents(ctx context.Context, contactID int64) (map[domain.ConsentKind]bool, error) {
	var rows []struct {
		Kind  domain.ConsentKind
		Given bool
	}
	err := q.list(ctx, &rows, `SELECT d.kind, c.given
		FROM consents c JOIN consent_documents d ON d.id = c.document_id
		WHERE c.id IN (`+newestConsents+` LEFT JOIN visits nv ON nv.id = n.visit_id
			WHERE n.contact_id = $1 AND `+consentCounts("n", "nv")+` GROUP BY nd.kind)`, contactID)
	if err != nil {
		return nil, err
	}
	out := make(map[domain.ConsentKind]bool, len(rows))
	for _, r := range rows {
		out[r.Kind] = r.Given
	}
	return out, nil
}

// consentCounts tells whether an answer counts for its contact. Anybody can
// name somebody else's number: so it does once the phone has answered in its
// visit, or where it came from the phone itself. What came otherwise than in a
// visit is told by its source, too: an instance of before may still write it.
func consentCounts(consent, visit string) string {
	return `(` + consent + `.holds OR ` + consent + `.source <> 'visit' OR ` + visit + `.verified_at IS NOT NULL)`
}

// newestConsents picks the last answer to each kind of document, in whatever
// version and language it was read.
const newestConsents = `SELECT max(n.id) FROM consents n JOIN consent_documents nd ON nd.id = n.document_id`

func (t *tx) AddConsent(ctx context.Context, c domain.Consent) (int64, error) {
	return one[int64](ctx, &t.queries, `INSERT INTO consents (source, visit_id, contact_id, store_id, staff_id, document_id, hash, given, at, challenge_id, holds)
		VALUES ($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11) RETURNING id`,
		c.Source, orNull(c.VisitID), c.ContactID, orNull(c.StoreID), orNull(c.StaffID), c.DocumentID, c.Hash, c.Given, c.At, c.ChallengeID, c.Holds)
}

func (t *tx) LinkConsents(ctx context.Context, visitID, contactID int64) error {
	_, err := t.exec(ctx, `UPDATE consents SET contact_id = $2 WHERE visit_id = $1 AND contact_id IS NULL`, visitID, contactID)
	return err
}

// ConfirmConsents marks the answers that stand: one that was given and then
// taken back in the same visit is confirmed by nobody.
func (t *tx) ConfirmConsents(ctx context.Context, visitID int64, challengeID string) error {
	_, err := t.exec(ctx, `UPDATE consents SET challenge_id = $2
		WHERE given AND id IN (`+newestConsents+` WHERE n.visit_id = $1 GROUP BY nd.kind)`, visitID, challengeID)
	return err
}

// UnlinkContact also takes the code's confirmation off the consents: it was
// the unlinked person's phone that answered, and the rows may be linked to
// another person next. What somebody has refused who was linked before stays
// theirs.
func (t *tx) UnlinkContact(ctx context.Context, visitID int64) error {
	if _, err := t.exec(ctx, `UPDATE consents SET contact_id = NULL, challenge_id = NULL, holds = FALSE
		WHERE visit_id = $1 AND contact_id = (SELECT contact_id FROM visits WHERE id = $1)`, visitID); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE verifications SET contact_id = NULL WHERE visit_id = $1`, visitID); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE redemptions SET friend_id = NULL, friend_phone = NULL
		WHERE visit_id = $1 AND state NOT IN ('held', 'confirmed')`, visitID); err != nil {
		return err
	}
	// A refused own code, and a trial code that was held, lead to their owner,
	// who is the unlinked person.
	if _, err := t.exec(ctx, `UPDATE promo_refusals SET promo_code_id = NULL WHERE visit_id = $1`, visitID); err != nil {
		return err
	}
	// Who got the codes of this visit is forgotten with it. Gateways make their
	// names and reports of phones. The messages come first: that waits for a
	// report that is being saved.
	if _, err := t.exec(ctx, `UPDATE messages SET contact_id = NULL, gateway_id = '' WHERE visit_id = $1 AND channel = 'code'`, visitID); err != nil {
		return err
	}
	if _, err := t.exec(ctx, `UPDATE delivery_reports SET detail = '', report_key = 'erased ' || id
		WHERE message_id IN (SELECT id FROM messages WHERE visit_id = $1 AND channel = 'code')`, visitID); err != nil {
		return err
	}
	_, err := t.exec(ctx, `DELETE FROM redemptions WHERE visit_id = $1 AND state NOT IN ('held', 'confirmed')
		AND promo_code_id IN (SELECT id FROM promo_codes WHERE kind = 'trial')`, visitID)
	return err
}

func (t *tx) EndVerification(ctx context.Context, visitID int64) error {
	_, err := t.exec(ctx, `UPDATE verifications SET contact_id = NULL WHERE visit_id = $1`, visitID)
	return err
}

// StandingRefusals counts a yes that a code has once confirmed, too: a no of
// before it is over.
func (q *queries) StandingRefusals(ctx context.Context, visitID int64) ([]int64, error) {
	return many[int64](ctx, q, `SELECT id FROM consents WHERE NOT given AND id IN (`+newestConsents+` JOIN visits nv ON nv.id = n.visit_id
		WHERE nv.id = $1 AND n.contact_id = nv.contact_id AND (n.challenge_id IS NOT NULL OR `+consentCounts("n", "nv")+`)
		GROUP BY nd.kind) ORDER BY id`, visitID)
}

func (t *tx) LinkWithdrawal(ctx context.Context, contactID int64, consentIDs []int64) error {
	where, args := in("id", consentIDs, []any{contactID})
	_, err := t.exec(ctx, `UPDATE consents SET contact_id = $1, holds = TRUE WHERE `+where, args...)
	return err
}
