// Package scale changes how many replicas StatefulSets, Deployments and ReplicaSets have. Its one rule: every object has a
// number of its own, which is set only if the object is still the one, with the number, that the plan was made of; what
// comes and goes because of it is named before, and watched after.
package scale

import (
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
)

// Plan is what scaling comes to, object by object. All its text is sanitised.
type Plan struct {
	Made      time.Time
	Workloads []Workload // in the order of the target
	Unknown   []string   // what could not be read, as sentences
	Retain    bool       // whenScaled is set to Retain before anything is scaled
}

// Workload is one object that is scaled.
type Workload struct {
	Ref      kube.Ref
	From, To int32
	Fault    string // why what was typed is no number of replicas, "" if it is one; To is From then

	Policy  appsv1.PodManagementPolicyType // of a StatefulSet, else ""
	Start   int                            // the lowest ordinal of a StatefulSet
	Members []Member                       // the pods that there are and those that come; of a StatefulSet by ordinal
	Goes    []string                       // names of the pods that are removed, in that order
	Comes   []string                       // names of the pods that are made, in that order; none where names are random
	New     int                            // how many pods are made
	Fewer   int                            // how many pods are removed
	About   bool                           // which pods go depends on more than can be seen: Goes is a guess, or empty
	Claims  []Claim                        // of the pods of a StatefulSet that come and go
	Deletes bool                           // whenScaled is Delete
	Blocked *Blocked                       // why a StatefulSet does not get there, nil if nothing is in its way

	Tier    []string // why the name has to be typed, worst first
	Refused []string // why it cannot be confirmed, worst first

	notes     []note          // what else to know
	selects   labels.Selector // its pods
	revisions []types.UID     // the ReplicaSets of a Deployment
	ready     int32           // pods that are well
	loses     bool            // of a StatefulSet: fewer stay than a majority of those that there are
	updated   int32
	current   int32
	seen      int64 // generation that its controller has seen
}

// Member is a pod of a workload.
type Member struct {
	Name    string
	UID     string // "" while there is none
	Ordinal int    // -1 without one
	Node    string
	State   string    // "Ready", or why it is not: "CrashLoopBackOff", "Terminating"
	Well    bool      // Running, Ready, available and not Terminating
	Since   time.Time // in this state
	Restart time.Time // of a container, in the last ten minutes
	Removed int       // the place in Goes, from 1; 0 if it stays
	Made    int       // the place in Comes, from 1; 0 if it is there
}

// Fate is what becomes of a claim.
type Fate string

// The fates of claims.
const (
	Made    Fate = "made"     // a new one, empty
	Reused  Fate = "old data" // there is one of the name: the new pod gets what is on it
	Kept    Fate = "stays"    // nobody deletes it
	Deleted Fate = "deleted"  // with its pod, by the garbage collector
)

// Claim is a PersistentVolumeClaim of a pod that comes or goes.
type Claim struct {
	Name, UID string
	Pod       string
	Fate      Fate
	Size      string // "10Gi"
	Mode      string // "RWO"
	Volume    string // the PersistentVolume that it is bound to, "" if none
	Reclaim   string // what becomes of that when it is released: Delete, Retain; "" if not known
	Phase     string
	Created   time.Time
	Why       string // of a fate that is not plain
}

// Blocked is why the controller of a StatefulSet does not get to the end (updateStatefulSet in
// pkg/controller/statefulset/stateful_set_control.go: in order, a member that is not well stops the pass).
type Blocked struct {
	By    string   // the pod that has to become well, or to go, first
	Why   string   // what is wrong with it
	Among bool     // By is itself to be removed: two of those are ill, and neither may go before the other
	Goes  []string // what is removed all the same
	Comes []string // what is made all the same
	Down  bool     // some pod that is to go does not
}

// note is a line of the checks.
type note struct {
	severity kube.Severity
	good     bool // a check that was passed
	text     string
}

func (w *Workload) warn(s kube.Severity, text string) {
	w.notes = append(w.notes, note{severity: s, text: text})
}
func (w *Workload) pass(text string) { w.notes = append(w.notes, note{good: true, text: text}) }

// owns reports whether a pod is one of a Deployment: of a ReplicaSet that the plan has seen, or of one that was made since,
// whose name is that of the Deployment and the hash of its template (getNewReplicaSet in pkg/controller/deployment/sync.go).
// The ReplicaSets of web-api begin with "web-" too.
func (w *Workload) owns(p *corev1.Pod) bool {
	owner := metav1.GetControllerOfNoCopy(p)
	if owner.Kind != "ReplicaSet" || !w.selects.Matches(labels.Set(p.Labels)) {
		return false
	}
	hash := p.Labels[appsv1.DefaultDeploymentUniqueLabelKey]
	return slices.Contains(w.revisions, owner.UID) || hash != "" && owner.Name == w.Ref.Name+"-"+hash
}

// changes reports whether the number is another one.
func (w *Workload) changes() bool { return w.Fault == "" && w.To != w.From }

// down reports whether there are fewer replicas after it.
func (w *Workload) down() bool { return w.To < w.From }

// fated gives the claims of a fate.
func (w *Workload) fated(f Fate) []Claim {
	var out []Claim
	for _, c := range w.Claims {
		if c.Fate == f {
			out = append(out, c)
		}
	}
	return out
}

// modes are kubectl's short names of access modes.
var modes = map[corev1.PersistentVolumeAccessMode]string{
	corev1.ReadWriteOnce: "RWO", corev1.ReadOnlyMany: "ROX", corev1.ReadWriteMany: "RWX", corev1.ReadWriteOncePod: "RWOP",
}
