package drain

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

// maxDisrupted is how many evictions a budget remembers at most (MaxDisruptedPodSize of EvictionREST).
const maxDisrupted = 2000

// hopeless is how long a pod is not ready before nobody waits for it to recover by itself.
const hopeless = 5 * time.Minute

// ledger is what budgets would still allow as a plan goes on. It asks as EvictionREST.Create does
// (pkg/registry/core/pod/storage/eviction.go), in the order of the plan.
type ledger struct {
	facts *facts
	now   time.Time
	left  map[*budget]int32
	taken map[*budget]string // the pod that was let go last
}

func newLedger(f *facts, now time.Time) *ledger {
	l := &ledger{facts: f, now: now, left: map[*budget]int32{}, taken: map[*budget]string{}}
	for _, list := range f.budgets {
		for _, b := range list {
			l.left[b] = b.Status.DisruptionsAllowed
		}
	}
	return l
}

// ask gives the fate of a pod that some budgets select, and why it is not let go.
func (l *ledger) ask(pod *corev1.Pod, budgets []*budget) (Fate, Block, string) {
	switch len(budgets) {
	case 0:
		return Evict, NoBlock, ""
	case 1:
		return l.askOne(pod, budgets[0])
	}
	var names []string
	for _, b := range budgets {
		names = append(names, b.Name)
	}
	return Never, NoBlock, fmt.Sprintf("%s select it: the server refuses to evict a pod of more than one budget", text.And(names))
}

func (l *ledger) askOne(pod *corev1.Pod, b *budget) (Fate, Block, string) {
	s := &b.Status
	if !ready(pod) && !protectsUnhealthy(b) {
		return Evict, NoBlock, ""
	}
	why, failed := syncFailed(b)
	switch {
	case failed && s.ObservedGeneration == 0: // it has never succeeded, and the server says for ever that it is being processed
		return Never, Unsynced, why + ": waiting does not help"
	case failed:
		return Waits, Unsynced, why
	case s.ObservedGeneration < b.Generation:
		return Waits, Unsynced, b.Name + " is new or changed, and its controller has not looked at it yet"
	case s.DisruptionsAllowed < 0:
		return Waits, Unsynced, fmt.Sprintf("%s allows %d, which cannot be: its controller has to mend it", b.Name, s.DisruptionsAllowed)
	case len(s.DisruptedPods) > maxDisrupted:
		return Waits, Unsynced, fmt.Sprintf("%s remembers %s evictions: its controller has to catch up", b.Name, text.Count(len(s.DisruptedPods)))
	case l.left[b] > 0:
		l.left[b]--
		l.taken[b] = pod.Name
		return Evict, NoBlock, ""
	case s.DisruptionsAllowed > 0:
		return Waits, Shared, fmt.Sprintf("%s allows %d at a time: after %s", b.Name, s.DisruptionsAllowed, l.taken[b])
	}
	return l.zero(pod, b)
}

// protectsUnhealthy reports whether a pod that is not ready needs the budget's leave (KEP-3017).
func protectsUnhealthy(b *budget) bool {
	if p := b.Spec.UnhealthyPodEvictionPolicy; p != nil && *p == policyv1.AlwaysAllow {
		return false
	}
	return b.Status.CurrentHealthy < b.Status.DesiredHealthy || b.Status.DesiredHealthy <= 0
}

// syncFailed reports whether the controller of a budget could not work out what it allows, and says why. It then allows
// nothing, and keeps its old observedGeneration (failSafe in pkg/controller/disruption/disruption.go).
func syncFailed(b *budget) (string, bool) {
	c := meta.FindStatusCondition(b.Status.Conditions, policyv1.DisruptionAllowedCondition)
	if c == nil || c.Status != metav1.ConditionFalse || c.Reason != policyv1.SyncFailedReason {
		return "", false
	}
	return fmt.Sprintf("%s allows 0: its controller cannot work it out (%s)", b.Name, words(c.Message)), true
}

// zero says why a budget allows nothing, and whether waiting helps.
func (l *ledger) zero(pod *corev1.Pod, b *budget) (Fate, Block, string) {
	s := &b.Status
	if s.ExpectedPods <= 0 {
		return Waits, Unsynced, b.Name + " allows 0: its controller counts no pods for it"
	}
	counts := fmt.Sprintf("%s allows 0: %d healthy, needs %d", b.Name, s.CurrentHealthy, s.DesiredHealthy)
	if s.DesiredHealthy >= s.ExpectedPods {
		return Never, Structural, fmt.Sprintf("%s of %d: waiting does not help", counts, s.ExpectedPods)
	}
	sick := l.sick(pod, b)
	if why, ok := l.deadlock(b, sick); ok {
		return Never, Deadlock, counts + "; " + why
	}
	if len(sick) > 0 {
		return Waits, Transient, fmt.Sprintf("%s (%s)", counts, state(sick))
	}
	return Waits, Transient, counts
}

// sick gives the pods of a budget that do not count as healthy, as far as they are known.
func (l *ledger) sick(pod *corev1.Pod, b *budget) []*corev1.Pod {
	peers := b.peers
	if peers == nil {
		for _, n := range l.facts.nodes {
			peers = append(peers, n.pods...)
		}
	}
	var out []*corev1.Pod
	for _, p := range peers {
		if b.selects(p) && !finished(p) && (!ready(p) || p.DeletionTimestamp != nil) {
			out = append(out, p)
		}
	}
	if len(out) == 0 && !ready(pod) {
		out = append(out, pod)
	}
	return out
}

// deadlock reports whether a budget waits for pods that the drain would have to evict, that do not recover, and that the
// budget itself protects: the drain and the budget then wait for each other.
func (l *ledger) deadlock(b *budget, sick []*corev1.Pod) (string, bool) {
	if len(sick) == 0 || !protectsUnhealthy(b) || b.Status.DesiredHealthy <= 0 {
		return "", false
	}
	for _, p := range sick {
		if p.DeletionTimestamp != nil || p.Status.Phase == corev1.PodPending || !l.facts.planned(p.Spec.NodeName) || !l.hopeless(p) {
			return "", false
		}
	}
	return fmt.Sprintf("%s here, and the budget protects what is not ready too: delete it, or set unhealthyPodEvictionPolicy AlwaysAllow",
		state(sick)), true
}

// giveUp are the reasons for which a container waits that do not go away in a moment.
var giveUp = map[string]bool{
	"CrashLoopBackOff": true, "ImagePullBackOff": true, "ErrImagePull": true, "InvalidImageName": true,
	"CreateContainerConfigError": true, "CreateContainerError": true, "RunContainerError": true,
}

// hopeless reports whether nobody would wait for a pod that is not ready.
func (l *ledger) hopeless(pod *corev1.Pod) bool {
	for i := range pod.Status.ContainerStatuses {
		if w := pod.Status.ContainerStatuses[i].State.Waiting; w != nil && giveUp[w.Reason] {
			return true
		}
	}
	c := readyCondition(pod)
	return c != nil && !c.LastTransitionTime.IsZero() && l.now.Sub(c.LastTransitionTime.Time) > hopeless
}

// state says of at most two pods that they are not well: "cart-2 is not ready".
func state(pods []*corev1.Pod) string {
	var parts []string
	for i, p := range pods {
		if i == 2 {
			parts = append(parts, fmt.Sprintf("%d more", len(pods)-i))
			break
		}
		word := "is not ready"
		if p.DeletionTimestamp != nil {
			word = "is terminating"
		}
		parts = append(parts, p.Name+" "+word)
	}
	return strings.Join(parts, ", ")
}

// numbers are the budgets of a pod as its plan keeps them.
func numbers(budgets []*budget, block Block) []Budget {
	var out []Budget
	for _, b := range budgets {
		s := &b.Status
		out = append(out, Budget{
			Name: b.Name, Allowed: int(s.DisruptionsAllowed), Healthy: int(s.CurrentHealthy), Desired: int(s.DesiredHealthy),
			Expected: int(s.ExpectedPods), Block: block,
		})
	}
	return out
}
