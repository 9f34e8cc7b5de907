package main

import (
	"errors"
	"log/slog"
	"net/netip"
	"net/url"
	"slices"
	"strings"

	"prilavok/domain"
	"prilavok/web/redisstore"
	"prilavok/web/sms"
)

// gatewayNames are gateways in the order in which they are tried.
type gatewayNames []string

// UnmarshalText reads names with commas between.
func (g *gatewayNames) UnmarshalText(text []byte) error {
	var list gatewayNames
	for _, part := range strings.Split(string(text), ",") {
		name := strings.TrimSpace(part)
		if !slices.Contains([]string{"devino", "devino_v2", "kannel", "handset"}, name) || slices.Contains(list, name) {
			return errors.New("not a gateway, or named twice")
		}
		list = append(list, name)
	}
	*g = list
	return nil
}

// checkGateways wants of each gateway that is switched on what it can't do
// without.
func (c *Config) checkGateways(f faults) {
	needs := map[string]map[string]string{
		"devino": {"DEVINO_URL": c.DevinoURL, "DEVINO_KEY": string(c.DevinoKey), "DEVINO_FROM": c.DevinoFrom},
		"devino_v2": {
			"DEVINO_V2_URL": c.DevinoV2URL, "DEVINO_V2_LOGIN": c.DevinoV2Login,
			"DEVINO_V2_PASSWORD": string(c.DevinoV2Password), "DEVINO_V2_FROM": c.DevinoV2From,
		},
		"kannel": {
			"KANNEL_URL": c.KannelURL, "KANNEL_USER": c.KannelUser,
			"KANNEL_PASSWORD": string(c.KannelPassword), "KANNEL_FROM": c.KannelFrom,
		},
	}
	for _, name := range c.SMSGateways {
		for setting, value := range needs[name] {
			switch u, err := url.Parse(value); {
			case value == "":
				f.add(setting, "is missing")
			// The value is not repeated in the fault: it may carry a password.
			case strings.HasSuffix(setting, "_URL") && (err != nil || u.Scheme != "http" && u.Scheme != "https" || u.Host == ""):
				f.add(setting, "is not an address")
			}
		}
	}
}

// gateways makes the gateways that are switched on, in their order. The
// handset is there in a demo only, since its page shows every code to
// everybody; nil where it is not among them.
func gateways(cfg Config, demo bool, redis *redisstore.Store, log *slog.Logger) (list []domain.Gateway, handset *sms.Handset, err error) {
	names := cfg.SMSGateways
	if len(names) == 0 && demo {
		names = gatewayNames{"handset"}
	}
	for _, name := range names {
		switch name {
		case "devino":
			list = append(list, sms.NewDevino(sms.DevinoOptions{
				URL: cfg.DevinoURL, Key: string(cfg.DevinoKey), From: cfg.DevinoFrom,
				Rate: cfg.DevinoRate, PartPrice: int64(cfg.DevinoPartPrice), Now: redis.Now, Log: log,
			}))
		case "devino_v2":
			list = append(list, sms.NewDevinoV2(sms.DevinoV2Options{
				URL: cfg.DevinoV2URL, Login: cfg.DevinoV2Login, Password: string(cfg.DevinoV2Password), From: cfg.DevinoV2From,
				Rate: cfg.DevinoV2Rate, PartPrice: int64(cfg.DevinoV2PartPrice), Now: redis.Now, Log: log,
			}))
		case "kannel":
			list = append(list, sms.NewKannel(sms.KannelOptions{
				URL: cfg.KannelURL, User: cfg.KannelUser, Password: string(cfg.KannelPassword), From: cfg.KannelFrom,
				Rate: cfg.KannelRate, PartPrice: int64(cfg.KannelPartPrice), Now: redis.Now, Log: log,
			}))
		case "handset":
			if !demo {
				return nil, nil, errors.New("SMS_GATEWAYS names the handset, which shows every code to everybody; it is for a demo only (DEMO=true)")
			}
			handset = sms.NewHandset(redis.Outbox(), redis.Now)
			list = append(list, handset.Gateway())
		}
	}
	return list, handset, nil
}

// warnGateways says at the start what is no fault of any one setting, and yet
// makes SMS that lead nowhere or are never heard of again.
func warnGateways(cfg Config, list []domain.Gateway, site, callback string, log *slog.Logger) {
	abroad := func(g domain.Gateway) bool { return !g.Instant }
	devino := func(g domain.Gateway) bool { return g.Name == "devino" && !onlyHere(cfg.DevinoURL) }
	if len(list) == 0 {
		log.Warn("no SMS gateway is switched on, so no code can be sent and messages wait; name one in SMS_GATEWAYS")
	}
	if slices.ContainsFunc(list, abroad) && onlyHere(site) {
		log.Warn("the links in SMS lead to an address that only this machine can open; set PUBLIC_URL", "address", site)
	}
	if slices.ContainsFunc(list, devino) && onlyHere(callback) {
		log.Warn("Devino.Online can't report to an address that only this machine can open; set PUBLIC_URL or SMS_CALLBACK_URL", "address", callback)
	}
}

// onlyHere tells whether an address leads every machine to itself.
func onlyHere(address string) bool {
	u, err := url.Parse(address)
	if err != nil {
		return false
	}
	ip, err := netip.ParseAddr(u.Hostname())
	return u.Hostname() == "localhost" || err == nil && ip.IsLoopback()
}
