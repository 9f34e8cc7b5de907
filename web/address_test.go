package main

import (
	"fmt"
	"net/http"
	"net/netip"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

func clientOf(proxies networks, peer string, forwarded ...string) string {
	r := &http.Request{RemoteAddr: peer, Header: http.Header{}}
	for _, line := range forwarded {
		r.Header.Add("X-Forwarded-For", line)
	}
	return addressReader(proxies)(r)
}

func proxies(t *testing.T, text string) (n networks) {
	t.Helper()
	if text == "" {
		return nil
	}
	if err := n.UnmarshalText([]byte(text)); err != nil {
		t.Fatal(err)
	}
	return n
}

// A client is one client in every form in which a trusted proxy may write it,
// and two clients are two.
func TestClientAddress(t *testing.T) {
	const trusted = "10.0.0.0/8, 2001:db8:ffff::/48"
	for _, c := range []struct {
		trusted, peer string
		forwarded     []string
		want          string
	}{
		// Nobody is trusted, or somebody else is.
		{"", "203.0.113.6:50001", nil, "203.0.113.6"},
		{"", "203.0.113.6:50001", []string{"192.0.2.1"}, "203.0.113.6"},
		{"", "127.0.0.1:50001", []string{"192.0.2.1"}, "127.0.0.1"},
		{"", "10.0.0.1:50001", []string{"192.0.2.1"}, "10.0.0.1"},
		{"", "[2001:db8::1]:443", []string{"192.0.2.1"}, "2001:db8::1"},
		{trusted, "11.0.0.1:50001", []string{"192.0.2.1"}, "11.0.0.1"},
		{trusted, "[2001:db8:fffe::1]:50001", []string{"192.0.2.1"}, "2001:db8:fffe::1"},
		{trusted, "127.0.0.1:50001", []string{"192.0.2.1"}, "127.0.0.1"},
		// The peer in its forms.
		{"", "[::ffff:203.0.113.6]:443", nil, "203.0.113.6"},
		{"", "[fe80::1%eth0]:443", nil, "fe80::1"},
		{"", "@", nil, ""},
		{"", "", nil, ""},
		{trusted, "", []string{"192.0.2.1"}, ""},
		{trusted, "10.0.0.1:50001", nil, "10.0.0.1"},
		{trusted, "10.0.0.1:50001", []string{""}, "10.0.0.1"},
		// One hop.
		{trusted, "10.0.0.1:50001", []string{"203.0.113.6"}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{"203.0.113.6:50001"}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{"203.0.113.6:"}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{"[203.0.113.6]:50001"}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{`"203.0.113.6:50001"`}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{"  203.0.113.6\t"}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{"2001:db8::1"}, "2001:db8::1"},
		{trusted, "10.0.0.1:50001", []string{"[2001:db8::1]"}, "2001:db8::1"},
		{trusted, "10.0.0.1:50001", []string{"[2001:db8::1]:443"}, "2001:db8::1"},
		{trusted, "10.0.0.1:50001", []string{`"[2001:db8::1]:443"`}, "2001:db8::1"},
		{trusted, "10.0.0.1:50001", []string{"2001:DB8:0:0::1"}, "2001:db8::1"},
		{trusted, "10.0.0.1:50001", []string{"[fe80::7%eth0]:443"}, "fe80::7"},
		{trusted, "10.0.0.1:50001", []string{"fe80::7%eth0"}, "fe80::7"},
		{trusted, "10.0.0.1:50001", []string{"::ffff:203.0.113.6"}, "203.0.113.6"},
		{trusted, "10.0.0.1:50001", []string{"[::ffff:203.0.113.6]:443"}, "203.0.113.6"},
		{trusted, "[::ffff:10.0.0.1]:50001", []string{"203.0.113.6"}, "203.0.113.6"},
		{trusted, "[2001:db8:ffff::5]:50001", []string{"203.0.113.6"}, "203.0.113.6"},
		{"::ffff:10.0.0.0/104", "10.0.0.1:50001", []string{"203.0.113.6"}, "203.0.113.6"},
		{"::ffff:10.0.0.1", "10.0.0.1:50001", []string{"203.0.113.6"}, "203.0.113.6"},
		{"fe80::1%eth0", "[fe80::1%eth0]:50001", []string{"203.0.113.6"}, "203.0.113.6"},
		// Several hops: the last that is not ours, in one line or in several.
		{trusted, "10.0.0.1:1", []string{"192.0.2.1, 203.0.113.6"}, "203.0.113.6"},
		{trusted, "10.0.0.1:1", []string{"192.0.2.1", "203.0.113.6:5"}, "203.0.113.6"},
		{trusted, "10.0.0.1:1", []string{"192.0.2.1,203.0.113.6 , 10.9.9.9:80,[2001:db8:ffff::2]:80"}, "203.0.113.6"},
		{trusted, "10.0.0.1:1", []string{"203.0.113.6, , ,10.2.2.2,"}, "203.0.113.6"},
		{trusted, "10.0.0.1:1", []string{"10.3.3.3:7, 10.2.2.2"}, "10.3.3.3"},
		// What a client has made up is before its own address, and is not read.
		{trusted, "10.0.0.1:1", []string{"rubbish, 203.0.113.6"}, "203.0.113.6"},
		{trusted, "10.0.0.1:1", []string{"<script>,10.1.1.1,203.0.113.6,10.2.2.2"}, "203.0.113.6"},
		// What a proxy of ours has written and is no address tells nothing: the one that wrote it is the client.
		{trusted, "10.0.0.1:1", []string{"unknown"}, "10.0.0.1"},
		{trusted, "10.0.0.1:1", []string{"203.0.113.6, rubbish, 10.2.2.2"}, "10.2.2.2"},
		{trusted, "10.0.0.1:1", []string{"192.0.2.1, _hidden"}, "10.0.0.1"},
		{trusted, "10.0.0.1:1", []string{"203.0.113.600"}, "10.0.0.1"},
		{trusted, "10.0.0.1:1", []string{"[2001:db8::1"}, "10.0.0.1"},
		{trusted, "10.0.0.1:1", []string{"[]:443"}, "10.0.0.1"},
	} {
		if got := clientOf(proxies(t, c.trusted), c.peer, c.forwarded...); got != c.want {
			t.Errorf("peer %q, trusted %q, forwarded %q: %q; expected %q", c.peer, c.trusted, c.forwarded, got, c.want)
		}
	}
}

// written draws an address and a way to write it.
func written(t *rapid.T, within string) (netip.Addr, string) {
	var a netip.Addr
	if rapid.Bool().Draw(t, "IPv4") {
		b := rapid.SliceOfN(rapid.Byte(), 3, 3).Draw(t, "bytes")
		first := byte(10)
		if within == "" {
			first = rapid.ByteRange(11, 223).Draw(t, "first")
		}
		a = netip.AddrFrom4([4]byte{first, b[0], b[1], b[2]})
	} else {
		b := [16]byte(rapid.SliceOfN(rapid.Byte(), 16, 16).Draw(t, "bytes"))
		b[0] = 0xfc // ours
		if within == "" {
			b[0] = 0x20
		}
		a = netip.AddrFrom16(b)
	}
	text := a.String()
	if a.Is4() && rapid.Bool().Draw(t, "within IPv6") {
		text = "::ffff:" + text
	}
	port := rapid.IntRange(-1, 65535).Draw(t, "port")
	switch {
	case port >= 0 && strings.Contains(text, ":"):
		text = fmt.Sprintf("[%s]:%d", text, port)
	case port >= 0:
		text = fmt.Sprintf("%s:%d", text, port)
	case rapid.Bool().Draw(t, "brackets"):
		text = "[" + text + "]"
	}
	space := rapid.SampledFrom([]string{"", " ", "\t", "  "})
	return a, space.Draw(t, "before") + text + space.Draw(t, "after")
}

// However a list is written, the client is the last that is no proxy of ours;
// and without a proxy that is trusted it is the peer, whatever is written.
func TestClientAddressProperty(t *testing.T) {
	ours := proxies(t, "10.0.0.0/8, fc00::/8")
	rapid.Check(t, func(t *rapid.T) {
		client, text := written(t, "")
		made := rapid.SliceOfN(rapid.SampledFrom([]string{"192.0.2.7", "10.5.5.5", "rubbish", "", "[::1]:5", "\"", "unknown:5"}), 0, 4).Draw(t, "made up")
		list := append(slices.Clone(made), text)
		for range rapid.IntRange(0, 4).Draw(t, "proxies") {
			_, proxy := written(t, "ours")
			list = append(list, proxy)
		}
		cut := rapid.IntRange(0, len(list)).Draw(t, "lines")
		lines := []string{strings.Join(list[:cut], ","), strings.Join(list[cut:], ",")}
		if got := clientOf(ours, "10.0.0.1:4000", lines...); got != client.String() {
			t.Fatalf("%q: %q; expected %q", lines, got, client)
		}
		for _, trusted := range []networks{nil, {netip.MustParsePrefix("192.0.2.0/24")}} {
			if got := clientOf(trusted, "10.0.0.1:4000", lines...); got != "10.0.0.1" {
				t.Fatalf("from a proxy that is not trusted, %q: %q", lines, got)
			}
		}
	})
}
