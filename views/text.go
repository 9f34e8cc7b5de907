// Package views turns what the handlers give it into HTML: the layout, the parts
// screens are built of, and one file per screen. It asks the database nothing and
// decides nothing; every word on the screen comes from the catalogues in locale/.
package views

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
	"golang.org/x/text/language"
)

// Languages of the interface; the first is the default.
const (
	Russian = "ru"
	English = "en"
)

// The catalogues are split by family of screens (locale/<language>/<family>.toml),
// so that people adding texts at once meet rarely.
//
//go:embed locale/ru/*.toml locale/en/*.toml
var locales embed.FS

// localizers is filled once, before any request, and only read afterwards: a
// bundle must not change under its readers.
var localizers = mustLoad()

// mustLoad reads every catalogue. A broken one stops the program at its start,
// long before a customer could see a hole in a sentence.
func mustLoad() map[string]*i18n.Localizer {
	bundle := i18n.NewBundle(language.Russian)
	bundle.RegisterUnmarshalFunc("toml", toml.Unmarshal)
	byLanguage := map[string]*i18n.Localizer{}
	for _, lang := range []string{Russian, English} {
		files, err := fs.Glob(locales, path.Join("locale", lang, "*.toml"))
		if err != nil {
			panic(fmt.Sprintf("views: list catalogues of %s: %v", lang, err))
		}
		tag := languageTag(lang)
		for _, name := range files {
			text, err := locales.ReadFile(name)
			if err != nil {
				panic(fmt.Sprintf("views: read %s: %v", name, err))
			}
			// The file is named after its family, so the language is told by a made-up name.
			file, err := i18n.ParseMessageFileBytes(text, lang+".toml", map[string]i18n.UnmarshalFunc{"toml": toml.Unmarshal})
			if err != nil {
				panic(fmt.Sprintf("views: parse %s: %v", name, err))
			}
			bundle.MustAddMessages(tag, file.Messages...)
		}
		byLanguage[lang] = i18n.NewLocalizer(bundle, lang)
	}
	return byLanguage
}

// languageTag turns one of our languages into go-i18n's name for it.
func languageTag(lang string) language.Tag { return language.MustParse(lang) }

type languageKey struct{}

// WithLanguage returns a context whose texts are in the given language. Anything
// but "en" means Russian, so a forged cookie cannot empty the screen.
func WithLanguage(ctx context.Context, lang string) context.Context {
	if lang != English {
		lang = Russian
	}
	return context.WithValue(ctx, languageKey{}, lang)
}

// Language tells the language of the context: "ru" unless WithLanguage said "en".
func Language(ctx context.Context) string {
	if lang, ok := ctx.Value(languageKey{}).(string); ok {
		return lang
	}
	return Russian
}

// T gives the text of a key in the context's language. The data are pairs of a
// name and a value for the places in the text: T(ctx, "sent.to", "Phone", phone).
// An unknown key comes back as it is; the tests see to it that there is none.
func T(ctx context.Context, key string, data ...any) string {
	return localize(ctx, key, nil, data)
}

// TN is T for texts that depend on a number. The plural form is chosen by the
// rules of the language (CLDR), and {{.Count}} stands for n.
func TN(ctx context.Context, key string, n int, data ...any) string {
	return localize(ctx, key, n, append([]any{"Count", n}, data...))
}

// localize looks the key up; count is nil for texts without a plural.
func localize(ctx context.Context, key string, count any, pairs []any) string {
	values := make(map[string]any, len(pairs)/2)
	for i := 0; i+1 < len(pairs); i += 2 {
		if name, ok := pairs[i].(string); ok {
			values[name] = pairs[i+1]
		}
	}
	text, err := localizers[Language(ctx)].Localize(&i18n.LocalizeConfig{
		MessageID: key, TemplateData: values, PluralCount: count,
	})
	if err != nil || text == "" {
		return key
	}
	return text
}
