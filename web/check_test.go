package main

import (
	"errors"
	"fmt"
	"io/fs"
	"net/http"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"testing"

	"prilavok/domain"
)

// Customers at many tills fight for one code of three uses, mistype, double
// tap, change their minds, and have purchases taken back. What is derived from
// the rows agrees with them afterwards, in the database and in Redis.
func TestCheckAfterLoad(t *testing.T) {
	eachBackend(t, func(t *testing.T, env []string) {
		p := start(t, env...)
		db := openData(t, env)
		vera := inspect(p.as("vera"))
		var wg sync.WaitGroup
		for i, c := range []*client{inspect(p.as("anna")), inspect(p.as("timur")), p.at("olga", ural), inspect(p.as("anna")), inspect(p.as("timur"))} {
			wg.Go(func() {
				for n := range 3 {
					loadVisit(c, vera, p, fmt.Sprintf("+791656%02d%03d", i, n), i+n)
				}
			})
		}
		wg.Wait()
		if n := db.one(`SELECT count(*) FROM visits WHERE outcome = 'purchase' AND voided_at IS NOT NULL`); n == "0" {
			t.Error("nothing was taken back")
		}
		if n := db.one(`SELECT count(*) FROM redemptions WHERE state = 'confirmed'`); n == "0" || n > "3" {
			t.Errorf("%s uses of a code for three", n)
		}
		var out strings.Builder
		if err := command(t.Context(), []string{"check"}, env, &out); err != nil {
			t.Errorf("%v\n%s", err, out.String())
		}
	})
}

// loadVisit serves one customer; n says how it goes.
func loadVisit(c, vera *client, p *program, phone string, n int) {
	visit := c.walk(p, customer{phone: phone}, domain.StepCode)
	c.sendCode(visit)
	step, code := visit+"/code", p.codes(phone)[0]
	if n%3 == 0 {
		c.send(step, step+"/checks", "code", wrong(code, 1))
	}
	form := withFields(c.screen(c.get(step)).form(step+"/checks"), "code", code)
	for _, a := range together(2, func() answer { return c.do(http.MethodPost, step+"/checks", nil, form) }) {
		c.goesTo(a, step)
	}
	promo := visit + "/promo"
	if n%4 == 0 {
		c.send(promo, promo, "promo", "5724000000") // of nobody
	}
	a := c.send(promo, promo, "promo", p.promoCode())
	held := a.Status == http.StatusSeeOther
	if held && n%5 == 4 {
		c.post(promo + "/releases")
	}
	c.goesTo(c.post(promo, "go", "on"), visit+"/outcome")
	c.goesTo(c.purchase(visit), visit+"/summary")
	if n%2 == 0 {
		if a := vera.send(visit+"/void", visit+"/void", "reason", "Вернули товар"); a.Status != http.StatusSeeOther {
			c.t.Errorf("not taken back: %d\n%s", a.Status, vera.screen(a).text())
		}
	}
}

// Where no database is, check says so and makes none: not in a directory that
// is empty, not in one that does not exist, not beside another file.
func TestCheckMakesNothing(t *testing.T) {
	for name, prepare := range map[string]func(dir string) error{
		"an empty directory": func(string) error { return nil },
		"no directory":       os.Remove,
		"an empty file":      func(dir string) error { return os.WriteFile(filepath.Join(dir, "prilavok.db"), nil, 0o600) },
		"a directory of that name": func(dir string) error {
			return os.Mkdir(filepath.Join(dir, "prilavok.db"), 0o700)
		},
		"a file as directory": func(dir string) error { return errors.Join(os.Remove(dir), os.WriteFile(dir, nil, 0o600)) },
	} {
		root := t.TempDir()
		dir := filepath.Join(root, "data")
		if err := errors.Join(os.Mkdir(dir, 0o700), prepare(dir)); err != nil {
			t.Fatal(err)
		}
		files := func() (names []string) {
			if err := filepath.WalkDir(root, func(path string, _ fs.DirEntry, err error) error {
				names = append(names, path)
				return err
			}); err != nil {
				t.Fatal(err)
			}
			return names
		}
		before := files()
		var out strings.Builder
		err := command(t.Context(), []string{"check"}, []string{"DATA_DIR=" + dir}, &out)
		if err == nil || !strings.Contains(err.Error(), dir) || out.Len() > 0 {
			t.Errorf("%s: %v, %q", name, err, out.String())
		}
		if after := files(); !slices.Equal(after, before) {
			t.Errorf("%s: there was %q and is %q", name, before, after)
		}
	}
}
