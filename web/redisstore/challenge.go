package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

const (
	// challengeKept is how long a challenge is remembered after its code
	// expired: for late repeats of a request, and so that a phone verified a
	// moment ago is not asked again.
	challengeKept = 15 * time.Minute
	// paceKept is how long after its last SMS a phone is remembered; then the
	// pauses start again from the first. No pause may be longer.
	paceKept = time.Hour
)

//go:embed lua/challenge.lua
var luaChallenge string

//go:embed lua/open.lua
var luaOpen string

//go:embed lua/check.lua
var luaCheck string

//go:embed lua/look.lua
var luaLook string

//go:embed lua/verdict.lua
var luaVerdict string

// A Script is asked for by its hash and sent whole when Redis doesn't know
// it (any more).
var (
	openScript    = redis.NewScript(luaLimits + luaChallenge + luaOpen)
	checkScript   = redis.NewScript(luaLimits + luaChallenge + luaCheck)
	lookScript    = redis.NewScript(luaLimits + luaChallenge + luaLook)
	verdictScript = redis.NewScript(luaLimits + luaChallenge + luaVerdict)
)

// Challenges implements domain.Challenges. Each decision is one script over
// challenge, pace and budgets, so any number of callers and instances see one
// order of events.
type Challenges struct{ store *Store }

var _ domain.Challenges = (*Challenges)(nil)

// Challenges gives the code challenges kept in this Redis.
func (s *Store) Challenges() *Challenges { return &Challenges{store: s} }

// call begins with the keys of challenge.lua, in its order.
// A challenge is of one link between visit and phone: the next link begins
// without it. Visits from before there were links have an empty one.
func (c *Challenges) call(phoneKey string, visitID int64, link string) *luaCall {
	visit := "visit:" + phoneKey + ":" + strconv.FormatInt(visitID, 10)
	if link != "" {
		visit += ":" + link
	}
	return c.store.call(visit, "pace:"+phoneKey)
}

// sharedArgs are ARGV 4–8 of challenge.lua.
func sharedArgs(event, digest string, tries int) []any {
	return []any{event, digest, tries, challengeKept.Milliseconds(), paceKept.Milliseconds()}
}

// Open opens a challenge or repeats the live one. A repeated SMS gives the
// code its whole lifetime again, but no try.
func (c *Challenges) Open(ctx context.Context, r domain.OpenRequest) (res domain.OpenResult, err error) {
	// Limits that are missing are our fault; going on would mean no limits.
	if len(r.ResendAfter) == 0 || r.Lifetime <= 0 || r.ID == "" || r.Digest == "" || r.Event == "" {
		return res, errors.New("redis: open: the request lacks its event, id, digest, lifetime or pauses")
	}
	args := append(sharedArgs(r.Event, r.Digest, r.Tries), r.Lifetime.Milliseconds(), r.ID)
	for _, pause := range r.ResendAfter {
		args = append(args, min(pause, paceKept).Milliseconds())
	}
	call := c.call(r.PhoneKey, r.VisitID, r.Link).some("sends", r.Sends).some("wrongs", r.Wrongs)
	err = call.run(ctx, openScript, r.Now, args, 5, func(reply []any) error {
		stored, err := readRecord(reply[4])
		if err != nil {
			return err
		}
		res = domain.OpenResult{
			Verdict: domain.OpenVerdict(text(reply[0])), Wait: millis(reply[1]), Limit: limit(reply[2], reply[3]),
			State: stored.state(r.Tries),
		}
		if stored.remembered() {
			res.ID, res.Sends = stored.id, int(stored.sends)
		}
		return nil
	})
	return res, err
}

// Check counts the guess first and compares after. Every counted answer of a
// challenge is remembered with its event, not only the last one: of two tabs
// that send at once, each may lose its answer and ask again. State.Silent is
// not told: a check knows of no budgets of SMS.
func (c *Challenges) Check(ctx context.Context, r domain.CheckRequest) (res domain.CheckResult, err error) {
	if r.Event == "" {
		return res, errors.New("redis: check: the request lacks its event")
	}
	args := sharedArgs(r.Event, r.Digest, r.Tries)
	call := c.call(r.PhoneKey, r.VisitID, r.Link).some("wrongs", r.Wrongs).with("sends", nil)
	err = call.run(ctx, checkScript, r.Now, args, 8, func(reply []any) error {
		stored, err := readRecord(reply[7])
		if err != nil {
			return err
		}
		res = domain.CheckResult{
			Verdict: domain.CheckVerdict(text(reply[0])), Repeated: number(reply[1]) == 1,
			ID: text(reply[2]), Left: int(number(reply[3])), Limit: limit(reply[5], reply[6]),
			State: stored.state(r.Tries),
		}
		if sent := number(reply[4]); sent > 0 {
			res.SentAt = time.UnixMilli(sent).UTC()
		}
		return nil
	})
	return res, err
}

// Look reads the state for a screen, in one round trip.
func (c *Challenges) Look(ctx context.Context, r domain.LookRequest) (state domain.ChallengeState, err error) {
	call := c.call(r.PhoneKey, r.VisitID, r.Link).some("sends", r.Sends).some("wrongs", r.Wrongs)
	err = call.run(ctx, lookScript, r.Now, sharedArgs("", "", r.Tries), 2, func(reply []any) error {
		stored, err := readRecord(reply[1])
		if err != nil {
			return err
		}
		state = stored.state(r.Tries)
		return nil
	})
	return state, err
}

// Verdict reads what became of an event.
func (c *Challenges) Verdict(ctx context.Context, r domain.VerdictRequest) (res domain.VerdictResult, err error) {
	call := c.call(r.PhoneKey, r.VisitID, r.Link).some("counted", r.Counted).with("wrongs", nil).with("sends", nil)
	err = call.run(ctx, verdictScript, r.Now, sharedArgs(r.Event, "", 0), 5, func(reply []any) error {
		answer, _, _ := strings.Cut(text(reply[2]), " ")
		res = domain.VerdictResult{
			ID: text(reply[1]), Check: domain.CheckVerdict(answer), Counted: number(reply[3]) == 1, Restored: number(reply[4]) == 1,
		}
		return nil
	})
	return res, err
}

// record is what Redis knows of one phone and visit; times are milliseconds.
type record struct {
	id                    string
	expires, sends, tries int64
	verified              bool
	nextSMS               int64
	room                  int64 // wrong guesses that all budgets have left
	barred, silent        domain.Limit
	now                   int64 // at which it was judged
}

// readRecord takes the parts in the order of state in challenge.lua.
func readRecord(reply any) (record, error) {
	r, ok := reply.([]any)
	if !ok || len(r) != 8 {
		return record{}, errors.New("a state of an unknown form")
	}
	c, ok := r[0].([]any)
	if !ok || len(c) != 5 {
		return record{}, errors.New("a challenge of an unknown form")
	}
	return record{
		id: text(c[0]), expires: number(c[1]), sends: number(c[2]), tries: number(c[3]), verified: number(c[4]) == 1,
		nextSMS: number(r[1]), room: number(r[2]), barred: limit(r[3], r[4]), silent: limit(r[5], r[6]), now: number(r[7]),
	}, nil
}

// remembered tells whether there is a challenge that scripts would heed.
func (r record) remembered() bool {
	return r.id != "" && r.now < r.expires+challengeKept.Milliseconds()
}

func (r record) state(tries int) domain.ChallengeState {
	until := func(then int64) time.Duration { return time.Duration(max(0, then-r.now)) * time.Millisecond }
	s := domain.ChallengeState{Resend: until(r.nextSMS), Barred: r.barred, Silent: r.silent}
	if !r.remembered() {
		return s
	}
	s.Sends = int(r.sends)
	switch {
	case r.verified:
		s.Verified = true
	case r.now >= r.expires:
	case int(r.tries) >= tries:
		s.Locked = true
	case r.barred.Name == "":
		s.Live, s.Expires, s.Left = true, until(r.expires), min(tries-int(r.tries), int(r.room))
	}
	return s
}
