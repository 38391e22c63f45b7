package drain

import (
	"fmt"

	"ktriage/kube"
	"ktriage/kube/action"
)

// waiting says of the pods that a budget refuses now why it does. Those that wait for others of the same drain, and for
// nothing else, are told of together: that is how a budget works, and no fault.
func (p *Plan) waiting() []action.Row {
	var out []action.Row
	at, count := map[string]int{}, map[string]int{}
	for _, pod := range p.pods() {
		if pod.Fate != Waits {
			continue
		}
		if !pod.queues() {
			out = append(out, line(kube.Warning, "%s: %s", pod.Ref().FullName(), pod.Why))
			continue
		}
		b := pod.Budgets[0]
		key := pod.Namespace + "/" + b.Name
		if count[key]++; count[key] == 1 {
			at[key] = len(out)
			out = append(out, action.Row{})
		}
		out[at[key]] = line(kube.Notice, "%s: %s allows %d at a time: %s others of this drain", pod.Namespace, b.Name, b.Allowed,
			fmt.Sprintf("%s for", verb(count[key], "pod waits", "pods wait")))
	}
	return out
}

// queues reports whether a pod waits for others of the same drain, and for nothing else.
func (p *Pod) queues() bool { return len(p.Budgets) == 1 && p.Budgets[0].Block == Shared }
