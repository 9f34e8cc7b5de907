package handlers

import (
	"bytes"
	"io"
	"strings"
	"unicode"
	"unicode/utf8"

	"github.com/labstack/echo/v4"
	"golang.org/x/text/encoding"
	"golang.org/x/text/encoding/charmap"
	utf "golang.org/x/text/encoding/unicode"

	"prilavok/domain"
)

// uploaded puts the text of a chosen file into text; without one it stays.
func uploaded(c echo.Context, field string, text *string) error {
	head, err := c.FormFile(field)
	if err != nil || head.Filename == "" {
		return nil // no file was chosen, or the form holds none
	}
	file, err := head.Open()
	if err != nil {
		return err
	}
	defer func() { _ = file.Close() }()
	// One byte more than is allowed tells that there is more.
	content, err := io.ReadAll(io.LimitReader(file, domain.MaxImport+1))
	if err != nil {
		return err
	}
	if len(content) > domain.MaxImport {
		*text = string(content) // too long, in whatever encoding
		return nil
	}
	*text = textOf(content)
	return nil
}

// textOf reads a file as the text that its author saw: UTF-8; UTF-16, which
// Excel calls "Unicode text", with a byte order mark or without; windows-1251,
// which it writes in Russia. What is none of them stays as it is, and domain
// says where it can't be read.
func textOf(content []byte) string {
	for _, e := range []struct {
		is  bool
		how encoding.Encoding
	}{
		{bytes.HasPrefix(content, []byte("\xff\xfe")) || zerosAt(content, 1), utf.UTF16(utf.LittleEndian, utf.UseBOM)},
		{bytes.HasPrefix(content, []byte("\xfe\xff")) || zerosAt(content, 0), utf.UTF16(utf.BigEndian, utf.UseBOM)},
		{isWindows1251(content), charmap.Windows1251},
	} {
		if !e.is {
			continue
		}
		// Neither fails: what stands for nothing becomes U+FFFD.
		if text, err := e.how.NewDecoder().Bytes(content); err == nil {
			return string(text)
		}
	}
	return string(content)
}

// zerosAt tells UTF-16 without a mark: half of its units or more are of the
// Latin alphabet, and their zero stands first (0) or second (1), never both.
func zerosAt(content []byte, place int) bool {
	var zeros [2]int
	for i, b := range content {
		if b == 0 {
			zeros[i%2]++
		}
	}
	return len(content) >= 4 && zeros[1-place] == 0 && 4*zeros[place] >= len(content)
}

// isWindows1251 tells it from a text in UTF-8 of which a byte was lost: each
// byte is a character that Russians type, and fewer of them than not happen to
// be a character in UTF-8 together.
func isWindows1251(content []byte) bool {
	lost, whole := 0, 0
	for rest := content; len(rest) > 0; {
		r, size := utf8.DecodeRune(rest)
		switch {
		case r == utf8.RuneError && size == 1:
			lost++
		case size > 1:
			whole++
		}
		rest = rest[size:]
	}
	if lost <= whole {
		return false
	}
	for _, b := range content {
		r := charmap.Windows1251.DecodeByte(b)
		if !unicode.Is(unicode.Cyrillic, r) && !strings.ContainsRune("\r\n\t\u00a0«»„“”‘’–—…№•·°§±", r) && (r < ' ' || r >= 0x7f) {
			return false
		}
	}
	return true
}
