package redisstore_test

import (
	"errors"
	"flag"
	"fmt"
	"strconv"
	"testing"
	"time"

	"pgregory.net/rapid"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

const signInWindow = 15 * time.Minute

// tryOf is a try with the limits of these tests: 3 for a login, 8 for an
// address.
func tryOf(login, address string) domain.SignInTry {
	return domain.SignInTry{Login: login, Address: address, PerLogin: 3, PerAddress: 8, Window: signInWindow, Now: noon}
}

// on is a try that comes from a device on which a password was right.
func on(t domain.SignInTry, password string) domain.SignInTry {
	t.Device = password
	return t
}

func at(t domain.SignInTry, now time.Time) domain.SignInTry {
	t.Now = now
	return t
}

// enters counts a try, which must get that lane.
func enters(t *testing.T, s *redisstore.Store, try domain.SignInTry, want domain.SignInLane) domain.SignInEntry {
	t.Helper()
	entry, err := s.SignIns().Enter(t.Context(), try)
	if err != nil || entry.Lane != want || (entry.Wait > 0) != (want == domain.NoLane) {
		t.Errorf("%s from %s: %+v, %v; expected the lane %q", try.Login, try.Address, entry, err, want)
	}
	return entry
}

// succeeds is a try with the right password.
func succeeds(t *testing.T, s *redisstore.Store, try domain.SignInTry, lane domain.SignInLane, password string) {
	t.Helper()
	enters(t, s, try, lane)
	if err := s.SignIns().Succeed(t.Context(), try, lane, password); err != nil {
		t.Fatal(err)
	}
}

func times(n int, f func()) {
	for range n {
		f()
	}
}

// Strangers, addresses and devices of the owner's have a lane each; what is
// done in one does not close the other.
func TestSignInLanes(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		home, tablet := tryOf("anna", "home"), on(tryOf("anna", "market"), "first")
		succeeds(t, s, home, domain.LaneStranger, "first")
		for i := range 3 {
			enters(t, s, tryOf("anna", "stranger"+strconv.Itoa(i)), domain.LaneStranger)
		}
		enters(t, s, tryOf("anna", "another"), domain.NoLane)
		enters(t, s, tryOf("boris", "another"), domain.LaneStranger)
		// The owner comes and goes, and gives nobody a guess back.
		times(5, func() { succeeds(t, s, home, domain.LaneAddress, "first") })
		times(5, func() { succeeds(t, s, tablet, domain.LaneDevice, "first") })
		enters(t, s, tryOf("anna", "another"), domain.NoLane)
		// A neighbour behind the owner's router has the lane of the address and
		// not that of strangers too; the device is not closed by it.
		times(3, func() { enters(t, s, home, domain.LaneAddress) })
		enters(t, s, home, domain.NoLane)
		succeeds(t, s, on(home, "first"), domain.LaneDevice, "first")
		// A device whose lane is full is like anybody else, and so are those that
		// know another password or another login.
		times(3, func() { enters(t, s, tablet, domain.LaneDevice) })
		enters(t, s, tablet, domain.NoLane)
		enters(t, s, on(tryOf("anna", "fresh"), "another"), domain.NoLane)
		checkTTLs(t, s)
	})
}

// What is remembered ends with the password, and with Redis but for devices.
func TestSignInRemembers(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		succeeds(t, s, tryOf("anna", "home"), domain.LaneStranger, "first")
		succeeds(t, s, tryOf("anna", "store"), domain.LaneStranger, "first")
		for _, address := range []string{"home", "store"} {
			succeeds(t, s, tryOf("anna", address), domain.LaneAddress, "first")
		}
		// With a new password from one of them, the other one and every device of
		// the old password are strangers.
		succeeds(t, s, tryOf("anna", "store"), domain.LaneAddress, "second")
		succeeds(t, s, tryOf("anna", "store"), domain.LaneAddress, "second")
		entry := enters(t, s, tryOf("anna", "home"), domain.LaneStranger)
		if err := s.SignIns().TakeBack(t.Context(), tryOf("anna", "home"), entry.Lane); err != nil {
			t.Fatal(err)
		}
		enters(t, s, on(tryOf("anna", "home"), "first"), domain.LaneStranger)
		enters(t, s, on(tryOf("anna", "home"), "second"), domain.LaneDevice)
		// The last addresses are remembered, and the oldest goes first.
		for i := range 16 {
			succeeds(t, s, at(tryOf("anna", fmt.Sprint("trip", i)), noon.Add(time.Duration(i+1)*time.Hour)), domain.LaneStranger, "second")
		}
		later := noon.Add(20 * time.Hour)
		enters(t, s, at(tryOf("anna", "store"), later), domain.LaneStranger)
		enters(t, s, at(tryOf("anna", "trip0"), later), domain.LaneAddress)
		enters(t, s, at(tryOf("anna", "trip15"), later), domain.LaneAddress)

		if err := s.Client().Del(t.Context(), keys(t, s)...).Err(); err != nil {
			t.Fatal(err)
		}
		enters(t, s, tryOf("anna", "trip15"), domain.LaneStranger)
		enters(t, s, on(tryOf("anna", "trip15"), "second"), domain.LaneDevice)
	})
}

// What was not looked at counts for the address that has asked, and not for
// the login. What is refused counts too.
func TestSignInRefusedTriesCount(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		hammer := tryOf("anna", "hammer")
		times(3, func() { enters(t, s, hammer, domain.LaneStranger) })
		times(5, func() { enters(t, s, hammer, domain.NoLane) })
		// Eight are spent: no login is to be had from there any more, while it goes
		// on. One each 112 s would drain, and each refusal fills it again.
		for i := range 200 {
			now := noon.Add(time.Duration(i) * 10 * time.Second)
			enters(t, s, at(tryOf(fmt.Sprint("login", i), "hammer"), now), domain.NoLane)
		}
		stopped := noon.Add(199 * 10 * time.Second)
		wait := enters(t, s, at(tryOf("boris", "hammer"), stopped), domain.NoLane).Wait
		if step := signInWindow / 8; wait > step || wait < step-time.Second {
			t.Errorf("told to wait %v; expected %v", wait, step)
		}
		enters(t, s, at(tryOf("boris", "hammer"), stopped.Add(wait)), domain.LaneStranger)
		// Everybody else comes in meanwhile.
		enters(t, s, at(tryOf("anna", "elsewhere"), stopped), domain.LaneStranger)

		busy := tryOf("vera", "busy")
		for range 8 {
			enters(t, s, busy, domain.LaneStranger)
			if err := s.SignIns().TakeBack(t.Context(), busy, domain.LaneStranger); err != nil {
				t.Fatal(err)
			}
		}
		enters(t, s, busy, domain.NoLane)
		enters(t, s, tryOf("vera", "idle"), domain.LaneStranger)
	})
}

// Over all addresses and devices, and whatever the owner does meanwhile, no
// more passwords of a login are looked at than SignIn in domain promises.
func TestSignInBound(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		// The in-process Redis takes half a millisecond for a try.
		if err := errors.Join(flag.Set("rapid.checks", "25"), flag.Set("rapid.nofailfile", "true")); err != nil {
			t.Fatal(err)
		}
		n := 0
		rapid.Check(t, func(r *rapid.T) {
			n++
			login, now := fmt.Sprint("login", n), noon
			name := func(address string) string { return fmt.Sprint(n, address) }
			var looked []time.Time
			in, known := map[domain.SignInLane][]time.Time{}, map[string]bool{}
			// bound is how many there may be in any stretch of time.
			bound := func(what string, times []time.Time, most int) {
				for i, first := range times {
					for j, last := range times[i:] {
						allowed := float64(most) * (1 + float64(last.Sub(first))/float64(signInWindow))
						if float64(j+1) > allowed+1e-6 {
							r.Fatalf("%s: %d within %v; allowed are %v", what, j+1, last.Sub(first), allowed)
						}
					}
				}
			}
			for range rapid.IntRange(20, 120).Draw(r, "steps") {
				now = now.Add(time.Duration(rapid.SampledFrom([]int{0, 0, 0, 1, 30, 200, 1000}).Draw(r, "seconds")) * time.Second)
				address := rapid.SampledFrom([]string{"home", "store", "botnet1", "botnet2", "botnet3", "botnet4"}).Draw(r, "address")
				try := at(tryOf(login, name(address)), now)
				if rapid.IntRange(0, 3).Draw(r, "device") == 0 {
					try.Device = "password"
				}
				entry, err := s.SignIns().Enter(t.Context(), try)
				if err != nil {
					r.Fatal(err)
				}
				owner := address == "home" || address == "store"
				// An address has one lane, and another one once the owner has come in.
				if known[address] && entry.Lane == domain.LaneStranger || !known[address] && entry.Lane == domain.LaneAddress {
					r.Fatalf("from %s: the lane %q; the owner has come in from there: %v", address, entry.Lane, known[address])
				}
				switch {
				case entry.Lane == domain.NoLane:
				case owner && rapid.Bool().Draw(r, "right"):
					if err := s.SignIns().Succeed(t.Context(), try, entry.Lane, "password"); err != nil {
						r.Fatal(err)
					}
					known[address] = true
				default:
					looked, in[entry.Lane] = append(looked, now), append(in[entry.Lane], now)
				}
			}
			bound("of a login", looked, 3*3)
			for lane, times := range in {
				bound("in the lane "+string(lane), times, 3)
			}
		})
	})
}

func TestSignInInParallel(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		got := parallel(t, 64, func(i int) (domain.SignInLane, error) {
			entry, err := s.SignIns().Enter(t.Context(), tryOf("anna", strconv.Itoa(i)))
			return entry.Lane, err
		})
		if got[domain.LaneStranger] != 3 || got[domain.NoLane] != 61 {
			t.Errorf("64 tries of one login at once: %v", got)
		}
		got = parallel(t, 64, func(i int) (domain.SignInLane, error) {
			entry, err := s.SignIns().Enter(t.Context(), tryOf("login"+strconv.Itoa(i), "one address"))
			return entry.Lane, err
		})
		if got[domain.LaneStranger] != 8 || got[domain.NoLane] != 56 {
			t.Errorf("64 tries from one address at once: %v", got)
		}
	})
}

// A limit of nothing allows nothing.
func TestSignInWithoutALimitRefuses(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		none, nobody := tryOf("anna", "home"), tryOf("anna", "home")
		none.PerLogin, nobody.PerAddress = 0, -1
		enters(t, s, none, domain.NoLane)
		enters(t, s, nobody, domain.NoLane)
	})
}

// A count that a wrong clock has written lasts no longer than the window after
// somebody has met it.
func TestSignInByAClockThatWasAhead(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		times(3, func() { enters(t, s, at(tryOf("anna", "home"), noon.Add(25*time.Hour)), domain.LaneStranger) })
		enters(t, s, tryOf("anna", "home"), domain.NoLane)
		enters(t, s, tryOf("anna", "elsewhere"), domain.NoLane)
		enters(t, s, at(tryOf("anna", "elsewhere"), noon.Add(signInWindow)), domain.LaneStranger)
		enters(t, s, at(tryOf("anna", "home"), noon.Add(signInWindow)), domain.LaneStranger)
	})
}
