// Package logs keeps the program's messages. Its one rule: nothing is written to the terminal, and nothing that cannot be
// written stops the program; messages go to a file under the state directory, as JSON lines, and to a ring in memory that
// a pane shows.
package logs

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"os"
	"path/filepath"
	"time"
)

const (
	// fileLimit is the size in bytes at which a file is put aside at the next start.
	fileLimit = 5 << 20
	// ringSize is how many messages the pane can show.
	ringSize = 1000
)

// Log is where messages go.
type Log struct {
	*slog.Logger
	Ring *Ring
	Path string   // of the file, "" if there is none
	file *os.File // nil if there is none
}

// Open starts a log in dir; now is the time of its first record. The log is good for use whatever the error, which says
// why its messages are kept in memory only.
//
// A file of fileLimit or more is first renamed to log.1, in the place of an older one.
func Open(dir string, level slog.Leveler, now time.Time) (*Log, error) {
	ring := NewRing(ringSize)
	l := &Log{Logger: slog.New(ring.Handler(level)), Ring: ring}
	file, err := open(dir)
	if err != nil {
		return l, err
	}
	json := slog.NewJSONHandler(file, &slog.HandlerOptions{Level: level}).WithAttrs([]slog.Attr{slog.Int("pid", os.Getpid())})
	// A full disk lets us open the file all the same, so the first record is the trial.
	if err := json.Handle(context.Background(), slog.NewRecord(now, slog.LevelInfo, "start", 0)); err != nil {
		return l, errors.Join(fmt.Errorf("write to the log: %w", err), file.Close())
	}
	l.Logger = slog.New(slog.NewMultiHandler(json, ring.Handler(level)))
	l.Path, l.file = file.Name(), file
	return l, nil
}

func open(dir string) (*os.File, error) {
	if err := os.MkdirAll(dir, 0o700); err != nil {
		return nil, fmt.Errorf("make the directory of the log: %w", err)
	}
	path := filepath.Join(dir, "log")
	if info, err := os.Stat(path); err == nil && info.Size() >= fileLimit {
		if err := os.Rename(path, path+".1"); err != nil {
			return nil, fmt.Errorf("put the old log aside: %w", err)
		}
	}
	file, err := os.OpenFile(path, os.O_APPEND|os.O_CREATE|os.O_WRONLY, 0o600)
	if err != nil {
		return nil, fmt.Errorf("open the log: %w", err)
	}
	return file, nil
}

// File is where what others write to standard error can go while the screen is ours, nil if there is no file.
func (l *Log) File() *os.File { return l.file }
