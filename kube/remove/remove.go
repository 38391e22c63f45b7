// Package remove takes pods away: deletes them, force deletes them, and removes their finalizers. Its one rule: a request
// names the pod by its UID, and nothing stronger than what was read and confirmed is ever sent.
package remove

import (
	"context"
	"errors"
	"fmt"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
)

// Delete deletes pods as kubectl does: their containers have their grace period to end.
type Delete struct{}

// Force takes pods out of the API without asking their kubelets. It is the last resort, and its sheet says what comes first.
type Force struct{}

// Finalizers removes finalizers of pods that only these keep.
type Finalizers struct{}

var (
	_ action.Kind     = (*Delete)(nil)
	_ action.Watchful = (*Force)(nil)
	_ action.Kind     = (*Finalizers)(nil)
)

// NewDelete makes the action that deletes pods.
func NewDelete() *Delete { return &Delete{} }

// NewForce makes the action that force deletes pods.
func NewForce() *Force { return &Force{} }

// NewFinalizers makes the action that removes finalizers of pods.
func NewFinalizers() *Finalizers { return &Finalizers{} }

// ID implements action.Kind.
func (*Delete) ID() action.ID { return action.DeletePod }

// ID implements action.Kind.
func (*Force) ID() action.ID { return action.ForceDelete }

// ID implements action.Kind.
func (*Finalizers) ID() action.ID { return action.RemoveFinalizers }

// Needs implements action.Kind.
func (*Delete) Needs() []action.Need { return needs("delete") }

// Needs implements action.Kind.
func (*Force) Needs() []action.Need { return needs("delete") }

// Needs implements action.Kind.
func (*Finalizers) Needs() []action.Need { return needs("patch") }

func needs(verb string) []action.Need {
	return []action.Need{{Verb: verb, Resource: "pods", Scoped: true}, {Verb: "get", Resource: "pods", Scoped: true}}
}

// readLimit bounds the reading of everything that a plan is made of.
const readLimit = 30 * time.Second

// Plan implements action.Kind. It reads live, for 30 s at most.
func (*Delete) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	f, err := readAll(ctx, c, t, reading{budgets: true, claims: true})
	if err != nil {
		return nil, err
	}
	return planDelete(f, t, o), nil
}

// Plan implements action.Kind. It reads live, for 30 s at most.
func (*Force) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	s, err := parseForce(o)
	if err != nil {
		return nil, err
	}
	f, err := readAll(ctx, c, t, reading{claims: true, nodes: true, hosted: true})
	if err != nil {
		return nil, err
	}
	return planForce(f, t, o, s), nil
}

// Plan implements action.Kind. It reads live, for 30 s at most.
func (*Finalizers) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	f, err := readAll(ctx, c, t, reading{})
	if err != nil {
		return nil, err
	}
	return planFinalizers(f, t, o)
}

// readAll reads what a plan is made of.
func readAll(ctx context.Context, c *kube.Cluster, t action.Target, what reading) (*facts, error) {
	if len(t.Refs) == 0 {
		return nil, errors.New("no pod is meant")
	}
	for _, ref := range t.Refs {
		if ref.Kind != kube.Pods {
			return nil, fmt.Errorf("%s is not a pod; nothing was done", ref.FullName())
		}
	}
	ctx, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	return read(ctx, c, t.Refs, what)
}
