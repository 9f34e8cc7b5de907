package domain_test

import (
	"context"
	"encoding/base64"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/sql/sqltest"
)

// signIn signs in with the right password.
func (w *world) signIn(login, address, device string) (domain.SignedIn, error) {
	return w.SignIn(w.t.Context(), domain.SignInForm{Login: login, Password: sqltest.Password, Address: address, Device: device})
}

// guessFrom guesses a password.
func (w *world) guessFrom(login, address, device string) domain.Kind {
	_, err := w.SignIn(w.t.Context(), domain.SignInForm{Login: login, Password: "guess", Address: address, Device: device})
	return domain.KindOf(err)
}

// mustSignIn signs in with the right password or ends the test.
func (w *world) mustSignIn(login, address, device string) string {
	w.t.Helper()
	in, err := w.signIn(login, address, device)
	if err != nil || !strings.EqualFold(in.Staff.Login, login) {
		w.t.Fatalf("%s from %s: %+v, %v", login, address, in.Staff, err)
	}
	return in.Device
}

var allLogins = []string{"moscow", "ural", "both", "supervisor", "administrator"}

const (
	hammers = "192.0.2.66"
	home    = "198.51.100.8"
)

// One address hammers five logins with 5,240 requests, several at a time.
// Meanwhile their owners sign in, from where they have before: from an address
// without anything that their browser keeps, and from the very address that
// hammers with it.
func TestSignInCannotBeShutFromOutside(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		const rounds, perRound = 10, 524
		devices := map[string]string{}
		for _, login := range allLogins {
			devices[login] = w.mustSignIn(login, home, "")
		}
		var looked atomic.Int64
		for round := range rounds {
			var hammering sync.WaitGroup
			requests := make(chan int)
			for range 4 {
				hammering.Go(func() {
					for n := range requests {
						if kind := w.guessFrom(allLogins[n%len(allLogins)], hammers, ""); kind == domain.Invalid {
							looked.Add(1)
						} else if kind != domain.Limited {
							t.Errorf("a guess: %v", kind)
						}
					}
				})
			}
			for n := range perRound {
				requests <- n
				if n == perRound/2 {
					for i, login := range allLogins {
						address, device := home, ""
						if (round+i)%2 == 0 {
							address, device = hammers, devices[login]
						}
						if _, err := w.signIn(login, address, device); err != nil {
							t.Errorf("round %d, %s from %s: %v", round, login, address, err)
						}
					}
				}
			}
			close(requests)
			hammering.Wait()
		}
		// The clock of this Redis stands still, so nothing drains.
		if got, most := looked.Load(), int64(w.Settings.SignInAttemptsPerAddress); got < most/2 || got > most {
			t.Errorf("%d of %d guesses were looked at; expected at most %d", got, rounds*perRound, most)
		}
	})
}

// A login under attack from everywhere at once: no more is looked at than the
// three lanes have, and the owner still comes in from where nobody guesses.
func TestSignInUnderAttackFromEverywhere(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		device := w.mustSignIn("moscow", home, "")
		looked := 0
		guess := func(address, device string) {
			if w.guessFrom("moscow", address, device) == domain.Invalid {
				looked++
			}
		}
		for n := range 60 {
			guess(fmt.Sprintf("203.0.113.%d", n), "")
			w.mustSignIn("moscow", home, "")
		}
		if looked != w.Settings.SignInAttempts {
			t.Errorf("%d guesses of strangers were looked at while the owner came and went", looked)
		}
		for range 40 {
			guess(home, "")
		}
		if _, err := w.signIn("moscow", home, ""); domain.KindOf(err) != domain.Limited {
			t.Errorf("without a device, behind the address that guesses: %v", err)
		}
		for range 5 {
			device = w.mustSignIn("moscow", home, device)
		}
		for n := range 40 {
			guess(fmt.Sprintf("203.0.113.%d", n), device)
		}
		if looked != 3*w.Settings.SignInAttempts {
			t.Errorf("%d guesses were looked at in all lanes", looked)
		}
		// Everybody else goes on, from that address with what their browser keeps.
		w.mustSignIn("ural", "198.51.100.9", "")
		w.clock.Add(15 * time.Minute)
		w.mustSignIn("moscow", home, "")
	})
}

// What a device keeps is worth something for its logins alone, for half a year,
// and as long as the password is the same; a closed account has no use for it.
func TestSignInDevices(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.SignInAttempts = 2
		device := ""
		for _, login := range allLogins {
			device = w.mustSignIn(login, home, device)
		}
		shut := func(login string) {
			for n := 0; w.guessFrom(login, fmt.Sprintf("203.0.113.%d", n), "") != domain.Limited; n++ {
				if n > 3 {
					t.Fatal("the lane of strangers does not fill")
				}
			}
		}
		places := 0
		opens := func(what, login, device string, want bool) {
			t.Helper()
			places++ // never from where somebody has come in before
			_, err := w.signIn(login, fmt.Sprintf("2001:db8:%x::1", places), device)
			if got := err == nil; got != want || err != nil && domain.KindOf(err) != domain.Limited {
				t.Errorf("%s: %v; expected to come in: %v", what, err, want)
			}
		}
		for _, login := range allLogins {
			shut(login)
			opens("the device of all", login, device, true)
		}
		opens("« Moscow » is no other login", " Moscow ", device, true)
		opens("no device", "moscow", "", false)
		tokens := strings.Split(device, ".")
		if len(tokens) != len(allLogins) {
			t.Fatalf("%d tokens for %d logins", len(tokens), len(allLogins))
		}
		// The last who came is the first; each token is one login's.
		for i, login := range slices.Backward(allLogins) {
			own := tokens[len(allLogins)-1-i]
			opens("its own token", login, own, true)
			others := slices.DeleteFunc(slices.Clone(tokens), func(s string) bool { return s == own })
			opens("the tokens of the others", login, strings.Join(others, "."), false)
		}
		raw, err := base64.RawURLEncoding.DecodeString(tokens[len(tokens)-1])
		if err != nil {
			t.Fatal(err)
		}
		for i := range raw {
			forged := slices.Clone(raw)
			forged[i] ^= 1
			opens(fmt.Sprintf("a token with another byte %d", i), "moscow", base64.RawURLEncoding.EncodeToString(forged), false)
		}
		for _, junk := range []string{"x", ".", "....", strings.Repeat("A", 50), strings.Repeat("A.", 30000), "\x00", tokens[len(tokens)-1] + "A"} {
			opens("junk", "moscow", junk, false)
		}
		opens("among junk", "moscow", "..x."+device+".junk", true)

		w.clock.Add(domain.DeviceKept - time.Second)
		shut("moscow")
		opens("at the end of its time", "moscow", device, true)
		w.clock.Add(2 * time.Second)
		shut("moscow")
		opens("after its time", "moscow", device, false)
	})
}

// A shared tablet knows the last sixteen who signed in from it.
func TestSignInDeviceOfMany(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		device := ""
		for n := range 20 {
			m := w.set.MoscowAdvisor
			m.ID, m.Login = 0, fmt.Sprintf("advisor-%d", n)
			w.add(m)
			device = w.mustSignIn(m.Login, home, device)
			device = w.mustSignIn(m.Login, home, device)
		}
		if n := len(strings.Split(device, ".")); n != 16 || len(device) > 1024 {
			t.Errorf("%d tokens in %d bytes", n, len(device))
		}
		for n, want := range map[int]domain.Kind{3: domain.Limited, 4: domain.Internal, 19: domain.Internal} {
			login := fmt.Sprintf("advisor-%d", n)
			for i := range 12 {
				w.guessFrom(login, fmt.Sprintf("203.0.113.%d", i), "")
			}
			if _, err := w.signIn(login, "203.0.113.99", device); (want == domain.Limited) != (domain.KindOf(err) == domain.Limited) {
				t.Errorf("%s: %v", login, err)
			}
		}
	})
}

// add makes a member of staff.
func (w *world) add(m domain.Staff) {
	w.t.Helper()
	err := w.DB.InTx(w.t.Context(), func(ctx context.Context, tx domain.Tx) error {
		_, err := tx.AddStaff(ctx, m)
		return err
	})
	if err != nil {
		w.t.Fatal(err)
	}
}

// changedPassword gives one member of staff another password, or none.
type changedPassword struct {
	domain.Database
	login, hash string
	closed      bool
}

func (d changedPassword) StaffByLogin(ctx context.Context, login string) (domain.Staff, error) {
	s, err := d.Database.StaffByLogin(ctx, login)
	if login == d.login {
		s.PasswordHash, s.Active = d.hash, !d.closed
	}
	return s, err
}

// With another password the devices and addresses of the old one are nobody's;
// a closed account comes in from nowhere, by whatever it keeps.
func TestSignInAfterAChangedPassword(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		whole := w.DB
		device := w.mustSignIn("moscow", home, "")
		hash, err := domain.HashPassword("another password")
		if err != nil {
			t.Fatal(err)
		}
		w.DB = changedPassword{whole, "moscow", hash, false}
		changed := domain.SignInForm{Login: "moscow", Password: "another password", Address: "198.51.100.50"}
		in, err := w.SignIn(t.Context(), changed)
		if err != nil {
			t.Fatal(err)
		}
		for n := range 12 {
			w.guessFrom("moscow", fmt.Sprintf("203.0.113.%d", n), "")
		}
		if kind := w.guessFrom("moscow", home, device); kind != domain.Limited {
			t.Errorf("from the address and device of the old password: %v", kind)
		}
		changed.Address, changed.Device = home, in.Device
		if _, err := w.SignIn(t.Context(), changed); err != nil {
			t.Errorf("from a device of the new one: %v", err)
		}
		w.DB = changedPassword{whole, "moscow", hash, true}
		if _, err := w.SignIn(t.Context(), changed); domain.KindOf(err) != domain.Invalid {
			t.Errorf("a closed account: %v", err)
		}
	})
}

// hangsUpAtLogin is a browser that goes while it is read who has a login.
type hangsUpAtLogin struct {
	domain.Database
	hangUp func()
}

func (d hangsUpAtLogin) StaffByLogin(ctx context.Context, login string) (domain.Staff, error) {
	d.hangUp()
	return d.Database.StaffByLogin(ctx, login)
}

// A try whose password was not looked at is none for its login.
func TestSignInThatNobodyLookedAt(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.SignInAttempts = 2
		whole := w.DB
		for range 5 {
			ctx, cancel := context.WithCancel(t.Context())
			w.DB = hangsUpAtLogin{whole, cancel}
			if _, err := w.SignIn(ctx, domain.SignInForm{Login: "moscow", Password: "guess", Address: home}); !errors.Is(err, context.Canceled) {
				t.Fatalf("who hangs up: %v", err)
			}
		}
		w.DB = whole
		w.mustSignIn("moscow", home, "")
	})
}

// noting notes what signing in asks. Whatever else it would ask has nobody to
// answer.
type noting struct {
	domain.Database
	domain.SignIns
	whole domain.Database
	tries domain.SignIns
	asked []string
}

func (n *noting) StaffByLogin(ctx context.Context, login string) (domain.Staff, error) {
	n.asked = append(n.asked, "who has the login")
	return n.whole.StaffByLogin(ctx, login)
}

func (n *noting) Enter(ctx context.Context, t domain.SignInTry) (domain.SignInEntry, error) {
	n.asked = append(n.asked, "a lane")
	return n.tries.Enter(ctx, t)
}

// A login that nobody has, or one of a closed account, costs the same questions
// in the same order as one that somebody has: what differs could be measured.
func TestSignInAsksTheSameForEverybody(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		w.Settings.SignInAttempts = 2
		n := &noting{whole: changedPassword{w.DB, "ural", "", true}, tries: w.SignIns}
		w.DB, w.SignIns = n, n
		for try, want := range [][]string{{"a lane", "who has the login"}, {"a lane", "who has the login"}, {"a lane"}} {
			for _, login := range []string{"moscow", "nobody", "ural"} {
				n.asked = nil
				w.guessFrom(login, home, "")
				if !slices.Equal(n.asked, want) {
					t.Errorf("try %d of %s asked for %q; expected %q", try+1, login, n.asked, want)
				}
			}
		}
	})
}
