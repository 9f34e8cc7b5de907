package main

import (
	"fmt"
	"net/http"
	"net/http/httptest"
	"testing"

	"prilavok/domain"
)

// walkGateways shows the administrator's gateways: well, in trouble, and none.
func walkGateways(t *testing.T, show look) {
	t.Helper()
	dir := "DATA_DIR=" + t.TempDir()
	broken := httptest.NewServer(http.HandlerFunc(func(w http.ResponseWriter, _ *http.Request) { w.WriteHeader(http.StatusServiceUnavailable) }))
	t.Cleanup(broken.Close)
	p := start(t, dir, "LOG_LEVEL=warn", "SMS_GATEWAYS=devino_v2,kannel,handset",
		"DEVINO_V2_LOGIN=prilavok", "DEVINO_V2_PASSWORD=a devino password", "DEVINO_V2_FROM=Prilavok", "DEVINO_V2_URL="+broken.URL, "DEVINO_V2_PART_PRICE=310",
		"KANNEL_URL="+broken.URL, "KANNEL_USER=prilavok", "KANNEL_PASSWORD=a kannel password", "KANNEL_FROM=Prilavok", "KANNEL_RATE=1")
	w := newWindow(t, p.URL)
	w.toOffice("admin")
	w.open("/gateways")
	w.at("Шлюзы SMS")
	show("gateways-new", w)
	anna := p.as("anna")
	for n := range 6 {
		anna.sendCode(anna.walk(p, customer{phone: fmt.Sprintf("+7 916 700 10 %02d", n)}, domain.StepCode))
	}
	w.open("/gateways")
	w.see("Отложен до", "5 сбоев подряд", "ответил кодом HTTP 503")
	show("gateways", w)
	w.unfold("Адреса, которые нужно указать в шлюзе : Kannel")
	w.see("/reports", "/incoming")
	show("gateways-addresses", w)
	if err := p.stop(); err != nil {
		t.Fatal(err)
	}

	// The same data without the demo: nothing is switched on.
	q := start(t, dir, "LOG_LEVEL=warn", "DEMO=false")
	w = newWindow(t, q.URL)
	w.toOffice("admin")
	w.open("/gateways")
	w.see("Ни один шлюз не включён", "SMS_GATEWAYS")
	show("gateways-none", w)
}
