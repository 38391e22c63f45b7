// Package xdg says where files belong. Its one rule: the XDG base directories on every Unix, macOS included, because
// people who work over SSH keep one set of dotfiles for all of them. It creates nothing.
package xdg

import (
	"errors"
	"path/filepath"
)

// StateDir gives the directory for logs: ktriage under $XDG_STATE_HOME, or under ~/.local/state. getenv is os.Getenv. As
// the XDG Base Directory Specification demands, a relative $XDG_STATE_HOME counts as not set.
func StateDir(getenv func(string) string) (string, error) {
	if base := getenv("XDG_STATE_HOME"); filepath.IsAbs(base) {
		return filepath.Join(base, "ktriage"), nil
	}
	home := getenv("HOME")
	if !filepath.IsAbs(home) {
		return "", errors.New("neither $XDG_STATE_HOME nor $HOME names a directory")
	}
	return filepath.Join(home, ".local", "state", "ktriage"), nil
}
