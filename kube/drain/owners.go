package drain

import (
	"context"
	"fmt"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube/live"
)

// ownerTasks read each controller of pods once, and the Deployment behind a ReplicaSet.
func (r *reader) ownerTasks(pods []*corev1.Pod) []live.Task {
	var out []live.Task
	asked := map[types.UID]bool{}
	for _, p := range pods {
		ref := metav1.GetControllerOf(p)
		_, static := p.Annotations[corev1.MirrorPodAnnotationKey]
		if ref == nil || static || asked[ref.UID] {
			continue
		}
		asked[ref.UID] = true
		out = append(out, func(ctx context.Context) { r.readOwner(ctx, p.Namespace, ref) })
	}
	return out
}

func (r *reader) readOwner(ctx context.Context, ns string, ref *metav1.OwnerReference) {
	got := owner{namespace: ns, Owner: Owner{Kind: words(ref.Kind), Name: words(ref.Name), Controller: text.Clean(string(ref.UID))}}
	err := r.count(ctx, ref, &got)
	got.gone = ref.Kind == "DaemonSet" && apierrors.IsNotFound(err)
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts.owners[ref.UID] = got
	if err != nil && !apierrors.IsNotFound(err) {
		r.unread.Note(owners, ns, fmt.Errorf("read %s %s/%s: %w", ref.Kind, ns, ref.Name, err))
	}
}

// count reads how many ready pods an owner has and wants. A kind that is not known here has no numbers; nor has an owner
// that is not there.
func (r *reader) count(ctx context.Context, ref *metav1.OwnerReference, o *owner) error {
	get := metav1.GetOptions{}
	switch ref.APIVersion + " " + ref.Kind {
	case "apps/v1 ReplicaSet":
		return r.countReplicaSet(ctx, ref, o)
	case "apps/v1 StatefulSet":
		s, err := r.client.AppsV1().StatefulSets(o.namespace).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.set(s.UID, ref.UID, s.Status.ReadyReplicas, s.Spec.Replicas)
	case "apps/v1 DaemonSet":
		s, err := r.client.AppsV1().DaemonSets(o.namespace).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.set(s.UID, ref.UID, s.Status.NumberReady, &s.Status.DesiredNumberScheduled)
	case "batch/v1 Job":
		s, err := r.client.BatchV1().Jobs(o.namespace).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		n := int32(0)
		if s.Status.Ready != nil {
			n = *s.Status.Ready
		}
		o.set(s.UID, ref.UID, n, s.Spec.Parallelism)
	case "v1 ReplicationController":
		s, err := r.client.CoreV1().ReplicationControllers(o.namespace).Get(ctx, ref.Name, get)
		if err != nil {
			return err
		}
		o.set(s.UID, ref.UID, s.Status.ReadyReplicas, s.Spec.Replicas)
	}
	return nil
}

func (r *reader) countReplicaSet(ctx context.Context, ref *metav1.OwnerReference, o *owner) error {
	s, err := r.client.AppsV1().ReplicaSets(o.namespace).Get(ctx, ref.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	o.set(s.UID, ref.UID, s.Status.ReadyReplicas, s.Spec.Replicas)
	above := metav1.GetControllerOf(s)
	if above == nil {
		return nil
	}
	o.Kind, o.Name = words(above.Kind), words(above.Name)
	if above.Kind != "Deployment" || above.APIVersion != appsv1.SchemeGroupVersion.String() {
		return nil
	}
	d, err := r.client.AppsV1().Deployments(o.namespace).Get(ctx, above.Name, metav1.GetOptions{})
	if err != nil {
		return err
	}
	o.set(d.UID, above.UID, d.Status.ReadyReplicas, d.Spec.Replicas)
	return nil
}

// set keeps the numbers of an object, unless it is another one of the same name. The API's default is one replica.
func (o *owner) set(uid, wanted types.UID, ready int32, want *int32) {
	if uid != wanted {
		o.Known = false
		return
	}
	o.Ready, o.Want, o.Known = int(ready), 1, true
	if want != nil {
		o.Want = int(*want)
	}
}
