package views

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/colorprofile"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// watched is the bench after so long that there is a past: memory of all nodes grew, and worker-88 has not been measured for a while.
func watched() *bench {
	b := newBench()
	step := b.moment.PastStep()
	b.moment.Usage = kube.NewUsage(noon.Add(-kube.PastPoints*step), nil, nil)
	for i := range int64(kube.PastPoints) {
		at := noon.Add(time.Duration(i-kube.PastPoints) * step)
		nodes, pods := samples(5000 + 60*i)
		for name, s := range nodes {
			s.At = s.At.Add(at.Sub(noon))
			s.Memory -= (kube.PastPoints - i) << 28
			nodes[name] = s
		}
		for _, containers := range pods {
			for c := range containers {
				containers[c].At = containers[c].At.Add(at.Sub(noon))
			}
		}
		b.moment.Usage = b.moment.Usage.Then(at, nodes, pods)
	}
	nodes, pods := samples(5920)
	b.moment.Usage = b.moment.Usage.Then(noon.Add(-4*time.Second), nodes, pods)
	b.news()
	return b
}

// Half of 120 columns is what the grid gives the pane.
func TestScreensOfTop(t *testing.T) {
	levels := map[string][]keymap.ID{
		"nodes": nil, "held": {keymap.Down}, "pods": {keymap.TopLevel}, "containers": {keymap.TopLevel, keymap.TopLevel},
		"totals": {keymap.TopTotals}, "workloads": {keymap.TopTotals, keymap.TopTotals},
	}
	for name, keys := range levels {
		for _, s := range []Size{{80, 12}, {59, 12}, {200, 12}} {
			b := watched()
			b.press(keys...)
			out := plainText(drawn(b, s, frame()))
			checkRectangle(t, out, s)
			golden(t, fmt.Sprintf("top-%s-%dx%d", name, s.W, s.H), out)
		}
		b, f := watched(), frame()
		f.Paint = themes.Compile(themes.Builtin()[0], themes.Options{Dark: true, Profile: colorprofile.ASCII})
		b.press(keys...)
		out := text.ASCII(plainText(drawn(b, Size{80, 12}, f)))
		checkRectangle(t, out, Size{80, 12})
		golden(t, fmt.Sprintf("top-%s-ascii-80x12", name), out)
	}
}

func TestTotalsAreNamedByWhatTheyAreOf(t *testing.T) {
	b := newBench()
	for _, want := range []struct{ title, words string }{
		{"namespace payments", "memory 4000Mi and CPU 4000m: 2% and 8% of what all nodes can allocate"},
		{"Deployment shop/web", "memory 1500Mi and CPU 1500m: 0% and 3% of what all nodes can allocate"},
		{"node worker-51", "memory 3000Mi and CPU 3000m: 9% and 37% of what the node can allocate"},
	} {
		b.press(keymap.TopTotals)
		s := b.Strip(noon)
		if s.Name != want.title || s.Lines[0] != want.words {
			t.Errorf("the strip of %s says %q of %q", want.title, s.Lines, s.Name)
		}
		d, ok := b.Details(b.Place().UID, noon)
		if !ok || d.Title != want.title {
			t.Errorf("the details of %s are titled %q, %t", want.title, d.Title, ok)
		}
	}
}

// What is measured is always the same: how, and when, is not cut off for what the columns say.
func TestStripOfANodeSaysWhatTheFiguresMeanBeforeWhatIsRequested(t *testing.T) {
	words := strings.Join(newBench().Strip(noon).Lines, "; ")
	if !said(words, "of CPU", "CPU averaged over 15s", "requested are") {
		t.Errorf("the strip says %q", words)
	}
}
