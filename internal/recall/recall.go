// Package recall remembers filters, of this run and of earlier ones. Its one rule: what it remembers is worth little, so that
// nothing waits for it and nothing fails for it: a file that cannot be read or is not ours counts as none.
package recall

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"os"
	"path/filepath"
	"slices"
	"strings"
)

const (
	name     = "filters.json"
	most     = 50       // filters of one pane that are kept, saved ones and earlier ones each
	longest  = 500      // bytes of a filter
	panes    = 50       // panes of a file
	fileMost = 16 << 20 // bytes of a file that are looked at; ours is smaller
)

// Filters are the filters of all panes, the newest last. It belongs to one goroutine.
type Filters struct {
	path  string // "" for nowhere
	panes map[string]*pane
}

type pane struct {
	Saved   []string `json:"saved,omitempty"`
	Earlier []string `json:"earlier,omitempty"`
}

// Open reads what the directory remembers. What it gives can always be used; the error says why it begins empty.
func Open(dir string) (*Filters, error) {
	f := &Filters{panes: map[string]*pane{}}
	if dir == "" {
		return f, nil
	}
	f.path = filepath.Join(dir, name)
	file, err := os.Open(f.path)
	if errors.Is(err, fs.ErrNotExist) {
		return f, nil
	}
	if err != nil {
		return f, fmt.Errorf("open the remembered filters: %w", err)
	}
	defer file.Close() //nolint:errcheck // it is only read
	var read map[string]*pane
	if err := json.NewDecoder(io.LimitReader(file, fileMost)).Decode(&read); err != nil {
		return f, fmt.Errorf("read the remembered filters of %s: %w", f.path, err)
	}
	for key, p := range read {
		if p != nil && len(f.panes) < panes && len(key) < longest {
			f.panes[key] = &pane{sound(p.Saved), sound(p.Earlier)}
		}
	}
	return f, nil
}

// sound leaves what can be a filter: one line of printable text that is not too long.
func sound(texts []string) []string {
	texts = slices.DeleteFunc(texts, func(s string) bool {
		return s == "" || len(s) > longest || strings.ContainsFunc(s, func(r rune) bool { return r < ' ' || r == 0x7f || r == '\uFFFD' })
	})
	return texts[max(0, len(texts)-most):]
}

func (f *Filters) of(key string) *pane {
	if f.panes[key] == nil {
		f.panes[key] = &pane{}
	}
	return f.panes[key]
}

// Saved are the filters that were saved for a pane, the newest first.
func (f *Filters) Saved(key string) []string {
	list := slices.Clone(f.of(key).Saved)
	slices.Reverse(list)
	return list
}

// All are the saved filters of a pane, and then the earlier ones, the newest of each first.
func (f *Filters) All(key string) []string {
	list := slices.Clone(f.of(key).Earlier)
	slices.Reverse(list)
	saved := f.Saved(key)
	return append(saved, slices.DeleteFunc(list, func(s string) bool { return slices.Contains(saved, s) })...)
}

// Note remembers a filter of a pane as its newest.
func (f *Filters) Note(key, text string) { note(&f.of(key).Earlier, text) }

// Toggle saves a filter, or takes it out of what is saved, and says which it was.
func (f *Filters) Toggle(key, text string) (saved bool) {
	p := f.of(key)
	if i := slices.Index(p.Saved, text); i >= 0 {
		p.Saved = slices.Delete(p.Saved, i, i+1)
		return false
	}
	note(&p.Saved, text)
	return slices.Contains(p.Saved, text)
}

func note(list *[]string, text string) {
	*list = sound(append(slices.DeleteFunc(*list, func(s string) bool { return s == text }), text))
}

// Write gives a function that writes what is remembered now; it may run anywhere. Another program's file is replaced: of two
// that run at once the one that writes last is remembered.
func (f *Filters) Write() func() error {
	path := f.path
	data, err := json.MarshalIndent(f.panes, "", "  ")
	return func() error {
		if path == "" || err != nil {
			return err
		}
		dir := filepath.Dir(path)
		if err := os.MkdirAll(dir, 0o700); err != nil {
			return fmt.Errorf("make the directory of the remembered filters: %w", err)
		}
		tmp, err := os.CreateTemp(dir, name+".*") // 0600
		if err != nil {
			return fmt.Errorf("write the remembered filters: %w", err)
		}
		_, err = tmp.Write(append(data, '\n'))
		if err = errors.Join(err, tmp.Close()); err == nil {
			err = os.Rename(tmp.Name(), path)
		}
		if err != nil {
			return errors.Join(fmt.Errorf("write the remembered filters: %w", err), os.Remove(tmp.Name()))
		}
		return nil
	}
}
