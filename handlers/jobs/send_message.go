// Package jobs holds the background jobs: each unpacks its arguments, calls
// one verb of the domain, and returns.
package jobs

import (
	"context"
	"log/slog"
	"time"

	"github.com/riverqueue/river"
	"golang.org/x/time/rate"

	"prilavok/domain"
)

// SendMessage sends one programme message when it is due.
type SendMessage struct {
	river.WorkerDefaults[domain.SendMessageJob]
	Service *domain.Service
	Log     *slog.Logger
	outages rate.Sometimes
}

// NewSendMessage makes the worker. It tells the log once a minute of an outage
// that messages wait for.
func NewSendMessage(service *domain.Service, log *slog.Logger) *SendMessage {
	return &SendMessage{Service: service, Log: log, outages: rate.Sometimes{Interval: time.Minute}}
}

// outagePause is how long a worker stands still after the database or Redis
// did not answer, and outageSnooze when the message is tried again. Without the
// pause the queue would run through thousands of messages a second, and an
// outage of a moment would put all of them off.
const (
	outagePause  = 2 * time.Second
	outageSnooze = 30 * time.Second
)

// Work sends the message, or comes back when it may be sent. A database or a
// Redis that does not answer is waited for: the message is not lost, and it is
// not an attempt that failed.
func (w *SendMessage) Work(ctx context.Context, job *river.Job[domain.SendMessageJob]) error {
	again, err := w.Service.SendMessage(ctx, job.Args.MessageID, false)
	switch {
	case domain.KindOf(err) == domain.Unavailable:
		w.outages.Do(func() {
			w.Log.WarnContext(ctx, "the database or Redis does not answer a message's job; due messages wait", "error", err)
		})
		select {
		case <-time.After(outagePause):
		case <-ctx.Done():
		}
		return river.JobSnooze(outageSnooze)
	case domain.IsNotFound(err):
		// The message went with its contact; there is nothing to send.
		return river.JobCancel(err)
	case err != nil:
		return err
	case !again.IsZero():
		return river.JobSnooze(max(time.Millisecond, again.Sub(w.Service.Now())))
	}
	return nil
}

// Timeout bounds one attempt: the place in the row, the gateways' deadline over
// all of them, and the record. A claimed message goes on without it.
func (*SendMessage) Timeout(*river.Job[domain.SendMessageJob]) time.Duration {
	return 90 * time.Second
}
