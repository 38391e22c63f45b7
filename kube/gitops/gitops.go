// Package gitops tells what keeps an object as it is in a repository. Its one rule: it goes by the marks that a tool leaves
// on every object that it keeps, and by nothing that anybody else writes.
package gitops

import (
	"strings"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

// Keeper is a tool that keeps an object, and in what: {"Argo CD", "app", "shop"}. Name is as the object has it, and may be "".
type Keeper struct{ Tool, Kind, Name string }

// The tools.
const (
	Argo = "Argo CD"
	Flux = "Flux"
)

// marks are the labels by which tools find their objects again: Argo CD's resource tracking
// (https://argo-cd.readthedocs.io/en/stable/user-guide/resource_tracking/), and those of Flux' kustomize-controller and
// helm-controller (https://fluxcd.io/flux/components/).
var marks = []struct {
	label string
	Keeper
}{
	{"argocd.argoproj.io/instance", Keeper{Argo, "app", ""}},
	{"kustomize.toolkit.fluxcd.io/name", Keeper{Flux, "kustomization", ""}},
	{"helm.toolkit.fluxcd.io/name", Keeper{Flux, "release", ""}},
}

// Of gives what keeps an object, each tool once.
func Of(o metav1.Object) []Keeper {
	var out []Keeper
	seen := map[string]bool{}
	add := func(k Keeper) {
		if !seen[k.Tool] {
			seen[k.Tool], out = true, append(out, k)
		}
	}
	if id := o.GetAnnotations()["argocd.argoproj.io/tracking-id"]; id != "" {
		app, _, _ := strings.Cut(id, ":")
		add(Keeper{Argo, "app", app})
	}
	for _, m := range marks {
		if name := o.GetLabels()[m.label]; name != "" {
			add(Keeper{m.Tool, m.Kind, name})
		}
	}
	return out
}

// String says it, fit to be shown: "Argo CD manages it (app shop)".
func (k Keeper) String() string {
	const longest = 120 // cells of a name
	if k.Name == "" {
		return k.Tool + " manages it"
	}
	name := strings.Join(strings.Fields(text.Clean(k.Name)), " ")
	return k.Tool + " manages it (" + k.Kind + " " + text.Cut(name, longest, "...") + ")"
}
