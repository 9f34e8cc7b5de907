package main

import (
	"net"
	"net/http"
	"net/netip"
	"slices"
	"strings"

	"github.com/labstack/echo/v4"
)

// addressReader gives the client's address for c.RealIP. X-Forwarded-For is
// believed only from the configured proxies; without any, the peer of the
// connection is the client.
//
// Each proxy writes the address that it was asked from at the end, so the list
// is read from there for as long as a proxy of ours is speaking: the first
// address that is none of them is the client, and what stands before it is the
// client's own invention. Where a proxy wrote what is no address, nobody knows
// better than that proxy who asked, and its own address stands for the client.
func addressReader(proxies []netip.Prefix) echo.IPExtractor {
	ours := func(a netip.Addr) bool {
		return slices.ContainsFunc(proxies, func(p netip.Prefix) bool { return p.Contains(a) })
	}
	return func(r *http.Request) string {
		client, ok := readHop(r.RemoteAddr)
		if !ok {
			return ""
		}
		hops := strings.Split(strings.Join(r.Header.Values(echo.HeaderXForwardedFor), ","), ",")
		for i := len(hops) - 1; i >= 0 && ours(client); i-- {
			if strings.TrimSpace(hops[i]) == "" {
				continue // a list may have empty places
			}
			hop, ok := readHop(hops[i])
			if !ok {
				break
			}
			client = hop
		}
		return client.String()
	}
}

// readHop reads one address as proxies write it: with or without a port, IPv6
// with or without brackets and zone. IPv4 within IPv6 is IPv4, so that one
// client has one address however the proxy listens.
func readHop(text string) (netip.Addr, bool) {
	text = strings.Trim(text, " \t\"")
	addr, err := netip.ParseAddr(text)
	if err != nil {
		host, _, split := net.SplitHostPort(text)
		if split != nil && strings.HasPrefix(text, "[") && strings.HasSuffix(text, "]") {
			host = text[1 : len(text)-1]
		}
		addr, err = netip.ParseAddr(host)
	}
	return addr.WithZone("").Unmap(), err == nil
}
