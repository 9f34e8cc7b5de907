package redisstore

import (
	"cmp"
	"context"
	_ "embed"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

const (
	// markerKept is how long Redis is trusted to remember when nothing is
	// counted. Every event must be forgotten before it.
	markerKept = 400 * 24 * time.Hour
	// restoredAtOnce is how many events are put back by one call, so that no
	// call holds up everybody else.
	restoredAtOnce = 500
	// restorePause is how long a restore may take between two parts, reading the
	// rows included; whoever is slower begins anew.
	restorePause = 5 * time.Minute
	// generation is part of the keys of what is counted. Another one begins
	// with nothing, and is rebuilt from the rows: raise it when events are named
	// or budgets are cut another way.
	generation = "2"
)

//go:embed lua/limits.lua
var luaLimits string

//go:embed lua/spend.lua
var luaSpend string

//go:embed lua/standing.lua
var luaStanding string

//go:embed lua/lift.lua
var luaLift string

//go:embed lua/restore.lua
var luaRestore string

var (
	spendScript    = redis.NewScript(luaLimits + luaSpend)
	standingScript = redis.NewScript(luaLimits + luaStanding)
	liftScript     = redis.NewScript(luaLimits + luaLift)
	restoreScript  = redis.NewScript(luaRestore)
)

// Limits implements domain.Limits. The events of a kind and subject are one
// sorted set; whether a budget is used up, and for how long, is derived from
// it each time and stored nowhere.
type Limits struct{ store *Store }

var _ domain.Limits = (*Limits)(nil)

// Limits gives the budgets kept in this Redis.
func (s *Store) Limits() *Limits { return &Limits{store: s} }

// limitKey names a key of codes and limits. They all carry one hash tag and so
// live in one slot of a cluster: one script must judge the challenge, the pace
// and the budgets of phone, advisor, store and address at once, and one
// installation never needs more than a slot can do. They are those of one
// server process; what another one has left behind ends by itself. Which
// process that is may change at any moment, so keys that belong together are
// named after one look at it.
func (s *Store) limitKey(server, name string) string {
	return s.prefix + "pc:{codes}:" + server + ":" + name
}

// marker stands in Redis as long as it remembers what was counted.
func (s *Store) marker(server string) string { return s.limitKey(server, generation+":counted") }

func (s *Store) eventsKey(server string, kind domain.CountedKind, subject string) string {
	return s.limitKey(server, generation+":"+string(kind)+":"+subject)
}

// event is an event's member in its set; the prefix keeps it apart from the
// lift, whatever its id is.
func event(id string) string { return "e:" + id }

// askedEvent is the member of one that was put back without a verdict.
func askedEvent(id string) string { return "a:" + id }

const liftMember = "lift"

// luaBudget is a domain.Budget as limits.lua reads it.
type luaBudget struct {
	Key    int     `json:"key"` // number of its events in KEYS
	Name   string  `json:"name"`
	Max    int     `json:"max"`
	Window int64   `json:"window"`
	Keep   int64   `json:"keep"`
	Locks  []int64 `json:"locks,omitempty"`
}

// luaCall collects KEYS and budgets for a script that begins with limits.lua.
type luaCall struct {
	store  *Store
	server string // whose keys these are
	keys   []string
	asked  map[string][]luaBudget
	err    error
}

// call begins with the marker and with the names of keys that are no events.
func (s *Store) call(names ...string) *luaCall {
	server := s.serverID()
	keys := []string{s.marker(server)}
	for _, name := range names {
		keys = append(keys, s.limitKey(server, name))
	}
	return &luaCall{store: s, server: server, keys: keys, asked: map[string][]luaBudget{}}
}

// with adds a list of budgets. Budgets without sense are our fault; going on
// would mean no limits.
func (c *luaCall) with(list string, budgets []domain.Budget) *luaCall {
	all := make([]luaBudget, 0, len(budgets)) // never nil: Lua could not walk through null
	for _, b := range budgets {
		keep := max(b.Keep, b.Window)
		if b.Name == "" || b.Kind == "" || b.Subject == "" || b.Window <= 0 || keep >= markerKept || slices.ContainsFunc(b.Locks, noTime) {
			c.err = cmp.Or(c.err, fmt.Errorf("redis: the budget %q lacks its kind, subject, window or a lock, or is kept for too long", b.Name))
		}
		key := c.store.eventsKey(c.server, b.Kind, b.Subject)
		i := slices.Index(c.keys, key)
		if i < 0 {
			i = len(c.keys)
			c.keys = append(c.keys, key)
		}
		l := luaBudget{Key: i + 1, Name: string(b.Name), Max: b.Max, Window: b.Window.Milliseconds(), Keep: keep.Milliseconds()}
		for _, lock := range b.Locks {
			l.Locks = append(l.Locks, lock.Milliseconds())
		}
		all = append(all, l)
	}
	c.asked[list] = all
	return c
}

func noTime(lock time.Duration) bool { return lock <= 0 }

// some is with for a list that must not be empty.
func (c *luaCall) some(list string, budgets []domain.Budget) *luaCall {
	if len(budgets) == 0 {
		c.err = cmp.Or(c.err, fmt.Errorf("redis: no budgets for %s", list))
	}
	return c.with(list, budgets)
}

// run asks script and hands the parts of its reply to read. Where Redis has
// lost its memory the answer is ErrLimitsLost, which is no failure of Redis.
func (c *luaCall) run(ctx context.Context, script *redis.Script, now time.Time, args []any, parts int, read func(reply []any) error) error {
	if c.err != nil {
		return c.err
	}
	asked, err := json.Marshal(c.asked)
	if err != nil {
		return fmt.Errorf("redis: %w", err)
	}
	args = append([]any{c.store.judgedAt(now), asked, markerKept.Milliseconds()}, args...)
	lost := false
	err = c.store.within(ctx, func(ctx context.Context) error {
		reply, err := script.Run(ctx, c.store.client, c.keys, args...).Slice()
		if err != nil {
			return err
		}
		if lost = len(reply) == 1 && text(reply[0]) == "lost"; lost {
			return nil
		}
		if len(reply) != parts {
			return fmt.Errorf("a reply of %d parts; expected %d", len(reply), parts)
		}
		return read(reply)
	})
	// A connection that was made meanwhile may lead to another process, which
	// was then asked about the keys of the one before.
	if lost || c.server != c.store.serverID() {
		return domain.ErrLimitsLost
	}
	return err
}

// judgedAt is the clock by which a script judges: the caller's in tests, and
// otherwise that of Redis, which the empty text asks for. With a clock each, an
// instance that is a day ahead would clear away what counts for all others.
func (s *Store) judgedAt(now time.Time) any {
	if s.byCaller {
		return now.UnixMilli()
	}
	return ""
}

// Spend counts one event in all budgets or in none. The id must be a new one:
// an event that is counted again moves to the later moment.
func (l *Limits) Spend(ctx context.Context, id string, now time.Time, budgets []domain.Budget) (met domain.Limit, err error) {
	if id == "" {
		return met, errors.New("redis: spend: an event without an id")
	}
	err = l.store.call().some("budgets", budgets).run(ctx, spendScript, now, []any{id}, 3, func(reply []any) error {
		met = limit(reply[1], reply[2])
		return nil
	})
	return met, err
}

// Refund takes one event back. What Redis does not remember needs no refund.
func (l *Limits) Refund(ctx context.Context, id string, budgets []domain.Budget) error {
	if len(budgets) == 0 {
		return nil
	}
	server := l.store.serverID()
	return l.store.within(ctx, func(ctx context.Context) error {
		_, err := l.store.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			for _, b := range budgets {
				p.ZRem(ctx, l.store.eventsKey(server, b.Kind, b.Subject), event(id), askedEvent(id))
			}
			return nil
		})
		return err
	})
}

// Standing gives for each budget its limit if it is used up, and an empty one
// if not. It changes nothing.
func (l *Limits) Standing(ctx context.Context, now time.Time, budgets []domain.Budget) ([]domain.Limit, error) {
	limits := make([]domain.Limit, len(budgets))
	err := l.store.call().with("budgets", budgets).run(ctx, standingScript, now, nil, 2, func(reply []any) error {
		waits, ok := reply[1].([]any)
		if !ok || len(waits) != len(budgets) {
			return errors.New("standing: a reply of an unknown form")
		}
		for i, wait := range waits {
			if number(wait) > 0 {
				limits[i] = domain.Limit{Name: budgets[i].Name, Wait: millis(wait)}
			}
		}
		return nil
	})
	if err != nil {
		return nil, err
	}
	return limits, nil
}

// Lift covers all budgets that count the same kind for the same subject.
func (l *Limits) Lift(ctx context.Context, b domain.Budget, at time.Time) error {
	return l.store.call().with("budgets", []domain.Budget{b}).run(ctx, liftScript, at, []any{at.UnixMilli()}, 1, func([]any) error { return nil })
}

// Restore puts back what read gives, a part at a time; the last part lets
// Redis judge again. A restore that broke off is done again as a whole, and
// counts nothing twice. Events that are too old to matter are left out. Redis
// is told of the restore before anything is read: where it loses its memory
// once more, or another process takes over, what was read or put back by then
// is not all, and the answer is ErrLimitsLost.
func (l *Limits) Restore(ctx context.Context, now time.Time, read func(context.Context) ([]domain.Counted, error)) error {
	ctx = patiently(ctx) // as many calls as there are parts
	r := restore{limits: l, server: l.store.serverID(), id: domain.RandomToken(12)}
	// Of many that ask at once, those that come too late look no further.
	if wanted, err := r.put(ctx, "begin", nil); err != nil || !wanted {
		return err
	}
	counted, err := read(ctx)
	if err != nil {
		return err
	}
	matter := slices.DeleteFunc(slices.Clone(counted), func(c domain.Counted) bool { return !c.At.After(now.Add(-c.Keep)) })
	if err := l.clear(ctx, r.server); err != nil {
		return err
	}
	for first := 0; ; first += restoredAtOnce {
		last := min(first+restoredAtOnce, len(matter))
		step := "part"
		if last == len(matter) {
			step = "last"
		}
		wanted, err := r.put(ctx, step, matter[first:last])
		if err != nil || !wanted || last == len(matter) {
			return err
		}
	}
}

// ours tells whether a key belongs to this process and generation, or is no
// count at all.
func (s *Store) ours(server, key string) bool {
	name, own := strings.CutPrefix(key, s.limitKey(server, ""))
	first, _, _ := strings.Cut(name, ":")
	return own && slices.Contains([]string{generation, "visit", "pace", "restore"}, first)
}

// clear drops what other processes have counted. One of them may come back with
// its memory, as a replica of this one that takes over again: by then it would
// know nothing of what is counted from here on. So would a program of an earlier
// generation that somebody goes back to.
func (l *Limits) clear(ctx context.Context, server string) error {
	return l.store.scan(ctx, l.store.prefix+"pc:{codes}:", func(keys []string) error {
		others := slices.DeleteFunc(keys, func(key string) bool { return l.store.ours(server, key) })
		switch {
		case server != l.store.serverID():
			return domain.ErrLimitsLost // then own are the others
		case len(others) == 0:
			return nil
		}
		return l.store.within(ctx, func(ctx context.Context) error { return l.store.client.Unlink(ctx, others...).Err() })
	})
}

// restore is one on its way.
type restore struct {
	limits *Limits
	server string // whose keys are filled
	id     string
}

// put takes one step of a restore and tells whether it was wanted.
func (r restore) put(ctx context.Context, step string, part []domain.Counted) (wanted bool, err error) {
	store := r.limits.store
	keys, number := []string{store.marker(r.server), store.limitKey(r.server, "restore:"+r.id)}, map[string]int{}
	args := []any{markerKept.Milliseconds(), step, restorePause.Milliseconds()}
	for _, c := range part {
		if c.Kind == "" || c.Subject == "" || c.Keep >= markerKept || c.ID == "" && !c.Lift {
			return false, errors.New("redis: restore: an event lacks its kind, subject or id, or is kept for too long")
		}
		key := store.eventsKey(r.server, c.Kind, c.Subject)
		if number[key] == 0 {
			keys = append(keys, key)
			number[key] = len(keys)
		}
		member := event(c.ID)
		switch {
		case c.Lift:
			member = liftMember
		case c.Asked:
			member = askedEvent(c.ID)
		}
		args = append(args, number[key], member, c.At.UnixMilli(), c.Keep.Milliseconds())
	}
	var reply int
	err = store.within(ctx, func(ctx context.Context) error {
		reply, err = restoreScript.Run(ctx, store.client, keys, args...).Int()
		return err
	})
	if err == nil && (reply < 0 || r.server != store.serverID()) {
		err = domain.ErrLimitsLost
	}
	return reply == 1, err
}

// Recorded reads all sets of events, whoever's they are. It takes its time and
// holds nobody up: between the sets others are served.
func (l *Limits) Recorded(ctx context.Context) (counted []domain.Counted, err error) {
	var n int64
	server := l.store.serverID()
	if err := l.store.within(ctx, func(ctx context.Context) (err error) {
		n, err = l.store.client.Exists(ctx, l.store.marker(server)).Result()
		return err
	}); err != nil {
		return nil, err
	}
	if n == 0 {
		return nil, domain.ErrLimitsLost
	}
	for _, kind := range domain.RecordedKinds() {
		prefix, seen := l.store.eventsKey(server, kind, ""), map[string]bool{}
		err := l.store.scan(ctx, prefix, func(keys []string) error {
			for _, key := range keys {
				if seen[key] {
					continue // a scan may come by twice
				}
				seen[key] = true
				events, err := l.recorded(ctx, key, kind, strings.TrimPrefix(key, prefix))
				if err != nil {
					return err
				}
				counted = append(counted, events...)
			}
			return nil
		})
		if err != nil {
			return nil, err
		}
	}
	if server != l.store.serverID() {
		return nil, domain.ErrLimitsLost
	}
	return counted, nil
}

func (l *Limits) recorded(ctx context.Context, key string, kind domain.CountedKind, subject string) (counted []domain.Counted, err error) {
	err = l.store.within(ctx, func(ctx context.Context) error {
		events, err := l.store.client.ZRangeWithScores(ctx, key, 0, -1).Result()
		for _, e := range events {
			member, _ := e.Member.(string)
			id, asked := strings.CutPrefix(member, askedEvent(""))
			counted = append(counted, domain.Counted{
				Kind: kind, Subject: subject, ID: strings.TrimPrefix(id, event("")),
				At: time.UnixMilli(int64(e.Score)).UTC(), Asked: asked, Lift: member == liftMember,
			})
		}
		return err
	})
	return counted, err
}

// limit reads a limit's name and its wait.
func limit(name, wait any) domain.Limit {
	return domain.Limit{Name: domain.LimitName(text(name)), Wait: millis(wait)}
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
