package kube

import (
	"fmt"
	"maps"
	"slices"
	"testing"
	"testing/synctest"
	"time"
	"unsafe"

	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
)

func TestLabelsAreThoseOfTheObjectAndEqualOnesAreShared(t *testing.T) {
	of := map[string]string{"app": "web", "tier": "", "app.kubernetes.io/name": "web", "a": "b"}
	l := NewLabels(of)
	if !maps.Equal(l.Map(), of) {
		t.Errorf("kept %v of %v", l.Map(), of)
	}
	equal(t, l.String(), "a=b,app=web,app.kubernetes.io/name=web,tier=")
	equal(t, Labels{}.String(), "<none>")
	equal(t, NewLabels(nil), Labels{})
	equal(t, l, NewLabels(maps.Clone(of)))
	equal(t, unsafe.Sizeof(l), 8)
	v, ok := l.Lookup("tier")
	equal(t, v, "")
	equal(t, ok, true)
	equal(t, l.Get("app"), "web")
	equal(t, l.Has("ap"), false)
	equal(t, l.Has("web"), false)
	equal(t, Labels{}.Has(""), false)
	hostile := NewLabels(map[string]string{"a\x00b\x01": "\x1b[31m\x01", "x": "1"})
	equal(t, len(hostile.Map()), 2)
	equal(t, hostile.Get("x"), "1")
}

func TestSelectorsMatchAsThoseOfKubectl(t *testing.T) {
	key, value := rapid.SampledFrom([]string{"app", "env", "app.kubernetes.io/name", "ap"}), rapid.SampledFrom([]string{"", "a", "b", "prod"})
	requirement := rapid.Custom(func(t *rapid.T) string {
		k, v, w := key.Draw(t, "key"), value.Draw(t, "value"), value.Draw(t, "other")
		return rapid.SampledFrom([]string{k, "!" + k, k + "=" + v, k + "!=" + v, k + " in (" + v + "," + w + ")", k + " notin (" + v + ")"}).Draw(t, "form")
	})
	rapid.Check(t, func(t *rapid.T) {
		of := rapid.MapOf(key, value).Draw(t, "labels")
		text := requirement.Draw(t, "first") + "," + requirement.Draw(t, "second")
		selector, err := ParseSelector(text)
		want, wantErr := labels.Parse(text)
		if (err != nil) != (wantErr != nil) {
			t.Fatalf("%s: %v, want %v", text, err, wantErr)
		}
		if err == nil && selector.Matches(NewLabels(of)) != want.Matches(labels.Set(of)) {
			t.Errorf("%s of %v: %v", text, of, want.Matches(labels.Set(of)))
		}
	})
	if _, err := ParseSelector("app in (a"); err == nil {
		t.Error("a selector that is not closed is read")
	}
}

func TestMatchingLabelsAllocatesNothing(t *testing.T) {
	l := NewLabels(map[string]string{"app": "web", "team": "shop", "pod-template-hash": "7d9f8c6b5", "version": "v42"})
	s, err := ParseSelector("app=web,team in (shop,cart),!canary,version!=v41")
	if err != nil || !s.Matches(l) {
		t.Fatalf("%v, %v", s.Matches(l), err)
	}
	if n := testing.AllocsPerRun(100, func() { s.Matches(l) }); n != 0 {
		t.Errorf("a row costs %v allocations", n)
	}
}

// younger asks for the pods that are younger than an age.
func younger(than time.Duration, looks *int) Query[*Pod] {
	q := thosePods("")
	q.Keep = func(p *Pod, m Moment) bool {
		*looks++
		return m.Now.Sub(p.Created) < than
	}
	q.Until = func(p *Pod, m Moment) time.Time {
		if at := p.Created.Add(than); at.After(m.Now) {
			return at
		}
		return time.Time{}
	}
	return q
}

func TestRowLeavesAFilterOfTheClockByItself(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(func() {}, judgePod)
		f := s.open(func() {})
		looks := 0
		f.SetQuery(younger(2*time.Minute, &looks))
		began := time.Now()
		for i, age := range []time.Duration{0, time.Minute, 90*time.Second + 300*time.Millisecond, time.Hour} {
			p := somePod(i, 0)
			p.Created = began.Add(-age)
			s.put(p)
		}
		var log []string
		var last time.Time
		for range 4 {
			now := time.Now()
			if s.publish(Moment{Now: now}, 0, nil) {
				log = append(log, fmt.Sprintf("%v: %d", now.Sub(began), f.Load().Len()))
			}
			if s.publish(Moment{Now: now}, 0, nil) {
				t.Errorf("nothing has changed at %v, and it is published", now.Sub(began))
			}
			next := s.nextDue()
			if next.IsZero() || next.Equal(last) {
				break
			}
			last = next
			time.Sleep(time.Until(next))
		}
		if want := []string{"0s: 3", "29.7s: 2", "1m0s: 1", "2m0s: 0"}; !slices.Equal(log, want) {
			t.Errorf("published %q, want %q", log, want)
		}
		s.publish(Moment{Now: time.Now()}, 0, nil)
		if due := s.nextDue(); !due.IsZero() {
			t.Errorf("all are old, and it looks again at %v", due)
		}
	})
}

func TestFilterOfTheClockLooksOnceASecondAtMost(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		s := newStore(func() {}, judgePod)
		f := s.open(func() {})
		looks := 0
		f.SetQuery(younger(time.Minute, &looks))
		for i := range 100 {
			p := somePod(i, 0)
			p.Created = time.Now().Add(-time.Duration(i) * 10 * time.Millisecond) // one leaves every 10 ms
			s.put(p)
		}
		s.publish(Moment{Now: time.Now()}, 0, nil)
		began := looks
		end := time.Now().Add(2 * time.Minute)
		for at := s.nextDue(); !at.IsZero() && at.Before(end); at = s.nextDue() {
			time.Sleep(time.Until(at))
			s.publish(Moment{Now: time.Now()}, 0, nil)
		}
		if f.Load().Len() != 0 || looks-began > 3*100 {
			t.Errorf("%d rows are left after %d looks at 100 rows", f.Load().Len(), looks-began)
		}
	})
}
