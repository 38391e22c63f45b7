// Package deadnode gives the pods of a machine that is gone back to their owners: by deleting its Node object, or by the
// taint that says that it is out of service. Its one rule: the operator says that the machine is off, and what is sent then
// names the node that was read, by its UID, and its taints as they were read.
package deadnode

import (
	"context"
	"errors"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// The options of the sheets.
const (
	OptionOff   = "off"   // the operator says that the machine is off
	OptionAlive = "alive" // delete the Node object although its kubelet lives
)

// errGone says that there is nothing left to act on.
var errGone = errors.New("does not exist any more; nothing was done")

// Delete is the action that deletes Node objects.
type Delete struct{}

// NewDelete makes the action that deletes Node objects.
func NewDelete() *Delete { return &Delete{} }

// ID implements action.Kind.
func (*Delete) ID() action.ID { return action.DeleteNode }

// Needs implements action.Kind.
func (*Delete) Needs() []action.Need {
	return []action.Need{{Verb: "delete", Resource: "nodes"}, {Verb: "list", Resource: "pods"}}
}

// Plan implements action.Kind.
func (k *Delete) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	f, err := read(ctx, c, t, true)
	if err != nil {
		return nil, err
	}
	return newSheet(f, k.ID(), t, o).deletion(), nil
}

// Taint is the action that declares nodes out of service, or the one that takes that back.
type Taint struct{ on bool }

// NewTaint makes the action that adds the taint node.kubernetes.io/out-of-service (KEP-2268), or the one that removes it.
func NewTaint(on bool) *Taint { return &Taint{on} }

// ID implements action.Kind.
func (k *Taint) ID() action.ID {
	if k.on {
		return action.OutOfService
	}
	return action.InService
}

// Needs implements action.Kind.
func (k *Taint) Needs() []action.Need {
	needs := []action.Need{{Verb: "patch", Resource: "nodes"}}
	if k.on {
		needs = append(needs, action.Need{Verb: "list", Resource: "pods"})
	}
	return needs
}

// Plan implements action.Kind.
func (k *Taint) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	f, err := read(ctx, c, t, k.on)
	if err != nil {
		return nil, err
	}
	if k.on {
		return newSheet(f, k.ID(), t, o).outOfService(), nil
	}
	return newSheet(f, k.ID(), t, o).inService(), nil
}

// twice is where the plan of a deletion keeps, by node, the pods that could run twice if its machine came back.
const twice = "twice"

// Standing implements action.Watchful: it warns when a node that was deleted is there again.
func (*Delete) Standing(c *kube.Cluster, r *action.Run) action.Standing {
	if r.State == action.Failed {
		return action.Standing{}
	}
	m := c.Moment()
	for _, ref := range r.Target.Refs {
		node, back := m.Nodes[ref.Name]
		if !back || node.UID() == ref.UID {
			continue
		}
		s := action.Standing{Severity: kube.Warning, Text: ref.Name + " has registered again"}
		byNode, _ := r.Details[twice].(map[string]any)
		if pods, _ := byNode[ref.Name].(string); pods != "" {
			s.Text += ": check that none of these runs twice: " + text.Clean(pods)
		}
		return s
	}
	return action.Standing{}
}

// Standing implements action.Watchful: it warns for as long as a node has the taint.
func (k *Taint) Standing(c *kube.Cluster, r *action.Run) action.Standing {
	if !k.on || r.State == action.Failed {
		return action.Standing{}
	}
	m := c.Moment()
	for _, ref := range r.Target.Refs {
		node, is := m.Nodes[ref.Name]
		if !is || node.UID() != ref.UID || !node.OutOfService {
			continue
		}
		s := action.Standing{Severity: kube.Warning}
		s.Text = ref.Name + " still has the out-of-service taint: untaint it when the machine is back"
		if node.Ready {
			s.Text = ref.Name + " is Ready and still has the out-of-service taint: nothing runs there until you untaint it"
		}
		return s
	}
	return action.Standing{}
}

// life is what a node shows of its kubelet.
type life struct {
	ready bool
	fresh bool // the kubelet has renewed its lease so lately that it lives
	// renewed is when the lease was renewed last; zero if that is not known.
	renewed time.Time
}

func (l life) alive() bool { return l.ready || l.fresh }

// leaseLife is how long a lease is good for that does not say so: the kubelet's nodeLeaseDurationSeconds.
const leaseLife = 40 * time.Second

// lives says how a node stands. Once the node controller has declared a kubelet silent, only a lease that was renewed after
// that is a sign of life: that is one clock compared with itself, where our own may be wrong.
func lives(n *node, now time.Time) life {
	l := life{}
	declared := time.Time{}
	for _, c := range n.object.Status.Conditions {
		if c.Type == corev1.NodeReady {
			l.ready = c.Status == corev1.ConditionTrue
			if c.Status == corev1.ConditionUnknown {
				declared = c.LastTransitionTime.Time
			}
		}
	}
	if n.lease == nil || n.lease.Spec.RenewTime == nil {
		return l
	}
	l.renewed = n.lease.Spec.RenewTime.Time
	if !declared.IsZero() {
		l.fresh = l.renewed.After(declared)
		return l
	}
	limit := leaseLife
	if s := n.lease.Spec.LeaseDurationSeconds; s != nil {
		limit = time.Duration(*s) * time.Second
	}
	l.fresh = now.Sub(l.renewed) < limit
	return l
}

// longest is the most that is shown of somebody else's text, in cells.
const longest = 120

// words makes text from the cluster fit to be shown.
func words(s string) string { return text.Cut(text.Clean(s), longest, "...") }

func plural(n int, one string) string { return text.Plural(n, one, one+"s") }

// some names the first few of a list.
func some(list []string, most int) string {
	if len(list) <= most {
		return join(list)
	}
	return fmt.Sprintf("%s and %d more", join(list[:most]), len(list)-most)
}
