package remove

import (
	"context"
	"fmt"
	"strconv"
	"strings"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// owner is who makes a pod again.
type owner struct {
	kind, name string // sanitised: the Deployment behind a ReplicaSet, if there is one
	uid        string

	controller, controllerName string // the pod's own, as rows have it

	ready, want int
	start       int // the first ordinal of a StatefulSet
	known       bool
	service     string // of a StatefulSet
	gone        bool   // it does not exist any more, or is another one of that name
	deleting    bool
	over        bool // a Job that has ended
	paused      bool // a Job that is suspended
	failed      int  // pods of a Job that count as failed
	limit       int  // of those
	late        bool // a Job that replaces a pod only when that is gone
}

// text is the owner in few words: "StatefulSet cart 2/3".
func (o owner) text() string {
	if o.kind == "" {
		return "none"
	}
	out := o.kind + " " + o.name
	switch {
	case o.gone:
		out += ", which does not exist"
	case o.known && o.kind != "Job":
		out += fmt.Sprintf(" %d/%d", o.ready, o.want)
	}
	return out
}

// ordinal is the number of a pod of a StatefulSet, -1 if its name has none.
func ordinal(name string) int {
	n, err := strconv.Atoi(name[strings.LastIndexByte(name, '-')+1:])
	if err != nil || n < 0 {
		return -1
	}
	return n
}

// comeback is what takes the place of a pod that is gone.
type comeback string

// The ways in which pods come back. They are in the audit log.
const (
	sameName  comeback = "same name"  // a StatefulSet, once it is gone
	otherName comeback = "other name" // a ReplicaSet, at once
	afterGone comeback = "after it"   // a DaemonSet on the same node, or a Job, once it is gone
	perhaps   comeback = "not known"  // the controller is not known here
	never     comeback = "not at all"
)

// returns says what takes the place of a pod that is deleted, and in words when and where
// (pkg/controller/{statefulset,replicaset,daemon,job} of Kubernetes).
func (f *facts) returns(v *victim) (comeback, string) {
	o := f.owner(v)
	switch {
	case f.closing(v):
		return never, "its namespace is being deleted"
	case v.static():
		return sameName, "static: its kubelet makes it again at once, from its file"
	case o.kind == "":
		return never, "no owner: gone for good"
	case o.gone:
		return never, "its " + o.kind + " is gone: nobody makes it again"
	case o.deleting:
		return never, "its " + o.kind + " is being deleted"
	}
	switch o.controller {
	case "StatefulSet":
		return o.ofSet(v)
	case "DaemonSet":
		return afterGone, "another name, same node, once it is gone"
	case "ReplicaSet", "ReplicationController":
		switch {
		case v.finished():
			return never, "it has ended: only the object goes"
		case o.known && o.want == 0:
			return never, "its " + o.kind + " wants 0"
		}
		return otherName, "another name, at once"
	case "Job":
		return o.ofJob(v)
	}
	return perhaps, "that is for its " + o.kind + " to say"
}

func (o owner) ofSet(v *victim) (comeback, string) {
	n := ordinal(v.Name)
	if o.known && n >= 0 && (n < o.start || n >= o.start+o.want) {
		return never, fmt.Sprintf("beyond the %s of its set", many(o.want, "replica"))
	}
	if len(v.claims()) > 0 {
		return sameName, "same name, same claims, once it is gone"
	}
	return sameName, "same name, once it is gone"
}

func (o owner) ofJob(v *victim) (comeback, string) {
	switch {
	case v.Status.Phase == corev1.PodSucceeded, o.over:
		return never, "it has ended: only the object goes"
	case o.paused:
		return never, "its Job is suspended"
	case o.known && o.limit >= 0 && o.failed >= o.limit:
		return never, fmt.Sprintf("its Job fails: back-off limit %d is used up", o.limit)
	}
	when := "at once"
	if o.late {
		when = "once it is gone"
	}
	out := "another name, " + when + "; its work starts again"
	if o.known {
		out += fmt.Sprintf(", counts as failure %d of %d", o.failed+1, o.limit+1)
	}
	if o.late {
		return afterGone, out
	}
	return otherName, out
}

// readOwner reads the controller of pods, and the Deployment behind a ReplicaSet.
func (r *reader) readOwner(ctx context.Context, ns string, ref *metav1.OwnerReference) {
	o := owner{kind: words(ref.Kind), name: words(ref.Name), uid: string(ref.UID), controller: ref.Kind, controllerName: ref.Name}
	err := r.count(ctx, ns, ref, &o)
	if apierrors.IsNotFound(err) {
		o.gone = true
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts.owners[ref.UID] = o
	if err != nil && !o.gone {
		r.unread.Note(owners, ns, err)
	}
}

// count reads how an owner stands. A kind that is not known here has no numbers.
func (r *reader) count(ctx context.Context, ns string, ref *metav1.OwnerReference, o *owner) error {
	get := metav1.GetOptions{}
	switch ref.APIVersion + " " + ref.Kind {
	case "apps/v1 ReplicaSet":
		return r.countReplicaSet(ctx, ns, ref, o)
	case "apps/v1 StatefulSet":
		s, err := r.client.AppsV1().StatefulSets(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.set(&s.ObjectMeta, ref.UID, s.Status.ReadyReplicas, s.Spec.Replicas)
		o.service = words(s.Spec.ServiceName)
		if s.Spec.Ordinals != nil {
			o.start = int(s.Spec.Ordinals.Start)
		}
	case "apps/v1 DaemonSet":
		s, err := r.client.AppsV1().DaemonSets(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.set(&s.ObjectMeta, ref.UID, s.Status.NumberReady, &s.Status.DesiredNumberScheduled)
	case "batch/v1 Job":
		s, err := r.client.BatchV1().Jobs(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.setJob(s, ref.UID)
	case "v1 ReplicationController":
		s, err := r.client.CoreV1().ReplicationControllers(ns).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.set(&s.ObjectMeta, ref.UID, s.Status.ReadyReplicas, s.Spec.Replicas)
	}
	return nil
}

func (r *reader) countReplicaSet(ctx context.Context, ns string, ref *metav1.OwnerReference, o *owner) error {
	s, err := r.client.AppsV1().ReplicaSets(ns).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	o.set(&s.ObjectMeta, ref.UID, s.Status.ReadyReplicas, s.Spec.Replicas)
	above := metav1.GetControllerOf(s)
	if above == nil || o.gone || above.Kind != "Deployment" || above.APIVersion != appsv1.SchemeGroupVersion.String() {
		return nil
	}
	d, err := r.client.AppsV1().Deployments(ns).Get(ctx, above.Name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil // the ReplicaSet outlives it for a moment, or was orphaned, and makes pods by itself
	}
	if err != nil {
		return err
	}
	deleting := o.deleting
	o.kind, o.name = "Deployment", words(d.Name)
	o.uid = string(d.UID)
	if want := o.want; want > 0 { // a ReplicaSet of an old revision makes no pods
		o.set(&d.ObjectMeta, above.UID, d.Status.ReadyReplicas, d.Spec.Replicas)
	}
	o.deleting = o.deleting || deleting
	return nil
}

// set keeps the numbers of an object, unless it is another one of the same name. The API's default is one replica.
func (o *owner) set(m *metav1.ObjectMeta, wanted types.UID, ready int32, want *int32) {
	if m.UID != wanted {
		o.gone = true
		return
	}
	o.ready, o.want, o.known, o.deleting = int(ready), 1, true, m.DeletionTimestamp != nil
	if want != nil {
		o.want = int(*want)
	}
}

func (o *owner) setJob(j *batchv1.Job, wanted types.UID) {
	ready := int32(0)
	if j.Status.Ready != nil {
		ready = *j.Status.Ready
	}
	o.set(&j.ObjectMeta, wanted, ready, j.Spec.Parallelism)
	o.failed, o.limit = int(j.Status.Failed), 6 // the API's default
	if j.Spec.BackoffLimit != nil {
		o.limit = int(*j.Spec.BackoffLimit)
	}
	o.paused = j.Spec.Suspend != nil && *j.Spec.Suspend
	o.late = j.Spec.PodReplacementPolicy != nil && *j.Spec.PodReplacementPolicy == batchv1.Failed
	for _, c := range j.Status.Conditions {
		ended := c.Type == batchv1.JobComplete || c.Type == batchv1.JobFailed || c.Type == batchv1.JobFailureTarget || c.Type == batchv1.JobSuccessCriteriaMet
		o.over = o.over || ended && c.Status == corev1.ConditionTrue
	}
}
