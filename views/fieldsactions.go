package views

import (
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
)

// runFilterFields are what can be compared of an action.
func runFilterFields() []filterField[*action.Run] {
	type run = *action.Run
	type moment = kube.Moment
	return []filterField[run]{
		textField("action", "what it does", func(r run, _ moment) string { return r.Action.Verb() }).alias("verb"),
		textField("target", "what it is done to", func(r run, _ moment) string { return r.Target.Name() }).alias("name"),
		textField("state", "how far it is", func(r run, _ moment) string { return r.State.String() }).alias("status"),
		textField("user", "who did it", func(r run, _ moment) string { return r.User }),
		ageField("age", "how long ago it was begun", func(r run) time.Time { return r.Started }),
		ageField("ended", "how long ago it ended", func(r run) time.Time { return r.Ended }),
		readyField("done", "steps that have ended, of all", func(r run, _ moment) readiness {
			return readiness{is: int64(r.Done), of: int64(r.Steps), judged: true, known: r.Steps > 0}
		}),
		yesField("paused", "it is paused", func(r run, _ moment) (bool, bool) { return r.Paused, true }),
		severityField(func(r run, _ moment) kube.Severity { return r.Worst() }),
	}
}

// stepFilterFields are what can be compared of a step.
func stepFilterFields() []filterField[*action.Step] {
	type step = *action.Step
	type moment = kube.Moment
	states := make([]string, action.StepUnknown+1)
	for s := range states {
		states[s] = action.StepState(s).String()
	}
	return []filterField[step]{
		textField("name", "the object", func(s step, _ moment) string { return s.Object.Name }),
		textField("ns", "its namespace", func(s step, _ moment) string { return s.Object.Namespace }).alias("namespace"),
		textField("kind", "its kind", func(s step, _ moment) string { return s.Object.Kind.Kind() }),
		textField("state", "how far it is", func(s step, _ moment) string { return s.State.String() }).alias("status").offering(states...),
		ageField("for", "how long it has been so", func(s step) time.Time { return s.Since }),
		textField("note", "what is so now; ~ looks into it", func(s step, _ moment) string { return s.Note }),
		severityField(func(s step, _ moment) kube.Severity { return s.Worst() }),
	}
}
