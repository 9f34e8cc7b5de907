package sql

import (
	"errors"
	"fmt"
	"io/fs"
	"log/slog"
	"os"
	"path/filepath"
	"runtime"
	"strings"
)

const (
	othersMay   fs.FileMode = 0o077 // anything at all
	othersWrite fs.FileMode = 0o002
	changeable              = fs.ModePerm | fs.ModeSetuid | fs.ModeSetgid | fs.ModeSticky
)

// keepPrivate makes the SQLite file and its directory where they are missing,
// and sees that nobody but their owner may read what is there already: names
// and phones stand in it, and SQLite gives the files beside it the mode of the
// first. A directory that holds other things too is somebody else's: its mode
// is left alone and told, and where everybody may write into it, which lets
// anybody put a file in place of ours, nothing is opened.
func keepPrivate(path string, log *slog.Logger) error {
	dir := filepath.Dir(path)
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return fmt.Errorf("make the directory of the SQLite file: %w", err)
	}
	if runtime.GOOS != "windows" { // whose modes tell nothing of who may read
		if err := keepDirPrivate(dir, filepath.Base(path), log); err != nil {
			return err
		}
	}
	file, err := os.OpenFile(path, os.O_CREATE|os.O_RDWR, 0o600)
	if err != nil {
		return fmt.Errorf("open the SQLite file: %w", err)
	}
	if err := file.Close(); err != nil {
		return fmt.Errorf("close the SQLite file: %w", err)
	}
	if runtime.GOOS == "windows" {
		return nil
	}
	for _, suffix := range []string{"", "-wal", "-shm", "-journal", ".lock"} {
		name := path + suffix
		if _, err := tighten(name, log); err != nil && !errors.Is(err, fs.ErrNotExist) {
			return fmt.Errorf("others may read %s, and that cannot be changed: %w", name, err)
		}
	}
	return nil
}

// keepDirPrivate sees to the directory of the file called base.
func keepDirPrivate(dir, base string, log *slog.Logger) error {
	info, err := os.Stat(dir)
	if err != nil || info.Mode()&othersMay == 0 {
		return err
	}
	ours, err := holdsOnly(dir, base)
	if err != nil {
		return fmt.Errorf("look into the directory of the SQLite file: %w", err)
	}
	if ours {
		if info, err = tighten(dir, log); err == nil {
			return nil
		}
	}
	mode := info.Mode() & changeable
	if mode&othersWrite != 0 {
		return fmt.Errorf("everybody may write into %s (%v), and put a file in place of the database: take another DATA_DIR, or chmod 700 this one", dir, mode)
	}
	log.Warn("others may look into the directory of the database; its files are closed to them, but it is better kept in one of its own: take another DATA_DIR, or chmod 700 this one",
		"directory", dir, "mode", mode.String())
	return nil
}

// holdsOnly tells whether there is nothing in a directory but the file called
// base and those that are named after it. What every volume or checkout may
// have counts as nothing.
func holdsOnly(dir, base string) (bool, error) {
	entries, err := os.ReadDir(dir)
	for _, e := range entries {
		switch name := e.Name(); {
		case strings.HasPrefix(name, base), name == "lost+found", name == ".gitignore", name == ".gitkeep":
		default:
			return false, err
		}
	}
	return true, err
}

// tighten takes away what others may do with a file or directory, and gives
// how it is then; or how it was, where that fails.
func tighten(name string, log *slog.Logger) (fs.FileInfo, error) {
	info, err := os.Stat(name)
	if err != nil || info.Mode()&othersMay == 0 {
		return info, err
	}
	if err := os.Chmod(name, info.Mode()&changeable&^othersMay); err != nil {
		return info, err
	}
	// Some file systems say yes and do nothing.
	now, err := os.Stat(name)
	if err == nil && now.Mode()&othersMay != 0 {
		return now, errors.New("the file system keeps no modes")
	}
	log.Warn("others were allowed to read this; now only its owner is", "path", name, "mode", (info.Mode() & changeable).String())
	return now, err
}
