package rollout

import (
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/internal/text"
)

// pace is in which order pods are replaced, and what that does to the service.
type pace struct {
	words  string
	outage string // why nothing serves for a while, "" if something does
	hard   bool   // the outage is certain, or lasts until a volume is free
	risk   string // why it may get stuck by itself, "" if there is no reason
	manual bool   // nothing happens until pods are deleted
}

func (w *workload) pace() pace {
	switch o := w.object.(type) {
	case *appsv1.Deployment:
		return w.deploymentPace(o)
	case *appsv1.StatefulSet:
		return w.statefulPace(o)
	case *appsv1.DaemonSet:
		return daemonPace(o)
	}
	return pace{}
}

func (w *workload) deploymentPace(d *appsv1.Deployment) pace {
	n := orOne(d.Spec.Replicas)
	if d.Spec.Strategy.Type == appsv1.RecreateDeploymentStrategyType {
		return pace{
			words:  fmt.Sprintf("Recreate: all %s end first, then new ones start", plural(int(n), "pod")),
			outage: w.name() + " is down from the end of its last pod until a new one is Ready: its strategy is Recreate", hard: n > 0,
		}
	}
	surge, missing := bounds(d.Spec.Strategy.RollingUpdate, int(n))
	p := pace{words: rollingWords(surge, missing, int(n))}
	switch {
	case n == 1 && surge == 0:
		p.outage, p.hard = w.name()+" is down while its only pod is replaced: it may have none too many", w.oneWriter
	case int(n) <= missing && n > 0:
		p.outage = fmt.Sprintf("%s may be down: all %s may be missing at once", w.name(), plural(int(n), "pod"))
	}
	if w.oneWriter && surge > 0 && n > 0 {
		p.risk = w.name() + " has a volume with one writer: a new pod on another node waits for ever for the old one to let it go"
	}
	return p
}

// rollingWords say what maxSurge and maxUnavailable come to.
func rollingWords(surge, missing, n int) string {
	switch {
	case missing == 0:
		return fmt.Sprintf("up to %s at a time, an old one ends when a new one is Ready", plural(surge, "new pod"))
	case surge == 0:
		return fmt.Sprintf("up to %s end at a time, new ones come after that", plural(missing, "old pod"))
	}
	return fmt.Sprintf("up to %s more and up to %s fewer than %s at a time", text.Count(surge), text.Count(missing), plural(n, "pod"))
}

// bounds resolves maxSurge and maxUnavailable of a Deployment (ResolveFenceposts in pkg/controller/deployment/util).
func bounds(r *appsv1.RollingUpdateDeployment, n int) (surge, missing int) {
	quarter := intstr.FromString("25%")
	s, m := &quarter, &quarter
	if r != nil && r.MaxSurge != nil {
		s = r.MaxSurge
	}
	if r != nil && r.MaxUnavailable != nil {
		m = r.MaxUnavailable
	}
	surge, _ = intstr.GetScaledValueFromIntOrPercent(s, n, true)
	missing, _ = intstr.GetScaledValueFromIntOrPercent(m, n, false)
	if surge == 0 && missing == 0 {
		missing = 1
	}
	return surge, missing
}

func (w *workload) statefulPace(s *appsv1.StatefulSet) pace {
	n := orOne(s.Spec.Replicas)
	if s.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType {
		return pace{words: "OnDelete: nothing happens until its pods are deleted", manual: true}
	}
	p := pace{words: "one pod at a time, the highest ordinal first, each when the one before is Ready"}
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil {
		if r.MaxUnavailable != nil {
			if many, err := intstr.GetScaledValueFromIntOrPercent(r.MaxUnavailable, int(n), true); err == nil && many > 1 {
				p.words = fmt.Sprintf("up to %d pods at a time, the highest ordinal first", many)
			}
		}
		if r.Partition != nil && *r.Partition > 0 {
			p.words += fmt.Sprintf("; ordinals below %d stay as they are (partition)", *r.Partition)
		}
	}
	if n == 1 && due(s) == 1 {
		p.outage, p.hard = w.name()+" is down while its only pod is replaced", w.oneWriter
	}
	return p
}

// due is how many pods of a StatefulSet its strategy replaces: those whose ordinals are not below the partition.
func due(s *appsv1.StatefulSet) int32 {
	n, start := orOne(s.Spec.Replicas), int32(0)
	if s.Spec.Ordinals != nil {
		start = s.Spec.Ordinals.Start
	}
	if r := s.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil {
		return max(0, n-max(0, *r.Partition-start))
	}
	return n
}

func daemonPace(d *appsv1.DaemonSet) pace {
	if d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType {
		return pace{words: "OnDelete: nothing happens until its pods are deleted", manual: true}
	}
	n := int(d.Status.DesiredNumberScheduled)
	one, none := intstr.FromInt32(1), intstr.FromInt32(0)
	missing, surge := &one, &none
	if r := d.Spec.UpdateStrategy.RollingUpdate; r != nil {
		if r.MaxUnavailable != nil {
			missing = r.MaxUnavailable
		}
		if r.MaxSurge != nil {
			surge = r.MaxSurge
		}
	}
	s, _ := intstr.GetScaledValueFromIntOrPercent(surge, n, true)
	m, _ := intstr.GetScaledValueFromIntOrPercent(missing, n, true)
	if s > 0 {
		return pace{words: fmt.Sprintf("on up to %s of %s at a time, the new pod first", text.Count(s), plural(n, "node"))}
	}
	return pace{words: fmt.Sprintf("on up to %s of %s at a time, the old pod first", text.Count(max(m, 1)), plural(n, "node"))}
}

// stands is how far a rollout is, as kubectl rollout status judges it (k8s.io/kubectl/pkg/polymorphichelpers/rollout_status.go)
// but for one case: a StatefulSet that is rolled back in the middle of a rollout has its current revision for its update
// revision at once, and kubectl calls it complete while pods of the other one are still there.
type stands struct {
	note  string
	done  bool
	stuck string // why the controller has given up, "" if it has not
}

func standing(o metav1.Object) stands {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return deploymentStands(o)
	case *appsv1.StatefulSet:
		return statefulStands(o)
	case *appsv1.DaemonSet:
		return daemonStands(o)
	}
	return stands{done: true}
}

// unseen is a change that the controller has not read yet.
var unseen = stands{note: "its controller has not seen the change yet"}

func deploymentStands(d *appsv1.Deployment) stands {
	n, st := orOne(d.Spec.Replicas), &d.Status
	if d.Generation > st.ObservedGeneration {
		return unseen
	}
	s := stands{note: fmt.Sprintf("%d of %d updated, %d available", st.UpdatedReplicas, n, st.AvailableReplicas)}
	if c := progressing(d); c != nil && c.Reason == timedOut {
		s.stuck = "no progress within its deadline: " + words(c.Message)
	}
	if old := st.Replicas - st.UpdatedReplicas; old > 0 {
		s.note += fmt.Sprintf(", %d old", old)
	}
	s.done = st.UpdatedReplicas >= n && st.Replicas <= st.UpdatedReplicas && st.AvailableReplicas >= st.UpdatedReplicas
	return s
}

// timedOut is the reason of a Deployment that has not come on within its progressDeadlineSeconds (TimedOutReason of
// pkg/controller/deployment/util).
const timedOut = "ProgressDeadlineExceeded"

func progressing(d *appsv1.Deployment) *appsv1.DeploymentCondition {
	for i := range d.Status.Conditions {
		if d.Status.Conditions[i].Type == appsv1.DeploymentProgressing {
			return &d.Status.Conditions[i]
		}
	}
	return nil
}

// givenUp is since when the controller of a Deployment says that it does not come on, nil if it does not say so.
func givenUp(o metav1.Object) *metav1.Time {
	if d, is := o.(*appsv1.Deployment); is {
		if c := progressing(d); c != nil && c.Reason == timedOut {
			return &c.LastUpdateTime
		}
	}
	return nil
}

func statefulStands(x *appsv1.StatefulSet) stands {
	n, st := orOne(x.Spec.Replicas), &x.Status
	switch {
	case x.Spec.UpdateStrategy.Type == appsv1.OnDeleteStatefulSetStrategyType:
		return stands{note: "nothing happens until its pods are deleted", done: true}
	case st.ObservedGeneration == 0 || x.Generation > st.ObservedGeneration:
		return unseen
	}
	s := stands{note: fmt.Sprintf("%d of %d updated, %d ready", st.UpdatedReplicas, n, st.ReadyReplicas)}
	if r := x.Spec.UpdateStrategy.RollingUpdate; r != nil && r.Partition != nil && *r.Partition > 0 {
		s.done = st.ReadyReplicas >= n && st.UpdatedReplicas >= due(x)
		return s
	}
	s.done = st.ReadyReplicas >= n && st.UpdatedReplicas >= n && st.UpdateRevision == st.CurrentRevision
	return s
}

func daemonStands(d *appsv1.DaemonSet) stands {
	st := &d.Status
	switch {
	case d.Spec.UpdateStrategy.Type == appsv1.OnDeleteDaemonSetStrategyType:
		return stands{note: "nothing happens until its pods are deleted", done: true}
	case d.Generation > st.ObservedGeneration:
		return unseen
	}
	return stands{
		note: fmt.Sprintf("%d of %d updated, %d available", st.UpdatedNumberScheduled, st.DesiredNumberScheduled, st.NumberAvailable),
		done: st.UpdatedNumberScheduled >= st.DesiredNumberScheduled && st.NumberAvailable >= st.DesiredNumberScheduled,
	}
}
