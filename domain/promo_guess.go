package domain

import "context"

// promoGuess is one well-formed promo code that is being looked up. It is put
// on record first, then counted, then the database is asked: so guesses at
// once are no way round the limit, and what Redis has counted is on record
// whatever happens in between. The count is taken back where the code turns
// out to exist.
type promoGuess struct {
	s       *Service
	id      string // of the event; empty: nothing was counted
	budgets []Budget
	row     PromoRefusal // the record; without an id where none is kept
}

// spendPromo counts a look-up. What the check digit has found to be a slip is
// answered without the database and costs nothing. Somebody who stands in no
// store leaves no record.
func (s *Service) spendPromo(ctx context.Context, a Actor, visitID *int64, slip *Refusal) (promoGuess, error) {
	if slip != nil {
		return promoGuess{}, nil //nolint:nilerr // a slip is an answer, not a failure
	}
	g := promoGuess{s: s, id: RandomToken(12), budgets: s.promoBudgets(a)}
	if a.StoreID != 0 {
		if visitID != nil {
			if _, err := s.OpenVisit(ctx, a, *visitID); err != nil {
				return promoGuess{}, err
			}
		}
		g.row = s.refusalRow(a, visitID, ReasonAsked)
		err := s.DB.InTx(ctx, func(ctx context.Context, tx Tx) (err error) {
			g.row.ID, err = tx.AddPromoRefusal(ctx, g.row)
			return err
		})
		if err != nil {
			return promoGuess{}, err
		}
		g.id = event(g.row.ID)
	}
	// From here on it may be counted; the browser hanging up must not leave it
	// without an end.
	ctx = context.WithoutCancel(ctx)
	var met Limit
	err := s.judged(ctx, func() (err error) {
		met, err = s.Limits.Spend(ctx, g.id, s.now(), g.budgets)
		return err
	})
	if err == nil && met.Name != "" {
		err = orFailure(limited(met), g.settle(ctx, &Refusal{Reason: ReasonLimited}))
	}
	return g, err
}

// settle writes how the look-up ended: refused, or nil for a code that was
// found. Unless there is no such code, the count is taken back.
func (g promoGuess) settle(ctx context.Context, r *Refusal) error {
	ctx = context.WithoutCancel(ctx)
	unknown := r != nil && r.Reason == ReasonUnknown
	if g.id == "" {
		return nil
	}
	if !unknown {
		if err := g.s.Limits.Refund(ctx, g.id, g.budgets); err != nil {
			// It stays asked, and so counted, until the job takes it back. Whoever
			// asked has an answer.
			return nil //nolint:nilerr // see above
		}
	}
	if g.row.ID == 0 {
		return nil
	}
	row := g.row
	return g.s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if r == nil {
			return tx.DropPromoRefusal(ctx, row.ID)
		}
		row.Reason = r.Reason
		if r.Code != nil {
			row.PromoCodeID = &r.Code.ID
		}
		return tx.FinishPromoRefusal(ctx, row)
	})
}

// record writes a refusal: that of a look-up in its own row.
func (g promoGuess) record(ctx context.Context, s *Service, a Actor, visitID *int64, r *Refusal) error {
	if err := g.settle(ctx, r); err != nil || g.row.ID != 0 || a.StoreID == 0 {
		return err
	}
	return s.recordRefusal(ctx, a, visitID, r)
}

// dropGuess takes a look-up back that nobody has heard the end of.
func (s *Service) dropGuess(ctx context.Context, r PromoRefusal) error {
	if err := s.Limits.Refund(ctx, event(r.ID), s.refusalBudgets(r)); err != nil {
		return err
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error { return tx.DropPromoRefusal(ctx, r.ID) })
}
