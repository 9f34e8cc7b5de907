package redisstore_test

import (
	"context"
	"crypto/sha256"
	"encoding/hex"
	"fmt"
	"net"
	"net/http"
	"net/http/httptest"
	"reflect"
	"strings"
	"sync"
	"testing"
	"time"

	gorilla "github.com/gorilla/sessions"
	"github.com/redis/go-redis/v9"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

const lifetime = time.Hour

func recorder() *httptest.ResponseRecorder { return httptest.NewRecorder() }

func request(t *testing.T, cookie *http.Cookie) *http.Request {
	t.Helper()
	r := httptest.NewRequestWithContext(t.Context(), http.MethodGet, "/", nil)
	if cookie != nil {
		r.AddCookie(cookie)
	}
	return r
}

// cookieOf is the session cookie that w sets; nil when it sets none.
func cookieOf(t *testing.T, w *httptest.ResponseRecorder) *http.Cookie {
	t.Helper()
	for _, c := range w.Result().Cookies() {
		if c.Name == redisstore.SessionCookie {
			return c
		}
	}
	return nil
}

// visit is one request: what handler does to the session, and then Save.
func visit(t *testing.T, store *redisstore.Sessions, cookie *http.Cookie, handler func(*gorilla.Session)) *http.Cookie {
	t.Helper()
	r, w := request(t, cookie), recorder()
	session, err := store.Get(r, redisstore.SessionCookie)
	if err != nil {
		t.Fatal(err)
	}
	if handler != nil {
		handler(session)
	}
	if err := session.Save(r, w); err != nil {
		t.Fatal(err)
	}
	return cookieOf(t, w)
}

// read gives the values of a session, without what Sessions keeps there.
func read(t *testing.T, store *redisstore.Sessions, cookie *http.Cookie) map[string]any {
	t.Helper()
	values := map[string]any{}
	session, err := store.Get(request(t, cookie), redisstore.SessionCookie)
	if err != nil {
		t.Fatal(err)
	}
	for key, value := range session.Values {
		if name, ok := key.(string); ok {
			values[name] = value
		}
	}
	if session.IsNew != (len(values) == 0) {
		t.Errorf("a session with %v has IsNew %v", values, session.IsNew)
	}
	return values
}

func signedIn(t *testing.T, s *redisstore.Store) (*redisstore.Sessions, *http.Cookie) {
	t.Helper()
	store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime})
	cookie := visit(t, store, nil, func(session *gorilla.Session) { session.Values["staff"] = int64(42) })
	if cookie == nil {
		t.Fatal("a session with a value got no cookie")
	}
	return store, cookie
}

// counter counts the commands that a client sends.
type counter struct {
	mu   sync.Mutex
	seen map[string]int
}

func count(s *redisstore.Store) *counter {
	c := &counter{seen: map[string]int{}}
	s.Client().AddHook(c)
	return c
}

func (c *counter) DialHook(next redis.DialHook) redis.DialHook {
	return func(ctx context.Context, network, addr string) (net.Conn, error) { return next(ctx, network, addr) }
}

func (c *counter) ProcessHook(next redis.ProcessHook) redis.ProcessHook {
	return func(ctx context.Context, cmd redis.Cmder) error {
		c.add(cmd)
		return next(ctx, cmd)
	}
}

func (c *counter) ProcessPipelineHook(next redis.ProcessPipelineHook) redis.ProcessPipelineHook {
	return func(ctx context.Context, cmds []redis.Cmder) error {
		c.add(cmds...)
		return next(ctx, cmds)
	}
}

func (c *counter) add(cmds ...redis.Cmder) {
	c.mu.Lock()
	defer c.mu.Unlock()
	for _, cmd := range cmds {
		c.seen[strings.ToLower(cmd.Name())]++
	}
}

// take gives what was seen since the last take.
func (c *counter) take() map[string]int {
	c.mu.Lock()
	defer c.mu.Unlock()
	seen := c.seen
	c.seen = map[string]int{}
	return seen
}

func TestSessionRoundTrip(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime, Secure: true})
		want := map[string]any{
			"staff": int64(1)<<62 + 1, "name": "Ёлка <&>", "demo": true, "rate": 0.5,
			"list": []any{int64(1), "two"}, "map": map[string]any{"n": int64(3)},
		}
		cookie := visit(t, store, nil, func(session *gorilla.Session) {
			for name, value := range want {
				session.Values[name] = value
			}
		})
		if got := read(t, store, cookie); !reflect.DeepEqual(got, want) {
			t.Errorf("came back as %#v; expected %#v", got, want)
		}
		if !cookie.HttpOnly || !cookie.Secure || cookie.SameSite != http.SameSiteLaxMode || cookie.Path != "/" || cookie.MaxAge != 3600 || cookie.Name != "prilavok_session" {
			t.Errorf("the cookie is %+v", cookie)
		}
		if len(cookie.Value) != 43 {
			t.Errorf("the id has %d characters; expected 43, 32 bytes", len(cookie.Value))
		}
		sum := sha256.Sum256([]byte(cookie.Value))
		if found := keys(t, s); len(found) != 1 || found[0] != s.Prefix()+"session:"+hex.EncodeToString(sum[:]) {
			t.Errorf("the keys are %v; expected the hash of the id", found)
		}
		checkTTLs(t, s)
	})
}

func TestUnknownSessionIsNotAdopted(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime})
		for _, planted := range []string{domain.RandomToken(32), "short", "", strings.Repeat("!", 43)} {
			planted := &http.Cookie{Name: redisstore.SessionCookie, Value: planted}
			if got := read(t, store, planted); len(got) != 0 {
				t.Errorf("a planted id has the values %v", got)
			}
			cookie := visit(t, store, planted, func(session *gorilla.Session) { session.Values["staff"] = int64(1) })
			if cookie == nil || cookie.Value == planted.Value {
				t.Errorf("the planted id %q was adopted", planted.Value)
			}
			if got := read(t, store, planted); len(got) != 0 {
				t.Errorf("after sign-in the planted id has the values %v", got)
			}
		}
	})
}

func TestRenewedSession(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime})
		before := visit(t, store, nil, func(session *gorilla.Session) { session.Values["language"] = "en" })
		after := visit(t, store, before, func(session *gorilla.Session) {
			store.Renew(session)
			store.Renew(session)
			session.Values["staff"] = int64(42)
		})
		if after == nil || after.Value == before.Value {
			t.Fatal("sign-in kept the old id")
		}
		if got := read(t, store, before); len(got) != 0 {
			t.Errorf("the old id still has %v", got)
		}
		if got := read(t, store, after); got["staff"] != int64(42) || got["language"] != "en" {
			t.Errorf("the new id has %v", got)
		}
		// A handler that starts from nothing must not keep the old id alive.
		last := visit(t, store, after, func(session *gorilla.Session) {
			store.Renew(session)
			session.Values = map[any]any{"staff": int64(43)}
		})
		if got := read(t, store, after); len(got) != 0 {
			t.Errorf("the old id still has %v", got)
		}
		if got := read(t, store, last); len(got) != 1 || got["staff"] != int64(43) {
			t.Errorf("the new id has %v", got)
		}
		if found := keys(t, s); len(found) != 1 {
			t.Errorf("%d sessions are stored; expected 1", len(found))
		}
		checkTTLs(t, s)
	})
}

func TestSignOutEndsTheSessionOnTheServer(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		store, cookie := signedIn(t, s)
		// A request that is still on its way while somebody signs out.
		late := request(t, cookie)
		session, err := store.Get(late, redisstore.SessionCookie)
		if err != nil {
			t.Fatal(err)
		}
		// Handlers may well replace the options: the cookie must match all the same.
		expired := visit(t, store, cookie, func(session *gorilla.Session) { session.Options = &gorilla.Options{MaxAge: -1} })
		if expired == nil || expired.MaxAge >= 0 || expired.Path != "/" || expired.Value != "" {
			t.Errorf("the browser is told %+v; expected an expired cookie", expired)
		}
		if got := read(t, store, cookie); len(got) != 0 {
			t.Errorf("the old cookie still opens %v", got)
		}
		w := recorder()
		session.Values["store"] = int64(1)
		if err := session.Save(late, w); err != nil {
			t.Fatal(err)
		}
		if got := read(t, store, cookie); len(got) != 0 || cookieOf(t, w) != nil {
			t.Errorf("a late request brought the session back: %v", got)
		}
		if found := keys(t, s); len(found) != 0 {
			t.Errorf("%v are left", found)
		}
	})
}

func TestRenewedSessionMayEndInTheSameRequest(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		store, cookie := signedIn(t, s)
		visit(t, store, cookie, func(session *gorilla.Session) {
			store.Renew(session)
			session.Options.MaxAge = -1
		})
		if found := keys(t, s); len(found) != 0 {
			t.Errorf("%v are left", found)
		}
	})
}

func TestUnchangedSessionIsNotWritten(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		now := noon
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime, Now: func() time.Time { return now }})
		cookie := visit(t, store, nil, func(session *gorilla.Session) {
			session.Values["staff"] = int64(42)
			session.Values["rate"] = 0.5
		})
		commands := count(s)
		expect := func(what string, gets, sets int) {
			t.Helper()
			seen := commands.take()
			if seen["get"] != gets || seen["set"] != sets || len(seen) != min(gets, 1)+min(sets, 1) {
				t.Errorf("%s sent %v; expected %d get and %d set", what, seen, gets, sets)
			}
		}
		if again := visit(t, store, cookie, nil); again != nil {
			t.Error("an unchanged session got a cookie")
		}
		expect("an unchanged session", 1, 0)

		r := request(t, cookie)
		for range 3 {
			if _, err := store.Get(r, redisstore.SessionCookie); err != nil {
				t.Fatal(err)
			}
		}
		expect("three looks in one request", 1, 0)

		visit(t, store, cookie, func(session *gorilla.Session) { session.Values["store"] = int64(2) })
		expect("a changed session", 1, 1)
		visit(t, store, cookie, func(session *gorilla.Session) { delete(session.Values, "store") })
		expect("a session with a value less", 1, 1)

		w := recorder()
		r = request(t, cookie)
		session, _ := store.Get(r, redisstore.SessionCookie)
		session.Values["store"] = int64(3)
		for range 3 {
			if err := session.Save(r, w); err != nil {
				t.Fatal(err)
			}
		}
		expect("three saves of one change", 1, 1)

		visit(t, store, nil, nil)
		expect("a visitor without a session", 0, 0)

		now = noon.Add(lifetime/2 - time.Second)
		visit(t, store, cookie, nil)
		expect("a session before half of its life", 1, 0)
		now = noon.Add(lifetime/2 + time.Second)
		if again := visit(t, store, cookie, nil); again == nil || again.Value != cookie.Value || again.MaxAge != 3600 {
			t.Errorf("a session past half of its life got the cookie %+v", again)
		}
		expect("a session past half of its life", 1, 1)
		now = noon.Add(lifetime + time.Minute)
		if got := read(t, store, cookie); got["staff"] != int64(42) {
			t.Errorf("a session that was prolonged has %v", got)
		}
		checkTTLs(t, s)
		now = now.Add(lifetime)
		if got := read(t, store, cookie); len(got) != 0 {
			t.Errorf("a session past its life has %v", got)
		}
	})
}

func TestSessionThatCannotBeStored(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime})
		for what, spoil := range map[string]func(*gorilla.Session){
			"a key that is no string": func(session *gorilla.Session) { session.Values[7] = "x" },
			"a value that is no JSON": func(session *gorilla.Session) { session.Values["x"] = make(chan int) },
		} {
			r, w := request(t, nil), recorder()
			session, err := store.Get(r, redisstore.SessionCookie)
			if err != nil {
				t.Fatal(err)
			}
			spoil(session)
			if err := session.Save(r, w); err == nil || cookieOf(t, w) != nil {
				t.Errorf("%s was stored", what)
			}
		}
	})
}

func TestSessionOfADeadRedisIsAnError(t *testing.T) {
	s := open(t, "", "")
	store, cookie := signedIn(t, s)
	if err := s.Client().Close(); err != nil {
		t.Fatal(err)
	}
	session, err := store.Get(request(t, cookie), redisstore.SessionCookie)
	if domain.KindOf(err) != domain.Unavailable || session == nil || len(session.Values) != 0 {
		t.Errorf("without Redis: %+v, %v; expected no values and Unavailable", session, err)
	}
}

// However much a session is used, it ends; signing in anew begins another one.
func TestSessionEndsHoweverMuchItIsUsed(t *testing.T) {
	const longest = lifetime + lifetime/2
	each(t, func(t *testing.T, s *redisstore.Store) {
		now := noon
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime, Longest: longest, Now: func() time.Time { return now }})
		begin := func(from *http.Cookie) *http.Cookie {
			t.Helper()
			return visit(t, store, from, func(session *gorilla.Session) {
				session.Values["staff"] = int64(42)
				store.Renew(session)
			})
		}
		cookie := begin(nil)
		commands := count(s)
		for now = noon; now.Before(noon.Add(longest)); now = now.Add(time.Minute) {
			if got := read(t, store, cookie); got["staff"] != int64(42) {
				t.Fatalf("after %v it has %v", now.Sub(noon), got)
			}
			if again := visit(t, store, cookie, nil); again != nil && now.Add(time.Duration(again.MaxAge)*time.Second).After(noon.Add(longest)) {
				t.Errorf("after %v the cookie is to live %d s longer, past the end", now.Sub(noon), again.MaxAge)
			}
			if now.Sub(noon)%(10*time.Minute) == 0 { // a changed session lives no longer either
				visit(t, store, cookie, func(session *gorilla.Session) { session.Values["store"] = now.Unix() })
			}
			checkTTLs(t, s)
		}
		if sets, changes := commands.take()["set"], int(longest/(10*time.Minute)); sets > changes+2 {
			t.Errorf("written %d times for %d changes", sets, changes)
		}
		if got := read(t, store, cookie); len(got) != 0 {
			t.Errorf("at its end it has %v", got)
		}
		now = noon.Add(longest - time.Second)
		cookie = begin(cookie)
		now = now.Add(lifetime - time.Second)
		if got := read(t, store, cookie); got["staff"] != int64(42) {
			t.Errorf("whoever signed in anew has %v", got)
		}
	})
}

// A session that an older version has stored ends when that has said.
func TestSessionOfAnOlderVersion(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		now := noon
		store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime, Longest: 10 * lifetime, Now: func() time.Time { return now }})
		cookie := visit(t, store, nil, func(session *gorilla.Session) { session.Values["staff"] = int64(42) })
		old := fmt.Sprintf(`{"until":%d,"values":{"staff":42}}`, noon.Add(lifetime).UnixMilli())
		if err := s.Client().Set(t.Context(), keys(t, s)[0], old, lifetime).Err(); err != nil {
			t.Fatal(err)
		}
		now = noon.Add(lifetime - time.Second)
		visit(t, store, cookie, nil)
		if got := read(t, store, cookie); got["staff"] != int64(42) {
			t.Errorf("before its end it has %v", got)
		}
		now = noon.Add(lifetime)
		if got := read(t, store, cookie); len(got) != 0 {
			t.Errorf("at its end it has %v", got)
		}
	})
}

// A Redis that is full, or that answers reads alone, takes no page away: the
// session is known, and only lives no longer. Whoever signs in is told.
func TestSessionThatCannotBeProlonged(t *testing.T) {
	for name, c := range map[string]struct {
		full  bool
		fault func(*server, *redisstore.Store)
	}{
		"full": {true, func(r *server, _ *redisstore.Store) { r.memory("1") }},
		"paused": {false, func(_ *server, s *redisstore.Store) {
			s.Client().AddHook(hanging{func(cmd redis.Cmder) bool { return cmd.Name() != "get" }})
		}},
	} {
		t.Run(name, func(t *testing.T) {
			var r *server
			o := redisstore.Options{}
			if c.full {
				r = privateRedis(t)
				o.URL = r.url
			}
			var out strings.Builder
			o.Logger = textLogger(&out)
			s, err := redisstore.Open(t.Context(), o)
			if err != nil {
				t.Fatal(err)
			}
			t.Cleanup(func() { _ = s.Close() })
			now := noon
			store := s.Sessions(redisstore.SessionOptions{Lifetime: lifetime, Now: func() time.Time { return now }})
			cookie := visit(t, store, nil, func(session *gorilla.Session) { session.Values["staff"] = int64(42) })
			c.fault(r, s)
			now = noon.Add(lifetime/2 + time.Minute)
			for range 3 {
				if again := visit(t, store, cookie, nil); again != nil {
					t.Error("a session that was not prolonged got a cookie")
				}
				if got := read(t, store, cookie); got["staff"] != int64(42) {
					t.Errorf("it has %v", got)
				}
			}
			if n := strings.Count(out.String(), "cannot be prolonged"); n != 1 {
				t.Errorf("told %d times:\n%s", n, out.String())
			}
			for what, change := range map[string]func(*gorilla.Session){
				"a changed session": func(session *gorilla.Session) { session.Values["store"] = int64(1) },
				"a renewed session": func(session *gorilla.Session) { store.Renew(session) },
			} {
				r := request(t, cookie)
				session, err := store.Get(r, redisstore.SessionCookie)
				if err != nil {
					t.Fatal(err)
				}
				change(session)
				if err := session.Save(r, recorder()); domain.KindOf(err) != domain.Unavailable {
					t.Errorf("%s: %v", what, err)
				}
			}
		})
	}
}
