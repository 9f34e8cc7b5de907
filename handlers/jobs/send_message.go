// Package jobs holds the background jobs: each unpacks its arguments, calls
// one verb of the domain, and returns.
package jobs

import (
	"context"
	"time"

	"github.com/riverqueue/river"

	"prilavok/domain"
)

// SendMessage sends one programme message when it is due.
type SendMessage struct {
	river.WorkerDefaults[domain.SendMessageJob]
	Service *domain.Service
}

// Work sends the message, or comes back when it may be sent. A gateway that
// is not set or a database that does not answer is waited for: the message is
// not lost, and it is not an attempt that failed.
func (w *SendMessage) Work(ctx context.Context, job *river.Job[domain.SendMessageJob]) error {
	again, err := w.Service.SendMessage(ctx, job.Args.MessageID, false)
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		return river.JobSnooze(10 * time.Minute)
	case domain.IsNotFound(err):
		// The message went with its contact; there is nothing to send.
		return river.JobCancel(err)
	case err != nil:
		return err
	case !again.IsZero():
		return river.JobSnooze(again.Sub(w.Service.Now()))
	}
	return nil
}

// Timeout bounds one attempt: two reads, the gateway's own deadline, two
// writes.
func (*SendMessage) Timeout(*river.Job[domain.SendMessageJob]) time.Duration {
	return 30 * time.Second
}
