package domain

import (
	"context"
	"slices"
	"sync"
	"time"
)

// turnWait is how long anybody waits for their turn.
const turnWait = 10 * time.Second

func notInTime(err error) error {
	return &Error{Kind: Unavailable, Message: Say("error.unavailable"), Err: err}
}

// turns bounds how much is done at a time.
type turns chan struct{}

func (t turns) enter(ctx context.Context) error {
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	select {
	case t <- struct{}{}:
		return nil
	case <-ctx.Done():
		return notInTime(ctx.Err())
	}
}

func (t turns) leave() { <-t }

// shares bounds how much is done at a time, and shares that out: nobody holds
// every place, and of those who wait the one is next who was served the longest
// time ago, so that a thousand requests of one client are one in the row, and
// not a thousand. Those who go first wait for nobody else.
type shares struct {
	size int // places; at least two, or one client could hold them all

	mu      sync.Mutex
	held    map[string]int   // places by who holds them
	turn    map[string]int64 // when each who holds or waits was served last
	served  int64
	waiting []*waiter // in the order of coming
}

type waiter struct {
	who   string
	first bool
	ready chan struct{} // closed when it has got a place
}

func newShares(size int) *shares {
	return &shares{size: max(2, size), held: map[string]int{}, turn: map[string]int64{}}
}

// enter waits for a place. Whoever gets none in time is told so, and must not
// leave.
func (s *shares) enter(ctx context.Context, who string, first bool) error {
	ctx, cancel := context.WithTimeout(ctx, turnWait)
	defer cancel()
	w := &waiter{who: who, first: first, ready: make(chan struct{})}
	s.mu.Lock()
	s.waiting = append(s.waiting, w)
	s.serve()
	s.mu.Unlock()
	select {
	case <-w.ready:
		return nil
	case <-ctx.Done():
	}
	s.mu.Lock()
	defer s.mu.Unlock()
	if i := slices.Index(s.waiting, w); i >= 0 {
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.forget(who)
	} else { // the place came in the same moment
		s.free(who)
	}
	return notInTime(ctx.Err())
}

// leave gives the place back.
func (s *shares) leave(who string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.free(who)
}

func (s *shares) free(who string) {
	s.held[who]--
	s.forget(who)
	s.serve()
}

// serve gives the places that are free to those who are next.
func (s *shares) serve() {
	for {
		i := s.next()
		if i < 0 {
			return
		}
		w := s.waiting[i]
		s.waiting = slices.Delete(s.waiting, i, i+1)
		s.served++
		s.held[w.who]++
		s.turn[w.who] = s.served
		close(w.ready)
	}
}

// next is the place in the row of who is next; -1 where nobody can be served.
func (s *shares) next() int {
	taken := 0
	for _, n := range s.held {
		taken += n
	}
	if taken >= s.size {
		return -1
	}
	best := -1
	for i, w := range s.waiting {
		switch {
		case !w.first && s.held[w.who] >= s.size-1:
		case best < 0, w.first && !s.waiting[best].first:
			best = i
		case w.first == s.waiting[best].first && s.turn[w.who] < s.turn[s.waiting[best].who]:
			best = i
		}
	}
	return best
}

// forget drops what is known of somebody who neither holds nor waits.
func (s *shares) forget(who string) {
	if s.held[who] > 0 {
		return
	}
	delete(s.held, who)
	if !slices.ContainsFunc(s.waiting, func(w *waiter) bool { return w.who == who }) {
		delete(s.turn, who)
	}
}
