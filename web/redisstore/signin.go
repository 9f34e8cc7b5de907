package redisstore

import (
	"context"
	_ "embed"
	"errors"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

const (
	// ownersKept is how long it is remembered from where a login's owner has
	// come in, after the last time.
	ownersKept = 90 * 24 * time.Hour
	// ownersAddresses is how many addresses are remembered, the last ones.
	ownersAddresses = 16
)

//go:embed lua/signin.lua
var luaSignIn string

//go:embed lua/enter.lua
var luaEnter string

//go:embed lua/leave.lua
var luaLeave string

var (
	enterScript = redis.NewScript(luaSignIn + luaEnter)
	leaveScript = redis.NewScript(luaSignIn + luaLeave)
)

// SignIns implements domain.SignIns. A count is a leaky bucket, as in Throttle:
// all at once, then one more each window/limit.
type SignIns struct{ store *Store }

var _ domain.SignIns = (*SignIns)(nil)

// SignIns gives the tries to sign in kept in this Redis.
func (s *Store) SignIns() *SignIns { return &SignIns{store: s} }

// Enter counts a try.
func (s *SignIns) Enter(ctx context.Context, t domain.SignInTry) (entry domain.SignInEntry, err error) {
	if t.PerLogin < 1 || t.PerAddress < 1 {
		return domain.SignInEntry{Wait: t.Window}, nil
	}
	err = s.run(ctx, enterScript, t, []any{t.Device}, func(reply []any) error {
		if len(reply) != 2 {
			return errors.New("enter: an answer of another kind")
		}
		entry = domain.SignInEntry{Lane: domain.SignInLane(text(reply[0])), Wait: time.Duration(number(reply[1])) * time.Microsecond}
		return nil
	})
	return entry, err
}

// TakeBack makes a try count no more for its login.
func (s *SignIns) TakeBack(ctx context.Context, t domain.SignInTry, lane domain.SignInLane) error {
	return s.leave(ctx, t, lane, "")
}

// Succeed takes a try back as a whole, and remembers its address.
func (s *SignIns) Succeed(ctx context.Context, t domain.SignInTry, lane domain.SignInLane, password string) error {
	if password == "" {
		return errors.New("redis: a sign-in without its password's key")
	}
	return s.leave(ctx, t, lane, password)
}

func (s *SignIns) leave(ctx context.Context, t domain.SignInTry, lane domain.SignInLane, password string) error {
	return s.run(ctx, leaveScript, t, []any{string(lane), password, ownersKept.Milliseconds(), ownersAddresses}, func([]any) error { return nil })
}

// run asks a script. Its keys carry one hash tag: one script judges an address
// and a login at once.
func (s *SignIns) run(ctx context.Context, script *redis.Script, t domain.SignInTry, args []any, read func([]any) error) error {
	name := func(part string) string { return s.store.prefix + "si:{sign-in}:" + part }
	keys := []string{
		name("address:" + t.Address), name("owner:" + t.Login),
		name("lane:stranger:" + t.Login), name("lane:address:" + t.Login), name("lane:device:" + t.Login),
	}
	var now any = ""
	if s.store.byCaller {
		now = t.Now.UnixMicro()
	}
	args = append([]any{
		now, t.Window.Microseconds(), t.Window.Microseconds() / int64(t.PerLogin), t.Window.Microseconds() / int64(t.PerAddress), t.Address,
	}, args...)
	return s.store.within(ctx, func(ctx context.Context) error {
		reply, err := script.Run(ctx, s.store.client, keys, args...).Slice()
		if err != nil {
			return err
		}
		return read(reply)
	})
}
