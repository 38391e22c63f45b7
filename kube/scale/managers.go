package scale

import (
	"encoding/json"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
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
		say(kube.Bad, "owned by %s/%s (%s): that operator sets %d again; change it there", words(owner.Kind), words(owner.Name), words(group), w.From)
	}
	if who := gitOps(o); who != "" {
		say(kube.Warning, "%s: its next sync sets %d again, if the number is in its manifest", who, w.From)
	}
	if release := o.GetAnnotations()["meta.helm.sh/release-name"]; release != "" || o.GetLabels()["app.kubernetes.io/managed-by"] == "Helm" {
		say(kube.Warning, "Helm made it%s: its next upgrade may set %d again", in("release", release), w.From)
	}
	if who := applied(o); who != "" {
		say(kube.Warning, "%s has set the number by apply: the next apply sets %d again", who, w.From)
	}
	if !found {
		w.pass("nobody else is seen to set the number")
	}
}

// gitOps names the GitOps tool that keeps an object as it is in a repository.
func gitOps(o metav1.Object) string {
	labels, notes := o.GetLabels(), o.GetAnnotations()
	if id := notes["argocd.argoproj.io/tracking-id"]; id != "" {
		app, _, _ := strings.Cut(id, ":")
		return "Argo CD manages it" + in("app", app)
	}
	if app := labels["argocd.argoproj.io/instance"]; app != "" {
		return "Argo CD manages it" + in("app", app)
	}
	if name := labels["kustomize.toolkit.fluxcd.io/name"]; name != "" {
		return "Flux manages it" + in("kustomization", name)
	}
	if name := labels["helm.toolkit.fluxcd.io/name"]; name != "" {
		return "Flux manages it" + in("release", name)
	}
	for _, m := range setters(o) {
		for _, tool := range []struct{ has, name string }{{"argocd", "Argo CD"}, {"kustomize-controller", "Flux"}, {"helm-controller", "Flux"}} {
			if strings.Contains(m.Manager, tool.has) {
				return tool.name + " manages it" + in("as", m.Manager)
			}
		}
	}
	return ""
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

// applied names who has set the number by applying a manifest that holds it.
func applied(o metav1.Object) string {
	for _, m := range setters(o) {
		if m.Operation == metav1.ManagedFieldsOperationApply && m.Manager != send.FieldManager {
			return words(m.Manager)
		}
	}
	var last struct {
		Spec map[string]json.RawMessage `json:"spec"`
	}
	raw := o.GetAnnotations()[corev1.LastAppliedConfigAnnotation]
	if raw == "" || json.Unmarshal([]byte(raw), &last) != nil {
		return ""
	}
	if _, has := last.Spec["replicas"]; has {
		return "kubectl"
	}
	return ""
}
