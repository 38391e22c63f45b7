package main

import (
	"fmt"
	"time"

	"ktriage/internal/text"
)

// duration is written with three figures: 0.34 ms, 12.1 ms, 1.20 s.
func duration(d time.Duration) string {
	value, unit := d.Seconds()*1000, " ms"
	if d >= time.Second || d <= -time.Second {
		value, unit = d.Seconds(), " s"
	}
	places := 0
	for size := max(value, -value); size < 100 && places < 2; size *= 10 {
		places++
	}
	return fmt.Sprintf("%.*f", places, value) + unit
}

func mebibytes(n int64) string { return fmt.Sprintf("%s MiB", count(int(n>>20))) }

// percent is how much of a core was used.
func percent(cpu, span time.Duration) float64 {
	if span == 0 {
		return 0
	}
	return 100 * cpu.Seconds() / span.Seconds()
}

func share(cpu, span time.Duration) string {
	if span == 0 {
		return "-"
	}
	return fmt.Sprintf("%.1f %%", percent(cpu, span))
}

// ratio is how many times b goes into a.
func ratio[T ~int64](a, b T) string {
	if b == 0 {
		return "-"
	}
	return fmt.Sprintf("%.2f x", float64(a)/float64(b))
}

func middleAndTail(s spans) string {
	if len(s) == 0 {
		return "-"
	}
	return duration(s.median()) + ", " + duration(s.p99())
}

// growing gives the medians of the first and the last third.
func growing(s spans) string {
	first, last := s.thirds()
	if len(first) == 0 {
		return "-"
	}
	return duration(first.median()) + ", " + duration(last.median())
}

// count writes a number as people read it: 12,400.
func count(n int) string { return text.Count(n) }
