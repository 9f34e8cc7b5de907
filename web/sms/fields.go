package sms

import (
	"encoding/json"
	"maps"
	"mime"
	"net/url"
	"slices"
	"strconv"
	"strings"
	"unicode/utf8"

	"golang.org/x/text/encoding/charmap"

	"prilavok/domain"
)

// fields is what a gateway tells in one object, by names in lower case without
// dashes: no two versions of a gateway write them alike.
type fields map[string]any

// name folds the spellings of a field's name: messageId, message_id, MessageID.
func name(s string) string {
	return strings.ToLower(strings.NewReplacer("-", "", "_", "").Replace(s))
}

// fieldsOf reads a query or a form. What comes again in another spelling of its
// name is kept beside what came first, in the order of the names.
func fieldsOf(v url.Values, charset string) fields {
	all := map[string][]string{}
	for _, n := range slices.Sorted(maps.Keys(v)) {
		all[name(n)] = append(all[name(n)], v[n]...)
	}
	f := fields{}
	for n, values := range all {
		f[n] = several(values, func(s string) string { return readable(s, charset) })
	}
	return f
}

// several makes one text of the values of a name: mostly there is one, or a
// proxy has doubled it. Others stand side by side, lest a STOP be the one that
// is left out.
func several(values []string, read func(string) string) string {
	var out []string
	for _, v := range values {
		if v = read(v); v != "" && !slices.Contains(out, v) {
			out = append(out, v)
		}
	}
	return strings.Join(out, ",")
}

// read gives the objects of a call, whatever it is: a JSON object, a list of
// them, one a line, one inside another, a form, or only a query.
func read(c domain.Callback) []fields {
	media, params, _ := mime.ParseMediaType(c.ContentType)
	body := strings.TrimSpace(strings.TrimPrefix(string(c.Body), "\uFEFF"))
	switch {
	case strings.HasPrefix(body, "{") || strings.HasPrefix(body, "["):
		decoder := json.NewDecoder(strings.NewReader(readable(body, params["charset"])))
		decoder.UseNumber() // an id may be longer than a float64 can tell
		var all []any
		for {
			var v any
			if decoder.Decode(&v) != nil {
				return objects(all)
			}
			all = append(all, v)
		}
	case body != "" && (media == "" || media == "application/x-www-form-urlencoded"):
		return []fields{fieldsOf(domain.ReadForm(body), params["charset"])}
	case len(c.Query) > 0:
		return []fields{fieldsOf(c.Query, "")}
	}
	return nil
}

// readable gives a text as UTF-8. Gateways of an age speak Windows-1251, and
// not all of them say so: it is one where more bytes are broken than letters
// whole. A word of UTF-8 with a broken byte beside it stays as it is.
func readable(text, charset string) string {
	old := strings.EqualFold(charset, "windows-1251") || strings.EqualFold(charset, "cp1251")
	if !old {
		broken, whole := 0, 0
		for i, r := range text {
			switch {
			case r == utf8.RuneError && !strings.HasPrefix(text[i:], "\uFFFD"):
				broken++
			case r >= utf8.RuneSelf:
				whole++
			}
		}
		old = broken > whole
	}
	if old {
		if t, err := charmap.Windows1251.NewDecoder().String(text); err == nil {
			return t
		}
	}
	return text
}

// deepest bounds how far objects looks; no gateway wraps its reports deeper.
const deepest = 4

// objects finds the objects that speak of a message, inner ones first. A
// wrapper may have a name and a status of its own, as a batch has, and a report
// hold something that has a name, such as the operator. So all that say whose
// message it is and how it fares are given, and nobody's will be found to be
// nobody's; the others only where there is none that says both.
func objects(all []any) (out []fields) {
	for _, v := range all {
		out = speaking(v, 0, out)
	}
	if slices.ContainsFunc(out, fields.whole) {
		out = slices.DeleteFunc(out, func(f fields) bool { return !f.whole() })
	}
	return out
}

func speaking(v any, depth int, out []fields) []fields {
	if depth > deepest {
		return out
	}
	switch v := v.(type) {
	case []any:
		for _, one := range v {
			out = speaking(one, depth+1, out)
		}
	case map[string]any:
		f := fields{}
		for n, value := range v {
			f[name(n)] = value
		}
		for _, n := range slices.Sorted(maps.Keys(f)) {
			out = speaking(f[n], depth+1, out)
		}
		if f.whole() || f.id() != "" || f.status() != "" {
			out = append(out, f)
		}
	}
	return out
}

// whole tells that an object is a report of a message, or a customer's SMS.
func (f fields) whole() bool {
	return f.ours() != 0 || f.id() != "" && f.status() != "" || f.text("sourcephone") != ""
}

// text gives the first of these fields that is there, as text.
func (f fields) text(names ...string) string {
	for _, n := range names {
		switch v := f[n].(type) {
		case string:
			if v != "" {
				return v
			}
		case json.Number:
			return v.String()
		}
	}
	return ""
}

// The names under which gateways tell whose message it is, and how it fared.
var (
	idNames     = []string{"messageid", "smsid", "msgid", "id"}
	statusNames = []string{"status", "state", "messagestatus", "deliverystatus", "smsstatus"}
)

func (f fields) id() string { return f.text(idNames...) }

// status is the gateway's word; some wrap it into an object of its own.
func (f fields) status() string {
	if s := f.text(statusNames...); s != "" {
		return s
	}
	for _, n := range statusNames {
		if inner, ok := f[n].(map[string]any); ok {
			g := fields{}
			for n, v := range inner {
				g[name(n)] = v
			}
			return g.text("name", "status", "state", "code", "value")
		}
	}
	return ""
}

// ours is our own id of the message, which options bring back; 0: they don't.
func (f fields) ours() int64 {
	m := f.text("options[m]", "options.m")
	switch options := f["options"].(type) {
	case map[string]any:
		if s, ok := options["m"].(string); ok {
			m = s
		} else if n, ok := options["m"].(json.Number); ok {
			m = n.String()
		}
	case string: // JSON in a text, as forms have it
		var inner map[string]any
		if json.Unmarshal([]byte(options), &inner) == nil {
			if s, ok := inner["m"].(string); ok {
				m = s
			}
		}
	}
	id, err := strconv.ParseInt(m, 10, 64)
	if err != nil || id < 1 {
		return 0
	}
	return id
}

// private are fields that hold a person's phone or the text: they stand in the
// message already, or nowhere on purpose.
var private = []string{
	"to", "from", "phone", "sourcephone", "destination", "destinationaddress", "sourceaddress", "recipient", "sender", "msisdn",
	"number", "address", "abonent", "subscriber", "text", "body", "data", "message", "content", "sms", "password", "login", "key",
}

// unknown writes the fields beside the known ones as JSON, for the record;
// empty where there are none. The order is that of the names.
func (f fields) unknown(known ...string) string {
	left := map[string]any{}
	for n, v := range f {
		if !slices.Contains(known, n) && !slices.Contains(private, n) {
			left[n] = public(v)
		}
	}
	if len(left) == 0 {
		return ""
	}
	text, err := json.Marshal(left)
	if err != nil {
		return ""
	}
	return string(text)
}

// public is a value without the private fields further in.
func public(v any) any {
	switch v := v.(type) {
	case []any:
		out := make([]any, len(v))
		for i := range v {
			out[i] = public(v[i])
		}
		return out
	case map[string]any:
		out := map[string]any{}
		for n, value := range v {
			if !slices.Contains(private, name(n)) {
				out[n] = public(value)
			}
		}
		return out
	}
	return v
}
