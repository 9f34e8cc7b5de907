package domain_test

import (
	"flag"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"
)

// A soak is a property tried in rounds, each on a database of its own. A plain
// run of the tests tries one; SOAK is how long all soaks together may go on
// ("10m"), SOAK_ROUNDS how many rounds each may try at most. -rapid.seed
// repeats the round with that seed.
const (
	soaks      = 3 // that share SOAK: promo codes on two engines, and their history
	soakRounds = 500
)

// soak runs f until its share of the time is over and says what was tried.
func soak(t *testing.T, f func(t *testing.T, seed uint64, seen *tally)) {
	t.Helper()
	rounds, bound := 1, time.Duration(0)
	if s := os.Getenv("SOAK"); s != "" {
		all, err := time.ParseDuration(s)
		if err != nil {
			t.Fatalf("SOAK: %v", err)
		}
		bound, rounds = all/soaks, soakRounds
	}
	if s := os.Getenv("SOAK_ROUNDS"); s != "" {
		n, err := strconv.Atoi(s)
		if err != nil {
			t.Fatalf("SOAK_ROUNDS: %v", err)
		}
		rounds = n
	}
	seed, err := strconv.ParseUint(flag.Lookup("rapid.seed").Value.String(), 10, 64)
	if err != nil {
		t.Fatal(err)
	}
	if seed != 0 {
		rounds = 1
	}
	began, all := time.Now(), newTally()
	done, skipped := 0, false
	for done < rounds && !skipped && (done == 0 || time.Since(began) < bound) && !t.Failed() {
		round := seed
		if round == 0 {
			round = uint64(rand.Uint32()) + 1 //nolint:gosec // a seed that is printed is no secret
		}
		t.Run(fmt.Sprintf("seed %d", round), func(t *testing.T) {
			t.Logf("again by: go test ./domain -run '%s' -rapid.seed=%d", strings.SplitN(t.Name(), "/seed", 2)[0], round)
			defer func() { skipped = t.Skipped() }()
			f(t, round, all)
		})
		done++
	}
	t.Logf("%d rounds in %v\n%s", done, time.Since(began).Round(time.Millisecond), all)
}

// setFlag sets a flag of the test binary until the test ends.
func setFlag(t *testing.T, name, value string) {
	t.Helper()
	before := flag.Lookup(name).Value.String()
	if err := flag.Set(name, value); err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { _ = flag.Set(name, before) })
}

// tally counts what was done and how it was answered.
type tally struct {
	mu sync.Mutex
	n  map[string]int
}

func newTally() *tally { return &tally{n: map[string]int{}} }

func (s *tally) add(what string) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.n[what]++
}

// never gives those that did not happen once.
func (s *tally) never(what ...string) []string {
	return slices.DeleteFunc(what, func(w string) bool { return s.n[w] > 0 })
}

func (s *tally) String() string {
	var b strings.Builder
	total := 0
	for _, what := range slices.Sorted(maps.Keys(s.n)) {
		fmt.Fprintf(&b, "  %7d %s\n", s.n[what], what)
		total += s.n[what]
	}
	return fmt.Sprintf("%s  %7d in all", b.String(), total)
}
