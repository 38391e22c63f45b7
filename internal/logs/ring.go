package logs

import (
	"context"
	"log/slog"
	"strings"
	"sync"
	"time"

	"ktriage/internal/text"
)

// Record is one message, ready to be shown.
type Record struct {
	Time  time.Time
	Level slog.Level
	Text  string // one line: the message and its attributes, sanitised
}

// Ring holds the newest messages. It can be used from any goroutine.
type Ring struct {
	mu      sync.Mutex
	records []Record // the oldest at total % len once it is full
	size    int
	total   uint64
}

// NewRing makes a ring for size messages, at least one.
func NewRing(size int) *Ring { return &Ring{size: max(size, 1)} }

// Records gives the messages, oldest first, in a slice of the caller's own.
func (r *Ring) Records() []Record {
	r.mu.Lock()
	defer r.mu.Unlock()
	out := make([]Record, 0, len(r.records))
	if len(r.records) == r.size {
		oldest := int(r.total % uint64(r.size))
		out = append(out, r.records[oldest:]...)
		return append(out, r.records[:oldest]...)
	}
	return append(out, r.records...)
}

// Total is how many messages there have ever been: a reader who remembers it knows whether there are new ones.
func (r *Ring) Total() uint64 {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.total
}

func (r *Ring) add(rec Record) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if len(r.records) < r.size {
		r.records = append(r.records, rec)
	} else {
		r.records[r.total%uint64(r.size)] = rec
	}
	r.total++
}

// Handler gives the handler that fills the ring with messages of the level and above.
func (r *Ring) Handler(level slog.Leveler) slog.Handler { return ringHandler{ring: r, level: level} }

type ringHandler struct {
	ring  *Ring
	level slog.Leveler
	attrs string // of With, already written
	group string // of WithGroup: "a.b."
}

func (h ringHandler) Enabled(_ context.Context, l slog.Level) bool { return l >= h.level.Level() }

func (h ringHandler) Handle(_ context.Context, rec slog.Record) error {
	var b strings.Builder
	b.WriteString(rec.Message)
	b.WriteString(h.attrs)
	rec.Attrs(func(a slog.Attr) bool {
		writeAttr(&b, h.group, a)
		return true
	})
	h.ring.add(Record{Time: rec.Time, Level: rec.Level, Text: text.Clean(b.String())})
	return nil
}

func (h ringHandler) WithAttrs(attrs []slog.Attr) slog.Handler {
	var b strings.Builder
	b.WriteString(h.attrs)
	for _, a := range attrs {
		writeAttr(&b, h.group, a)
	}
	h.attrs = b.String()
	return h
}

func (h ringHandler) WithGroup(name string) slog.Handler {
	if name != "" {
		h.group += name + "."
	}
	return h
}

func writeAttr(b *strings.Builder, group string, a slog.Attr) {
	v := a.Value.Resolve()
	switch {
	case v.Kind() == slog.KindGroup:
		if a.Key != "" {
			group += a.Key + "."
		}
		for _, inner := range v.Group() {
			writeAttr(b, group, inner)
		}
	case a.Key != "":
		b.WriteString(" " + group + a.Key + "=" + v.String())
	}
}
