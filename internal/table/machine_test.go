package table

import (
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"
)

// plain is the table as one would write it without a screen: the rows, and which of them is meant.
type plain struct {
	uids   []string
	cursor string // "" in an empty list
	held   bool
	marks  map[string]bool
}

func (p *plain) index() int { return slices.Index(p.uids, p.cursor) }

func (p *plain) move(n int) {
	if len(p.uids) > 0 {
		p.cursor, p.held = p.uids[min(max(p.index()+n, 0), len(p.uids)-1)], true
	}
}

// become replaces the rows: the cursor stays, or goes to the nearest row below that is left, or above.
func (p *plain) become(uids []string) {
	at, old := p.index(), p.uids
	p.uids = uids
	if len(uids) == 0 {
		p.cursor, p.held = "", false
		return
	}
	if !p.held {
		p.cursor = uids[0]
		return
	}
	above := slices.Clone(old[:at])
	slices.Reverse(above)
	for _, uid := range slices.Concat(old[at:], above) {
		if slices.Contains(uids, uid) {
			p.cursor = uid
			return
		}
	}
	p.cursor = uids[min(at, len(uids)-1)]
}

// TestTableAgreesWithAPlainList drives the table and a plain list through the same keys and changes.
func TestTableAgreesWithAPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, p := New(podColumns(), severityOf), &plain{marks: map[string]bool{}}
		born, height := 0, 12
		show := func(uids []string) {
			before, chosen, lineBefore := p.cursor, p.held, m.at-m.top
			p.become(uids)
			m.SetSnapshot(filtered(uids...))
			ref, gone := m.Gone()
			if want := chosen && !slices.Contains(uids, before); gone != want || gone && ref.UID != before {
				t.Fatalf("gone %t (%s), want %t (%s)", gone, ref.Name, want, before)
			}
			top := p.index() - lineBefore
			if roomy := top >= 0 && top+m.rows <= len(uids); m.rows > 0 && p.held && roomy && m.top != top {
				t.Fatalf("the cursor went from line %d to %d with room above and below", lineBefore, m.at-m.top)
			}
		}
		t.Repeat(map[string]func(*rapid.T){
			"insert": func(t *rapid.T) {
				uids := slices.Clone(p.uids)
				for range rapid.IntRange(1, 8).Draw(t, "rows") {
					born++
					uids = slices.Insert(uids, rapid.IntRange(0, len(uids)).Draw(t, "at"), fmt.Sprintf("u%d.", born))
				}
				show(uids)
			},
			"delete": func(t *rapid.T) {
				keep := rapid.SliceOfN(rapid.Bool(), len(p.uids), len(p.uids)).Draw(t, "keep")
				var uids []string
				for i, uid := range p.uids {
					if keep[i] {
						uids = append(uids, uid)
					}
				}
				show(uids)
			},
			"shuffle": func(t *rapid.T) { show(rapid.Permutation(p.uids).Draw(t, "order")) },
			"move": func(t *rapid.T) {
				n := rapid.IntRange(-9, 9).Draw(t, "n")
				m.Move(n)
				p.move(n)
			},
			"page": func(t *rapid.T) {
				n := rapid.IntRange(-2, 2).Draw(t, "n")
				m.Page(n)
				p.move(n * max(1, m.rows-1))
			},
			"first": func(*rapid.T) { m.First(); p.move(-len(p.uids)) },
			"last":  func(*rapid.T) { m.Last(); p.move(len(p.uids)) },
			"select": func(t *rapid.T) {
				uid := rapid.SampledFrom(append(slices.Clone(p.uids), "nosuch")).Draw(t, "uid")
				if m.Select(uid) {
					p.cursor, p.held = uid, true
				}
			},
			"mark": func(*rapid.T) {
				m.Mark()
				if p.cursor != "" {
					p.held, p.marks[p.cursor] = true, !p.marks[p.cursor]
				}
			},
			"invert": func(*rapid.T) {
				m.Invert()
				for _, uid := range p.uids {
					p.marks[uid] = !p.marks[uid]
				}
			},
			"resize": func(t *rapid.T) { height = rapid.IntRange(1, 30).Draw(t, "height") },
			"":       func(t *rapid.T) { agree(t, m, p, draw(m, 60, height, true), height) },
		})
	})
}

// agree holds what was drawn against the plain list.
func agree(t *rapid.T, m *Model[*pod], p *plain, lines []string, height int) {
	row, ok := m.Current()
	if ok != (p.cursor != "") || ok && row.ref.UID != p.cursor {
		t.Fatalf("cursor on %v, want %q", row, p.cursor)
	}
	first, last := m.Range()
	if want := min(height-1, len(p.uids)); last-first != want {
		t.Fatalf("%d rows in view of %d, at height %d", last-first, len(p.uids), height)
	}
	for i, uid := range p.uids[first:last] {
		line := lines[i+1]
		if !strings.Contains(line, "shop/"+uid) {
			t.Fatalf("line %d is %q, want %s", i+1, line, uid)
		}
		if got := strings.HasPrefix(line, "▌"); got != (uid == p.cursor) {
			t.Fatalf("line %d: cursor %t: %q", i+1, got, line)
		}
		if got := strings.Contains(line, "*"); got != p.marks[uid] {
			t.Fatalf("line %d: mark %t: %q", i+1, got, line)
		}
	}
	if i := p.index(); i >= 0 && height > 1 && (i < first || i >= last) {
		t.Fatalf("the cursor is on row %d, in view are %d to %d", i, first, last)
	}
	hidden := 0
	for uid, marked := range p.marks {
		if marked && !slices.Contains(p.uids, uid) {
			hidden++
		}
	}
	if m.Hidden() != hidden {
		t.Fatalf("%d marks hidden, want %d", m.Hidden(), hidden)
	}
}
