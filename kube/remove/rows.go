package remove

import (
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
)

// maker is who makes pods, as rows name it.
type maker struct{ namespace, kind, name string }

func (it item) maker() maker {
	return maker{it.ref.Namespace, text.Clean(it.owner.controller), text.Clean(it.owner.controllerName)}
}

// rows are those of the pods of a plan, and of what their makers have made, as the screen has them.
type rows struct {
	feed  *kube.Feed[*kube.Pod]
	asked uint64
	read  uint64 // the version that byUID is of
	byUID map[string]*kube.Pod
}

// watchRows has the rows kept of the pods and of all others of their makers.
func watchRows(c *kube.Cluster, items []item) *rows {
	uids, makers := map[string]bool{}, map[maker]bool{}
	for _, it := range items {
		uids[it.ref.UID] = true
		if it.owner.controller != "" {
			makers[it.maker()] = true
		}
	}
	x := &rows{feed: c.PodFeed(), byUID: map[string]*kube.Pod{}}
	x.asked = x.feed.SetQuery(kube.Query[*kube.Pod]{
		Keep: func(p *kube.Pod, _ kube.Moment) bool {
			return uids[p.UID] || makers[maker{p.Namespace, p.OwnerKind, p.OwnerName}]
		},
		Order: "uid",
		Key:   func(*kube.Pod, uint8, kube.Moment) uint64 { return 0 },
		Tie:   func(a, b *kube.Pod) int { return strings.Compare(a.UID, b.UID) },
	})
	return x
}

func (x *rows) close() { x.feed.Close() }

// load takes the newest rows, and reports whether they are all that there are.
func (x *rows) load() (live bool) {
	s := x.feed.Load()
	if s.Query != x.asked {
		return false
	}
	if s.Version != x.read {
		x.read = s.Version
		clear(x.byUID)
		for i := range s.Len() {
			x.byUID[s.Row(i).UID] = s.Row(i)
		}
	}
	return s.State.Phase == kube.Live
}

// uids are those of all rows.
func (x *rows) uids() map[string]bool {
	out := map[string]bool{}
	for uid := range x.byUID {
		out[uid] = true
	}
	return out
}

func (x *rows) of(uid string) *kube.Pod { return x.byUID[uid] }
