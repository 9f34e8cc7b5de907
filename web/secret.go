package main

import (
	"context"
	"crypto/rand"
	"encoding/hex"
	"fmt"
	"io"
	"log/slog"
	"net/url"
	"reflect"
	"strings"

	"prilavok/domain"
)

// shown are the settings as they may be read by anyone who reads the log.
func (c Config) shown() []slog.Attr {
	values := reflect.ValueOf(c)
	var attrs []slog.Attr
	for i := range values.NumField() {
		value := values.Field(i)
		if value.Kind() == reflect.Pointer && !value.IsNil() {
			value = value.Elem()
		}
		text := fmt.Sprint(value.Interface())
		if value.Kind() == reflect.Pointer {
			text = ""
		}
		attrs = append(attrs, slog.String(values.Type().Field(i).Tag.Get("env"), text))
	}
	return attrs
}

// String is one line of NAME="value" without secrets.
func (c Config) String() string {
	var parts []string
	for _, attr := range c.shown() {
		parts = append(parts, fmt.Sprintf("%s=%q", attr.Key, attr.Value.String()))
	}
	return strings.Join(parts, " ")
}

// Format keeps String for every verb: %#v and %d would print the fields themselves.
func (c Config) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, c.String()) }

// LogValue is String for slog, a group with an attribute for each setting.
func (c Config) LogValue() slog.Value { return slog.GroupValue(c.shown()...) }

const hidden = "[hidden]"

// secret is a text that is used and never shown: string(s) is the only way to it, which makes its uses easy to find.
type secret string

// String tells only whether there is something.
func (s secret) String() string {
	if s == "" {
		return ""
	}
	return hidden
}

// Format hides the text from every verb.
func (s secret) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.String()) }

// MarshalText hides the text from JSON and from the handlers of slog.
func (s secret) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// secretURL is an address that may carry a password: the host and path may be shown, user and parameters not.
type secretURL string

func (s secretURL) empty() bool { return s == "" }

// String is scheme, host and path.
func (s secretURL) String() string {
	u, err := url.Parse(string(s))
	switch {
	case s.empty():
		return ""
	case err != nil || u.Host == "":
		return hidden
	case u.User != nil:
		return u.Scheme + "://" + hidden + "@" + u.Host + u.EscapedPath()
	default:
		return u.Scheme + "://" + u.Host + u.EscapedPath()
	}
}

// Format hides user and parameters from every verb.
func (s secretURL) Format(w fmt.State, _ rune) { _, _ = io.WriteString(w, s.String()) }

// MarshalText hides user and parameters from JSON and from the handlers of slog.
func (s secretURL) MarshalText() ([]byte, error) { return []byte(s.String()), nil }

// secretKey is SECRET_KEY, or a key that was drawn at the first start and is kept in the database, where every instance
// finds the same one. Redis never sees it, so what Redis holds gives no code away.
func secretKey(ctx context.Context, c Config, db domain.Database) ([]byte, error) {
	if c.SecretKey != "" {
		return []byte(c.SecretKey), nil
	}
	drawn := make([]byte, 32)
	_, _ = rand.Read(drawn) // documented never to fail
	var kept string
	err := db.InTx(ctx, func(ctx context.Context, tx domain.Tx) (err error) {
		kept, err = tx.KeepSecret(ctx, "root", hex.EncodeToString(drawn))
		return err
	})
	if err != nil {
		return nil, fmt.Errorf("secret key: %w", err)
	}
	return []byte(kept), nil
}
