package audit

import (
	"bytes"
	"encoding/json"
	"errors"
	"fmt"
	"os"
	"path/filepath"
	"slices"
	"strings"
	"sync"
	"syscall"
	"testing"
	"time"

	"github.com/google/go-cmp/cmp"
	"github.com/google/go-cmp/cmp/cmpopts"
	"golang.org/x/sys/unix"
	"pgregory.net/rapid"
)

var noon = time.Date(2026, 11, 21, 12, 0, 0, 5e6, time.UTC)

func mustOpen(t *testing.T, dir string) *Log {
	t.Helper()
	l, err := Open(dir, "bastion", "v1")
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() {
		if err := l.Close(); err != nil {
			t.Error(err)
		}
	})
	return l
}

func mustAppend(t *testing.T, l *Log, r Record) string {
	t.Helper()
	line, err := l.Append(r)
	if err != nil {
		t.Fatal(err)
	}
	return line
}

func mustRead(t *testing.T, l *Log, limit, skipped int) []Entry {
	t.Helper()
	entries, err := l.Read(limit)
	if err != nil {
		t.Fatal(err)
	}
	if l.Skipped() != skipped {
		t.Errorf("%d lines skipped, want %d", l.Skipped(), skipped)
	}
	return entries
}

func runs(entries []Entry) []string {
	var ids []string
	for _, e := range entries {
		ids = append(ids, e.Run)
	}
	return ids
}

func intent(run string) Record { return Record{Time: noon, Event: Intent, Run: run} }

// full is a record with something in every field.
func full() Record {
	return Record{
		Time: noon.In(time.FixedZone("JST", 9*3600)).Add(999 * time.Microsecond), Event: Result, Run: "r1",
		User: "alice", Context: "prod", Server: "https://10.0.0.1:6443", Action: "node.drain",
		Objects: []Object{{Kind: "Node", Name: "worker-12", UID: "0d7f"}},
		Options: map[string]string{"emptydir": "yes"}, Details: map[string]any{"note": "a < b & c", "pods": 23.0},
		Command: []string{"kubectl", "drain", "worker-12"}, State: "done", Summary: "23 of 23",
		Steps: []Step{
			{Object: Object{"Pod", "shop", "cart-1", "u1"}, State: "gone", Note: "<n>", Since: noon},
			{Object: Object{Kind: "Pod", Name: "cart-2"}, State: "waits"},
		},
	}
}

func TestLineHasTheRecordWithMillisecondsInUTC(t *testing.T) {
	dir := filepath.Join(t.TempDir(), "state", "ktriage")
	l := mustOpen(t, dir)
	line := mustAppend(t, l, full())
	want := fmt.Sprintf(`{"time":"2026-11-21T12:00:00.005Z","event":"result","run":"r1","process":%q,"host":"bastion","pid":%d,`+
		`"user":"alice","context":"prod","server":"https://10.0.0.1:6443","action":"node.drain",`+
		`"objects":[{"kind":"Node","name":"worker-12","uid":"0d7f"}],"options":{"emptydir":"yes"},`+
		`"details":{"note":"a < b & c","pods":23},"command":["kubectl","drain","worker-12"],"state":"done",`+
		`"summary":"23 of 23","version":"v1",`+
		`"steps":[{"kind":"Pod","namespace":"shop","name":"cart-1","uid":"u1","state":"gone","note":"<n>","since":"2026-11-21T12:00:00.005Z"},`+
		`{"kind":"Pod","name":"cart-2","state":"waits"}]}`, l.process, os.Getpid())
	if d := cmp.Diff(want, line); d != "" {
		t.Error(d)
	}
	text, err := os.ReadFile(l.Path())
	if err != nil || string(text) != line+"\n" {
		t.Errorf("the file has %q, %v", text, err)
	}
	for path, want := range map[string]os.FileMode{dir: 0o700 | os.ModeDir, l.Path(): 0o600, l.runningDir(): 0o700 | os.ModeDir} {
		if info, err := os.Stat(path); err != nil || info.Mode() != want {
			t.Errorf("%s: mode %v, %v; want %v", path, info.Mode(), err, want)
		}
	}
	entries := mustRead(t, l, 10, 0)
	if len(entries) != 1 || entries[0].Line != line {
		t.Errorf("read %v", entries)
	}
}

func TestRecordComesBackAsItWasWritten(t *testing.T) {
	millisecond := rapid.Custom(func(t *rapid.T) time.Time {
		return time.UnixMilli(rapid.Int64Range(0, 1<<42).Draw(t, "ms")).UTC()
	})
	word := rapid.String()
	object := rapid.Custom(func(t *rapid.T) Object {
		return Object{word.Draw(t, "kind"), word.Draw(t, "namespace"), word.Draw(t, "name"), word.Draw(t, "uid")}
	})
	rapid.Check(t, func(t *rapid.T) {
		r := Record{
			Time: millisecond.Draw(t, "time"), Event: rapid.SampledFrom([]Event{Intent, Result, Left}).Draw(t, "event"),
			Run: "r" + word.Draw(t, "run"), Process: "p", Host: word.Draw(t, "host"), PID: rapid.Int().Draw(t, "pid"),
			User: word.Draw(t, "user"), Objects: rapid.SliceOf(object).Draw(t, "objects"),
			Options: rapid.MapOf(word, word).Draw(t, "options"), Command: rapid.SliceOf(word).Draw(t, "command"),
			Summary: word.Draw(t, "summary"), Details: map[string]any{"n": rapid.Float64().Draw(t, "n"), "s": word.Draw(t, "s")},
			Steps: []Step{{Object: object.Draw(t, "object"), State: word.Draw(t, "state"), Since: millisecond.Draw(t, "since")}},
		}
		line, err := encode(r)
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(line, '\n') != len(line)-1 {
			t.Errorf("not one line: %q", line)
		}
		var back Record
		if err := json.Unmarshal(line, &back); err != nil {
			t.Fatal(err)
		}
		if d := cmp.Diff(r, back, cmpopts.EquateEmpty()); d != "" {
			t.Error(d)
		}
	})
}

func TestAppendRefusesWhatWouldNotBeReadBack(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	huge := intent("r")
	huge.Details = map[string]any{"huge": strings.Repeat("x", longest)}
	notJSON := intent("r")
	notJSON.Details = map[string]any{"f": func() {}}
	for name, r := range map[string]Record{
		"event": {Event: "paused", Run: "r"}, "run": {Event: Intent}, "too long": huge, "not JSON": notJSON,
	} {
		if line, err := l.Append(r); err == nil || line != "" || !strings.Contains(err.Error(), l.Path()) {
			t.Errorf("%s: %.40q, %v", name, line, err)
		}
	}
	if entries := mustRead(t, l, 10, 0); len(entries) != 0 {
		t.Errorf("written: %v", runs(entries))
	}
}

func TestManyWritersLoseNothing(t *testing.T) {
	dir := t.TempDir()
	logs := []*Log{mustOpen(t, dir), mustOpen(t, dir)}
	const writers, each = 4, 20
	var wg sync.WaitGroup
	for i := range writers * len(logs) {
		wg.Go(func() {
			for n := range each {
				r := intent(fmt.Sprintf("%d/%d", i, n))
				r.Details = map[string]any{"long": strings.Repeat("x", n*7000)}
				if _, err := logs[i%len(logs)].Append(r); err != nil {
					t.Error(err)
				}
				if _, err := logs[i%len(logs)].Read(3); err != nil {
					t.Error(err)
				}
			}
		})
	}
	wg.Wait()
	ids := runs(mustRead(t, logs[0], 1000, 0))
	last := map[string]int{}
	for _, id := range ids {
		var writer string
		var n int
		if _, err := fmt.Sscanf(strings.ReplaceAll(id, "/", " "), "%s %d", &writer, &n); err != nil || n != last[writer] {
			t.Fatalf("line %q, %v: want number %d of its writer", id, err, last[writer])
		}
		last[writer]++
	}
	if len(ids) != writers*len(logs)*each {
		t.Errorf("%d lines", len(ids))
	}
}

func TestAppendBeginsANewLineAfterATornOne(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	mustAppend(t, l, intent("1"))
	tear(t, l, `{"time":"2026-11-21T12:00:00.000Z","event":"in`)
	if got := runs(mustRead(t, l, 10, 1)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("with a torn end: %v", got)
	}
	mustAppend(t, l, intent("2"))
	mustAppend(t, l, intent("3"))
	if got := runs(mustRead(t, l, 10, 1)); !slices.Equal(got, []string{"1", "2", "3"}) {
		t.Errorf("after a torn line: %v", got)
	}
}

func tear(t *testing.T, l *Log, text string) {
	t.Helper()
	f, err := os.OpenFile(l.Path(), os.O_APPEND|os.O_WRONLY, 0)
	if err != nil {
		t.Fatal(err)
	}
	if _, err := f.WriteString(text); err != nil {
		t.Fatal(err)
	}
	if err := f.Close(); err != nil {
		t.Fatal(err)
	}
}

// slowDisk notes what is asked of a file, and whether others may lock it then, and cannot keep what was written.
type slowDisk struct {
	*os.File
	asked []string
}

func (d *slowDisk) note(what string) error {
	other, err := os.Open(d.Name())
	if err != nil {
		return err
	}
	defer other.Close()
	if flock(other, unix.LOCK_EX|unix.LOCK_NB) != nil {
		what += ", locked"
	}
	d.asked = append(d.asked, what)
	return nil
}

func (d *slowDisk) Write(b []byte) (int, error) {
	if err := d.note(fmt.Sprintf("write %q", b)); err != nil {
		return 0, err
	}
	return d.File.Write(b)
}

func (d *slowDisk) Sync() error { return errors.Join(d.note("sync"), syscall.EIO) }

func TestLineIsNotWrittenUntilTheDiskHasIt(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	tear(t, l, "torn")
	f, err := l.open()
	if err != nil {
		t.Fatal(err)
	}
	defer f.Close()
	d := &slowDisk{File: f}
	if err := l.write(d, []byte("line\n")); !errors.Is(err, syscall.EIO) {
		t.Errorf("got %v, want the error of the disk", err)
	}
	if want := []string{`write "\nline\n", locked`, "sync"}; !slices.Equal(d.asked, want) {
		t.Errorf("asked of the disk: %q, want one write and one sync: %q", d.asked, want)
	}
}

func TestReadSkipsAndCountsWhatIsNotOurs(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	mustAppend(t, l, intent("1"))
	tear(t, l, "plain text\n\n"+`{"time":"2026-11-21T12:00:00Z","event":"paused","run":"9","process":"p"}`+"\n"+
		`{"event":"intent"}`+"\n[]\n\x00\x00\x00\n"+strings.Repeat("y", longest+1)+"\n")
	mustAppend(t, l, intent("2"))
	if got := runs(mustRead(t, l, 10, 6)); !slices.Equal(got, []string{"1", "2"}) {
		t.Errorf("read %v", got)
	}
	if got := runs(mustRead(t, l, 1, 0)); !slices.Equal(got, []string{"2"}) {
		t.Errorf("one: %v", got)
	}
	if got := mustRead(t, l, 0, 0); len(got) != 0 {
		t.Errorf("none: %v", got)
	}
}

func TestLogThatWasMovedAwayIsBegunAnew(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	mustAppend(t, l, intent("1"))
	if err := os.Rename(l.Path(), l.Path()+".1"); err != nil {
		t.Fatal(err)
	}
	if got, err := l.Read(10); err != nil || len(got) != 0 {
		t.Errorf("read %v, %v", got, err)
	}
	mustAppend(t, l, intent("2"))
	if got := runs(mustRead(t, l, 10, 0)); !slices.Equal(got, []string{"2"}) {
		t.Errorf("read %v", got)
	}
}

func TestErrorsNameThePathAndTheReason(t *testing.T) {
	file := filepath.Join(t.TempDir(), "file")
	if err := os.WriteFile(file, nil, 0o600); err != nil {
		t.Fatal(err)
	}
	folder := t.TempDir()
	if err := os.Mkdir(filepath.Join(folder, "audit.jsonl"), 0o700); err != nil {
		t.Fatal(err)
	}
	pipe := t.TempDir()
	if err := syscall.Mkfifo(filepath.Join(pipe, "audit.jsonl"), 0o600); err != nil {
		t.Fatal(err)
	}
	noRunning := t.TempDir()
	if err := os.WriteFile(filepath.Join(noRunning, "running"), nil, 0o600); err != nil {
		t.Fatal(err)
	}
	for dir, want := range map[string]string{
		file:      "cannot make the directory of the audit log, " + file + ": not a directory",
		folder:    "cannot open the audit log " + folder + "/audit.jsonl: is a directory",
		pipe:      "cannot open the audit log " + pipe + "/audit.jsonl: it is not a regular file",
		noRunning: "cannot make the file that shows that this ktriage is running, in " + noRunning + "/running: not a directory",
	} {
		if _, err := Open(dir, "bastion", "v1"); err == nil || err.Error() != want {
			t.Errorf("got  %v\nwant %s", err, want)
		}
	}
}

func TestClosedLogReadsButDoesNotWrite(t *testing.T) {
	l := mustOpen(t, t.TempDir())
	mustAppend(t, l, intent("1"))
	if err := errors.Join(l.Close(), l.Close()); err != nil {
		t.Fatal(err)
	}
	if _, err := l.Append(intent("2")); err == nil || !strings.HasSuffix(err.Error(), "it is closed") {
		t.Errorf("append: %v", err)
	}
	if got := runs(mustRead(t, l, 10, 0)); !slices.Equal(got, []string{"1"}) {
		t.Errorf("read %v", got)
	}
}

func TestBackwardsIsForwardsReversed(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		text := rapid.StringOf(rapid.SampledFrom([]rune("\n\nabc"))).Draw(t, "text")
		block := rapid.Int64Range(1, 9).Draw(t, "block")
		most := rapid.IntRange(1, 6).Draw(t, "most")
		var want, got []string
		for line := range strings.SplitSeq(text, "\n") {
			switch {
			case len(line) > most:
				want = append(want, "too long")
			case line != "":
				want = append(want, line)
			}
		}
		for line, err := range backwards(strings.NewReader(text), int64(len(text)), block, most) {
			if err != nil {
				line = []byte("too long")
			}
			got = append(got, string(line))
		}
		slices.Reverse(got)
		if !slices.Equal(got, want) {
			t.Errorf("got %q, want %q", got, want)
		}
	})
}

// counted counts the bytes that are read.
type counted struct {
	r    *bytes.Reader
	read int
}

func (c *counted) ReadAt(b []byte, off int64) (int, error) {
	n, err := c.r.ReadAt(b, off)
	c.read += n
	return n, err
}

func TestReadingTheEndOfABigLogReadsLittle(t *testing.T) {
	r := intent("1")
	r.Process = "p"
	line, err := encode(r)
	if err != nil {
		t.Fatal(err)
	}
	text := bytes.Repeat(line, 300_000)
	c := &counted{r: bytes.NewReader(text)}
	entries, skipped, err := newest(c, int64(len(text)), 100)
	if err != nil || skipped != 0 || len(entries) != 100 {
		t.Fatalf("%d entries, %d skipped, %v", len(entries), skipped, err)
	}
	if c.read > 2*block {
		t.Errorf("%d of %d bytes read for 100 lines of %d", c.read, len(text), len(line))
	}
}

func TestFileThatShrinksWhileItIsReadIsAnError(t *testing.T) {
	entries, _, err := newest(strings.NewReader("short\n"), 100, 10)
	if err == nil || len(entries) != 0 {
		t.Errorf("%v, %v", entries, err)
	}
}
