package scale

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"ktriage/internal/safe"
	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	// patience is how long nothing happens before it is called blocked.
	patience = time.Minute
	// late is how long after its grace period a pod is called stuck.
	late = 30 * time.Second
	// unseenFor is how long the controller of a workload may take to see its number before that is told.
	unseenFor = 10 * time.Second
	// askWhy is how long a pod is not made before its controller's events are asked for, and how often.
	askWhy = 5 * time.Second
)

// versionOf is a resourceVersion as a number: they can be compared (KEP-5504). 0 is not known.
func versionOf(s string) uint64 {
	n, err := strconv.ParseUint(s, 10, 64)
	if err != nil {
		return 0
	}
	return n
}

// look brings the steps of an item up to date with what the watches have told.
func (r *run) look(i *item, now time.Time) {
	if i.phase != settles {
		r.report(i.head)
		return
	}
	o, listed := r.objects[objectsOf{i.w.Ref.Kind, i.w.Ref.Namespace}].get(i.w.Ref.UID)
	pods, read := r.live(i.w)
	switch {
	case !listed || !read:
		if r.objects[objectsOf{i.w.Ref.Kind, i.w.Ref.Namespace}].forbidden() || r.pods[i.w.Ref.Namespace].forbidden() {
			r.stop(i, "you may not watch what comes of it", now)
		}
		return
	case o == nil:
		i.void = true
		r.stop(i, "it was deleted meanwhile", now)
		return
	}
	state := standingOf(o)
	i.seen = i.seen || state.replicas == i.w.To
	if v := versionOf(o.GetResourceVersion()); state.replicas != i.w.To && (i.seen || i.version > 0 && v > i.version) {
		i.void = true
		r.stop(i, fmt.Sprintf("another has set it to %d since", state.replicas), now)
		return
	}
	if o.GetDeletionTimestamp() != nil {
		i.head.Note, i.head.Severity = "accepted; it is being deleted meanwhile", kube.Warning
	}
	if i.w.Policy != "" {
		r.lookOrdinals(i, o.(*appsv1.StatefulSet), pods, now)
	} else {
		r.lookReplicas(i, pods, state, now)
	}
	r.lookClaims(i, o, now)
	i.await(state, now)
	switch {
	case !state.seen || !i.seen:
	case i.settled(state, pods):
		i.finish(action.StepDone, now)
	case i.happened() && state.there == i.w.To && now.Sub(i.moved) >= patience:
		r.stop(i, fmt.Sprintf("%d of %d Ready%s", state.ready, i.w.To, illOf(pods, now)), now)
		return
	}
	i.tellAll(r)
}

// await says that nothing happens because the controller has not seen the number: then no pod waits for another.
func (i *item) await(s standing, now time.Time) {
	late := now.Sub(i.head.Since)
	if s.seen || !i.seen || late < unseenFor {
		if i.unseen != "" {
			i.unseen, i.head.Note, i.head.Severity = "", i.accepted(), kube.OK
		}
		return
	}
	i.unseen = fmt.Sprintf("the controller has not seen the number yet (for %s): is kube-controller-manager well?", text.Age(now, i.head.Since))
	i.head.Note, i.head.Severity = "accepted; "+i.unseen, kube.Warning
	for _, p := range i.pods {
		if p.step.State == action.StepWaits || p.step.State == action.StepBlocked {
			p.step.Note = i.unseen
		}
	}
}

// illOf names the pods that are not well.
func illOf(pods []*corev1.Pod, now time.Time) string {
	var ill []string
	for _, p := range pods {
		if well, state := wellness(p, 0, now); !well && active(p) {
			ill = append(ill, text.Clean(p.Name)+" "+state)
		}
	}
	if len(ill) == 0 {
		return ""
	}
	slices.Sort(ill)
	return ": " + text.Some(ill, 2)
}

// happened reports whether all that the plan names has come to its end.
func (i *item) happened() bool {
	return !slices.ContainsFunc(slices.Concat(i.pods, i.claims), func(p *part) bool { return !p.step.State.Ended() })
}

// standing is what the status of a workload says.
type standing struct {
	replicas                int32 // wanted
	there, ready, available int32
	seen                    bool   // by its controller, as it is now
	failure                 string // why pods cannot be made
}

func standingOf(o metav1.Object) standing {
	switch o := o.(type) {
	case *appsv1.StatefulSet:
		return standing{number(o.Spec.Replicas), o.Status.Replicas, o.Status.ReadyReplicas, o.Status.AvailableReplicas,
			o.Status.ObservedGeneration >= o.Generation, ""}
	case *appsv1.Deployment:
		s := standing{number(o.Spec.Replicas), o.Status.Replicas, o.Status.ReadyReplicas, o.Status.AvailableReplicas,
			o.Status.ObservedGeneration >= o.Generation, ""}
		for _, c := range o.Status.Conditions {
			if c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue {
				s.failure = words(c.Message)
			}
		}
		return s
	case *appsv1.ReplicaSet:
		s := standing{number(o.Spec.Replicas), o.Status.Replicas, o.Status.ReadyReplicas, o.Status.AvailableReplicas,
			o.Status.ObservedGeneration >= o.Generation, ""}
		for _, c := range o.Status.Conditions {
			if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
				s.failure = words(c.Message)
			}
		}
		return s
	}
	return standing{}
}

// settled reports whether all that the number asks for has happened.
func (i *item) settled(s standing, pods []*corev1.Pod) bool {
	if !i.happened() || s.there != i.w.To || !i.w.down() && (s.ready != i.w.To || s.available != i.w.To) {
		return false
	}
	return i.w.Policy != "" || count(pods, holds) <= int(i.w.To)
}

// holds reports whether a pod is still there for its ReplicaSet: one that has ended is not, and stays for the garbage
// collector.
func holds(p *corev1.Pod) bool { return active(p) || p.DeletionTimestamp != nil }

func count(pods []*corev1.Pod, is func(*corev1.Pod) bool) int {
	n := 0
	for _, p := range pods {
		n += boolInt(is(p))
	}
	return n
}

// stop ends an item whose end cannot come any more.
func (r *run) stop(i *item, why string, now time.Time) {
	i.stopped = why
	i.finish(action.StepAccepted, now)
	i.head.Note, i.head.Severity = why, kube.Warning
	for _, p := range slices.Concat(i.pods, i.claims) {
		if !p.step.State.Ended() {
			p.step.State, p.step.Note, p.step.Since = action.StepAccepted, why, now
		}
	}
	i.tellAll(r)
}

// becomes gives a part a state, and keeps since when it has it.
func (i *item) becomes(p *part, state action.StepState, note string, now time.Time) {
	if p.step.State != state {
		if state != action.StepBlocked && p.step.State != action.StepBlocked {
			i.moved = now
		}
		p.step.State, p.step.Since = state, now
	}
	p.step.Note = note
}

// held is the state of something that waits: blocked once nothing has happened for a while, or if the plan has said so.
func (i *item) held(now time.Time) action.StepState {
	if i.w.Blocked != nil || now.Sub(i.moved) >= patience {
		return action.StepBlocked
	}
	return action.StepWaits
}

// lookOrdinals looks at the pods of a StatefulSet: what has gone, what is going, and whom the others wait for.
func (r *run) lookOrdinals(i *item, set *appsv1.StatefulSet, pods []*corev1.Pod, now time.Time) {
	live := Workload{To: i.w.To}
	live.ordinals(set, pods, now)
	byName := map[string]*corev1.Pod{}
	for _, p := range pods {
		byName[text.Clean(p.Name)] = p
	}
	before := ""
	for _, p := range i.pods {
		name := p.step.Object.Name
		pod := byName[name]
		switch {
		case p.made:
			r.lookComing(i, p, pod, &live, set, before, now)
		case pod == nil, string(pod.UID) != p.step.Object.UID:
			i.becomes(p, action.StepGone, "", now)
		case pod.DeletionTimestamp != nil:
			i.terminating(p, pod, now)
		default:
			i.waitsFor(p, &live, "removing", before, now)
		}
		if !p.step.State.Ended() {
			before = name
		}
	}
}

// waitsFor says what keeps a pod from going, or from being made.
func (i *item) waitsFor(p *part, live *Workload, doing, before string, now time.Time) {
	p.step.Until = time.Time{}
	if b := live.Blocked; b != nil && before == "" && !slices.Contains(b.Goes, p.step.Object.Name) && !slices.Contains(b.Comes, p.step.Object.Name) {
		i.becomes(p, i.held(now), fmt.Sprintf("waiting for %s to be Running and Ready before %s %s (%s): %s", b.By, doing,
			p.step.Object.Name, text.Age(now, i.moved), b.Why), now)
		return
	}
	note := "next"
	if before != "" && live.Policy == appsv1.OrderedReadyPodManagement {
		note = "after " + before
	}
	state := action.StepWaits
	if before == "" && now.Sub(i.moved) >= patience {
		state = action.StepBlocked
	}
	i.becomes(p, state, note, now)
}

// terminating says how long a pod has left to go, or that it should have gone.
func (i *item) terminating(p *part, pod *corev1.Pod, now time.Time) {
	due := pod.DeletionTimestamp.Time
	p.step.Until = due
	if now.After(due.Add(late)) {
		note := "should have gone " + text.Age(now, due) + " ago"
		if len(pod.Finalizers) > 0 {
			note += ": finalizer " + words(strings.Join(pod.Finalizers, ", "))
		} else if pod.Spec.NodeName != "" {
			note += ": " + words(pod.Spec.NodeName) + " has not confirmed that it has stopped"
		}
		i.becomes(p, action.StepStuck, note, now)
		return
	}
	i.becomes(p, action.StepTerminating, "", now)
}

// lookComing looks at a pod that is made.
func (r *run) lookComing(i *item, p *part, pod *corev1.Pod, live *Workload, set *appsv1.StatefulSet, before string, now time.Time) {
	if pod == nil {
		p.step.Object.UID = ""
		i.waitsFor(p, live, "making", before, now)
		if live.Blocked == nil && before == "" {
			r.why(i, now)
			if hint, _ := i.hint.Load().(string); hint != "" && now.Sub(i.moved) > askWhy {
				p.step.Note = hint
			}
		}
		return
	}
	p.step.Object.UID = string(pod.UID)
	i.coming(p, pod, set.Spec.MinReadySeconds, now)
}

// coming says how far a new pod is.
func (i *item) coming(p *part, pod *corev1.Pod, minReady int32, now time.Time) {
	well, state := wellness(pod, minReady, now)
	if well {
		p.step.Why = nil
		i.becomes(p, action.StepDone, "Ready on "+words(pod.Spec.NodeName), now)
		return
	}
	p.step.Why = kube.NewPod(pod).Diagnosis(kube.Moment{Now: now})
	note := state
	if c := condition(pod, corev1.PodScheduled); c != nil && c.Status == corev1.ConditionFalse {
		note = "Pending: " + words(c.Message)
	}
	held := action.StepProgressing
	if now.Sub(cmp.Or(pod.CreationTimestamp.Time, i.moved)) >= patience && now.Sub(i.moved) >= patience {
		held = action.StepBlocked
	}
	i.becomes(p, held, note, now)
}

// why asks for the newest event about a pod that the controller could not make.
func (r *run) why(i *item, now time.Time) {
	if now.Sub(i.moved) < askWhy || now.Sub(i.hinted) < askWhy {
		return
	}
	i.hinted = now
	ref := i.w.Ref
	told := r.objects[objectsOf{ref.Kind, ref.Namespace}].changed
	safe.Go("scale events", func() {
		ctx, stop := context.WithTimeout(r.life, openLimit)
		defer stop()
		l, err := r.cluster.Client().CoreV1().Events(ref.Namespace).List(ctx, metav1.ListOptions{
			FieldSelector: fields.Set{"involvedObject.uid": ref.UID, "type": corev1.EventTypeWarning}.String(), Limit: page,
		})
		if err != nil {
			return
		}
		var newest *corev1.Event
		for k := range l.Items {
			if newest == nil || newest.LastTimestamp.Before(&l.Items[k].LastTimestamp) {
				newest = &l.Items[k]
			}
		}
		if newest != nil {
			i.hint.Store(words(newest.Reason + ": " + newest.Message))
			told()
		}
	})
}

// lookReplicas looks at the pods of a Deployment or a ReplicaSet: a step for each that comes or goes, as it does.
func (r *run) lookReplicas(i *item, pods []*corev1.Pod, s standing, now time.Time) {
	known := map[string]*part{}
	for _, p := range i.pods {
		known[p.step.Object.UID] = p
	}
	old, there := map[string]bool{}, map[string]bool{}
	for _, m := range i.w.Members {
		old[m.UID] = true
	}
	part := func(name, uid string, made bool) *part {
		p := known[uid]
		if p == nil {
			p = newPart(kube.Ref{Kind: kube.Pods, Namespace: i.w.Ref.Namespace, Name: text.Clean(name), UID: uid}, made, now, r.next())
			i.pods = append(i.pods, p)
		}
		return p
	}
	for _, pod := range pods {
		uid := string(pod.UID)
		there[uid] = true
		switch {
		case pod.DeletionTimestamp != nil:
			i.terminating(part(pod.Name, uid, false), pod, now)
		case !old[uid] && !active(pod):
			i.becomes(part(pod.Name, uid, true), action.StepFailed, "ended: another is made in its place", now)
		case !old[uid]:
			i.coming(part(pod.Name, uid, true), pod, 0, now)
		}
	}
	for _, m := range i.w.Members {
		if !there[m.UID] {
			i.becomes(part(m.Name, m.UID, false), action.StepGone, "", now)
		}
	}
	for uid, p := range known {
		if !there[uid] && !p.step.State.Ended() {
			i.becomes(p, action.StepGone, "", now)
		}
	}
	i.head.Note, i.head.Severity = fmt.Sprintf("accepted: %d to %d", i.w.From, i.w.To), kube.OK
	if s.failure != "" {
		i.head.Note, i.head.Severity = "accepted; pods cannot be made: "+s.failure, kube.Warning
	}
}

func newPart(ref kube.Ref, made bool, now time.Time, place int) *part {
	return &part{made: made, step: action.Step{Object: ref, State: action.StepWaits, Since: now, Place: place, Follows: true}}
}

// lookClaims looks at the claims that go with pods.
func (r *run) lookClaims(i *item, o metav1.Object, now time.Time) {
	if len(i.claims) == 0 {
		return
	}
	f := r.claims[i.w.Ref.Namespace]
	for _, p := range i.claims {
		found, listed := f.get(p.claim.UID)
		switch gone := i.gone(p.claim.Pod); {
		case p.step.State.Ended():
		case f.forbidden():
			i.becomes(p, action.StepAccepted, "you may not watch claims", now)
		case !listed:
		case found == nil:
			i.becomes(p, action.StepGone, "", now)
		case found.GetDeletionTimestamp() != nil:
			i.becomes(p, action.StepTerminating, "", now)
		case gone && !deletes(o.(*appsv1.StatefulSet)) && !ownedByAPod(found.GetOwnerReferences()):
			i.becomes(p, action.StepStays, staysNow, now)
		case gone:
			state := action.StepWaits
			if now.Sub(i.moved) >= patience {
				state = action.StepBlocked
			}
			i.becomes(p, state, "its pod has gone; the garbage collector deletes it", now)
		default:
			i.becomes(p, action.StepWaits, willGo(p.claim, found, o.(*appsv1.StatefulSet)), now)
		}
	}
}

// staysNow is said of a claim that the plan has going, and that nothing takes away any more.
const staysNow = "stays: " + nowRetain

// willGo says whether a claim goes with its pod, as policy and owners are now.
func willGo(c Claim, found metav1.Object, set *appsv1.StatefulSet) string {
	switch {
	case deletes(set):
		return "goes with " + c.Pod
	case ownedByAPod(found.GetOwnerReferences()):
		return "goes with " + c.Pod + " still: " + nowRetain + ", its controller has not let go of it"
	}
	return staysNow
}

// gone reports whether a pod of the plan has gone.
func (i *item) gone(pod string) bool {
	return slices.ContainsFunc(i.pods, func(p *part) bool { return p.step.Object.Name == pod && p.step.State == action.StepGone })
}
