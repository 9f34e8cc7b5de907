package domain

import (
	"crypto/hmac"
	"encoding/base64"
	"encoding/binary"
	"strings"
	"time"
)

const (
	// DeviceKept is how long a device stays one from which somebody has signed
	// in; each time they do it begins anew.
	DeviceKept = 180 * 24 * time.Hour
	// deviceLogins is how many people one device is known for, the last ones: a
	// tablet of a store is everybody's.
	deviceLogins = 16

	deviceMACSize  = 16
	deviceHeadSize = 8 + passwordKeySize // when, and with which password
	deviceSize     = deviceHeadSize + deviceMACSize
)

// A device proves that somebody has signed in from it by a token for each of
// them, which it keeps: a moment and which password that was, under a keyed
// hash that binds them to the login. It needs nothing here, so it outlives a
// Redis that was emptied; it names nobody, and is no way in: it only opens a
// lane of its own for tries (see SignIn).

// enrolled gives which password a login has last come in with from a device,
// empty where it never has, or too long ago.
func (s *Service) enrolled(device, login string) (password string) {
	var latest int64
	for _, token := range strings.Split(device, ".") {
		if at, p, ok := s.readDevice(token, login); ok && at > latest && s.now().Before(time.Unix(at, 0).Add(DeviceKept)) {
			latest, password = at, p
		}
	}
	return password
}

// enrol gives what the device is to keep from now on.
func (s *Service) enrol(device, login, password string) string {
	token := make([]byte, 0, deviceSize)
	token = binary.BigEndian.AppendUint64(token, uint64(s.now().Unix()))
	token = append(token, password...)
	tokens := []string{base64.RawURLEncoding.EncodeToString(append(token, s.deviceMAC(login, token)...))}
	for _, other := range strings.Split(device, ".") {
		if raw, err := base64.RawURLEncoding.DecodeString(other); err != nil || len(raw) != deviceSize {
			continue
		}
		if _, _, same := s.readDevice(other, login); !same && len(tokens) < deviceLogins {
			tokens = append(tokens, other)
		}
	}
	return strings.Join(tokens, ".")
}

func (s *Service) readDevice(token, login string) (at int64, password string, ok bool) {
	raw, err := base64.RawURLEncoding.DecodeString(token)
	if err != nil || len(raw) != deviceSize || !hmac.Equal(raw[deviceHeadSize:], s.deviceMAC(login, raw[:deviceHeadSize])) {
		return 0, "", false
	}
	return int64(binary.BigEndian.Uint64(raw)), string(raw[8:deviceHeadSize]), true
}

func (s *Service) deviceMAC(login string, head []byte) []byte {
	return s.mac("device", login, string(head))[:deviceMACSize]
}

// passwordKeySize is the length of a passwordKey.
const passwordKeySize = 12

// passwordKey tells passwords apart without telling anything of them: another
// password has another salt.
func (s *Service) passwordKey(hash string) string { return s.key("password", hash)[:passwordKeySize] }
