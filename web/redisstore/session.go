package redisstore

import (
	"bytes"
	"cmp"
	"context"
	"crypto/sha256"
	"encoding/base64"
	"encoding/hex"
	"encoding/json"
	"errors"
	"fmt"
	"math"
	"net/http"
	"strings"
	"sync/atomic"
	"time"

	"github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"prilavok/domain"
)

// SessionCookie is the name of the cookie, and of the session for Get.
const SessionCookie = "prilavok_session"

const (
	sessionIDBytes = 32
	// renewMark before an id says that Save must replace it. The mark sits in
	// the ID because handlers may well clear or replace Values at sign-in, and
	// forgetting it would leave the old id alive.
	renewMark = "renew:"
	// noEnd is longer than any program runs.
	noEnd = 100 * 365 * 24 * time.Hour
)

// SessionOptions say how long a session lives and where its cookie may go.
type SessionOptions struct {
	// Lifetime is how long a session lives after it was last prolonged;
	// it must be a second or more.
	Lifetime time.Duration
	// Longest is how long a session lives however often it is prolonged; 0 sets
	// no such end. Renew begins it anew.
	Longest time.Duration
	// Secure keeps the cookie off plain http.
	Secure bool
	// Now is the clock; nil means time.Now.
	Now func() time.Time
}

// Sessions implements sessions.Store of gorilla/sessions on the server's
// side: the cookie holds a random id, Redis its hash and the values. An id
// that Redis does not know is never adopted, so nobody can be handed one.
//
// Keys of Values are strings. Values travel as JSON: strings, booleans and
// float64 come back as they were, whole numbers of any type as int64, lists
// and maps as []any and map[string]any.
//
// Call Save on every request: it writes only what has changed, or when less
// than half of the lifetime is left and it can be prolonged.
type Sessions struct {
	store   *Store
	options SessionOptions
	told    atomic.Int64 // when it was logged last that one could not be prolonged, Unix seconds
}

var _ sessions.Store = (*Sessions)(nil)

// Sessions gives the sessions kept in this Redis.
func (s *Store) Sessions(o SessionOptions) *Sessions {
	if o.Now == nil {
		o.Now = time.Now
	}
	if o.Longest == 0 {
		o.Longest = noEnd
	}
	return &Sessions{store: s, options: o}
}

// sessionState is what is known of the stored session. It rides among the
// values under a key of its own type, which no other package can name; where
// it is lost, Save writes once more than it must.
type sessionState struct {
	values []byte    // as stored, to see a change
	until  time.Time // when the stored session ends
	ends   time.Time // when it ends at the latest
}

type sessionStateKey struct{}

// storedSession is the JSON in Redis. It tells its own end, so that neither a
// slow janitor nor a second read is needed to know how long it lasts.
type storedSession struct {
	Until  int64           `json:"until"` // Unix milliseconds, as below
	Ends   int64           `json:"ends"`  // at the latest; none in one from before there was such an end
	Values json.RawMessage `json:"values"`
}

// key hides the id: who can read Redis can't sign in with what is there.
func (s *Sessions) key(id string) string {
	sum := sha256.Sum256([]byte(id))
	return s.store.prefix + "session:" + hex.EncodeToString(sum[:])
}

// Get gives the session of a request and reads it at most once. An error,
// always of kind Unavailable, means that it isn't known who is asking.
func (s *Sessions) Get(r *http.Request, name string) (*sessions.Session, error) {
	return sessions.GetRegistry(r).Get(s, name)
}

// New reads the session of a request without remembering it; see Get.
func (s *Sessions) New(r *http.Request, name string) (*sessions.Session, error) {
	session := sessions.NewSession(s, name)
	session.IsNew = true
	session.Options = s.cookieOptions(int(s.options.Lifetime.Seconds()))
	cookie, err := r.Cookie(name)
	if err != nil {
		return session, nil //nolint:nilerr // no cookie: a new session
	}
	// What can't be an id isn't worth a round trip.
	if id, err := base64.RawURLEncoding.DecodeString(cookie.Value); err != nil || len(id) != sessionIDBytes {
		return session, nil //nolint:nilerr // somebody else's cookie: a new session
	}
	var text []byte
	err = s.store.within(r.Context(), func(ctx context.Context) (err error) {
		text, err = s.store.client.Get(ctx, s.key(cookie.Value)).Bytes()
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	if err != nil || text == nil {
		return session, err
	}
	var stored storedSession
	values := map[any]any{}
	if err := errors.Join(json.Unmarshal(text, &stored), decodeValues(stored.Values, values)); err != nil {
		// Nobody writes here but us: signing in again is better than a fault
		// that stays until the cookie dies.
		s.store.logger.ErrorContext(r.Context(), "a stored session cannot be read", "error", err)
		return session, nil
	}
	until := time.UnixMilli(stored.Until)
	if !s.options.Now().Before(until) {
		return session, nil
	}
	values[sessionStateKey{}] = sessionState{values: stored.Values, until: until, ends: time.UnixMilli(cmp.Or(stored.Ends, stored.Until))}
	session.ID, session.IsNew, session.Values = cookie.Value, false, values
	return session, nil
}

// Renew gives the session a new id when it is saved, and ends the old one in
// the same step. Call it at sign-in: whoever knew the id before must not be
// signed in with it.
func (s *Sessions) Renew(session *sessions.Session) {
	// A session without an id gets a new one anyway.
	if session.ID != "" && !strings.HasPrefix(session.ID, renewMark) {
		session.ID = renewMark + session.ID
	}
}

// Save stores a session that was changed, renewed or is past half of its
// life, and does nothing otherwise. Options.MaxAge < 0 ends it, on the server
// and in the browser. A session that is only to live longer and can't, because
// Redis is full or away, is no fault of the request: it lives on as it was.
func (s *Sessions) Save(r *http.Request, w http.ResponseWriter, session *sessions.Session) error {
	id, renew := strings.CutPrefix(session.ID, renewMark)
	if session.Options.MaxAge < 0 {
		return s.end(r.Context(), w, session.Name(), id)
	}
	values, err := encodeValues(session.Values)
	if err != nil {
		return err
	}
	now := s.options.Now()
	old, _ := session.Values[sessionStateKey{}].(sessionState)
	state := sessionState{values: values, ends: old.ends}
	fresh := id == "" || renew
	if fresh || state.ends.IsZero() {
		state.ends = now.Add(s.options.Longest)
	}
	if state.until = now.Add(s.options.Lifetime); state.until.After(state.ends) {
		state.until = state.ends
	}
	same := !fresh && bytes.Equal(values, old.values)
	switch {
	case id == "" && string(values) == "{}":
		return nil // a visitor without anything to remember
	case same && (old.until.Sub(now) >= s.options.Lifetime/2 || !state.until.After(old.until)):
		return nil
	}
	text, err := json.Marshal(storedSession{Until: state.until.UnixMilli(), Ends: state.ends.UnixMilli(), Values: values})
	if err != nil {
		return err
	}
	// One that ends in this very moment must not be one that never ends.
	saved, lives := true, max(time.Millisecond, state.until.Sub(now))
	if fresh {
		replaces := id
		id = domain.RandomToken(sessionIDBytes)
		err = s.begin(r.Context(), id, replaces, text, lives)
	} else {
		saved, err = s.prolong(r.Context(), id, text, lives)
	}
	if err != nil && same {
		s.tell(r.Context(), err)
		return nil
	}
	if err != nil || !saved {
		return err
	}
	session.ID = id
	if session.Values == nil {
		session.Values = map[any]any{}
	}
	session.Values[sessionStateKey{}] = state
	maxAge := min(session.Options.MaxAge, int(math.Ceil(state.until.Sub(now).Seconds())))
	http.SetCookie(w, sessions.NewCookie(session.Name(), id, s.cookieOptions(maxAge)))
	return nil
}

// tell logs that a session could not be prolonged, once a minute: an outage
// does it to every request.
func (s *Sessions) tell(ctx context.Context, err error) {
	now, last := time.Now().Unix(), s.told.Load()
	if now-last >= 60 && s.told.CompareAndSwap(last, now) {
		s.store.logger.WarnContext(ctx, "sessions cannot be prolonged; they end early while this lasts", "error", err)
	}
}

// cookieOptions are ours whatever a handler put into Options, but for MaxAge:
// a cookie is only replaced or expired by one of the same path.
func (s *Sessions) cookieOptions(maxAge int) *sessions.Options {
	return &sessions.Options{Path: "/", MaxAge: maxAge, HttpOnly: true, SameSite: http.SameSiteLaxMode, Secure: s.options.Secure}
}

// begin stores a session under a new id; the old id dies with it or not at
// all.
func (s *Sessions) begin(ctx context.Context, id, replaces string, text []byte, lives time.Duration) error {
	return s.store.within(ctx, func(ctx context.Context) error {
		_, err := s.store.client.TxPipelined(ctx, func(p redis.Pipeliner) error {
			p.Set(ctx, s.key(id), text, lives)
			if replaces != "" {
				p.Del(ctx, s.key(replaces))
			}
			return nil
		})
		return err
	})
}

// prolong overwrites a session that still exists. Where it does not, somebody
// signed out or took a new id while this request ran: it must not rise again,
// and the browser's cookie, by now perhaps a newer one, is left alone.
func (s *Sessions) prolong(ctx context.Context, id string, text []byte, lives time.Duration) (saved bool, err error) {
	err = s.store.within(ctx, func(ctx context.Context) error {
		err := s.store.client.SetArgs(ctx, s.key(id), text, redis.SetArgs{Mode: "XX", TTL: lives}).Err()
		saved = err == nil
		if errors.Is(err, redis.Nil) {
			return nil
		}
		return err
	})
	return saved, err
}

// end deletes a session on the server first: if that fails, the browser keeps
// the cookie, and signing out can be tried again.
func (s *Sessions) end(ctx context.Context, w http.ResponseWriter, name, id string) error {
	if id != "" {
		err := s.store.within(ctx, func(ctx context.Context) error { return s.store.client.Del(ctx, s.key(id)).Err() })
		if err != nil {
			return err
		}
	}
	http.SetCookie(w, sessions.NewCookie(name, "", s.cookieOptions(-1)))
	return nil
}

// encodeValues gives the same bytes for the same values: JSON sorts keys.
func encodeValues(values map[any]any) ([]byte, error) {
	named := make(map[string]any, len(values))
	for key, value := range values {
		if _, ours := key.(sessionStateKey); ours {
			continue
		}
		name, ok := key.(string)
		if !ok {
			return nil, fmt.Errorf("session: a key of type %T; only strings can be stored", key)
		}
		named[name] = value
	}
	text, err := json.Marshal(named)
	if err != nil {
		return nil, fmt.Errorf("session: %w", err)
	}
	return text, nil
}

func decodeValues(text []byte, values map[any]any) error {
	named := map[string]any{}
	decoder := json.NewDecoder(bytes.NewReader(text))
	decoder.UseNumber() // an int64 key would lose digits as a float64
	if err := decoder.Decode(&named); err != nil {
		return err
	}
	for name, value := range named {
		values[name] = plain(value)
	}
	return nil
}

// plain replaces the decoder's numbers, at any depth, by Go's.
func plain(value any) any {
	switch v := value.(type) {
	case json.Number:
		if n, err := v.Int64(); err == nil {
			return n
		}
		f, _ := v.Float64()
		return f
	case []any:
		for i := range v {
			v[i] = plain(v[i])
		}
	case map[string]any:
		for name := range v {
			v[name] = plain(v[name])
		}
	}
	return value
}
