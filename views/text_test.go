package views

import (
	"context"
	"io/fs"
	"os"
	"path/filepath"
	"regexp"
	"slices"
	"strings"
	"testing"

	"github.com/BurntSushi/toml"
	"github.com/nicksnyder/go-i18n/v2/i18n"
)

// forms are the plural forms that CLDR asks of each language for whole numbers.
var forms = map[string][]string{
	Russian: {"one", "few", "many", "other"},
	English: {"one", "other"},
}

// message is one entry of a catalogue: its forms, and the file it stands in.
type message struct {
	file  string
	forms map[string]string
}

// catalogue reads all files of a language the plain way, so that what go-i18n
// would overlook (a key given twice, a form misspelt) is seen here.
func catalogue(t *testing.T, lang string) map[string]message {
	t.Helper()
	all := map[string]message{}
	files, err := fs.Glob(locales, "locale/"+lang+"/*.toml")
	if err != nil || len(files) == 0 {
		t.Fatalf("no catalogues of %s: %v", lang, err)
	}
	for _, name := range files {
		text, err := fs.ReadFile(locales, name)
		if err != nil {
			t.Fatal(err)
		}
		var entries map[string]any
		if err := toml.Unmarshal(text, &entries); err != nil {
			t.Fatalf("%s: %v", name, err)
		}
		for key, value := range entries {
			if earlier, twice := all[key]; twice {
				t.Errorf("%s: key %q stands in %s too", name, key, earlier.file)
			}
			entry := message{name, map[string]string{}}
			switch value := value.(type) {
			case string:
				entry.forms["other"] = value
			case map[string]any:
				for form, text := range value {
					words, ok := text.(string)
					if !ok {
						t.Fatalf("%s: %q has no text under %q (is the key quoted?)", name, key, form)
					}
					entry.forms[form] = words
				}
			default:
				t.Fatalf("%s: %q is neither a text nor plural forms", name, key)
			}
			all[key] = entry
		}
	}
	return all
}

var places = regexp.MustCompile(`{{\s*\.(\w+)\s*}}`)

// placesOf lists the names to be filled in, each once.
func placesOf(m message) []string {
	var names []string
	for _, text := range m.forms {
		for _, match := range places.FindAllStringSubmatch(text, -1) {
			names = append(names, match[1])
		}
	}
	slices.Sort(names)
	return slices.Compact(names)
}

func TestCataloguesSayTheSame(t *testing.T) {
	ru, en := catalogue(t, Russian), catalogue(t, English)
	for key, russian := range ru {
		english, ok := en[key]
		if !ok {
			t.Errorf("%q is in %s but not in English", key, russian.file)
			continue
		}
		if filepath.Base(russian.file) != filepath.Base(english.file) {
			t.Errorf("%q stands in %s and in %s", key, russian.file, english.file)
		}
		if (len(russian.forms) > 1) != (len(english.forms) > 1) {
			t.Errorf("%q is a plural in one language only", key)
		}
		if a, b := placesOf(russian), placesOf(english); !slices.Equal(a, b) {
			t.Errorf("%q fills in %v in Russian and %v in English", key, a, b)
		}
	}
	for key, english := range en {
		if _, ok := ru[key]; !ok {
			t.Errorf("%q is in %s but not in Russian", key, english.file)
		}
	}
}

func TestEachMessageIsWhole(t *testing.T) {
	shape := regexp.MustCompile(`^[a-z][a-z0-9_]*(\.[a-z0-9_]+)+$`)
	for lang, want := range forms {
		for key, entry := range catalogue(t, lang) {
			if !shape.MatchString(key) {
				t.Errorf("%s: key %q is not dotted lower case", entry.file, key)
			}
			for form, text := range entry.forms {
				if strings.TrimSpace(text) == "" {
					t.Errorf("%s: %q is empty (%s)", entry.file, key, form)
				}
				if !slices.Contains(want, form) {
					t.Errorf("%s: %q has a form %q, which its language does not know", entry.file, key, form)
				}
			}
			if len(entry.forms) > 1 && len(entry.forms) != len(want) {
				t.Errorf("%s: %q lacks plural forms, want %v", entry.file, key, want)
			}
		}
	}
}

// sources are the hand-written files whose texts come from the catalogues.
func sources(t *testing.T) map[string]string {
	t.Helper()
	texts := map[string]string{}
	for _, dir := range []string{".", "../handlers", "../domain", "../sql", "../web"} {
		err := filepath.WalkDir(dir, func(name string, entry fs.DirEntry, err error) error {
			if os.IsNotExist(err) {
				return nil
			}
			if err != nil || entry.IsDir() {
				return err
			}
			ext := filepath.Ext(name)
			if (ext != ".go" && ext != ".templ") || strings.HasSuffix(name, "_templ.go") || strings.HasSuffix(name, "_test.go") {
				return nil
			}
			text, err := os.ReadFile(name)
			// Comments may show examples; they neither use a text nor break a rule.
			texts[name] = comment.ReplaceAllString(string(text), "")
			return err
		})
		if err != nil {
			t.Fatal(err)
		}
	}
	return texts
}

var (
	// called finds T(ctx, "key" and TN(ctx, "key", whatever the context is called;
	// a key that ends in a dot is composed with what follows it.
	called = regexp.MustCompile(`\bTN?\(\s*[\w.]+(?:\(\))?(?:\.\w+\(\))*\s*,\s*"([^"]+)"`)
	// plural finds the keys of TN alone.
	plural  = regexp.MustCompile(`\bTN\(\s*[\w.]+(?:\(\))?(?:\.\w+\(\))*\s*,\s*"([^"]+)"`)
	comment = regexp.MustCompile(`(?m)^\s*//.*$`)
	quoted  = regexp.MustCompile(`"([a-z][a-z0-9_]*(?:\.[a-z0-9_]+)*\.?)"`)
)

func TestEveryKeyThatIsCalledExists(t *testing.T) {
	ru := catalogue(t, Russian)
	calls := 0
	for name, text := range sources(t) {
		for _, match := range called.FindAllStringSubmatch(text, -1) {
			calls++
			key := match[1]
			if !strings.HasSuffix(key, ".") {
				if _, ok := ru[key]; !ok {
					t.Errorf("%s: no text for %q", name, key)
				}
				continue
			}
			if !slices.ContainsFunc(keysOf(ru), func(k string) bool { return strings.HasPrefix(k, key) }) {
				t.Errorf("%s: no text begins with %q", name, key)
			}
		}
		for _, match := range plural.FindAllStringSubmatch(text, -1) {
			if entry, ok := ru[match[1]]; ok && len(entry.forms) == 1 {
				t.Errorf("%s: TN of %q, which has no plural forms", name, match[1])
			}
		}
	}
	if calls < 20 {
		t.Errorf("only %d calls of T found: has the pattern gone blind?", calls)
	}
}

// What the domain says is a key as well: every literal of that shape in it
// must have words, and so must every reason of a refusal.
func TestEveryKeyOfTheDomainExists(t *testing.T) {
	ru := catalogue(t, Russian)
	keyShape := regexp.MustCompile(`"((?:error|sign_in|store|age|consents|contact|code|promo|outcome|templates)\.[a-z_]+)"`)
	found := 0
	for name, text := range sources(t) {
		if strings.HasSuffix(name, ".templ") {
			continue
		}
		for _, match := range keyShape.FindAllStringSubmatch(text, -1) {
			found++
			if _, ok := ru[match[1]]; !ok {
				t.Errorf("%s: no text for %q", name, match[1])
			}
		}
	}
	if found < 40 {
		t.Errorf("only %d keys found: has the pattern gone blind?", found)
	}
	reasons := regexp.MustCompile(`Reason\w+\s+Reason = "(\w+)"`).FindAllStringSubmatch(sources(t)["../domain/refusal.go"], -1)
	if len(reasons) < 10 {
		t.Errorf("only %d reasons of a refusal found", len(reasons))
	}
	for _, reason := range reasons {
		if _, ok := ru["promo.refused."+reason[1]]; !ok {
			t.Errorf("no words for the refusal %q", reason[1])
		}
	}
}

func TestNoTextIsLeftOver(t *testing.T) {
	used, prefixes := map[string]bool{}, []string{}
	for _, text := range sources(t) {
		for _, match := range quoted.FindAllStringSubmatch(text, -1) {
			used[match[1]] = true
			if strings.HasSuffix(match[1], ".") {
				prefixes = append(prefixes, match[1])
			}
		}
	}
	for key, entry := range catalogue(t, Russian) {
		composed := slices.ContainsFunc(prefixes, func(p string) bool { return strings.HasPrefix(key, p) })
		if !used[key] && !composed {
			t.Errorf("%s: nobody uses %q", entry.file, key)
		}
	}
}

func keysOf(all map[string]message) []string {
	keys := make([]string, 0, len(all))
	for key := range all {
		keys = append(keys, key)
	}
	return keys
}

func TestNoWordsInTemplates(t *testing.T) {
	cyrillic := regexp.MustCompile(`\p{Cyrillic}`)
	for name, text := range sources(t) {
		if !strings.HasSuffix(name, ".templ") {
			continue
		}
		for i, line := range strings.Split(text, "\n") {
			if cyrillic.MatchString(line) {
				t.Errorf("%s:%d: a Russian word outside the catalogues: %s", name, i+1, strings.TrimSpace(line))
			}
		}
		for _, banned := range []string{" style=", "<style", "onclick=", "hx-on", "javascript:"} {
			if strings.Contains(text, banned) {
				t.Errorf("%s: %q breaks the content security policy", name, banned)
			}
		}
	}
}

func TestLanguageOfContext(t *testing.T) {
	ctx := context.Background()
	if got := T(ctx, "action.continue"); got != "Продолжить" {
		t.Errorf("without a language: %q", got)
	}
	if got := T(WithLanguage(ctx, "en"), "action.continue"); got != "Continue" {
		t.Errorf("English: %q", got)
	}
	if got := Language(WithLanguage(ctx, "de")); got != Russian {
		t.Errorf("an unknown language became %q", got)
	}
	if got := T(ctx, "no.such_key"); got != "no.such_key" {
		t.Errorf("an unknown key became %q", got)
	}
	if got := T(ctx, "steps.position", "N", 3, "Total", 6, "Label", "Телефон"); got != "Шаг 3 из 6: Телефон" {
		t.Errorf("places: %q", got)
	}
}

// The choice of the form is go-i18n's; that TN hands it the number is ours.
func TestPluralForms(t *testing.T) {
	bundle := map[string]string{"one": "{{.Count}} код {{.Who}}", "few": "{{.Count}} кода", "many": "{{.Count}} кодов", "other": "{{.Count}} кода"}
	saved := localizers
	t.Cleanup(func() { localizers = saved })
	localizers = withMessage(t, "test.codes", bundle)
	for n, want := range map[int]string{1: "1 код Анны", 21: "21 код Анны", 3: "3 кода", 5: "5 кодов", 11: "11 кодов", 0: "0 кодов"} {
		if got := TN(context.Background(), "test.codes", n, "Who", "Анны"); got != want {
			t.Errorf("TN(%d) = %q, want %q", n, got, want)
		}
	}
}

// withMessage makes a catalogue of one Russian message.
func withMessage(t *testing.T, key string, texts map[string]string) map[string]*i18n.Localizer {
	t.Helper()
	bundle := i18n.NewBundle(languageTag(Russian))
	data := map[string]string{"id": key}
	for form, text := range texts {
		data[form] = text
	}
	bundle.MustAddMessages(languageTag(Russian), i18n.MustNewMessage(data))
	return map[string]*i18n.Localizer{Russian: i18n.NewLocalizer(bundle, Russian)}
}
