package views

import (
	"fmt"
	"strconv"
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// gauge is what is used of one resource: in millicores or in bytes.
type gauge struct {
	used           int64
	request, limit int64 // 0 is none; only if counted
	// nearest is the container that is nearest to its own limit, where that is not the row itself.
	nearest kube.Nearest
	counted bool
	room    int64 // what there is of it: of a node what it can allocate; 0 where that is not known
}

// figures are what a row of the Top pane shows.
type figures struct {
	sample   kube.Sample
	sampled  bool
	late     bool          // the sample is so old that something does not measure
	age      time.Duration // of the sample
	missing  string        // why there is no sample, where there should be one: "no sample"; "-" otherwise
	cpu, mem gauge
}

// measured gives the figures of a row.
type measured[R kube.Row] func(R, kube.Moment) figures

// take puts a sample into figures.
func (f *figures) take(s kube.Sample, ok bool, m kube.Moment) {
	f.sample, f.sampled = s, ok
	f.late, f.age = ok && !s.At.IsZero() && s.Late(m), m.Now.Sub(s.At)
	f.cpu.used, f.mem.used = s.CPU, s.Memory
	if f.missing == "" {
		f.missing = "-"
	}
}

// youth is how old an object has to be before it is missed that nothing has been measured of it: metrics-server needs two scrapes.
const youth = 2 * time.Minute

// token is that of a figure: what is late is muted.
func (f figures) token(t themes.Token) themes.Token {
	if f.late || !f.sampled {
		return themes.Muted
	}
	return t
}

// value is a figure of the sample, "-" without one.
func (f figures) value(n int64, unit func(int64) string) table.Cell {
	if !f.sampled {
		return table.Cell{Text: "-", Token: themes.Muted}
	}
	return table.Cell{Text: unit(n), Token: f.token(themes.Text)}
}

// percent is a figure of the sample in percent of a whole, "-" without either.
func (f figures) percent(n, whole int64, t themes.Token) table.Cell {
	c := f.value(n, func(n int64) string { return text.Percent(n, whole) })
	if f.sampled && whole > 0 {
		c.Token = f.token(t)
	}
	return c
}

// asked is what is asked for or allowed, in percent of what there is; "-" where it is not known.
func (g gauge) asked(n int64) string { return share(n, g.counted, g.room) }

// bar is a figure as a bar of what there is of it, with a tick at another. In its place stands what keeps it from being believed:
// that there is no sample, or how old it is.
func (f figures) bar(g gauge, whole, tick int64, aged, wide bool) table.Cell {
	switch {
	case !f.sampled && wide:
		return table.Cell{Text: f.missing, Token: themes.Muted}
	case !f.sampled:
		return table.Cell{Text: "-", Token: themes.Muted}
	case f.late && aged:
		return table.Cell{Text: old(f.age) + " old", Token: themes.Warn}
	case whole <= 0:
		return table.Cell{}
	}
	return table.Cell{Bar: table.Bar{
		On: true, Token: f.token(themes.Bar), Share: thousandths(g.used, whole),
		Ticked: tick > 0, Tick: thousandths(tick, whole),
	}}
}

// thousandths is a part of a whole, 1000 at most.
func thousandths(part, whole int64) int {
	if whole <= 0 {
		return 0
	}
	return int(min(1000, max(0, float64(part)/float64(whole)*1000)))
}

// spark is a past as a line of heights of a whole; of the highest point where there is no whole.
func spark(p kube.Past, of func(kube.Use) int64, whole int64) table.Cell {
	s := table.Spark{On: true, Points: kube.PastPoints, Token: themes.Spark}
	if whole <= 0 {
		for _, u := range p {
			if u.Known {
				whole = max(whole, of(u.Use))
			}
		}
	}
	for i, u := range p {
		if u.Known {
			s.Heights[i] = uint8(1 + thousandths(of(u.Use), whole)*(text.SparkLevels-1)/1000)
		}
	}
	return table.Cell{Spark: s}
}

// old is an age in one unit, for a narrow column.
func old(d time.Duration) string {
	if d < time.Hour {
		return strconv.Itoa(int(d/time.Minute)) + "m"
	}
	return lasting(d)
}

// lasting is how long something takes.
func lasting(d time.Duration) string { return text.Age(time.Unix(0, 0).Add(d), time.Unix(0, 0)) }

// exactly is an amount of memory to the byte, and as the columns have it.
func exactly(n int64) string { return fmt.Sprintf("%d B = %s", n, text.Bytes(n)) }

// ofWhole says a figure and what part it is of another: "155Mi of 200Mi, 77%"; only the figure where there is no other.
func ofWhole(n, whole int64, unit func(int64) string, what string) string {
	if whole <= 0 {
		return unit(n)
	}
	return fmt.Sprintf("%s, %s%% of %s %s", unit(n), text.Percent(n, whole), what, unit(whole))
}

// meaning says what the figures of a sample mean, and of when they are: CPU is a mean, and memory is what the kernel could not give
// back at once.
func (f figures) meaning(m kube.Moment) string {
	if !f.sampled {
		return ""
	}
	window := ""
	if f.sample.Window > 0 {
		window = " over " + f.sample.Window.Round(time.Second).String()
	}
	at := ""
	if !f.sample.At.IsZero() {
		at = " at " + clock(f.sample.At, m.Now)
	}
	s := "CPU averaged" + window + ", memory = working set" + at
	if f.late {
		s += ", " + old(f.age) + " ago: it is not measured any more"
	}
	return s
}

// unmeasured says why there is no sample of a row, and what to do.
func (f figures) unmeasured(m kube.Moment) []string {
	sentence, next := m.UsageTrouble()
	switch {
	case f.sampled:
		return nil
	case sentence != "":
		return []string{strings.TrimSpace(sentence + " " + next)}
	case f.missing == "-":
		return []string{"Nothing has been measured of it yet."}
	}
	return []string{"There is no sample of it, though there are of others: its kubelet may not answer metrics-server."}
}

// pastFact is a past in words: its line, and between which figures it went.
func pastFact(p kube.Past, of func(kube.Use) int64, unit func(int64) string, step time.Duration) []Fact {
	least, most, known := int64(0), int64(0), 0
	heights := make([]int, len(p))
	for _, u := range p {
		if u.Known {
			n := of(u.Use)
			if least, most = min(least, n), max(most, n); known == 0 {
				least = n
			}
			known++
		}
	}
	if known == 0 {
		return nil
	}
	for i, u := range p {
		heights[i] = -1
		if u.Known {
			heights[i] = thousandths(of(u.Use), most) * (text.SparkLevels - 1) / 1000
		}
	}
	over := "in this run"
	if step > 0 {
		over = "in the last " + lasting(time.Duration(known)*step)
	}
	return []Fact{{"", fmt.Sprintf("%s  %s to %s %s, within 5%%", strings.TrimLeft(text.Spark(heights...), " "), unit(least), unit(most), over), kube.OK}}
}

// sampleFacts say of when a sample is and what it means.
func (f figures) sampleFacts(m kube.Moment) []Fact {
	if !f.sampled {
		return diagnosisFacts(f.unmeasured(m))
	}
	severity := kube.OK
	if f.late {
		severity = kube.Warning
	}
	facts := []Fact{{"sampled", absolute(f.sample.At, m.Now), severity}, {"", f.meaning(m), kube.OK}}
	if f.sample.Swap >= 0 {
		facts = append(facts, Fact{"swap", exactly(f.sample.Swap), kube.OK})
	}
	return facts
}
