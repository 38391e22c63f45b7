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
	uids  []string
	meant string // what the cursor is on, or was when the list became empty
	at    int    // where that stands, or stood
	held  bool
	marks map[string]bool
}

// cursor is the row under the cursor, "" in an empty list.
func (p *plain) cursor() string {
	if len(p.uids) == 0 {
		return ""
	}
	return p.meant
}

// put sets the cursor on the row at an index, as near as the list has one.
func (p *plain) put(i int) {
	if len(p.uids) > 0 {
		p.at = min(max(i, 0), len(p.uids)-1)
		p.meant = p.uids[p.at]
	}
}

func (p *plain) move(n int) {
	p.held = p.held || len(p.uids) > 0
	p.put(p.at + n)
}

// become replaces the rows: the cursor stays, or goes to the nearest row below that is left, or above.
func (p *plain) become(uids []string) {
	near := []string{p.meant}
	if len(p.uids) > 0 {
		above := slices.Clone(p.uids[:p.at])
		slices.Reverse(above)
		near = slices.Concat(p.uids[p.at:], above)
	}
	p.uids = uids
	if !p.held {
		p.put(0)
		return
	}
	for _, uid := range near {
		if i := slices.Index(uids, uid); i >= 0 {
			p.put(i)
			return
		}
	}
	p.put(p.at)
}

// TestTableAgreesWithAPlainList drives the table and a plain list through the same keys and changes.
func TestTableAgreesWithAPlainList(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		m, p := New(podColumns(), severityOf), &plain{marks: map[string]bool{}}
		born, height := 0, 12
		show := func(uids []string) {
			before, chosen, lineBefore := p.cursor(), p.held && len(p.uids) > 0, m.at-m.top
			p.become(uids)
			m.SetSnapshot(filtered(uids...))
			ref, gone := m.Gone()
			if want := chosen && !slices.Contains(uids, before); gone != want || gone && ref.UID != before {
				t.Fatalf("gone %t (%s), want %t (%s)", gone, ref.Name, want, before)
			}
			top := p.at - lineBefore
			roomy := len(uids) > 0 && top >= 0 && top+m.rows <= len(uids) && lineBefore < m.rows
			if p.held && roomy && m.top != top {
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
					p.move(slices.Index(p.uids, uid) - p.at)
				}
			},
			"hold":  func(*rapid.T) { m.Hold(); p.move(0) },
			"reset": func(*rapid.T) { m.Reset(); p.put(0); p.held = false },
			"empty": func(*rapid.T) { show(nil) },
			"mistype": func(*rapid.T) {
				uids := p.uids
				show(nil)
				show(uids)
			},
			"mark": func(*rapid.T) {
				m.Mark()
				if uid := p.cursor(); uid != "" {
					p.held, p.marks[uid] = true, !p.marks[uid]
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
	if ok != (p.cursor() != "") || ok && row.ref.UID != p.cursor() {
		t.Fatalf("cursor on %v, want %q", row, p.cursor())
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
		if got := strings.HasPrefix(line, "▌"); got != (uid == p.cursor()) {
			t.Fatalf("line %d: cursor %t: %q", i+1, got, line)
		}
		if got := strings.Contains(line, "*"); got != p.marks[uid] {
			t.Fatalf("line %d: mark %t: %q", i+1, got, line)
		}
	}
	if p.cursor() != "" && height > 1 && (p.at < first || p.at >= last) {
		t.Fatalf("the cursor is on row %d, in view are %d to %d", p.at, first, last)
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
