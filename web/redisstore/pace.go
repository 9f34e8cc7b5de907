package redisstore

import (
	"context"
	_ "embed"
	"time"

	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

//go:embed lua/pace.lua
var luaPace string

var paceScript = redis.NewScript(luaPace)

// Pacer implements domain.Pacer. It hands out places in a row and not tokens:
// a hundred workers that are told to come again would all come again, while a
// place is waited for once. It runs on the clock of Redis.
type Pacer struct{ store *Store }

var _ domain.Pacer = (*Pacer)(nil)

// Pacer gives the rows kept in this Redis.
func (s *Store) Pacer() *Pacer { return &Pacer{store: s} }

// Pace takes the next place, one each 1/perSecond; none at less than one.
func (p *Pacer) Pace(ctx context.Context, key string, perSecond int, atMost time.Duration) (wait time.Duration, ok bool, err error) {
	if perSecond < 1 {
		return time.Minute, false, nil
	}
	step := time.Second / time.Duration(perSecond)
	err = p.store.within(ctx, func(ctx context.Context) error {
		res, err := paceScript.Run(ctx, p.store.client, []string{p.store.prefix + "row:" + key}, step.Microseconds(), atMost.Microseconds()).Int64Slice()
		if err != nil {
			return err
		}
		wait, ok = time.Duration(res[0])*time.Microsecond, res[1] == 1
		return nil
	})
	return wait, ok, err
}
