package drain

import (
	"context"
	"errors"

	"ktriage/kube"
	"ktriage/kube/action"
)

// Kind plans drains. Its zero value is not usable.
type Kind struct{ work func(*Plan) action.Work }

var _ action.Kind = (*Kind)(nil)

// New makes the kind of action that drains nodes; work makes of a plan what carries it out.
func New(work func(*Plan) action.Work) *Kind { return &Kind{work: work} }

// ID implements action.Kind.
func (k *Kind) ID() action.ID { return action.Drain }

// Needs implements action.Kind: what a drain cannot do without. What only its plan reads, it can.
func (k *Kind) Needs() []action.Need {
	return []action.Need{
		{Verb: "patch", Resource: "nodes"},
		{Verb: "create", Resource: "pods", Subresource: "eviction"},
		{Verb: "list", Resource: "pods"},
		{Verb: "watch", Resource: "pods"},
		{Verb: "get", Resource: "nodes"},
	}
}

// Plan implements action.Kind. It reads live, for 30 s at most.
func (k *Kind) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	if len(t.Refs) == 0 {
		return nil, errors.New("there is no node to drain")
	}
	s, err := Parse(o)
	if err != nil {
		return nil, err
	}
	plan, err := Read(ctx, c, t.Refs, s)
	if err != nil {
		return nil, err
	}
	if _, chosen := o[OptionHanging]; !chosen {
		plan.Settings.Hanging = plan.allReady()
	}
	out := plan.sheet(c.Context(), t, o)
	out.Work, out.Watch = k.work(plan), true
	return out, nil
}
