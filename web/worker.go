package main

import (
	"context"
	"log/slog"
	"sync"
	"time"

	"github.com/riverqueue/river"
	"github.com/riverqueue/river/rivertype"
	"golang.org/x/time/rate"

	"prilavok/domain"
	"prilavok/handlers/jobs"
)

// workerConfig says which jobs run, how many at a time, and which come back
// by themselves. Of several instances one leader asks for the periodic ones.
func workerConfig(service *domain.Service, log *slog.Logger) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, jobs.NewSendMessage(service, log))
	river.AddWorker(workers, &jobs.AskDelivery{Service: service})
	river.AddWorker(workers, &jobs.SweepMessages{Service: service})
	river.AddWorker(workers, &jobs.ExpireHolds{Service: service})
	river.AddWorker(workers, &jobs.AbandonVisits{Service: service})
	river.AddWorker(workers, &jobs.SettleAttempts{Service: service})
	river.AddWorker(workers, &jobs.ForgetPhoneKeys{Service: service})
	return &river.Config{
		Logger:       quiet(log),
		ErrorHandler: newJobFaults(log),
		Workers:      workers,
		Queues: map[string]river.QueueConfig{
			river.QueueDefault: {MaxWorkers: 20},
			// River fetches MaxWorkers jobs a FetchCooldown at most.
			domain.MessageQueue: {MaxWorkers: messageWorkers, FetchCooldown: 50 * time.Millisecond},
			domain.AskQueue:     {MaxWorkers: askWorkers, FetchCooldown: 50 * time.Millisecond},
		},
		// A job whose program was killed comes back soon: it may never have
		// begun to send. One that is only slow does no harm by coming back, for a
		// message that is claimed is not claimed again.
		RescueStuckJobsAfter: time.Minute,
		PeriodicJobs: []*river.PeriodicJob{
			every(30*time.Second, domain.ExpireHoldsJob{}),
			every(30*time.Second, domain.SweepMessagesJob{}),
			every(time.Minute, domain.SettleAttemptsJob{}),
			every(10*time.Minute, domain.AbandonVisitsJob{}),
			every(6*time.Hour, domain.ForgetPhoneKeysJob{}),
		},
	}
}

// messageWorkers is how many messages are on their way to a gateway at once:
// enough for 1,000 a second where it answers within 50 ms.
const messageWorkers = 64

// askWorkers is how many questions for the fate of messages are on their way at
// once. It leaves some of the connections for questions about codes.
const askWorkers = 6

func every(pause time.Duration, job river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(pause), func() (river.JobArgs, *river.InsertOpts) {
		// Two runs at once do no harm, so none is unique. River looks through the
		// unique jobs for each job whose time has come: with a handful of them
		// 10,000 messages that a gateway's outage had set aside took PostgreSQL
		// 87 s to bring back, and River's patience ends after 30.
		return job, &river.InsertOpts{MaxAttempts: 1}
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// jobFaults tells of jobs that failed, which River itself mentions among its
// own notes only. An outage may fail thousands, so of each kind one is told in
// a while.
type jobFaults struct {
	log  *slog.Logger
	mu   sync.Mutex
	told map[string]*rate.Sometimes // by kind
}

const jobFaultPause = 10 * time.Second

func newJobFaults(log *slog.Logger) *jobFaults {
	return &jobFaults{log: log, told: map[string]*rate.Sometimes{}}
}

// HandleError tells of an error. River tries the job again as it would without.
func (f *jobFaults) HandleError(ctx context.Context, job *rivertype.JobRow, err error) *river.ErrorHandlerResult {
	f.tell(ctx, "a job failed", job, "error", err)
	return nil
}

// HandlePanic tells of a panic and where it came from.
func (f *jobFaults) HandlePanic(ctx context.Context, job *rivertype.JobRow, what any, trace string) *river.ErrorHandlerResult {
	f.tell(ctx, "a job panicked", job, "panic", what, "trace", trace)
	return nil
}

func (f *jobFaults) tell(ctx context.Context, message string, job *rivertype.JobRow, more ...any) {
	f.mu.Lock()
	sometimes := f.told[job.Kind]
	if sometimes == nil {
		sometimes = &rate.Sometimes{Interval: jobFaultPause}
		f.told[job.Kind] = sometimes
	}
	f.mu.Unlock()
	sometimes.Do(func() {
		f.log.ErrorContext(ctx, message, append([]any{"kind", job.Kind, "job", job.ID, "attempt", job.Attempt, "of", job.MaxAttempts}, more...)...)
	})
}

// quiet leaves out River's own notes on starting and stopping; its warnings
// stay.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(atLeast{log.Handler(), slog.LevelWarn})
}
