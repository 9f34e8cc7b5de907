package redisstore_test

import (
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/redisstore"
)

func TestPhoneCode_08_EveryKeyEnds(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		h.mustCheck("wrong", "wrong", domain.CheckWrong)
		if met, err := s.Limits().Spend(t.Context(), "guess", noon, []domain.Budget{budget(domain.LimitPromoStore, "store:1", 5, day)}); err != nil || met.Name != "" {
			t.Fatalf("%+v, %v", met, err)
		}
		if _, _, err := s.Throttle().Allow(t.Context(), "k", 5, 15*time.Minute); err != nil {
			t.Fatal(err)
		}
		enters(t, s, tryOf("login", "address"), domain.LaneStranger)
		if err := s.SignIns().Succeed(t.Context(), tryOf("other", "elsewhere"), domain.LaneStranger, "password"); err != nil {
			t.Fatal(err)
		}
		if _, ok, err := s.Pacer().Pace(t.Context(), "gateway", 10, time.Second); err != nil || !ok {
			t.Fatal(ok, err)
		}
		if err := s.Outbox().Push(t.Context(), []byte("text")); err != nil {
			t.Fatal(err)
		}
		for _, kind := range []domain.CountedKind{domain.CountedSelfWrong, domain.CountedSelfSend} {
			b := budget(domain.LimitSelfAdvisor, "staff:1", 5, hour)
			b.Kind = kind
			if met, err := s.Limits().Spend(t.Context(), "self", noon, []domain.Budget{b}); err != nil || met.Name != "" {
				t.Fatalf("%+v, %v", met, err)
			}
		}
		signedIn(t, s)
		if seen := checkTTLs(t, s); len(seen) != 19 {
			t.Errorf("the kinds of keys are %v; expected all 19 of checkTTLs but that of a restore on its way", seen)
		}
		// Counting once more begins the time anew, for the marker too.
		least := map[string]time.Duration{
			s.Marker(): 399 * day, s.EventsKey(domain.CountedWrong, "phone:"+h.phone): 119 * day,
			s.EventsKey(domain.CountedSend, "staff:"+h.advisor): 59 * time.Minute,
		}
		for key := range least {
			if err := s.Client().Expire(t.Context(), key, time.Minute).Err(); err != nil {
				t.Fatal(err)
			}
		}
		h.now = noon.Add(30 * time.Second)
		h.mustOpen("again", domain.OpenSend)
		h.mustCheck("again", "wrong too", domain.CheckWrong)
		for key, least := range least {
			if ttl := s.Client().PTTL(t.Context(), key).Val(); ttl < least {
				t.Errorf("%s lives %v; expected at least %v", key, ttl, least)
			}
		}
	})
}

func TestPhoneCode_09_NoCapSwitchesAnotherOff(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		wide := func(caps map[domain.LimitName]int) {
			for name := range caps {
				caps[name] = 1000
			}
		}
		for _, name := range []domain.LimitName{domain.LimitPhoneDay, domain.LimitPhoneLock, domain.LimitAdvisor, domain.LimitStore} {
			h := begin(t, s)
			wide(h.caps)
			h.tries, h.caps[name] = 1000, 2
			h.mustOpen("open", domain.OpenSend)
			h.mustCheck("wrong1", "wrong", domain.CheckWrong)
			if res := h.mustCheck("wrong2", "wrong", domain.CheckWrong); res.Limit.Name != name || res.Left != 0 {
				t.Errorf("%s of 2: the second wrong guess gave %+v", name, res)
			}
			if res := h.mustCheck("right", h.right, domain.CheckLimited); res.Limit.Name != name {
				t.Errorf("%s of 2 met %+v", name, res.Limit)
			}
			// A cap that is missing or wrong is no licence, and a wide one leaves the others alone.
			for _, most := range []int{0, -1} {
				h.caps[name] = most
				if res := h.mustCheck("none", h.right, domain.CheckLimited); res.Limit.Name != name || res.Limit.Wait <= 0 {
					t.Errorf("%s of %d met %+v", name, most, res.Limit)
				}
			}
			h.caps[name] = 1000
			for other := range h.caps {
				if other == name || strings.HasPrefix(string(other), "send") {
					continue
				}
				h.caps[other] = 1
				if res := h.mustCheck("other", h.right, domain.CheckLimited); res.Limit.Name != other {
					t.Errorf("%s is wide and %s used up: met %+v", name, other, res.Limit)
				}
				h.caps[other] = 1000
			}
			h.tries = 0
			h.mustCheck("no tries", h.right, domain.CheckLocked)
			h.tries = 1000
			h.mustCheck("right", h.right, domain.CheckRight)
		}
		for _, name := range []domain.LimitName{domain.LimitSendPhone, domain.LimitSendAdvisor, domain.LimitSendAddress} {
			h := begin(t, s)
			wide(h.caps)
			for _, most := range []int{0, -1} {
				h.caps[name] = most
				if res := h.mustOpen("none", domain.OpenLimited); res.Limit.Name != name || res.Limit.Wait <= 0 {
					t.Errorf("%s of %d met %+v", name, most, res.Limit)
				}
			}
			h.caps[name] = 1
			h.mustOpen("open", domain.OpenSend)
			h.now = noon.Add(30 * time.Second)
			if res := h.mustOpen("again", domain.OpenLimited); res.Limit.Name != name || res.State.Silent.Name != name {
				t.Errorf("%s of 1 met %+v", name, res.Limit)
			}
		}
	})
}

func TestBudgetsThatAreMissingAreNoLicence(t *testing.T) {
	each(t, func(t *testing.T, s *redisstore.Store) {
		h := begin(t, s)
		h.mustOpen("open", domain.OpenSend)
		for name, change := range map[string]func(o *domain.OpenRequest, c *domain.CheckRequest){
			"no pauses": func(o *domain.OpenRequest, c *domain.CheckRequest) { o.ResendAfter, c.Wrongs = nil, nil },
			"no sends":  func(o *domain.OpenRequest, c *domain.CheckRequest) { o.Sends, c.Wrongs = nil, nil },
			"no wrongs": func(o *domain.OpenRequest, c *domain.CheckRequest) { o.Wrongs, c.Wrongs = nil, nil },
			"no window": func(o *domain.OpenRequest, c *domain.CheckRequest) { o.Wrongs[0].Window, c.Wrongs[3].Window = 0, 0 },
			"a lock of no time": func(o *domain.OpenRequest, c *domain.CheckRequest) {
				o.Wrongs[1].Locks, c.Wrongs[1].Locks = []time.Duration{day, 0}, []time.Duration{0}
			},
			"no subject": func(o *domain.OpenRequest, c *domain.CheckRequest) {
				o.Sends[2].Subject, c.Wrongs[0].Subject = "", ""
			},
			"kept longer than the marker": func(o *domain.OpenRequest, c *domain.CheckRequest) {
				o.Sends[2].Keep, c.Wrongs[0].Keep = 400*day, 400*day
			},
		} {
			o, c := h.openRequest("none"), h.checkRequest("none", h.right)
			change(&o, &c)
			if res, err := s.Challenges().Open(t.Context(), o); err == nil {
				t.Errorf("%s: open gave %+v", name, res)
			}
			if res, err := s.Challenges().Check(t.Context(), c); err == nil {
				t.Errorf("%s: check gave %+v", name, res)
			}
		}
		if _, err := s.Limits().Spend(t.Context(), "id", noon, nil); err == nil {
			t.Error("an event was spent from no budget")
		}
		if _, err := s.Limits().Spend(t.Context(), "", noon, h.sends()); err == nil {
			t.Error("an event without an id was spent")
		}
		if h.compared() != 0 {
			t.Error("a guess was compared")
		}
	})
}
