package kube

import (
	"strconv"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// Diagnosis says in one or two sentences why the pod is as it is: the cause first, then what is known besides. What the
// API does not tell is called unknown or left out, never guessed.
func (p *Pod) Diagnosis(m Moment) []string {
	e := p.why()
	var why, more string
	switch {
	case p.Deleting():
		why, more = p.deleting(m, e), p.whatHolds(e)
	case p.Phase == corev1.PodFailed:
		why, more = p.failed(m.Now, e), p.whoReplaces()
	case p.Completed():
		why = p.completed(m.Now, e)
	case p.Phase == corev1.PodPending && !p.Scheduled:
		why, more = p.unscheduled(m.Now, e), p.asks()
	case e.Step > 0:
		why, more = p.initialising(m, e), p.nodeTrouble(m)
	case p.fails():
		why, more = p.failing(m.Now, e), p.runs(e)
	case p.Phase == corev1.PodPending:
		why, more = p.creating(m, e), p.nodeTrouble(m)
	case p.notReady():
		why, more = p.unready(m, e), p.lastExit(m.Now, e)
	case p.restarted(m.Now, e):
		why, more = p.runsAgain(m.Now, e), count(int(p.Restarts), "restart")+" in all; "+p.effort(m)
	default:
		why, more = p.well(m), p.effort(m)
	}
	if p.history(m) && !p.Deleting() {
		return []string{p.silent(m), "before that: " + why}
	}
	if more == "" {
		return []string{why}
	}
	return []string{why, more}
}

// silent says why the row cannot be believed.
func (p *Pod) silent(m Moment) string {
	if _, exists := m.Nodes[p.Node]; !exists {
		return "there is no node " + p.Node + " any more: what this row says is history, until the pod is deleted too"
	}
	return "the kubelet of " + p.Node + " is silent (declared " + clock(m.Now, m.Nodes[p.Node].SilentSince) +
		"): what this row says is history"
}

// deleting says how a deletion stands.
func (p *Pod) deleting(m Moment, e Evidence) string {
	parts := []string{"deleted " + ago(m.Now, p.StateSince), "grace " + human(p.Deletion.Grace)}
	if left := p.Deletion.At.Sub(m.Now); left > 0 {
		parts = append(parts, countdown(left)+" left")
	} else if !m.Now.IsZero() {
		parts = append(parts, "overdue by "+human(-left))
	}
	sentence := strings.Join(parts, ", ") + "; " + p.nodeState(m) + "; finalizers: "
	if e.Finalizers == "" {
		return sentence + "none"
	}
	return sentence + e.Finalizers
}

// whatHolds says what the deletion waits for, as far as the object shows it.
func (p *Pod) whatHolds(e Evidence) string {
	switch {
	case e.Finalizers != "" && (p.Deletion.Grace == 0 || p.Terminal()):
		return "its containers do not hold it; whoever set the finalizers has to remove them"
	case p.Mirror:
		return "a static pod: only its manifest on the node ends it"
	case !p.Scheduled:
		return ""
	}
	return strconv.Itoa(int(p.Ready)) + " of " + count(int(p.Containers), "container") +
		" ready when the kubelet last reported"
}

// nodeState says how the node is on which something waits to happen.
func (p *Pod) nodeState(m Moment) string {
	if p.Node == "" {
		return "not bound to a node"
	}
	state, ok := m.Nodes[p.Node]
	switch {
	case !ok:
		return "state of node " + p.Node + " not known"
	case state.Silent:
		return "node " + p.Node + " silent (declared " + clock(m.Now, state.SilentSince) + "): nobody confirms it"
	case !state.Ready:
		return "node " + p.Node + " NotReady"
	}
	return "node " + p.Node + " Ready"
}

// nodeTrouble names the node if it explains why nothing goes on.
func (p *Pod) nodeTrouble(m Moment) string {
	if state, ok := m.Nodes[p.Node]; ok && !state.Ready {
		return p.nodeState(m)
	}
	return ""
}

// failed says why a pod has ended badly.
func (p *Pod) failed(now time.Time, e Evidence) string {
	head := p.Status + " " + ago(now, p.StateSince)
	if e.Exited && e.StatusReason == "" {
		head = p.named(e) + exitText(e) + ", " + ago(now, p.StateSince)
		return quoted(head, e.Message)
	}
	if e.Message == "" {
		return head + "; the API gives no reason"
	}
	return head + ": " + e.Message
}

// whoReplaces says whether anybody makes the pod again.
func (p *Pod) whoReplaces() string {
	switch {
	case p.OwnerName != "":
		return "it will not run again; its " + p.OwnerKind + " " + p.OwnerName + " decides on another"
	case p.Mirror:
		return "a static pod: the kubelet of " + p.Node + " decides on another"
	}
	return "it will not run again, and it has no owner that makes another"
}

func (p *Pod) completed(now time.Time, e Evidence) string {
	return quoted("completed "+ago(now, p.StateSince)+", exit 0", e.Message)
}

// unscheduled says why a pod has no node.
func (p *Pod) unscheduled(now time.Time, e Evidence) string {
	head := strings.TrimSpace("Pending " + lasted(now, p.StateSince))
	switch {
	case p.Status == corev1.PodReasonSchedulingGated && e.GatedBy == "":
		return head + ": held by a scheduling gate; no scheduler looks at it before that is removed"
	case p.Status == corev1.PodReasonSchedulingGated:
		return head + ": held by scheduling gates: " + e.GatedBy + "; no scheduler looks at it before they are removed"
	case e.SchedulerSays != "" && e.Message != "":
		return head + ": " + e.Message
	case e.SchedulerSays != "":
		return head + ": " + e.SchedulerSays
	case e.NominatedNode != "":
		return head + ": meant for " + e.NominatedNode + ", not bound yet; it waits for a preempted pod or a volume"
	case e.Scheduler != "":
		return head + ": no scheduler named " + e.Scheduler + " has spoken about it yet"
	}
	return head + ": no scheduler has spoken about it yet, or it waits for a volume"
}

// asks says what a scheduler has to find room for, and in plain words what it did not find.
func (p *Pod) asks() string {
	asks := "it asks for cpu " + cpuText(p.CPURequest) + ", memory " + memText(p.MemRequest)
	if p.CPURequest == 0 && p.MemRequest == 0 {
		asks = "it asks for no cpu or memory"
	}
	if short := shortages(p.why().Message); short != "" && p.why().SchedulerSays != "" {
		return short + "; " + asks
	}
	return asks
}

// initialising says how far the init containers have come.
func (p *Pod) initialising(m Moment, e Evidence) string {
	head := "init step " + strconv.Itoa(int(e.Step)) + " of " + strconv.Itoa(int(e.Steps)) + ", " + e.Container + ","
	switch {
	case p.initFails() && e.Exited && e.Waiting != "ErrImagePull" && e.Waiting != "ImagePullBackOff":
		return quoted(head+" fails: "+exitText(e)+", "+ago(m.Now, e.Finished), e.Message) + again(m.Now, e)
	case p.initFails():
		return head + " fails: " + waitText(e)
	case e.Waiting != "" && !e.Sandboxed:
		return head + " has not started; no report of sandbox and network yet, " + p.boundFor(m.Now)
	case e.Waiting != "":
		return head + " has not started, " + p.boundFor(m.Now)
	}
	return head + " is running; the pod has been initialising on " + p.Node + " for " + unknown(lasted(m.Now, p.StateSince))
}

// creating says what a pod that is bound still lacks.
func (p *Pod) creating(m Moment, e Evidence) string {
	head := "containers not created yet, " + p.boundFor(m.Now)
	switch {
	case e.Container == "":
		return head + "; the kubelet has not reported on it"
	case e.Message != "":
		return head + ": " + e.Message
	case e.Sandboxed:
		return head + "; sandbox and network are there, so it waits for images or their start"
	}
	return head + "; no report of sandbox and network: volumes, the image of the sandbox or the network plugin are next"
}

func (p *Pod) boundFor(now time.Time) string {
	return "bound to " + p.Node + " " + ago(now, p.StateSince)
}

// failing says why a container does not run.
func (p *Pod) failing(now time.Time, e Evidence) string {
	switch {
	case e.Container == "":
		return p.Status + "; the API names no container"
	case e.Waiting == "CrashLoopBackOff" && !e.Exited:
		return p.named(e) + "keeps ending; the API does not tell how" + again(now, e)
	case e.Waiting != "" && e.Waiting != "CrashLoopBackOff":
		return p.named(e) + waitText(e)
	}
	return quoted(p.named(e)+exitText(e)+", "+ago(now, e.Finished), e.Message) + again(now, e)
}

// waitText says why a container waits for good.
func waitText(e Evidence) string {
	switch e.Waiting {
	case "ErrImagePull", "ImagePullBackOff", "RegistryUnavailable":
		head := "cannot pull " + unknown(e.Image)
		if e.Message == "" {
			return head + "; the API gives no reason"
		}
		return head + ": " + e.Message
	}
	if e.Message == "" {
		return e.Waiting + "; the API gives no reason"
	}
	return e.Waiting + ": " + e.Message
}

// again says when a container in back-off is started again.
func again(now time.Time, e Evidence) string {
	if e.Backoff == 0 || e.Finished.IsZero() || now.IsZero() {
		return ""
	}
	if left := e.Finished.Add(e.Backoff).Sub(now); left > 0 {
		return "; starts again in " + countdown(left)
	}
	return "; due to start again"
}

// runs says how often and for how long the failing container has run.
func (p *Pod) runs(e Evidence) string {
	if p.Restarts == 0 || !e.Exited {
		return ""
	}
	if e.Ran == 0 {
		return count(int(p.Restarts), "restart")
	}
	return count(int(p.Restarts), "restart") + "; the last run took " + human(e.Ran)
}

// unready says what keeps a running pod from getting traffic.
func (p *Pod) unready(m Moment, e Evidence) string {
	lasting := ""
	if d := lasted(m.Now, p.StateSince); d != "" {
		lasting = ", for " + d
	}
	switch {
	case p.Ready == p.Containers && p.GatesTrue < p.Gates:
		return "all containers are ready, but only " + strconv.Itoa(int(p.GatesTrue)) + " of " +
			count(int(p.Gates), "readiness gate") + " true" + lasting
	case p.Ready == p.Containers:
		return "all containers are ready, but the pod was set NotReady from outside, as the node controller does" + lasting
	case e.NotReady == "":
		return strconv.Itoa(int(p.Containers-p.Ready-p.Done)) + " of " + count(int(p.Containers), "container") +
			" not ready; the API does not name them"
	}
	names := strings.Count(e.NotReady, ", ") + 1
	sentence := strconv.Itoa(names) + " of " + count(int(p.Containers), "container") + " not ready: " + e.NotReady + lasting
	if e.Starting {
		return sentence + "; the startup probe of " + e.Container + " has not passed yet"
	}
	return sentence
}

func (p *Pod) restarted(now time.Time, e Evidence) bool {
	return p.Restarts > 0 && e.Exited && now.Sub(p.LastRestart) < restartMemory
}

// runsAgain says what interrupted a pod that is well again.
func (p *Pod) runsAgain(now time.Time, e Evidence) string {
	sentence := quoted("restarted "+ago(now, e.Finished)+": "+p.named(e)+exitText(e), e.Message)
	if d := lasted(now, p.StateSince); d != "" {
		return sentence + "; ready again for " + d
	}
	return sentence
}

// lastExit says how the container's earlier run ended.
func (p *Pod) lastExit(now time.Time, e Evidence) string {
	if p.Restarts == 0 || !e.Exited {
		return ""
	}
	head := count(int(p.Restarts), "restart") + ", the last " + ago(now, e.Finished) + ": " + p.named(e) + exitText(e)
	return quoted(head, e.Message)
}

// well says that nothing is wrong, and what the pod is.
func (p *Pod) well(m Moment) string {
	head := "Ready"
	switch {
	case p.Done > 0:
		head = strconv.Itoa(int(p.Done)) + " of " + count(int(p.Containers), "container") + " completed"
	case p.Unready || p.Phase != corev1.PodRunning:
		head = "starting"
	}
	if d := lasted(m.Now, p.StateSince); d != "" {
		head += " for " + d
	}
	head += "; " + count(int(p.Restarts), "restart")
	switch {
	case p.Restarts == 0:
		head = strings.TrimSuffix(head, "0 restarts") + "never restarted"
	case !p.LastRestart.IsZero():
		head += ", the last " + ago(m.Now, p.LastRestart)
	}
	if p.Mirror {
		head += "; a static pod, its manifest is on " + p.Node
	}
	return head
}

// effort says what the pod asks for and what it takes.
func (p *Pod) effort(m Moment) string {
	takes := "no sample of its use"
	if u, ok := m.PodUse(p.Namespace, p.Name); ok {
		takes = "uses cpu " + cpuText(u.CPU) + ", memory " + memText(u.Memory)
	}
	return p.asks() + "; " + takes
}

// named is the container's name as the beginning of a sentence, if the pod has several.
func (p *Pod) named(e Evidence) string {
	if p.Containers < 2 || e.Container == "" {
		return ""
	}
	return e.Container + ": "
}

// exitText says how a container ended.
func exitText(e Evidence) string {
	code := "exit " + strconv.Itoa(int(e.ExitCode))
	if e.Signal != 0 {
		code = "signal " + strconv.Itoa(int(e.Signal))
	}
	switch e.ExitReason {
	case "OOMKilled":
		if e.MemLimit == 0 {
			return "OOMKilled (" + code + "), no memory limit"
		}
		return "OOMKilled (" + code + "), memory limit " + memText(e.MemLimit)
	case "", "Error", "Completed":
	default:
		return e.ExitReason + " (" + code + ")"
	}
	if meaning := exitMeaning[e.ExitCode]; meaning != "" && e.Signal == 0 {
		return code + " (" + meaning + ")"
	}
	return code
}

// exitMeaning explains exit codes that a shell or a runtime sets: 126 and 127 as in POSIX sh, 128+n for signal n.
var exitMeaning = map[int32]string{
	126: "not executable",
	127: "command not found",
	130: "SIGINT",
	134: "SIGABRT",
	137: "SIGKILL",
	139: "SIGSEGV",
	143: "SIGTERM",
}

func quoted(head, message string) string {
	if message == "" {
		return head
	}
	return head + `: "` + message + `"`
}

func unknown(s string) string {
	if s == "" {
		return "unknown"
	}
	return s
}

// shortages puts into plain words how many nodes lack which resource, from the scheduler's message: today's
// `0/3 nodes are available: 3 Insufficient memory`, or `Insufficient memory (3)` before Kubernetes 1.9. It gives "" if the
// message tells of no shortage.
func shortages(message string) string {
	total, reasons := "", message
	if head, tail, ok := strings.Cut(message, " nodes are available: "); ok {
		_, total, _ = strings.Cut(head, "/")
		reasons = tail
	}
	var short []string
	for part := range strings.SplitSeq(reasons, ", ") {
		if nodes, resource, ok := shortage(strings.TrimSuffix(part, ".")); ok {
			if total != "" {
				nodes += " of " + total
			}
			noun := " nodes"
			if nodes == "1" || total == "1" {
				noun = " node"
			}
			short = append(short, nodes+noun+": not enough "+resource)
		}
	}
	return strings.Join(short, ", ")
}

// shortage takes one reason apart: `3 Insufficient memory`, or the last words of `… predicates:: Insufficient memory (3)`.
func shortage(reason string) (nodes, resource string, ok bool) {
	before, after, ok := strings.Cut(reason, "Insufficient ")
	if !ok {
		return "", "", false
	}
	if nodes = strings.TrimSpace(before); isNumber(nodes) {
		return nodes, after, true
	}
	resource, nodes, _ = strings.Cut(after, " (")
	nodes = strings.TrimSuffix(nodes, ")")
	return nodes, resource, isNumber(nodes)
}

func isNumber(s string) bool {
	_, err := strconv.ParseUint(s, 10, 32)
	return err == nil
}
