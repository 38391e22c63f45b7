package deadnode

import (
	"context"
	"fmt"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	// lookEvery is the distance between two readings of the pods of a node; of many nodes, ten a second are read.
	lookEvery = 2 * time.Second
	// patience is how long nothing may happen before the watch is given up. The garbage collector waits 40 s, and comes
	// every 20 s (pkg/controller/podgc); two rounds more are for one that is late.
	patience = 2 * time.Minute
	// heldFor is how long pods may be held by finalizers alone before it is said that they are.
	heldFor = 30 * time.Second
)

// watch reads the pods again and again until all are gone, or nothing happens any more.
func (r *run) watch(ctx context.Context) {
	r.changed = time.Now()
	for {
		r.look(ctx)
		if ctx.Err() != nil || r.over() {
			break
		}
		again := time.NewTimer(max(lookEvery, time.Duration(len(r.sent))*time.Second/10))
		select {
		case <-ctx.Done():
		case <-again.C:
		case <-r.progress.Wish():
		}
		again.Stop()
	}
	for _, p := range r.pods {
		if !p.step.State.Ended() {
			p.step.State, p.step.Since = action.StepAccepted, time.Now()
			r.progress.Step(p.step)
		}
	}
}

// over reports whether there is nothing more to be seen.
func (r *run) over() bool {
	left, held, wait := 0, 0, patience
	for _, p := range r.pods {
		if p.step.State.Ended() {
			continue
		}
		left++
		if p.step.State == action.StepStuck {
			held++
		}
		wait = max(wait, patience+min(p.delay, 10*time.Minute))
	}
	if left == held {
		wait = heldFor
	}
	return left == 0 || time.Since(r.changed) > wait
}

// look reads the pods of the nodes that let them go, once.
func (r *run) look(ctx context.Context) {
	r.failure = nil
	for i := range r.nodes {
		a := &r.nodes[i]
		name := a.ref.Name
		if !r.sent[name] || !r.waitsFor(name) {
			continue
		}
		there, version, err := podsOf(ctx, r.cluster, name, a.version)
		if err != nil {
			r.failure = err
			break
		}
		a.version = version
		r.see(name, there)
	}
	gone := 0
	for _, p := range r.pods {
		if p.step.State.Ended() {
			gone++
		}
	}
	note := r.tally(gone)
	if r.failure != nil && ctx.Err() == nil {
		note = "what has become of the pods cannot be read: " + kube.Explain(r.failure).Sentence
	}
	r.progress.Say(note, action.Tally{Done: len(r.nodes) + gone, Of: len(r.nodes) + len(r.pods)})
}

func (r *run) waitsFor(node string) bool {
	for _, p := range r.pods {
		if p.node == node && !p.step.State.Ended() {
			return true
		}
	}
	return false
}

// see compares the pods of a node with those that are to go.
func (r *run) see(node string, there []*corev1.Pod) {
	byUID := map[types.UID]*corev1.Pod{}
	for _, p := range there {
		byUID[p.UID] = p
	}
	for _, p := range r.pods {
		if p.node != node || p.step.State.Ended() {
			continue
		}
		now := p.step
		now.State, now.Note, now.Why = r.state(p, byUID[types.UID(p.ref.UID)])
		if r.progress.Skipped(p.ref.UID) && !now.State.Ended() {
			now.State, now.Note = action.StepAccepted, "not watched any more"
		}
		if now.State == p.step.State && now.Note == p.step.Note {
			continue
		}
		if now.State != p.step.State {
			now.Since, r.changed = time.Now(), time.Now()
		}
		p.step = now
		r.progress.Step(now)
	}
}

// state says how far a pod is; nil is one that is gone.
func (r *run) state(p *pod, now *corev1.Pod) (action.StepState, string, []string) {
	switch {
	case now == nil:
		return action.StepGone, "left " + words(p.node), nil
	case now.DeletionTimestamp == nil && r.id == action.DeleteNode:
		return action.StepWaits, "for the garbage collector", []string{
			"It waits 40 s, lest the node come back, and comes every 20 s.",
		}
	case now.DeletionTimestamp == nil && p.delay > 0:
		return action.StepWaits, fmt.Sprintf("tolerates the taint for %v", p.delay), nil
	case now.DeletionTimestamp == nil:
		return action.StepWaits, "for the taint to drive it away", nil
	case len(now.Finalizers) > 0 && now.DeletionGracePeriodSeconds != nil && *now.DeletionGracePeriodSeconds == 0:
		by := words(join(now.Finalizers))
		return action.StepStuck, "held by finalizer " + by, []string{
			"The API server keeps the object until somebody takes the finalizer away: " + by + ".",
			"Find out who should have; without it, it can be taken away by hand.",
		}
	}
	return action.StepTerminating, "for the garbage collector", []string{
		"No kubelet confirms that it has ended; the garbage collector comes every 20 s.",
	}
}
