package kube

import (
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Node is the row of one node. Its strings are sanitised. A zero value or an empty string means that the API does not
// say.
type Node struct {
	Name, UID string

	Status string // the STATUS column of kubectl: Ready, NotReady or Unknown, and ,SchedulingDisabled
	Roles  string // the ROLES column of kubectl: sorted, "," between; "<none>" without any

	Created    time.Time
	Version    string // of the kubelet
	InternalIP string // first of each kind
	ExternalIP string
	OSImage    string
	Kernel     string // with the architecture, as kubectl has it: 6.1.0-28-amd64 (amd64)
	Runtime    string // container runtime with its version: containerd://2.1.4
	Zone       string // label topology.kubernetes.io/zone, or its predecessor
	Labels     Labels

	Ready    NodeCondition   // Type is "" if the node has no such condition
	Problems []NodeCondition // all other conditions that are not as on a healthy node, in the order of the API
	Taints   []Taint

	Unschedulable bool
	CordonedAt    time.Time // when the taint that goes with Unschedulable was added

	Allocatable NodeResources // what pods may have; the capacity if the node does not say
	Capacity    NodeResources
	// SwapCapacity is how much swap the machine has, in bytes (status.nodeInfo.swap); -1 where the kubelet does not say.
	SwapCapacity int64

	text  string // see Text; NewNode makes it
	blind bool   // no condition that the kubelet sets is known to be good or bad
}

// NodeCondition is one entry of status.conditions.
type NodeCondition struct {
	Type, Status    string // Status is True, False or Unknown
	Reason, Message string // at most 200 cells
	Since           time.Time
	Heartbeat       time.Time // when the kubelet last posted it; the lease may know of a later sign of life
}

// Taint is one entry of spec.taints.
type Taint struct {
	Key, Value, Effect string
	Since              time.Time // zero where nobody noted it
}

func (t Taint) String() string {
	if t.Value == "" {
		return t.Key + ":" + t.Effect
	}
	return t.Key + "=" + t.Value + ":" + t.Effect
}

// NodeResources is what a node has.
type NodeResources struct {
	CPU    int64 // millicores
	Memory int64 // bytes
	Pods   int64
}

// NewNode makes the row of a node. It keeps nothing of the object but strings.
func NewNode(node *corev1.Node) *Node {
	info := &node.Status.NodeInfo
	n := &Node{
		Name: clean(node.Name), UID: clean(string(node.UID)),
		Status: nodeStatus(node), Roles: shared(nodeRoles(node)),
		Created: node.CreationTimestamp.Time, Version: shared(info.KubeletVersion),
		InternalIP: address(node, corev1.NodeInternalIP), ExternalIP: address(node, corev1.NodeExternalIP),
		OSImage: shared(known(info.OSImage)), Kernel: shared(kernel(info)),
		Runtime: shared(known(info.ContainerRuntimeVersion)), Zone: zone(node), Labels: NewLabels(node.Labels),
		Unschedulable: node.Spec.Unschedulable, SwapCapacity: -1,
		Capacity: nodeResources(node.Status.Capacity), Allocatable: nodeResources(node.Status.Allocatable),
	}
	if len(node.Status.Allocatable) == 0 {
		n.Allocatable = n.Capacity
	}
	if s := info.Swap; s != nil && s.Capacity != nil {
		n.SwapCapacity = *s.Capacity
	}
	n.setConditions(node.Status.Conditions)
	n.setTaints(node.Spec.Taints)
	n.text = n.Text()
	return n
}

// kernel is KERNEL-VERSION of kubectl (printNode in pkg/printers/internalversion/printers.go of Kubernetes).
func kernel(info *corev1.NodeSystemInfo) string {
	if info.Architecture == "" {
		return known(info.KernelVersion)
	}
	return known(info.KernelVersion) + " (" + info.Architecture + ")"
}

func known(s string) string {
	if s == "" {
		return "<unknown>"
	}
	return s
}

// Ref names the node for good.
func (n *Node) Ref() Ref { return Ref{Kind: Nodes, Name: n.Name, UID: n.UID} }

// Matches reports whether word, already lower-cased, occurs in what a filter searches: name, status, roles, version of
// the kubelet, addresses, zone, and the types of its problems and the keys of its taints. What all nodes share, such as
// the name of the operating system, is left out: a word that is in all of it finds nothing.
func (n *Node) Matches(word string, _ Moment) bool {
	for _, s := range [...]string{n.Name, n.Status, n.StatusText(), n.Roles, n.Version, n.InternalIP, n.ExternalIP, n.Zone} {
		if containsFold(s, word) {
			return true
		}
	}
	for i := range n.Problems {
		if containsFold(n.Problems[i].Type, word) {
			return true
		}
	}
	for i := range n.Taints {
		if containsFold(n.Taints[i].Key, word) {
			return true
		}
	}
	return false
}

// Text is what Matches looks through, in lower case, each part on a line.
func (n *Node) Text() string {
	if n.text != "" {
		return n.text
	}
	parts := []string{n.Name, n.Status, n.StatusText(), n.Roles, n.Version, n.InternalIP, n.ExternalIP, n.Zone}
	for i := range n.Problems {
		parts = append(parts, n.Problems[i].Type)
	}
	for i := range n.Taints {
		parts = append(parts, n.Taints[i].Key)
	}
	return strings.ToLower(strings.Join(parts, fieldEnd))
}

// State is what the node's pods need to know of it.
func (n *Node) State() NodeState {
	s := NodeState{Ready: n.Ready.Status == string(corev1.ConditionTrue), Silent: n.silent(), uid: n.UID}
	if s.Silent {
		s.SilentSince = n.Ready.Since
	}
	s.OutOfService = slices.ContainsFunc(n.Taints, func(t Taint) bool { return t.Key == corev1.TaintNodeOutOfService })
	return s
}

// StatusText is the status in an operator's words: it tells a silent kubelet from one that says that it is not ready,
// which kubectl does not.
func (n *Node) StatusText() string {
	word := [2]string{"Ready", "Ready,Cordoned"}
	switch {
	case n.Ready.Type == "":
		word = [2]string{"NotReady(no status yet)", "NotReady(no status yet),Cordoned"}
	case n.silent():
		word = [2]string{"NotReady(Unknown)", "NotReady(Unknown),Cordoned"}
	case !n.State().Ready:
		word = [2]string{"NotReady", "NotReady,Cordoned"}
	}
	status := word[0]
	if n.Unschedulable {
		status = word[1]
	}
	if n.State().OutOfService {
		status += ",OutOfService"
	}
	return status
}

// silent reports whether the node controller has given the kubelet up.
func (n *Node) silent() bool { return n.Ready.Status == string(corev1.ConditionUnknown) }

// nodeStatus is the STATUS column of kubectl (printNode of pkg/printers/internalversion/printers.go): a kubelet that is
// silent is NotReady there, and a node without the condition Ready is Unknown.
func nodeStatus(node *corev1.Node) string {
	status := "Unknown"
	for i := range node.Status.Conditions {
		if c := &node.Status.Conditions[i]; c.Type == corev1.NodeReady {
			status = "NotReady"
			if c.Status == corev1.ConditionTrue {
				status = "Ready"
			}
		}
	}
	if node.Spec.Unschedulable {
		status += ",SchedulingDisabled"
	}
	return status
}

// nodeRoles is the ROLES column of kubectl (findNodeRoles, same file).
func nodeRoles(node *corev1.Node) string {
	var roles []string
	for key, value := range node.Labels {
		role, named := strings.CutPrefix(key, "node-role.kubernetes.io/")
		if !named && key == "kubernetes.io/role" {
			role, named = value, true
		}
		if named && role != "" {
			roles = append(roles, role)
		}
	}
	if len(roles) == 0 {
		return "<none>"
	}
	slices.Sort(roles)
	return strings.Join(slices.Compact(roles), ",")
}

func address(node *corev1.Node, kind corev1.NodeAddressType) string {
	for i := range node.Status.Addresses {
		if node.Status.Addresses[i].Type == kind {
			return clean(node.Status.Addresses[i].Address)
		}
	}
	return ""
}

func zone(node *corev1.Node) string {
	if z := node.Labels[corev1.LabelTopologyZone]; z != "" {
		return shared(z)
	}
	return shared(node.Labels[corev1.LabelFailureDomainBetaZone])
}

func nodeResources(list corev1.ResourceList) NodeResources {
	a, pods := amountOf(list), list[corev1.ResourcePods]
	return NodeResources{CPU: a.cpu, Memory: a.mem, Pods: pods.Value()}
}

// setConditions sorts the conditions into Ready and those that are not as they should be.
func (n *Node) setConditions(conditions []corev1.NodeCondition) {
	n.blind = true
	for i := range conditions {
		c := &conditions[i]
		own := NodeCondition{
			Type: shared(string(c.Type)), Status: shared(string(c.Status)), Reason: shared(c.Reason), Message: gist(c.Message),
			Since: c.LastTransitionTime.Time, Heartbeat: c.LastHeartbeatTime.Time,
		}
		if c.Type == corev1.NodeReady {
			n.Ready = own
		} else if isProblem(c) {
			n.Problems = append(n.Problems, own)
		}
		if pressure[c.Type] && c.Status != corev1.ConditionUnknown {
			n.blind = false
		}
	}
}

func (n *Node) setTaints(taints []corev1.Taint) {
	for i := range taints {
		t := &taints[i]
		own := Taint{Key: shared(t.Key), Value: shared(t.Value), Effect: shared(string(t.Effect))}
		if t.TimeAdded != nil {
			own.Since = t.TimeAdded.Time
		}
		n.Taints = append(n.Taints, own)
		if t.Key == corev1.TaintNodeUnschedulable {
			n.CordonedAt = own.Since
		}
	}
}

// pressure names the conditions that the kubelet keeps beside Ready. The node controller sets all to Unknown together.
var pressure = map[corev1.NodeConditionType]bool{
	corev1.NodeMemoryPressure: true,
	corev1.NodeDiskPressure:   true,
	corev1.NodePIDPressure:    true,
}

// lifecycle names the conditions that tell of somebody's intention and not of a fault.
var lifecycle = map[corev1.NodeConditionType]bool{
	"DrainInProgress":                true,
	"Drained":                        true,
	"MaintenanceInProgress":          true,
	"GracefulNodeShutdownInProgress": true,
}

// goodWhenTrue are the endings of types whose True means well. Providers put such conditions on every node: KernelReady,
// StorageReady, NetworkingReady and ContainerRuntimeReady on EKS.
var goodWhenTrue = [...]string{"Ready", "Healthy", "Available", "Succeeded", "OK"}

// alsoGoodWhenTrue are types of the same kind that have no such ending: EtcdIsVoter is set by k3s and RKE2.
var alsoGoodWhenTrue = map[corev1.NodeConditionType]bool{"EtcdIsVoter": true}

// isProblem reports whether a condition other than Ready is not as on a healthy node. Types that nobody here knows, such
// as those of the node problem detector, are faults if they are True or Unknown.
func isProblem(c *corev1.NodeCondition) bool {
	if lifecycle[c.Type] {
		return false
	}
	return c.Status == corev1.ConditionUnknown || positive(c.Type) != (c.Status == corev1.ConditionTrue)
}

func positive(kind corev1.NodeConditionType) bool {
	if alsoGoodWhenTrue[kind] {
		return true
	}
	for _, end := range goodWhenTrue {
		if name, ok := strings.CutSuffix(string(kind), end); ok {
			return !strings.HasSuffix(name, "Not")
		}
	}
	return false
}
