package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// ExpireHolds gives back the uses of promo codes whose hold has run out.
type ExpireHolds struct {
	river.WorkerDefaults[domain.ExpireHoldsJob]
	Service *domain.Service
}

// Work expires everything that is due; what fails is left for the next run.
func (w *ExpireHolds) Work(ctx context.Context, _ *river.Job[domain.ExpireHoldsJob]) error {
	_, err := w.Service.ExpireHolds(ctx)
	return err
}
