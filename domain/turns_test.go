package domain_test

import (
	"context"
	"fmt"
	"slices"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"prilavok/domain"
)

// row stands for those who come for a place; it notes who gets one, in order.
type row struct {
	shares *domain.Shares
	ctx    context.Context
	mu     sync.Mutex
	got    []string
	errs   []error
}

// comes lets somebody come, and returns when they have a place or wait.
func (r *row) comes(who string, first bool) {
	go func() {
		err := r.shares.Enter(r.ctx, who, first)
		r.mu.Lock()
		defer r.mu.Unlock()
		if err != nil {
			r.errs = append(r.errs, err)
			return
		}
		r.got = append(r.got, who)
	}()
	synctest.Wait()
}

// leaves gives a place back, and returns when the next one has it.
func (r *row) leaves(who string) {
	r.shares.Leave(who)
	synctest.Wait()
}

func (r *row) expect(t *testing.T, what string, want ...string) {
	t.Helper()
	if !slices.Equal(r.got, want) {
		t.Errorf("%s: places went to %q; expected %q", what, r.got, want)
	}
	r.got = nil
}

// However many come from one address, it never holds every place, and the
// next place is somebody else's.
func TestSharesAreFair(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		r := &row{shares: domain.NewShares(2), ctx: t.Context()}
		for range 50 {
			r.comes("hammer", false)
		}
		r.expect(t, "one place is kept", "hammer")
		r.comes("anna", false)
		r.expect(t, "for somebody else", "anna")
		for range 50 {
			r.comes("other hammer", false)
		}
		r.comes("boris", false)
		r.expect(t, "all are taken")
		r.leaves("anna")
		r.expect(t, "who has never had one, in the order of coming", "other hammer")
		r.leaves("hammer")
		r.expect(t, "before those who have", "boris")
		r.leaves("boris")
		r.leaves("other hammer")
		r.leaves("hammer")
		r.leaves("other hammer")
		r.expect(t, "by turns", "hammer", "other hammer", "hammer", "other hammer")
		// Whoever is known here goes first, also from an address that hammers, and
		// takes the place that is kept too.
		r.comes("hammer", true)
		r.leaves("hammer")
		r.expect(t, "who goes first", "hammer")
		r.comes("anna", true)
		r.comes("vera", true)
		r.leaves("other hammer")
		r.leaves("hammer")
		r.expect(t, "all who go first", "anna", "vera")
		// All that hammered before are served in the end.
		r.leaves("anna")
		r.leaves("vera")
		for len(r.got) > 0 {
			who := r.got[0]
			r.got = r.got[1:]
			r.leaves(who)
		}
		if n := r.shares.Known(); n != 0 || len(r.errs) > 0 {
			t.Errorf("%d are remembered when all have gone; %v", n, r.errs)
		}
	})
}

// Waiting ends: after ten seconds, or when whoever waits has gone. What they
// stood for is nobody's then.
func TestSharesAreWaitedForInVain(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		ctx, cancel := context.WithCancel(t.Context())
		r := &row{shares: domain.NewShares(0), ctx: ctx}
		r.comes("anna", false)
		r.comes("boris", false)
		r.expect(t, "no less than two places", "anna", "boris")
		for i := range 20 {
			r.comes(fmt.Sprint("late", i), i%2 == 0)
		}
		start := time.Now()
		time.Sleep(10*time.Second + 1) // of the bubble
		synctest.Wait()
		if len(r.errs) != 20 || domain.KindOf(r.errs[0]) != domain.Unavailable || time.Since(start) > 11*time.Second {
			t.Errorf("after ten seconds: %v", r.errs)
		}
		r.comes("gone", false)
		cancel()
		synctest.Wait()
		if len(r.errs) != 21 || domain.KindOf(r.errs[20]) != domain.Unavailable {
			t.Errorf("whoever hangs up: %v", r.errs)
		}
		r.ctx = t.Context()
		r.leaves("anna")
		r.leaves("boris")
		if n := r.shares.Known(); n != 0 {
			t.Errorf("%d are remembered when all have gone", n)
		}
		r.comes("vera", false)
		r.expect(t, "afterwards", "vera")
		r.leaves("vera")
	})
}
