package domain

import (
	"context"
	"time"
)

// promoYears is how far ahead the last day of a code may lie.
const promoYears = 5

// FreezePromo stops a code until it is thawed. Uses that are held stay good
// until their visit ends. A frozen code stays as it is.
func (s *Service) FreezePromo(ctx context.Context, a Actor, id int64, reason string) error {
	return s.setPromoState(ctx, a, id, reason, PromoFrozen, PromoFroze)
}

// ThawPromo lets a frozen code be used again. One that is not frozen stays as
// it is.
func (s *Service) ThawPromo(ctx context.Context, a Actor, id int64, reason string) error {
	return s.setPromoState(ctx, a, id, reason, PromoActive, PromoThawed)
}

func (s *Service) setPromoState(ctx context.Context, a Actor, id int64, reason string, to PromoState, kind PromoEventKind) error {
	fields := map[string]Text{}
	reason, fault := readReason(reason)
	if fault != nil {
		fields["reason"] = *fault
	}
	return s.changePromo(ctx, a, id, fields, func(ctx context.Context, tx Tx, p PromoCode) (*PromoEvent, error) {
		if p.State == to {
			return nil, nil
		}
		return &PromoEvent{Kind: kind, Detail: reason}, tx.SetPromoState(ctx, p.ID, to)
	})
}

// ExtensionForm is what prolonging a code asks, as typed.
type ExtensionForm struct {
	LastDay string // YYYY-MM-DD or DD.MM.YYYY
	NoEnd   bool
	Reason  string
}

// ExtendPromo makes a code good for longer: to the end of another day, or for
// ever. It never makes it shorter: what a code promises is not taken back. The
// same day again changes nothing.
func (s *Service) ExtendPromo(ctx context.Context, a Actor, id int64, f ExtensionForm) error {
	fields := map[string]Text{}
	reason, fault := readReason(f.Reason)
	if fault != nil {
		fields["reason"] = *fault
	}
	return s.changePromo(ctx, a, id, fields, func(ctx context.Context, tx Tx, p PromoCode) (*PromoEvent, error) {
		var until *time.Time
		detail := promoNoEnd
		loc, err := s.promoZone(ctx, tx, a, p.ProgrammeID)
		if err != nil {
			return nil, err
		}
		if !f.NoEnd {
			if untyped(f.LastDay) {
				fields["last_day"] = Say("promo_code.day_empty")
				return nil, nil
			}
			if until, fault = readLastDay(f.LastDay, loc, s.now()); fault != nil {
				fields["last_day"] = *fault
				return nil, nil
			}
			detail = until.Add(-time.Second).In(loc).Format(time.DateOnly)
		}
		switch {
		case p.ExpiresAt == nil && until == nil, p.ExpiresAt != nil && until != nil && p.ExpiresAt.Equal(*until):
			return nil, nil
		case p.ExpiresAt == nil:
			fields["last_day"] = Say("promo_code.day_endless")
			return nil, nil
		case until != nil && until.Before(*p.ExpiresAt):
			fields["last_day"] = Say("promo_code.day_earlier")
			return nil, nil
		}
		return &PromoEvent{Kind: PromoExtended, Detail: detail + " " + reason}, tx.ExtendPromo(ctx, p.ID, until)
	})
}

// changePromo changes one code while nobody else can, and writes down who did
// it and why; a nil event means that nothing had to change. Faults that f adds
// to fields, and those that stood there before, undo it.
func (s *Service) changePromo(ctx context.Context, a Actor, id int64, fields map[string]Text,
	f func(ctx context.Context, tx Tx, p PromoCode) (*PromoEvent, error),
) error {
	if !a.Supervises() {
		return forbidden()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error {
		if err := tx.LockPromoCodes(ctx, id); err != nil {
			return err
		}
		p, err := tx.PromoCodeByID(ctx, id)
		if err != nil {
			return err
		}
		if !a.SupervisesProgramme(p.ProgrammeID) {
			return notFound()
		}
		if p.State == PromoVoid {
			return &Error{Kind: Conflict, Message: Say("promo_code.is_void")}
		}
		e, err := f(ctx, tx, p)
		if err != nil {
			return err
		}
		if len(fields) > 0 {
			return &Error{Kind: Invalid, Message: Say("error.check_form"), Fields: fields}
		}
		if e == nil {
			return nil
		}
		e.PromoCodeID, e.StaffID, e.At = p.ID, a.ID, s.now()
		return tx.AddPromoEvent(ctx, *e)
	})
}

// readLastDay turns a last day into the first moment after it at the place. It
// takes what a date field sends and what Excel makes of it in Russian.
func readLastDay(typed string, loc *time.Location, now time.Time) (*time.Time, *Text) {
	fault := func(key string) (*time.Time, *Text) { t := Say(key, "Years", promoYears); return nil, &t }
	typed = foldDigits(typed)
	// A day is a page of the calendar: it needs no midnight to be one.
	day, err := time.Parse(time.DateOnly, typed)
	if err != nil {
		if day, err = time.Parse("02.01.2006", typed); err != nil {
			return fault("promo_code.day_malformed")
		}
	}
	until := dayStart(day.Year(), day.Month(), day.Day()+1, loc)
	if !until.After(now) {
		return fault("promo_code.day_past")
	}
	here := now.In(loc)
	if day.After(time.Date(here.Year()+promoYears, here.Month(), here.Day(), 0, 0, 0, 0, time.UTC)) {
		return fault("promo_code.day_far")
	}
	return &until, nil
}
