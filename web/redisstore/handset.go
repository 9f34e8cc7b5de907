package redisstore

import (
	"context"
	"time"

	"github.com/redis/go-redis/v9"
)

const (
	outboxSize = 200
	outboxKept = 24 * time.Hour
)

// Outbox keeps the newest 200 texts of the demo handset, until a day passes
// without a new one. What a text looks like is the gateway's affair.
type Outbox struct{ store *Store }

// Outbox gives the demo handset's texts kept in this Redis.
func (s *Store) Outbox() *Outbox { return &Outbox{store: s} }

func (o *Outbox) key() string { return o.store.prefix + "handset" }

// Push adds a text and drops the oldest when there are too many.
func (o *Outbox) Push(ctx context.Context, text []byte) error {
	return o.store.within(ctx, func(ctx context.Context) error {
		// In one transaction, so that the list is never without its end.
		_, err := o.store.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.LPush(ctx, o.key(), text)
			p.LTrim(ctx, o.key(), 0, outboxSize-1)
			p.Expire(ctx, o.key(), outboxKept)
			return nil
		})
		return err
	})
}

// All gives the texts, newest first.
func (o *Outbox) All(ctx context.Context) (texts [][]byte, err error) {
	err = o.store.within(ctx, func(ctx context.Context) error {
		items, err := o.store.client.LRange(ctx, o.key(), 0, outboxSize-1).Result()
		for _, item := range items {
			texts = append(texts, []byte(item))
		}
		return err
	})
	return texts, err
}
