package logs_test

import (
	"bytes"
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"strings"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"k8s.io/apimachinery/pkg/util/runtime"
	"k8s.io/klog/v2"

	"ktriage/internal/logs"
)

var start = time.Date(2026, 11, 21, 17, 0, 0, 0, time.UTC)

func texts(r *logs.Ring) []string {
	var out []string
	for _, rec := range r.Records() {
		out = append(out, rec.Text)
	}
	return out
}

func TestMessagesGoToTheFileAsJSONAndToTheRingAsText(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "deep", "state")
	l, err := logs.Open(dir, slog.LevelInfo, start)
	if err != nil {
		t.Fatal(err)
	}
	l.Debug("too fine")
	l.With("resource", "pods").WithGroup("try").Warn("list failed", "n", 3, slog.Group("who", "user", "alice"))

	raw, err := os.ReadFile(l.Path)
	if err != nil {
		t.Fatal(err)
	}
	lines := bytes.Split(bytes.TrimSpace(raw), []byte("\n"))
	if len(lines) != 2 {
		t.Fatalf("%d lines in the file, want the start and the warning:\n%s", len(lines), raw)
	}
	var first, second map[string]any
	if err := errors.Join(json.Unmarshal(lines[0], &first), json.Unmarshal(lines[1], &second)); err != nil {
		t.Fatal(err)
	}
	if first["time"] != "2026-11-21T17:00:00Z" || first["msg"] != "start" || first["pid"] != float64(os.Getpid()) {
		t.Errorf("first record = %v", first)
	}
	if second["level"] != "WARN" || second["resource"] != "pods" {
		t.Errorf("second record = %v", second)
	}
	want := []string{"list failed resource=pods try.n=3 try.who.user=alice"}
	if diff := cmp.Diff(want, texts(l.Ring)); diff != "" {
		t.Errorf("ring (-want +got):\n%s", diff)
	}
	info, err := os.Stat(l.Path)
	if err != nil || info.Mode().Perm() != 0o600 {
		t.Errorf("mode = %v, %v; want 0600: messages name objects and users", info.Mode(), err)
	}
}

func TestRingKeepsTheNewestInOrderAndClean(t *testing.T) {
	r := logs.NewRing(3)
	l := slog.New(r.Handler(slog.LevelInfo))
	for i := range 5 {
		l.Info(fmt.Sprintf("m%d\x1b]52;c;aGk=\x07", i))
	}
	if diff := cmp.Diff([]string{"m2", "m3", "m4"}, texts(r)); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
	if r.Total() != 5 {
		t.Errorf("total = %d, want 5", r.Total())
	}
}

func TestLargeFileIsPutAsideAtTheStart(t *testing.T) {
	dir := t.TempDir()
	path := filepath.Join(dir, "log")
	old := bytes.Repeat([]byte("x"), 5<<20)
	if err := os.WriteFile(path, old, 0o600); err != nil {
		t.Fatal(err)
	}
	if _, err := logs.Open(dir, slog.LevelInfo, start); err != nil {
		t.Fatal(err)
	}
	aside, err := os.ReadFile(path + ".1")
	if err != nil || !bytes.Equal(aside, old) {
		t.Errorf("log.1 is not the old log: %d bytes, %v", len(aside), err)
	}
	fresh, err := os.ReadFile(path)
	if err != nil || bytes.Count(fresh, []byte("\n")) != 1 {
		t.Errorf("log = %q, %v; want one fresh record", fresh, err)
	}
	if _, err := logs.Open(dir, slog.LevelInfo, start); err != nil {
		t.Fatal(err)
	}
	if again, _ := os.ReadFile(path); bytes.Count(again, []byte("\n")) != 2 {
		t.Errorf("a small log was not continued: %q", again)
	}
}

func TestLogThatCannotBeWrittenIsKeptInMemory(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	full := t.TempDir()
	if err := os.Symlink("/dev/full", filepath.Join(full, "log")); err != nil {
		t.Fatal(err)
	}
	for name, c := range map[string]struct {
		dir  string
		want error
	}{
		"no directory": {filepath.Join(file, "state"), syscall.ENOTDIR},
		"full disk":    {full, syscall.ENOSPC},
	} {
		t.Run(name, func(t *testing.T) {
			if _, err := os.Stat("/dev/full"); err != nil && errors.Is(c.want, syscall.ENOSPC) {
				t.Skip("this system has no /dev/full")
			}
			l, err := logs.Open(c.dir, slog.LevelInfo, start)
			if !errors.Is(err, c.want) {
				t.Errorf("err = %v, want %v", err, c.want)
			}
			l.Info("still here")
			if diff := cmp.Diff([]string{"still here"}, texts(l.Ring)); diff != "" {
				t.Errorf("ring (-want +got):\n%s", diff)
			}
			if l.File() != nil || l.Path != "" {
				t.Errorf("file = %v, path = %q; want none", l.File(), l.Path)
			}
		})
	}
}

func TestKubernetesLibrariesWriteToTheLog(t *testing.T) {
	handlers := runtime.ErrorHandlers
	defer func() { runtime.ErrorHandlers = handlers; klog.ClearLogger() }()
	l, err := logs.Open(t.TempDir(), slog.LevelInfo, start)
	if err != nil {
		t.Fatal(err)
	}
	l.TakeKubernetes()

	klog.InfoS("from klog", "n", 1)
	runtime.HandleErrorWithContext(t.Context(), errors.New("lost"), "watch ended", "resource", "pods")
	w := l.Warnings()
	for range 3 {
		w.HandleWarningHeaderWithContext(context.Background(), 299, "-", "v1beta1 is deprecated")
	}
	w.HandleWarningHeaderWithContext(context.Background(), 199, "-", "of another code")

	got := strings.Join(texts(l.Ring), "\n")
	want := "from klog n=1\nwatch ended resource=pods err=lost\nthe API server warns: v1beta1 is deprecated"
	if diff := cmp.Diff(want, got); diff != "" {
		t.Errorf("(-want +got):\n%s", diff)
	}
}
