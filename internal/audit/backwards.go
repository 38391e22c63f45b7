package audit

import (
	"bytes"
	"errors"
	"io"
	"iter"
	"slices"
)

const (
	block   = 64 << 10 // bytes that are read at a time
	longest = 4 << 20  // bytes of the longest line that is read
)

// errTooLong stands for a line that is longer than is read.
var errTooLong = errors.New("line too long")

// newest gives at most limit entries from the end of a file of size bytes, newest last, and how many lines on the way are
// not ours. With an error come the entries that were read before it.
func newest(r io.ReaderAt, size int64, limit int) (entries []Entry, skipped int, err error) {
	for text, e := range backwards(r, size, block, longest) {
		if len(entries) >= limit {
			break
		}
		if e != nil && !errors.Is(e, errTooLong) {
			err = e
			break
		}
		record, bad := decode(text)
		if e != nil || bad != nil {
			skipped++
			continue
		}
		entries = append(entries, Entry{record, string(text)})
	}
	slices.Reverse(entries)
	return entries, skipped, err
}

// backwards gives the lines of the first size bytes of a file, last first, without newlines and without empty ones. In
// place of a line of more than most bytes it gives errTooLong, and goes on; another error is of reading, and the last.
// It holds one line and one block at a time.
func backwards(r io.ReaderAt, size, blockSize int64, most int) iter.Seq2[[]byte, error] {
	return func(yield func([]byte, error) bool) {
		var tail pieces
		for size > 0 {
			from := max(0, size-blockSize)
			buf := make([]byte, size-from)
			if n, err := r.ReadAt(buf, from); n < len(buf) {
				yield(nil, err)
				return
			}
			size = from
			for i := bytes.LastIndexByte(buf, '\n'); i >= 0; i = bytes.LastIndexByte(buf, '\n') {
				tail.prepend(buf[i+1:], most)
				if !tail.yield(yield, most) {
					return
				}
				buf = buf[:i]
			}
			tail.prepend(buf, most)
		}
		tail.yield(yield, most)
	}
}

// pieces are a line of which the end is known and the beginning is not yet.
type pieces struct {
	last [][]byte // last piece first; none if the line is too long
	size int
}

func (p *pieces) prepend(b []byte, most int) {
	if p.size += len(b); p.size > most {
		p.last = nil
		return
	}
	p.last = append(p.last, b)
}

// yield gives the line, if it is not empty, and begins another.
func (p *pieces) yield(yield func([]byte, error) bool, most int) bool {
	line := *p
	*p = pieces{}
	switch {
	case line.size == 0:
		return true
	case line.size > most:
		return yield(nil, errTooLong)
	}
	slices.Reverse(line.last)
	return yield(bytes.Join(line.last, nil), nil)
}
