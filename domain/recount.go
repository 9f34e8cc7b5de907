package domain

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
)

// Difference is one derived figure that does not agree with the rows it is
// derived from.
type Difference struct {
	What    string // e.g. "promo code uses"
	Subject string // which row, by its id
	Stored  string
	Counted string // from the rows
}

func (d Difference) String() string {
	return fmt.Sprintf("%s, %s: stored %s, counted %s", d.What, d.Subject, d.Stored, d.Counted)
}

// Recount counts everything derived anew from the rows (uses of codes, gifts,
// totals, verified phones, rings of referrals) and tells what differs. It
// changes nothing and may run beside a program that works.
func (s *Service) Recount(ctx context.Context) ([]Difference, error) { return s.DB.Recount(ctx) }

// RecountLimits holds what Redis has counted against the rows. A request that
// is on its way may show for a moment: Redis counts first, and the row
// follows.
func (s *Service) RecountLimits(ctx context.Context) ([]Difference, error) {
	counted, err := s.countedRows(ctx)
	if err != nil {
		return nil, err
	}
	recorded, err := s.Limits.Recorded(ctx)
	if errors.Is(err, ErrLimitsLost) {
		// The first code that is sent or typed will rebuild them.
		return nil, nil
	}
	if err != nil {
		return nil, err
	}
	type subject struct {
		kind CountedKind
		name string
	}
	type sums struct{ redis, rows int }
	all := map[subject]sums{}
	// What is asked may be counted or not.
	asked := map[string]bool{}
	for _, c := range counted {
		if c.Asked {
			asked[string(c.Kind)+c.ID] = true
		} else if !c.Lift {
			sum := all[subject{c.Kind, c.Subject}]
			sum.rows++
			all[subject{c.Kind, c.Subject}] = sum
		}
	}
	for _, c := range recorded {
		// What has grown too old is cleared away only when something is counted.
		if !c.Lift && !asked[string(c.Kind)+c.ID] && c.At.After(s.now().Add(-s.kept(c.Kind, c.Subject))) {
			sum := all[subject{c.Kind, c.Subject}]
			sum.redis++
			all[subject{c.Kind, c.Subject}] = sum
		}
	}
	var out []Difference
	for of, sum := range all {
		if sum.redis != sum.rows {
			out = append(out, Difference{
				What: "limit on " + string(of.kind), Subject: of.name, Stored: fmt.Sprint(sum.redis), Counted: fmt.Sprint(sum.rows),
			})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Subject, b.Subject))
	})
	return out, nil
}
