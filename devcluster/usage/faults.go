package usage

import (
	"fmt"
	"slices"
	"strings"
	"time"
)

// The versions of metrics.k8s.io. metrics-server serves v1beta1 up to 0.9; Kubernetes 1.37 knows v1 too.
const (
	V1      = "v1"
	V1Beta1 = "v1beta1"
)

const bothVersions = "both"

// Versions are what Faults.Version may be.
var Versions = []string{V1, V1Beta1, bothVersions}

// Faults say how the answers differ from those of a metrics-server that is well. The zero value is a well one of today.
type Faults struct {
	Version string        // one of Versions, "" for V1Beta1
	Delay   time.Duration // of every list
	Late    time.Duration // how old the samples are
	Without []string      // nodes that nothing is known of, nor of their pods
}

// Check says what is wrong with the faults, in one sentence. No faults are always right.
func (f *Faults) Check() error {
	switch {
	case f == nil:
		return nil
	case f.Version != "" && !slices.Contains(Versions, f.Version):
		return fmt.Errorf("--metrics-version is %q, and must be one of %s", f.Version, strings.Join(Versions, ", "))
	case f.Delay < 0:
		return fmt.Errorf("--metrics-delay is %s, and must not be less than nothing", f.Delay)
	case f.Late < 0:
		return fmt.Errorf("--metrics-late is %s, and must not be less than nothing", f.Late)
	}
	return nil
}

// Served gives the versions that are served, the preferred one first.
func (f *Faults) Served() []string {
	switch f.Version {
	case V1:
		return []string{V1}
	case bothVersions:
		return []string{V1, V1Beta1}
	}
	return []string{V1Beta1}
}

// Args are the flags that say the same to a component.
func (f *Faults) Args() []string {
	var args []string
	if f.Version != "" {
		args = append(args, "--metrics-version="+f.Version)
	}
	if f.Delay > 0 {
		args = append(args, "--metrics-delay="+f.Delay.String())
	}
	if f.Late > 0 {
		args = append(args, "--metrics-late="+f.Late.String())
	}
	if len(f.Without) > 0 {
		args = append(args, "--metrics-without="+strings.Join(f.Without, ","))
	}
	return args
}

// String says them for people, with what goes before them; "" if there are none.
func (f *Faults) String() string {
	g := *f
	if g.Version == V1Beta1 {
		g.Version = ""
	}
	args := g.Args()
	if len(args) == 0 {
		return ""
	}
	return " (" + strings.Join(args, " ") + ")"
}
