package drain

import (
	"strings"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
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

// sentences says what could not be read, worst first.
func (r *reader) sentences() []string {
	var out []string
	for _, m := range missing {
		if s := r.unread.Sentence(m.what, m.right, m.without, longest); s != "" {
			out = append(out, s)
		}
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
