package sql_test

import (
	"bytes"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
	"testing"

	"prilavok/sql"
	"prilavok/sql/sqltest"
)

func modeOf(t *testing.T, path string) fs.FileMode {
	t.Helper()
	info, err := os.Stat(path)
	if err != nil {
		t.Fatal(err)
	}
	return info.Mode() &^ fs.ModeDir
}

// allPrivate fails where others may read one of the files of a database.
func allPrivate(t *testing.T, path string, want ...string) {
	t.Helper()
	for _, suffix := range want {
		if got := modeOf(t, path+suffix); got != 0o600 {
			t.Errorf("%s%s is %v", filepath.Base(path), suffix, got)
		}
	}
}

func write(t *testing.T, path string, mode fs.FileMode) {
	t.Helper()
	file, err := os.OpenFile(path, os.O_CREATE, 0o600)
	if err == nil {
		err = file.Close()
	}
	if err == nil {
		err = os.Chmod(path, mode) // past the umask
	}
	if err != nil {
		t.Fatal(err)
	}
}

// What the program makes is its owner's alone, with all that SQLite and the
// migrations put beside it; so is what an earlier version, or somebody's hand,
// has left open.
func TestSQLiteFilesAreTheOwnersAlone(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes tell nothing there")
	}
	for name, c := range map[string]struct {
		prepare func(t *testing.T, dir string) // of a directory that is not there yet
		dir     fs.FileMode                    // afterwards
		told    []string
		refused bool
	}{
		"nothing is there": {func(*testing.T, string) {}, 0o700, nil, false},
		"an open directory": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o755)
		}, 0o700, []string{"others were allowed"}, false},
		"one for a group": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o770)
			write(t, filepath.Join(dir, ".gitkeep"), 0o644)
		}, 0o700, []string{"others were allowed"}, false},
		"one for everybody, with nothing in it": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o777)
		}, 0o700, []string{"others were allowed"}, false},
		"open files of ours": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o755)
			for _, suffix := range []string{"", ".lock", ".bak"} {
				write(t, filepath.Join(dir, "prilavok.db"+suffix), 0o644)
			}
		}, 0o700, []string{"others were allowed", "prilavok.db.lock"}, false},
		"open files in a closed directory": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o700)
			for _, suffix := range []string{"", ".lock"} {
				write(t, filepath.Join(dir, "prilavok.db"+suffix), 0o666)
			}
		}, 0o700, []string{"others were allowed", "prilavok.db.lock"}, false},
		"a home": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o755)
			write(t, filepath.Join(dir, "letter"), 0o644)
			write(t, filepath.Join(dir, "prilavok.db"), 0o644)
		}, 0o755, []string{"others may look into the directory", "DATA_DIR"}, false},
		"a closed home": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o700)
			write(t, filepath.Join(dir, "letter"), 0o644)
		}, 0o700, nil, false},
		"/tmp": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o777|fs.ModeSticky)
			write(t, filepath.Join(dir, "letter"), 0o644)
		}, 0o777 | fs.ModeSticky, nil, true},
		"a dump for everybody": {func(t *testing.T, dir string) {
			mkdir(t, dir, 0o777)
			write(t, filepath.Join(dir, "letter"), 0o644)
		}, 0o777, nil, true},
		"a link": {func(t *testing.T, dir string) {
			mkdir(t, dir+"-elsewhere", 0o755)
			if err := os.Symlink(dir+"-elsewhere", dir); err != nil {
				t.Fatal(err)
			}
		}, 0o700, []string{"others were allowed"}, false},
	} {
		t.Run(name, func(t *testing.T) {
			dir := filepath.Join(t.TempDir(), "some where", "data?")
			mkdir(t, filepath.Dir(dir), 0o755)
			c.prepare(t, dir)
			path := filepath.Join(dir, "prilavok.db")
			var log bytes.Buffer
			o := options("", path)
			o.Logger = slog.New(slog.NewTextHandler(&log, &slog.HandlerOptions{Level: slog.LevelWarn}))
			db, err := sql.Open(t.Context(), o)
			if (err != nil) != c.refused {
				t.Fatalf("opened: %v", err)
			}
			if got := modeOf(t, dir); got != c.dir {
				t.Errorf("the directory is %v; expected %v", got, c.dir)
			}
			for _, text := range c.told {
				if !strings.Contains(log.String(), text) {
					t.Errorf("no %q in\n%s", text, log.String())
				}
			}
			if len(c.told) == 0 && log.Len() > 0 {
				t.Errorf("told without need:\n%s", log.String())
			}
			if c.refused {
				if _, err := os.Stat(path); err == nil {
					t.Error("a file was made all the same")
				}
				if !strings.Contains(err.Error(), "DATA_DIR") || !strings.Contains(err.Error(), dir) {
					t.Errorf("the start says %v", err)
				}
				return
			}
			defer func() { _ = db.Close() }()
			if err := db.Migrate(t.Context()); err != nil {
				t.Fatal(err)
			}
			sqltest.Fixture(t, db)
			allPrivate(t, path, "", "-wal", "-shm", ".lock")
			if err := db.Close(); err != nil {
				t.Error(err)
			}
			// The next start finds nothing to do.
			log.Reset()
			again := openAt(t, o)
			if n := count(t, again, `SELECT count(*) FROM staff`); n != 5 || strings.Contains(log.String(), "were allowed") {
				t.Errorf("%d members of staff the next time, and\n%s", n, log.String())
			}
			allPrivate(t, path, "", "-wal", "-shm", ".lock")
		})
	}
}

// What a kill has left open beside the file is closed before it is read.
func TestSQLiteFilesAfterAKill(t *testing.T) {
	if runtime.GOOS == "windows" {
		t.Skip("modes tell nothing there")
	}
	dir := t.TempDir()
	o := options("", filepath.Join(dir, "prilavok.db"))
	db := openAt(t, o)
	if err := db.Migrate(t.Context()); err != nil {
		t.Fatal(err)
	}
	// Open still, as after a kill, the log has what the file has not.
	for _, suffix := range []string{"", "-wal", "-shm", ".lock"} {
		if err := os.Chmod(o.Path+suffix, 0o644); err != nil {
			t.Fatal(err)
		}
	}
	again := openAt(t, o)
	if n := count(t, again, `SELECT count(*) FROM staff`); n != 0 {
		t.Errorf("%d", n)
	}
	allPrivate(t, o.Path, "", "-wal", "-shm", ".lock")
}

func mkdir(t *testing.T, dir string, mode fs.FileMode) {
	t.Helper()
	if err := os.MkdirAll(dir, 0o700); err != nil {
		t.Fatal(err)
	}
	if err := os.Chmod(dir, mode); err != nil {
		t.Fatal(err)
	}
}
