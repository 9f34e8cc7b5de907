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
	type set struct {
		Budget
		rows int
	}
	sets := map[string]*set{}
	// Where rows are lost, what Redis has counted stands alone. A phone or an
	// address is then known to nobody, but each event has a member of staff.
	known, err := s.knownBudgets(ctx)
	if err != nil {
		return nil, err
	}
	for _, b := range known {
		sets[string(b.Kind)+" "+b.Subject] = &set{Budget: b}
	}
	for _, c := range counted {
		key := string(c.Kind) + " " + c.Subject
		if sets[key] == nil {
			sets[key] = &set{Budget: Budget{Kind: c.Kind, Subject: c.Subject, Keep: c.Keep}}
		}
		if !c.Lift {
			sets[key].rows++
		}
	}
	var out []Difference
	for _, b := range sets {
		times, err := s.Limits.Recorded(ctx, b.Budget)
		if errors.Is(err, ErrLimitsLost) {
			// The first code that is sent or typed will rebuild them.
			return nil, nil
		}
		if err != nil {
			return nil, err
		}
		// What has grown too old is cleared away only when something is counted.
		since := s.now().Add(-b.Keep)
		times = slices.DeleteFunc(times, since.After)
		if len(times) != b.rows {
			out = append(out, Difference{
				What: "limit on " + string(b.Kind), Subject: b.Subject, Stored: fmt.Sprint(len(times)), Counted: fmt.Sprint(b.rows),
			})
		}
	}
	slices.SortFunc(out, func(a, b Difference) int {
		return cmp.Or(cmp.Compare(a.What, b.What), cmp.Compare(a.Subject, b.Subject))
	})
	return out, nil
}

// knownBudgets are those of every advisor and store, one for each kind of
// event.
func (s *Service) knownBudgets(ctx context.Context) ([]Budget, error) {
	var out []Budget
	advisors, err := s.DB.Advisors(ctx, nil, true)
	if err != nil {
		return nil, err
	}
	for _, a := range advisors {
		subject := staffSubject(a.ID)
		out = append(out, s.budget(LimitAdvisor, subject), s.budget(LimitSendAdvisor, subject), s.budget(LimitPromoAdvisor, subject))
	}
	stores, err := s.DB.Stores(ctx)
	for _, st := range stores {
		subject := storeSubject(st.ID)
		out = append(out, s.budget(LimitStore, subject), s.budget(LimitPromoStore, subject))
	}
	return out, err
}
