package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

const (
	// lookEvery is the distance between two readings of an object whose rollout is watched.
	lookEvery = time.Second
	// quiet is how long nothing may change before the pods are read for a reason.
	quiet = 10 * time.Second
	// deadline is how long nothing may change before a rollout is called stuck for good: the default of
	// progressDeadlineSeconds, which Deployments alone have.
	deadline = 10 * time.Minute
)

// watch reads an object until its rollout has come to its end, or is stuck for good.
func (r *run) watch(ctx context.Context, s *action.Step, i *item) {
	v := &view{run: r, step: s, item: i, changed: time.Now()}
	for !v.look(ctx) {
		again := time.NewTimer(lookEvery)
		select {
		case <-ctx.Done():
		case <-again.C:
		case <-r.progress.Wish():
		}
		again.Stop()
		if ctx.Err() != nil {
			s.State, s.Note = action.StepAccepted, "goes on by itself: "+v.last
			return
		}
		if r.progress.Skipped(s.Object.UID) {
			s.State, s.Note = action.StepAccepted, "not watched any more: "+v.last
			return
		}
	}
}

// view is one rollout as it is watched.
type view struct {
	*run
	step    *action.Step
	item    *item
	wanted  *corev1.PodTemplateSpec // what our request has made of the template
	last    string                  // how it stood
	changed time.Time               // when that was first so
	asked   time.Time               // when the pods were read last
}

// look reads the object once, and reports whether there is nothing more to be seen.
func (v *view) look(ctx context.Context) (over bool) {
	object, err := get(ctx, v.cluster, v.item.ref)
	switch {
	case ctx.Err() != nil:
		return false
	case errors.Is(err, errGone), errors.Is(err, send.ErrReplaced):
		v.step.State, v.step.Note = action.StepAccepted, "it was deleted while its pods were being replaced"
		return true
	case err != nil:
		v.report(action.StepWaits, "cannot be read: "+kube.Explain(err).Sentence, nil)
		return false
	}
	if v.wanted == nil {
		v.wanted = templateOf(object)
	}
	st := standing(object)
	switch {
	case !equal(templateOf(object), v.wanted):
		v.step.State, v.step.Note = action.StepAccepted, "somebody has changed its template since"
		return true
	case st.done:
		v.step.State, v.step.Note, v.step.Why = action.StepDone, done[v.id]+": "+st.note, nil
		return true
	case held(object):
		v.give("somebody has paused it: " + st.note)
		return true
	}
	if st.note != v.last {
		v.last, v.changed = st.note, time.Now()
	}
	if st.stuck != "" || time.Since(v.changed) > deadline {
		v.step.Why = v.reasons(ctx, object)
		v.give(stuckNote(st))
		return true
	}
	v.tell(ctx, object)
	return false
}

func stuckNote(st stands) string {
	if st.stuck != "" {
		return "stuck: " + st.note + "; " + st.stuck
	}
	return fmt.Sprintf("stuck: %s, and nothing has changed for %v", st.note, deadline)
}

// give gives a rollout up.
func (v *view) give(note string) {
	v.step.State, v.step.Note = action.StepAccepted, note
	v.step.Why = append(v.step.Why, "Roll back gives the template that it had before.")
	v.stuck = words(v.item.ref.FullName())
}

// tell says how a rollout stands and, if nothing happens for a while, which pods it waits for.
func (v *view) tell(ctx context.Context, object metav1.Object) {
	switch {
	case time.Since(v.changed) < quiet:
		v.report(action.StepWaits, v.last, nil)
	case time.Since(v.asked) > quiet:
		v.asked = time.Now()
		why := v.reasons(ctx, object)
		state := action.StepWaits
		if len(why) > 0 {
			state = action.StepStuck
		}
		v.report(state, v.last, why)
	}
}

func (v *view) report(state action.StepState, note string, why []string) {
	if v.step.State != state {
		v.step.Since = time.Now()
	}
	v.step.State, v.step.Note, v.step.Why = state, note, why
	v.progress.Step(*v.step)
	v.progress.Say(words(v.item.ref.FullName())+": "+note, action.Tally{Done: v.step.Place, Of: len(v.steps)})
}

// reasons names the pods that are not well.
func (v *view) reasons(ctx context.Context, object metav1.Object) []string {
	const most = 5
	pods, err := podsOf(ctx, v.cluster, object)
	if err != nil {
		return nil
	}
	var out []string
	for _, p := range pods {
		row := kube.NewPod(p)
		if isReady(p) || row.Completed() {
			continue
		}
		why := row.Name + ": " + row.Status
		if row.Why != nil && row.Why.Message != "" {
			why += ": " + words(row.Why.Message)
		}
		if out = append(out, why); len(out) == most {
			break
		}
	}
	if len(out) > 0 && inOrder(object) {
		out = append(out, "A StatefulSet replaces no other pod before these are Ready: delete the ones that the new template mends.")
	}
	return out
}

// inOrder reports whether an object is a StatefulSet that waits for each of its pods.
func inOrder(o metav1.Object) bool {
	set, is := o.(*appsv1.StatefulSet)
	return is && set.Spec.PodManagementPolicy != appsv1.ParallelPodManagement
}

// blocked says what keeps the rollout of a StatefulSet from beginning: it waits for each of its pods to be well
// (updateStatefulSet of pkg/controller/statefulset).
func (w *workload) blocked() []action.Row {
	if !inOrder(w.object) || w.pace().manual {
		return nil
	}
	for _, p := range w.pods {
		if !isReady(p) {
			return []action.Row{line(kube.Bad, "%s waits for %s: no other pod is replaced before it is Ready; if it never is, delete it once the template is the new one",
				w.name(), words(p.Name))}
		}
	}
	return nil
}
