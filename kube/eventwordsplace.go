package kube

import (
	"strings"
)

// readScheduling reads why a scheduler has found no node: today's "0/150 nodes are available: 140 Insufficient memory, … preemption: …"
// (FitError.Error of pkg/scheduler/framework/types.go), and what schedulers before Kubernetes 1.9 wrote.
func readScheduling(message string) wording {
	nodes, rest, ok := strings.Cut(message, " nodes are available: ")
	if !ok {
		return readOldScheduling(message)
	}
	free, total, ok := strings.Cut(nodes, "/")
	if !ok || free != "0" || !isNumber(total) {
		return wording{}
	}
	table := EventTable{Title: "why no node takes it", Columns: []string{"NODES", "WHY NOT"}}
	var parts []string
	for _, r := range splitReasons(schedulerMessage(rest)) {
		n, why := countedReason(r)
		table.Rows = append(table.Rows, []string{dashed(n), why})
		parts = append(parts, strings.TrimSpace(n+" "+placeWords(why, n != "")))
	}
	sentence := "none of " + total + " nodes takes it: " + strings.Join(parts, ", ")
	if total == "1" {
		sentence = "the only node does not take it: " + strings.Join(parts, ", ")
	}
	preempting := splitReasons(preemptionOf(message))
	for _, r := range preempting {
		n, why := countedReason(r)
		table.Rows = append(table.Rows, []string{dashed(n), "preemption: " + why})
	}
	if words := preemptionWords(preempting); words != "" {
		sentence += "; " + words
	}
	return wording{sentence, table}
}

// preemptionOf is what a scheduler says of evicting others, without the number of nodes before it.
func preemptionOf(message string) string {
	_, s, ok := strings.Cut(message, "preemption: ")
	if !ok {
		return ""
	}
	if _, reasons, ok := strings.Cut(s, " nodes are available: "); ok {
		s = reasons
	}
	return strings.TrimSuffix(s, ".")
}

// splitReasons parts the reasons of a scheduler, each of which begins with its number of nodes. A reason may have commas of its own.
func splitReasons(s string) []string {
	var out []string
	for s != "" {
		end := len(s)
		for i := 0; i < len(s); {
			at := strings.Index(s[i:], ", ")
			if at < 0 {
				break
			}
			i += at + len(", ")
			if n, _ := countedReason(s[i:]); n != "" {
				end = i - len(", ")
				break
			}
		}
		out = append(out, s[:end])
		s = strings.TrimPrefix(s[end:], ", ")
	}
	return out
}

// countedReason parts "140 Insufficient memory"; n is "" where no number stands before it.
func countedReason(s string) (n, why string) {
	n, why, ok := strings.Cut(s, " ")
	if !ok || !isNumber(n) {
		return "", s
	}
	return n, why
}

// placeReasons are the reasons of the scheduler's plugins (ErrReason… in pkg/scheduler/framework/plugins), as they read behind a number
// of nodes.
var placeReasons = [...]struct{ said, means string }{
	{"node(s) had untolerated taint(s)", "with taints that it does not tolerate"},
	{"node(s) didn't match Pod's node affinity/selector", "outside its node selector or affinity"},
	{"node(s) didn't match node selector", "outside its node selector or affinity"},
	{"node(s) were unschedulable", "cordoned"},
	{"node(s) had volume node affinity conflict", "out of reach of its volume"},
	{"node(s) didn't have free ports for the requested pod ports", "where its host port is taken"},
	{"node(s) didn't match pod anti-affinity rules", "with pods that it must not be beside"},
	{"node(s) didn't satisfy existing pods anti-affinity rules", "with pods that do not want it beside them"},
	{"node(s) didn't match pod affinity rules", "without the pods that it must be beside"},
	{"node(s) didn't match pod topology spread constraints", "where it would be spread too unevenly"},
	{"node(s) didn't find available persistent volumes to bind", "without a volume for its claim"},
	{"node(s) exceed max volume count", "with as many volumes as they may have"},
	{"Too many pods", "full of pods"},
}

// placeWords say why nodes do not take a pod. counted tells whether their number stands before it.
func placeWords(reason string, counted bool) string {
	if !counted {
		return reason
	}
	if resource, ok := strings.CutPrefix(reason, "Insufficient "); ok {
		return "without enough " + resource
	}
	for _, prefix := range [...]string{"node(s) had untolerated taint ", "node(s) had taint "} {
		if taint, ok := strings.CutPrefix(reason, prefix); ok {
			return "with the taint " + strings.TrimSuffix(taint, ", that the pod didn't tolerate") + ", which it does not tolerate"
		}
	}
	for _, r := range placeReasons {
		if rest, ok := strings.CutPrefix(reason, r.said); ok {
			return r.means + rest
		}
	}
	return reason
}

// preemptionWords say what evicting others would do, in the scheduler's own numbers where its reasons differ.
func preemptionWords(reasons []string) string {
	var parts []string
	for _, r := range reasons {
		n, why := countedReason(r)
		means := why
		switch {
		case strings.HasPrefix(why, "Preemption is not helpful"):
			means = "evicting others would not help"
		case strings.HasPrefix(why, "No preemption victims found"):
			means = "there are no pods of a lower priority to evict"
		}
		if n != "" && (len(reasons) > 1 || means == why) {
			means += " on " + n
		}
		parts = append(parts, means)
	}
	return strings.Join(parts, ", ")
}

// readOldScheduling reads what schedulers wrote before Kubernetes 1.9: "No nodes are available that match all of the following
// predicates:: Insufficient cpu (2).", "fit failure summary on nodes : Insufficient cpu (2)", and a line for each node before 1.5.
func readOldScheduling(message string) wording {
	for _, before := range [...]string{"predicates:: ", "fit failure summary on nodes : "} {
		if _, reasons, ok := strings.Cut(message, before); ok {
			return readSummary(strings.TrimSuffix(reasons, "."))
		}
	}
	if _, first, ok := strings.Cut(message, "fit failure on node ("); ok {
		return readEachNode(first)
	}
	return wording{}
}

// readSummary reads "Insufficient cpu (2), Insufficient memory (1)".
func readSummary(reasons string) wording {
	table := EventTable{Title: "why no node takes it", Columns: []string{"NODES", "WHY NOT"}}
	var parts []string
	for r := range strings.SplitSeq(reasons, ", ") {
		why, n, ok := strings.Cut(strings.TrimSuffix(r, ")"), " (")
		if !ok || !isNumber(n) {
			return wording{}
		}
		table.Rows = append(table.Rows, []string{n, why})
		parts = append(parts, n+" "+placeWords(why, true))
	}
	return wording{"no node takes it: " + strings.Join(parts, ", "), table}
}

// readEachNode reads "node-1): Node didn't have enough resource: CPU, requested: 1000, used: 1420, capacity: 2000", with another such
// line for each further node.
func readEachNode(s string) wording {
	table := EventTable{Title: "why no node takes it", Columns: []string{"NODE", "RESOURCE", "REQUESTED", "USED", "CAPACITY"}}
	var parts []string
	for line := range strings.SplitSeq(s, "fit failure on node (") {
		node, why, ok := strings.Cut(line, "): ")
		if !ok {
			return wording{}
		}
		why = strings.TrimSpace(why)
		resource, ok := strings.CutPrefix(why, "Node didn't have enough resource: ")
		fields := strings.Split(resource, ", ")
		if !ok || len(fields) != 4 {
			table.Rows = append(table.Rows, []string{node, why, "-", "-", "-"})
			parts = append(parts, node+": "+why)
			continue
		}
		requested, used, capacity := afterColon(fields[1]), afterColon(fields[2]), afterColon(fields[3])
		table.Rows = append(table.Rows, []string{node, fields[0], requested, used, capacity})
		parts = append(parts, node+" has too little "+fields[0]+" (asked for "+requested+", "+used+" of "+capacity+" used)")
	}
	return wording{"no node takes it: " + strings.Join(parts, ", "), table}
}

func afterColon(s string) string {
	_, after, _ := strings.Cut(s, ": ")
	return after
}

// dashed is a cell: "-" stands for what is not known.
func dashed(s string) string {
	if s == "" {
		return "-"
	}
	return s
}

// readRefusal reads why a controller could not make a pod: what the server said, which is a quota, a LimitRange, a webhook or a rule of
// Pod Security in most cases.
func readRefusal(message string) wording {
	what, cause := "cannot create pods: ", message
	if rest, ok := strings.CutPrefix(message, "Error creating: "); ok {
		cause = rest
	} else if made, rest, ok := strings.Cut(message, " failed error: "); ok {
		cause = rest
		if pod, _, ok := strings.Cut(made, " in StatefulSet "); ok {
			what = "cannot create " + strings.Replace(strings.TrimPrefix(lowerFirst(pod), "create "), "Pod ", "pod ", 1) + ": "
		}
	}
	cause = refusal(cause, "")
	switch {
	case cause == "":
		return wording{}
	case strings.HasPrefix(cause, "exceeded quota: "):
		if q := readQuota(cause); q.sentence != "" {
			return wording{what + q.sentence, q.table}
		}
	case strings.HasPrefix(cause, "failed quota: "):
		return wording{sentence: what + "quota " + strings.TrimPrefix(cause, "failed quota: ")}
	}
	if l := readLimits(cause); l.sentence != "" {
		return wording{what + l.sentence, l.table}
	}
	return wording{sentence: what + cause}
}

// lowerFirst makes the first letter small, if it is one of ours.
func lowerFirst(s string) string {
	if s == "" || s[0] < 'A' || s[0] > 'Z' {
		return s
	}
	return string(s[0]+'a'-'A') + s[1:]
}

// readQuota reads "exceeded quota: compute, requested: cpu=2,pods=1, used: cpu=1,pods=3, limited: cpu=2,pods=3" (the admission plugin
// resourcequota).
func readQuota(s string) wording {
	name, rest, a := strings.Cut(strings.TrimPrefix(s, "exceeded quota: "), ", requested: ")
	requested, rest, b := strings.Cut(rest, ", used: ")
	used, limited, c := strings.Cut(rest, ", limited: ")
	if !a || !b || !c {
		return wording{}
	}
	has, may := amounts(used), amounts(strings.TrimSuffix(limited, "."))
	table := EventTable{Title: "quota " + name, Columns: []string{"RESOURCE", "ASKED FOR", "USED", "LIMIT"}}
	var parts []string
	for pair := range strings.SplitSeq(requested, ",") {
		resource, asked, ok := strings.Cut(pair, "=")
		if !ok || has[resource] == "" || may[resource] == "" {
			return wording{}
		}
		table.Rows = append(table.Rows, []string{resource, asked, has[resource], may[resource]})
		parts = append(parts, asked+" more "+resource+" asked for, "+has[resource]+" of "+may[resource]+" used")
	}
	return wording{"over quota " + name + ": " + strings.Join(parts, "; "), table}
}

// amounts reads "cpu=2,pods=1".
func amounts(s string) map[string]string {
	out := map[string]string{}
	for pair := range strings.SplitSeq(s, ",") {
		if resource, amount, ok := strings.Cut(pair, "="); ok {
			out[resource] = amount
		}
	}
	return out
}

// readLimits reads what a LimitRange forbids (plugin/pkg/admission/limitranger): "maximum memory usage per Container is 1Gi, but limit is
// 1536Mi", or several of that kind between brackets.
func readLimits(s string) wording {
	table := EventTable{Title: "LimitRange", Columns: []string{"WHAT", "IS", "ALLOWED", "PER"}}
	var parts []string
	for _, one := range splitLimits(strings.Trim(s, "[]")) {
		what, is, allowed, per, ok := limit(one)
		if !ok {
			return wording{}
		}
		table.Rows = append(table.Rows, []string{what, dashed(is), allowed, per})
		sign := " > "
		switch {
		case is == "":
			sign = "no "
		case strings.HasPrefix(allowed, "min "):
			sign = " < "
		}
		if is == "" {
			parts = append(parts, sign+what+" ("+allowed+" per "+per+")")
		} else {
			parts = append(parts, what+" "+is+sign+allowed+" per "+per)
		}
	}
	return wording{"LimitRange: " + strings.Join(parts, ", "), table}
}

// splitLimits parts what a LimitRange forbids: each begins with a word of its own.
func splitLimits(s string) []string {
	for _, begin := range [...]string{"minimum ", "maximum "} {
		s = strings.ReplaceAll(s, ", "+begin, "\x00"+begin)
	}
	return strings.Split(s, "\x00")
}

// limit reads one thing that a LimitRange forbids: "memory limit", "1536Mi", "max 1Gi", "Container". is is "" where nothing is said.
func limit(s string) (what, is, allowed, per string, ok bool) {
	bound, rest, a := strings.Cut(strings.TrimSuffix(s, "."), " ")
	resource, rest, b := strings.Cut(rest, " usage per ")
	per, rest, c := strings.Cut(rest, " is ")
	if !a || !b || !c || bound != "minimum" && bound != "maximum" || strings.ContainsAny(resource, " ,") {
		return "", "", "", "", false
	}
	allowed = bound[:3] + " "
	if amount, said, ok := strings.Cut(rest, ", but "); ok {
		field, is, ok := strings.Cut(said, " is ")
		return resource + " " + field, is, allowed + amount, per, ok
	}
	amount, said, ok := strings.Cut(rest, ". ")
	field, none := strings.CutSuffix(strings.TrimSpace(said), " is specified")
	_, field, no := strings.Cut(field, "No ")
	return resource + " " + field, "", allowed + amount, per, ok && none && no
}
