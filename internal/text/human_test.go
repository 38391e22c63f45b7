package text

import (
	"strconv"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var noon = time.Date(2026, time.November, 20, 12, 0, 0, 0, time.UTC)

func TestAgesAreWrittenAsKubectlWritesThem(t *testing.T) {
	const day, year = 24 * time.Hour, 365 * 24 * time.Hour
	for _, c := range []struct {
		ago  time.Duration
		want string
	}{
		{0, "0s"}, {999 * time.Millisecond, "0s"}, {time.Second, "1s"}, {41 * time.Second, "41s"}, {119 * time.Second, "119s"},
		{2 * time.Minute, "2m"}, {252 * time.Second, "4m12s"}, {10*time.Minute - time.Second, "9m59s"},
		{10*time.Minute + 59*time.Second, "10m"}, {3*time.Hour - time.Second, "179m"},
		{3 * time.Hour, "3h"}, {6*time.Hour + 11*time.Minute, "6h11m"}, {8*time.Hour + 59*time.Minute, "8h"},
		{47 * time.Hour, "47h"}, {2 * day, "2d"}, {2*day + time.Hour, "2d1h"}, {8*day - time.Hour, "7d23h"},
		{8*day + 23*time.Hour, "8d"}, {212 * day, "212d"}, {2*year - day, "729d"},
		{2 * year, "2y"}, {7*year + 118*day, "7y118d"}, {8*year + 300*day, "8y"},
		{-time.Second, "0s"}, {-1999 * time.Millisecond, "0s"}, {-2 * time.Second, "<invalid>"}, {-year, "<invalid>"},
	} {
		if got := Age(noon, noon.Add(-c.ago)); got != c.want {
			t.Errorf("Age of %v is %q, want %q", c.ago, got, c.want)
		}
	}
}

func TestAgeOfATimeThatWasNeverSetIsUnknown(t *testing.T) {
	if got := Age(noon, time.Time{}); got != "<unknown>" {
		t.Errorf("it is %q", got)
	}
}

func TestAgesNeverWidenAColumn(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		ago := time.Duration(rapid.Int64Range(0, int64(200*365*24*time.Hour)).Draw(t, "ago"))
		if got := Age(noon, noon.Add(-ago)); len(got) > len("7y364d") {
			t.Errorf("the age of %v is %q", ago, got)
		}
	})
}

func TestAmountsAreWrittenAsKubectlTopWritesThem(t *testing.T) {
	const ki, mi, gi = 1 << 10, 1 << 20, 1 << 30
	for n, want := range map[int64]string{
		0: "0", 1023: "1023", ki: "1Ki", mi - 1: "1023Ki", mi: "1Mi", 2*mi - 1: "1Mi", 3420 * mi: "3420Mi",
		10*gi - 1: "10239Mi", 10 * gi: "10Gi", 10*gi + gi/10: "10Gi", 10*gi + gi/10 + 1: "10.1Gi", 62*gi + 900*mi: "62.8Gi",
		64*gi - 1: "63.9Gi", 4096 * gi: "4096Gi", -5: "-5",
	} {
		if got := Bytes(n); got != want {
			t.Errorf("Bytes(%d) = %q, want %q", n, got, want)
		}
	}
	for n, want := range map[int64]string{0: "0m", 1: "1m", 250: "250m", 64_000: "64000m"} {
		if got := Millicores(n); got != want {
			t.Errorf("Millicores(%d) = %q, want %q", n, got, want)
		}
	}
}

func TestPercentOfNothingIsNotANumber(t *testing.T) {
	for _, c := range []struct {
		part, whole int64
		want        string
	}{
		{1, 0, "-"}, {0, 0, "-"}, {5, -1, "-"}, {0, 7, "0"}, {7, 7, "100"}, {999, 1000, "99"}, {29, 100, "28"}, {30, 20, "150"},
		{1 << 50, 1 << 50, "100"},
	} {
		if got := Percent(c.part, c.whole); got != c.want {
			t.Errorf("Percent(%d, %d) = %q, want %q", c.part, c.whole, got, c.want)
		}
	}
}

func TestCountsHaveACommaBeforeEveryThreeDigits(t *testing.T) {
	for n, want := range map[int]string{0: "0", 999: "999", 1000: "1,000", 4211: "4,211", 150_000: "150,000", -1234567: "-1,234,567", -999: "-999"} {
		if got := Count(n); got != want {
			t.Errorf("Count(%d) = %q, want %q", n, got, want)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		n := rapid.Int().Draw(t, "n")
		got := Count(n)
		if back, err := strconv.Atoi(strings.ReplaceAll(got, ",", "")); err != nil || back != n {
			t.Errorf("Count(%d) = %q, which reads as %d, %v", n, got, back, err)
		}
		for i, group := range strings.Split(strings.TrimPrefix(got, "-"), ",") {
			if len(group) != 3 && i > 0 || group == "" || len(group) > 3 {
				t.Errorf("Count(%d) = %q", n, got)
			}
		}
	})
}

func TestPluralIsOneOnlyForOne(t *testing.T) {
	for n, want := range map[int]string{0: "0 pods", 1: "1 pod", 2: "2 pods", 4211: "4,211 pods"} {
		if got := Plural(n, "pod", "pods"); got != want {
			t.Errorf("Plural(%d) = %q, want %q", n, got, want)
		}
	}
}
