package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// SettleAttempts finds out what became of checks and sends that nobody came
// back to.
type SettleAttempts struct {
	river.WorkerDefaults[domain.SettleAttemptsJob]
	Service *domain.Service
}

// Work settles a part of them; the rest is left for the next run.
func (w *SettleAttempts) Work(ctx context.Context, _ *river.Job[domain.SettleAttemptsJob]) error {
	_, err := w.Service.SettleAttempts(ctx)
	return err
}
