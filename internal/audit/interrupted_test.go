package audit

import (
	"slices"
	"testing"
)

// entry makes a record of process p about objects with these UIDs.
func entry(event Event, run, action, state string, uids ...string) Entry {
	r := Record{Event: event, Run: run, Process: "p", Action: action, State: state}
	for _, uid := range uids {
		r.Objects = append(r.Objects, Object{Kind: "Node", Name: "same-name", UID: uid})
	}
	return Entry{Record: r}
}

func TestInterrupted(t *testing.T) {
	const drain, cordon = "node.drain", "node.cordon"
	begun := func(run string, uids ...string) Entry { return entry(Intent, run, drain, "", uids...) }
	ended := func(run, state string, uids ...string) Entry { return entry(Result, run, drain, state, uids...) }
	left := func(run string) Entry { return entry(Left, run, drain, "", "u") }
	for name, c := range map[string]struct {
		entries []Entry
		p       Liveness
		want    []string // runs; with "?" if elsewhere
	}{
		"nothing":                       {nil, Dead, nil},
		"no result, dead":               {[]Entry{begun("1", "u")}, Dead, []string{"1"}},
		"no result, alive":              {[]Entry{begun("1", "u")}, Alive, nil},
		"no result, elsewhere":          {[]Entry{begun("1", "u")}, Elsewhere, []string{"1?"}},
		"no result, left":               {[]Entry{begun("1", "u"), left("1")}, Dead, nil},
		"another was left":              {[]Entry{begun("1", "u"), left("2")}, Dead, []string{"1"}},
		"result":                        {[]Entry{begun("1", "u"), ended("1", "failed", "u")}, Dead, nil},
		"result without its intent":     {[]Entry{ended("1", "done", "u")}, Dead, nil},
		"cut off":                       {[]Entry{begun("1", "u"), ended("1", CutOff, "u")}, Alive, []string{"1"}},
		"cut off, intent not read":      {[]Entry{ended("1", CutOff, "u")}, Elsewhere, []string{"1"}},
		"cut off, left":                 {[]Entry{begun("1", "u"), ended("1", CutOff, "u"), left("1")}, Dead, nil},
		"cut off, begun again":          {[]Entry{begun("1", "u"), ended("1", CutOff, "u"), begun("2", "u")}, Alive, nil},
		"no result, begun again, done":  {[]Entry{begun("1", "u"), begun("2", "u"), ended("2", "done", "u")}, Dead, nil},
		"cut off, other action":         {[]Entry{ended("1", CutOff, "u"), entry(Intent, "2", cordon, "", "u")}, Alive, []string{"1"}},
		"cut off, other objects":        {[]Entry{ended("1", CutOff, "u"), begun("2", "v")}, Alive, []string{"1"}},
		"cut off, more objects":         {[]Entry{ended("1", CutOff, "u"), begun("2", "u", "v")}, Alive, []string{"1"}},
		"order of objects":              {[]Entry{ended("1", CutOff, "u", "v"), begun("2", "v", "u")}, Alive, nil},
		"begun before":                  {[]Entry{begun("1", "u"), begun("2", "u"), ended("1", CutOff, "u"), ended("2", CutOff, "u")}, Dead, []string{"2"}},
		"newest of the same action":     {[]Entry{begun("1", "u"), begun("2", "u")}, Dead, []string{"2"}},
		"newest of the same objects":    {[]Entry{begun("1", "u"), entry(Intent, "2", cordon, "", "u")}, Dead, []string{"2"}},
		"each set of objects, in order": {[]Entry{begun("1", "u"), begun("2", "v"), begun("3", "w")}, Dead, []string{"1", "2", "3"}},
		"without objects":               {[]Entry{begun("1"), begun("2")}, Dead, []string{"1", "2"}},
		"without UIDs, by name":         {[]Entry{begun("1", ""), begun("2", "")}, Dead, []string{"2"}},
	} {
		t.Run(name, func(t *testing.T) {
			var got []string
			for _, i := range Interrupted(c.entries, func(Record) Liveness { return c.p }) {
				run := i.Run
				if i.Elsewhere {
					run += "?"
				}
				got = append(got, run)
			}
			if !slices.Equal(got, c.want) {
				t.Errorf("got %v, want %v", got, c.want)
			}
		})
	}
}

func TestSameNameInAnotherClusterIsAnotherObject(t *testing.T) {
	a, b := entry(Intent, "1", "node.drain", "", ""), entry(Intent, "2", "node.drain", "", "")
	a.Server, b.Server = "https://a", "https://b"
	if found := Interrupted([]Entry{a, b}, func(Record) Liveness { return Dead }); len(found) != 2 {
		t.Errorf("found %v", found)
	}
}
