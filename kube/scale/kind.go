package scale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strconv"
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// The toggles of a scale sheet, and what the audit log calls them. The number of an object is OptionReplicas and its UID.
const (
	OptionReplicas = "replicas/"
	OptionRetain   = "retain"   // whenScaled is set to Retain before
	OptionOverride = "override" // although members are not well, or a volume is not to be shared
)

// most is the highest number that is taken from a sheet: beyond it a typing error is likelier than a wish.
const most = 10_000

// Kind is the action that scales.
type Kind struct{}

// New makes the action that scales workloads.
func New() *Kind { return &Kind{} }

var _ action.Kind = (*Kind)(nil)

// ID implements action.Kind.
func (*Kind) ID() action.ID { return action.Scale }

// Needs implements action.Kind: the greyed key goes by StatefulSets, which this is for in the first place; what the server
// refuses of the others it says itself.
func (*Kind) Needs() []action.Need {
	return []action.Need{
		{Verb: "list", Resource: "pods", Scoped: true},
		{Verb: "watch", Resource: "pods", Scoped: true},
	}
}

// NeedsFor implements action.Particular.
func (*Kind) NeedsFor(kind kube.Kinds) []action.Need {
	resource, ok := map[kube.Kinds]string{
		kube.StatefulSets: "statefulsets", kube.Deployments: "deployments", kube.ReplicaSets: "replicasets",
	}[kind]
	if !ok {
		return nil // of a pod it hangs on what that belongs to; the server refuses what is not allowed
	}
	return []action.Need{
		{Verb: "get", Group: "apps", Resource: resource, Subresource: "scale", Scoped: true},
		{Verb: "update", Group: "apps", Resource: resource, Subresource: "scale", Scoped: true},
	}
}

// Plan implements action.Kind. It reads live, for 30 s at most. A pod stands for what makes it again.
func (*Kind) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	f, err := read(ctx, c, t.Refs)
	if err != nil {
		return nil, err
	}
	t.Refs = nil
	for _, one := range f.targets {
		t.Refs = append(t.Refs, one.ref)
	}
	p := f.plan(o)
	if changing := p.changing(); len(changing) > 0 { // what keeps its number is not acted on
		t.Refs = nil
		for _, w := range changing {
			t.Refs = append(t.Refs, w.Ref)
		}
	}
	return p.sheet(f, t, o), nil
}

// PlanOf gives what a plan of this package, or the work that it was made for, says object by object; nil for any other.
func PlanOf(p *action.Plan) *Plan {
	if w, ok := p.Work.(*work); ok {
		return w.plan
	}
	return nil
}

// plan works out what the chosen numbers come to.
func (f *facts) plan(o action.Options) *Plan {
	p := &Plan{Made: f.now, Unknown: f.unknown, Retain: o[OptionRetain] == action.On}
	override := o[OptionOverride] == action.On
	for _, t := range f.targets {
		p.Workloads = append(p.Workloads, f.workload(t, typed(o, t), p.Retain, override))
	}
	return p
}

// typed is the number as it was typed, or what it is now.
func typed(o action.Options, t *target) string {
	if s, ok := o[OptionReplicas+t.ref.UID]; ok {
		return s
	}
	return strconv.Itoa(int(t.replicas))
}

// parse reads a number of replicas, and says why it is none.
func parse(s string, now int32) (int32, string) {
	s = strings.TrimSpace(s)
	n, err := strconv.ParseInt(s, 10, 64)
	switch {
	case s == "":
		return 0, "no number: type how many replicas there are to be"
	case errors.Is(err, strconv.ErrRange) && n > 0:
		return 0, text.Cut(s, 20, "...") + " is more than any cluster has"
	case err != nil && n >= 0 || strings.HasPrefix(s, "+"):
		return 0, strconv.Quote(text.Cut(text.Clean(s), 20, "...")) + " is not a whole number"
	case n < 0:
		return 0, "fewer than 0 replicas cannot be"
	case n > most && n > int64(now):
		return 0, fmt.Sprintf("%s is more than is set from here (%s)", text.Count(int(n)), text.Count(most))
	}
	return int32(n), ""
}

// workload works out what one number comes to.
func (f *facts) workload(t *target, typed string, retain, override bool) Workload {
	w := Workload{Ref: t.ref, From: t.replicas, selects: t.selector()}
	if w.To, w.Fault = parse(typed, w.From); w.Fault != "" {
		w.To = w.From
		w.Refused = append(w.Refused, w.Fault)
	}
	if t.set != nil {
		w.ordinals(t.set, f.own(t), f.now)
		w.judgeSet(t.set)
		w.judgeClaims(f, t.set, retain)
		w.remade(f, t.set)
		w.leftOver(f, t.set)
		w.judgeReach(f)
	} else {
		w.replicas(f, t)
		w.judgeReplicas(f, t, override)
	}
	w.healthy()
	w.judgeScaler(f)
	w.judgeManagers(t.meta)
	w.judgeBudgets(f, t)
	w.judgeRoom(f, t)
	if t.meta.GetDeletionTimestamp() != nil {
		w.Refused = append(w.Refused, "it is being deleted: its pods go with it")
	}
	w.judgeBlock(override)
	w.judgeTier()
	slices.SortStableFunc(w.notes, func(a, b note) int {
		return cmp.Or(int(b.severity)-int(a.severity), cmp.Compare(boolInt(a.good), boolInt(b.good)))
	})
	return w
}

func boolInt(b bool) int {
	if b {
		return 1
	}
	return 0
}

// judgeBlock refuses to scale down what does not come down, unless that is what is wanted.
func (w *Workload) judgeBlock(override bool) {
	b := w.Blocked
	if b == nil || !w.changes() || !w.down() {
		return
	}
	if !override {
		w.Refused = append(w.Refused, fmt.Sprintf("blocked by %s (%s): make it well first, or tick the box to ask all the same", b.By, b.Why))
		return
	}
	w.Tier = append(w.Tier, "the request will be accepted but will not progress")
}

// judgeTier says why the name has to be typed.
func (w *Workload) judgeTier() {
	if !w.changes() {
		return
	}
	if len(w.fated(Deleted)) > 0 {
		w.Tier = append([]string{"whenScaled Delete"}, w.Tier...)
	}
	if w.To == 0 {
		w.Tier = append(w.Tier, "no replica stays: it is an outage")
	}
	if w.loses {
		w.Tier = append(w.Tier, fmt.Sprintf("if it is a quorum system: %d members need %d, and with %d it is lost, unless the members are told before",
			w.From, w.majority(), w.To))
	}
	if n := w.From - w.To; n > 1 && w.To > 0 {
		w.Tier = append(w.Tier, fmt.Sprintf("%d pods less at once", n))
	}
	switch n := text.Count(w.New); {
	case !w.huge():
	case w.New > manyNew:
		w.Tier = append(w.Tier, fmt.Sprintf("%s new pods, more than %d", n, manyNew))
	default:
		w.Tier = append(w.Tier, fmt.Sprintf("%s new pods, more than double", n))
	}
}

const (
	manyNew = 100 // new pods are a step that wants a second look
	someNew = 20  // are one if that is more than double
)

// huge reports whether so many pods are made that a typing error is likely, and the cluster may be full of them.
func (w *Workload) huge() bool {
	return w.To > w.From && (w.New > manyNew || w.New > someNew && int(w.To) > 2*int(w.From))
}

func many(n int, single, plural string) string { return text.Plural(n, single, plural) }
