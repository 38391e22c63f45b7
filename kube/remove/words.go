package remove

import (
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// longest is the most that is shown of somebody else's text, in cells.
const longest = 160

// words makes text from the cluster fit to be shown.
func words(s string) string {
	return text.Cut(strings.Join(strings.Fields(text.Clean(s)), " "), longest, "...")
}

// many is text.Plural for whom the plural has an s.
func many(n int, one string) string { return text.Plural(n, one, one+"s") }

// verb is a number of pods and what they do.
func verb(n int, single, plural string) string { return text.Plural(n, single, plural) }

// clock is a time of day.
func clock(t time.Time) string { return t.Local().Format(time.TimeOnly) }

// age writes a duration as kubectl does.
func age(d time.Duration) string { return duration.HumanDuration(max(d, 0)) }

// seconds is a grace period.
func seconds(n int64) string {
	s := (time.Duration(n) * time.Second).String()
	if strings.HasSuffix(s, "m0s") {
		s = strings.TrimSuffix(s, "0s")
	}
	if strings.HasSuffix(s, "h0m") {
		s = strings.TrimSuffix(s, "0m")
	}
	return s
}

// left is what remains of a grace period, as a clock that runs backwards: 0:18.
func left(d time.Duration) string {
	s := int((d + time.Second - 1) / time.Second)
	return fmt.Sprintf("%d:%02d", s/60, s%60)
}

// shortUID is enough of a UID to compare it: 7b1c40e2-…-e42.
func shortUID(uid string) string {
	uid = text.Clean(uid)
	if len(uid) < 16 {
		return uid
	}
	return uid[:8] + "-…-" + uid[len(uid)-3:]
}

func line(severity kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: severity, Cells: []string{fmt.Sprintf(format, args...)}}
}

func lines(severity kube.Severity, list []string) []action.Row {
	var out []action.Row
	for _, s := range list {
		out = append(out, line(severity, "%s", s))
	}
	return out
}

// listed is how many rows a part of a sheet has at most before it says how many more there are.
const listed = 12

// capped keeps the first rows, worst first, and says how many it does not show.
func capped(rows []action.Row, what string) []action.Row {
	slices.SortStableFunc(rows, func(a, b action.Row) int { return int(b.Severity) - int(a.Severity) })
	if len(rows) <= listed {
		return rows
	}
	hidden := len(rows) - listed
	return append(rows[:listed:listed], line(kube.OK, "and %s %s that are not listed", text.Count(hidden), what))
}

// said is a section that is left out if it has nothing to say.
func said(list ...action.Section) []action.Section {
	return slices.DeleteFunc(list, func(s action.Section) bool { return len(s.Rows) == 0 && len(s.Toggles) == 0 })
}

// clip keeps a sentence of ours whole and cuts what it quotes.
func clip(s string, most int) string { return text.Cut(words(s), most, "...") }
