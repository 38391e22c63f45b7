package kube

import (
	"strings"
)

// EventTable is what a message tells in columns, the last of which takes the room that is left. It is empty if there is nothing in
// it to put into columns.
type EventTable struct {
	Title   string
	Columns []string
	Rows    [][]string
}

// Sentence says in one line what an event means: the message in plain words where it is one that Kubernetes is known to write,
// and the message itself otherwise. It has every number of the message that counts nodes or measures a resource.
func (e *Event) Sentence() string { return readEvent(e.Reason, e.Message).sentence }

// Table takes the message apart: the reasons of a scheduler with the nodes that they are of, what a quota has left, what a LimitRange
// allows. Cells are the message's own words.
func (e *Event) Table() EventTable { return readEvent(e.Reason, e.Message).table }

// Sentence says in one line what the newest event of the group means, as Event.Sentence does.
func (g *EventGroup) Sentence() string { return readEvent(g.Reason, g.Message).sentence }

// wording is a message that has been read.
type wording struct {
	sentence string
	table    EventTable
}

// readEvent reads the message of an event. What nobody knows how to read stays as it is.
func readEvent(reason, message string) wording {
	message = strings.TrimSpace(message)
	if r := readerOf(reason); r != nil {
		if out := r(message); out.sentence != "" {
			return out
		}
	}
	if message == "" {
		return wording{sentence: reason}
	}
	return wording{sentence: message}
}

// readerOf gives what reads the messages of a reason, nil if nothing does; it gives the zero wording for a message that it does not know.
func readerOf(reason string) func(string) wording {
	switch reason {
	case "FailedScheduling":
		return readScheduling
	case "FailedCreate":
		return readRefusal
	case "Failed":
		return say(failedWords)
	case "BackOff":
		return say(backOffWords)
	case "Unhealthy", "ProbeWarning":
		return readProbe
	case "FailedMount", "FailedAttachVolume", "FailedMapVolume":
		return say(volumeWords)
	case "FailedCreatePodSandBox":
		return say(sandboxWords)
	case "OOMKilling", "SystemOOM":
		return say(oomWords)
	case "InvalidEnvironmentVariableNames", "InvalidVariableNames":
		return say(badNamesWords)
	case "Evicted":
		return say(evictedWords)
	case "TaintManagerEviction":
		return say(taintWords)
	case "Scheduled":
		return say(scheduledWords)
	case "Pulling", "Pulled":
		return say(pulledWords)
	case "SuccessfulRescale":
		return say(rescaleWords)
	}
	if _, ok := nodeWords[reason]; ok {
		return func(message string) wording { return wording{sentence: nodeStatusWords(reason, message)} }
	}
	return nil
}

// say makes a reader of a function that gives a sentence alone.
func say(words func(string) string) func(string) wording {
	return func(message string) wording { return wording{sentence: words(message)} }
}

// nodeWords are what the reasons of events on nodes say of the node (pkg/kubelet/events/event.go and the node lifecycle controller).
var nodeWords = map[string]string{
	"NodeNotReady":              "is not ready",
	"NodeReady":                 "is ready",
	"NodeNotSchedulable":        "is cordoned",
	"NodeSchedulable":           "is not cordoned any more",
	"NodeHasDiskPressure":       "is short of disk",
	"NodeHasNoDiskPressure":     "has disk enough",
	"NodeHasInsufficientMemory": "is short of memory",
	"NodeHasSufficientMemory":   "has memory enough",
	"NodeHasInsufficientPID":    "is short of process IDs",
	"NodeHasSufficientPID":      "has process IDs enough",
}

// nodeStatusWords reads "Node worker-07 status is now: NodeNotReady", and "Node is not ready", which is said of pods.
func nodeStatusWords(reason, message string) string {
	if message == "Node is not ready" {
		return "its node is not ready"
	}
	name, _, ok := strings.Cut(strings.TrimPrefix(message, "Node "), " status is now: "+reason)
	if !ok || !strings.HasPrefix(message, "Node ") {
		return ""
	}
	return "node " + name + " " + nodeWords[reason]
}

// taintWords reads what the taint manager says (pkg/controller/tainteviction).
func taintWords(message string) string {
	switch {
	case strings.HasPrefix(message, "Marking for deletion"):
		return "it is deleted: it does not tolerate a taint of its node, or not any longer"
	case strings.HasPrefix(message, "Cancelling deletion"):
		return "it stays: the taint of its node is gone"
	}
	return ""
}

// scheduledWords reads "Successfully assigned shop/web-1 to worker-3".
func scheduledWords(message string) string {
	_, node, ok := strings.Cut(message, " to ")
	if !ok || node == "" || !strings.HasPrefix(message, "Successfully assigned ") {
		return ""
	}
	return "bound to " + node
}

// rescaleWords reads what an autoscaler says: "New size: 7; reason: cpu resource utilization (percentage of request) above target".
func rescaleWords(message string) string {
	size, why, ok := strings.Cut(strings.TrimPrefix(message, "New size: "), "; reason: ")
	if !ok || !isNumber(size) {
		return ""
	}
	return "scaled to " + size + ": " + why
}

// oomWords reads what the kernel says of a process that it has killed, as the node problem detector and the kubelet pass it on:
// "Memory cgroup out of memory: Kill process 4481 (stress) score 1994 or sacrifice child", "System OOM encountered, victim process:
// stress, pid: 4481".
func oomWords(message string) string {
	if rest, ok := strings.CutPrefix(message, "System OOM encountered, victim process: "); ok {
		name, pid, _ := strings.Cut(rest, ", pid: ")
		return "the node ran out of memory, and " + name + processText(pid) + " was killed"
	}
	rest, ok := strings.CutPrefix(message, "Memory cgroup out of memory: ")
	if !ok {
		return ""
	}
	rest = strings.TrimPrefix(strings.TrimPrefix(rest, "Killed "), "Kill ")
	pid, name, ok := strings.Cut(strings.TrimPrefix(rest, "process "), " (")
	if !ok || !isNumber(pid) {
		return ""
	}
	name, detail, ok := strings.Cut(name, ")")
	if !ok {
		return ""
	}
	return name + processText(pid) + " was killed: a container was over its memory limit;" + detail
}

// processText is the number of a process in brackets, "" without one.
func processText(pid string) string {
	if pid == "" {
		return ""
	}
	return " (process " + pid + ")"
}

// OfNode reports whether an event on a pod is about the pod's node: what is wrong there is the same for every pod on it.
func (e *Event) OfNode() bool { return nodeReasons[e.Reason] }

// EventsState says how far what EventsOf gives can be believed: Denied where events may not be listed.
func (c *Cluster) EventsState() State { return c.events.now() }
