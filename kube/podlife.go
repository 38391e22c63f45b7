package kube

import (
	"cmp"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
)

// LifeStep is one thing that happened to a pod or to one of its containers, as events tell it.
type LifeStep struct {
	Container string // "" for the pod
	Reason    string // Scheduled, Pulling, Pulled, Created, Started, Unhealthy, BackOff, Killing, …
	At        time.Time
	Event     *Event
}

// lifeOrder is the order in which the scheduler and the kubelet say that a pod comes to life and dies: it decides between events of the
// same second (pkg/kubelet/events/event.go).
var lifeOrder = []string{
	"FailedScheduling", "Scheduled", "FailedAttachVolume", "SuccessfulAttachVolume", "FailedMount", "FailedCreatePodSandBox",
	"Pulling", "Pulled", "Created", "Started", "Unhealthy", "Failed", "BackOff", "Killing",
}

// Life puts the events of one pod in the order in which things happened, the oldest first. What was said again and again stands where it
// was said last.
func Life(events []*Event) []LifeStep {
	steps := make([]LifeStep, 0, len(events))
	for _, e := range events {
		if slices.Contains(lifeOrder, e.Reason) {
			steps = append(steps, LifeStep{containerOf(e.Object.Field), e.Reason, e.Last, e})
		}
	}
	slices.SortStableFunc(steps, func(a, b LifeStep) int {
		// The API keeps whole seconds of most events, and fractions of some.
		return cmp.Or(a.At.Truncate(time.Second).Compare(b.At.Truncate(time.Second)),
			cmp.Compare(slices.Index(lifeOrder, a.Reason), slices.Index(lifeOrder, b.Reason)))
	})
	return steps
}

// containerOf is the name in "spec.containers{app}" and "spec.initContainers{app}"; "" for anything else.
func containerOf(field string) string {
	if !strings.HasPrefix(field, "spec.") {
		return ""
	}
	_, name, ok := strings.Cut(field, "Containers{")
	if !ok {
		_, name, ok = strings.Cut(field, "containers{")
	}
	if !ok {
		return ""
	}
	return strings.TrimSuffix(name, "}")
}

// Stands says which step a pod that does not run has not taken, from what was said of it: "app: image not pulled yet, Pulling for 4m".
// It is "" for a pod that runs or has ended, where nothing was said, and where what was said last explains itself.
func Stands(p *Pod, steps []LifeStep, now time.Time) string {
	if p.Phase != corev1.PodPending || !p.Scheduled || p.Deleting() || len(steps) == 0 {
		return ""
	}
	if e := p.why(); e.Waiting == "CrashLoopBackOff" || e.Exited {
		return ""
	}
	last := steps[len(steps)-1]
	who := last.Container
	if who != "" {
		who += ": "
	}
	length := lasted(now, last.At)
	switch last.Reason {
	case "Scheduled":
		return "nothing said since it was bound to a node " + ago(now, last.At) + ": no volume, no sandbox, no image so far"
	case "SuccessfulAttachVolume":
		return "volume attached " + ago(now, last.At) + "; no sandbox and no image so far"
	case "Pulling":
		return who + forSome("image not pulled yet, Pulling", length)
	case "Pulled":
		return who + "image is there, but nothing was created since, " + ago(now, last.At)
	case "Created":
		return who + "created " + ago(now, last.At) + ", never started"
	}
	return ""
}
