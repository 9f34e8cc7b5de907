package sql

import "context"

// Who came through whom. A use of a referral code is an edge from the friend
// to the owner; a ring of edges would let people refer each other in turn.

// Referred walks from a contact to whoever referred it, and on. UNION drops
// what was seen before, so even a ring in the data ends.
func (q *queries) Referred(ctx context.Context, programmeID, contactID, byContactID int64) (bool, error) {
	return one[bool](ctx, q, `WITH RECURSIVE above (id) AS (
			SELECT CAST($2 AS bigint)
			UNION
			SELECT p.owner_id FROM above a
			JOIN redemptions r ON r.friend_id = a.id AND r.programme_id = $1 AND r.state IN ('held', 'confirmed')
			JOIN promo_codes p ON p.id = r.promo_code_id AND p.kind = 'referral'
		)
		SELECT EXISTS (SELECT 1 FROM above WHERE id = $3)`, programmeID, contactID, byContactID)
}

// LockReferrals: whoever closes a ring owns a code, so only such friends have
// to queue, and a programme has one queue. The friend's contact comes first.
// As long as it is locked nobody can give this friend their first code, which
// another might use and close the ring behind our back; issuing one locks the
// contact too.
func (t *tx) LockReferrals(ctx context.Context, programmeID, friendID int64) error {
	if !t.postgres {
		return nil
	}
	if err := t.get(ctx, new(int64), `SELECT id FROM contacts WHERE id = $1 FOR KEY SHARE`, friendID); err != nil {
		return err
	}
	return t.list(ctx, new([]int64), `SELECT id FROM programmes WHERE id = $1 AND EXISTS (
			SELECT 1 FROM promo_codes WHERE owner_id = $2 AND programme_id = $1 AND kind = 'referral')
		FOR NO KEY UPDATE`, programmeID, friendID)
}
