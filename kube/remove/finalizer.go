package remove

import "strings"

// finalizer is who removes a finalizer as a rule, and what is skipped when somebody else does.
type finalizer struct {
	owner string
	skips string
}

// finalizers are those that pods are known to have (batch/v1 JobTrackingFinalizer, metav1.FinalizerDeleteDependents and
// FinalizerOrphanDependents, pkg/volume/util/finalizer.go in Kubernetes; the readiness gates of clouds).
var finalizers = map[string]finalizer{
	"batch.kubernetes.io/job-tracking": {"the Job controller", "its Job may count it as neither failed nor succeeded, and run it again"},
	"foregroundDeletion":               {"the garbage collector", "what belongs to it is not deleted before it; the garbage collector deletes that later"},
	"orphan":                           {"the garbage collector", "what belongs to it is not made independent of it, and is deleted"},
	"kubernetes.io/pvc-protection":     {"the claim protection controller", "a claim may go while the pod uses it"},
	"kubernetes.io/pv-protection":      {"the volume protection controller", "a volume may go while it is bound"},
	"external-attacher":                {"the CSI attacher", "a volume may stay attached to its node"},
	"resource.kubernetes.io/delete-protection": {
		"the resource claim controller", "a device may stay allocated to a pod that is gone",
	},
}

// about tells of a finalizer. One that nobody here knows belongs to the domain before its slash, as the API asks of
// qualified names.
func about(name string) finalizer {
	if f, ok := finalizers[name]; ok {
		return f
	}
	domain, rest, qualified := strings.Cut(name, "/")
	switch {
	case strings.HasPrefix(name, "external-attacher/"):
		return finalizers["external-attacher"]
	case qualified && rest != "":
		return finalizer{"a controller of " + words(domain), "what that controller does when the pod goes is not known here, and is not done"}
	}
	return finalizer{"not known", "what it was to wait for is not known here, and is not waited for"}
}

// owned names finalizers with their likely owners: "example.com/hold (a controller of example.com)".
func owned(names []string) []string {
	var out []string
	for _, n := range names {
		out = append(out, words(n)+" ("+about(n).owner+")")
	}
	return out
}
