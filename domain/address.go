package domain

import "net/netip"

// countedBits is how much of an IPv6 address tells one client from another.
// A provider hands out a /64 at least, and whoever has one may speak from any
// of its 2^64 addresses.
const countedBits = 64

// countedAddress is what every limit by address counts by: an IPv4 address, or
// the /64 of an IPv6 address. IPv4 within IPv6 is IPv4, and a zone is nothing
// that a client has. What is no address, a missing one too, is counted as it
// stands: it switches no limit off.
func countedAddress(address string) string {
	a, err := netip.ParseAddr(address)
	if err != nil {
		return address
	}
	if a = a.Unmap().WithZone(""); a.Is4() {
		return a.String()
	}
	// It fails for more bits than there are; and 64 are there.
	net, _ := a.Prefix(countedBits)
	return net.String()
}
