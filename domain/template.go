package domain

import (
	"context"
	"fmt"
	"iter"
	"regexp"
	"slices"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
)

// MessageTemplate is one version of a text to customers. A version is never
// changed: messages name the one that they were made of.
type MessageTemplate struct {
	ID          int64
	ProgrammeID int64
	Kind        MessageKind
	Language    string
	Version     int // from 1; 0 is the text that the program brings
	Body        string
	StaffID     int64
	StaffName   string // filled when read
	CreatedAt   time.Time
}

// templates are the texts that the program brings, per kind and language: what
// counts until an administrator writes another.
var templates = map[MessageKind]map[string]string{
	CodeMessage: {
		"ru": "{code} — ваш код. {brand}, магазин «{store}». Назовите его консультанту, чтобы подтвердить телефон.",
		"en": "{code} is your code. {brand}, store “{store}”. Read it to the advisor to confirm your phone.",
	},
	SelfCodeMessage: {
		"ru": "{code} — ваш код. {brand}, магазин «{store}». Введите его на странице подтверждения в своём телефоне.",
		"en": "{code} is your code. {brand}, store “{store}”. Type it on the confirmation page on your own phone.",
	},
	ReferralMessage: {
		"ru": "{brand}: спасибо за покупку! Ваш промокод {promo}: скидка {discount} для друзей, осталось использований: {left}.{until} {link}",
		"en": "{brand}: thank you! Your promo code {promo} gives friends {discount} off, uses left: {left}.{until} {link}",
	},
	TrialMessage: {
		"ru": "{brand}: спасибо, что попробовали! Ваш промокод {promo}: скидка {discount} на первую покупку.{until} {link}",
		"en": "{brand}: thanks for trying! Your promo code {promo} gives you {discount} off your first purchase.{until} {link}",
	},
	GiftMessage: {
		"ru": "{brand}: друзья купили по вашему промокоду {promo}, вас ждёт подарок{gift}. Заберите его в любом нашем магазине с этим телефоном в руках. {link}",
		"en": "{brand}: friends have bought with your promo code {promo}, a gift is waiting for you{gift}. Collect it at any of our stores with this phone in your hand. {link}",
	},
	StoppedMessage: {
		"ru": "{brand}: больше не будем вам писать.",
		"en": "{brand}: we will not write to you any more.",
	},
	StartedMessage: {
		"ru": "{brand}: чтобы снова получать сообщения, дайте согласие консультанту в любом нашем магазине.",
		"en": "{brand}: to get our messages again, give your consent to an advisor at any of our stores.",
	},
}

// Languages that texts to customers are written in; the first is what counts
// where another one lacks a text.
func templateLanguages() []string { return []string{"ru", "en"} }

// templateKinds lists the kinds of text in the order of an administrator's
// list.
func templateKinds() []MessageKind {
	return []MessageKind{CodeMessage, SelfCodeMessage, ReferralMessage, TrialMessage, GiftMessage, StoppedMessage, StartedMessage}
}

// OfCode tells whether a message carries a one-time code.
func (k MessageKind) OfCode() bool { return k == CodeMessage || k == SelfCodeMessage }

// Place is a name in braces that a value takes the place of.
type Place struct {
	Name     string
	Required bool   // a text without it makes no sense
	Sample   string // what it becomes in a preview; filled by Service.Template
}

// places are the names that a text of a kind may hold, in the order in which
// an administrator reads them.
var places = map[MessageKind][]Place{
	CodeMessage:     {{Name: "code", Required: true}, {Name: "brand"}, {Name: "store"}},
	SelfCodeMessage: {{Name: "code", Required: true}, {Name: "brand"}, {Name: "store"}},
	ReferralMessage: {{Name: "promo", Required: true}, {Name: "brand"}, {Name: "discount"}, {Name: "left"}, {Name: "until"}, {Name: "link"}},
	TrialMessage:    {{Name: "promo", Required: true}, {Name: "brand"}, {Name: "discount"}, {Name: "until"}, {Name: "link"}},
	GiftMessage:     {{Name: "promo"}, {Name: "brand"}, {Name: "gift"}, {Name: "link"}},
	StoppedMessage:  {{Name: "brand"}},
	StartedMessage:  {{Name: "brand"}},
}

// mayBeEmpty are places whose value some customers don't have.
var mayBeEmpty = []string{"until", "gift", "link"}

const (
	templateCharacters = 1000 // a text may have, places as they are written
	templateParts      = 6    // it may take once it is filled in
)

// CheckTemplate reads the text of a kind as it was typed, and gives it as it is
// kept, or what is wrong with it. A text that passes has no brace left once its
// places are filled, holds the values that it can't do without, and is not
// empty, whatever the values are.
func CheckTemplate(kind MessageKind, typed string) (string, *Text) {
	fault := func(key string, pairs ...any) (string, *Text) {
		t := Say(key, pairs...)
		return "", &t
	}
	// A browser ends lines with CR LF.
	body := strings.TrimSpace(strings.ReplaceAll(typed, "\r\n", "\n"))
	if n := utf8.RuneCountInString(body); n > templateCharacters {
		return fault("templates.too_long", "Count", templateCharacters)
	}
	if at, r, found := OutOfPlace(body); found {
		return fault("templates.no_text", "Place", at, "Code", fmt.Sprintf("U+%04X", r))
	}
	words, found, err := cutPlaces(body)
	if err != nil {
		return fault("templates.braces", "Around", err.around)
	}
	known := places[kind]
	for _, name := range found {
		if !slices.ContainsFunc(known, func(p Place) bool { return p.Name == name }) {
			return fault("templates.unknown_place", "Place", "{"+name+"}")
		}
	}
	if strings.TrimSpace(words) == "" && !slices.ContainsFunc(found, func(name string) bool { return !slices.Contains(mayBeEmpty, name) }) {
		return fault("templates.empty")
	}
	for _, p := range known {
		if p.Required && !slices.Contains(found, p.Name) {
			return fault("templates.place_missing", "Place", "{"+p.Name+"}")
		}
	}
	if kind.OfCode() {
		// The code is read on a locked screen, where only the first words stand.
		rest, first := strings.CutPrefix(body, "{code}")
		if !first {
			return fault("templates.code_first")
		}
		// "{code}5" would be read as a code of another length.
		if r, _ := utf8.DecodeRuneInString(rest); rest != "" && (r == '{' || unicode.IsLetter(r) || unicode.IsDigit(r)) {
			return fault("templates.code_apart")
		}
	}
	return body, nil
}

// braceError is a brace without its other half.
type braceError struct{ around string }

// cutPlaces gives the words of a text without its places, and the names of
// those.
func cutPlaces(body string) (words string, names []string, fault *braceError) {
	rest := body
	for {
		i := strings.IndexAny(rest, "{}")
		if i < 0 {
			return words + rest, names, nil
		}
		words += rest[:i]
		end := strings.IndexAny(rest[i+1:], "{}")
		if rest[i] == '}' || end < 0 || rest[i+1+end] == '{' {
			return "", nil, &braceError{around: firstRunes(rest[i:], 12)}
		}
		names = append(names, rest[i+1:i+1+end])
		rest = rest[i+end+2:]
	}
}

// pieces are the words of a text that has passed CheckTemplate and its places,
// these with their braces, in their order.
var pieces = regexp.MustCompile(`\{[^{}]*\}|[^{}]+`)

// besideLink tells what stands right before and right behind the customer's
// link and may become a part of it on a phone: a word before it, and behind it
// anything but a space or the end of a line. Phones differ: some take a full
// stop or a bracket along, all of them a letter. A place is named as it is
// written, for what values make of it; where a value may be empty, what follows
// counts too. The link is then no good, but a text with it is still a text.
func besideLink(body string, values map[string]string) (before, behind []string) {
	all := pieces.FindAllString(body, -1)
	note := func(signs *[]string, neighbours iter.Seq[string], end func(string) rune, parts func(rune) bool) {
		for piece := range neighbours {
			name, place := strings.CutPrefix(piece, "{")
			name = strings.TrimSuffix(name, "}")
			sign, text := piece, values[name]
			if !place {
				sign, text = shownSign(end(piece)), piece
			}
			if text != "" && !parts(end(text)) && !slices.Contains(*signs, sign) {
				*signs = append(*signs, sign)
			}
			if !place || text != "" && !slices.Contains(mayBeEmpty, name) {
				return
			}
		}
	}
	for i, piece := range all {
		if piece != "{link}" {
			continue
		}
		note(&before, backwards(all[:i]), lastRune, func(r rune) bool {
			return r != '_' && !unicode.In(r, unicode.L, unicode.M, unicode.N)
		})
		note(&behind, slices.Values(all[i+1:]), firstRune, func(r rune) bool { return r == ' ' || r == '\n' })
	}
	return before, behind
}

func backwards(list []string) iter.Seq[string] {
	return func(yield func(string) bool) {
		for _, s := range slices.Backward(list) {
			if !yield(s) {
				return
			}
		}
	}
}

func firstRune(s string) rune { r, _ := utf8.DecodeRuneInString(s); return r }
func lastRune(s string) rune  { r, _ := utf8.DecodeLastRuneInString(s); return r }

// shownSign is a character as it can be shown alone: a space of some kind would
// look like nothing.
func shownSign(r rune) string {
	if spaced(r) || joins(r) {
		return fmt.Sprintf("%U", r)
	}
	return string(r)
}

// firstRunes is the beginning of a text, for telling where something is.
func firstRunes(s string, n int) string {
	if r := []rune(s); len(r) > n {
		return string(r[:n]) + "…"
	}
	return s
}

// builtInTemplate falls back to Russian where a language is missing.
func builtInTemplate(kind MessageKind, language string) string {
	if text, ok := templates[kind][language]; ok {
		return text
	}
	return templates[kind]["ru"]
}

// newestTemplate gives the text that a message is made of now.
func newestTemplate(ctx context.Context, q Queries, m Message) (MessageTemplate, error) {
	t, err := q.NewestTemplate(ctx, m.ProgrammeID, m.Kind, m.Language)
	if IsNotFound(err) {
		return MessageTemplate{ProgrammeID: m.ProgrammeID, Kind: m.Kind, Language: m.Language, Body: builtInTemplate(m.Kind, m.Language)}, nil
	}
	return t, err
}

// fillTemplate puts the values where their names stand in braces. It goes
// through the text once: what looks like a name in a value stays as it is.
func fillTemplate(text string, values map[string]string) string {
	pairs := make([]string, 0, 2*len(values))
	for k, v := range values {
		pairs = append(pairs, "{"+k+"}", v)
	}
	return strings.TrimSpace(strings.NewReplacer(pairs...).Replace(text))
}
