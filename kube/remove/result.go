package remove

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// result says how the run has ended.
func (r *run) result(ctx context.Context) action.Result {
	steps := make([]action.Step, len(r.pods))
	count := map[action.StepState]int{}
	sent := 0
	for i, q := range r.pods {
		steps[i] = q.step
		count[q.step.State]++
		if !q.sent.IsZero() || q.step.State == action.StepDone {
			sent++
		}
	}
	out := action.Result{State: action.EndState(steps), Summary: r.summary(steps, count), Page: r.page(nil)}
	switch {
	case out.State == action.Unknown:
	case sent > 0 && (out.State == action.Failed || out.State == action.Cancelled):
		out.State = action.Partial // what was sent is not taken back by that
	case sent == 0 && ctx.Err() != nil:
		out.State = action.Cancelled
	}
	if count[action.StepGone] > 0 && r.returning() {
		out.Follow = r.follow
	}
	return out
}

// summary is how it ended in one line: numbers, and the worst of what did not happen.
func (r *run) summary(steps []action.Step, count map[action.StepState]int) string {
	took := fmt.Sprintf("%.1fs", time.Since(r.began).Seconds())
	of := len(steps) - count[action.StepStays]
	done := count[action.StepGone]
	worst := r.worst(steps)
	switch {
	case of == 1 && worst == "" && r.off != nil && count[action.StepDone] == 1:
		return "removed in " + took
	case of == 1 && worst == "":
		return "gone in " + took
	case of == 1:
		return worst
	}
	out := r.stripped()
	if out != "" {
		out += " in " + took
	} else {
		out = fmt.Sprintf("%s of %s gone in %s", text.Count(done), many(of, "pod"), took)
	}
	if worst != "" {
		out += "; " + worst
	}
	return out
}

// stripped counts finalizers, where the plan leaves some: "149 finalizers removed; 150 pods still held by a.example/hold".
// "" if all go, or none is meant.
func (r *run) stripped() string {
	removed, held := 0, 0
	var by []string
	for _, q := range r.pods {
		rest := r.rest(q)
		if q.step.State == action.StepDone || q.step.State == action.StepGone || !q.sent.IsZero() && q.step.State != action.StepUnknown {
			removed += len(q.finalizers) - len(rest)
		}
		if len(rest) == 0 || r.off == nil {
			continue
		}
		held++
		for _, name := range rest {
			if name = words(name); !slices.Contains(by, name) {
				by = append(by, name)
			}
		}
	}
	if held == 0 {
		return ""
	}
	return fmt.Sprintf("%s removed; %s still held by %s", many(removed, "finalizer"), many(held, "pod"), text.Some(by, 2))
}

// worst says what is wrong with the step that matters most.
func (r *run) worst(steps []action.Step) string {
	for _, state := range []action.StepState{action.StepUnknown, action.StepFailed, action.StepAccepted, action.StepSkipped, action.StepLeft} {
		for _, s := range steps {
			if s.State == state {
				return s.Object.Name + ": " + cmp.Or(s.Note, state.String())
			}
		}
	}
	return ""
}

// returning reports whether anything is to come in the place of the pods that are gone.
func (r *run) returning() bool {
	return slices.ContainsFunc(r.pods, func(q *pod) bool { return q.step.State == action.StepGone && q.back != never })
}

// page is what there is to look at: what came in the place of the pods that are gone, and what is still there.
func (r *run) page(after map[*pod]*kube.Pod) []action.Section {
	back := action.Section{Title: "in their place", Columns: []action.Column{{Title: "GONE"}, {Title: "NOW"}}}
	still := action.Section{Title: "still there"}
	well, gone := 0, 0
	for _, q := range r.pods {
		switch q.step.State {
		case action.StepGone:
			row, ok := q.replaced(after[q])
			if ok {
				well++
			}
			gone++
			if group := r.crowd(q); len(group) < 2 {
				back.Rows = append(back.Rows, row)
			} else if group[0] == q {
				back.Rows = append(back.Rows, readyOf(group, after))
			}
		case action.StepAccepted, action.StepUnknown:
			still.Rows = append(still.Rows, line(kube.Warning, "%s: %s", q.ref.FullName(), q.step.Note))
			for _, why := range q.step.Why {
				still.Rows = append(still.Rows, line(kube.OK, "  %s", why))
			}
		default:
		}
	}
	if len(r.pods) == 1 {
		back.Title = "in its place"
	}
	if gone > 0 {
		back.Note = fmt.Sprintf("%s of %s well", text.Count(well), text.Count(gone))
	}
	back.Rows = capped(back.Rows, "pods")
	if len(still.Rows) > 3*listed {
		still.Rows = append(still.Rows[:3*listed:3*listed], line(kube.Warning, "and more that are not listed: see the steps"))
	}
	return said(still, back)
}

// crowd are the gone pods of the maker of one whose replacements have other names: nobody can say which new pod is for
// which of them.
func (r *run) crowd(q *pod) []*pod {
	if q.back != otherName {
		return nil
	}
	var out []*pod
	for _, o := range r.pods {
		if o.step.State == action.StepGone && o.back == otherName && o.maker() == q.maker() {
			out = append(out, o)
		}
	}
	return out
}

// readyOf says how many of the pods that came in place of several are ready.
func readyOf(group []*pod, after map[*pod]*kube.Pod) action.Row {
	ready := 0
	for _, q := range group {
		if _, ok := q.replaced(after[q]); ok {
			ready++
		}
	}
	severity := kube.OK
	if ready < len(group) {
		severity = kube.Warning
	}
	q := group[0]
	return action.Row{Severity: severity, Cells: []string{
		fmt.Sprintf("%s of %s/%s (%s)", many(len(group), "pod"), words(q.ref.Namespace), q.owner.name, q.owner.kind),
		fmt.Sprintf("%s of %s ready", text.Count(ready), text.Count(len(group))),
	}}
}

// replaced says what is in the place of a pod that is gone. ok is false while there is something to wait for.
func (q *pod) replaced(row *kube.Pod) (line action.Row, ok bool) {
	cells := []string{q.ref.FullName(), ""}
	severity := kube.OK
	switch {
	case q.back == never:
		cells[1], ok = q.how, true
	case row == nil:
		cells[1], severity = "nothing so far", kube.Notice
	default:
		state := row.Status
		ok = row.Completed() || row.Status == "Running" && !row.Unready && row.Ready == row.Containers
		if !ok {
			severity = kube.Warning
			if row.Why != nil && row.Why.Message != "" {
				state += ": " + clip(row.Why.Message, 60)
			}
		}
		cells[1] = fmt.Sprintf("%s uid %s", row.Name, shortUID(row.UID))
		if row.Node != "" {
			cells[1] += " on " + row.Node
		}
		cells[1] += fmt.Sprintf(" %d/%d %s", row.Ready, row.Containers, state)
	}
	return action.Row{Severity: severity, Cells: cells}, ok
}

// follow tells what comes in the place of the pods that are gone, until all of it is well. Its own feed is looked at: it
// costs no request.
func (r *run) follow(ctx context.Context, told func([]action.Section)) {
	x := watchRows(r.cluster, r.items)
	defer x.close()
	tick := time.NewTicker(500 * time.Millisecond)
	defer tick.Stop()
	after := map[*pod]*kube.Pod{}
	last := ""
	for {
		x.load()
		r.match(x, after)
		page := r.page(after)
		if now := fmt.Sprint(page); now != last {
			last = now
			told(page)
		}
		if r.settled(after) {
			return
		}
		select {
		case <-ctx.Done():
			return
		case <-tick.C:
		}
	}
}

// settled reports whether everything that comes back is there and well.
func (r *run) settled(after map[*pod]*kube.Pod) bool {
	for _, q := range r.pods {
		if _, ok := q.replaced(after[q]); q.step.State == action.StepGone && !ok {
			return false
		}
	}
	return true
}

// match gives every pod that is gone its replacement, and each replacement to one pod only, the oldest first.
func (r *run) match(x *rows, after map[*pod]*kube.Pod) {
	taken := map[string]bool{}
	for _, q := range r.pods {
		taken[q.ref.UID] = true
	}
	for q, row := range after {
		if now := x.of(row.UID); now != nil && !now.Deleting() {
			after[q] = now
			taken[row.UID] = true
		} else {
			delete(after, q)
		}
	}
	byAge := make([]*kube.Pod, 0, len(x.byUID))
	for _, row := range x.byUID {
		byAge = append(byAge, row)
	}
	slices.SortFunc(byAge, func(a, b *kube.Pod) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.UID, b.UID))
	})
	for _, q := range r.pods {
		if q.step.State != action.StepGone || after[q] != nil || q.back == never {
			continue
		}
		if i := slices.IndexFunc(byAge, func(row *kube.Pod) bool { return !taken[row.UID] && !r.before[row.UID] && q.replacedBy(row) }); i >= 0 {
			after[q] = byAge[i]
			taken[byAge[i].UID] = true
		}
	}
}

// replacedBy reports whether a row may be the pod that was made in place of q. The server's times have whole seconds.
func (q *pod) replacedBy(row *kube.Pod) bool {
	if row.Deleting() || (maker{row.Namespace, row.OwnerKind, row.OwnerName}) != q.maker() {
		return false
	}
	if q.back == sameName {
		return row.Name == q.ref.Name
	}
	asked := q.requested
	if asked.IsZero() {
		asked = q.sent.Add(-2 * time.Second)
	}
	return !row.Created.Before(asked)
}
