package sql_test

import (
	"context"
	"errors"
	"slices"
	"testing"
	"time"

	"github.com/riverqueue/river"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

type testJob struct {
	Word string `json:"word"`
}

func (testJob) Kind() string { return "test" }

// eagerJob brings options of its own.
type eagerJob struct{ testJob }

func (eagerJob) InsertOpts() river.InsertOpts { return river.InsertOpts{MaxAttempts: 2, Priority: 3} }

func jobs(t testing.TB, db *sql.DB) int { return count(t, db, `SELECT count(*) FROM river_job`) }

// A row and its job commit together or not at all.
func TestEnqueue(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		broken := errors.New("broken")
		for _, end := range []error{broken, nil} {
			err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
				if _, _, err := tx.AddVisit(ctx, newVisit(s)); err != nil {
					return err
				}
				for range 2 {
					if err := tx.Enqueue(ctx, testJob{"привет"}, time.Now().Add(time.Hour)); err != nil {
						return err
					}
				}
				// The transaction goes on as before.
				if _, _, err := tx.AddVisit(ctx, newVisit(s)); err != nil {
					return err
				}
				return end
			})
			if !errors.Is(err, end) {
				t.Fatal(err)
			}
			want := 2
			if end != nil {
				want = 0
			}
			if v, j := count(t, db, `SELECT count(*) FROM visits`), jobs(t, db); v != want || j != want {
				t.Errorf("after %v: %d visits and %d jobs, want %d", end, v, j, want)
			}
		}
		if n := count(t, db, `SELECT count(*) FROM river_job WHERE state = 'scheduled' AND kind = 'test'`); n != 2 {
			t.Errorf("%d jobs are scheduled", n)
		}
	})
}

func TestEnqueueOptions(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		due := time.Date(2125, 1, 2, 3, 4, 5, 0, time.UTC)
		do(t, db, func(ctx context.Context, tx domain.Tx) error { return tx.Enqueue(ctx, eagerJob{}, due) })
		if n := count(t, db, `SELECT count(*) FROM river_job WHERE max_attempts = 2 AND priority = 3 AND state = 'scheduled'`); n != 1 {
			t.Error("the job's own options are lost")
		}
		var at time.Time
		if err := db.Raw().GetContext(t.Context(), &at, `SELECT scheduled_at FROM river_job`); err != nil || !at.Equal(due) {
			t.Errorf("scheduled at %s, %v", at, err)
		}
		// A failed insert fails the transaction's caller, not silently the job.
		err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error { return tx.Enqueue(ctx, badJob{}, due) })
		if err == nil || jobs(t, db) != 1 {
			t.Errorf("a job that cannot be written: %v, %d jobs", err, jobs(t, db))
		}
	})
}

type badJob struct{ C chan int }

func (badJob) Kind() string { return "bad" }

type testWorker struct {
	river.WorkerDefaults[testJob]
	work func(ctx context.Context, word string) error
}

func (w *testWorker) Work(ctx context.Context, job *river.Job[testJob]) error {
	return w.work(ctx, job.Args.Word)
}

func startRiver(t testing.TB, db *sql.DB, work func(context.Context, string) error) sql.RiverClient {
	t.Helper()
	workers := river.NewWorkers()
	river.AddWorker(workers, &testWorker{work: work})
	client, err := db.NewRiver(&river.Config{
		Workers: workers, Queues: map[string]river.QueueConfig{river.QueueDefault: {MaxWorkers: 8}},
		TestOnly: true,
	})
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(context.WithoutCancel(t.Context())); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		ctx, cancel := context.WithTimeout(context.Background(), 20*time.Second)
		defer cancel()
		if err := client.Stop(ctx); err != nil {
			t.Errorf("stop: %v", err)
		}
	})
	return client
}

// Jobs run while transactions do, their own transactions commit, and every
// one runs once.
func TestWork(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		s := sqltest.Fixture(t, db)
		const n = 40
		worked := make(chan string, 2*n)
		client := startRiver(t, db, func(ctx context.Context, word string) error {
			err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) error {
				v := newVisit(s)
				v.RequestID = "job " + word
				_, created, err := tx.AddVisit(ctx, v)
				if !created {
					t.Errorf("job %s ran twice", word)
				}
				return err
			})
			worked <- word
			return err
		})
		events, stop := client.Subscribe(river.EventKindJobCompleted, river.EventKindJobFailed)
		defer stop()
		together(8, func(i int) {
			for j := range n / 8 {
				err := db.InTx(t.Context(), func(ctx context.Context, tx domain.Tx) error {
					return tx.Enqueue(ctx, testJob{phone(i*100 + j)}, time.Time{})
				})
				if err != nil {
					t.Error(err)
				}
			}
		})
		var words []string
		for range n {
			select {
			case e := <-events:
				if e.Kind != river.EventKindJobCompleted {
					t.Errorf("a job failed: %+v", e.Job.Errors)
				}
			case <-time.After(30 * time.Second):
				t.Fatal("jobs hang")
			}
			words = append(words, <-worked)
		}
		slices.Sort(words)
		if len(slices.Compact(words)) != n {
			t.Errorf("%d different jobs ran, want %d", len(slices.Compact(words)), n)
		}
		if v := count(t, db, `SELECT count(*) FROM visits`); v != n {
			t.Errorf("%d visits of %d jobs", v, n)
		}
	})
}
