package text

import "testing"

func TestHeightsOfASparklineAndItsGaps(t *testing.T) {
	if got, want := Spark(0, 1, 2, 3, 4, 5, 6, 7, -1, 8, 0), "▁▂▃▄▅▆▇█  ▁"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := ASCII("▁▂▃▄▅▆▇█ ██▌│▏"), "_.-:=+## ###| "; got != want {
		t.Errorf("in ASCII %q, want %q", got, want)
	}
}
