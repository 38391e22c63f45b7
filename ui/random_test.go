package ui

import (
	"fmt"
	"math/rand/v2"
	"strings"
	"testing"
	"time"

	uv "github.com/charmbracelet/ultraviolet"
)

// The gate for every new version of Bubble Tea and Ultraviolet: whatever happens to the cluster and whatever keys are
// pressed, the terminal shows what the frame says, cell by cell.
func TestTerminalShowsTheFrameWhateverHappens(t *testing.T) {
	for seed := range uint64(8) {
		t.Run(fmt.Sprint(seed), func(t *testing.T) {
			random := rand.New(rand.NewPCG(seed, 1)) //nolint:gosec // reproducible, not secret
			inSession(t, 120, 40, func(s *session) {
				s.incident(120)
				if seed%2 == 1 {
					s.deps.Color = "truecolor"
				}
				s.start()
				for step := range 60 {
					what := s.happen(random)
					s.Wait(time.Duration(random.IntN(1500)) * time.Millisecond)
					s.Settle()
					bad := s.differs()
					// Between the frame and the terminal the second may have turned, and a toast may have ended.
					for try := 0; bad != "" && try < 2; try++ {
						s.Wait(time.Second / fps * 2)
						bad = s.differs()
					}
					if bad != "" {
						t.Fatalf("step %d (%s): %s\n%s", step, what, bad, s.Screen())
					}
				}
			})
		})
	}
}

// happen does one thing at random: to the cluster, the keyboard or the size of the screen.
func (s *session) happen(r *rand.Rand) string {
	keys := strings.Fields("j j j k pgdown pgup G g l h tab 1 2 4 4 C < > z = space v * d esc esc esc enter o / a ? : F T [ ] O n c ctrl+l backspace")
	edits := []func() string{
		func() string {
			k := keys[r.IntN(len(keys))]
			s.Press(k)
			return k
		},
		func() string {
			p := pod("batch", fmt.Sprintf("job-%04d", r.IntN(140)), "worker-1")
			if r.IntN(2) == 0 {
				crashing(p)
			}
			s.Put(p)
			return "put " + p.Name
		},
		func() string {
			p := pod("batch", fmt.Sprintf("job-%04d", r.IntN(140)), "worker-1")
			s.Delete(p)
			return "delete " + p.Name
		},
		func() string {
			p := pod("日本", "見本-é-"+strings.Repeat("長", r.IntN(30)), "worker-3", unready)
			s.Put(p)
			return "put wide " + p.Name
		},
		func() string {
			name := "app" + strings.Repeat("長", r.IntN(30))
			c := cert(name, fmt.Sprintf("secret 日本/%d", r.IntN(9)), time.Duration(r.IntN(4000)-100)*time.Hour)
			if r.IntN(4) == 0 {
				c = hidden(name, "on 日本", "timed out after 2s", "")
			}
			if r.IntN(3) == 0 {
				s.deps.Cluster.RemoveCerts(c.UID)
				return "remove " + c.UID
			}
			s.deps.Cluster.PutCerts(c)
			return "certificate " + c.UID
		},
		func() string {
			o := request(s.t, fmt.Sprintf("csr-%d", r.IntN(5)), "worker-1", time.Duration(r.IntN(600))*time.Second)
			s.Put(o)
			return "request " + o.Name
		},
		func() string {
			w, h := 20+r.IntN(200), 5+r.IntN(60)
			s.Resize(w, h)
			return fmt.Sprintf("resize %dx%d", w, h)
		},
	}
	if n := r.IntN(10); n < 6 {
		return edits[0]()
	}
	return edits[1+r.IntN(len(edits)-1)]()
}

// differs compares the terminal with the frame, "" if they are equal.
func (s *session) differs() string {
	w, h := s.Size()
	frame := uv.NewScreenBuffer(w, h)
	uv.NewStyledString(s.app.frame).Draw(frame, frame.Bounds())
	for y := range h {
		for x := range w {
			want, got := frame.CellAt(x, y), s.Cell(x, y)
			if want == nil || want.Content == "" {
				continue // the right half of a wide character
			}
			if got.Content != want.Content && !(got.Content == "" && want.Content == " ") {
				return fmt.Sprintf("cell %d,%d shows %q, the frame has %q", x, y, got.Content, want.Content)
			}
			if a, b := visible(got), visible(*want); a != b {
				return fmt.Sprintf("cell %d,%d (%q) looks like %s, in the frame like %s", x, y, want.Content, a, b)
			}
		}
	}
	return ""
}

// visible is what can be seen of a cell's style: a blank has no colour of its own.
func visible(c uv.Cell) string {
	st := c.Style
	if strings.TrimSpace(c.Content) == "" {
		st.Fg, st.Attrs = nil, st.Attrs&uv.AttrReverse
	}
	return st.String()
}
