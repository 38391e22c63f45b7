// Package drain plans how nodes are emptied. Its one rule: it reads only, and live. Every pod of a node gets exactly one
// fate, from what the server says now; package evict carries the plan out.
package drain

import (
	"time"

	"ktriage/kube"
)

// Fate is what a drain does with a pod.
type Fate string

// The fates. A pod has exactly one.
const (
	Stays   Fate = "stays"   // static and DaemonSet pods: they would be put back at once
	Evict   Fate = "evict"   // asked to leave; nothing is known that would refuse it
	Waits   Fate = "waits"   // asked to leave, and a budget refuses it for now
	Never   Fate = "never"   // asked to leave, and what refuses it does not change by waiting: the drain cannot finish
	Needs   Fate = "needs"   // left alone, and the drain refused, until an option is chosen
	Leaving Fate = "leaving" // somebody has asked it to go before
)

// Goes reports whether the drain evicts a pod of this fate.
func (f Fate) Goes() bool { return f == Evict || f == Waits || f == Never }

// Pod is what a drain does with one pod, and what comes of it. All text is sanitised.
type Pod struct {
	Namespace string `json:"namespace"`
	Name      string `json:"name"`
	UID       string `json:"uid"`

	Fate   Fate     `json:"fate"`
	Why    string   `json:"why,omitempty"`    // of the fate, where it is not plain: "cart-pdb allows 0: 2 healthy, needs 2"
	Option string   `json:"option,omitempty"` // with Needs: the ID of the Toggle that is needed
	Flags  []string `json:"flags,omitempty"`  // what else to know: "only replica: will be down", "grace 2m0s"

	Owner    Owner         `json:"owner"`
	Budgets  []Budget      `json:"budgets,omitempty"` // all that select the pod; two are one too many
	Lost     []Volume      `json:"lost,omitempty"`    // emptyDir volumes, whose data goes with it
	Unowned  bool          `json:"unowned,omitempty"` // nobody makes it again
	Finished bool          `json:"finished,omitempty"`
	Down     bool          `json:"down,omitempty"`   // its owner is left without a ready pod until a new one is
	Grace    time.Duration `json:"graceNanoseconds"` // that the kubelet gives it
	After    string        `json:"after,omitempty"`  // the pod of the same StatefulSet that goes before it

	Bound   time.Time `json:"bound,omitzero"`    // to its node, by the clock of the server, to a second
	Fits    int       `json:"fits"`              // other nodes on which it could run now; -1: not known, or it does not come back
	Nowhere string    `json:"nowhere,omitempty"` // why Fits is 0: "no other node has disktype=nvme"
	CPU     int64     `json:"cpuMillicores"`     // requests, millicores
	Memory  int64     `json:"memoryBytes"`       // requests, bytes
}

// Ref names the pod for good.
func (p *Pod) Ref() kube.Ref {
	return kube.Ref{Kind: kube.Pods, Namespace: p.Namespace, Name: p.Name, UID: p.UID}
}

// Owner is who makes a pod again: the Deployment behind a ReplicaSet, a StatefulSet, a Job, or any other controller.
type Owner struct {
	Kind       string `json:"kind,omitempty"` // "" without one
	Name       string `json:"name,omitempty"`
	Controller string `json:"controller,omitempty"` // UID of the pod's own controller: of the ReplicaSet, not the Deployment
	Ready      int    `json:"ready"`
	Want       int    `json:"want"`
	Known      bool   `json:"known"` // Ready and Want could be read
}

// Volume is an emptyDir.
type Volume struct {
	Name   string `json:"name"`
	Memory bool   `json:"memory,omitempty"` // medium: Memory
	Limit  int64  `json:"limit,omitempty"`  // bytes, 0 for none
}

// Budget is a PodDisruptionBudget with the numbers of its status.
type Budget struct {
	Name     string `json:"name"`
	Allowed  int    `json:"allowed"`
	Healthy  int    `json:"healthy"`
	Desired  int    `json:"desired"`
	Expected int    `json:"expected"`
	Block    Block  `json:"block,omitempty"`
}

// Block is why a budget allows no eviction.
type Block string

// The blocks (domain of pkg/controller/disruption and of EvictionREST.Create in pkg/registry/core/pod/storage/eviction.go).
const (
	NoBlock    Block = ""
	Structural Block = "structural" // it needs all pods that there are: waiting does not help
	Transient  Block = "transient"  // some pod is not healthy
	Unsynced   Block = "unsynced"   // its controller has not looked yet, or could not
	Deadlock   Block = "deadlock"   // the pod that is not healthy is on this node, and is itself protected
	Shared     Block = "shared"     // pods of this drain that go before use up what it allows
)

// Node is the plan of one node.
type Node struct {
	Name         string        `json:"name"`
	UID          string        `json:"uid"`
	Status       string        `json:"status"` // as the Nodes pane has it
	Ready        bool          `json:"ready"`  // false: nobody confirms that a pod has gone
	Cordoned     bool          `json:"cordoned"`
	ControlPlane bool          `json:"controlPlane"`
	Version      string        `json:"version,omitempty"`
	Zone         string        `json:"zone,omitempty"`
	Address      string        `json:"address,omitempty"`
	For          time.Duration `json:"forNanoseconds"`         // in this status
	Silent       bool          `json:"silent,omitempty"`       // not Ready, because the kubelet does not report at all
	OutOfService bool          `json:"outOfService,omitempty"` // it has that taint
	Problems     []string      `json:"problems,omitempty"`     // other conditions: "DiskPressure 23m"
	Pods         []Pod         `json:"pods"`

	ResourceVersion string `json:"resourceVersion"` // of the list of pods
}

// Plan is a drain of one node or several. It is what `ktriage drain --plan -o json` prints.
type Plan struct {
	Context string    `json:"context"`
	Made    time.Time `json:"made"`
	Nodes   []Node    `json:"nodes"`

	// What remains when all of it has been drained.
	Total     int      `json:"nodesTotal"`
	Usable    int      `json:"nodesUsable"`       // Ready and schedulable, after
	UsableNow int      `json:"nodesUsableNow"`    // before
	Open      int      `json:"nodesOpen"`         // of those usable after, without a taint that keeps ordinary pods away
	OpenNow   int      `json:"nodesOpenNow"`      // before
	Others    []string `json:"otherNodesNotOK"`   // other nodes that are not usable, at most ten: "worker-31 is cordoned"
	FreeKnown bool     `json:"freeKnown"`         // the next two could be computed
	FreeCPU   int64    `json:"freeCPUMillicores"` // on the nodes that remain: allocatable less requests, millicores
	FreeMem   int64    `json:"freeMemoryBytes"`   // bytes
	Unknown   []string `json:"unknown"`           // what could not be read, as sentences: "budgets: you may not list …"
	DryRun    []string `json:"dryRun,omitempty"`  // what the server's dry run refused, as sentences
	Tested    bool     `json:"tested"`            // the server's dry run was asked

	Settings Settings `json:"options"`
}

// Settings are the options of a drain.
type Settings struct {
	EmptyDir bool          `json:"deleteEmptyDirData"` // evict pods whose emptyDir data is lost
	Unowned  bool          `json:"evictUnowned"`       // evict pods that nobody makes again
	Gentle   bool          `json:"oneStatefulSetPodAtATime"`
	Late     bool          `json:"evictLateArrivals"` // pods that were bound before the cordon was, and lose nothing
	Hanging  bool          `json:"waitForHanging"`    // on a node that is silent, wait for pods that nobody can confirm
	DryRun   bool          `json:"dryRun"`            // ask the server first whether it would let each pod go
	Grace    time.Duration `json:"graceNanoseconds"`  // 0: each pod's own
	Together int           `json:"nodesTogether"`     // nodes that are drained at the same time, 1 or more
}

// The toggles of a drain's sheet, and what the audit log calls them.
const (
	OptionEmptyDir = "emptydir"
	OptionUnowned  = "unowned"
	OptionGentle   = "gentle"
	OptionLate     = "late"
	OptionHanging  = "hanging"
	OptionDryRun   = "dryrun"
	OptionGrace    = "grace"
	OptionTogether = "together"
)
