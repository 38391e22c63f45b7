package kube

import (
	"cmp"
	"strings"
	"time"
	"unicode/utf8"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
)

// messageMost bounds what of a message a row keeps, in bytes: the limit of note in events.k8s.io/v1.
const messageMost = 1 << 10

// NewEvent makes the row of an event object. It keeps nothing of the object but strings.
//
// Times and counts are those of `kubectl events` (eventTime and getInterval in pkg/cmd/events of kubectl), except that an
// event without any of the times has that of its creation.
func NewEvent(e *corev1.Event) *Event {
	row := &Event{
		Namespace: shared(e.Namespace), Name: clean(e.Name), UID: clean(string(e.UID)),
		Object: involved(&e.InvolvedObject),
		Type:   shared(word(e.Type)), Reason: shared(word(e.Reason)), Message: said(e.Message),
		From: shared(word(cmp.Or(e.ReportingController, e.Source.Component))), FromHost: shared(cmp.Or(e.Source.Host, instanceHost(e))),
		Count: max(int(e.Count), 1),
		First: firstTime(e.FirstTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time),
		Last:  firstTime(e.LastTimestamp.Time, e.EventTime.Time, e.CreationTimestamp.Time),
	}
	if s := e.Series; s != nil {
		row.AtLeast = true
		if s.Count > 0 {
			row.Count = int(s.Count)
		}
		row.Last = firstTime(s.LastObservedTime.Time, row.Last)
	}
	return row
}

func involved(o *corev1.ObjectReference) Involved {
	out := Involved{
		Kind: shared(o.Kind), Namespace: shared(o.Namespace), Name: clean(o.Name), UID: clean(string(o.UID)),
		APIVersion: shared(o.APIVersion), Field: shared(o.FieldPath),
	}
	if out.Kind == "Node" {
		out.Namespace = "" // some recorders put that of the event object there
	}
	return out
}

// instanceHost is the node that a component's instance runs on, "" where that is not said. Recorders of events.k8s.io/v1 put
// the name of the component before that of the host (NewRecorder in tools/events of client-go); only components that run
// on the node itself have the node's name for a host's.
func instanceHost(e *corev1.Event) string {
	switch e.ReportingController {
	case "kubelet", "kube-proxy":
		return strings.TrimPrefix(e.ReportingInstance, e.ReportingController+"-")
	default:
		return ""
	}
}

// firstTime gives the first of some times that is one. What was said before there were computers, or after the year in which the
// nanoseconds of time.Time end, is a mistake of whoever said it, and would stand above everything else.
func firstTime(all ...time.Time) time.Time {
	for _, t := range all {
		if year := t.Year(); year >= 1970 && year <= 2261 {
			return t
		}
	}
	return time.Time{}
}

// wordMost is how many cells a type, a reason or a component may take. The longest of Kubernetes' own have 40; v1 has no limit, and one
// that fills the screen would hide every other.
const wordMost = 64

func word(s string) string { return text.Cut(clean(s), wordMost, "…") }

// said is clean for what a component says, on one line.
func said(s string) string {
	s = strings.TrimSpace(s[:min(len(s), rawMost)])
	if strings.ContainsAny(s, "\r\n") {
		var lines []string
		for line := range strings.FieldsFuncSeq(s, func(r rune) bool { return r == '\n' || r == '\r' }) {
			if line = strings.TrimSpace(line); line != "" {
				lines = append(lines, line)
			}
		}
		s = strings.Join(lines, " ")
	}
	if s = clean(s); len(s) <= messageMost {
		return s
	}
	const cut = "…"
	end := messageMost - len(cut)
	for !utf8.RuneStart(s[end]) {
		end--
	}
	return s[:end] + cut
}
