package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// AbandonVisits closes the visits that nobody came back to.
type AbandonVisits struct {
	river.WorkerDefaults[domain.AbandonVisitsJob]
	Service *domain.Service
}

// Work closes everything that is due; what fails is left for the next run.
func (w *AbandonVisits) Work(ctx context.Context, _ *river.Job[domain.AbandonVisitsJob]) error {
	_, err := w.Service.AbandonStaleVisits(ctx)
	return err
}
