package domain

import (
	"context"
	"errors"
)

// promoGuess is one well-formed promo code that is being looked up. It is
// counted before the database is asked, so that guesses at once are no way
// round the limit, and taken back where the code turns out to exist.
type promoGuess struct {
	s       *Service
	id      string // empty: nothing was counted
	budgets []Budget
}

// spendPromo counts a look-up. What the check digit has found to be a slip is
// answered without the database and costs nothing.
func (s *Service) spendPromo(ctx context.Context, a Actor, slip *Refusal) (promoGuess, error) {
	if slip != nil {
		return promoGuess{}, nil //nolint:nilerr // a slip is an answer, not a failure
	}
	g := promoGuess{s: s, id: RandomToken(12), budgets: s.promoBudgets(a)}
	var met Limit
	err := s.judged(ctx, func() (err error) {
		met, err = s.Limits.Spend(ctx, g.id, s.now(), g.budgets)
		return err
	})
	if err == nil && met.Name != "" {
		err = limited(met)
	}
	return g, err
}

// settle takes the count back unless there is no such code.
func (g promoGuess) settle(ctx context.Context, answer error) error {
	var r *Refusal
	if g.id == "" || errors.As(answer, &r) && r.Reason == ReasonUnknown {
		return nil
	}
	return g.s.Limits.Refund(context.WithoutCancel(ctx), g.id, g.budgets)
}

// orLimited puts a refused look-up on record.
func (s *Service) orLimited(ctx context.Context, a Actor, visitID *int64, err error) error {
	if KindOf(err) != Limited || a.StoreID == 0 {
		return err
	}
	if visitID != nil {
		if _, err := s.OpenVisit(ctx, a, *visitID); err != nil {
			return err
		}
	}
	return orFailure(err, s.recordRefusal(ctx, a, visitID, &Refusal{Reason: ReasonLimited}))
}
