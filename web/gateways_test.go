package main

import (
	"bytes"
	"cmp"
	"log/slog"
	"slices"
	"strings"
	"testing"
)

// Settings that are sound one by one and make no sense together are told at the
// start.
func TestWarnGateways(t *testing.T) {
	kannel := []string{"SMS_GATEWAYS=kannel", "KANNEL_URL=http://127.0.0.1:13013/cgi-bin/sendsms", "KANNEL_USER=u", "KANNEL_PASSWORD=p", "KANNEL_FROM=Shop"}
	devino := []string{"SMS_GATEWAYS=devino", "DEVINO_KEY=k", "DEVINO_FROM=Shop"}
	const public = "PUBLIC_URL=https://shop.example"
	for _, c := range []struct {
		name     string
		demo     bool
		settings []string
		warned   []string // what each line that is told names
	}{
		{"none", false, nil, []string{"SMS_GATEWAYS"}},
		{"a demo", true, nil, nil},
		{"links to nowhere", false, kannel, []string{"set PUBLIC_URL\" address=http://localhost:8080"}},
		{"Kannel on this machine may call it", false, append(kannel, public, "SMS_CALLBACK_URL=http://127.0.0.1:8080"), nil},
		{"Devino can't call it", false, append(devino, public, "SMS_CALLBACK_URL=http://127.0.0.1:8080"), []string{"SMS_CALLBACK_URL"}},
		{"neither", false, devino, []string{"set PUBLIC_URL", "SMS_CALLBACK_URL"}},
		{"a Devino of one's own", false, append(devino, public, "SMS_CALLBACK_URL=http://127.0.0.1:8080", "DEVINO_URL=http://[::1]:9"), nil},
		{"all is well", false, append(devino, public), nil},
	} {
		cfg, err := LoadConfig(slices.Concat(c.settings, []string{"ADDR=:8080"}))
		if err != nil {
			t.Fatal(err)
		}
		list, _, err := gateways(cfg, c.demo, nil, nil)
		if err != nil {
			t.Fatal(err)
		}
		var out bytes.Buffer
		site := cfg.SiteURL("[::]:8080")
		warnGateways(cfg, list, site, cmp.Or(cfg.SMSCallbackURL, site), slog.New(slog.NewTextHandler(&out, nil)))
		lines := strings.Split(strings.TrimSpace(out.String()), "\n")
		if out.Len() == 0 {
			lines = nil
		}
		if len(lines) != len(c.warned) {
			t.Errorf("%s: told\n%s", c.name, out.String())
			continue
		}
		for i, want := range c.warned {
			if !strings.Contains(lines[i], want) {
				t.Errorf("%s: %q does not name %q", c.name, lines[i], want)
			}
		}
	}
}
