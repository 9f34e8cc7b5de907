package main

import (
	"log/slog"
	"time"

	"github.com/riverqueue/river"

	"prilavok/domain"
	"prilavok/handlers/jobs"
)

// workerConfig says which jobs run, how many at a time, and which come back
// by themselves. Of several instances one leader asks for the periodic ones.
func workerConfig(service *domain.Service, log *slog.Logger) *river.Config {
	workers := river.NewWorkers()
	river.AddWorker(workers, &jobs.SendMessage{Service: service})
	river.AddWorker(workers, &jobs.ExpireHolds{Service: service})
	river.AddWorker(workers, &jobs.AbandonVisits{Service: service})
	river.AddWorker(workers, &jobs.ForgetPhoneKeys{Service: service})
	return &river.Config{
		Logger:  quiet(log),
		Queues:  map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 20}},
		Workers: workers,
		PeriodicJobs: []*river.PeriodicJob{
			every(30*time.Second, domain.ExpireHoldsJob{}),
			every(10*time.Minute, domain.AbandonVisitsJob{}),
			every(6*time.Hour, domain.ForgetPhoneKeysJob{}),
		},
	}
}

func every(pause time.Duration, job river.JobArgs) *river.PeriodicJob {
	return river.NewPeriodicJob(river.PeriodicInterval(pause), func() (river.JobArgs, *river.InsertOpts) {
		// A run that is still waiting or working makes another one needless.
		return job, &river.InsertOpts{UniqueOpts: river.UniqueOpts{ByArgs: true, ByPeriod: pause}, MaxAttempts: 1}
	}, &river.PeriodicJobOpts{RunOnStart: true})
}

// quiet leaves out River's own notes on starting and stopping; its warnings
// stay.
func quiet(log *slog.Logger) *slog.Logger {
	return slog.New(atLeast{log.Handler(), slog.LevelWarn})
}
