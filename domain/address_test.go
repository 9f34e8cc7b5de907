package domain_test

import (
	"bytes"
	"fmt"
	"net/netip"
	"testing"
	"time"

	"pgregory.net/rapid"

	"prilavok/domain"
)

func TestCountedAddress(t *testing.T) {
	for address, want := range map[string]string{
		"203.0.113.6": "203.0.113.6", "::ffff:203.0.113.6": "203.0.113.6", "::ffff:cb00:7106": "203.0.113.6",
		"2001:db8::1": "2001:db8::/64", "2001:db8::ffff:ffff:ffff:ffff": "2001:db8::/64", "2001:db8:0:1::1": "2001:db8:0:1::/64",
		"fe80::1%eth0": "fe80::/64", "fe80::2%7": "fe80::/64", "::1": "::/64",
		"": "", "unknown": "unknown",
	} {
		if got := domain.CountedAddress(address); got != want {
			t.Errorf("%q counts as %q; expected %q", address, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		draw := func(what string) netip.Addr {
			return netip.AddrFrom16([16]byte(rapid.SliceOfN(rapid.SampledFrom([]byte{0, 1, 0x20, 0xff}), 16, 16).Draw(t, what)))
		}
		a, b := draw("a"), draw("b")
		if rapid.Bool().Draw(t, "the same /64") {
			both := b.As16()
			first := a.As16()
			copy(both[:8], first[:8])
			b = netip.AddrFrom16(both)
		}
		one, other := a.As16(), b.As16()
		same := bytes.Equal(one[:8], other[:8])
		if a.Is4In6() || b.Is4In6() {
			same = a == b
		}
		if got := domain.CountedAddress(a.String()) == domain.CountedAddress(b.WithZone("eth0").String()); got != same {
			t.Fatalf("%v and %v are one: %v; expected %v", a, b, got, same)
		}
	})
}

// Whoever has a /64 has as many addresses as they like, and is one client to
// every limit by address. The next /64 is another one.
func TestOneClientHasA64(t *testing.T) {
	type try func(w *world, address string, n int) error
	from := func(a domain.Actor, address string) domain.Actor {
		a.Address = address
		return a
	}
	phone := func(n int) string { return fmt.Sprintf("+79160001%03d", n) }
	for name, c := range map[string]struct {
		set func(*domain.Settings)
		try try
	}{
		"SMS that advisors ask for": {func(s *domain.Settings) { s.CodeSendsPerAddress = 3 }, func(w *world, address string, n int) error {
			a := from(w.anna, address)
			_, err := w.SendCode(w.t.Context(), a, w.contacted(a, phone(n)).ID, w.request())
			return err
		}},
		"SMS that customers ask for": {func(s *domain.Settings) { s.CodeSendsPerAddress, s.CodeResendAfter = 3, []time.Duration{time.Second} }, func(w *world, address string, n int) error {
			a := from(w.anna, fmt.Sprintf("192.0.2.%d", n))
			v := w.contacted(a, phone(n))
			if _, err := w.SendCode(w.t.Context(), a, v.ID, w.request()); err != nil {
				w.t.Fatal(err)
			}
			w.clock.Add(5 * time.Second)
			return w.SelfSend(w.t.Context(), w.visit(v.ID).SelfToken, w.request(), address)
		}},
		// The wrong code that uses a budget up says so itself.
		"codes that customers type": {func(s *domain.Settings) { s.CodeSelfTriesPerAddress = 4 }, func(w *world, address string, n int) error {
			v := w.sentTo(w.anna, phone(n))
			return w.SelfCheck(w.t.Context(), v.SelfToken, w.request(), w.wrongFor(phone(n), 1), address)
		}},
		"passwords": {func(s *domain.Settings) { s.SignInAttemptsPerAddress = 3 }, func(w *world, address string, n int) error {
			_, err := w.SignIn(w.t.Context(), domain.SignInForm{Login: fmt.Sprint("guess", n), Password: "guess", Address: address})
			return err
		}},
		"promo codes": {func(s *domain.Settings) { s.PromoTriesPerAddress = 3 }, func(w *world, address string, n int) error {
			_, err := w.LookUpPromo(w.t.Context(), from(w.anna, address), domain.WithCheckDigit(fmt.Sprintf("%09d", n)))
			return err
		}},
	} {
		t.Run(name, func(t *testing.T) {
			eachWorld(t, func(t *testing.T, w *world) {
				c.set(&w.Settings)
				for n := range 3 {
					if err := c.try(w, fmt.Sprintf("2001:db8:0:7:%x::%d", n, n+1), n); domain.KindOf(err) == domain.Limited {
						t.Fatalf("try %d: %v", n, err)
					}
				}
				for n, address := range []string{"2001:db8:0:7::1", "2001:db8:0:7:ffff:ffff:ffff:ffff"} {
					if err := c.try(w, address, 10+n); domain.KindOf(err) != domain.Limited {
						t.Errorf("the fourth from %s: %v", address, err)
					}
				}
				for n, address := range []string{"2001:db8:0:8::1", "2001:db8:0:6:ffff::", "192.0.2.99"} {
					if err := c.try(w, address, 20+n); domain.KindOf(err) == domain.Limited {
						t.Errorf("from %s: %v", address, err)
					}
				}
			})
		})
	}
}
