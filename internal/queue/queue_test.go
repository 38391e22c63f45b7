package queue_test

import (
	"errors"
	"io"
	"strings"
	"testing"
	"testing/synctest"

	"ktriage/internal/queue"
)

func TestReaderGetsEverythingAndThenTheEnd(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		q := queue.New()
		var got []byte
		var err error
		go func() { got, err = io.ReadAll(q) }()
		for range 1000 {
			_, _ = io.WriteString(q, "abc")
		}
		synctest.Wait()
		_ = q.Close()
		synctest.Wait()
		if err != nil || string(got) != strings.Repeat("abc", 1000) {
			t.Errorf("%d bytes, %v", len(got), err)
		}
	})
}

func TestFirstEndCounts(t *testing.T) {
	q, broken := queue.New(), errors.New("broken")
	_, _ = io.WriteString(q, "rest")
	q.End(broken)
	_ = q.Close()
	_, _ = io.WriteString(q, "too late")
	got, err := io.ReadAll(q)
	if string(got) != "rest" || !errors.Is(err, broken) {
		t.Errorf("%q, %v", got, err)
	}
	select {
	case <-q.Done():
	default:
		t.Error("the end is not told")
	}
}
