package recall

import (
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"testing"
)

func TestFiltersOutliveTheProgram(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state")
	f, err := Open(dir)
	if err != nil {
		t.Fatal(err)
	}
	f.Note("pods", "web")
	f.Note("pods", "restarts>5")
	f.Note("pods", "web")
	f.Note("nodes", "gpu")
	if !f.Toggle("pods", "ready=no") || !f.Toggle("pods", "x") || f.Toggle("pods", "x") {
		t.Error("a filter is not saved, or is not taken away")
	}
	if err := f.Write()(); err != nil {
		t.Fatal(err)
	}
	info, err := os.Stat(filepath.Join(dir, name))
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("the file: %v, %v", info.Mode(), err)
	}
	again, err := Open(dir)
	if err != nil || !slices.Equal(again.All("pods"), []string{"ready=no", "web", "restarts>5"}) || !slices.Equal(again.All("nodes"), []string{"gpu"}) {
		t.Errorf("remembered are %q and %q (%v)", again.All("pods"), again.All("nodes"), err)
	}
	left, _ := os.ReadDir(dir)
	if len(left) != 1 {
		t.Errorf("left are %v", left)
	}
}

func TestWhatIsRememberedIsBounded(t *testing.T) {
	f, _ := Open("")
	for i := range 3 * most {
		f.Note("pods", fmt.Sprint(i))
	}
	f.Note("pods", strings.Repeat("x", longest+1))
	if all := f.All("pods"); len(all) != most || all[0] != fmt.Sprint(3*most-1) {
		t.Errorf("%d are remembered, the newest %q", len(all), all[0])
	}
	if err := f.Write()(); err != nil {
		t.Errorf("nowhere to write to: %v", err)
	}
}

func TestBrokenAndHostileFilesAreNoFile(t *testing.T) {
	for content, want := range map[string]string{
		"{": "", "[]": "", "null": "", `{"pods":null}`: "", `{"pods":{"earlier":["a\u001b[31m","\u0000","b","","c\nd"]}}`: "b", `{"pods":{"saved":7}}`: "",
	} {
		dir := t.TempDir()
		if err := os.WriteFile(filepath.Join(dir, name), []byte(content), 0o600); err != nil {
			t.Fatal(err)
		}
		f, _ := Open(dir)
		if got := strings.Join(f.All("pods"), " "); got != want {
			t.Errorf("%s is read as %q", content, got)
		}
		f.Note("pods", "web")
		if err := f.Write()(); err != nil {
			t.Errorf("%s is not replaced: %v", content, err)
		}
	}
}

func TestTwoProgramsKeepWhatTheOtherHasSaved(t *testing.T) {
	dir := t.TempDir()
	one, _ := Open(dir)
	one.Toggle("events", "old")
	if err := one.Write()(); err != nil {
		t.Fatal(err)
	}
	two, _ := Open(dir)
	one.Toggle("events", "a")
	two.Toggle("events", "b")
	two.Toggle("events", "old") // taken away
	for _, f := range []*Filters{one, two} {
		if err := f.Write()(); err != nil {
			t.Fatal(err)
		}
	}
	again, err := Open(dir)
	if saved := again.Saved("events"); err != nil || !slices.Equal(saved, []string{"b", "a"}) {
		t.Errorf("saved are %q (%v), want what both have saved", saved, err)
	}
}

func TestFileThatCannotBeReadIsPutAside(t *testing.T) {
	dir := t.TempDir()
	const broken = `{"pods": {"saved": ["restarts>5"`
	if err := os.WriteFile(filepath.Join(dir, name), []byte(broken), 0o600); err != nil {
		t.Fatal(err)
	}
	f, err := Open(dir)
	if err == nil {
		t.Error("a broken file is read")
	}
	f.Toggle("pods", "web")
	if err := f.Write()(); err != nil {
		t.Fatal(err)
	}
	if kept, err := os.ReadFile(filepath.Join(dir, name+".bad")); err != nil || string(kept) != broken {
		t.Errorf("put aside is %q (%v)", kept, err)
	}
}
