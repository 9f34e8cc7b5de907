package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// AskDelivery asks a gateway what became of a message.
type AskDelivery struct {
	river.WorkerDefaults[domain.AskDeliveryJob]
	Service *domain.Service
}

// Work asks once, and comes back while the answer is not known.
func (w *AskDelivery) Work(ctx context.Context, job *river.Job[domain.AskDeliveryJob]) error {
	again, err := w.Service.AskDelivery(ctx, job.Args.MessageID)
	switch {
	case domain.IsNotFound(err):
		return river.JobCancel(err)
	case err != nil:
		return err
	case !again.IsZero():
		return river.JobSnooze(max(time.Millisecond, again.Sub(w.Service.Now())))
	}
	return nil
}
