package domain

import (
	"context"
	"sync"
	"time"
)

// Store is a point of sale. The persistence layer is called Database
// throughout, so that this word has one meaning.
type Store struct {
	ID          int64
	ProgrammeID int64
	Name        string
	City        string
	Address     string
	TimeZone    string // IANA name; decides "day" and "allowed hours"
	Active      bool
	SelfEntry   bool // only the customer may type the SMS code, on their own phone
}

// locations are the time zones that stores have asked for, by their names:
// time.LoadLocation reads and parses a file each time, and one page asks for
// every visit on it.
var locations sync.Map

// Location gives the store's time zone. A name that the machine does not know
// falls back to UTC: a wrong hour is better than no counter; the name is
// checked when a store is saved.
func (s Store) Location() *time.Location {
	known, _ := locations.Load(s.TimeZone)
	if loc, ok := known.(*time.Location); ok {
		return loc
	}
	loc, err := time.LoadLocation(s.TimeZone)
	if err != nil {
		return time.UTC
	}
	locations.Store(s.TimeZone, loc)
	return loc
}

// Day is the calendar day at the store, as YYYY-MM-DD.
func (s Store) Day(t time.Time) string { return t.In(s.Location()).Format(time.DateOnly) }

// AllStores lists every store by name, for an administrator.
func (s *Service) AllStores(ctx context.Context, a Actor) ([]Store, error) {
	if a.Role != Administrator {
		return nil, forbidden()
	}
	return s.DB.Stores(ctx)
}

// SetSelfEntry says for a store whether only the customer may type the code.
// It counts from the next request on, for visits that have begun too.
func (s *Service) SetSelfEntry(ctx context.Context, a Actor, storeID int64, on bool) error {
	if a.Role != Administrator {
		return forbidden()
	}
	return s.DB.InTx(ctx, func(ctx context.Context, tx Tx) error { return tx.SetSelfEntry(ctx, storeID, on) })
}
