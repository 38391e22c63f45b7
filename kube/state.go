package kube

import (
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
)

// Phase says how far rows can be believed.
type Phase uint8

// The phases of a store, best last known first.
const (
	Loading Phase = iota // nothing complete yet: rows appear as they arrive
	Live                 // complete and watched
	Stale                // complete once, but the server does not answer or the watch is broken
	Denied               // the server says that we may not list or watch this
	Failed               // the server answers, but not with what we need (no such API, broken APIService)
)

func (p Phase) String() string {
	return [...]string{"loading", "live", "stale", "denied", "failed"}[p]
}

// State is a Phase with its evidence.
type State struct {
	Phase   Phase
	Since   time.Time // when the phase began; for Stale when the rows were last known to be true
	Err     error     // why it is not Live; Explain makes words of it that are fit to be shown
	Seen    int       // rows read so far, while Loading
	Missing error     // why some rows are not there, nil if all are
	// MissingFrom is the first of the namespaces that are looked at but may not be read, "" for all that are.
	MissingFrom string
	// MissingKinds are the kinds of rows that may not be read, where a pane has several.
	MissingKinds Kinds
}

// MissingWhat names the rows that are not there: "namespace cart", "cronjobs", "jobs and cronjobs of namespace cart", "events of
// other namespaces"; "" if all are.
func (s State) MissingWhat() string {
	what := strings.Join(s.MissingKinds.plurals(), ", ")
	if i := strings.LastIndex(what, ", "); i >= 0 {
		what = what[:i] + " and " + what[i+2:]
	}
	switch {
	case s.Missing == nil:
		return ""
	case what == "":
		return "namespace " + clean(s.MissingFrom)
	case s.MissingKinds == Events && s.MissingFrom == "": // those of one namespace are there, see lookAtEvents
		return "events of other namespaces"
	case s.MissingFrom == "":
		return what
	}
	return what + " of namespace " + clean(s.MissingFrom)
}

// complete reports whether all rows have been read at least once.
func (s State) complete() bool { return s.Phase == Live || s.Phase == Stale }

// settled reports whether the first listing has come to an end, good or bad.
func (s State) settled() bool { return s.Phase != Loading || s.Err != nil }

// WhyMissing says in two words why some rows are not there: "not allowed", or "not there" where the server has no such API.
func (s State) WhyMissing() string {
	if apierrors.IsForbidden(s.Missing) {
		return "not allowed"
	}
	return "not there"
}
