package kube

import (
	"context"
	"net"
	"sync"
	"sync/atomic"
)

// chatter is what a connection carries in a few seconds when nothing but itself is talking: the pings of HTTP/2 and what
// TLS puts around them. More than that, in bytes, is an answer or an event.
const chatter = 512

// lines are the open connections to the server. They count what comes in, because a connection that a balancer has
// forgotten looks like one on which nobody has anything to say, and a server that is slow to say how it is may well be
// busy with what we have asked of it.
type lines struct {
	mu   sync.Mutex
	open map[*line]struct{}
	came atomic.Uint64 // bytes, over all lines that there ever were
}

// line is one connection.
type line struct {
	net.Conn
	of    *lines
	came  atomic.Uint64
	marks [2]uint64 // came at the last two marks, the older first; under the lock of all
}

func newLines() *lines { return &lines{open: map[*line]struct{}{}} }

// dialer has every connection that dial makes counted.
func (l *lines) dialer(dial func(ctx context.Context, network, address string) (net.Conn, error)) func(
	context.Context, string, string) (net.Conn, error) {
	return func(ctx context.Context, network, address string) (net.Conn, error) {
		conn, err := dial(ctx, network, address)
		if err != nil {
			return nil, err
		}
		c := &line{Conn: conn, of: l}
		l.mu.Lock()
		l.open[c] = struct{}{}
		l.mu.Unlock()
		return c, nil
	}
}

// Read implements net.Conn.
func (c *line) Read(b []byte) (int, error) {
	n, err := c.Conn.Read(b)
	c.came.Add(uint64(n))
	c.of.came.Add(uint64(n))
	return n, err
}

// Close implements net.Conn.
func (c *line) Close() error {
	c.of.mu.Lock()
	delete(c.of.open, c)
	c.of.mu.Unlock()
	return c.Conn.Close()
}

// mark notes how far every line is.
func (l *lines) mark() {
	l.mu.Lock()
	defer l.mu.Unlock()
	for c := range l.open {
		c.marks = [2]uint64{c.marks[1], c.came.Load()}
	}
}

// cutIdle closes the lines over which nothing to speak of has come since the mark before the last.
func (l *lines) cutIdle() {
	var idle []*line
	l.mu.Lock()
	for c := range l.open {
		if c.came.Load()-c.marks[0] <= chatter {
			idle = append(idle, c)
		}
	}
	l.mu.Unlock()
	for _, c := range idle {
		_ = c.Close() // whoever reads from it is told
	}
}
