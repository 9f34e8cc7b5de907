package redisstore

import (
	"context"
	"crypto/sha256"
	_ "embed"
	"encoding/hex"
	"errors"
	"fmt"
	"strconv"
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
	// guessWindow is the "day" of TriesPerDay. It is fixed and begins with the
	// first wrong guess, so a steady trickle can't push it ahead of itself.
	guessWindow = 24 * time.Hour
)

//go:embed lua/challenge.lua
var luaChallenge string

//go:embed lua/open.lua
var luaOpen string

//go:embed lua/check.lua
var luaCheck string

// A Script is asked for by its hash and sent whole when Redis doesn't know
// it (any more).
var (
	openScript  = redis.NewScript(luaChallenge + luaOpen)
	checkScript = redis.NewScript(luaChallenge + luaCheck)
)

// Challenges implements domain.Challenges. Each decision is one script, so
// any number of callers and instances see one order of events. All keys of a
// phone carry the same hash tag and so live in one slot of a cluster.
type Challenges struct{ store *Store }

var _ domain.Challenges = (*Challenges)(nil)

// Challenges gives the code challenges kept in this Redis.
func (s *Store) Challenges() *Challenges { return &Challenges{store: s} }

// keys are those of challenge.lua, in its order.
func (c *Challenges) keys(phoneKey string, visitID int64) []string {
	phone := c.store.prefix + "pc:{" + phoneKey + "}:"
	return []string{phone + "visit:" + strconv.FormatInt(visitID, 10), phone + "pace", phone + "wrong"}
}

// sharedArgs are ARGV 1–8 of challenge.lua.
func sharedArgs(now time.Time, tries, triesPerDay int, request, digest string) []any {
	return []any{now.UnixMilli(), tries, triesPerDay, request, digest,
		challengeKept.Milliseconds(), paceKept.Milliseconds(), guessWindow.Milliseconds()}
}

// shortRequest bounds what a form may write into a field's name. An empty id
// stays empty and is never taken for a repeat.
func shortRequest(id, content string) string {
	if id == "" {
		return ""
	}
	sum := sha256.Sum256([]byte(id + "\x00" + content))
	return hex.EncodeToString(sum[:16])
}

// Open opens a challenge or repeats the live one. A repeated SMS gives the
// code its whole lifetime again, but no try. A phone with no guesses left
// today is Locked even if its challenge still lives.
func (c *Challenges) Open(ctx context.Context, r domain.OpenRequest) (domain.OpenResult, error) {
	// Limits that are missing are our fault; going on would mean no limits.
	if len(r.ResendAfter) == 0 || r.Lifetime <= 0 || r.ID == "" || r.Digest == "" {
		return domain.OpenResult{}, errors.New("redis: open: the request lacks its id, digest, lifetime or pauses")
	}
	args := append(sharedArgs(r.Now, r.Tries, r.TriesPerDay, shortRequest(r.RequestID, ""), r.Digest), r.Lifetime.Milliseconds(), r.ID)
	for _, pause := range r.ResendAfter {
		args = append(args, min(pause, paceKept).Milliseconds())
	}
	var res domain.OpenResult
	err := c.store.within(ctx, func(ctx context.Context) error {
		reply, err := openScript.Run(ctx, c.store.client, c.keys(r.PhoneKey, r.VisitID), args...).Slice()
		if err != nil {
			return err
		}
		if len(reply) != 5 {
			return fmt.Errorf("open: a reply of %d parts", len(reply))
		}
		stored, err := readRecord(reply[2], reply[3], reply[4])
		if err != nil {
			return err
		}
		res = domain.OpenResult{
			Verdict: domain.OpenVerdict(text(reply[0])), Wait: millis(reply[1]),
			State: stored.state(r.Now),
		}
		if stored.remembered(r.Now.UnixMilli()) {
			res.ID, res.Sends = stored.id, int(stored.sends)
		}
		return nil
	})
	return res, err
}

// Check counts the guess first and compares after. Every counted answer of a
// challenge is remembered with its request, not only the last one: of two
// tabs that send at once, each may lose its answer and ask again. Another code
// under the same request id is another guess, and counted.
func (c *Challenges) Check(ctx context.Context, r domain.CheckRequest) (domain.CheckResult, error) {
	args := sharedArgs(r.Now, r.Tries, r.TriesPerDay, shortRequest(r.RequestID, r.Digest), r.Digest)
	var res domain.CheckResult
	err := c.store.within(ctx, func(ctx context.Context) error {
		reply, err := checkScript.Run(ctx, c.store.client, c.keys(r.PhoneKey, r.VisitID), args...).Slice()
		if err != nil {
			return err
		}
		if len(reply) != 6 {
			return fmt.Errorf("check: a reply of %d parts", len(reply))
		}
		res = domain.CheckResult{
			Verdict: domain.CheckVerdict(text(reply[0])), Repeated: number(reply[1]) == 1, Wait: millis(reply[2]),
			ID: text(reply[3]), Left: int(number(reply[4])),
		}
		if sent := number(reply[5]); sent > 0 {
			res.SentAt = time.UnixMilli(sent).UTC()
		}
		return nil
	})
	return res, err
}

// Look reads the state for a screen, in one round trip.
func (c *Challenges) Look(ctx context.Context, phoneKey string, visitID int64, now time.Time) (domain.ChallengeState, error) {
	keys := c.keys(phoneKey, visitID)
	var state domain.ChallengeState
	err := c.store.within(ctx, func(ctx context.Context) error {
		var challenge, pace, wrong *redis.SliceCmd
		_, err := c.store.client.Pipelined(ctx, func(p redis.Pipeliner) error {
			challenge = p.HMGet(ctx, keys[0], "id", "expires", "sends", "tries", "max", "verified")
			pace = p.HMGet(ctx, keys[1], "next")
			wrong = p.HMGet(ctx, keys[2], "n", "from", "max")
			return nil
		})
		if err != nil {
			return err
		}
		stored, err := readRecord(challenge.Val(), pace.Val(), wrong.Val())
		if err != nil {
			return err
		}
		state = stored.state(now)
		return nil
	})
	return state, err
}

// record is what is stored for one phone and visit; times are milliseconds.
type record struct {
	id                         string
	expires, sends, tries, max int64
	verified                   bool
	nextSMS                    int64
	wrong, wrongFrom, wrongMax int64
}

// readRecord takes the fields in the order in which Look and open.lua ask.
func readRecord(challenge, pace, wrong any) (record, error) {
	c, ok1 := challenge.([]any)
	p, ok2 := pace.([]any)
	w, ok3 := wrong.([]any)
	if !ok1 || !ok2 || !ok3 || len(c) != 6 || len(p) != 1 || len(w) != 3 {
		return record{}, errors.New("a reply of an unknown form")
	}
	return record{
		id: text(c[0]), expires: number(c[1]), sends: number(c[2]), tries: number(c[3]), max: number(c[4]),
		verified: number(c[5]) == 1, nextSMS: number(p[0]),
		wrong: number(w[0]), wrongFrom: number(w[1]), wrongMax: number(w[2]),
	}, nil
}

// remembered tells whether there is a challenge that scripts would heed.
func (r record) remembered(now int64) bool {
	return r.id != "" && now < r.expires+challengeKept.Milliseconds()
}

func (r record) state(at time.Time) domain.ChallengeState {
	now := at.UnixMilli()
	until := func(then int64) time.Duration { return time.Duration(max(0, then-now)) * time.Millisecond }
	s := domain.ChallengeState{Resend: until(r.nextSMS)}
	today, runs := r.wrong, r.wrongFrom+guessWindow.Milliseconds()
	if now >= runs {
		today = 0
	}
	if r.wrongMax > 0 && today >= r.wrongMax {
		s.DayLock = min(until(runs), guessWindow)
	}
	if !r.remembered(now) {
		return s
	}
	s.Sends = int(r.sends)
	switch {
	case r.verified:
		s.Verified = true
	case now >= r.expires:
	case r.tries >= r.max:
		s.Locked = true
	case s.DayLock == 0:
		s.Live, s.Expires, s.Left = true, until(r.expires), int(r.max-r.tries)
		if r.wrongMax > 0 {
			s.Left = min(s.Left, int(r.wrongMax-today))
		}
	}
	return s
}

// text is a reply's string; empty for none.
func text(reply any) string {
	s, _ := reply.(string)
	return s
}

// number is a reply's whole number, sent as such or as text; 0 for none.
func number(reply any) int64 {
	if n, ok := reply.(int64); ok {
		return n
	}
	n, _ := strconv.ParseInt(text(reply), 10, 64)
	return n
}

func millis(reply any) time.Duration { return time.Duration(number(reply)) * time.Millisecond }
