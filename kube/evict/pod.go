package evict

import (
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
)

// overdue is how long after the end of its grace period a pod is stuck.
const overdue = 30 * time.Second

// pod is a pod of the plan, and what has become of it.
type pod struct {
	drain.Pod
	node  *node
	place int
	late  bool // came after the plan

	state   action.StepState
	since   time.Time
	outcome string // of an ended state: the note

	live       *corev1.Pod // as the server had it last; nil before the first news of it
	controller *controller // nil if it has none, or is not known yet
	again      time.Time   // it is not asked before
	asked      time.Time   // when it was asked last
	requested  time.Time   // when the server was asked to delete it, by the server's clock; zero until it has been seen
	tries      int         // how often it was asked
	refusals   int         // how often a budget refused it
	failures   int         // evictions in a row without an answer to the question
	blind      int         // looks at it in a row that showed nothing
	last       answer
	posting    bool // an eviction is under way
	looking    bool // a reading of it is under way
	unsure     bool // it was asked, and whether that has happened has not been found out
	silence    time.Time
	nudged     bool // its readiness has changed since it was asked: the budget may let it go now
	probing    bool // it was asked although its budget has not changed
	budget     *budget
	acceptedAt time.Time

	// Of its replacement.
	row    *kube.Pod // nil while there is none
	back   bool      // the pod of its StatefulSet that has its name is Ready
	status string    // of that pod, while it is not
	lookAt time.Time // when that is looked at again
}

// to changes the state.
func (p *pod) to(state action.StepState, now time.Time) {
	if p.state != state {
		p.state, p.since = state, now
	}
}

// end brings the step to its end.
func (p *pod) end(state action.StepState, note string, now time.Time) {
	p.outcome = note
	p.to(state, now)
}

// left says that the server has said that the pod is gone.
func (p *pod) left(note string, now time.Time) {
	if !p.state.Ended() {
		p.unsure = false
		p.end(action.StepGone, note, now)
	}
}

// going reports whether the pod is on its way out.
func (p *pod) going() bool {
	return p.state == action.StepTerminating || p.state == action.StepStuck ||
		p.live != nil && p.live.DeletionTimestamp != nil
}

// settle takes the pod for terminating as soon as the server has it so, whoever has asked for it.
func (p *pod) settle(now time.Time) {
	if p.state.Ended() || p.state == action.StepStuck || p.live == nil || p.live.DeletionTimestamp == nil {
		return
	}
	p.unsure = false
	p.to(action.StepTerminating, now)
}

// deadline is the end of the grace period, zero if it is not known.
func (p *pod) deadline() time.Time {
	switch {
	case p.live != nil && p.live.DeletionTimestamp != nil:
		return p.live.DeletionTimestamp.Time
	case !p.acceptedAt.IsZero():
		return p.acceptedAt.Add(p.Grace)
	}
	return time.Time{}
}

// grace is how long the kubelet gives it.
func (p *pod) grace() time.Duration {
	if p.live != nil && p.live.DeletionGracePeriodSeconds != nil {
		return time.Duration(*p.live.DeletionGracePeriodSeconds) * time.Second
	}
	return p.Grace
}

// needs says why it is left alone, and which option would change that.
func (p *pod) needs() string {
	switch p.Option {
	case drain.OptionEmptyDir:
		return "its emptyDir data would be lost: drain again with the option to delete that"
	case drain.OptionUnowned:
		return "nobody makes it again: drain again with the option to evict pods without an owner"
	}
	return firstOf(p.Why, "it may not go as it is")
}

// leaves reports whether the run is about this pod's going.
func (p *pod) leaves() bool { return p.Fate.Goes() || p.Fate == drain.Leaving }

// family is the StatefulSet whose pods go one at a time.
type familyKey struct{ namespace, controller string }

func (p *pod) family() (familyKey, bool) {
	ok := p.Owner.Kind == "StatefulSet" && p.Owner.Controller != "" && p.leaves()
	return familyKey{p.Namespace, p.Owner.Controller}, ok
}

// urgency orders the first attempts: pods that nothing is known to hold come first.
func (p *pod) urgency() int {
	return slices.Index([]drain.Fate{drain.Evict, drain.Waits, drain.Never}, p.Fate)
}

// controller is who makes a pod again, by name: the ReplicaSet, not the Deployment.
type controller struct{ namespace, kind, name string }

func controllerOf(o *corev1.Pod) *controller {
	for _, ref := range o.OwnerReferences {
		if ref.Controller != nil && *ref.Controller {
			return &controller{o.Namespace, ref.Kind, ref.Name}
		}
	}
	return nil
}

func isReady(o *corev1.Pod) bool {
	for _, c := range o.Status.Conditions {
		if c.Type == corev1.PodReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}
