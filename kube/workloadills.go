package kube

import (
	"cmp"
	"slices"
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// ills are the ailing pods of one workload, judged: the worst first.
type ills struct {
	pods  []ill
	until time.Time // when one of the ranks changes by the passing of time alone
}

// ill is one pod with its rank.
type ill struct {
	*Pod
	rank uint8
}

// lasts reports whether the pod may still become ready, or has yet to go. One that has failed has been replaced: it is a
// reason only where there is no other.
func (p ill) lasts() bool { return p.Phase != corev1.PodFailed || p.Deleting() }

// ills gives the pods for which the workload is not well.
func (w *Workload) ills(m Moment) ills {
	pods := m.Ailing[w.identity()]
	if len(pods) == 0 {
		return ills{}
	}
	out := ills{pods: make([]ill, 0, len(pods))}
	for _, p := range pods {
		rank, until := p.Badness(m)
		out.pods = append(out.pods, ill{p, rank})
		out.until = sooner(out.until, until)
	}
	if w.replicated() && slices.ContainsFunc(out.pods, ill.lasts) {
		out.pods = slices.DeleteFunc(out.pods, func(p ill) bool { return !p.lasts() })
	}
	slices.SortFunc(out.pods, func(a, b ill) int {
		return cmp.Or(cmp.Compare(b.rank, a.rank), compareOrdinals(a.Name, b.Name))
	})
	return out
}

// worst is the rank of the worst pod.
func (s ills) worst() uint8 {
	if len(s.pods) == 0 {
		return podFine
	}
	return s.pods[0].rank
}

// allStarting reports whether no more is missing than pods that are just starting, or just going.
func (s ills) allStarting(missing int32) bool {
	for _, p := range s.pods {
		if p.rank < podRestarted && p.lasts() {
			missing--
		}
	}
	return missing <= 0 && s.worst() < podRestarted
}

// compareOrdinals compares the names of pods, those of a StatefulSet by their numbers.
func compareOrdinals(a, b string) int {
	x, isX := ordinal(a)
	y, isY := ordinal(b)
	if isX && isY && x != y {
		return cmp.Compare(x, y)
	}
	return strings.Compare(a, b)
}

// groups say what is wrong with the pods, grouped by what they have in common: "3 CrashLoopBackOff, exit 1", "2 on
// worker-07, 1 unready". w says how they are named.
func (s ills) groups(w *Workload, m Moment) []string {
	type group struct {
		cause
		pods []ill
	}
	var all []group
	for _, p := range s.pods {
		c := p.cause(m)
		i := slices.IndexFunc(all, func(g group) bool { return g.cause == c })
		if i < 0 {
			all = append(all, group{cause: c})
			i = len(all) - 1
		}
		all[i].pods = append(all[i].pods, p)
	}
	slices.SortStableFunc(all, func(a, b group) int { // pods came the worst first; of silent nodes the fullest comes first
		return cmp.Or(cmp.Compare(b.pods[0].rank, a.pods[0].rank), cmp.Compare(len(b.pods), len(a.pods)))
	})
	var out, nodes []string
	onNodes, at := 0, 0
	for _, g := range all {
		if g.node != "" && (w.Kind != StatefulSets || len(g.pods) > 1) {
			if len(nodes) == 0 {
				at = len(out)
				out = append(out, "")
			}
			nodes = append(nodes, strconv.Itoa(len(g.pods))+" on "+g.node)
			onNodes += len(g.pods)
			continue
		}
		out = append(out, g.cause.text(w, g.pods, len(s.pods)))
	}
	if len(nodes) > 0 {
		out[at] = onSilentNodes(w, nodes, onNodes)
	}
	return out
}

// onSilentNodes says how many pods are on nodes that are not ready. A DaemonSet has one on each: the nodes are named.
func onSilentNodes(w *Workload, nodes []string, pods int) string {
	switch {
	case w.Kind == DaemonSets && len(nodes) <= 2:
		for i := range nodes {
			nodes[i] = strings.TrimPrefix(nodes[i], "1 on ")
		}
		return strings.Join(nodes, ", ")
	case len(nodes) <= 2:
		return strings.Join(nodes, ", ")
	}
	return strconv.Itoa(pods) + " on " + strconv.Itoa(len(nodes)) + " nodes that are not ready"
}

// cause is what several ailing pods may have in common.
type cause struct {
	what string // "CrashLoopBackOff, exit 1"; "" for a node
	node string // the node that is to blame
	fail bool   // what is a word of the kubelet that needs no number before it
}

const (
	causeNoNode   = "no node"
	causeOOM      = "OOMKilled"
	causeUnready  = "unready"
	causeStarting = "starting"
)

// cause says for which reason the pod is not well.
func (p ill) cause(m Moment) cause {
	e := p.why()
	state, known := m.Nodes[p.Node]
	switch {
	case p.history(m), known && !state.Ready && (p.Deleting() || p.notReady()) && !p.fails():
		return cause{node: p.Node}
	case p.Deleting() && p.rank >= podOverdue:
		return cause{what: "stuck terminating"}
	case p.Deleting():
		return cause{what: "terminating"}
	case p.Phase == corev1.PodFailed:
		return cause{what: "failed" + failedHow(p.Status, e)}
	case p.Status == corev1.PodReasonSchedulingGated:
		return cause{what: "held by a scheduling gate"}
	case p.Phase == corev1.PodPending && !p.Scheduled && p.rank < podRestarted && e.SchedulerSays == "":
		return cause{what: causeStarting}
	case p.Phase == corev1.PodPending && !p.Scheduled:
		return cause{what: causeNoNode}
	case p.fails() || p.initFails():
		return failingCause(p.Status, e)
	case p.rank < podRestarted:
		return cause{what: causeStarting}
	case p.Phase == corev1.PodPending:
		return cause{what: p.Status}
	case e.ExitReason == "OOMKilled":
		return cause{what: causeOOM, fail: true}
	case e.Starting:
		return cause{what: "not started (startup probe)"}
	}
	return cause{what: causeUnready}
}

// failedHow says how a pod has ended.
func failedHow(status string, e Evidence) string {
	switch {
	case e.StatusReason != "":
		return ": " + e.StatusReason
	case e.Exited:
		return ", " + shortExit(e)
	case status != string(corev1.PodFailed) && status != "Error":
		return ": " + status
	}
	return ""
}

// failingCause says why a container does not run. An image that cannot be pulled has two words in turn.
func failingCause(status string, e Evidence) cause {
	switch {
	case e.ExitReason == "OOMKilled":
		return cause{what: causeOOM, fail: true}
	case strings.HasSuffix(status, "CrashLoopBackOff") && e.Exited:
		return cause{what: status + ", " + shortExit(e), fail: true}
	case strings.HasSuffix(status, "ErrImagePull"):
		return cause{what: strings.TrimSuffix(status, "ErrImagePull") + "ImagePullBackOff", fail: true}
	case status == "Error" && e.Exited:
		return cause{what: "CrashLoopBackOff, " + shortExit(e), fail: true}
	}
	return cause{what: status, fail: true}
}

// shortExit is how a container ended, in a word or two.
func shortExit(e Evidence) string {
	switch {
	case e.ExitReason == "OOMKilled":
		return causeOOM
	case e.Signal != 0:
		return "signal " + strconv.Itoa(int(e.Signal))
	}
	return "exit " + strconv.Itoa(int(e.ExitCode))
}

// text says how many pods have the cause, of all that are not well. Pods of a StatefulSet have names that mean something.
func (c cause) text(w *Workload, pods []ill, all int) string {
	n, first := len(pods), pods[0]
	switch {
	case w.Kind == StatefulSets && n == 1:
		return c.named(first)
	case c.what == causeNoNode && n == 1:
		return "1 has no node"
	case c.what == causeNoNode:
		return strconv.Itoa(n) + " have no node"
	case c.what == causeOOM && n == 1:
		return "OOMKilled" + times(first)
	case c.fail && n == 1 && all == 1:
		return c.what
	}
	return strconv.Itoa(n) + " " + c.what
}

// named says the cause of one pod that is known by its name.
func (c cause) named(p ill) string {
	switch {
	case c.node != "":
		return p.Name + ": node not ready"
	case c.what == causeNoNode:
		return p.Name + " has no node"
	case c.what == causeOOM:
		return p.Name + ": OOMKilled" + times(p)
	}
	return p.Name + ": " + c.what
}

func times(p ill) string {
	if p.Restarts < 2 {
		return ""
	}
	return " x" + strconv.Itoa(int(p.Restarts))
}
