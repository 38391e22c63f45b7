// Package queue is a stream of bytes in memory, for tests. Its one rule: whoever writes never waits, so that a fake at the
// far end of a program cannot hold it up; whoever reads waits on a channel, so that virtual time can pass.
package queue

import (
	"io"
	"sync"
)

// Queue is an unbounded pipe.
type Queue struct {
	mu     sync.Mutex
	bytes  []byte
	err    error         // what Read gives once everything has been read
	wake   chan struct{} // capacity 1: there is something to read
	closed chan struct{}
	once   sync.Once
}

// New makes an empty queue. In a synctest bubble it must be made inside the bubble.
func New() *Queue { return &Queue{wake: make(chan struct{}, 1), closed: make(chan struct{})} }

// Write implements io.Writer; it never waits and never fails. What is written after the end is dropped.
func (q *Queue) Write(p []byte) (int, error) {
	q.mu.Lock()
	if q.err == nil {
		q.bytes = append(q.bytes, p...)
	}
	q.mu.Unlock()
	select {
	case q.wake <- struct{}{}:
	default:
	}
	return len(p), nil
}

// Read implements io.Reader: it waits for bytes or for the end.
func (q *Queue) Read(p []byte) (int, error) {
	for {
		q.mu.Lock()
		n := copy(p, q.bytes)
		q.bytes = q.bytes[n:]
		err := q.err
		q.mu.Unlock()
		if n > 0 || len(p) == 0 {
			return n, nil
		}
		if err != nil {
			return 0, err
		}
		select {
		case <-q.wake:
		case <-q.closed:
		}
	}
}

// End ends the stream: what was written can still be read, then Read gives err. Only the first end counts.
func (q *Queue) End(err error) {
	q.mu.Lock()
	if q.err == nil {
		q.err = err
	}
	q.mu.Unlock()
	q.once.Do(func() { close(q.closed) })
}

// Close ends the stream in order.
func (q *Queue) Close() error {
	q.End(io.EOF)
	return nil
}

// Done is closed when the stream has an end.
func (q *Queue) Done() <-chan struct{} { return q.closed }
