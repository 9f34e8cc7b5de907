package domain_test

import (
	"net/url"
	"slices"
	"strings"
	"testing"
	"time"

	"prilavok/domain"
	"prilavok/web/sms"
)

// What gateways were given within a day, by gateway and fate; only for
// administrators.
func TestGatewayTallies(t *testing.T) {
	eachWorld(t, func(t *testing.T, w *world) {
		m := w.dueBuyer("+79160000001")
		w.Settings.MessagesPerWeek = 1000
		all := w.gateways("first", "second")
		begin := m.DueAt.Add(24 * time.Hour)
		w.clock.Set(begin)
		send := func(first, second error) domain.Message {
			t.Helper()
			all[0].Fail(first)
			all[1].Fail(second)
			got, _ := w.send(w.another(m))
			return got
		}
		parts := send(nil, nil).Parts
		if err := w.report(send(nil, nil), "first", domain.MessageDelivered); err != nil {
			t.Fatal(err)
		}
		send(smsFails(domain.SMSRefused), nil)
		send(smsFails(domain.SMSRefused), smsFails(domain.SMSAmbiguous))
		send(smsFails(domain.SMSRefused), smsFails(domain.SMSRefused))
		send(smsFails(domain.SMSDown), smsFails(domain.SMSDown)) // scheduled again: not counted
		price := int64(parts) * 300
		want := []domain.GatewayTally{
			{Gateway: "first", State: domain.MessageAccepted, Messages: 1, Parts: parts, Price: price},
			{Gateway: "first", State: domain.MessageDelivered, Messages: 1, Parts: parts, Price: price},
			{Gateway: "first", State: domain.MessageUndelivered, Messages: 1, Parts: parts},
			{Gateway: "second", State: domain.MessageAccepted, Messages: 1, Parts: parts, Price: price},
			{Gateway: "second", State: domain.MessageUnknown, Messages: 1, Parts: parts, Price: price},
		}
		admin := domain.Actor{Staff: domain.Staff{Role: domain.Administrator}}
		got, err := w.GatewayTallies(t.Context(), admin)
		// The buyer's own code went by another gateway, the day before.
		if err != nil || !slices.Equal(got, want) {
			t.Errorf("%+v, %v\nwant %+v", got, err, want)
		}
		w.clock.Set(begin.Add(24 * time.Hour))
		if got, err := w.GatewayTallies(t.Context(), admin); err != nil || !slices.Equal(got, want) {
			t.Errorf("at the end of the day: %+v, %v", got, err)
		}
		w.clock.Add(time.Microsecond)
		if got, err := w.GatewayTallies(t.Context(), admin); err != nil || len(got) != 0 {
			t.Errorf("a day later: %+v, %v", got, err)
		}
		if _, err := w.GatewayTallies(t.Context(), w.anna); domain.KindOf(err) != domain.Forbidden {
			t.Errorf("an advisor: %v", err)
		}
	})
}

// The word in a gateway's address is long, its own, and depends on the secret.
func TestGatewayKeys(t *testing.T) {
	gateways := []domain.Gateway{
		sms.NewKannel(sms.KannelOptions{URL: "http://127.0.0.1:1/", Now: time.Now}),
		sms.NewDevino(sms.DevinoOptions{URL: "http://127.0.0.1:1", Now: time.Now}),
		{Name: "handset"},
	}
	keys := map[string]bool{}
	for _, secret := range []string{"one secret of thirty-two characters", "another one of thirty-two characters"} {
		s := &domain.Service{Gateways: gateways, Secret: []byte(secret), CallbackURL: "https://shop.example"}
		for _, g := range gateways[:2] {
			reports, incoming := s.GatewayURLs(g)
			u, err := url.Parse(reports)
			key := strings.Split(u.Path, "/")[2]
			if err != nil || reports != "https://shop.example/g/"+key+"/reports" || incoming != "https://shop.example/g/"+key+"/incoming" || len(key) < 32 || keys[key] {
				t.Errorf("%s: %q, %q", g.Name, reports, incoming)
			}
			keys[key] = true
			if found, err := s.GatewayByKey(key); err != nil || found.Name != g.Name {
				t.Errorf("%s is found as %q, %v", g.Name, found.Name, err)
			}
			for _, bad := range []string{"", key[1:], key + "a", strings.ToUpper(key) + "-", g.Name} {
				if _, err := s.GatewayByKey(bad); !domain.IsNotFound(err) {
					t.Errorf("%q opens %s: %v", bad, g.Name, err)
				}
			}
		}
		if reports, incoming := s.GatewayURLs(gateways[2]); reports != "" || incoming != "" {
			t.Errorf("the handset has addresses: %q, %q", reports, incoming)
		}
	}
}
