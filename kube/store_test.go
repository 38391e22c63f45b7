package kube

import (
	"cmp"
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

// thing is a row whose rank is its number until ripe, and 9 from then on.
type thing struct {
	uid, ns string
	n       uint8
	ripe    time.Time
}

func (t *thing) Ref() Ref                           { return Ref{Kind: Pods, Namespace: t.ns, Name: t.uid, UID: t.uid} }
func (t *thing) Matches(word string, _ Moment) bool { return strings.Contains(t.uid, word) }

func judgeThing(t *thing, m Moment) (uint8, Severity, time.Time) {
	if !t.ripe.IsZero() && !m.Now.Before(t.ripe) {
		return 9, Bad, time.Time{}
	}
	return t.n, OK, t.ripe
}

func byUID(a, b *thing) int { return cmp.Compare(a.uid, b.uid) }

func rows[R Row](s *Snapshot[R]) []string {
	var out []string
	for i := range s.Len() {
		out = append(out, s.Row(i).Ref().UID)
	}
	return out
}

// TestSnapshotIsWhatSortingEverythingGives lets informers do what they like, and compares the incrementally kept order
// with one that is made from scratch.
func TestSnapshotIsWhatSortingEverythingGives(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := newStore(func() {}, judgeThing)
		f := s.open(func() {})
		keep := func(*thing, Moment) bool { return true }
		odd := func(r *thing, _ Moment) bool { return r.n%2 == 1 }
		f.SetQuery(Query[*thing]{Keep: keep, Tie: byUID})
		model := map[string]*thing{}
		now := time.Unix(1_000_000, 0)

		uid := rapid.Custom(func(t *rapid.T) string { return fmt.Sprintf("u%02d", rapid.IntRange(0, 30).Draw(t, "uid")) })
		steps := map[string]func(*rapid.T){
			"put": func(t *rapid.T) {
				id := uid.Draw(t, "who")
				r := &thing{uid: id, ns: "ns" + id[1:2], n: rapid.Uint8Range(0, 8).Draw(t, "rank")}
				if rapid.Bool().Draw(t, "ripens") {
					r.ripe = now.Add(time.Duration(rapid.IntRange(1, 100).Draw(t, "in")) * time.Second)
				}
				model[r.uid] = r
				s.put(r)
			},
			"remove": func(t *rapid.T) {
				id := uid.Draw(t, "who")
				delete(model, id)
				s.remove(id)
			},
			"sweep": func(t *rapid.T) {
				// A listing of one namespace that lacks some of its objects.
				ns := "ns" + rapid.StringMatching("[0-3]").Draw(t, "namespace")
				seen := map[string]struct{}{}
				for id, r := range model {
					if r.ns != ns || rapid.Bool().Draw(t, "still there") {
						seen[id] = struct{}{}
					} else {
						delete(model, id)
					}
				}
				s.sweep(origin{namespace: ns}, seen)
			},
			"filter": func(t *rapid.T) {
				keep = func(*thing, Moment) bool { return true }
				if rapid.Bool().Draw(t, "odd only") {
					keep = odd
				}
				q := Query[*thing]{Keep: keep, Tie: byUID}
				if rapid.Bool().Draw(t, "in the same order") {
					q.Order = "rank"
				}
				f.SetQuery(q)
			},
			"follow": func(t *rapid.T) { f.Follow(uid.Draw(t, "whom")) },
			"wait":   func(t *rapid.T) { now = now.Add(time.Duration(rapid.IntRange(0, 60).Draw(t, "s")) * time.Second) },
			"": func(t *rapid.T) {
				m := Moment{Now: now}
				s.publish(m, 0, nil)
				var want []*thing
				var counts [Bad + 1]int
				for _, r := range model {
					_, sev, _ := judgeThing(r, m)
					counts[sev]++
					if keep(r, m) {
						want = append(want, r)
					}
				}
				slices.SortFunc(want, func(a, b *thing) int {
					ra, _, _ := judgeThing(a, m)
					rb, _, _ := judgeThing(b, m)
					return cmp.Or(cmp.Compare(rb, ra), byUID(a, b))
				})
				got := f.Load()
				if got.Total != len(model) || got.BySeverity != counts || got.Len() != len(want) {
					t.Fatalf("total %d, counts %v, %d rows; want %d, %v, %d", got.Total, got.BySeverity, got.Len(), len(model), counts, len(want))
				}
				for i, r := range want {
					if got.Row(i) != r {
						t.Fatalf("row %d is %v, want %v", i, got.Row(i), r)
					}
				}
				checkPlaces(t, got, model, m)
			},
		}
		t.Repeat(steps)
	})
}

// checkPlaces looks for every object, followed or not.
func checkPlaces(t *rapid.T, s *Snapshot[*thing], model map[string]*thing, m Moment) {
	for uid, r := range model {
		place := slices.IndexFunc(rows(s), func(id string) bool { return id == uid })
		got, ok := s.Find(uid, 3)
		if ok != (place >= 0) || ok && got != place {
			t.Fatalf("%s is at %d, %v, want %d", uid, got, ok, place)
		}
		if ok || got < 0 {
			continue
		}
		rank, _, _ := judgeThing(r, m)
		before := func(i int) bool {
			other, _, _ := judgeThing(s.Row(i), m)
			return cmp.Or(cmp.Compare(rank, other), byUID(s.Row(i), r)) < 0
		}
		if got > 0 && !before(got-1) || got < s.Len() && before(got) {
			t.Fatalf("%s would be at %d of %v", uid, got, rows(s))
		}
	}
}

func TestSnapshotsAreNeverWrittenAfterTheyWerePublished(t *testing.T) {
	s := newStore(func() {}, judgeThing)
	f := s.open(func() {})
	f.SetQuery(Query[*thing]{Tie: byUID})
	s.put(&thing{uid: "a"}, &thing{uid: "b"}, &thing{uid: "c"})
	s.publish(Moment{}, 0, nil)
	before := f.Load()
	s.put(&thing{uid: "aa"})
	s.remove("b")
	s.publish(Moment{}, 0, nil)
	if got := strings.Join(rows(before), " "); got != "a b c" {
		t.Errorf("the old snapshot now reads %q", got)
	}
	if got := strings.Join(rows(f.Load()), " "); got != "a aa c" {
		t.Errorf("the new snapshot reads %q", got)
	}
	if f.Load().Version <= before.Version {
		t.Errorf("version went from %d to %d", before.Version, f.Load().Version)
	}
}

func TestPlaceOfAFollowedObjectThatIsDeletedIsKnown(t *testing.T) {
	s := newStore(func() {}, judgeThing)
	f := s.open(func() {})
	f.SetQuery(Query[*thing]{Tie: byUID})
	f.Follow("b")
	s.put(&thing{uid: "a"}, &thing{uid: "b"}, &thing{uid: "c"})
	s.publish(Moment{}, 0, nil)
	s.remove("b")
	s.publish(Moment{}, 0, nil)
	if at, ok := f.Load().Find("b", 0); at != 1 || ok {
		t.Errorf("b is at %d, %v", at, ok)
	}
}

func TestNothingIsPublishedWhenNothingChanged(t *testing.T) {
	s := newStore(func() {}, judgeThing)
	f := s.open(func() {})
	f.SetQuery(Query[*thing]{Tie: byUID})
	s.put(&thing{uid: "a"})
	s.setState(origin{}, State{Phase: Live})
	if !s.publish(Moment{}, 0, nil) {
		t.Fatal("the first row was not news")
	}
	before := f.Load()
	if s.publish(Moment{Now: time.Unix(50, 0)}, 0, nil) || f.Load() != before {
		t.Error("the passing of time alone was news")
	}
}

func TestRowsAreJudgedAgainWhenTheirTimeComes(t *testing.T) {
	s := newStore(func() {}, judgeThing)
	f := s.open(func() {})
	f.SetQuery(Query[*thing]{Tie: byUID})
	ripe := time.Unix(100, 0)
	s.put(&thing{uid: "a"}, &thing{uid: "b", ripe: ripe})
	s.publish(Moment{Now: time.Unix(50, 0)}, 0, nil)
	if got := s.nextDue(); !got.Equal(ripe) {
		t.Fatalf("due at %v, want %v", got, ripe)
	}
	s.publish(Moment{Now: ripe}, 0, nil)
	if got := strings.Join(rows(f.Load()), " "); got != "b a" || f.Load().BySeverity[Bad] != 1 {
		t.Errorf("rows %q, counts %v", got, f.Load().BySeverity)
	}
	if !s.nextDue().IsZero() {
		t.Errorf("still due at %v", s.nextDue())
	}
}

func TestDeniedNamespaceDoesNotHideTheOthers(t *testing.T) {
	live, denied := State{Phase: Live}, State{Phase: Denied, Err: errors.New("no")}
	for _, c := range []struct {
		states map[origin]State
		want   Phase
	}{
		{map[origin]State{{namespace: "a"}: live, {namespace: "b"}: denied}, Live},
		{map[origin]State{{namespace: "a"}: denied, {namespace: "b"}: denied}, Denied},
		{map[origin]State{{namespace: "a"}: live, {namespace: "b"}: {Phase: Stale}}, Stale},
		{map[origin]State{{namespace: "a"}: {Phase: Loading}, {namespace: "b"}: {Phase: Stale}}, Loading},
		{map[origin]State{}, Loading},
	} {
		got := merge(c.states, 0)
		if missing := len(c.states) == 2 && c.states[origin{namespace: "b"}] == denied && c.states[origin{namespace: "a"}] == live; got.Phase != c.want || (got.Missing != nil) != missing {
			t.Errorf("merge(%v) = %v without %v, want %v", c.states, got.Phase, got.Missing, c.want)
		}
	}
}

func TestFindLooksInBothDirections(t *testing.T) {
	var rs []*thing
	for i := range 100 {
		rs = append(rs, &thing{uid: fmt.Sprint(i)})
	}
	s := NewSnapshot(rs, Moment{})
	for _, near := range []int{-5, 0, 50, 99, 1000} {
		for _, want := range []int{0, 49, 50, 51, 99} {
			if got, ok := s.Find(fmt.Sprint(want), near); !ok || got != want {
				t.Errorf("Find(%d) near %d = %d, %v", want, near, got, ok)
			}
		}
	}
	if _, ok := s.Find("nobody", 3); ok {
		t.Error("found nobody")
	}
	if _, ok := (&Snapshot[*thing]{}).Find("nobody", 3); ok {
		t.Error("found nobody in nothing")
	}
}
