package domain

import "context"

// visitsPerPage is how many visits a list shows at once.
const visitsPerPage = 50

// VisitChoices gives what a list of visits can be narrowed to: the actor's
// stores, and the advisors who work in them, both by name.
func (s *Service) VisitChoices(ctx context.Context, a Actor) ([]Store, []Staff, error) {
	if !a.Supervises() {
		return nil, nil, forbidden()
	}
	ids, all := a.SupervisedStores()
	stores := a.Stores
	if !all && len(ids) == 0 {
		return nil, nil, nil
	}
	if all {
		var err error
		if stores, err = s.DB.Stores(ctx); err != nil {
			return nil, nil, err
		}
	}
	advisors, err := s.DB.Advisors(ctx, ids, all)
	return stores, advisors, err
}

// SupervisedVisits lists visits of the actor's stores, newest first, and tells
// whether older ones follow. The stores come from the actor and the length of
// a page from here, whatever the filter says.
func (s *Service) SupervisedVisits(ctx context.Context, a Actor, f VisitFilter) ([]VisitRow, bool, error) {
	if !a.Supervises() {
		return nil, false, forbidden()
	}
	f.StoreIDs, f.AllStores = a.SupervisedStores()
	if !f.AllStores && len(f.StoreIDs) == 0 || f.StoreID != 0 && !a.MaySupervise(f.StoreID) {
		return nil, false, nil
	}
	// One more than is shown: that it exists is all one needs to know of it.
	f.Limit = visitsPerPage + 1
	rows, err := s.DB.Visits(ctx, f)
	if err != nil || len(rows) < f.Limit {
		return rows, false, err
	}
	return rows[:visitsPerPage], true, nil
}

// VisitHistory is everything that is kept of one visit. Codes from SMS are
// kept nowhere, so there are none in it.
type VisitHistory struct {
	Visit       Visit
	Store       Store
	AdvisorName string
	VoiderName  string // who voided the purchase; empty: nobody
	Programme   Programme
	Product     *Product       // nil: nothing was bought
	Events      []VisitEvent   // oldest first, as are the lists below
	Consents    []Consent      // with their documents
	Attempts    []CodeAttempt  // sends and checks
	Redemptions []Redemption   // of every code that was held for the visit
	Refusals    []PromoRefusal // of promo codes
	Messages    []Message      // that the visit caused
}

// SupervisedVisit gathers one visit's history. A visit of a store that is not
// the actor's does not exist for them.
func (s *Service) SupervisedVisit(ctx context.Context, a Actor, id int64) (VisitHistory, error) {
	var h VisitHistory
	v, err := s.DB.Visit(ctx, id)
	if err != nil {
		return h, err
	}
	if !a.MaySupervise(v.StoreID) {
		return h, notFound()
	}
	h.Visit = v
	if h.Store, err = s.DB.Store(ctx, v.StoreID); err != nil {
		return h, err
	}
	if h.Programme, err = s.DB.Programme(ctx, v.ProgrammeID); err != nil {
		return h, err
	}
	advisor, err := s.DB.StaffByID(ctx, v.AdvisorID)
	if err != nil {
		return h, err
	}
	h.AdvisorName = advisor.Name
	if v.VoidedBy != nil {
		voider, err := s.DB.StaffByID(ctx, *v.VoidedBy)
		if err != nil {
			return h, err
		}
		h.VoiderName = voider.Name
	}
	if v.ProductID != nil {
		p, err := s.DB.Product(ctx, *v.ProductID)
		if err != nil {
			return h, err
		}
		h.Product = &p
	}
	err = s.fillHistory(ctx, &h)
	return h, err
}

// fillHistory reads the lists of a visit's history.
func (s *Service) fillHistory(ctx context.Context, h *VisitHistory) (err error) {
	id := h.Visit.ID
	if h.Events, err = s.DB.VisitEvents(ctx, id); err != nil {
		return err
	}
	if h.Consents, err = s.DB.VisitConsents(ctx, id); err != nil {
		return err
	}
	if h.Attempts, err = s.DB.CodeAttempts(ctx, id); err != nil {
		return err
	}
	if h.Redemptions, err = s.DB.Redemptions(ctx, id); err != nil {
		return err
	}
	if h.Refusals, err = s.DB.PromoRefusals(ctx, id); err != nil {
		return err
	}
	h.Messages, err = s.DB.VisitMessages(ctx, id)
	return err
}
