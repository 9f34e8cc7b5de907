package sql

import "context"

// KeepSecret inserts first and reads after, so that of two instances that
// start together both leave with the same value.
func (t *tx) KeepSecret(ctx context.Context, name, value string) (string, error) {
	if _, err := t.exec(ctx, `INSERT INTO secrets (name, value) VALUES ($1, $2) ON CONFLICT (name) DO NOTHING`, name, value); err != nil {
		return "", err
	}
	return one[string](ctx, &t.queries, `SELECT value FROM secrets WHERE name = $1`, name)
}
