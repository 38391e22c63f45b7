package deadnode

import (
	"cmp"
	"context"
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// owner is who makes pods again.
type owner struct{ namespace, kind, name string }

// replacements finds, among the rows of the screen, the pods that are made in place of those that are gone.
type replacements struct {
	feed  *kube.Feed[*kube.Pod]
	since time.Time // no replacement is older, except of a pod that was going before that
	gone  []*pod
	made  map[string]*kube.Pod // by the UID of the one that is gone
}

// ourClock is by how much a time of ours, cut to whole seconds as the server's are, may lie before one of the server's.
const ourClock = 2 * time.Second

func watchReplacements(c *kube.Cluster, pods []*pod, began time.Time) *replacements {
	x := &replacements{feed: c.PodFeed(), since: began.Add(-ourClock), made: map[string]*kube.Pod{}}
	owners := map[owner]bool{}
	for _, p := range pods {
		if p.step.State == action.StepGone {
			x.gone = append(x.gone, p)
			owners[p.owner()] = true
		}
	}
	slices.SortStableFunc(x.gone, func(a, b *pod) int { return a.step.Since.Compare(b.step.Since) })
	x.feed.SetQuery(kube.Query[*kube.Pod]{
		Keep:  func(p *kube.Pod, _ kube.Moment) bool { return owners[owner{p.Namespace, p.OwnerKind, p.OwnerName}] },
		Order: "uid",
		Key:   func(*kube.Pod, uint8, kube.Moment) uint64 { return 0 },
		Tie:   func(a, b *kube.Pod) int { return strings.Compare(a.UID, b.UID) },
	})
	return x
}

func (p *pod) owner() owner {
	if p.controller == nil {
		return owner{}
	}
	return owner{p.ref.Namespace, p.controller.Kind, p.controller.Name}
}

// followEvery is the distance between two looks at what comes after the end.
const followEvery = 2 * time.Second

// follow looks until all that can be replaced runs, or ctx ends.
func (x *replacements) follow(ctx context.Context, told func([]action.Section)) {
	defer x.feed.Close()
	for {
		page := x.page()
		told(page)
		if x.settled() {
			return
		}
		again := time.NewTimer(followEvery)
		select {
		case <-ctx.Done():
			again.Stop()
			return
		case <-again.C:
		}
	}
}

// page says where the replacements are.
func (x *replacements) page() []action.Section {
	x.match()
	var rows []action.Row
	for _, p := range x.gone {
		severity, what := x.tell(p)
		rows = append(rows, action.Row{Severity: severity, Cells: []string{words(p.ref.FullName()), what}})
	}
	slices.SortStableFunc(rows, func(a, b action.Row) int { return cmp.Compare(b.Severity, a.Severity) })
	title := "in place of " + text.Plural(len(rows), "pod that is gone", "pods that are gone")
	return []action.Section{{Title: title, Columns: []action.Column{{Title: "POD"}, {Title: "REPLACED BY"}}, Rows: rows}}
}

// match gives every pod that is gone its replacement, and each replacement to one pod only.
func (x *replacements) match() {
	snapshot := x.feed.Load()
	rows := map[string]*kube.Pod{}
	for i := range snapshot.Len() {
		rows[snapshot.Row(i).UID] = snapshot.Row(i)
	}
	for _, p := range x.gone {
		delete(rows, p.ref.UID)
		if row := x.made[p.ref.UID]; row != nil {
			x.made[p.ref.UID] = rows[row.UID] // as it is now; nil if it has gone too
			delete(rows, row.UID)
		}
	}
	byAge := slices.SortedFunc(maps.Values(rows), func(a, b *kube.Pod) int {
		return cmp.Or(a.Created.Compare(b.Created), strings.Compare(a.UID, b.UID))
	})
	for _, p := range x.gone {
		if p.controller == nil || x.made[p.ref.UID] != nil {
			continue
		}
		at := slices.IndexFunc(byAge, func(row *kube.Pod) bool { return p.replacedBy(row, x.since) })
		if at >= 0 {
			x.made[p.ref.UID] = byAge[at]
			byAge = slices.Delete(byAge, at, at+1)
		}
	}
}

// replacedBy reports whether a row may be the pod that was made in place of one that is gone: one that was there before is
// another replica.
func (p *pod) replacedBy(row *kube.Pod, since time.Time) bool {
	if (owner{row.Namespace, row.OwnerKind, row.OwnerName}) != p.owner() || row.Deleting() {
		return false
	}
	if row.OwnerKind == "StatefulSet" {
		return row.Name == p.ref.Name
	}
	if !p.deleted.IsZero() {
		since = p.deleted
	}
	return !row.Created.Before(since)
}

func (x *replacements) tell(p *pod) (kube.Severity, string) {
	row := x.made[p.ref.UID]
	switch {
	case p.controller == nil:
		return kube.Bad, "nobody: it had no owner"
	case p.ended:
		return kube.OK, "not needed: it had ended"
	case p.controller.Kind == "Node":
		return kube.OK, "a static pod: it is back when its machine is"
	case p.controller.Kind == "DaemonSet":
		return kube.OK, "a DaemonSet pod: it is back when its node is"
	case row == nil:
		return kube.Warning, "nothing so far"
	case row.Node == "":
		why := ""
		if row.Why != nil && row.Why.Message != "" {
			why = ": " + text.Cut(row.Why.Message, 80, "...")
		}
		return kube.Warning, row.Name + " " + row.Status + why
	case well(row):
		return kube.OK, fmt.Sprintf("%s on %s, Ready", row.Name, row.Node)
	}
	return kube.Warning, fmt.Sprintf("%s on %s, %s", row.Name, row.Node, row.Status)
}

func well(row *kube.Pod) bool {
	return row.Completed() || row.Status == "Running" && !row.Unready && row.Ready == row.Containers
}

// settled reports whether there is nothing more to wait for.
func (x *replacements) settled() bool {
	for _, p := range x.gone {
		if severity, _ := x.tell(p); severity == kube.Warning {
			return false
		}
	}
	return true
}
