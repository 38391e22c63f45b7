package views

import (
	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// dimension is one of the two that are measured, as columns have it.
type dimension[R kube.Row] struct {
	id, name string // "cpu", "CPU"
	unit     func(int64) string
	use      func(kube.Use) int64
	gauge    func(figures) gauge
	past     func(R, kube.Moment) kube.Past
	token    func(figures) themes.Token // of the figure that somebody should look at
	aged     bool                       // its bar gives way to the age of a sample that is late
}

// dimensions are CPU and memory.
func dimensions[R kube.Row](past func(R, kube.Moment) kube.Past, cpu, memory func(figures) themes.Token) [2]dimension[R] {
	return [2]dimension[R]{
		{"cpu", "CPU", text.Millicores, cpuOf, func(f figures) gauge { return f.cpu }, past, cpu, true},
		{"memory", "MEMORY", text.Bytes, memoryOf, func(f figures) gauge { return f.mem }, past, memory, false},
	}
}

func calm(figures) themes.Token { return themes.Text }

// The widths of what is drawn.
const (
	barLeast, barMost     = 8, 24
	sparkLeast, sparkMost = 8, kube.PastPoints
	pastTitle             = "15 MIN"
	percentWidth          = 4
)

// figuresWide is the width of a pane from which a missing sample is said in words.
const figuresWide = 96

func (v *top) wide() bool { return v.size.W >= figuresWide }

// barColumn is a bar of what there is, with a tick at what is asked for.
func barColumn[R kube.Row](v *top, get measured[R], r dimension[R], title string, drop int, whole, tick func(gauge) int64) table.Column[R] {
	return table.Column[R]{ID: r.id + "-bar", Title: title, Min: barLeast, Max: barMost, Even: true, Drop: drop,
		Cell: func(row R, m kube.Moment) table.Cell {
			f := get(row, m)
			g := r.gauge(f)
			return f.bar(g, whole(g), tick(g), r.aged, v.wide())
		}}
}

// sparkColumn is what was used in this run, of what there is.
func sparkColumn[R kube.Row](get measured[R], r dimension[R], drop int, whole func(gauge) int64) table.Column[R] {
	return table.Column[R]{ID: r.id + "-past", Title: pastTitle, Min: sparkLeast, Max: sparkMost, Middle: true, Drop: drop,
		Cell: func(row R, m kube.Moment) table.Cell {
			return spark(r.past(row, m), r.use, whole(r.gauge(get(row, m))))
		}}
}

// figureColumn is a figure that stands flush right.
func figureColumn[R kube.Row](get measured[R], id, title string, least, drop int, cell func(figures) table.Cell) table.Column[R] {
	return table.Column[R]{ID: id, Title: title, Min: least, Right: true, Drop: drop,
		Cell: func(row R, m kube.Moment) table.Cell { return cell(get(row, m)) }}
}

// shareColumns are what is used in percent of what there is, and what is asked for.
func shareColumns[R kube.Row](get measured[R], r dimension[R], drop int) []table.Column[R] {
	return []table.Column[R]{
		figureColumn(get, r.id, "use%", percentWidth, 0, func(f figures) table.Cell {
			g := r.gauge(f)
			return f.percent(g.used, g.room, r.token(f))
		}),
		figureColumn(get, r.id+"-requests", "req%", percentWidth, drop, func(f figures) table.Cell {
			g := r.gauge(f)
			return plain(g.asked(g.request))
		}),
	}
}

// absoluteColumn is what is used of what there is, in figures.
func absoluteColumn[R kube.Row](get measured[R], r dimension[R], drop int) table.Column[R] {
	return figureColumn(get, r.id+"-used", r.name+" USED", 14, drop, func(f figures) table.Cell {
		g := r.gauge(f)
		return f.value(g.used, func(n int64) string {
			if g.room <= 0 {
				return r.unit(n)
			}
			return r.unit(n) + " of " + r.unit(g.room)
		})
	})
}

// limitColumn is what is allowed, in percent of what there is.
func limitColumn[R kube.Row](get measured[R], r dimension[R], drop int) table.Column[R] {
	return figureColumn(get, r.id+"-limits", r.name+" lim%", percentWidth, drop, func(f figures) table.Cell {
		g := r.gauge(f)
		return plain(g.asked(g.limit))
	})
}

// ownColumns are those of a pod or a container: what it uses, of what it asks for, and of what it may have.
func ownColumns[R kube.Row](v *top, get measured[R], r dimension[R]) []table.Column[R] {
	title := map[string]string{"cpu": "CPU", "memory": "MEM"}[r.id]
	return []table.Column[R]{
		figureColumn(get, r.id, title, 6, 0, func(f figures) table.Cell { return f.value(r.gauge(f).used, r.unit) }),
		figureColumn(get, r.id+"-request", "%req", percentWidth, 2, func(f figures) table.Cell {
			g := r.gauge(f)
			return f.percent(g.used, g.request, themes.Text)
		}),
		figureColumn(get, r.id+"-limit", "%lim", percentWidth, 1, func(f figures) table.Cell {
			g := r.gauge(f)
			used, limit := g.ofLimit()
			return f.percent(used, limit, r.token(f))
		}),
		barColumn(v, get, r, title+"/LIM", 4, gauge.most, gauge.mark),
		sparkColumn(get, r, 3, gauge.most),
	}
}

// most is what a pod may use at most: its limit, or where it has none, what it asks for.
func (g gauge) most() int64 {
	if g.limit > 0 {
		return g.limit
	}
	return g.request
}

// mark is where the tick stands in a bar of most: at what is asked for, unless the bar is of that.
func (g gauge) mark() int64 {
	if g.limit > 0 {
		return g.request
	}
	return 0
}

func (g gauge) whole() int64     { return g.room }
func (g gauge) requested() int64 { return g.request }

// rankOrders are the orders of a level. The figures give what is sorted by.
func rankOrders[R kube.Row](get measured[R], reads kube.Kinds, byName func(a, b R) int, part func(gauge) uint64) []order[R] {
	by := func(id, title, column string, of func(figures) uint64) order[R] {
		return order[R]{id: id, title: title, column: column, reads: reads,
			key: func(r R, _ uint8, m kube.Moment) uint64 { return of(get(r, m)) }}
	}
	used := func(gauge func(figures) gauge) func(figures) uint64 {
		return func(f figures) uint64 {
			if !f.sampled {
				return 0
			}
			return 1 + part(gauge(f))
		}
	}
	ofLimit := func(gauge func(figures) gauge) func(figures) uint64 {
		return func(f figures) uint64 {
			g := gauge(f)
			used, limit := g.ofLimit()
			if !f.sampled || limit <= 0 {
				return 0
			}
			return 1 + ratio(used, limit)
		}
	}
	cpu, mem := func(f figures) gauge { return f.cpu }, func(f figures) gauge { return f.mem }
	return []order[R]{
		by("cpu", "cpu", "cpu", used(cpu)),
		by("memory", "memory", "memory", used(mem)),
		by("cpu-limit", "cpu of its limit", "cpu-limit", ofLimit(cpu)),
		by("memory-limit", "memory of its limit", "memory-limit", ofLimit(mem)),
		{id: "name", title: "name", column: "name", compare: byName},
	}
}

// ratio is a part of a whole as a key to sort by.
func ratio(part, whole int64) uint64 {
	if whole <= 0 {
		return 0
	}
	return uint64(float64(max(part, 0)) / float64(whole) * 1e9)
}

// ofRoom sorts by the part of what there is; amount by what is used, whatever there is.
func ofRoom(g gauge) uint64 { return ratio(g.used, g.room) }
func amount(g gauge) uint64 { return uint64(max(g.used, 0)) }
