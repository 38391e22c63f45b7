package evict

import (
	"context"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// lookEvery is how often a pod is looked at whose replacement another pod waits for.
const lookEvery = 2 * time.Second

// holder gives the pod of the same StatefulSet that p has to wait for, nil if there is none: one that is on its way out, or
// whose replacement is not Ready, or that goes before it.
func (r *run) holder(p *pod) *pod {
	key, ok := p.family()
	if !ok {
		return nil
	}
	for _, q := range r.families[key] {
		switch {
		case q == p:
		case q.posting || q.unsure || !q.state.Ended() && q.going():
			return q
		case q.state == action.StepGone && !q.back:
			return q
		case q.place < p.place && !q.state.Ended():
			return q
		}
	}
	return nil
}

// askWhetherBack looks at the replacements that somebody waits for.
func (r *run) askWhetherBack(ctx context.Context, now time.Time) {
	for _, p := range r.pods {
		if p.state.Ended() || p.node.phase != draining {
			continue
		}
		q := r.holder(p)
		switch {
		case q == nil || q.state != action.StepGone || q.looking:
		case now.Before(q.lookAt):
			r.wake(q.lookAt)
		default:
			r.lookWhetherBack(ctx, q)
		}
	}
}

func (r *run) lookWhetherBack(ctx context.Context, q *pod) {
	q.looking = true
	r.beside(ctx, "look at replacement", func(ctx context.Context) func(time.Time) {
		o, err := r.read(ctx, q)
		return func(now time.Time) {
			q.looking = false
			q.lookAt = now.Add(lookEvery)
			q.back, q.status = whetherBack(q, o, err)
		}
	})
}

// whetherBack tells whether a pod has been replaced by one that is Ready, and how it stands if it has not.
func whetherBack(q *pod, o *corev1.Pod, err error) (back bool, status string) {
	switch {
	case err != nil && judge(err, q.Name).verdict == absent:
		return false, "not made again yet"
	case err != nil:
		return false, "not known: " + quote(kube.Explain(err).Sentence)
	case string(o.UID) == q.UID:
		return false, "not gone yet"
	case o.DeletionTimestamp == nil && isReady(o):
		return true, ""
	}
	word, _, _, _, _ := kube.PodStatus(o)
	return false, text.Clean(word)
}

// waitFor looks at the pods that are going: whether they are overdue, and whether there is anybody to say that they are
// gone.
func (r *run) waitFor(now time.Time) {
	for _, p := range r.pods {
		if p.state.Ended() || !p.going() || p.posting {
			continue
		}
		silent := r.silent(p.node) && !r.plan.Settings.Hanging
		if silent && !p.node.Ready && r.allGoing(p.node) {
			r.unwatched(p, now)
			continue
		}
		deadline := p.deadline()
		if deadline.IsZero() {
			continue
		}
		if stuck := deadline.Add(overdue); now.Before(stuck) {
			r.wake(stuck)
			continue
		}
		p.to(action.StepStuck, now)
		if silent {
			r.unwatched(p, now)
		}
	}
}

// unwatched ends the wait for a pod whose end nobody confirms.
func (r *run) unwatched(p *pod, now time.Time) {
	p.end(action.StepAccepted, "accepted; nobody confirms it: the kubelet of "+p.node.Name+" is silent", now)
}

// silent reports whether nobody on the node confirms that a pod has gone: as of now, or as of the plan.
func (r *run) silent(n *node) bool {
	if state, known := r.cluster.Moment().Nodes[n.Name]; known {
		return !state.Ready
	}
	return !n.Ready
}

// allGoing reports whether every pod of a node that is to go has been accepted.
func (r *run) allGoing(n *node) bool {
	for _, p := range r.pods {
		if p.node == n && !p.state.Ended() && (p.posting || !p.going()) {
			return false
		}
	}
	return true
}

// held says why a pod is still there although its grace period is over: from what the object and its node say.
func (r *run) held(p *pod) []string {
	o := p.live
	switch {
	case o == nil:
		return []string{"Nothing is known of it since the server accepted its eviction."}
	case len(o.Finalizers) > 0 && p.grace() == 0:
		return []string{
			"Held by the " + one(len(o.Finalizers), "finalizer ", "finalizers ") + quote(strings.Join(o.Finalizers, ", ")) +
				"; the kubelet has let go of it.",
			"Whoever has set it has to remove it.",
		}
	case r.silent(p.node):
		return []string{
			"The kubelet of " + p.node.Name + " does not report: nobody confirms that its containers have ended.",
			"Force delete, the taint node.kubernetes.io/out-of-service or deleting the node would end it; none of these is done unasked.",
		}
	}
	if running := stillRunning(o); running != "" {
		return []string{
			"Still running after the grace period: " + running + ".",
			"The events of the pod (FailedKillPod, FailedUnmount) and the kubelet's log say more; look before anything is forced.",
		}
	}
	if len(o.Finalizers) > 0 {
		return []string{
			"Its containers do not hold it; finalizers do: " + quote(strings.Join(o.Finalizers, ", ")) + ".",
			"Whoever has set them has to remove them.",
		}
	}
	return []string{
		"All its containers have ended: volumes may not be unmounted yet.",
		"kubectl get volumeattachments shows what is still attached to " + p.node.Name + ".",
	}
}

// stillRunning names the containers of a pod that run.
func stillRunning(o *corev1.Pod) string {
	var names []string
	for _, statuses := range [][]corev1.ContainerStatus{o.Status.InitContainerStatuses, o.Status.ContainerStatuses} {
		for _, c := range statuses {
			if c.State.Running != nil {
				names = append(names, text.Clean(c.Name))
			}
		}
	}
	return strings.Join(names, ", ")
}
