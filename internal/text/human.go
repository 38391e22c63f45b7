package text

import (
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

// Age says how long ago then was, in kubectl's words: 41s, 4m12s, 19h, 212d; <unknown> for the zero time.
func Age(now, then time.Time) string {
	if then.IsZero() {
		return "<unknown>"
	}
	return duration.HumanDuration(max(now.Sub(then), 0))
}

// Millicores is an amount of CPU as kubectl top prints it: 250m.
func Millicores(n int64) string { return strconv.FormatInt(n, 10) + "m" }

// Bytes is an amount of memory: in Mi as kubectl top prints it, in Gi from ten of them on, exact below one Mi.
func Bytes(n int64) string {
	const mi, gi = 1 << 20, 1 << 30
	switch {
	case n >= 10*gi:
		return strconv.FormatInt(n/gi, 10) + "Gi"
	case n >= mi:
		return strconv.FormatInt(n/mi, 10) + "Mi"
	case n >= 1<<10:
		return strconv.FormatInt(n>>10, 10) + "Ki"
	}
	return strconv.FormatInt(n, 10)
}

// Percent is part of whole in percent, truncated as kubectl does, without the sign; "-" if there is no whole.
func Percent(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return strconv.FormatInt(int64(float64(part)/float64(whole)*100), 10)
}

// Count writes a number with commas: 4,211.
func Count(n int) string {
	s := strconv.Itoa(n)
	first := len(s) % 3
	if n < 0 {
		first = 1 + (len(s)-1)%3
	}
	out := make([]byte, 0, len(s)+len(s)/3)
	for i := range len(s) {
		if i > 0 && (i-first)%3 == 0 && s[i-1] != '-' && i >= first {
			out = append(out, ',')
		}
		out = append(out, s[i])
	}
	return string(out)
}

// Plural is a number with its noun: 1 pod, 30 pods.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}
