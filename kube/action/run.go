package action

import (
	"cmp"
	"context"
	"strings"
	"time"

	"ktriage/kube"
)

// State is how far a run is.
type State uint8

// The states of a run. All but Running are final.
const (
	Running     State = iota
	Done              // everything that the plan said has happened
	Partial           // it has come to its end, and something of the plan has not happened
	Cancelled         // the operator has stopped it
	Failed            // nothing, or not enough, could be done
	Unknown           // something was sent, and whether it has happened could not be found out
	Interrupted       // the program ended before the run did
)

func (s State) String() string {
	return [...]string{"running", "done", "partial", "cancelled", "failed", "unknown", "cut off"}[s]
}

// Severity is how much the state wants attention.
func (s State) Severity() kube.Severity {
	return [...]kube.Severity{
		Running: kube.OK, Done: kube.OK, Partial: kube.Warning, Cancelled: kube.Notice, Failed: kube.Bad, Unknown: kube.Bad, Interrupted: kube.Warning,
	}[s]
}

// Result is how a run ended. Its text is sanitised.
type Result struct {
	State   State
	Summary string    // "23 of 23 pods gone in 13m21s"
	Page    []Section // what there is to look at now; may be empty
	Undo    *Undo     // nil if it cannot be taken back
	// Follow, if there is one, has to be called when the result has been told. It looks, changing nothing, at what comes
	// after the end, such as the pods that are made in place of those that left, until ctx ends or there is nothing more
	// to see; told is given the page as it is then.
	Follow func(ctx context.Context, told func([]Section))
}

// Undo is an action that takes another back. It goes through a plan of its own.
type Undo struct {
	Action  ID
	Target  Target
	Options Options // what is chosen on its sheet to begin with
}

// StepState is how far one step of a run is.
type StepState uint8

// The states of a step. From StepGone on they are final.
const (
	StepWaits       StepState = iota // not begun, or held back by another step
	StepAsking                       // a request is under way
	StepBlocked                      // the server has refused it for now: a budget, a namespace that is going
	StepRetrying                     // the server could not answer; asked again
	StepProgressing                  // accepted, and being carried out, as with the condition Progressing of a Deployment (apps/v1)
	StepTerminating                  // accepted; the object is going
	StepStuck                        // accepted; the object should be gone, and is not
	StepGone                         // the object is gone, or another has taken its name
	StepDone                         // done, where nothing goes
	StepStays                        // the plan leaves it alone
	StepSkipped                      // the operator has taken it out of the run
	StepLeft                         // nothing was asked for it, or refused to the end: it is as it was
	StepAccepted                     // accepted, and not watched to its end
	StepFailed                       // refused for good
	StepUnknown                      // asked for, and never found out
)

func (s StepState) String() string {
	return [...]string{
		"waits", "asking", "blocked", "retrying", "progressing", "terminating", "stuck", "gone", "done", "stays", "left out", "not done",
		"accepted", "failed", "unknown",
	}[s]
}

// Ended reports whether nothing more happens to the step in this run.
func (s StepState) Ended() bool { return s >= StepGone }

// Severity is how much the state wants attention.
func (s StepState) Severity() kube.Severity {
	switch s {
	case StepFailed, StepUnknown:
		return kube.Bad
	case StepBlocked, StepRetrying, StepStuck, StepLeft:
		return kube.Warning
	case StepWaits, StepSkipped, StepAccepted:
		return kube.Notice
	default:
		return kube.OK
	}
}

// Step is one part of a run: one object, in most cases. It is a row, and never changed once it has been reported: news
// of it is a new Step.
type Step struct {
	Object   kube.Ref
	State    StepState
	Since    time.Time     // in this state
	Note     string        // what is so now: "cart-pdb allows 0, refused 4x"
	Severity kube.Severity // the worse of this and that of State counts
	Why      []string      // whole sentences: why it is so, what the server says, what comes next
	Until    time.Time     // when it is asked again, or when the grace period ends; zero for neither
	Place    int           // the order in which the plan has it
	// Key tells the step from all others of its run where the UID of its object cannot: the object does not exist yet, or
	// has several steps. "" is the UID.
	Key string
	// Follows says that it is not asked for, but follows from what another step asks for: it cannot be left out.
	Follows bool
}

// Ref implements kube.Row. Its UID is the key of the step.
func (s *Step) Ref() kube.Ref {
	ref := s.Object
	ref.UID = s.key()
	return ref
}

func (s *Step) key() string { return cmp.Or(s.Key, s.Object.UID) }

// Matches implements kube.Row: name, namespace, state and note are searched.
func (s *Step) Matches(word string, _ kube.Moment) bool {
	return contains(word, s.Object.FullName(), s.State.String(), s.Note)
}

// Worst is the severity to show.
func (s *Step) Worst() kube.Severity { return max(s.Severity, s.State.Severity()) }

// Run is one action as it is carried out, or as the audit log has it. It is a row, and never changed once it has been
// published.
type Run struct {
	ID       string
	Action   ID
	Target   Target
	User     string
	Started  time.Time
	Ended    time.Time // zero while it runs
	State    State
	Paused   bool
	Note     string // progress, or how it ended: "18 of 23 gone, 1 blocked"
	Severity kube.Severity
	Done     int // steps that have ended
	Steps    int
	Undo     *Undo
	Options  Options
	Details  map[string]any
	Page     []Section // of the result
	Earlier  bool      // of an earlier run of the program: there are no steps
	Command  []string  // kubectl's words for it
	Lines    []string  // of the audit log, as they were written
	AuditErr string    // why the log does not have its end, "" if it has
	Checked  bool      // an operator has said that what it has left behind is looked after
	Standing Standing  // what it has left behind that somebody has to look after
}

// Standing is something that somebody has to look after, long after a run has ended: "if worker-07 returns, check that
// cart-2 is not running twice". The zero value is nothing.
type Standing struct {
	Text     string
	Severity kube.Severity
}

// Watchful is a Kind whose runs may leave something behind that somebody has to look after.
type Watchful interface {
	Kind
	// Standing says what that is now, from the run and from what is known of the cluster. It reads no more than that: it is
	// asked again and again, about runs of earlier programs too.
	Standing(c *kube.Cluster, r *Run) Standing
}

// EndState is how a run has ended whose steps have ended so.
func EndState(steps []Step) State {
	count := map[StepState]int{}
	for _, s := range steps {
		count[s.State]++
	}
	well := count[StepDone] + count[StepGone] + count[StepStays]
	switch {
	case count[StepUnknown] > 0:
		return Unknown
	case count[StepLeft] > 0:
		return Cancelled
	case well == len(steps):
		return Done
	case well == 0 && count[StepFailed] > 0:
		return Failed
	}
	return Partial
}

// Ref implements kube.Row.
func (r *Run) Ref() kube.Ref { return kube.Ref{Kind: kube.Actions, Name: r.Target.Name(), UID: r.ID} }

// Matches implements kube.Row: verb, objects, state, note and user are searched.
func (r *Run) Matches(word string, _ kube.Moment) bool {
	return contains(word, r.Action.Verb(), r.Target.Name(), r.State.String(), r.Note, r.User)
}

// Worst is the severity to show.
func (r *Run) Worst() kube.Severity { return max(r.Severity, r.State.Severity(), r.Standing.Severity) }

func contains(word string, in ...string) bool {
	for _, s := range in {
		if strings.Contains(strings.ToLower(s), word) {
			return true
		}
	}
	return false
}
