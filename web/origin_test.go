package main

import (
	"bytes"
	"log/slog"
	"net/http"
	"strings"
	"testing"
)

// origins are the addresses of one site as people write them, and how browsers
// write it in the header Origin; empty where the start must refuse it.
var origins = []struct{ written, origin string }{
	{"https://shop.example", "https://shop.example"},
	{"https://shop.example/", "https://shop.example"},
	{"HTTPS://Shop.Example", "https://shop.example"},
	{"https://SHOP.EXAMPLE:443/", "https://shop.example"},
	{"https://shop.example:0443", "https://shop.example"},
	{"https://shop.example:", "https://shop.example"},
	{"http://shop.example:80", "http://shop.example"},
	{"http://shop.example:443", "http://shop.example:443"},
	{"https://shop.example:80", "https://shop.example:80"},
	{"https://Shop.example:8443", "https://shop.example:8443"},
	{"https://shop.example:08443", "https://shop.example:8443"},
	{"https://shop.example.", "https://shop.example"},
	{"https://shop.example.:443/", "https://shop.example"},
	{"https://прилавок.рф", "https://xn--80aeqkcuci.xn--p1ai"},
	{"https://ПРИЛАВОК.РФ:443/", "https://xn--80aeqkcuci.xn--p1ai"},
	{"https://прилавок。рф", "https://xn--80aeqkcuci.xn--p1ai"},
	{"https://XN--80AEQKCUCI.xn--P1AI", "https://xn--80aeqkcuci.xn--p1ai"},
	{"https://%D0%BF%D1%80%D0%B8%D0%BB%D0%B0%D0%B2%D0%BE%D0%BA.рф", "https://xn--80aeqkcuci.xn--p1ai"},
	{"https://касса.Прилавок.рф:8443", "https://xn--80aa2a3aa.xn--80aeqkcuci.xn--p1ai:8443"},
	{"https://faß.example", "https://xn--fa-hia.example"},
	{"https://ＳＨＯＰ.example", "https://shop.example"},
	{"http://my_till:8080", "http://my_till:8080"},
	{"http://TILL", "http://till"},
	{"http://localhost:8080", "http://localhost:8080"},
	{"http://127.0.0.1:8080", "http://127.0.0.1:8080"},
	{"http://192.168.1.5:80", "http://192.168.1.5"},
	{"http://[2001:DB8:0:0:0:0:0:1]:80", "http://[2001:db8::1]"},
	{"http://[::1]:8080/", "http://[::1]:8080"},
	{"https://1.shop.example", "https://1.shop.example"},

	{"shop.example", ""}, {"//shop.example", ""}, {"ftp://shop.example", ""}, {"https://", ""}, {"https:shop.example", ""}, {"https:///", ""},
	{"https://shop.example/till", ""}, {"https://shop.example//", ""}, {"https://shop.example/?", ""}, {"https://shop.example?a=b", ""},
	{"https://shop.example#", ""}, {"https://shop.example/#a", ""}, {"https://me@shop.example", ""}, {"https://@shop.example", ""},
	{"https://me:secret@shop.example", ""}, {"https://shop.example:0", ""}, {"https://shop.example:65536", ""}, {"https://shop.example:https", ""},
	{"https://shop..example", ""}, {"https://.shop.example", ""}, {"https://.", ""}, {"https://shop example", ""}, {"https://shop,example:8080:9", ""},
	{"https://shop.example, https://other.example", ""}, {"http://127.1", ""}, {"http://0x7f.0.0.1", ""}, {"http://2130706433", ""}, {"http://1.2.3.256", ""},
	{"http://[::ffff:10.0.0.1]", ""}, {"http://[fe80::1%25eth0]", ""}, {"http://[::1", ""}, {"http://2001:db8::1", ""}, {"https://xn--a.example", ""},
	{"https://*.shop.example", "https://*.shop.example"}, // no browser sends it, and none refuses it
}

func TestOrigin(t *testing.T) {
	for _, c := range origins {
		for _, name := range []string{"PUBLIC_URL", "SMS_CALLBACK_URL"} {
			cfg, err := LoadConfig([]string{name + "=" + c.written})
			switch {
			case c.origin == "" && (err == nil || !strings.Contains(err.Error(), name+": is not the bare address of a site")):
				t.Errorf("%s=%s: %q%q, %v; want a refusal", name, c.written, cfg.PublicURL, cfg.SMSCallbackURL, err)
			case c.origin == "" && strings.Contains(err.Error(), "secret"):
				t.Errorf("%s=%s: the refusal repeats a password: %v", name, c.written, err)
			case c.origin != "" && (err != nil || cfg.PublicURL+cfg.SMSCallbackURL != c.origin):
				t.Errorf("%s=%s: %q%q, %v; want %s", name, c.written, cfg.PublicURL, cfg.SMSCallbackURL, err, c.origin)
			}
		}
		if again, err := readOrigin(c.origin); c.origin != "" && (err != nil || again != c.origin) {
			t.Errorf("%s read again is %q, %v", c.origin, again, err)
		}
	}
}

// Behind a proxy that puts its own name into Host, PUBLIC_URL alone tells which
// site is ours, however it was written.
func TestSignInAtPublicURL(t *testing.T) {
	for _, written := range []string{"https://Shop.Example", "https://shop.example:443/", "http://shop.example:80", "https://Прилавок.рф", "http://192.168.1.5:80"} {
		t.Run(written, func(t *testing.T) {
			addr := "127.0.0.1:" + freePorts(t, 1)[0]
			p := start(t, "DATA_DIR="+t.TempDir(), "PUBLIC_URL="+written, "ADDR="+addr)
			origin, err := readOrigin(written)
			if err != nil || p.URL != origin {
				t.Errorf("the start says %q, want %q", p.URL, origin)
			}
			for _, from := range []string{origin, "https://other.example"} {
				c := p.client()
				c.base = "http://" + addr
				a := c.do(http.MethodPost, "/sign-in", http.Header{"Origin": {from}}, form("login", "anna", "password", demoPassword))
				if want := map[bool]int{true: http.StatusSeeOther, false: http.StatusForbidden}[from == origin]; a.Status != want {
					t.Errorf("sign-in from %s: %d, want %d", from, a.Status, want)
				}
			}
		})
	}
}

// An instance that other machines reach and that does not know its address
// says so once, at the start.
func TestWarnAddress(t *testing.T) {
	for _, c := range []struct {
		addr, public string
		warned       bool
	}{
		{"0.0.0.0:8080", "", true}, {":8080", "", true}, {"[::]:8080", "", true}, {"0.0.0.0:0", "", true},
		{"0.0.0.0:8080", "https://shop.example", false}, {":8080", "http://192.168.1.5:8080", false}, {"[::]:8080", "https://shop.example", false},
		{"127.0.0.1:8080", "", false}, {"localhost:8080", "", false}, {"[::1]:8080", "", false}, {"192.168.1.5:8080", "", false},
	} {
		var out bytes.Buffer
		cfg := load(t, "ADDR="+c.addr, "PUBLIC_URL="+c.public)
		warnAddress(cfg, cfg.SiteURL(c.addr), slog.New(slog.NewTextHandler(&out, nil)))
		if warned := strings.Contains(out.String(), "level=WARN") && strings.Contains(out.String(), "cookies") && strings.Contains(out.String(), "PUBLIC_URL"); warned != c.warned || !warned && out.Len() > 0 {
			t.Errorf("ADDR=%s PUBLIC_URL=%s: told %q", c.addr, c.public, out.String())
		}
	}
}
