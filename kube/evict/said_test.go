package evict

import (
	"errors"
	"testing"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/kube/action"
	"ktriage/kube/drain"
)

func TestNoteOfTheRunSaysWhatHoldsAllBack(t *testing.T) {
	now := time.Now()
	r := &run{
		progress: action.NewProgress(func() {}),
		away:     hold{enough: 1, most: retryMostAway}, failing: hold{enough: failsAlike, most: retryMost},
	}
	for i := range failsAlike {
		r.pods = append(r.pods, &pod{Pod: drain.Pod{UID: string(rune('a' + i)), Fate: drain.Evict}, state: action.StepRetrying})
	}
	check := func(want string) {
		t.Helper()
		if r.say(); r.said != want {
			t.Errorf("it says %q, want %q", r.said, want)
		}
	}
	webhook := judge(apierrors.NewInternalError(errors.New("failed calling webhook")), "x")
	r.heldBy(r.pods[0], webhook, now)
	r.heldBy(r.pods[1], webhook, now)
	check("0 of 3 gone, 3 without an answer")
	r.heldBy(r.pods[1], webhook, now) // the same pod proves nothing more
	check("0 of 3 gone, 3 without an answer")
	r.heldBy(r.pods[2], webhook, now)
	check("0 of 3 gone, 3 without an answer; the server fails: Internal error occurred: failed calling webhook")
	r.heldBy(r.pods[0], judge(errors.New("reset"), "x"), now)
	check("0 of 3 gone, 3 without an answer; the server does not answer: Reset.")
	r.heldBy(r.pods[0], judge(nil, "x"), now)
	check("0 of 3 gone, 3 without an answer")
}
