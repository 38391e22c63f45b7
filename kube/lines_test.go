package kube

import (
	"context"
	"net"
	"testing"
	"testing/synctest"
	"time"

	"k8s.io/apimachinery/pkg/version"
)

// mute never says which version it is.
type mute struct{}

func (mute) ServerVersionWithContext(ctx context.Context) (*version.Info, error) {
	<-ctx.Done()
	return nil, ctx.Err()
}

// TestHeartTellsALineThatIsDeadFromOneThatIsBusy has a server that does not answer heartbeats, and a connection over
// which so many bytes come in every second.
func TestHeartTellsALineThatIsDeadFromOneThatIsBusy(t *testing.T) {
	for name, c := range map[string]struct {
		bytes int
		every time.Duration
		dead  bool
	}{
		"rows arrive": {1000, 100 * time.Millisecond, false},
		"slow rows":   {1000, 4 * time.Second, false},
		"pings only":  {40, 15 * time.Second, true},
		"nothing":     {0, time.Hour, true},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				ctx, stop := context.WithCancel(t.Context())
				defer stop()
				h := newHeart(mute{}, func() {}, func() {})
				ours, theirs := net.Pipe()
				conn, err := h.lines.dialer(func(context.Context, string, string) (net.Conn, error) { return ours, nil })(ctx, "", "")
				if err != nil {
					t.Fatal(err)
				}
				broken := make(chan struct{})
				go func() {
					for b := make([]byte, 4096); ; {
						if _, err := conn.Read(b); err != nil {
							close(broken)
							return
						}
					}
				}()
				go func() {
					for ctx.Err() == nil {
						if _, err := theirs.Write(make([]byte, c.bytes)); err != nil {
							return
						}
						select {
						case <-ctx.Done():
						case <-time.After(c.every):
						}
					}
				}()
				go h.run(ctx)
				<-time.After(30 * time.Second)
				synctest.Wait()
				select {
				case <-broken:
					if !c.dead {
						t.Error("the connection was closed, though rows arrived over it")
					}
				default:
					if c.dead {
						t.Error("the dead connection was left open")
					}
				}
				if up := h.cur.Load().Up; up == c.dead {
					t.Errorf("up = %v", up)
				}
				stop()
				_ = theirs.Close()
				_ = conn.Close()
			})
		})
	}
}

func TestConnectionsThatEndAreForgotten(t *testing.T) {
	l := newLines()
	ours, theirs := net.Pipe()
	defer theirs.Close()
	conn, err := l.dialer(func(context.Context, string, string) (net.Conn, error) { return ours, nil })(t.Context(), "", "")
	if err != nil {
		t.Fatal(err)
	}
	if err := conn.Close(); err != nil || len(l.open) != 0 {
		t.Errorf("%d open after its end (%v)", len(l.open), err)
	}
}
