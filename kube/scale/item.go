package scale

import (
	"cmp"
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync/atomic"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// phase is how far an item is.
type phase uint8

const (
	waits   phase = iota // its request has not been sent
	asking               // its request is under way
	settles              // accepted: its pods come and go
	over                 // nothing more happens to it in this run
)

// item is one workload of a run.
type item struct {
	w       *Workload
	phase   phase
	sent    atomic.Bool // a request that changes something has been begun
	version uint64      // of the object when its number was accepted; 0 if not known
	seen    bool        // the number has been seen in the watch
	kept    bool        // we have set whenScaled to Retain
	head    action.Step
	pods    []*part
	claims  []*part
	moved   time.Time    // when something of it has happened last
	hint    atomic.Value // string: what its controller says about pods that it cannot make
	hinted  time.Time    // when that was asked
	stopped string       // with over: why it did not come to its end, "" if it did
	unseen  string       // that its controller has not seen the number for long, "" if it has
	void    bool         // its number is not ours any more: there is nothing to undo
}

// part is a pod or a claim of a workload, and how it stands.
type part struct {
	step  action.Step
	made  bool // it comes
	claim Claim
}

func (r *run) newItem(w *Workload, now time.Time) *item {
	i := &item{w: w, moved: now}
	i.head = action.Step{Object: w.Ref, State: action.StepWaits, Since: now, Note: fmt.Sprintf("%d to %d", w.From, w.To), Place: r.next()}
	r.report(i.head)
	add := func(list *[]*part, p *part, kind kube.Kinds, name, uid, note string) {
		p.step = action.Step{
			Object: kube.Ref{Kind: kind, Namespace: w.Ref.Namespace, Name: name, UID: uid}, State: action.StepWaits, Since: now, Note: note,
			Place: r.next(), Key: w.Ref.UID + "/" + kind.Kind() + "/" + name, Follows: true,
		}
		*list = append(*list, p)
		r.report(p.step)
	}
	uids := map[string]string{}
	for _, m := range w.Members {
		uids[m.Name] = m.UID
	}
	if w.Policy != "" {
		for _, name := range w.Goes {
			add(&i.pods, &part{}, kube.Pods, name, uids[name], "is to go")
		}
		for _, name := range w.Comes {
			add(&i.pods, &part{made: true}, kube.Pods, name, "", "is to come")
		}
	}
	for _, c := range w.fated(Deleted) {
		if c.UID == "" {
			continue // it was not read: nobody can say when it has gone
		}
		add(&i.claims, &part{claim: c}, kube.Claims, c.Name, c.UID, "goes with "+c.Pod)
	}
	return i
}

func (r *run) next() int { r.place++; return r.place }

// released waits until no claim of the pods that go is owned by a pod any more: such a claim would go with its pod still.
func (r *run) released(ctx context.Context, w *Workload) error {
	limit := time.Now().Add(releaseLimit)
	for {
		held, err := heldClaims(ctx, r.cluster, w)
		switch {
		case err == nil && len(held) == 0:
			return nil
		case err != nil:
			return err
		case time.Now().After(limit):
			return fmt.Errorf("%w: %s", errHeld, text.Some(held, 2))
		}
		pause(ctx, time.Second)
		if ctx.Err() != nil || r.life.Err() != nil {
			return errNotBegun
		}
	}
}

// releaseLimit is how long the controller has to let go of claims before nothing is scaled.
const releaseLimit = 30 * time.Second

// errHeld says that whenScaled is Retain, and that claims are owned by pods all the same.
var errHeld = errors.New("whenScaled is Retain now, and claims still belong to their pods; nothing was scaled")

// take notes how a request has ended.
func (r *run) take(a answer) {
	r.flying--
	i, now := a.item, time.Now()
	i.moved = now
	i.kept = i.kept || a.kept
	late := send.Away(a.err)
	if late && r.life.Err() == nil {
		i.phase = waits
		r.hold(i, a.err, now)
		return
	}
	r.release(i)
	switch {
	case a.err == nil:
		i.phase, i.version = settles, versionOf(a.version)
		i.head.State, i.head.Since, i.head.Note = action.StepProgressing, now, i.accepted()
		i.head.Follows = true // what has been accepted cannot be left out any more
		r.report(i.head)
		return
	case errors.Is(a.err, errNotBegun), r.life.Err() != nil && (late || !i.sent.Load()):
		i.end(action.StepLeft, "", nil)
	default:
		i.end(refused(a.err, a.about))
	}
	if i.kept && !errors.Is(a.err, errHeld) {
		i.onlyKept()
	}
	i.tellAll(r)
}

// onlyKept says that the policy was changed, and the number was not.
func (i *item) onlyKept() {
	i.head.Note = strings.TrimSuffix(cmp.Or(i.head.Note, "not scaled"), "; nothing was done") + "; " + nowRetain
	i.stopped = i.head.Note
}

// accepted is the note of an item whose number was set.
func (i *item) accepted() string {
	out := fmt.Sprintf("accepted: %d to %d", i.w.From, i.w.To)
	if i.kept {
		out += "; " + nowRetain
	}
	return out
}

// nowRetain says what was changed before the number.
const nowRetain = "whenScaled is Retain now"

// refused says what an error of a request about something, "the number" or "whenScaled", comes to.
func refused(err error, about string) (action.StepState, string, []string) {
	var changed changedError
	switch e := kube.Explain(err); {
	case errors.Is(err, send.ErrUnknown):
		return action.StepUnknown, "no answer; it is not known whether " + about + " was set", []string{e.Sentence}
	case errors.Is(err, send.ErrReplaced):
		return action.StepFailed, "was replaced by another of that name; nothing was done", nil
	case errors.Is(err, errGone):
		return action.StepFailed, "does not exist any more; nothing was done", nil
	case errors.As(err, &changed):
		return action.StepFailed, changed.Error() + "; nothing was done", []string{"Make the plan anew."}
	case errors.Is(err, errOther):
		return action.StepFailed, words(err.Error()) + "; nothing was done", []string{"Make the plan anew."}
	case errors.Is(err, errHeld):
		return action.StepFailed, words(err.Error()), []string{"Its controller lets go of claims only while all pods that stay are Ready."}
	case errors.Is(err, context.Canceled): // of a reading: what was sent and not answered is ErrUnknown
		return action.StepLeft, "cancelled before " + about + " was set", nil
	default:
		return action.StepFailed, e.Sentence, []string{e.Sentence, e.Next}
	}
}

// finish ends the step of a number that was accepted, and takes its time. What has ended before stays as it is.
func (i *item) finish(state action.StepState, now time.Time) {
	i.phase = over
	if i.head.State == action.StepProgressing {
		i.head.State, i.head.Since = state, now
	}
}

// taken reports whether the server has accepted its number.
func (i *item) taken() bool {
	return slices.Contains([]action.StepState{action.StepProgressing, action.StepAccepted, action.StepDone}, i.head.State)
}

// end ends an item whose number was not set.
func (i *item) end(state action.StepState, note string, why []string) {
	i.phase = over
	i.head.State, i.head.Since, i.head.Why = state, time.Now(), why
	i.head.Note = note
	i.stopped = cmp.Or(note, state.String())
	for _, p := range slices.Concat(i.pods, i.claims) {
		p.step.State, p.step.Note, p.step.Since = state, "", time.Now()
		if state == action.StepFailed {
			p.step.State = action.StepLeft
		}
	}
}

func (i *item) tellAll(r *run) {
	r.report(i.head)
	for _, p := range i.pods {
		r.report(p.step)
	}
	for _, p := range i.claims {
		r.report(p.step)
	}
}

// leave ends what has not ended when the run does.
func (r *run) leave(i *item) {
	if i.phase == waits {
		i.end(action.StepLeft, "", nil)
		i.head.Until = time.Time{}
		if i.kept {
			i.onlyKept()
		}
	}
	if i.phase == settles {
		i.stopped = "not watched to its end"
		i.finish(action.StepAccepted, time.Now())
		for _, p := range slices.Concat(i.pods, i.claims) {
			if !p.step.State.Ended() {
				p.step.State, p.step.Since = action.StepAccepted, time.Now()
			}
		}
	}
	i.tellAll(r)
}

// sort takes the pods out of the watches, by their controllers, and notes of which namespaces they have been read.
func (r *run) sort() {
	r.owned, r.read = map[types.UID][]*corev1.Pod{}, map[string]bool{}
	for ns, f := range r.pods {
		all, listed, _ := f.all()
		r.read[ns] = listed
		for _, o := range all {
			if p, ok := o.(*corev1.Pod); ok {
				if owner := metav1.GetControllerOfNoCopy(p); owner != nil {
					r.owned[owner.UID] = append(r.owned[owner.UID], p)
				}
			}
		}
	}
}

// live gives the pods of a workload as they are now, and whether they have been read.
func (r *run) live(w *Workload) ([]*corev1.Pod, bool) {
	listed := r.read[w.Ref.Namespace]
	if w.Ref.Kind != kube.Deployments {
		return r.owned[types.UID(w.Ref.UID)], listed
	}
	var out []*corev1.Pod
	for _, pods := range r.owned {
		if pods[0].Namespace == w.Ref.Namespace && w.owns(pods[0]) {
			out = append(out, pods...)
		}
	}
	return out, listed
}
