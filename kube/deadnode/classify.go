package deadnode

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/klog/v2"

	"ktriage/kube"
)

// class is what it means for a pod that its node lets it go, worst first.
type class uint8

const (
	writer   class = iota // a member of a StatefulSet, or the one writer of a volume: it must not run twice
	bare                  // nobody makes it again
	loses                 // made again, without the data in its emptyDir
	moves                 // made again elsewhere
	daemon                // comes and goes with its node
	static                // runs whatever the API says
	finished              // a record
)

// released is a pod that its node lets go.
type released struct {
	pod     *corev1.Pod
	node    string
	class   class
	owner   string   // "StatefulSet cart", "" without
	volumes []string // the claims that have one writer: "data-cart-2 10Gi RWO"
	delay   time.Duration
}

func (r *released) name() string { return words(r.pod.Namespace + "/" + r.pod.Name) }

func (r *released) ref() kube.Ref {
	return kube.Ref{Kind: kube.Pods, Namespace: r.pod.Namespace, Name: r.pod.Name, UID: string(r.pod.UID)}
}

// classify says of a pod what it means that its node lets it go.
func (f *facts) classify(n *node, pod *corev1.Pod) *released {
	r := &released{pod: pod, node: n.ref.Name}
	controller := metav1.GetControllerOf(pod)
	if controller != nil {
		r.owner = ownerName(controller)
	}
	r.volumes = f.oneWriter(pod)
	_, mirror := pod.Annotations[corev1.MirrorPodAnnotationKey]
	switch {
	case mirror:
		r.class = static
	case controller != nil && controller.Kind == "DaemonSet":
		r.class = daemon
	case pod.Status.Phase == corev1.PodSucceeded || pod.Status.Phase == corev1.PodFailed:
		r.class = finished
	case controller != nil && controller.Kind == "StatefulSet", len(r.volumes) > 0:
		r.class = writer
	case controller == nil:
		r.class = bare
	case len(emptyDirs(pod)) > 0:
		r.class = loses
	default:
		r.class = moves
	}
	return r
}

// ownerName names the controller of a pod. That of a Deployment is a ReplicaSet with a hash, which nobody knows.
func ownerName(controller *metav1.OwnerReference) string {
	return words(controller.Kind + " " + controller.Name)
}

// oneWriter names the claims of a pod that one node, or one pod, may write to.
func (f *facts) oneWriter(pod *corev1.Pod) []string {
	var out []string
	for i := range pod.Spec.Volumes {
		source := pod.Spec.Volumes[i].PersistentVolumeClaim
		if source == nil {
			continue
		}
		claim := f.claims[types.NamespacedName{Namespace: pod.Namespace, Name: source.ClaimName}]
		if claim == nil {
			continue
		}
		if mode := singleWriter(claim); mode != "" {
			size := claim.Status.Capacity[corev1.ResourceStorage]
			out = append(out, words(strings.TrimSpace(source.ClaimName+" "+size.String()+" "+mode)))
		}
	}
	return out
}

// singleWriter is the short name of an access mode that allows one writer, "" if several may write.
func singleWriter(claim *corev1.PersistentVolumeClaim) string {
	modes := claim.Spec.AccessModes
	switch {
	case slices.Contains(modes, corev1.ReadWriteMany):
		return ""
	case slices.Contains(modes, corev1.ReadWriteOncePod):
		return "RWOP"
	case slices.Contains(modes, corev1.ReadWriteOnce):
		return "RWO"
	}
	return ""
}

func emptyDirs(pod *corev1.Pod) []string {
	var out []string
	for i := range pod.Spec.Volumes {
		if pod.Spec.Volumes[i].EmptyDir != nil {
			out = append(out, words(pod.Spec.Volumes[i].Name))
		}
	}
	return out
}

// all are the pods that a deletion of the nodes releases: every one, worst first.
func (f *facts) allPods() []*released {
	var out []*released
	for _, n := range f.nodes {
		for _, p := range n.pods {
			out = append(out, f.classify(n, p))
		}
	}
	slices.SortStableFunc(out, func(a, b *released) int { return int(a.class) - int(b.class) })
	return out
}

// tainted tells the pods that the taint makes go from those that stay, worst first. A pod goes if it does not tolerate a
// NoExecute taint that the node will have, at once or when its toleration ends (processPodOnNode in
// pkg/controller/tainteviction); one that is being deleted goes whatever it tolerates (gcTerminating in pkg/controller/podgc).
func (f *facts) tainted() (goes, stay []*released) {
	for _, r := range f.allPods() {
		n := f.nodes[slices.IndexFunc(f.nodes, func(n *node) bool { return n.ref.Name == r.node })]
		taints := append(slices.Clone(n.object.Spec.Taints), outOfService)
		delay, forever := tolerates(r.pod, taints)
		if r.pod.DeletionTimestamp == nil && forever {
			stay = append(stay, r)
			continue
		}
		if r.pod.DeletionTimestamp == nil {
			r.delay = delay
		}
		goes = append(goes, r)
	}
	return goes, stay
}

// tolerates says how long a pod may stay on a node with these taints, or that it may stay for ever (getMinTolerationTime).
func tolerates(pod *corev1.Pod, taints []corev1.Taint) (limit time.Duration, forever bool) {
	forever = true
	for i := range taints {
		if taints[i].Effect != corev1.TaintEffectNoExecute {
			continue
		}
		at := slices.IndexFunc(pod.Spec.Tolerations, func(t corev1.Toleration) bool {
			return t.ToleratesTaint(klog.Background(), &taints[i], false)
		})
		if at < 0 {
			return 0, false
		}
		s := pod.Spec.Tolerations[at].TolerationSeconds
		if s == nil {
			continue
		}
		d := time.Duration(min(max(0, *s), 1<<31)) * time.Second
		if forever || d < limit {
			limit, forever = d, false
		}
	}
	return limit, forever
}
