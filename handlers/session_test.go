package handlers

import "testing"

// A way back never leaves this program, however it is spelt.
func TestLocalPath(t *testing.T) {
	for back, want := range map[string]string{
		"/visits?day=2026-11-23&store=1": "/visits?day=2026-11-23&store=1",
		"/visits/7/age":                  "/visits/7/age",
		"":                               "/",
		"visits":                         "/",
		"https://evil.example/":          "/",
		"//evil.example/":                "/",
		"///evil.example/":               "/",
		"/\\evil.example":                "/",
		"\\\\evil.example":               "/",
		"javascript:alert(1)":            "/",
		"http:evil.example":              "/",
		"/%zz":                           "/",
	} {
		if got := localPath(back); got != want {
			t.Errorf("localPath(%q) = %q, want %q", back, got, want)
		}
	}
}
