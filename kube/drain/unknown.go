package drain

import (
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/text"
	"ktriage/kube"
)

// What a plan can do without.
const (
	budgets    = "budgets"
	namespaces = "namespaces"
	owners     = "owners"
	volumes    = "volumes"
	other      = "other nodes"
)

// missing says what a plan does not know without each, and what is not allowed then.
var missing = []struct{ what, right, without string }{
	{budgets, "list poddisruptionbudgets", "a budget may refuse what this plan takes for allowed"},
	{other, "list nodes", "what remains, and where the pods could run, is not known"},
	{owners, "get what the pods belong to", "their replicas are not known, and no DaemonSet is taken for gone"},
	{namespaces, "get namespaces", "a namespace may be on its way out"},
	{volumes, "get volumes and their claims", "a pod may be bound to its node by a volume"},
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
		if n := len(d.namespaces); n > 3 {
			where = fmt.Sprintf(" in %s and %d more", strings.Join(d.namespaces[:3], ", "), n-3)
		} else if n > 0 {
			where = " in " + and(d.namespaces)
		}
		why := "you may not " + m.right + where
		if !d.forbidden {
			why = "they could not be read" + where + " (" + strings.TrimRight(words(kube.Explain(d.first).Sentence), ".") + ")"
		}
		out = append(out, m.what+": "+why+"; "+m.without)
	}
	return append(out, r.roomless()...)
}

// roomless says that nobody knows how full the other nodes are.
func (r *reader) roomless() []string {
	if r.facts.loads != nil || !r.facts.allKnown {
		return nil
	}
	return []string{"room: the pods of the other nodes have not all been read; that a pod fits says nothing of free CPU and memory"}
}

func compareNames(a, b *corev1.Node) int { return strings.Compare(a.Name, b.Name) }

// many is text.Plural for whom the plural has an s.
func many(n int, one string) string { return text.Plural(n, one, one+"s") }
