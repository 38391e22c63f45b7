package action

import (
	"context"
	"crypto/rand"
	"errors"
	"fmt"
	"log/slog"
	"slices"
	"strings"
	"sync"
	"sync/atomic"
	"time"

	"ktriage/internal/audit"
	"ktriage/internal/safe"
	"ktriage/internal/text"
	"ktriage/kube"
)

// Settings are what the operator has said of acting as such, when the program was started.
type Settings struct {
	ReadOnly  bool
	Protected bool // the context is one in which everything is a tier harder to confirm
	Log       *slog.Logger
	// AuditFailed is why there is no audit log; nothing is done without one.
	AuditFailed error
}

// Runner makes plans and carries them out. It outlives sheets and panes, and needs neither. Its methods do not block, but
// for Plan, Close and those that say so.
type Runner struct {
	cluster  *kube.Cluster
	kinds    []Kind
	audit    *audit.Log
	settings Settings
	access   *access
	ctx      context.Context //nolint:containedctx // ends with the program, and with it the runs
	stop     context.CancelCauseFunc

	version atomic.Uint64
	poke    struct {
		sync.Mutex
		last    time.Time
		pending bool
	}

	mu      sync.Mutex
	runs    []*live // oldest first
	earlier []*Run  // of the audit log, oldest first
	cut     []*Cut
	busy    sync.WaitGroup

	standing []Standing // as readers were last told of it
}

// live is a run of this program.
type live struct {
	run      Run // guarded by Runner.mu
	plan     *Plan
	progress *Progress
	stop     context.CancelCauseFunc
}

// The causes for which the context of a run ends.
var (
	ErrCancelled   = errors.New("cancelled")
	ErrInterrupted = errors.New("the program ended")
)

// New makes a runner of these kinds of actions. Its runs end with ctx. log may be nil if settings say why.
func New(ctx context.Context, c *kube.Cluster, kinds []Kind, log *audit.Log, s Settings) *Runner {
	if s.Log == nil {
		s.Log = slog.New(slog.DiscardHandler)
	}
	r := &Runner{cluster: c, kinds: kinds, audit: log, settings: s}
	r.ctx, r.stop = context.WithCancelCause(context.WithoutCancel(ctx))
	context.AfterFunc(ctx, func() { r.stop(ErrInterrupted) })
	r.access = &access{cluster: c, changed: r.changed, answers: map[Need]answer{}}
	return r
}

// Kind gives the kind of that ID, nil if there is none.
func (r *Runner) Kind(id ID) Kind {
	i := slices.IndexFunc(r.kinds, func(k Kind) bool { return k.ID() == id })
	if i < 0 {
		return nil
	}
	return r.kinds[i]
}

// Protected reports whether the context is a protected one.
func (r *Runner) Protected() bool { return r.settings.Protected }

// AskAccess asks the server what we may do of all that there is to do. It blocks.
func (r *Runner) AskAccess(ctx context.Context) error {
	return r.access.ask(ctx, r.needs())
}

func (r *Runner) needs() []Need {
	var all []Need
	for _, k := range r.kinds {
		for _, n := range r.generally(k) {
			if !slices.Contains(all, n) {
				all = append(all, n)
			}
		}
	}
	return all
}

// WhyNot gives the reason for which an action is greyed whatever it would act on, "" if it is not. An old refusal is asked
// about again, for the next time.
func (r *Runner) WhyNot(id ID, local *time.Location) string {
	k := r.Kind(id)
	switch {
	case k == nil:
		return "there is no such action"
	case r.settings.ReadOnly:
		return "ktriage runs with --read-only"
	}
	return r.access.why(r.generally(k), local)
}

// AskAgain asks anew for permissions that were refused some time ago. It blocks.
func (r *Runner) AskAgain(ctx context.Context, id ID) error {
	k := r.Kind(id)
	if k == nil || !r.access.old(r.generally(k)) {
		return nil
	}
	return r.access.ask(ctx, r.generally(k))
}

// planLimit bounds the making of a plan.
const planLimit = 30 * time.Second

// Plan asks what an action would do. It blocks, and changes nothing.
func (r *Runner) Plan(ctx context.Context, id ID, t Target, o Options) (*Plan, error) {
	k := r.Kind(id)
	if k == nil {
		return nil, fmt.Errorf("there is no action %q", id)
	}
	ctx, stop := context.WithTimeout(ctx, planLimit)
	defer stop()
	needs := exactly(k, t)
	if err := r.access.ask(ctx, needs); err != nil {
		return nil, err
	}
	if why := r.access.why(needs, time.Local); why != "" {
		return nil, &Refusal{why}
	}
	p, err := k.Plan(ctx, r.cluster, t, o)
	if err != nil {
		return nil, err
	}
	if r.settings.AuditFailed != nil {
		p.Refusals = append(p.Refusals, r.noAudit())
	}
	if err := r.occupied(p); err != nil {
		p.Refusals = append(p.Refusals, err.Error())
	} else if other := r.othersOn(p); other != nil {
		p.Refusals = append(p.Refusals, fmt.Sprintf("a %s of %s is running %s", other.Action.Verb(), other.Target.Name(), other.Note))
	}
	p.Facts = append(p.Facts, r.last(t)...)
	for i := range p.Kubectl {
		p.Kubectl[i] = r.As(p.Kubectl[i])
	}
	return p, nil
}

// As adds to a kubectl command whom we impersonate: without that it would be another's.
func (r *Runner) As(command string) string {
	cfg := r.cluster.Config()
	rest, ok := strings.CutPrefix(command, "kubectl ")
	if cfg == nil || cfg.Impersonate.UserName == "" || !ok {
		return command
	}
	words := []string{"--as", cfg.Impersonate.UserName}
	for _, group := range cfg.Impersonate.Groups {
		words = append(words, "--as-group", group)
	}
	return Kubectl("", words...) + " " + rest
}

// May reports whether the server allows any action at all, as far as it has said so. Actions of which it says nothing before
// they have an object do not count, nor do those of which it has allowed no more than reading.
func (r *Runner) May() bool {
	for _, k := range r.kinds {
		needs := r.generally(k)
		if !slices.ContainsFunc(needs, Need.writes) {
			continue
		}
		if allowed, answered := r.access.may(needs); allowed && answered {
			return true
		}
	}
	return false
}

// last says what was done last to an object, as far as the audit log goes.
func (r *Runner) last(t Target) []Fact {
	if len(t.Refs) != 1 {
		return nil
	}
	for _, run := range slices.Backward(r.Runs()) {
		if slices.ContainsFunc(run.Target.Refs, func(ref kube.Ref) bool { return ref.UID == t.Refs[0].UID }) {
			by := ""
			if run.User != "" {
				by = " by " + run.User
			}
			return []Fact{{Name: "last", Text: fmt.Sprintf("from here: %s%s %s ago, %s", run.Action.Verb(), by, text.Age(time.Now(), run.Started), run.State)}}
		}
	}
	return nil
}

func (r *Runner) noAudit() string {
	return "no audit log can be written: " + text.Clean(r.settings.AuditFailed.Error())
}

// Tier is how hard a plan is to confirm here.
func (r *Runner) Tier(p *Plan) Tier {
	if r.settings.Protected && p.Tier > Look && p.Tier < Write {
		return p.Tier + 1
	}
	return p.Tier
}

// Refusal is why a plan is not made, or not carried out: one sentence, fit to be shown.
type Refusal struct{ Why string }

// Error gives the reason.
func (e *Refusal) Error() string { return e.Why }

// staleLimit is how long the server may have been silent when something is begun.
const staleLimit = 30 * time.Second

// Refuses gives the reason for which a plan cannot be begun now, nil if it can.
func (r *Runner) Refuses(p *Plan, now time.Time) error {
	h := r.cluster.Health()
	switch {
	case r.settings.ReadOnly:
		return &Refusal{"ktriage runs with --read-only"}
	case p.Target.Context != r.cluster.Context():
		return &Refusal{"the plan was made for context " + text.Clean(p.Target.Context)}
	case r.settings.AuditFailed != nil:
		return &Refusal{r.noAudit()}
	case len(p.Refusals) > 0:
		return &Refusal{p.Refusals[0]}
	case p.Work == nil:
		return &Refusal{"there is nothing to do"}
	case p.Void(now):
		return &Refusal{"the plan is older than three minutes; it has to be made anew"}
	case h.Known && !h.Up:
		return &Refusal{"the API server does not answer"}
	case !h.LastContact.IsZero() && now.Round(0).Sub(h.LastContact.Round(0)) > staleLimit:
		return &Refusal{"nothing has been heard of the API server for more than 30s"}
	}
	return r.occupied(p)
}

// sameTarget refuses a plan while another run is under way on one of its objects. The lock is held.
func (r *Runner) sameTarget(p *Plan) error {
	for _, l := range r.runs {
		if l.run.State == Running && !beside(p.Action, l.run.Action) && slices.ContainsFunc(p.Target.Refs, func(ref kube.Ref) bool { return slices.Contains(l.run.Target.Refs, ref) }) {
			return &Refusal{fmt.Sprintf("a %s of %s is running", l.run.Action.Verb(), l.run.Target.Name())}
		}
	}
	return nil
}

// beside reports whether one action may begin while the other is under way on the same object. What keeps the claims of a
// set that is being scaled down would come too late otherwise, and so would what stops a rollout.
func beside(begins, running ID) bool {
	switch running { //nolint:exhaustive // all others let nothing begin
	case Scale:
		return begins == Retain
	case Restart, RollBack: // they only follow what the cluster does, and somebody wants to stop it
		return begins == Pause || begins == Resume || begins == RollBack && running == Restart
	}
	return false
}

// Start begins to carry out a plan that has been confirmed, and gives the ID of the run.
func (r *Runner) Start(p *Plan) (id string, err error) {
	now := time.Now()
	if err := r.Refuses(p, now); err != nil {
		return "", err
	}
	ctx, stop := context.WithCancelCause(r.ctx)
	l := &live{plan: p, progress: NewProgress(r.changed), stop: stop, run: Run{
		ID: now.UTC().Format("20060102-150405-") + rand.Text()[:6], Action: p.Action, Target: p.Target, User: r.cluster.Identity().User,
		Started: now, Command: p.Kubectl, Options: p.Options, Details: p.Details,
	}}
	if err := r.admit(l); err != nil {
		stop(nil)
		return "", err
	}
	r.changed()
	safe.Go("run", func() {
		defer r.busy.Done()
		defer stop(nil)
		r.carryOut(ctx, l)
	})
	return l.run.ID, nil
}

// admit takes a run in, unless another one on the same object, or the end of the program, has come before it.
func (r *Runner) admit(l *live) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.ctx.Err() != nil {
		return &Refusal{"the program is ending"}
	}
	if err := r.sameTarget(l.plan); err != nil {
		return err
	}
	r.runs = append(r.runs, l)
	r.busy.Add(1)
	return nil
}

// carryOut does the work between the two lines of the audit log. Without the first nothing is sent.
func (r *Runner) carryOut(ctx context.Context, l *live) {
	line, err := r.audit.Append(r.intent(l))
	if err != nil {
		r.end(l, Result{State: Failed, Summary: "nothing was sent, because the audit log cannot be written: " + err.Error()})
		return
	}
	r.update(l, func(run *Run) { run.Lines = append(run.Lines, shown(line)) })
	if other := r.ahead(l); other != nil {
		r.end(l, Result{State: Failed, Summary: fmt.Sprintf("nothing was sent: a %s of %s is running %s",
			other.Action.Verb(), other.Target.Name(), other.Note)})
		return
	}
	result := l.plan.Work.Run(ctx, r.cluster, l.progress)
	if (result.State == Cancelled || result.State == Unknown) && errors.Is(context.Cause(ctx), ErrInterrupted) {
		result.State = Interrupted
	}
	r.end(l, result)
	if result.Follow != nil {
		after, stop := context.WithTimeout(r.ctx, followLimit)
		defer stop()
		result.Follow(after, func(page []Section) { r.update(l, func(run *Run) { run.Page = page }) })
	}
}

// occupied refuses a plan for an object that something is being done to.
func (r *Runner) occupied(p *Plan) error {
	r.mu.Lock()
	defer r.mu.Unlock()
	return r.sameTarget(p)
}

// followLimit is how long what comes after the end of a run is looked at.
const followLimit = 5 * time.Minute

// end notes how a run has ended, in the audit log first.
func (r *Runner) end(l *live, result Result) {
	now := time.Now()
	failed := ""
	line, err := r.audit.Append(r.result(l, result, now))
	if err != nil {
		failed = err.Error()
		r.settings.Log.Error("the audit log does not have the end of a run", "run", l.run.ID, "err", err)
	}
	r.update(l, func(run *Run) {
		run.State, run.Note, run.Ended, run.Undo, run.Page = result.State, result.Summary, now, result.Undo, result.Page
		run.AuditErr = failed
		if line != "" {
			run.Lines = append(run.Lines, shown(line))
		}
	})
}

func (r *Runner) update(l *live, change func(*Run)) {
	r.mu.Lock()
	lines := slices.Clone(l.run.Lines)
	l.run.Lines = lines
	change(&l.run)
	r.mu.Unlock()
	r.changed()
}

// Cancel stops a run: it begins nothing more. It does not wait for the end.
func (r *Runner) Cancel(id string) {
	if l := r.find(id); l != nil {
		l.stop(ErrCancelled)
	}
}

// Pause has a run begin nothing new for a while, or go on.
func (r *Runner) Pause(id string, on bool) {
	if l := r.find(id); l != nil {
		r.update(l, func(run *Run) { run.Paused = on })
		l.progress.Pause(on)
	}
}

// Skip takes an object out of a run.
func (r *Runner) Skip(id, uid string) {
	if l := r.find(id); l != nil {
		l.progress.Skip(uid)
	}
}

func (r *Runner) find(id string) *live {
	r.mu.Lock()
	defer r.mu.Unlock()
	i := slices.IndexFunc(r.runs, func(l *live) bool { return l.run.ID == id })
	if i < 0 {
		return nil
	}
	return r.runs[i]
}

// Close interrupts what runs, and waits until it is in the audit log, for as long as limit. It reports whether all is.
func (r *Runner) Close(limit time.Duration) bool {
	r.mu.Lock() // no run is taken in after this
	r.stop(ErrInterrupted)
	r.mu.Unlock()
	done := make(chan struct{})
	safe.Go("runs end", func() {
		r.busy.Wait()
		close(done)
	})
	timer := time.NewTimer(limit)
	defer timer.Stop()
	select {
	case <-done:
		return true
	case <-timer.C:
		return false
	}
}
