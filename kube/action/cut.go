package action

import (
	"context"
	"slices"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/audit"
	"ktriage/internal/text"
	"ktriage/kube"
)

// Resumable is a Kind whose runs can be taken up again when the program that ran them has ended too early.
type Resumable interface {
	Kind
	// Rest reads live what such a run has left behind; nil if there is nothing that a resumption could do.
	Rest(ctx context.Context, c *kube.Cluster, t Target, o Options) (*Rest, error)
}

// Rest is what a run that was cut off has left behind.
type Rest struct {
	Refs []kube.Ref // the objects at which there is something left
	Now  string     // how the object is: "Ready, v1.36.3"
	Left int        // what should have happened and has not, counted in Unit
	Unit []string   // "pod", "pods"
}

// Cut is a run that was cut off, and can be resumed.
type Cut struct {
	Run       *Run
	Rest      Rest
	Elsewhere string // the host on which it may still be running, "" if it is certain that it is not
}

const (
	// logDepth is how many lines of the audit log are looked at.
	logDepth = 2000
	// restAgain is the distance between two attempts to read what is left.
	restAgain = 5 * time.Second
	// logAgain is the distance between two looks at the log.
	logAgain = 10 * time.Second
)

// ReadLog reads the audit log: the earlier runs in this context, and those among them that were cut off. It asks the
// server what these have left behind until it has answered, or ctx ends. It blocks.
func (r *Runner) ReadLog(ctx context.Context) error {
	entries, err := r.readEarlier()
	if err != nil || r.audit == nil {
		return err
	}
	if r.settings.ReadOnly {
		return nil // nothing of it could be taken up
	}
	r.lookAll(ctx, audit.Interrupted(entries, r.audit.Alive))
	return ctx.Err()
}

// lookAll finds out what runs that were cut off have left behind. One that cannot be found out does not hold up the others.
func (r *Runner) lookAll(ctx context.Context, cut []audit.Interruption) {
	for {
		var again []audit.Interruption
		for _, c := range cut {
			if !r.look(ctx, c) {
				again = append(again, c)
			}
		}
		if cut = again; len(cut) == 0 {
			return
		}
		timer := time.NewTimer(restAgain)
		select {
		case <-ctx.Done():
			timer.Stop()
			return
		case <-timer.C:
		}
	}
}

// look finds out what one run that was cut off has left behind, and reports whether it has an answer.
func (r *Runner) look(ctx context.Context, c audit.Interruption) bool {
	kind, ok := r.Kind(ID(c.Action)).(Resumable)
	if !ok || len(c.Objects) == 0 {
		return true
	}
	run := r.Run(text.Clean(c.Run))
	if run == nil { // its beginning is farther back than we look
		run = runOf(c.Entry, nil, audit.Dead)
	}
	limit, stop := context.WithTimeout(ctx, planLimit)
	defer stop()
	rest, err := kind.Rest(limit, r.cluster, run.Target, run.Options)
	if err == nil && rest != nil {
		r.found(&Cut{Run: run, Rest: *rest, Elsewhere: elsewhere(c)})
	}
	return err == nil || apierrors.IsForbidden(err) // who may not look may not resume either
}

// cleaned are options as the log has them: anybody may have written the file.
func cleaned(o map[string]string) Options {
	out := Options{}
	for k, v := range o {
		out[text.Clean(k)] = text.Clean(v)
	}
	return out
}

func elsewhere(c audit.Interruption) string {
	if c.Elsewhere {
		return text.Clean(c.Host)
	}
	return ""
}

func (r *Runner) found(c *Cut) {
	r.mu.Lock()
	r.cut = append(r.cut, c)
	r.mu.Unlock()
	r.changed()
}

// Cuts gives the runs that were cut off and about which nobody has decided yet.
func (r *Runner) Cuts() []*Cut {
	r.mu.Lock()
	defer r.mu.Unlock()
	return slices.Clone(r.cut)
}

// Decided takes a run that was cut off from the list for as long as this program runs.
func (r *Runner) Decided(c *Cut) {
	r.mu.Lock()
	r.cut = slices.DeleteFunc(r.cut, func(o *Cut) bool { return o == c })
	r.mu.Unlock()
	r.changed()
}

// Leave notes in the audit log that a run that was cut off is to be left as it is, or that what an ended one has left behind
// is looked after, so that nobody is asked again. It blocks.
func (r *Runner) Leave(run *Run) error {
	if r.audit == nil {
		return &Refusal{r.noAudit()}
	}
	_, err := r.audit.Append(audit.Record{
		Time: time.Now(), Event: audit.Left, Run: run.ID, Action: string(run.Action), Context: text.Clean(run.Target.Context),
		Server: r.server(), User: r.cluster.Identity().User, Objects: objects(run.Target.Refs),
	})
	if err != nil {
		return err
	}
	if l := r.find(run.ID); l != nil {
		r.update(l, func(run *Run) { run.Checked = true })
		return nil
	}
	_, err = r.readEarlier()
	return err
}
