package kube

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

const (
	// joinAllowance is how long a new node may take to become ready for the first time.
	joinAllowance = 10 * time.Minute
	// neverReadyWithin is how soon after its creation the Ready condition of a node that has never been ready was set.
	neverReadyWithin = 30 * time.Second
	// defaultToleration is how long pods tolerate a NoExecute taint for an unready or unreachable node, unless they say
	// otherwise (admission plugin DefaultTolerationSeconds). The time runs from the first such taint.
	defaultToleration = 300 * time.Second
)

// The ranks of nodes, best first.
const (
	nodeFine     uint8 = 0
	nodeCordoned uint8 = 10
	nodeProblem  uint8 = 30 // ready, but a pressure or another condition is bad
	nodeJoining  uint8 = 40 // new, and not ready for the first time yet
	nodeNotReady uint8 = 60
	nodeSilent   uint8 = 70
)

// Badness ranks a node among all nodes: the higher, the worse. until is when the rank changes by the passing of time
// alone, zero if never.
func (n *Node) Badness(m Moment) (rank uint8, until time.Time) {
	unready := nodeNotReady
	if n.silent() {
		unready = nodeSilent
	}
	switch {
	case !n.State().Ready && n.neverReady():
		return turns(m.Now, n.Created.Add(joinAllowance), nodeJoining, unready)
	case !n.State().Ready:
		return unready, time.Time{}
	case len(n.Problems) > 0, n.State().OutOfService: // nothing runs on it until somebody takes that taint away
		return nodeProblem, time.Time{}
	case n.Unschedulable:
		return nodeCordoned, time.Time{}
	}
	return nodeFine, time.Time{}
}

// Severity says how the node is shown.
func (n *Node) Severity(m Moment) Severity {
	rank, _ := n.Badness(m)
	return nodeSeverity(rank)
}

func nodeSeverity(rank uint8) Severity {
	switch {
	case rank >= nodeNotReady:
		return Bad
	case rank >= nodeProblem:
		return Warning
	case rank >= nodeCordoned:
		return Notice
	}
	return OK
}

// neverReady reports whether the Ready condition still is what it was when the node joined.
func (n *Node) neverReady() bool {
	return n.Ready.Type == "" || n.Ready.Since.Before(n.Created.Add(neverReadyWithin))
}

// For is when the node came into its present state: the state that its rank is about. It is zero if that is not known.
func (n *Node) For() time.Time {
	switch {
	case n.Ready.Type == "":
		return n.Created
	case !n.State().Ready:
		return n.Ready.Since
	case len(n.Problems) > 0:
		return n.Problems[0].Since
	case n.Unschedulable:
		return n.CordonedAt
	}
	return n.Ready.Since
}

// ForWhat names the condition that For is about where that is not the status: a node that is ready and short of disk has
// been short of disk since then. It is "" otherwise.
func (n *Node) ForWhat() string {
	if n.State().Ready && len(n.Problems) > 0 {
		return n.Problems[0].word()
	}
	return ""
}

// ConditionsText is the CONDITIONS column: what is wrong in two words, `+n` for what else is, `-` if nothing is.
func (n *Node) ConditionsText() string {
	var words []string
	switch {
	case n.Ready.Type == "":
		words = append(words, "no status yet")
	case n.silent() && n.blind:
		words = append(words, "all Unknown")
	case n.silent():
		words = append(words, "Ready Unknown")
	case !n.State().Ready:
		words = append(words, n.unreadyWord())
	}
	for i := range n.Problems {
		if !n.silent() || n.Problems[i].Status != string(corev1.ConditionUnknown) {
			words = append(words, n.Problems[i].word())
		}
	}
	switch len(words) {
	case 0:
		return "-"
	case 1:
		return words[0]
	}
	return words[0] + " +" + strconv.Itoa(len(words)-1)
}

// word names a condition that is not as it should be.
func (c *NodeCondition) word() string {
	if c.Status == string(corev1.ConditionTrue) {
		return c.Type
	}
	return c.Type + " " + c.Status
}

// unreadyWords are the texts of the kubelet's runtimeState and ReadyCondition (pkg/kubelet/runtime.go and
// pkg/kubelet/nodestatus/setters.go), in two words each; the first that occurs counts.
var unreadyWords = [...]struct{ text, word string }{
	{"cni", "CNI down"},
	{"networkpluginnotready", "CNI down"},
	{"network not ready", "CNI down"},
	{"container runtime is down", "runtime down"},
	{"container runtime not ready", "runtime down"},
	{"pleg is not healthy", "PLEG stuck"},
	{"node is shutting down", "shutting down"},
	{"csinode", "CSINode missing"},
	{"missing node capacity", "no capacity"},
	{"status check may not have completed yet", "starting"},
}

func (n *Node) unreadyWord() string {
	for _, u := range unreadyWords {
		if containsFold(n.Ready.Message, u.text) || containsFold(n.Ready.Reason, u.text) {
			return u.word
		}
	}
	if n.Ready.Reason == "" || n.Ready.Reason == "KubeletNotReady" {
		return "NotReady"
	}
	return n.Ready.Reason
}

// Diagnosis says in one or two sentences how the node is and why: the cause first, then what it touches. What the API
// does not tell is called unknown or left out, never guessed.
func (n *Node) Diagnosis(m Moment) []string {
	var why, more string
	switch {
	case n.Ready.Type == "":
		why, more = "no status yet: its kubelet has registered it "+ago(m.Now, n.Created)+" and not reported since", n.room(m)
	case n.silent():
		why, more = n.silence(m), n.evictions(m)
	case !n.State().Ready:
		why, more = n.unready(m), n.evictions(m)
	case len(n.Problems) > 0:
		why, more = n.problems(m), n.room(m)
	case n.Unschedulable:
		why, more = n.cordoned(m), n.use(m)
	default:
		why, more = forSome("Ready", lasted(m.Now, n.Ready.Since))+"; "+n.room(m), n.use(m)
	}
	if taints := n.otherTaints(); taints != "" {
		more += "; taints: " + taints
	}
	if n.State().OutOfService && n.State().Ready {
		why = "Ready, and tainted out-of-service: nothing runs here until somebody takes that taint away; " + why
	}
	return []string{why, more}
}

// silence says since when nothing has been heard. The heartbeat of the condition is only a lower bound, since a kubelet
// renews its lease more often than its status, so it is called what it is.
func (n *Node) silence(m Moment) string {
	return "kubelet silent: last status " + clock(m.Now, n.Ready.Heartbeat) + ", declared " + clock(m.Now, n.Ready.Since) +
		"; what its pods' rows say is history"
}

// unready says what the kubelet itself complains of.
func (n *Node) unready(m Moment) string {
	head := forSome("NotReady", lasted(m.Now, n.Ready.Since))
	switch {
	case n.Ready.Message != "":
		return head + ": " + n.Ready.Message
	case n.Ready.Reason != "":
		return head + ": " + n.Ready.Reason
	}
	return head + "; the kubelet gives no reason"
}

// evictions says what becomes of the pods of a node that is not ready.
func (n *Node) evictions(m Moment) string {
	pods := n.pods(m)
	var since time.Time
	for _, t := range n.Taints {
		if t.Effect == string(corev1.TaintEffectNoExecute) &&
			(t.Key == corev1.TaintNodeUnreachable || t.Key == corev1.TaintNodeNotReady) {
			since = t.Since
		}
	}
	if since.IsZero() || m.Now.IsZero() {
		return pods + "; no taint evicts them so far"
	}
	if left := since.Add(defaultToleration).Sub(m.Now); left > 0 {
		return pods + "; those with the default toleration are evicted in at most " + countdown(left)
	}
	return pods + "; those with the default toleration have been evicted since " +
		clock(m.Now, since.Add(defaultToleration)) + " or earlier"
}

// problems says what is wrong with a node that is ready.
func (n *Node) problems(m Moment) string {
	p := &n.Problems[0]
	sentence := forSome(p.word(), lasted(m.Now, p.Since))
	switch {
	case p.Message != "":
		sentence += ": " + p.Message
	case p.Reason != "":
		sentence += ": " + p.Reason
	}
	var others []string
	for i := range n.Problems[1:] {
		others = append(others, n.Problems[i+1].word())
	}
	if len(others) > 0 {
		sentence += "; also " + strings.Join(others, ", ")
	}
	if n.Unschedulable {
		sentence += "; cordoned"
	}
	return sentence
}

func (n *Node) cordoned(m Moment) string {
	head := "cordoned " + ago(m.Now, n.CordonedAt)
	if n.CordonedAt.IsZero() {
		head = "cordoned, since when is not recorded"
	}
	return head + ": no new pods; " + n.room(m)
}

// pods says how many pods the node has. Loads are counted from the pods that may be seen; without any the number is not
// known.
func (n *Node) pods(m Moment) string {
	l, ok := m.Load(n.Name)
	if !ok {
		return "its pods are not known"
	}
	return count(l.Pods, "pod")
}

// room says how full the node is by requests, of allocatable as kubectl does.
func (n *Node) room(m Moment) string {
	l, ok := m.Load(n.Name)
	if !ok {
		return "its pods are not known"
	}
	return fmt.Sprintf("%d of %d pods, cpu %s and memory %s requested", l.Pods, n.Allocatable.Pods,
		percentText(l.CPURequests, n.Allocatable.CPU), percentText(l.MemRequests, n.Allocatable.Memory))
}

// use says what the node's machine is doing.
func (n *Node) use(m Moment) string {
	u, ok := m.NodeUse(n.Name)
	if !ok {
		return "no sample of its use"
	}
	return fmt.Sprintf("uses %s of its cpu and %s of its memory (sample %s)",
		percentText(u.CPU, n.Allocatable.CPU), percentText(u.Memory, n.Allocatable.Memory), ago(m.Now, m.Usage.NodesAt))
}

// otherTaints lists the taints that do not just repeat the node's status.
func (n *Node) otherTaints() string {
	var texts []string
	for _, t := range n.Taints {
		switch t.Key {
		case corev1.TaintNodeNotReady, corev1.TaintNodeUnreachable, corev1.TaintNodeUnschedulable,
			corev1.TaintNodeMemoryPressure, corev1.TaintNodeDiskPressure, corev1.TaintNodePIDPressure,
			corev1.TaintNodeNetworkUnavailable:
		default:
			texts = append(texts, t.String())
		}
	}
	return strings.Join(texts, ", ")
}

// forSome is `what for 8m20s`, or just what if that is not known.
func forSome(what, length string) string {
	if length == "" {
		return what
	}
	return what + " for " + length
}
