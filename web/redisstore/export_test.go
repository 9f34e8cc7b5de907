package redisstore

// LimitKey is the whole name of a key of codes and limits.
func (s *Store) LimitKey(name string) string { return s.limitKey(s.serverID(), name) }
