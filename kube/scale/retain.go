package scale

import (
	"context"
	"fmt"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// RetainKind is the action that keeps the claims of StatefulSets that are scaled down. It is the emergency key while a
// scale-down runs, and scales nothing itself.
type RetainKind struct{}

// NewRetain makes the action that sets whenScaled to Retain.
func NewRetain() *RetainKind { return &RetainKind{} }

var _ action.Kind = (*RetainKind)(nil)

// ID implements action.Kind.
func (*RetainKind) ID() action.ID { return action.Retain }

// Needs implements action.Kind.
func (*RetainKind) Needs() []action.Need {
	return []action.Need{
		{Verb: "patch", Group: "apps", Resource: "statefulsets", Scoped: true},
		{Verb: "get", Group: "apps", Resource: "statefulsets", Scoped: true},
		{Verb: "list", Resource: "persistentvolumeclaims", Scoped: true},
		{Verb: "watch", Resource: "persistentvolumeclaims", Scoped: true},
	}
}

// Plan implements action.Kind. It reads live.
func (*RetainKind) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	f, err := read(ctx, c, t.Refs)
	if err != nil {
		return nil, err
	}
	t.Refs = nil
	for _, one := range f.targets {
		if one.set == nil {
			return nil, &action.Refusal{Why: fmt.Sprintf("%s is a %s: only StatefulSets make claims that scaling could delete", full(one.ref), one.ref.Kind.Kind())}
		}
		t.Refs = append(t.Refs, one.ref)
	}
	p := f.plan(nil)
	for i := range p.Workloads {
		p.Workloads[i].endangered(f, f.targets[i])
	}
	return p.retainSheet(t, o), nil
}

// endangered keeps of the claims those that go with pods that are going, and says which cannot be kept any more.
func (w *Workload) endangered(f *facts, t *target) {
	for i := range w.Claims {
		c := &w.Claims[i]
		claim := f.claims[w.Ref.Namespace][c.Name]
		switch {
		case c.Fate != Deleted || claim == nil:
		case claim.DeletionTimestamp != nil:
			c.Why = "is being deleted already"
		default:
			c.Fate = Kept
		}
	}
	if !w.Deletes {
		w.Refused = append(w.Refused, "whenScaled is Retain: scaling down deletes no claim")
	}
	if t.set.DeletionTimestamp != nil {
		w.Refused = append(w.Refused, "it is being deleted: its controller does nothing with claims any more")
	}
}

func (p *Plan) retainSheet(t action.Target, o action.Options) *action.Plan {
	kept, lost := 0, 0
	out := &action.Plan{Action: action.Retain, Target: t, Options: o, Made: p.Made, Tier: action.Ask, Watch: true, Word: p.word(), Details: map[string]any{}}
	table := action.Section{Title: "claims of pods that are going", Columns: []action.Column{{Title: "CLAIM"}, {Title: "SIZE"}, {Title: "VOLUME", Wide: true}, {Title: "AFTER"}}}
	var late []action.Row
	for i := range p.Workloads {
		w := &p.Workloads[i]
		for _, why := range w.Refused {
			if len(p.Workloads) > 1 {
				why = full(w.Ref) + ": " + why
			}
			out.Refusals = append(out.Refusals, why)
		}
		for _, c := range w.Claims {
			row := action.Row{Cells: []string{c.Name, c.Size, c.Volume, "stays, if " + c.Pod + " has not gone before"}}
			switch {
			case c.UID == "":
				row.Severity, row.Cells[3] = kube.Warning, c.Why
			case c.Fate == Deleted:
				lost++
				row.Severity, row.Cells[3] = kube.Bad, "lost: "+c.Why
			default:
				kept++
			}
			table.Rows = append(table.Rows, row)
		}
		if b := w.Blocked; b != nil && !b.Among && len(w.Goes) > 0 {
			late = append(late, line(kube.Warning, "%s: its controller lets go of claims only when %s is Running and Ready (%s)", full(w.Ref), b.By, b.Why))
		}
		out.Kubectl = append(out.Kubectl, retainCommand(t.Context, w.Ref))
		out.Details[full(w.Ref)] = map[string]any{"uid": w.Ref.UID, "claims": claimNamesOf(w.Claims)}
	}
	out.Headline = "whenScaled of " + t.Name() + " becomes Retain: from then on scaling down deletes no claim."
	if kept+lost > 0 {
		out.Headline += fmt.Sprintf(" %s of pods that are going %s kept.", one(kept, "claim"), map[bool]string{true: "is", false: "are"}[kept == 1])
	}
	out.Facts = []action.Fact{
		{Name: "pods", Text: "none is started, stopped or kept: scale back for that"},
		{Name: "undo", Text: "set whenScaled to Delete with kubectl"},
	}
	table.Rows = cut(table.Rows, len(table.Columns))
	out.Sections = slices.DeleteFunc([]action.Section{{Title: "takes effect late", Rows: late}, table},
		func(s action.Section) bool { return len(s.Rows) == 0 })
	out.Gate = "set whenScaled of " + t.Name() + " to Retain"
	out.Foot = one(kept, "claim") + " kept"
	out.Work = &rescue{p}
	return out
}

// heldClaims names the claims of the pods of a plan that go and that are owned by a pod still.
func heldClaims(ctx context.Context, c *kube.Cluster, w *Workload) ([]string, error) {
	var out []string
	for _, claim := range w.Claims {
		if !slices.Contains(w.Goes, claim.Pod) {
			continue
		}
		found, err := c.Client().CoreV1().PersistentVolumeClaims(w.Ref.Namespace).Get(ctx, claim.Name, metav1.GetOptions{})
		switch {
		case apierrors.IsNotFound(err):
		case err != nil:
			return nil, fmt.Errorf("read claim %s/%s: %w", w.Ref.Namespace, claim.Name, err)
		case ownedByAPod(found.OwnerReferences):
			out = append(out, claim.Name)
		}
	}
	return out, nil
}

// rescue sets whenScaled to Retain, and watches claims lose the pods that own them.
type rescue struct{ plan *Plan }

// Run implements action.Work.
func (w *rescue) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	began := time.Now()
	r := &run{cluster: c, progress: p, plan: w.plan, pods: map[string]*follower{}, objects: map[objectsOf]*follower{},
		claims: map[string]*follower{}, wake: make(chan struct{}, 1), reported: map[string]action.Step{}}
	for i := range w.plan.Workloads {
		r.items = append(r.items, r.saved(&w.plan.Workloads[i], began))
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	r.watch(watching)
	for _, i := range r.items {
		if !p.Go(ctx) {
			break
		}
		r.keep(ctx, i)
	}
	for ctx.Err() == nil && r.unfinished() > 0 {
		timer := time.NewTimer(lookAgain)
		select {
		case <-ctx.Done():
		case <-r.wake:
		case <-timer.C:
		}
		timer.Stop()
		for _, i := range r.items {
			r.lookSaved(i, time.Now())
		}
		r.sayKept()
	}
	for _, i := range r.items {
		r.leave(i)
	}
	r.sayKept()
	return r.rescued(ctx, began)
}

// saved is an item whose claims are to be kept.
func (r *run) saved(w *Workload, now time.Time) *item {
	i := &item{w: w, moved: now}
	i.head = action.Step{Object: w.Ref, State: action.StepWaits, Since: now, Note: "whenScaled Delete", Place: r.next()}
	r.report(i.head)
	for _, c := range w.Claims {
		if c.UID == "" {
			continue // it was not read: nobody can say what becomes of it
		}
		p := newPart(kube.Ref{Kind: kube.Claims, Namespace: w.Ref.Namespace, Name: c.Name, UID: c.UID}, false, now, r.next())
		p.claim = c
		i.claims = append(i.claims, p)
		r.report(p.step)
	}
	return i
}

// keep sends the patch of one StatefulSet.
func (r *run) keep(ctx context.Context, i *item) {
	if r.progress.Skipped(i.w.Ref.UID) {
		i.end(action.StepSkipped, "", nil)
		i.tellAll(r)
		return
	}
	i.head.State, i.head.Since = action.StepAsking, time.Now()
	r.report(i.head)
	s := &sender{cluster: r.cluster, begin: func() bool {
		sends := ctx.Err() == nil
		i.sent.Store(sends)
		return sends
	}}
	err := s.retain(ctx, i.w.Ref)
	for send.Away(err) && ctx.Err() == nil {
		r.hold(i, err, time.Now())
		pause(ctx, time.Until(r.until))
		if !r.progress.Go(ctx) {
			break
		}
		err = s.retain(ctx, i.w.Ref)
	}
	r.release(i)
	now := time.Now()
	i.moved = now
	switch {
	case err == nil:
		i.phase = settles
		i.head.State, i.head.Since, i.head.Note = action.StepDone, now, nowRetain
		i.head.Follows = true
	case ctx.Err() != nil && (send.Away(err) || !i.sent.Load()):
		i.end(action.StepLeft, "", nil)
	default:
		i.end(refused(err, "whenScaled"))
	}
	i.tellAll(r)
}

// lookSaved looks whether claims still go with a pod.
func (r *run) lookSaved(i *item, now time.Time) {
	if i.phase != settles {
		return
	}
	done := true
	for _, p := range i.claims {
		found, listed := r.claims[i.w.Ref.Namespace].get(p.claim.UID)
		switch {
		case p.step.State.Ended():
		case r.claims[i.w.Ref.Namespace].forbidden():
			i.becomes(p, action.StepAccepted, "you may not watch claims", now)
		case !listed:
		case found == nil:
			i.becomes(p, action.StepFailed, "was deleted before it could be kept", now)
		case found.GetDeletionTimestamp() != nil:
			i.becomes(p, action.StepFailed, "is being deleted already", now)
		case ownedByAPod(found.GetOwnerReferences()):
			note := "still goes with " + p.claim.Pod
			if b := i.w.Blocked; b != nil && !b.Among {
				note += ": its controller waits for " + b.By + " (" + b.Why + ")"
			}
			i.becomes(p, i.held(now), note, now)
		default:
			i.becomes(p, action.StepDone, "kept", now)
		}
		done = done && p.step.State.Ended()
	}
	if done {
		i.phase = over
	}
	i.tellAll(r)
}

func (r *run) sayKept() {
	kept, of, ended := 0, 0, 0
	for _, i := range r.items {
		ended += boolInt(i.head.State.Ended())
		for _, p := range i.claims {
			of++
			kept += boolInt(p.step.State == action.StepDone)
			ended += boolInt(p.step.State.Ended())
		}
	}
	r.progress.Say(fmt.Sprintf("%d of %s kept", kept, one(of, "claim")), action.Tally{Done: ended, Of: of + len(r.items)})
}

func (r *run) rescued(ctx context.Context, began time.Time) action.Result {
	var steps []action.Step
	kept, of, worst := 0, 0, ""
	for _, i := range r.items {
		steps = append(steps, i.head)
		if i.head.State > action.StepStays && worst == "" {
			worst = full(i.w.Ref) + ": " + i.head.Note
		}
		for _, p := range i.claims {
			steps = append(steps, p.step)
			of++
			kept += boolInt(p.step.State == action.StepDone)
			if p.step.State == action.StepFailed && worst == "" {
				worst = p.step.Object.Name + " " + p.step.Note
			}
		}
	}
	out := action.Result{State: action.EndState(steps), Summary: "whenScaled is Retain now"}
	if of > 0 {
		out.Summary += fmt.Sprintf("; %d of %s kept in %.1fs", kept, text.Plural(of, "claim", "claims"), time.Since(began).Seconds())
	}
	if worst != "" {
		out.Summary = worst
	}
	if ctx.Err() != nil && out.State == action.Partial {
		out.State = action.Cancelled
	}
	return out
}
