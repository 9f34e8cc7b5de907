package main

import (
	"errors"
	"log/slog"
	"strings"
	"testing"
	"time"

	"github.com/riverqueue/river/rivertype"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

// lines is a log that is read line by line.
type lines chan string

func (l lines) Write(p []byte) (int, error) {
	l <- string(p)
	return len(p), nil
}

// A job that fails is told of; River would keep it to itself. This program
// lacks its database, so that each kind of periodic job panics.
func TestJobFaultsAreTold(t *testing.T) {
	log := make(lines, 1000)
	client, err := sqltest.New(t).NewRiver(workerConfig(&domain.Service{}, slog.New(slog.NewTextHandler(log, nil))))
	if err != nil {
		t.Fatal(err)
	}
	if err := client.Start(t.Context()); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = client.Stop(t.Context()) })
	missing := map[string]bool{"expire_holds": true, "sweep_messages": true, "abandon_visits": true, "forget_phone_keys": true}
	for deadline := time.After(patience); len(missing) > 0; {
		select {
		case line := <-log:
			for kind := range missing {
				if strings.Contains(line, `level=ERROR msg="a job panicked" kind=`+kind+" ") && strings.Contains(line, "nil pointer") && strings.Contains(line, "domain/") {
					delete(missing, kind)
				}
			}
		case <-deadline:
			t.Fatalf("nothing is told of %v", missing)
		}
	}
}

// An outage that fails thousands of jobs does not flood the log.
func TestJobFaultsAreToldOnceInAWhile(t *testing.T) {
	log := make(lines, 1000)
	f := newJobFaults(slog.New(slog.NewTextHandler(log, nil)))
	for _, kind := range []string{"a", "b", "a", "a", "b"} {
		f.HandleError(t.Context(), &rivertype.JobRow{ID: 7, Kind: kind, Attempt: 1, MaxAttempts: 25}, errors.New("as told"))
	}
	if len(log) != 2 {
		t.Fatalf("%d lines, want one of each kind", len(log))
	}
	if line := <-log; !strings.Contains(line, `msg="a job failed" kind=a job=7 attempt=1 of=25 error="as told"`) {
		t.Error(line)
	}
}
