package remove

import (
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/kube"
)

// What a plan can do without.
const (
	budgets    = "budgets"
	nodes      = "nodes"
	owners     = "owners"
	namespaces = "namespaces"
	volumes    = "claims"
	attachment = "attachments"
	hosted     = "other pods"
)

// missing says what a plan does not know without each, and what is not allowed then; worst first.
var missing = []struct{ what, right, without string }{
	{nodes, "get nodes", "whether a kubelet is there to end the pods is not known"},
	{owners, "get what the pods belong to", "what comes back, and how many are ready, is not known"},
	{budgets, "list poddisruptionbudgets", "whether this goes past a budget is not known"},
	{namespaces, "get namespaces", "a namespace may be on its way out"},
	{volumes, "get persistentvolumeclaims", "size and access modes are not known"},
	{attachment, "list volumeattachments", "whether a volume is still attached is not known"},
	{hosted, "list pods in all namespaces", "how many pods a node holds is not known"},
}

// denial is what of one kind could not be read.
type denial struct {
	namespaces []string
	first      error
	forbidden  bool
}

// deny notes what could not be read. The lock is held.
func (r *reader) deny(what, namespace string, err error) {
	d := r.denied[what]
	if d == nil {
		d = &denial{first: err, forbidden: true}
		r.denied[what] = d
	}
	if !apierrors.IsForbidden(err) && d.forbidden {
		d.first, d.forbidden = err, false
	}
	if namespace != "" && !slices.Contains(d.namespaces, namespace) {
		d.namespaces = append(d.namespaces, namespace)
	}
}

// sentences says what could not be read, worst first.
func (r *reader) sentences() []string {
	var out []string
	for _, m := range missing {
		d := r.denied[m.what]
		if d == nil {
			continue
		}
		slices.Sort(d.namespaces)
		where := ""
		if len(d.namespaces) > 0 {
			where = " in " + some(d.namespaces, 3)
		}
		why := "you may not " + m.right + where
		if !d.forbidden {
			why = "they could not be read" + where + " (" + strings.TrimRight(words(kube.Explain(d.first).Sentence), ".") + ")"
		}
		out = append(out, m.what+": "+why+"; "+m.without)
	}
	return out
}
