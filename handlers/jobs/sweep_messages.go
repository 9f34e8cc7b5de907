package jobs

import (
	"context"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// SweepMessages ends the messages that nobody will tell of any more.
type SweepMessages struct {
	river.WorkerDefaults[domain.SweepMessagesJob]
	Service *domain.Service
}

// Work sweeps once; what fails is left for the next run.
func (w *SweepMessages) Work(ctx context.Context, _ *river.Job[domain.SweepMessagesJob]) error {
	return w.Service.SweepMessages(ctx)
}
