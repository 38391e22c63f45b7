package rollout

import (
	"context"
	"errors"
	"fmt"
	"time"

	appsv1 "k8s.io/api/apps/v1"
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
	last    string    // how it stood
	changed time.Time // when that was first so
	blind   bool      // the last reading has failed; changed is when that began
	asked   time.Time // when the pods were read last
}

// look reads the object once, and reports whether there is nothing more to be seen.
func (v *view) look(ctx context.Context) (over bool) {
	object, err := get(ctx, v.cluster, v.item.ref)
	v.step.Severity = kube.OK
	switch {
	case ctx.Err() != nil:
		return false
	case errors.Is(err, errGone), errors.Is(err, send.ErrReplaced):
		v.step.State, v.step.Note = action.StepAccepted, "it was deleted while its pods were being replaced"
		return true
	case err != nil:
		return v.unread(kube.Explain(err).Sentence)
	}
	st := standing(object)
	if since := givenUp(object); since != nil && v.item.late != nil && since.Equal(v.item.late) {
		st.stuck = "" // that is said of the rollout before: the controller does not take it back before something happens
	}
	switch {
	case v.item.rolledBack(object):
		v.step.State, v.step.Note, v.step.Why = action.StepAccepted, "rolled back since by somebody", nil
		v.stop = words(v.item.ref.FullName()) + " was rolled back"
		return true
	case !equal(templateOf(object), v.item.made):
		v.step.State, v.step.Note, v.step.Why = action.StepAccepted, "somebody has changed its template since", nil
		return true
	case st.done:
		v.step.State, v.step.Note, v.step.Why = action.StepDone, done[v.id]+": "+st.note, nil
		return true
	case held(object):
		v.step.State, v.step.Note = action.StepAccepted, "paused by somebody: resume it; "+st.note
		v.step.Why = []string{"Nothing more is replaced while it is paused.", "Resume lets it go on; a roll back is refused before that."}
		v.stop = words(v.item.ref.FullName()) + " was paused"
		return true
	}
	if st.note != v.last || v.blind {
		v.last, v.changed, v.blind = st.note, time.Now(), false
	}
	if st.stuck != "" || time.Since(v.changed) > deadline {
		v.step.Why = v.reasons(ctx, object)
		v.give(stuckNote(st))
		return true
	}
	v.tell(ctx, object)
	return false
}

// unread says that the object cannot be read. A server that comes back tells the rest; permission that was taken away, or a
// server that stays away, is not waited for without end.
func (v *view) unread(why string) (over bool) {
	if !v.blind {
		v.changed, v.blind = time.Now(), true
	}
	note := "cannot be read: " + why
	if time.Since(v.changed) > deadline {
		v.step.State, v.step.Note, v.stop = action.StepAccepted, note, words(v.item.ref.FullName())+" is stuck"
		return true
	}
	v.step.Severity = kube.Notice
	v.report(action.StepProgressing, note, nil)
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
	v.stop = words(v.item.ref.FullName()) + " is stuck"
}

// rolledBack reports whether somebody has given the object a template from before the one that our request has made. A
// restart leaves its time in the template, and every change that is not a roll back leaves it there.
func (i *item) rolledBack(o metav1.Object) bool {
	now := templateOf(o)
	if i.id == action.RollBack {
		return equal(now, i.template) && !equal(now, i.made)
	}
	at, err := time.Parse(time.RFC3339, now.Annotations[restartedAt])
	ours, ourErr := time.Parse(time.RFC3339, i.made.Annotations[restartedAt])
	return ourErr == nil && (err != nil || at.Before(ours))
}

// tell says how a rollout stands and, if nothing happens for a while, which pods it waits for.
func (v *view) tell(ctx context.Context, object metav1.Object) {
	switch {
	case time.Since(v.changed) < quiet:
		v.report(action.StepProgressing, v.last, nil)
	case time.Since(v.asked) > quiet:
		v.asked = time.Now()
		why := v.reasons(ctx, object)
		state := action.StepProgressing
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
	ctx, stop := context.WithTimeout(ctx, send.Limit)
	defer stop()
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
			return []action.Row{line(kube.Bad, "%s waits for %s: no other pod is replaced before it is Ready; "+
				"if it never is, delete it once the template is the new one", w.name(), words(p.Name))}
		}
	}
	return nil
}
