package main

import (
	"fmt"
	"strings"
	"time"
)

// goals is what is to be reached on 5,000 nodes and 150,000 pods, with two cores that the API server shares, beside what
// was measured here.
func (r report) goals() *table {
	f := r.last()
	g := goals{newTable("what", "reach", "measured", "")}
	g.loading(f)
	g.quiet(f)
	g.changing(f)
	g.pressing(f)
	for i := 1; i < len(r.all); i++ {
		g.growth(r.all[i-1], r.all[i])
	}
	return g.table
}

// goals is a table of figures and their limits. What was not measured is left out.
type goals struct{ *table }

func (g goals) within(what string, limit, got time.Duration) {
	g.add(what, "at most "+duration(limit), duration(got), verdict(got <= limit, duration(got-limit)))
}

func (g goals) below(what string, limit, got float64, unit string) {
	form := func(x float64) string { return strings.TrimSuffix(fmt.Sprintf("%.2f", x), ".00") + unit }
	g.add(what, "at most "+form(limit), form(got), verdict(got <= limit, form(got-limit)))
}

func (g goals) smaller(what string, limit, got int64) {
	g.add(what, "under "+mebibytes(limit), mebibytes(got), verdict(got < limit, mebibytes(got-limit)))
}

func verdict(reached bool, by string) string {
	if reached {
		return "✓"
	}
	return "misses by " + by
}

func (g goals) loading(f *figures) {
	if len(f.starts) == 0 {
		return
	}
	g.within("first rows", time.Second, f.started(func(s start) time.Duration { return s.rows }).median())
	g.below("all pods, compared with a GET that throws the bytes away", 1.25,
		f.allPods().median().Seconds()/f.get.took.median().Seconds(), " x")
}

func (g goals) quiet(f *figures) {
	if len(f.memory) == 0 {
		return
	}
	rss, peak := f.held()
	g.smaller("RSS, all pods and nodes read, any pane", 300<<20, rss)
	g.smaller("RSS, peak", 400<<20, peak)
	g.below("idle CPU, of a core", 1, percent(f.idle.cpu, f.idle.span), " %")
}

func (g goals) changing(f *figures) {
	if c := f.at(1000); c.rate > 0 {
		g.below("1,000 changes a second: CPU, of a core", 25, percent(c.untouched.cpu, c.untouched.span), " %")
		g.below("1,000 changes a second: frames a second", 10, c.untouched.frameRate(), "")
		g.within("1,000 changes a second: key to frame, p99", 50*time.Millisecond, c.keys.p99())
	}
	if c := f.at(5000); c.rate > 0 {
		g.keepsUp(c)
		g.within("5,000 changes a second: key to frame, p99", 100*time.Millisecond, c.keys.p99())
	}
}

// keepsUp compares the screen with a bare watch, both at the end of their time: an API server that cannot keep up itself
// leaves both behind.
func (g goals) keepsUp(c churned) {
	if len(c.control.behind) == 0 {
		return
	}
	const noise = 500 * time.Millisecond
	_, screen := c.screen.thirds()
	_, bare := c.control.behind.thirds()
	more := screen.median() - bare.median()
	g.add(count(c.rate)+" changes a second: keeps up, behind etcd in the last third, p50",
		"no more behind than a bare watch that throws everything away (+ "+duration(noise)+")",
		fmt.Sprintf("%s, a bare watch %s", duration(screen.median()), duration(bare.median())), verdict(more <= noise, duration(more-noise)))
}

func (g goals) pressing(f *figures) {
	for _, what := range []string{"move", "scroll", "page"} {
		if took := f.key(what); len(took) > 0 {
			g.within(what+": key to frame, p99", 16*time.Millisecond, took.p99())
		}
	}
	if t := f.typing; len(t.answer) > 0 {
		g.within("a letter more in a filter, p99", 50*time.Millisecond, t.answer.p99())
		g.within("typing never stalls: a letter in its field, max", 100*time.Millisecond, t.echo.worst())
	}
}

// growth compares two sizes: what may grow with the number of pods, and what may not.
func (g goals) growth(small, big *figures) {
	pods := float64(big.size.pods) / float64(small.size.pods)
	from := fmt.Sprintf(", from %s to %s pods", count(small.size.pods), count(big.size.pods))
	if len(small.starts) > 0 && len(big.starts) > 0 {
		limit := 1.2 * pods // 12 times for 10 times the pods
		g.below("load time"+from, limit, big.allPods().median().Seconds()/small.allPods().median().Seconds(), " x")
		_, peak := big.held()
		_, was := small.held()
		g.below("memory at its peak"+from, limit, float64(peak)/float64(was), " x")
	}
	const noise = 2 * time.Millisecond
	for _, what := range []string{"move", "scroll"} {
		if a, b := small.key(what), big.key(what); len(a) > 0 && len(b) > 0 {
			g.within(what+", p50, more"+from, noise, b.median()-a.median())
		}
	}
	if small.idle.span > 0 && big.idle.span > 0 {
		g.below("idle CPU, more"+from, 0.2, percent(big.idle.cpu, big.idle.span)-percent(small.idle.cpu, small.idle.span), " % of a core")
	}
}
