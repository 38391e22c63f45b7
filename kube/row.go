package kube

import "time"

// Kinds is a set of row kinds, one bit each.
type Kinds uint32

// The kinds that a Notifier can be poked with and a pane can ask for.
const (
	Nodes Kinds = 1 << iota
	Pods
	Metrics
	Connection // health, identity, permissions
	Actions    // runs of kube/action, and their steps

	StatefulSets
	Deployments
	DaemonSets
	ReplicaSets
	Jobs
	CronJobs
	Autoscalers // HorizontalPodAutoscalers
	Budgets     // PodDisruptionBudgets
	Claims      // PersistentVolumeClaims: no rows; actions name them

	Certs // certificates and other credentials with an expiry
	CSRs  // CertificateSigningRequests

	Events     // what was said of objects, and groups of it
	Totals     // what the pods of a namespace, node or workload use together
	Containers // those that use most

	// Workloads are the kinds of the Workloads pane.
	Workloads = StatefulSets | Deployments | DaemonSets | ReplicaSets | Jobs | CronJobs | Autoscalers | Budgets
)

// kindNames are the API's names of the kinds of objects.
var kindNames = map[Kinds]string{
	Nodes: "Node", Pods: "Pod", StatefulSets: "StatefulSet", Deployments: "Deployment", DaemonSets: "DaemonSet",
	ReplicaSets: "ReplicaSet", Jobs: "Job", CronJobs: "CronJob", Autoscalers: "HorizontalPodAutoscaler",
	Budgets: "PodDisruptionBudget", Claims: "PersistentVolumeClaim", CSRs: "CertificateSigningRequest",
	Events: "Event",
}

// Kind is the API's name of a single kind of object ("StatefulSet"), "" for any other set of kinds.
func (k Kinds) Kind() string { return kindNames[k] }

// KindNamed gives the kind of that name in the API, 0 if there are no such objects here.
func KindNamed(name string) Kinds {
	for k, n := range kindNames {
		if n == name {
			return k
		}
	}
	return 0
}

// Ref names one object for good: a new object under the same name has another UID.
type Ref struct {
	Kind            Kinds
	Namespace, Name string
	UID             string
}

// FullName is the name with its namespace before it, if there is one.
func (r Ref) FullName() string {
	if r.Namespace == "" {
		return r.Name
	}
	return r.Namespace + "/" + r.Name
}

// Row is one line of a pane: a small, flat, sanitised copy of an API object. It is a pointer, and what it points to is
// never changed after it has been published: a changed object is a new row, so that pointer equality means "same line".
type Row interface {
	comparable
	Ref() Ref
	// Matches reports whether word, already lower-cased, occurs in the text that a filter searches.
	Matches(word string, m Moment) bool
}

// Load is what the pods of one node take of it.
type Load struct {
	Pods        int   // non-terminal pods bound to the node, as `kubectl describe node` counts them
	CPURequests int64 // millicores
	MemRequests int64 // bytes
	CPULimits   int64 // millicores
	MemLimits   int64 // bytes
}

// NodeState is what rows of other kinds need to know of a node.
type NodeState struct {
	Silent      bool      // Ready=Unknown: the kubelet does not report, so what its pods say is history
	SilentSince time.Time // when the node controller declared it
	Ready       bool

	OutOfService bool // it has the taint node.kubernetes.io/out-of-service

	uid string // of the node: a new one may have the name of an old one
}

// UID is that of the node.
func (s NodeState) UID() string { return s.uid }

// Use is one sample of CPU and memory.
type Use struct {
	CPU    int64 // millicores
	Memory int64 // bytes, working set
}

// Usage is one answer of metrics.k8s.io. It is immutable; absent keys mean "no sample", never zero.
type Usage struct {
	NodesAt, PodsAt time.Time      // when they were read
	Nodes           map[string]Use // by node name
	Pods            PodUses        // sums over the containers of each pod
	State           State          // why there is no sample, when there is none

	nodes    nodeUses      // the rest of what is known of nodes
	step     time.Duration // how far apart samples are; 0 while unknown
	pastStep time.Duration // how far apart the points of pasts are; 0 for pastStep
	service  apiService    // how the API server sees the metrics API, if it could not be read
}

// PodKey names a pod within metrics.k8s.io, which knows no UIDs.
type PodKey struct{ Namespace, Name string }

// Moment is what a row is seen beside, and when: everything that is not in the object itself.
// All of it may be zero, which means "not known".
type Moment struct {
	Now      time.Time
	RowsRead bool // the first readings of nodes and pods have come to an end, good or bad
	Complete bool // and that of their usage: nothing more comes but changes
	Usage    *Usage
	Loads    map[string]Load      // by node name; nil while the pods of every node are not known
	Nodes    map[string]NodeState // by node name

	Ailing  map[Owner][]*Pod      // the pods of each workload that are not well
	Runs    map[Owner][]*Workload // the Jobs of each CronJob, and the ReplicaSets of each Deployment
	Scalers map[Owner][]*Workload // the autoscalers of each workload

	NodesKnown bool // all nodes that there are are in Nodes

	CertLimits CertLimits // the zero value is DefaultCertLimits

	Said Said // what is known of events as a whole

	ServingWaits int // requests of kubelets for a serving certificate that wait for somebody to approve them

	without *unmeasured // of Usage and Nodes; nil where nobody has looked for them yet
}

// Load gives what the pods of a node take of it; false if not all of them are known.
func (m Moment) Load(node string) (Load, bool) { return m.Loads[node], m.Loads != nil }

// NodeUse gives the newest sample of a node.
func (m Moment) NodeUse(name string) (Use, bool) {
	if m.Usage == nil {
		return Use{}, false
	}
	u, ok := m.Usage.Nodes[name]
	return u, ok
}

// PodUse gives the newest sample of a pod.
func (m Moment) PodUse(namespace, name string) (Use, bool) {
	if m.Usage == nil {
		return Use{}, false
	}
	return m.Usage.Pods.Of(namespace, name)
}
