package kube

import (
	"strconv"
	"strings"
	"time"
	"unicode"
	"unicode/utf8"
	"unique"

	"k8s.io/apimachinery/pkg/util/duration"

	"ktriage/internal/text"
)

const (
	// rawMost bounds what of a cluster's text is looked at, in bytes: the kubelet's own limit for a termination message.
	rawMost = 4096
	// gistMost bounds what of it a row keeps, in cells.
	gistMost = 200
)

// clean makes a string from the cluster safe to show on one line.
func clean(s string) string { return text.Clean(s) }

// shared is clean for strings that many rows have in common: equal ones share their bytes.
func shared(s string) string {
	if s == "" {
		return ""
	}
	return unique.Make(clean(s)).Value()
}

// gist is clean for messages: as much of the beginning as a row keeps.
func gist(s string) string {
	s = clean(strings.TrimSpace(s[:min(len(s), rawMost)]))
	return text.Cut(strings.TrimSpace(s), gistMost, "…")
}

// lastWords is the gist of what a container said before it ended. A message of many lines is the tail of a log, where
// the last line says most; a Go panic is the exception, since a stack trace follows it.
func lastWords(s string) string {
	s = strings.TrimSpace(s[max(0, len(s)-rawMost):])
	line := s[strings.LastIndexByte(s, '\n')+1:]
	for l := range strings.Lines(s) {
		if strings.HasPrefix(l, "panic: ") || strings.HasPrefix(l, "fatal error: ") {
			line = l
			break
		}
	}
	return gist(line)
}

// containsFold reports whether word, already lower-cased, occurs in s, whose case does not matter. It does not allocate,
// and it is quick for what Kubernetes allows in a name: a filter asks it of 150,000 rows with every letter typed.
func containsFold(s, word string) bool {
	if strings.Contains(s, word) {
		return true
	}
	if isLower(s) {
		return false
	}
	for i := range s {
		if prefixFold(s[i:], word) {
			return true
		}
	}
	return false
}

// isLower reports whether s is its own lower case, as far as that can be seen at a glance.
func isLower(s string) bool {
	for i := range len(s) {
		if c := s[i]; c >= utf8.RuneSelf || 'A' <= c && c <= 'Z' {
			return false
		}
	}
	return true
}

func prefixFold(s, word string) bool {
	for _, w := range word {
		r, size := utf8.DecodeRuneInString(s)
		if size == 0 || r != w && unicode.ToLower(r) != w {
			return false
		}
		s = s[size:]
	}
	return true
}

// suffixFold reports whether s ends with word, already lower-cased.
func suffixFold(s, word string) bool {
	for len(word) > 0 {
		r, n := utf8.DecodeLastRuneInString(s)
		w, m := utf8.DecodeLastRuneInString(word)
		if n == 0 || r != w && unicode.ToLower(r) != w {
			return false
		}
		s, word = s[:len(s)-n], word[:len(word)-m]
	}
	return true
}

// human is a length of time in kubectl's way: 41s, 8m20s, 19h, 212d.
func human(d time.Duration) string { return duration.HumanDuration(max(d, 0)) }

// ago says how long before now t was; "at an unknown time" if one of them is not known.
func ago(now, t time.Time) string {
	if now.IsZero() || t.IsZero() {
		return "at an unknown time"
	}
	return text.Age(now, t) + " ago"
}

// lasted says for how long something has been the case; "" if that is not known.
func lasted(now, since time.Time) string {
	if now.IsZero() || since.IsZero() {
		return ""
	}
	return text.Age(now, since)
}

// clock is a time of day in now's zone, with the date if that is not now's.
func clock(now, t time.Time) string {
	if t.IsZero() {
		return "an unknown time"
	}
	t = t.In(now.Location())
	switch {
	case t.Year() != now.Year():
		return t.Format("2006-01-02 15:04:05")
	case t.YearDay() != now.YearDay():
		return t.Format("Jan 2 15:04:05")
	}
	return t.Format("15:04:05")
}

// countdown is a length of time as a clock that runs backwards: 1:59, 0:48, 1:02:03.
func countdown(d time.Duration) string {
	s := int(d / time.Second)
	two := func(n int) string { return strconv.Itoa(n/10) + strconv.Itoa(n%10) }
	if s < 3600 {
		return strconv.Itoa(s/60) + ":" + two(s%60)
	}
	return strconv.Itoa(s/3600) + ":" + two(s/60%60) + ":" + two(s%60)
}

func fraction(part, whole int) string { return strconv.Itoa(part) + "/" + strconv.Itoa(whole) }

// count is a number with its noun.
func count(n int, noun string) string {
	if n == 1 {
		return "1 " + noun
	}
	return strconv.Itoa(n) + " " + noun + "s"
}

// cpuText is an amount of CPU in Kubernetes notation: 500m, 2.
func cpuText(milli int64) string {
	if milli%1000 == 0 {
		return strconv.FormatInt(milli/1000, 10)
	}
	return strconv.FormatInt(milli, 10) + "m"
}

// memText is an amount of memory in Kubernetes notation, exact if it is a whole number of Mi, otherwise truncated.
func memText(bytes int64) string {
	switch {
	case bytes == 0:
		return "0"
	case bytes%(1<<30) == 0:
		return strconv.FormatInt(bytes>>30, 10) + "Gi"
	case bytes >= 1<<20:
		return strconv.FormatInt(bytes>>20, 10) + "Mi"
	case bytes >= 1<<10:
		return strconv.FormatInt(bytes>>10, 10) + "Ki"
	}
	return strconv.FormatInt(bytes, 10)
}

// percentText is part of whole in percent, truncated toward zero as kubectl does; "-" if there is no whole.
func percentText(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return text.Percent(part, whole) + "%"
}
