// Package recall remembers filters, of this run and of earlier ones. Its one rule: what it remembers is worth little, so that
// nothing waits for it and nothing fails for it: a file that cannot be read or is not ours counts as none.
package recall

import (
	"encoding/json"
	"errors"
	"fmt"
	"io"
	"io/fs"
	"maps"
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
	path    string // "" for nowhere
	panes   map[string]*pane
	dropped map[string]struct{} // what was taken out of the saved ones in this run, as droppedKey has it
}

type pane struct {
	Saved   []string `json:"saved,omitempty"`
	Earlier []string `json:"earlier,omitempty"`
}

// errNotOurs is a file that is no list of filters.
var errNotOurs = errors.New("it is no list of filters")

// Open reads what the directory remembers. What it gives can always be used; the error says why it begins empty. A file that cannot be
// read is put aside, under the same name with ".bad": what was saved in it is somebody's work.
func Open(dir string) (*Filters, error) {
	f := &Filters{panes: map[string]*pane{}, dropped: map[string]struct{}{}}
	if dir == "" {
		return f, nil
	}
	f.path = filepath.Join(dir, name)
	known, err := load(f.path)
	if errors.Is(err, errNotOurs) {
		err = errors.Join(err, os.Rename(f.path, f.path+".bad"))
	}
	if err != nil {
		return f, fmt.Errorf("read the remembered filters of %s: %w", f.path, err)
	}
	f.panes = known
	return f, nil
}

// load reads a file; one that is not there has nothing.
func load(path string) (map[string]*pane, error) {
	known := map[string]*pane{}
	file, err := os.Open(path)
	if errors.Is(err, fs.ErrNotExist) {
		return known, nil
	}
	if err != nil {
		return known, err //nolint:wrapcheck // the caller says what it was for
	}
	defer file.Close()
	var read map[string]*pane
	if err := json.NewDecoder(io.LimitReader(file, fileMost)).Decode(&read); err != nil {
		return known, fmt.Errorf("%w: %w", errNotOurs, err)
	}
	for key, p := range read {
		if p != nil && len(known) < panes && len(key) < longest {
			known[key] = &pane{sound(p.Saved), sound(p.Earlier)}
		}
	}
	return known, nil
}

func droppedKey(key, text string) string { return key + "\x00" + text }

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
		f.dropped[droppedKey(key, text)] = struct{}{}
		return false
	}
	delete(f.dropped, droppedKey(key, text))
	note(&p.Saved, text)
	return slices.Contains(p.Saved, text)
}

func note(list *[]string, text string) {
	*list = sound(append(slices.DeleteFunc(*list, func(s string) bool { return s == text }), text))
}

// Write gives a function that writes what is remembered now; it may run anywhere. What another program has saved meanwhile stays.
func (f *Filters) Write() func() error {
	path, dropped := f.path, maps.Clone(f.dropped)
	ours := make(map[string]*pane, len(f.panes))
	for key, p := range f.panes {
		ours[key] = &pane{slices.Clone(p.Saved), slices.Clone(p.Earlier)}
	}
	return func() error {
		if path == "" {
			return nil
		}
		theirs, _ := load(path) // what cannot be read now was put aside when it was opened
		for key, p := range theirs {
			if ours[key] == nil {
				ours[key] = p
				continue
			}
			ours[key].join(key, p, dropped)
		}
		return replace(path, ours)
	}
}

// join takes in what another program has saved, but for what was taken away here.
func (p *pane) join(key string, other *pane, dropped map[string]struct{}) {
	var more []string
	for _, text := range other.Saved {
		if _, gone := dropped[droppedKey(key, text)]; !gone && !slices.Contains(p.Saved, text) {
			more = append(more, text)
		}
	}
	p.Saved = sound(append(more, p.Saved...))
}

// replace writes a file in one go, for its owner alone.
func replace(path string, all map[string]*pane) error {
	data, err := json.MarshalIndent(all, "", "  ")
	if err != nil {
		return fmt.Errorf("write the remembered filters: %w", err)
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
