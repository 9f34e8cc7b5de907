package domain

import (
	"context"
	"slices"
	"time"
)

const (
	// promosPerPage is how many codes a list shows at once, batchesPerPage how
	// many batches.
	promosPerPage  = 50
	batchesPerPage = 20
	// batchChoices is how many batches a list offers to choose among.
	batchChoices = 100
	// promosPerRead is how many codes an export asks the database for at once.
	promosPerRead = 1000
)

// PromoStanding is where a code stands for who asks whether it can be used:
// its state, or what clock and counter make of an active one.
type PromoStanding string

// The standings of a promo code.
const (
	StandingActive  PromoStanding = "active"
	StandingFrozen  PromoStanding = "frozen"
	StandingVoid    PromoStanding = "void"
	StandingExpired PromoStanding = "expired"
	StandingUsedUp  PromoStanding = "used_up" // no use is left; some may be held
)

// PromoStandings lists them in the order of a filter.
func PromoStandings() []PromoStanding {
	return []PromoStanding{StandingActive, StandingFrozen, StandingVoid, StandingExpired, StandingUsedUp}
}

// PromoKinds lists the kinds of code in the order of a filter.
func PromoKinds() []PromoKind { return []PromoKind{ReferralCode, TrialCode, BatchCode} }

// Standing tells where a code stands at t, by the same order as a refusal.
func (p PromoCode) Standing(t time.Time) PromoStanding {
	switch {
	case p.State == PromoVoid:
		return StandingVoid
	case p.State == PromoFrozen:
		return StandingFrozen
	case p.Expired(t):
		return StandingExpired
	case p.Left() <= 0:
		return StandingUsedUp
	}
	return StandingActive
}

// PromoFilter narrows a list of codes. Whose programmes they are comes from
// the actor and never from a request.
type PromoFilter struct {
	ProgrammeIDs  []int64
	AllProgrammes bool
	Search        string // as typed: a code or its owner's phone
	Code, Phone   string // what Search was read as; one of the two must fit
	Kind          PromoKind
	Standing      PromoStanding
	BatchID       int64
	Before        int64 // only ids below; 0 begins with the newest
	Limit         int
}

// PromoRow is a line of a list of codes.
type PromoRow struct {
	PromoCode
	Held       int // of Used, not yet confirmed
	BatchTitle string
}

// Spent is how many uses are neither left nor held.
func (r PromoRow) Spent() int { return r.Used - r.Held }

// PromoUse is one use of a code as a supervisor sees it.
type PromoUse struct {
	State         RedemptionState
	HeldAt        time.Time
	HeldUntil     time.Time
	SettledAt     *time.Time
	VoidedAt      *time.Time
	VisitID       int64 // 0: a visit of a store that is not the actor's
	StoreID       int64
	StoreName     string
	StoreTimeZone string
	AdvisorName   string
	Phone         string // E.164; empty where the visit has let go of it
}

// PromoAttempt is one refused attempt to use a code.
type PromoAttempt struct {
	Reason        Reason
	At            time.Time
	VisitID       int64 // 0: asked on the quick page, or a visit of a store that is not the actor's
	StoreID       int64
	StoreName     string
	StoreTimeZone string
	AdvisorName   string
	Phone         string // E.164; empty where there was none
}

// PromoDetails is everything a supervisor may see of one code.
type PromoDetails struct {
	PromoRow
	Programme Programme
	Standing  PromoStanding
	VisitID   int64           // that earned it; 0: none, or one of a store that is not the actor's
	Uses      []PromoUse      // oldest first, as are the lists below
	Refusals  []PromoAttempt  //
	Events    []PromoEventRow //
	Location  *time.Location  // that its days are told in
}

// SupervisedProgrammes gives the ids a list of codes must be limited to; all
// means every programme.
func (a Actor) SupervisedProgrammes() (ids []int64, all bool) {
	if a.Role == Administrator {
		return nil, true
	}
	if a.Role != Supervisor {
		return nil, false
	}
	for _, st := range a.Stores {
		if !slices.Contains(ids, st.ProgrammeID) {
			ids = append(ids, st.ProgrammeID)
		}
	}
	return ids, false
}

// SupervisesProgramme tells whether the actor may see and change the codes of
// a programme.
func (a Actor) SupervisesProgramme(id int64) bool {
	ids, all := a.SupervisedProgrammes()
	return all || slices.Contains(ids, id)
}

// PromoProgrammes lists the programmes whose codes the actor sees, by name.
func (s *Service) PromoProgrammes(ctx context.Context, a Actor) ([]Programme, error) {
	if !a.Supervises() {
		return nil, forbidden()
	}
	all, err := s.DB.Programmes(ctx)
	if err != nil {
		return nil, err
	}
	return slices.DeleteFunc(all, func(p Programme) bool { return !a.SupervisesProgramme(p.ID) }), nil
}

// SupervisedPromos lists codes of the actor's programmes, newest first, and
// tells whether older ones follow. What was searched for and is neither a code
// nor a phone is a fault of the field "q".
func (s *Service) SupervisedPromos(ctx context.Context, a Actor, f PromoFilter) ([]PromoRow, bool, error) {
	f, err := s.promoFilter(a, f)
	if err != nil || !f.AllProgrammes && len(f.ProgrammeIDs) == 0 {
		return nil, false, err
	}
	f.Limit = promosPerPage + 1
	rows, err := s.DB.PromoRows(ctx, f)
	if err != nil || len(rows) < f.Limit {
		return rows, false, err
	}
	return rows[:promosPerPage], true, nil
}

// ExportPromos gives every code of a filter to each, newest first. It reads on
// from the last one it has seen, so an export of any length costs the database
// a page at a time.
func (s *Service) ExportPromos(ctx context.Context, a Actor, f PromoFilter, each func(PromoRow) error) error {
	f, err := s.promoFilter(a, f)
	if err != nil || !f.AllProgrammes && len(f.ProgrammeIDs) == 0 {
		return err
	}
	f.Limit, f.Before = promosPerRead, 0
	for {
		rows, err := s.DB.PromoRows(ctx, f)
		if err != nil {
			return err
		}
		for _, r := range rows {
			if err := each(r); err != nil {
				return err
			}
		}
		if len(rows) < f.Limit {
			return nil
		}
		f.Before = rows[len(rows)-1].ID
	}
}

// promoFilter puts the actor's programmes into a filter and reads what was
// searched for. Ten digits can be a code and a phone without its country, so
// both are looked for.
func (s *Service) promoFilter(a Actor, f PromoFilter) (PromoFilter, error) {
	if !a.Supervises() {
		return f, forbidden()
	}
	f.ProgrammeIDs, f.AllProgrammes = a.SupervisedProgrammes()
	f.Code, f.Phone = "", ""
	if untyped(f.Search) {
		return f, nil
	}
	if code := FoldPromoCode(f.Search); tenDigits(code) {
		f.Code = code
	}
	f.Phone = s.parsePhone(f.Search).e164
	if f.Code == "" && f.Phone == "" {
		return f, invalid("q", "promo_codes.search_faulty")
	}
	return f, nil
}

// SupervisedPromo gathers what is known of one code. A code of a programme
// that is not the actor's does not exist for them.
func (s *Service) SupervisedPromo(ctx context.Context, a Actor, id int64) (PromoDetails, error) {
	var d PromoDetails
	if !a.Supervises() {
		return d, forbidden()
	}
	ids, all := a.SupervisedProgrammes()
	rows, err := s.DB.PromoRows(ctx, PromoFilter{ProgrammeIDs: ids, AllProgrammes: all, Before: id + 1, Limit: 1})
	if err != nil {
		return d, err
	}
	if len(rows) == 0 || rows[0].ID != id {
		return d, notFound()
	}
	d.PromoRow, d.Standing = rows[0], rows[0].Standing(s.now())
	if d.Programme, err = s.DB.Programme(ctx, d.ProgrammeID); err != nil {
		return d, err
	}
	if d.Location, err = s.promoZone(ctx, s.DB, a, d.ProgrammeID); err != nil {
		return d, err
	}
	if d.SourceVisitID != 0 {
		v, err := s.DB.Visit(ctx, d.SourceVisitID)
		if err != nil {
			return d, err
		}
		if a.MaySupervise(v.StoreID) {
			d.VisitID = v.ID
		}
	}
	err = s.fillPromo(ctx, a, &d)
	return d, err
}

// fillPromo reads the lists of a code. The way to a visit is only given to who
// may see it.
func (s *Service) fillPromo(ctx context.Context, a Actor, d *PromoDetails) (err error) {
	if d.Uses, err = s.DB.PromoUses(ctx, d.ID); err != nil {
		return err
	}
	for i := range d.Uses {
		u := &d.Uses[i]
		if !a.MaySupervise(u.StoreID) {
			u.VisitID = 0
		}
		if u.State == RedemptionHeld && !u.HeldUntil.After(s.now()) {
			u.State = RedemptionExpired
		}
	}
	if d.Refusals, err = s.DB.PromoAttempts(ctx, d.ID); err != nil {
		return err
	}
	for i := range d.Refusals {
		if r := &d.Refusals[i]; !a.MaySupervise(r.StoreID) {
			r.VisitID = 0
		}
	}
	d.Events, err = s.DB.PromoEvents(ctx, d.ID)
	return err
}

// PromoZone is the time zone that the actor's days of a programme's codes are
// told in.
func (s *Service) PromoZone(ctx context.Context, a Actor, programmeID int64) (*time.Location, error) {
	return s.promoZone(ctx, s.DB, a, programmeID)
}

// promoZone is the zone of the actor's first store in the programme, and for
// who has none there, of the programme's first store.
func (s *Service) promoZone(ctx context.Context, q Queries, a Actor, programmeID int64) (*time.Location, error) {
	of := func(st Store) bool { return programmeID == 0 || st.ProgrammeID == programmeID }
	if i := slices.IndexFunc(a.Stores, of); i >= 0 {
		return a.Stores[i].Location(), nil
	}
	stores, err := q.Stores(ctx)
	if err != nil {
		return nil, err
	}
	if i := slices.IndexFunc(stores, of); i >= 0 {
		return stores[i].Location(), nil
	}
	return time.UTC, nil
}
