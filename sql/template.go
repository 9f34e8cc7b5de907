package sql

import (
	"context"

	"prilavok/domain"
)

const (
	templateColumns = `t.id, t.programme_id, t.kind, t.language, t.version, t.body, t.staff_id, s.name AS staff_name, t.created_at`
	templateTables  = ` FROM message_templates t JOIN staff s ON s.id = t.staff_id`
)

func (q *queries) NewestTemplate(ctx context.Context, programmeID int64, kind domain.MessageKind, language string) (domain.MessageTemplate, error) {
	return one[domain.MessageTemplate](ctx, q, `SELECT `+templateColumns+templateTables+`
		WHERE t.programme_id = $1 AND t.kind = $2 AND t.language = $3 ORDER BY t.version DESC LIMIT 1`, programmeID, kind, language)
}

func (q *queries) NewestTemplates(ctx context.Context) ([]domain.MessageTemplate, error) {
	return many[domain.MessageTemplate](ctx, q, `SELECT `+templateColumns+templateTables+`
		WHERE t.version = (SELECT max(n.version) FROM message_templates n
			WHERE n.programme_id = t.programme_id AND n.kind = t.kind AND n.language = t.language) ORDER BY t.id`)
}

func (q *queries) TemplateVersions(ctx context.Context, programmeID int64, kind domain.MessageKind, language string) ([]domain.MessageTemplate, error) {
	return many[domain.MessageTemplate](ctx, q, `SELECT `+templateColumns+templateTables+`
		WHERE t.programme_id = $1 AND t.kind = $2 AND t.language = $3 ORDER BY t.version DESC`, programmeID, kind, language)
}

// AddTemplate waits on PostgreSQL for whoever is about to insert the same
// version: afterwards it stands there for this transaction to read.
func (t *tx) AddTemplate(ctx context.Context, m domain.MessageTemplate) (bool, error) {
	_, ok, err := t.addOnce(ctx, `INSERT INTO message_templates (programme_id, kind, language, version, body, staff_id, created_at)
		VALUES (:programme_id, :kind, :language, :version, :body, :staff_id, :created_at)
		ON CONFLICT (programme_id, kind, language, version) DO NOTHING RETURNING id`, m)
	return ok, err
}
