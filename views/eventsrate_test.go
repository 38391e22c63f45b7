package views

import (
	"testing"
	"time"

	"ktriage/kube"
)

func TestRateIsDrawnAsOfNow(t *testing.T) {
	rate := func(last ...uint32) (r kube.Rate) {
		copy(r[kube.RatePoints-len(last):], last)
		return r
	}
	long := noon.Add(-2 * time.Hour)
	for name, c := range map[string]struct {
		rate  kube.Rate
		ends  time.Time
		known time.Time
		want  string
	}{
		"in its last step":         {rate(1, 0, 60), noon.Add(time.Minute), long, "▁▁▁▁▁▁▁▁▁▁▁▁▂▁█"},
		"at its very end":          {rate(30, 0, 60), noon, long, "▁▁▁▁▁▁▁▁▁▁▁▁▅▁█"},
		"a moment later":           {rate(30, 0, 60), noon.Add(-time.Nanosecond), long, "▁▁▁▁▁▁▁▁▁▁▁▅▁█▁"},
		"two steps later":          {rate(60), noon.Add(-2 * kube.RateStep), long, "▁▁▁▁▁▁▁▁▁▁▁▁█▁▁"},
		"long ago":                 {rate(60), noon.Add(-time.Hour), long, "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁"},
		"of another time":          {rate(60), noon.Add(-100 * 365 * day), long, "▁▁▁▁▁▁▁▁▁▁▁▁▁▁▁"},
		"since a moment ago":       {rate(60), noon, noon.Add(-time.Second), "              █"},
		"since the step before":    {rate(60), noon, noon.Add(-kube.RateStep - time.Second), "             ▁█"},
		"more than anybody counts": {rate(1<<32-1, 1<<31), noon, long, "▁▁▁▁▁▁▁▁▁▁▁▁▁█▅"},
	} {
		if got := rateText(c.rate, c.ends, c.known, noon); got != c.want {
			t.Errorf("%s: %q, want %q", name, got, c.want)
		}
	}
}

func TestHeadHasNoRatesWhileNothingIsKnown(t *testing.T) {
	equal(t, rateWords(kube.Said{}, noon), [2]string{})
	equal(t, rateWords(kube.Said{RateEnds: noon}, noon), [2]string{})
	words := rateWords(kube.Said{RateEnds: noon, Since: noon.Add(-time.Minute), Rate: kube.Rate{14: 3}}, noon)
	equal(t, words[1], "60 min               █ · ")
	equal(t, words[0], "60 min               █ warnings               ▁ · ")
}
