package scale

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/gitops"
	"ktriage/kube/send"
)

// judgeManagers says who else sets the number: an operator that owns the object, GitOps, Helm, or whoever applies it.
func (w *Workload) judgeManagers(o metav1.Object) {
	found := false
	say := func(s kube.Severity, format string, args ...any) {
		found = true
		w.warn(s, fmt.Sprintf(format, args...))
	}
	if owner := metav1.GetControllerOf(o); owner != nil && !strings.HasPrefix(owner.APIVersion, "apps/") {
		group, _, _ := strings.Cut(owner.APIVersion, "/")
		say(kube.Bad, "owned by %s/%s (%s): that operator sets its own number again; change it there", words(owner.Kind), words(owner.Name), words(group))
	}
	for _, who := range keepers(o) {
		say(kube.Warning, "%s: its next sync sets its own number again, if its manifest has one", who)
	}
	if release := o.GetAnnotations()["meta.helm.sh/release-name"]; release != "" || o.GetLabels()["app.kubernetes.io/managed-by"] == "Helm" {
		say(kube.Warning, "Helm made it%s: its next upgrade may set its own number again", in("release", release))
	}
	who := appliers(o)
	if n, ok := lastApplied(o); ok {
		say(kube.Warning, "kubectl has set the number by apply: the next apply of that manifest sets %s again", n)
		who = slices.DeleteFunc(who, func(name string) bool { return strings.HasPrefix(name, "kubectl") })
	}
	if len(who) > 0 {
		say(kube.Warning, "%s %s set the number by apply: the next apply sets its own number again", text.Some(who, 4), either(len(who), "has", "have"))
	}
	if !found {
		w.pass("nobody else is seen to set the number")
	}
}

// keepers are the GitOps tools that keep an object as it is in a repository, each once: by their marks, and by the fields that
// they have set.
func keepers(o metav1.Object) []gitops.Keeper {
	out := gitops.Of(o)
	for _, m := range setters(o) {
		for _, by := range []struct{ has, tool string }{
			{"argocd", gitops.Argo}, {"kustomize-controller", gitops.Flux}, {"helm-controller", gitops.Flux},
		} {
			known := slices.ContainsFunc(out, func(k gitops.Keeper) bool { return k.Tool == by.tool })
			if strings.Contains(m.Manager, by.has) && !known {
				out = append(out, gitops.Keeper{Tool: by.tool, Kind: "as", Name: m.Manager})
			}
		}
	}
	return out
}

func in(what, name string) string {
	if name == "" {
		return ""
	}
	return " (" + what + " " + words(name) + ")"
}

// setters are the entries of managedFields that own spec.replicas.
func setters(o metav1.Object) []metav1.ManagedFieldsEntry {
	return slices.DeleteFunc(slices.Clone(o.GetManagedFields()), func(m metav1.ManagedFieldsEntry) bool {
		var fields struct {
			Spec map[string]json.RawMessage `json:"f:spec"`
		}
		if m.FieldsV1 == nil || json.Unmarshal(m.FieldsV1.GetRawBytes(), &fields) != nil {
			return true
		}
		_, owns := fields.Spec["f:replicas"]
		return !owns
	})
}

// appliers name who has set the number by applying a manifest that holds it, each once.
func appliers(o metav1.Object) []string {
	var out []string
	for _, m := range setters(o) {
		name := words(m.Manager)
		if m.Operation == metav1.ManagedFieldsOperationApply && m.Manager != send.FieldManager && !slices.Contains(out, name) {
			out = append(out, name)
		}
	}
	return out
}

// lastApplied gives the number in the manifest that kubectl has applied last, from the side of the client.
func lastApplied(o metav1.Object) (string, bool) {
	var last struct {
		Spec struct {
			Replicas *int32 `json:"replicas"`
		} `json:"spec"`
	}
	raw := o.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	if raw == "" || json.Unmarshal([]byte(raw), &last) != nil || last.Spec.Replicas == nil {
		return "", false
	}
	return fmt.Sprint(*last.Spec.Replicas), true
}
