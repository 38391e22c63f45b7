package evict

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// replacements finds the pods that controllers make in place of those that have gone, among the rows of the screen.
type replacements struct {
	feed   *kube.Feed[*kube.Pod]
	wanted map[controller]bool
	known  bool // the snapshot that was looked at last had all rows that we look at
}

// settling is how long a replacement may take to be there and well before that is worth a warning.
const settling = 15 * time.Second

func watchReplacements(c *kube.Cluster) *replacements {
	return &replacements{feed: c.PodFeed(), wanted: map[controller]bool{}}
}

func (x *replacements) close() { x.feed.Close() }

// want has the pods of a controller kept.
func (x *replacements) want(c *controller) {
	if c == nil || x.wanted[*c] {
		return
	}
	x.wanted[*c] = true
	keep := maps.Clone(x.wanted) // it is read by others
	x.feed.SetQuery(kube.Query[*kube.Pod]{
		Keep:  func(p *kube.Pod, _ kube.Moment) bool { return keep[controller{p.Namespace, p.OwnerKind, p.OwnerName}] },
		Order: "uid",
		Key:   func(*kube.Pod, uint8, kube.Moment) uint64 { return 0 },
		Tie:   func(a, b *kube.Pod) int { return strings.Compare(a.UID, b.UID) },
	})
}

// match gives every pod that is gone its replacement, and each replacement to one pod only.
func (x *replacements) match(pods []*pod) {
	snapshot := x.feed.Load()
	x.known = snapshot.State.Phase == kube.Live
	rows, taken := map[string]*kube.Pod{}, map[string]bool{}
	for i := range snapshot.Len() {
		rows[snapshot.Row(i).UID] = snapshot.Row(i)
	}
	for _, p := range pods {
		taken[p.UID] = true
		delete(rows, p.UID) // no pod of the run is the replacement of another
	}
	for _, p := range pods {
		if p.row != nil {
			p.row = rows[p.row.UID] // as it is now; nil if it has gone too
		}
		if p.row != nil {
			taken[p.row.UID] = true
		}
	}
	byAge := slices.SortedFunc(maps.Values(rows), func(a, b *kube.Pod) int {
		if c := a.Created.Compare(b.Created); c != 0 {
			return c
		}
		return strings.Compare(a.UID, b.UID)
	})
	for _, p := range inOrderOfLeaving(pods) {
		if i := slices.IndexFunc(byAge, func(row *kube.Pod) bool { return !taken[row.UID] && p.replacedBy(row) }); i >= 0 {
			p.row = byAge[i]
			taken[p.row.UID] = true
		}
	}
}

// inOrderOfLeaving gives the pods that are gone and have no replacement, the first that was asked to go first.
func inOrderOfLeaving(pods []*pod) []*pod {
	var out []*pod
	for _, p := range pods {
		if p.state == action.StepGone && p.row == nil && p.controller != nil {
			out = append(out, p)
		}
	}
	slices.SortStableFunc(out, func(a, b *pod) int { return a.askedToGo().Compare(b.askedToGo()) })
	return out
}

// askedToGo is when the deletion of the pod was requested, by the clock of the server if that is known, to a second.
func (p *pod) askedToGo() time.Time {
	if !p.requested.IsZero() {
		return p.requested
	}
	return p.asked.Truncate(time.Second)
}

// gracePeriod is that of a pod which is being deleted, as its deletionTimestamp counts it in.
func gracePeriod(pod *corev1.Pod) time.Duration {
	if s := pod.DeletionGracePeriodSeconds; s != nil {
		return time.Duration(*s) * time.Second
	}
	return 0
}

// replacedBy reports whether a row may be the pod that was made in place of p.
func (p *pod) replacedBy(row *kube.Pod) bool {
	if (controller{row.Namespace, row.OwnerKind, row.OwnerName}) != *p.controller || row.Deleting() {
		return false
	}
	if row.OwnerKind == "StatefulSet" {
		return row.Name == p.Name
	}
	return !row.Created.Before(p.askedToGo())
}

// replacedAs says how the replacement of a pod that is gone stands: "2hxvd on worker-88 1/1 Ready". well is false while
// there is something to wait for.
func (r *run) replacedAs(p *pod) (note string, well bool) {
	switch row := p.row; {
	case p.Unowned:
		return "no owner: not replaced", true
	case p.Finished:
		return "it had ended before", true
	case p.controller == nil, row == nil && !r.sees(p.Namespace):
		return "", true
	case row == nil && time.Since(p.since) < settling:
		return "being replaced", false
	case row == nil:
		return "not replaced so far", false
	default:
		state, well := p.rowState()
		if row.Node != "" {
			return fmt.Sprintf("%s on %s %s", p.shortName(), row.Node, state), well
		}
		return p.shortName() + " " + state, well
	}
}

// sees reports whether a replacement in the namespace would be among the rows.
func (r *run) sees(namespace string) bool {
	scope := r.cluster.Scope()
	return r.new.known && (scope.All() || slices.Contains(scope.Namespaces, namespace))
}

// shortName is the name of the replacement without what it has in common with its siblings.
func (p *pod) shortName() string {
	if p.controller.kind == "StatefulSet" {
		return p.row.Name
	}
	return strings.TrimPrefix(p.row.Name, p.controller.name+"-")
}

// rowState says how the replacement is, and why if it cannot be placed.
func (p *pod) rowState() (state string, well bool) {
	row := p.row
	switch {
	case row.Completed():
		return row.Status, true
	case row.Status == "Running" && !row.Unready && row.Ready == row.Containers:
		return fmt.Sprintf("%d/%d Ready", row.Ready, row.Containers), true
	case row.Scheduled:
		return row.Status, false
	case p.Nowhere != "":
		return row.Status + ": " + p.Nowhere, false
	case row.Why != nil && row.Why.Message != "":
		return row.Status + ": " + text.Cut(row.Why.Message, 80, "…"), false
	}
	return row.Status, false
}
