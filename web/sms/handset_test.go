package sms_test

import (
	"errors"
	"slices"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/redisstore"
	"prilavok/web/sms"
)

var _ sms.Outbox = (*redisstore.Outbox)(nil)

// openRedis starts an in-process Redis; its own suite runs it on a real one.
func openRedis(t *testing.T) *redisstore.Store {
	t.Helper()
	s, err := redisstore.Open(t.Context(), redisstore.Options{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = s.Close() })
	return s
}

func TestHandset(t *testing.T) {
	at := time.Date(2026, 3, 14, 15, 0, 0, 123456789, time.FixedZone("MSK", 3*3600))
	handset := sms.NewHandset(openRedis(t).Outbox(), func() time.Time { return at })
	if g := handset.Gateway(); g.Name != "handset" || !g.Instant {
		t.Errorf("the gateway is %+v", g)
	}
	if got, err := handset.Texts(t.Context()); err != nil || len(got) != 0 {
		t.Errorf("a new handset has %v, %v", got, err)
	}
	for _, m := range []domain.SMSText{
		{To: "+79161234567", Text: "0042 — код", Code: true},
		{To: "+79161234567", Text: "промокод"},
		{To: "+79160000000", Text: "1234 — код", Code: true},
	} {
		if _, err := handset.Send(t.Context(), m); err != nil {
			t.Fatal(err)
		}
	}
	utc := at.UTC().Truncate(time.Microsecond)
	want := []sms.HandsetText{
		{To: "+79160000000", Text: "1234 — код", Code: true, At: utc},
		{To: "+79161234567", Text: "0042 — код", Code: true, At: utc},
	}
	if got, err := handset.Texts(t.Context()); err != nil || !slices.Equal(got, want) {
		t.Errorf("the handset shows %v, %v; expected %v", got, err, want)
	}
}

func TestHandsetWithoutRedis(t *testing.T) {
	s := openRedis(t)
	handset := sms.NewHandset(s.Outbox(), time.Now)
	if err := s.Close(); err != nil {
		t.Fatal(err)
	}
	var failed *domain.SMSError
	if _, err := handset.Send(t.Context(), domain.SMSText{To: "+79161234567", Text: "0042", Code: true}); !errors.As(err, &failed) || failed.Fault != domain.SMSDown {
		t.Errorf("a text that was not kept gave %v; expected a plain failure", err)
	}
	if _, err := handset.Texts(t.Context()); domain.KindOf(err) != domain.Unavailable {
		t.Errorf("texts gave %v; expected Unavailable", err)
	}
}
