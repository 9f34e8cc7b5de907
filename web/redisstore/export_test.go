package redisstore

import "prilavok/domain"

// LimitKey is the whole name of a key of codes and limits.
func (s *Store) LimitKey(name string) string { return s.limitKey(s.serverID(), name) }

// Marker is the key that stands while Redis remembers what was counted.
func (s *Store) Marker() string { return s.marker(s.serverID()) }

// EventsKey is where the events of a kind and subject are.
func (s *Store) EventsKey(kind domain.CountedKind, subject string) string {
	return s.eventsKey(s.serverID(), kind, subject)
}
