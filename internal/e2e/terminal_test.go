package e2e

import (
	"regexp"
	"testing"

	"ktriage/internal/termtest"
)

// intruders are what libraries write to standard error when nobody stops them: stacks, and the lines of klog.
var intruders = regexp.MustCompile(`goroutine \d+|panic:|[EWI]\d{4} \d\d:\d\d|http2:`)

// terminal is ktriage in a real pseudo-terminal.
type terminal struct {
	*termtest.Pty
	t *testing.T
}

// open runs ktriage in a terminal.
func open(t *testing.T, kubeconfig string, w, h int, args ...string) *terminal {
	t.Helper()
	return &terminal{termtest.StartPty(t, w, h, environment(t, kubeconfig), ktriageBin, args...), t}
}

// clean fails the test if something was written that is not ours.
func (s *terminal) clean(written string) {
	s.t.Helper()
	if foreign := termtest.Foreign(written); foreign != "" {
		s.t.Error(foreign)
	}
	if m := intruders.FindString(written); m != "" {
		s.t.Errorf("%q was written", m)
	}
}
