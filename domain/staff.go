package domain

import (
	"slices"
	"time"
)

// Role is what a member of staff may do.
type Role string

// The three roles of product.md.
const (
	Advisor       Role = "advisor"       // serves customers in the stores they are assigned to
	Supervisor    Role = "supervisor"    // reads the visits of their stores
	Administrator Role = "administrator" // reads the visits of every store
)

// Staff is somebody who signs in: an advisor, a supervisor or an
// administrator.
type Staff struct {
	ID           int64
	Login        string // lower case, unique
	Name         string
	Role         Role
	Language     string // "ru" or "en"; a cookie may override it
	PasswordHash string // Argon2id in PHC form
	Active       bool   // an inactive member of staff is signed out at the next request
	CreatedAt    time.Time
	Stores       []Store // assigned; an administrator sees every store whatever stands here
}

// Actor is the member of staff on whose behalf something is done, with the
// store that an advisor has chosen for this session (0 when none).
type Actor struct {
	Staff
	StoreID int64
	Address string // of the client, for limits; never stored as it is
}

// Assigned tells whether the store is one of the person's own.
func (s Staff) Assigned(storeID int64) bool {
	return slices.ContainsFunc(s.Stores, func(st Store) bool { return st.ID == storeID })
}

// Store is the chosen one, empty where none is.
func (a Actor) Store() Store {
	for _, st := range a.Stores {
		if st.ID == a.StoreID {
			return st
		}
	}
	return Store{}
}

// MayServe tells whether the actor may start and continue visits at the
// chosen store. Only advisors serve: a supervisor's figure must not contain
// the supervisor's own entries.
func (a Actor) MayServe() bool {
	return a.Role == Advisor && a.StoreID != 0 && a.Assigned(a.StoreID)
}

// MaySupervise tells whether the actor may read the visits of a store.
func (a Actor) MaySupervise(storeID int64) bool {
	return a.Role == Administrator || a.Role == Supervisor && a.Assigned(storeID)
}

// Supervises tells whether the actor has the supervisor's rooms at all.
func (a Actor) Supervises() bool { return a.Role == Supervisor || a.Role == Administrator }

// SupervisedStores gives the ids a list of visits must be limited to; nil
// with all set means every store.
func (a Actor) SupervisedStores() (ids []int64, all bool) {
	if a.Role == Administrator {
		return nil, true
	}
	for _, st := range a.Stores {
		ids = append(ids, st.ID)
	}
	return ids, false
}
