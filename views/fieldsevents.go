package views

import (
	"time"

	"ktriage/kube"
)

// involvedFields compare the object that is spoken of.
func involvedFields[R kube.Row](of func(R) *kube.Involved) []filterField[R] {
	return []filterField[R]{
		wordsField("object", "the object: its name, kind/name, or namespace/name", func(r R, _ kube.Moment, is func(string) bool) bool {
			o := of(r)
			return o.Name != "" && (is(o.Name) || is(o.String()) || is(o.FullName()))
		}).alias("name"),
		textField("kind", "the kind of the object", func(r R, _ kube.Moment) string { return of(r).Kind }).offering("Pod", "Node", "Deployment",
			"ReplicaSet", "StatefulSet", "DaemonSet", "Job", "CronJob", "HorizontalPodAutoscaler"),
		textField("ns", "the namespace of the object", func(r R, _ kube.Moment) string { return of(r).Namespace }).alias("namespace"),
	}
}

// reasons are those that are worth to be offered.
var reasons = []string{
	"BackOff", "Unhealthy", "FailedScheduling", "FailedMount", "Failed", "Killing", "Evicted", "OOMKilling", "NodeNotReady", "FailedCreate", "SystemOOM",
}

// eventFilterFields are what can be compared of an event.
func eventFilterFields() []filterField[*kube.Event] {
	type event = *kube.Event
	type moment = kube.Moment
	return append([]filterField[event]{
		textField("reason", "the reason", func(e event, _ moment) string { return e.Reason }).offering(reasons...),
		textField("type", "Normal or Warning", func(e event, _ moment) string { return e.Type }).offering("Warning", "Normal"),
		textField("message", "the message; ~ looks into it", func(e event, _ moment) string { return e.Message }),
		textField("from", "the component that says it", func(e event, _ moment) string { return e.From }),
		textField("node", "the node of its pod, or of the component", func(e event, _ moment) string { return e.Node }).alias("host"),
		numberField("count", "how often it was said, at least", func(e event, _ moment) (int64, bool) { return int64(e.Count), true }),
		ageField("last", "how long ago it was said last, as far as is known", func(e event) time.Time { return e.Last }).alias("age"),
		ageField("first", "how long ago it was said first", func(e event) time.Time { return e.First }),
		yesField("expired", "the server does not have it any more", func(e event, _ moment) (bool, bool) { return e.Expired, true }),
	}, involvedFields(func(e event) *kube.Involved { return &e.Object })...)
}

// eventGroupFilterFields are what can be compared of a group of events.
func eventGroupFilterFields() []filterField[*kube.EventGroup] {
	type group = *kube.EventGroup
	type moment = kube.Moment
	return append([]filterField[group]{
		textField("reason", "the reason", func(g group, _ moment) string { return g.Reason }).offering(reasons...),
		textField("type", "Normal or Warning", func(g group, _ moment) string { return g.Type }).offering("Warning", "Normal"),
		textField("message", "the newest message; ~ looks into it", func(g group, _ moment) string { return g.Message }),
		textField("from", "the component that said the newest", func(g group, _ moment) string { return g.From }),
		textField("node", "the node of the newest", func(g group, _ moment) string { return g.Node }).alias("host"),
		numberField("count", "how often it was said, at least", func(g group, _ moment) (int64, bool) { return int64(g.Count), true }),
		numberField("objects", "of how many objects it was said", func(g group, _ moment) (int64, bool) { return int64(g.Objects), true }),
		ageField("last", "how long ago it was said last, as far as is known", func(g group) time.Time { return g.Last }).alias("age"),
		ageField("first", "how long ago it was said first", func(g group) time.Time { return g.First }),
		yesField("expired", "the server has none of them any more", func(g group, _ moment) (bool, bool) { return g.Expired, true }),
	}, involvedFields(func(g group) *kube.Involved { return &g.Subject })...)
}
