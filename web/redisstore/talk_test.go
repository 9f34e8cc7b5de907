package redisstore_test

import (
	"context"
	"errors"
	"maps"
	"strconv"
	"strings"
	"testing"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

const (
	hour = time.Hour
	day  = 24 * time.Hour
)

// locks are the lengths of a phone's locks.
var locks = []time.Duration{day, 3 * day, 7 * day, 30 * day}

// talk is one visit with one phone, as the domain would ask for it.
type talk struct {
	t       *testing.T
	store   *redisstore.Store
	phone   string
	advisor string
	shop    string
	address string
	visit   int64
	id      string // of the challenge that Open would begin
	right   string // digest of the code of that challenge
	now     time.Time
	tries   int
	caps    map[domain.LimitName]int
}

// begin begins a visit in which Redis remembers what was counted: nothing.
func begin(t *testing.T, s *redisstore.Store) *talk {
	t.Helper()
	restore(t, s, nil)
	return &talk{
		t: t, store: s, phone: "phone-" + domain.RandomToken(8), advisor: domain.RandomToken(8), shop: domain.RandomToken(8),
		address: domain.RandomToken(8), visit: 7, id: "first", right: "digest-first", now: noon, tries: 3,
		caps: map[domain.LimitName]int{
			domain.LimitPhoneDay: 5, domain.LimitPhoneLock: 5, domain.LimitAdvisor: 10, domain.LimitStore: 50,
			domain.LimitSendPhone: 5, domain.LimitSendAdvisor: 60, domain.LimitSendAddress: 60,
		},
	}
}

func restore(t *testing.T, s *redisstore.Store, counted []domain.Counted) {
	t.Helper()
	if err := s.Limits().Restore(t.Context(), noon, reading(counted)); err != nil {
		t.Fatal(err)
	}
}

// reading is what a restore is given to read.
func reading(counted []domain.Counted) func(context.Context) ([]domain.Counted, error) {
	return func(context.Context) ([]domain.Counted, error) { return counted, nil }
}

// with begins another challenge with what follows.
func (h *talk) with(id string) { h.id, h.right = id, "digest-"+id }

func (h *talk) wrongs() []domain.Budget {
	return []domain.Budget{
		{Name: domain.LimitPhoneDay, Kind: domain.CountedWrong, Subject: "phone:" + h.phone, Max: h.caps[domain.LimitPhoneDay], Window: day, Keep: 120 * day},
		{Name: domain.LimitPhoneLock, Kind: domain.CountedWrong, Subject: "phone:" + h.phone, Max: h.caps[domain.LimitPhoneLock], Window: 90 * day, Keep: 120 * day, Locks: locks},
		{Name: domain.LimitAdvisor, Kind: domain.CountedWrong, Subject: "staff:" + h.advisor, Max: h.caps[domain.LimitAdvisor], Window: day, Keep: day},
		{Name: domain.LimitStore, Kind: domain.CountedWrong, Subject: "store:" + h.shop, Max: h.caps[domain.LimitStore], Window: day, Keep: day},
	}
}

func (h *talk) sends() []domain.Budget {
	return []domain.Budget{
		{Name: domain.LimitSendPhone, Kind: domain.CountedSend, Subject: "phone:" + h.phone, Max: h.caps[domain.LimitSendPhone], Window: day, Keep: day},
		{Name: domain.LimitSendAdvisor, Kind: domain.CountedSend, Subject: "staff:" + h.advisor, Max: h.caps[domain.LimitSendAdvisor], Window: hour, Keep: hour},
		{Name: domain.LimitSendAddress, Kind: domain.CountedSend, Subject: "address:" + h.address, Max: h.caps[domain.LimitSendAddress], Window: hour, Keep: hour},
	}
}

func (h *talk) openRequest(requestID string) domain.OpenRequest {
	return domain.OpenRequest{
		PhoneKey: h.phone, VisitID: h.visit, Event: h.event("send", requestID), ID: h.id + h.unique(), Digest: h.right, Now: h.now,
		Lifetime: 5 * time.Minute, ResendAfter: []time.Duration{30 * time.Second, time.Minute, 2 * time.Minute},
		Tries: h.tries, Sends: h.sends(), Wrongs: h.wrongs(),
	}
}

func (h *talk) checkRequest(requestID, digest string) domain.CheckRequest {
	return domain.CheckRequest{
		PhoneKey: h.phone, VisitID: h.visit, Event: h.event("check", requestID+digest), Digest: digest, Now: h.now, Tries: h.tries, Wrongs: h.wrongs(),
	}
}

func (h *talk) lookRequest() domain.LookRequest {
	return domain.LookRequest{PhoneKey: h.phone, VisitID: h.visit, Now: h.now, Tries: h.tries, Sends: h.sends(), Wrongs: h.wrongs()}
}

// event is what the row of a form would be counted under: the same form once
// more is the same event, another code in it another one.
func (h *talk) event(kind, request string) string { return kind + " " + request + h.unique() }

// unique sets challenges of different visits apart, which are all called alike
// here.
func (h *talk) unique() string { return " of " + h.phone + " in " + strconv.FormatInt(h.visit, 10) }

func (h *talk) open(requestID string) (domain.OpenResult, error) {
	res, err := h.store.Challenges().Open(h.t.Context(), h.openRequest(requestID))
	res.ID = strings.TrimSuffix(res.ID, h.unique())
	return res, err
}

func (h *talk) check(requestID, digest string) (domain.CheckResult, error) {
	res, err := h.store.Challenges().Check(h.t.Context(), h.checkRequest(requestID, digest))
	res.ID = strings.TrimSuffix(res.ID, h.unique())
	return res, err
}

// elsewhere is the same talk with caps of its own.
func (h *talk) elsewhere() *talk {
	other := *h
	other.caps = maps.Clone(h.caps)
	return &other
}

// mustOpen asks for an SMS, holds the verdict against want, and looks at the
// TTLs and at the state that a screen would read.
func (h *talk) mustOpen(requestID string, want domain.OpenVerdict) domain.OpenResult {
	h.t.Helper()
	res, err := h.open(requestID)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.Verdict != want {
		h.t.Fatalf("open %s is %s; expected %s", requestID, res.Verdict, want)
	}
	if state := h.look(); state != res.State {
		h.t.Errorf("open %s: state is %+v, and a look gives %+v", requestID, res.State, state)
	}
	checkTTLs(h.t, h.store)
	return res
}

// mustCheck is the same for a guess; a check tells nothing of SMS.
func (h *talk) mustCheck(requestID, digest string, want domain.CheckVerdict) domain.CheckResult {
	h.t.Helper()
	res, err := h.check(requestID, digest)
	if err != nil {
		h.t.Fatal(err)
	}
	if res.Verdict != want {
		h.t.Fatalf("check %s is %s; expected %s", requestID, res.Verdict, want)
	}
	state := h.look()
	state.Silent = domain.Limit{}
	if state != res.State {
		h.t.Errorf("check %s: state is %+v, and a look gives %+v", requestID, res.State, state)
	}
	checkTTLs(h.t, h.store)
	return res
}

func (h *talk) look() domain.ChallengeState {
	h.t.Helper()
	state, err := h.store.Challenges().Look(h.t.Context(), h.lookRequest())
	if err != nil {
		h.t.Fatal(err)
	}
	return state
}

func (h *talk) challengeKey() string {
	return h.store.LimitKey("visit:" + h.phone + ":" + strconv.FormatInt(h.visit, 10))
}

// compared is how many guesses of this challenge have reached the compare.
func (h *talk) compared() int {
	h.t.Helper()
	n, err := h.store.Client().HGet(h.t.Context(), h.challengeKey(), "compared").Int()
	if err != nil && !errors.Is(err, redis.Nil) {
		h.t.Fatal(err)
	}
	return n
}

// counted is how many wrong guesses stand against phone, advisor and store.
// They are the same events, so the numbers must not differ.
func (h *talk) counted() int {
	h.t.Helper()
	budgets := h.wrongs()
	n := recorded(h.t, h.store, budgets[0])
	for _, b := range budgets {
		if other := recorded(h.t, h.store, b); other != n {
			h.t.Errorf("%d wrong guesses are counted for %s, and %d for %s", n, budgets[0].Name, other, b.Name)
		}
	}
	return n
}

func recorded(t *testing.T, s *redisstore.Store, b domain.Budget) int {
	t.Helper()
	return len(recordedAt(t, s, b))
}

// recordedAt are the times of a budget's events.
func recordedAt(t *testing.T, s *redisstore.Store, b domain.Budget) (times []time.Time) {
	t.Helper()
	all, err := s.Limits().Recorded(t.Context())
	if err != nil {
		t.Fatal(err)
	}
	for _, c := range all {
		if c.Kind == b.Kind && c.Subject == b.Subject && !c.Lift {
			times = append(times, c.At)
		}
	}
	return times
}
