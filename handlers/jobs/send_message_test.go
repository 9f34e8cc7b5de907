package jobs_test

import (
	"context"
	"errors"
	"log/slog"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/riverqueue/river"

	"prilavok/domain"
	"prilavok/handlers/jobs"
)

// away is a database that does not answer.
type away struct{ domain.Database }

func (away) MessageDue(context.Context, int64) (domain.MessageDue, error) {
	return domain.MessageDue{}, &domain.Error{Kind: domain.Unavailable, Err: errors.New("connection refused")}
}

// An outage costs a message no attempt; the queue does not run through all that
// is due meanwhile, and the log is not flooded.
func TestSendMessageWaitsForAnOutage(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var log strings.Builder
		w := jobs.NewSendMessage(&domain.Service{DB: away{}}, slog.New(slog.NewTextHandler(&log, nil)))
		began := time.Now()
		for range 100 {
			err := w.Work(t.Context(), &river.Job[domain.SendMessageJob]{})
			if snooze := (*river.JobSnoozeError)(nil); !errors.As(err, &snooze) || snooze.Duration != 30*time.Second {
				t.Fatalf("%v, want a snooze of 30 s", err)
			}
		}
		if took := time.Since(began); took != 200*time.Second {
			t.Errorf("a worker ran through 100 messages in %v, want 2 s each", took)
		}
		if n := strings.Count(log.String(), "connection refused"); n != 4 {
			t.Errorf("%d lines in 200 s, want one a minute:\n%s", n, log.String())
		}
		over, cancel := context.WithCancel(t.Context())
		cancel()
		began = time.Now()
		_ = w.Work(over, &river.Job[domain.SendMessageJob]{})
		if took := time.Since(began); took != 0 {
			t.Errorf("a job whose time is over was held up for %v", took)
		}
	})
}
