package remove

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

// sentences says what could not be read, worst first.
func (r *reader) sentences() []string {
	var out []string
	for _, m := range missing {
		if s := r.unread.Sentence(m.what, m.right, m.without, longest); s != "" {
			out = append(out, s)
		}
	}
	return out
}
