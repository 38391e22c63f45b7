package kube

// Snapshot is an ordered and filtered view of a store at one version. It is immutable.
type Snapshot[R Row] struct {
	Version    uint64         // grows with every publication; 0 is none yet
	Query      uint64         // the number of the question that the rows answer, from Feed.SetQuery
	Total      int            // rows in the store, before the filter
	BySeverity [Bad + 1]int   // rows in the store, before the filter
	Namespaces map[string]int // rows in the store, before the filter, by namespace
	State      State
	Moment     Moment // what the rows were ordered beside
	rows       []entry[R]
	followed   place
}

// place is where the object that a feed follows is among the rows, or would be.
type place struct {
	uid   string
	at    int
	there bool
}

// entry is a row with its place in the order: the higher key comes first, ties are broken by the query.
type entry[R Row] struct {
	key uint64
	row R
}

// Len is the number of rows that passed the filter.
func (s *Snapshot[R]) Len() int { return len(s.rows) }

// Row gives the row at index i, 0 <= i < Len.
func (s *Snapshot[R]) Row(i int) R { return s.rows[i].row }

// NotWell is the number of rows in the store whose severity is Warning or worse.
func (s *Snapshot[R]) NotWell() int { return s.BySeverity[Warning] + s.BySeverity[Bad] }

// Find gives the index of the row with that UID. It knows where the object is that the feed follows; for any other it looks
// first around near: the place where a reader saw it last. Of the followed object that is not among the rows it gives
// where it would be, 0 <= index <= Len; of any other -1.
func (s *Snapshot[R]) Find(uid string, near int) (index int, ok bool) {
	if uid != "" && uid == s.followed.uid {
		return s.followed.at, s.followed.there
	}
	near = min(max(near, 0), max(len(s.rows)-1, 0))
	for lo, hi := near, near+1; lo >= 0 || hi < len(s.rows); lo, hi = lo-1, hi+1 {
		if lo >= 0 && lo < len(s.rows) && s.rows[lo].row.Ref().UID == uid {
			return lo, true
		}
		if hi < len(s.rows) && s.rows[hi].row.Ref().UID == uid {
			return hi, true
		}
	}
	return -1, false
}

// NewSnapshot makes a live snapshot of rows in the order given. Feeds make their own; this is for rows that come from
// elsewhere, such as a one-shot listing or a test.
func NewSnapshot[R Row](rows []R, m Moment) *Snapshot[R] {
	s := &Snapshot[R]{Version: 1, Total: len(rows), State: State{Phase: Live}, Moment: m}
	for _, r := range rows {
		s.rows = append(s.rows, entry[R]{row: r})
	}
	return s
}
