// Package static holds the files that browsers load: styles, scripts, fonts and
// pictures. They are compiled into the program and served under names that carry
// a hash of the content, so a browser may keep each of them for ever and still
// has the new one the moment it changes.
package static

import (
	"crypto/sha256"
	"embed"
	"encoding/hex"
	"fmt"
	"io/fs"
	"net/http"
	"path"
	"strconv"
	"strings"
)

// Prefix is where Handler must be mounted; every URL starts with it.
const Prefix = "/static/"

// cacheControl is a year, the longest that browsers honour.
const cacheControl = "public, max-age=31536000, immutable"

//go:embed css/app.css css/customer.css js/*.js fonts/*.woff2 img
var files embed.FS

// contentTypes are given here and not guessed: what the machine's own tables say
// differs from one to the next, and nosniff makes a wrong one fatal.
var contentTypes = map[string]string{
	".css":   "text/css; charset=utf-8",
	".js":    "text/javascript; charset=utf-8",
	".png":   "image/png",
	".svg":   "image/svg+xml",
	".woff2": "font/woff2",
}

// asset is one file, ready to be sent.
type asset struct {
	body        []byte
	contentType string
}

// served maps hashed names to files, urls plain names to addresses. Both are
// filled before the first request and only read afterwards.
var served, urls = mustLoad(files)

// mustLoad reads and hashes every file. Styles come last, since the addresses of
// the fonts inside them are hashed too, which changes the styles' own hash.
func mustLoad(from fs.FS) (map[string]asset, map[string]string) {
	byName, byPlain := map[string]asset{}, map[string]string{}
	add := func(name string, body []byte) {
		contentType, known := contentTypes[path.Ext(name)]
		if !known {
			panic("static: no content type for " + name)
		}
		sum := sha256.Sum256(body)
		ext := path.Ext(name)
		hashed := strings.TrimSuffix(name, ext) + "." + hex.EncodeToString(sum[:6]) + ext
		byName[hashed] = asset{body, contentType}
		byPlain[name] = Prefix + hashed
	}
	styles := map[string][]byte{}
	err := fs.WalkDir(from, ".", func(name string, entry fs.DirEntry, err error) error {
		if err != nil || entry.IsDir() {
			return err
		}
		body, err := fs.ReadFile(from, name)
		if err != nil {
			return err
		}
		if path.Ext(name) == ".css" {
			styles[name] = body
			return nil
		}
		add(name, body)
		return nil
	})
	if err != nil {
		panic(fmt.Sprintf("static: read the embedded files: %v", err))
	}
	for name, body := range styles {
		text := string(body)
		for plain, url := range byPlain {
			text = strings.ReplaceAll(text, "../"+plain, url)
		}
		add(name, []byte(text))
	}
	return byName, byPlain
}

// URL gives the address of a file by its name under static/:
// URL("css/app.css") is "/static/css/app.<hash>.css". It panics for a file that
// does not exist: a wrong name is a fault of the program, met by the first test
// that draws the page.
func URL(name string) string {
	url, ok := urls[name]
	if !ok {
		panic("static: no such file: " + name)
	}
	return url
}

// Handler serves the files under Prefix. Only hashed names exist; a plain or an
// outdated one is 404, lest a cache keeps the wrong content under it for a year.
func Handler() http.Handler {
	return http.HandlerFunc(func(w http.ResponseWriter, r *http.Request) {
		file, ok := served[strings.TrimPrefix(r.URL.Path, Prefix)]
		if !ok {
			http.NotFound(w, r)
			return
		}
		if r.Method != http.MethodGet && r.Method != http.MethodHead {
			w.Header().Set("Allow", "GET, HEAD")
			http.Error(w, http.StatusText(http.StatusMethodNotAllowed), http.StatusMethodNotAllowed)
			return
		}
		header := w.Header()
		header.Set("Content-Type", file.contentType)
		header.Set("Content-Length", strconv.Itoa(len(file.body)))
		header.Set("Cache-Control", cacheControl)
		header.Set("X-Content-Type-Options", "nosniff")
		if r.Method == http.MethodGet {
			_, _ = w.Write(file.body) // a reader who went away is no fault of ours
		}
	})
}
