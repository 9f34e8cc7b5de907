package main

import (
	"os"
	"path/filepath"
	"strings"
	"testing"
	"unicode/utf16"
)

// inUTF16 writes a text as Windows does, a byte order mark before it where
// asked for.
func inUTF16(text string, big, mark bool) string {
	if mark {
		text = "\ufeff" + text
	}
	var b strings.Builder
	for _, unit := range utf16.Encode([]rune(text)) {
		high, low := byte(unit>>8), byte(unit)
		if !big {
			high, low = low, high
		}
		b.WriteByte(high)
		b.WriteByte(low)
	}
	return b.String()
}

// A file of settings says the same in whatever way an editor of Windows has
// saved it, or the start says what to do. Settings that are read wrong or not
// at all would be worse: a real shop would start as a demo.
func TestEnvironmentEncodings(t *testing.T) {
	const text = "CODE_LENGTH=6\r\n# комментарий\r\nDEVINO_FROM=Лавка\r\nDEMO_PASSWORD=" + testPassword + "\r\n"
	for name, c := range map[string]struct {
		content, fault string
	}{
		"UTF-8":                       {text, ""},
		"UTF-8 with a mark":           {"\ufeff" + text, ""},
		"UTF-16 LE with a mark":       {inUTF16(text, false, true), ""},
		"UTF-16 BE with a mark":       {inUTF16(text, true, true), ""},
		"UTF-16 LE without a mark":    {inUTF16(text, false, false), "save it as UTF-8"},
		"UTF-16 BE without a mark":    {inUTF16(text, true, false), "save it as UTF-8"},
		"two files put together":      {"\ufeff" + text + "\ufeffCODE_TRIES=2\r\n", "save it as UTF-8"},
		"a value in windows-1251":     {"CODE_LENGTH=6\nDEVINO_FROM=\xcb\xe0\xe2\xea\xe0\nDEMO_PASSWORD=" + testPassword + "\n", "save it as UTF-8"},
		"a comment in windows-1251":   {"# \xcb\xe0\xe2\xea\xe0\n" + text, ""},
		"nothing but a mark":          {"\ufeff", "-"},
		"nothing":                     {"", "-"},
		"a line of cmd.exe":           {text + "set CODE_TRIES=2\r\n", "cannot be understood"},
		"a value without a name":      {text + "=2\r\n", "cannot be understood"},
		"a mark and a broken setting": {"\ufeffDEMO_PASSWORD='" + testPassword + "\n", "quotes closed"},
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, ".env"), []byte(c.content), 0o600); err != nil {
			t.Fatal(err)
		}
		got, err := environment(dir, []string{"ADDR=:1"})
		switch {
		case c.fault == "-":
			if err != nil || len(got) != 1 {
				t.Errorf("%s: %q, %v", name, got, err)
			}
		case c.fault != "":
			if err == nil || !strings.Contains(err.Error(), ".env") || !strings.Contains(err.Error(), c.fault) || strings.Contains(err.Error(), testPassword) {
				t.Errorf("%s: %q, %v; want %q", name, got, err, c.fault)
			}
		case err != nil:
			t.Errorf("%s: %v", name, err)
		default:
			if cfg := load(t, got...); cfg.CodeLength != 6 || cfg.DevinoFrom != "Лавка" || string(cfg.DemoPassword) != testPassword || cfg.Addr != ":1" {
				t.Errorf("%s: %v", name, cfg)
			}
		}
	}
}
