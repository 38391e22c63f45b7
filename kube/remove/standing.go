package remove

import (
	"fmt"
	"slices"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// Standing implements action.Watchful: the pods that were forced out of the API may still run on their nodes. It reads
// the details of the run, as they were planned or as the audit log has them, and the nodes as the screen has them.
func (*Force) Standing(c *kube.Cluster, r *action.Run) action.Standing {
	return standing(c.Moment(), r)
}

// may are the states in which a run may have sent something; in the others it has sent nothing.
var may = []action.State{action.Done, action.Partial, action.Unknown, action.Interrupted}

func standing(m kube.Moment, r *action.Run) action.Standing {
	if !slices.Contains(may, r.State) {
		return action.Standing{}
	}
	var out action.Standing
	pods, _ := r.Details["pods"].([]any)
	on := map[string][]string{}
	var order []string
	away := map[string]bool{}
	for _, p := range pods {
		d, _ := p.(map[string]any)
		node, _ := d["node"].(string)
		name, _ := d["name"].(string)
		if node == "" || name == "" {
			continue
		}
		if on[node] == nil {
			order = append(order, node)
		}
		on[node] = append(on[node], text.Clean(name))
		was, _ := d["nodeAway"].(bool)
		away[node] = away[node] || was
	}
	for _, node := range order {
		s := standingOn(m, node, on[node], away[node])
		if out.Text == "" || s.Severity > out.Severity {
			out = s
		}
	}
	if n := len(order); n > 1 {
		out.Text += fmt.Sprintf("; and %d more nodes", n-1)
	}
	return out
}

// standingOn says what somebody has to look after on one node.
func standingOn(m kube.Moment, node string, pods []string, away bool) action.Standing {
	which, twice := text.Some(pods, 3), "is not running twice"
	if len(pods) > 1 {
		twice = "are not running twice"
	}
	name := text.Clean(node)
	switch state, there := m.Nodes[node]; {
	case !away:
		return action.Standing{
			Text: fmt.Sprintf("nobody has confirmed on %s that %s has ended: look there", name, which), Severity: kube.Notice,
		}
	case there && state.Ready:
		verb := "does not run twice"
		if len(pods) > 1 {
			verb = "do not run twice"
		}
		return action.Standing{Text: fmt.Sprintf("%s is back: check that %s %s", name, which, verb), Severity: kube.Warning}
	case !there && m.NodesKnown:
		return action.Standing{
			Text: fmt.Sprintf("the Node %s is gone: if its machine comes back, check that %s %s", name, which, twice), Severity: kube.Notice,
		}
	default:
		return action.Standing{Text: fmt.Sprintf("if %s returns, check that %s %s", name, which, twice), Severity: kube.Notice}
	}
}
