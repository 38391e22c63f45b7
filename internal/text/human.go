package text

import (
	"fmt"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

const unknown = "<unknown>"

// Age says how long ago then was, in kubectl's words: 41s, 4m12s, 19h, 212d; <unknown> for the zero time, <invalid> if
// it is more than a second ahead of now (translateTimestampSince in pkg/printers/internalversion/printers.go of
// Kubernetes).
func Age(now, then time.Time) string {
	if then.IsZero() {
		return unknown
	}
	return duration.HumanDuration(now.Sub(then))
}

// Millicores is an amount of CPU as kubectl top prints it: 250m.
func Millicores(n int64) string { return strconv.FormatInt(n, 10) + "m" }

// Bytes is an amount of memory, truncated: in Mi as kubectl top prints it, from 10Gi on in Gi to a tenth, below a Mi in
// Ki or exact.
func Bytes(n int64) string {
	const ki, mi, gi = 1 << 10, 1 << 20, 1 << 30
	switch {
	case n >= 10*gi:
		whole, tenth := n/gi, n%gi*10/gi
		if tenth == 0 {
			return strconv.FormatInt(whole, 10) + "Gi"
		}
		return strconv.FormatInt(whole, 10) + "." + strconv.FormatInt(tenth, 10) + "Gi"
	case n >= mi:
		return strconv.FormatInt(n/mi, 10) + "Mi"
	case n >= ki:
		return strconv.FormatInt(n/ki, 10) + "Ki"
	}
	return strconv.FormatInt(n, 10)
}

// Percent is part of whole in percent, without the sign; "-" if there is no whole. It is truncated, and computed as
// kubectl top computes it, in floating point: 29 of 100 is 28 there and here (pkg/metricsutil/metrics_printer.go of
// k8s.io/kubectl).
func Percent(part, whole int64) string {
	if whole <= 0 {
		return "-"
	}
	return strconv.FormatInt(int64(float64(part)/float64(whole)*100), 10)
}

// Count writes a number with commas: 4,211.
func Count(n int) string {
	digits, sign := strconv.Itoa(n), ""
	if n < 0 {
		digits, sign = digits[1:], "-"
	}
	out := make([]byte, 0, len(digits)+len(digits)/3)
	for i := range len(digits) {
		if i > 0 && (len(digits)-i)%3 == 0 {
			out = append(out, ',')
		}
		out = append(out, digits[i])
	}
	return sign + string(out)
}

// Plural is a number with its noun: 1 pod, 30 pods.
func Plural(n int, one, many string) string {
	if n == 1 {
		return "1 " + one
	}
	return Count(n) + " " + many
}

// Cores writes millicores in words: "6.1 cores", "1 core", "250m CPU".
func Cores(milli int64) string {
	switch {
	case milli == 1000:
		return "1 core"
	case milli < 1000:
		return fmt.Sprintf("%dm CPU", milli)
	case milli < 100_000 && milli%1000 >= 100:
		return fmt.Sprintf("%d.%d cores", milli/1000, milli%1000/100)
	}
	return Count(int(milli/1000)) + " cores"
}

// GiB writes bytes in words: "22 GiB", "5.7 GiB", "384 MiB".
func GiB(bytes int64) string {
	const mi, gi = 1 << 20, 1 << 30
	switch {
	case bytes < gi:
		return fmt.Sprintf("%d MiB", bytes/mi)
	case bytes < 10*gi && bytes%gi*10/gi > 0:
		return fmt.Sprintf("%d.%d GiB", bytes/gi, bytes%gi*10/gi)
	}
	return Count(int(bytes/gi)) + " GiB"
}
