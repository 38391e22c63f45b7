package action

import (
	"cmp"
	"slices"
	"sync"
	"time"

	"ktriage/kube"
)

// Feed gives a pane the runs, or the steps of one: at most some hundred rows, so that every snapshot is made anew.
type Feed[R kube.Row] struct {
	of      func() string // what the rows are of: another word makes other rows
	rows    func(of string) []R
	version func() uint64 // grows when rows may have changed
	sev     func(R) kube.Severity
	ask     func() // a reader waits for the answer to a question

	mu    sync.Mutex
	query kube.Query[R]
	asked uint64
	cur   *kube.Snapshot[R]
	seen  uint64 // the version that cur is of
	about string // the word that cur is of
	made  uint64 // how many snapshots there have been
}

// Load gives the newest snapshot; never nil.
func (f *Feed[R]) Load() *kube.Snapshot[R] {
	version, of := f.version(), f.of()
	f.mu.Lock()
	defer f.mu.Unlock()
	if f.cur != nil && f.seen == version && f.about == of && f.cur.Query == f.asked {
		return f.cur
	}
	m := kube.Moment{Now: time.Now(), RowsRead: true, Complete: true}
	all := f.rows(of)
	f.cur = f.snapshot(all, m)
	f.made++
	f.cur.Version, f.cur.Query, f.cur.Total = f.made, f.asked, len(all)
	for _, r := range all {
		f.cur.BySeverity[f.sev(r)]++
	}
	f.seen, f.about = version, of
	return f.cur
}

// snapshot filters and orders the rows as the query says.
func (f *Feed[R]) snapshot(all []R, m kube.Moment) *kube.Snapshot[R] {
	q := f.query
	kept := all
	if q.Keep != nil {
		kept = slices.DeleteFunc(slices.Clone(all), func(r R) bool { return !q.Keep(r, m) })
	}
	key := func(r R) uint64 { return uint64(f.sev(r)) }
	if q.Key != nil {
		key = func(r R) uint64 { return q.Key(r, uint8(f.sev(r)), m) }
	}
	kept = slices.Clone(kept)
	slices.SortStableFunc(kept, func(a, b R) int {
		if c := cmp.Compare(key(b), key(a)); c != 0 || q.Tie == nil {
			return c
		}
		return q.Tie(a, b)
	})
	return kube.NewSnapshot(kept, m)
}

// SetQuery asks for another filter or order; the next Load answers it.
func (f *Feed[R]) SetQuery(q kube.Query[R]) uint64 {
	f.mu.Lock()
	f.query = q
	f.asked++
	asked := f.asked
	f.mu.Unlock()
	f.ask()
	return asked
}

// Follow does nothing: among so few rows any is found at once.
func (f *Feed[R]) Follow(string) {}

// Close does nothing: the feed holds nothing.
func (f *Feed[R]) Close() {}
