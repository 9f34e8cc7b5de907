package sql_test

import (
	"context"
	"fmt"
	"sync"
	"testing"

	"prilavok/domain"
	"prilavok/sql"
	"prilavok/sql/sqltest"
)

// Instances that start together must leave with one secret: two keys would
// make each refuse the codes of the other.
func TestKeepSecret(t *testing.T) {
	sqltest.Each(t, func(t *testing.T, db *sql.DB) {
		const starters = 16
		kept := make([]string, starters)
		var wg sync.WaitGroup
		for i := range starters {
			wg.Go(func() {
				err := db.InTx(context.Background(), func(ctx context.Context, tx domain.Tx) (err error) {
					kept[i], err = tx.KeepSecret(ctx, "root", fmt.Sprintf("drawn by %d", i))
					return err
				})
				if err != nil {
					t.Error(err)
				}
			})
		}
		wg.Wait()
		for i, s := range kept {
			if s == "" || s != kept[0] {
				t.Errorf("instance %d has %q, instance 0 has %q", i, s, kept[0])
			}
		}
	})
}
