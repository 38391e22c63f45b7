package table

import (
	"strings"
	"testing"

	"ktriage/kube"
)

func markedNames(m *Model[*pod]) string {
	var out []string
	for _, ref := range m.Marks() {
		out = append(out, ref.Name)
	}
	return strings.Join(out, " ")
}

func TestMarksAreDrawnAndTakenAway(t *testing.T) {
	m := newPods("a", "b")
	m.Mark()
	lines := draw(m, 80, 3, true)
	if !strings.HasPrefix(lines[1], "▌·*shop/a ") || !strings.HasPrefix(lines[2], " · shop/b ") {
		t.Errorf("%q", lines)
	}
	m.Mark()
	if got := markedNames(m); got != "" {
		t.Errorf("still marked: %s", got)
	}
}

func TestRangeRunsFromTheRowMarkedLast(t *testing.T) {
	m := newPods("a", "b", "c", "d", "e", "f")
	m.Select("d")
	m.Mark()
	m.Select("b")
	m.MarkRange()
	if got := markedNames(m); got != "b c d" {
		t.Errorf("marked %s, want b c d", got)
	}
	m.Select("a")
	m.MarkRange()
	if got := markedNames(m); got != "a b c d" {
		t.Errorf("marked %s, want a b c d", got)
	}
}

func TestFirstRangeKeyMarksTheRowAndBeginsTheRange(t *testing.T) {
	m := newPods("a", "b", "c", "d")
	m.Select("b")
	m.MarkRange()
	if got := markedNames(m); got != "b" {
		t.Errorf("marked %s, want b", got)
	}
	m.Last()
	m.MarkRange()
	if got := markedNames(m); got != "b c d" {
		t.Errorf("marked %s, want b c d", got)
	}
}

func TestRangeBeginsAnewWhenTheMarkedRowIsNotInTheList(t *testing.T) {
	m := newPods("a", "b", "c")
	m.Mark()
	m.SetSnapshot(filtered("b", "c"))
	m.Select("c")
	m.MarkRange()
	if got := markedNames(m); got != "a c" {
		t.Errorf("marked %s, want a c", got)
	}
}

func TestMarksSurviveAFilterAndAreCountedAsHidden(t *testing.T) {
	m := newPods("a", "b", "c", "d")
	m.Mark()
	m.Last()
	m.Mark()
	m.SetSnapshot(filtered("b", "d"))
	if got := markedNames(m); got != "a d" || m.Marked() != 2 || m.Hidden() != 1 {
		t.Errorf("marked %s, that is %d, %d hidden", got, m.Marked(), m.Hidden())
	}
	m.Invert()
	if got := markedNames(m); got != "a b" || m.Hidden() != 1 {
		t.Errorf("inverted: marked %s, %d hidden", got, m.Hidden())
	}
	m.SetSnapshot(snapshot("a", "b", "c", "d"))
	if got := markedNames(m); got != "a b" || m.Hidden() != 0 {
		t.Errorf("without the filter: marked %s, %d hidden", got, m.Hidden())
	}
}

func TestClearingTakesHiddenMarksAndTheRangesBeginningAway(t *testing.T) {
	m := newPods("a", "b", "c", "d")
	m.Mark()
	m.Select("b")
	m.Mark()
	m.SetSnapshot(filtered("b", "c", "d"))
	m.ClearMarks()
	if got := markedNames(m); got != "" || m.Hidden() != 0 {
		t.Errorf("marked %s, %d hidden", got, m.Hidden())
	}
	m.Select("d")
	m.MarkRange()
	if got := markedNames(m); got != "d" {
		t.Errorf("a new range marked %s, want d", got)
	}
}

func TestMarkOfADeletedObjectGoesWithIt(t *testing.T) {
	m := newPods("a", "b")
	m.Invert()
	stale := snapshot("b")
	stale.State.Phase = kube.Stale
	m.SetSnapshot(stale)
	if got := markedNames(m); got != "a b" || m.Hidden() != 1 {
		t.Errorf("stale: marked %s, %d hidden", got, m.Hidden())
	}
	m.SetSnapshot(snapshot("b"))
	if got := markedNames(m); got != "b" || m.Hidden() != 0 {
		t.Errorf("live and complete: marked %s, %d hidden", got, m.Hidden())
	}
}
