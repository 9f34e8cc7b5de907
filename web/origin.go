package main

import (
	"errors"
	"log/slog"
	"net"
	"net/netip"
	"net/url"
	"strconv"
	"strings"

	"golang.org/x/net/idna"
)

// defaultPorts are those that a browser leaves out of an address.
var defaultPorts = map[string]string{"http": "80", "https": "443"}

// hostNames writes a name as browsers do: in small letters, and other scripts
// in Punycode. An underscore is none of the standard's letters and yet stands
// in the names of many intranets.
var hostNames = idna.New(idna.MapForLookup(), idna.BidiRule(), idna.StrictDomainName(false))

var errNoOrigin = errors.New("not the bare address of a site")

// readOrigin reads the address of a site and writes it as browsers write it in
// the header Origin, with which it is compared: scheme and host in small
// letters, no default port, no slash or dot at the end, .рф as .xn--p1ai, the
// zeros of an IPv6 address squeezed. What a browser could not open, or has
// more than scheme, host and port, is refused. No error repeats what was
// written: it may hold a password.
func readOrigin(written string) (string, error) {
	u, err := url.Parse(written)
	if err != nil {
		return "", errNoOrigin
	}
	u.Path = strings.TrimSuffix(u.Path, "/")
	bare := url.URL{Scheme: u.Scheme, Host: u.Host}
	if defaultPorts[u.Scheme] == "" || u.String() != bare.String() || strings.ContainsAny(written, "?#@") {
		return "", errNoOrigin
	}
	host, err := readHost(u.Hostname())
	if err != nil {
		return "", err
	}
	port, err := readPort(u.Port())
	if err != nil {
		return "", err
	}
	if port != "" && port != defaultPorts[u.Scheme] {
		host += ":" + port
	}
	return u.Scheme + "://" + host, nil
}

// readPort drops zeros at the front. Nobody can open port 0.
func readPort(written string) (string, error) {
	if written == "" {
		return "", nil
	}
	n, err := strconv.ParseUint(written, 10, 16)
	if err != nil || n == 0 {
		return "", errNoOrigin
	}
	return strconv.FormatUint(n, 10), nil
}

func readHost(written string) (string, error) {
	if strings.Contains(written, ":") {
		// Browsers write an IPv4 address within an IPv6 one in another way, and
		// know no zones: nobody means either.
		ip, err := netip.ParseAddr(written)
		if err != nil || ip.Is4In6() || ip.Zone() != "" {
			return "", errNoOrigin
		}
		return "[" + ip.String() + "]", nil
	}
	name, err := hostNames.ToASCII(written)
	// Without the dot at the end it is the same host, and the one on its
	// certificate.
	name = strings.ToLower(strings.TrimSuffix(name, "."))
	if err != nil || name == "" || strings.ContainsFunc(name, notInHost) ||
		strings.HasPrefix(name, ".") || strings.HasSuffix(name, ".") || strings.Contains(name, "..") {
		return "", errNoOrigin
	}
	// A name that ends in a number is an address to a browser, and only one
	// way to write that stays as it is.
	last := name[strings.LastIndex(name, ".")+1:]
	if _, err := strconv.ParseUint(last, 0, 64); err == nil || strings.Trim(last, "0123456789") == "" {
		if ip, err := netip.ParseAddr(name); err != nil || !ip.Is4() {
			return "", errNoOrigin
		}
	}
	return name, nil
}

// warnAddress says at the start that this instance listens to other machines
// and does not know by which address they come.
func warnAddress(cfg Config, site string, log *slog.Logger) {
	host, _, err := net.SplitHostPort(cfg.Addr)
	ip, ipErr := netip.ParseAddr(host)
	if err != nil || cfg.PublicURL != "" || host != "" && (ipErr != nil || !ip.IsUnspecified()) {
		return
	}
	log.Warn("other machines reach this program, and PUBLIC_URL does not say by which address: links and QR codes lead to "+
		"this machine alone, and cookies travel without https; set PUBLIC_URL", "listening", cfg.Addr, "links", site)
}

// notInHost tells the characters that no host has.
func notInHost(r rune) bool {
	return r <= ' ' || r >= 0x7f || strings.ContainsRune("\"#%/:<>?@[\\]^`{|}", r)
}
