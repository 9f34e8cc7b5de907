package main

import (
	"bytes"
	"errors"
	"fmt"
	"io/fs"
	"maps"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"unicode/utf8"

	"github.com/joho/godotenv"
	"golang.org/x/text/encoding/unicode"
	"golang.org/x/text/transform"
)

// environment adds the settings of dir/.env to environ ("NAME=value", as from os.Environ). What environ already names
// wins, even when it is empty, so that a setting of the file can be taken back for one run. No file is no fault.
func environment(dir string, environ []string) ([]string, error) {
	path := filepath.Join(dir, ".env")
	content, err := os.ReadFile(path)
	if errors.Is(err, fs.ErrNotExist) {
		return environ, nil
	}
	if err != nil {
		return nil, fmt.Errorf("settings: %w", err)
	}
	fromFile, err := readEnvFile(content)
	if err != nil {
		return nil, fmt.Errorf("settings: %s %w", path, err)
	}
	merged := slices.Clone(environ)
	given := variables(environ)
	for name, value := range fromFile {
		if _, ok := given[name]; !ok {
			merged = append(merged, name+"="+value)
		}
	}
	return merged, nil
}

// readEnvFile reads NAME=value lines. A byte order mark before them is no part of the first name: Windows' editors write
// one, and its shell writes UTF-16. No error repeats anything of the file: it holds secrets.
func readEnvFile(content []byte) (map[string]string, error) {
	text, _, err := transform.Bytes(unicode.BOMOverride(transform.Nop), content)
	if err != nil {
		return nil, errors.New("cannot be read as text; save it as UTF-8")
	}
	if bytes.IndexByte(text, 0) >= 0 {
		return nil, errors.New("is no text in UTF-8, perhaps UTF-16; save it as UTF-8")
	}
	for line := range bytes.Lines(text) {
		// A comment may be in any encoding. A mark amid the text comes of files
		// that were put together, and would be part of a name.
		if line = bytes.TrimSpace(line); !bytes.HasPrefix(line, []byte("#")) && (!utf8.Valid(line) || bytes.ContainsRune(line, '\ufeff')) {
			return nil, errors.New("has a line that is not in UTF-8; save it as UTF-8")
		}
	}
	values, err := godotenv.UnmarshalBytes(text)
	// A shell's own word before a name would make it another one, and the setting none.
	badName := func(name string) bool { return len(strings.Fields(name)) != 1 }
	if err != nil || slices.ContainsFunc(slices.Collect(maps.Keys(values)), badName) {
		// The parser quotes the rest of the file in its error, so that goes no further.
		return nil, errors.New("cannot be understood; expected lines of NAME=value, quotes closed, comments after #")
	}
	return values, nil
}
