package scale

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// say tells how the whole stands.
func (r *run) say() {
	ended, of, blocked, unseen := 0, 0, "", ""
	for _, i := range r.items {
		unseen = cmp.Or(unseen, i.unseen)
		of++
		ended += boolInt(i.head.State.Ended())
		for _, p := range slices.Concat(i.pods, i.claims) {
			of++
			ended += boolInt(p.step.State.Ended())
			if s := p.step; blocked == "" && (s.State == action.StepBlocked || s.State == action.StepStuck) {
				blocked = s.Object.Name + ": " + s.Note
			}
		}
	}
	note := r.standing()
	switch {
	case r.away != "":
		note += "; waits for the server: " + text.Cut(r.away, 60, "...")
	case unseen != "":
		note += "; " + unseen
	case blocked != "":
		note += "; blocked: " + blocked
	}
	if why := r.deaf(); why != "" {
		note += "; " + why
	}
	r.progress.Say(note, action.Tally{Done: ended, Of: of})
}

// standing counts, for one workload its pods, for several how many have come to their end.
func (r *run) standing() string {
	if len(r.items) == 1 {
		i := r.items[0]
		gone, goes, ready, comes := 0, 0, 0, 0
		for _, p := range i.pods {
			if p.made {
				comes++
				ready += boolInt(p.step.State == action.StepDone)
			} else {
				goes++
				gone += boolInt(p.step.State == action.StepGone)
			}
		}
		var parts []string
		if goes > 0 || comes == 0 {
			parts = append(parts, fmt.Sprintf("%d of %d gone", gone, max(goes, i.w.Fewer)))
		}
		if comes > 0 {
			parts = append(parts, fmt.Sprintf("%d of %d Ready", ready, max(comes, i.w.New)))
		}
		return strings.Join(parts, ", ")
	}
	asked, done := 0, 0
	for _, i := range r.items {
		asked += boolInt(i.taken() || i.phase == over)
		done += boolInt(i.phase == over)
	}
	return fmt.Sprintf("%d of %s asked, %d at their end", asked, r.plan.noun(len(r.items)), done)
}

// deaf says that a watch is not kept up to date.
func (r *run) deaf() string {
	var all []*follower
	for _, f := range r.pods {
		all = append(all, f)
	}
	for _, f := range r.objects {
		all = append(all, f)
	}
	for _, f := range all {
		if _, _, err := f.all(); err != nil {
			return "the " + f.resource + " cannot be watched now, trying again: " + kube.Explain(err).Sentence
		}
	}
	return ""
}

// result is how the run has ended.
func (r *run) result(ctx context.Context, began time.Time) action.Result {
	var undo []kube.Ref
	options := action.Options{}
	count := map[action.StepState]int{}
	reached, taken, worst, kept := 0, 0, "", false
	for _, i := range r.items {
		count[i.head.State]++
		if i.stopped != "" {
			worst = cmp.Or(worst, full(i.w.Ref)+": "+i.stopped)
		} else {
			reached++
		}
		kept = kept || i.kept
		taken += boolInt(i.taken())
		if i.taken() && !i.void {
			undo = append(undo, i.w.Ref)
			options[OptionReplicas+i.w.Ref.UID] = strconv.Itoa(int(i.w.From))
		}
	}
	out := action.Result{Page: append(r.policies(), r.page()...)}
	switch took := time.Since(began).Seconds(); {
	case count[action.StepUnknown] > 0:
		out.State, out.Summary = action.Unknown, worst
	case ctx.Err() != nil && reached < len(r.items):
		out.State, out.Summary = action.Cancelled, r.cancelled(taken, kept)
	case reached == len(r.items):
		out.State, out.Summary = action.Done, fmt.Sprintf("%s in %.1fs", r.done(), took)
	case count[action.StepFailed] == len(r.items) && !kept:
		out.State, out.Summary = action.Failed, worst
	case len(r.items) == 1:
		out.State, out.Summary = action.Partial, worst
	default:
		out.State, out.Summary = action.Partial, fmt.Sprintf("%d of %s; %s", reached, r.plan.noun(len(r.items)), worst)
	}
	if len(undo) > 0 {
		out.Follow = r.follow(out.Page)
		out.Undo = &action.Undo{Action: action.Scale, Target: action.Target{Context: r.cluster.Context(), Refs: undo}, Options: options}
	}
	return out
}

// followFor is how long a number is looked at after the run: what sets it back (an HPA every 15 s, GitOps every few minutes
// or at once) often comes later than its pods.
const followFor = time.Minute

// follow watches the numbers that were set, and puts on the page which of them another has set since.
func (r *run) follow(page []action.Section) func(context.Context, func([]action.Section)) {
	return func(ctx context.Context, told func([]action.Section)) {
		ctx, stop := context.WithTimeout(ctx, followFor)
		defer stop()
		r.pods, r.claims, r.objects, r.wake = map[string]*follower{}, map[string]*follower{}, map[objectsOf]*follower{}, make(chan struct{}, 1)
		r.watchObjects(ctx)
		said := ""
		for {
			select {
			case <-ctx.Done():
				return
			case <-r.wake:
			}
			rows := r.overridden()
			if now := fmt.Sprint(rows); len(rows) > 0 && now != said {
				said = now
				told(append([]action.Section{{Title: "set again since", Rows: cut(rows, 1)}}, page...))
			}
		}
	}
}

// overridden tells of the numbers that are others than those that were set.
func (r *run) overridden() []action.Row {
	var out []action.Row
	for _, i := range r.items {
		o, _ := r.objects[objectsOf{i.w.Ref.Kind, i.w.Ref.Namespace}].get(i.w.Ref.UID)
		if o == nil || !i.taken() || i.void {
			continue
		}
		if now := standingOf(o).replicas; now != i.w.To && versionOf(o.GetResourceVersion()) > i.version {
			out = append(out, line(kube.Warning, "%s: %d, no longer %d", full(i.w.Ref), now, i.w.To))
		}
	}
	return out
}

func (r *run) cancelled(accepted int, kept bool) string {
	switch {
	case accepted == 0 && kept:
		return "nothing was scaled; " + nowRetain
	case accepted == 0:
		return "nothing was scaled"
	}
	return fmt.Sprintf("%d of %s asked; what was accepted goes on", accepted, r.plan.noun(len(r.items)))
}

func (r *run) done() string {
	if len(r.items) == 1 {
		w := r.items[0].w
		out := fmt.Sprintf("%d to %d replicas", w.From, w.To)
		if len(r.items[0].claims) > 0 {
			gone := 0
			for _, p := range r.items[0].claims {
				gone += boolInt(p.step.State == action.StepGone)
			}
			out += fmt.Sprintf(", %s deleted", one(gone, "claim"))
		}
		return out
	}
	return r.plan.noun(len(r.items)) + " scaled"
}

// policies says that undo does not take back what was changed beside the number.
func (r *run) policies() []action.Section {
	out := action.Section{Title: nowRetain}
	for _, i := range r.items {
		if i.kept {
			out.Rows = append(out.Rows, line(kube.Notice, "%s: undo sets the number back; whenScaled stays Retain.", full(i.w.Ref)))
		}
	}
	if out.Rows = cut(out.Rows, 1); len(out.Rows) == 0 {
		return nil
	}
	return []action.Section{out}
}

// page is what there is to look at afterwards: claims that are left, and how to delete them.
func (r *run) page() []action.Section {
	out := action.Section{Columns: []action.Column{{Title: "CLAIM"}, {Title: "SIZE"}, {Title: "MODE"}, {Title: "VOLUME", Wide: true}}}
	var commands []string
	n := 0
	for _, i := range r.items {
		var names []string
		for _, c := range i.w.fated(Kept) {
			if !i.gone(c.Pod) {
				continue
			}
			n++
			names = append(names, c.Name)
			out.Rows = append(out.Rows, action.Row{Cells: []string{c.Name, c.Size, c.Mode, cmp.Or(c.Volume, "-")}})
		}
		if len(names) > 0 {
			commands = append(commands, action.Kubectl(r.cluster.Context(), append([]string{"-n", i.w.Ref.Namespace, "delete", "pvc"}, names...)...))
		}
	}
	if n == 0 {
		return nil
	}
	out.Title, out.Note = many(n, "claim is left", "claims are left"), "nothing deletes them; scaling up uses them again"
	out.Rows = cut(out.Rows, len(out.Columns))
	rows := []action.Row{line(kube.Warning, "Never take it that a volume can be reached once its claim is deleted: its disk may go at once. Copy its data before.")}
	for _, c := range commands[:min(len(commands), 5)] {
		rows = append(rows, line(kube.OK, "$ %s", c))
	}
	if more := len(commands) - 5; more > 0 {
		rows = append(rows, line(kube.OK, "and %s more commands", text.Count(more)))
	}
	return []action.Section{out, {Title: "to delete them", Rows: rows}}
}
