package redisstore_test

import (
	"slices"
	"strconv"
	"testing"

	"prilavok/web/redisstore"
)

func TestOutboxKeepsTheNewest(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		outbox := s.Outbox()
		all := func() []string {
			t.Helper()
			texts, err := outbox.All(t.Context())
			if err != nil {
				t.Fatal(err)
			}
			got := make([]string, len(texts))
			for i, text := range texts {
				got[i] = string(text)
			}
			return got
		}
		if got := all(); len(got) != 0 {
			t.Errorf("a new outbox has %v", got)
		}
		for i := range 205 {
			if err := outbox.Push(t.Context(), []byte(strconv.Itoa(i))); err != nil {
				t.Fatal(err)
			}
			checkTTLs(t, s)
		}
		if n := s.Client().LLen(t.Context(), keys(t, s)[0]).Val(); n != 200 {
			t.Errorf("%d texts are stored; expected 200", n)
		}
		got := all()
		if len(got) != 200 || !slices.Equal(got[:2], []string{"204", "203"}) || got[199] != "5" {
			t.Errorf("%d texts, from %v to %v; expected 200, from 204 down to 5", len(got), got[:2], got[len(got)-1])
		}
	})
}
