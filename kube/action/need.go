package action

import (
	"slices"

	"ktriage/internal/text"
	"ktriage/kube"
)

// Need is one permission, as RBAC names it.
type Need struct {
	Verb, Group, Resource, Subresource string
	Namespace                          string // "" for all
	Name                               string // of the one object that it is for, "" for all
	// Scoped says that it is needed in the namespaces of the objects only. Somebody who may do something in one namespace,
	// and may not everywhere, must not find the key grey: before it is pressed the server is asked only if there is but one
	// namespace that is looked at.
	Scoped bool
}

// Particular is a Kind that needs other permissions for other kinds of objects. They are asked for when its key is pressed.
type Particular interface {
	Kind
	// NeedsFor gives what is needed for one kind of object, besides Needs.
	NeedsFor(kind kube.Kinds) []Need
}

// generally are the permissions without which an action can do nothing at all, as far as that can be said before anybody
// knows what it acts on.
func (r *Runner) generally(k Kind) []Need {
	scope := r.cluster.Scope()
	var out []Need
	for _, n := range k.Needs() {
		if n.Scoped {
			if scope.All() || len(scope.Namespaces) != 1 {
				continue
			}
			n.Namespace = scope.Namespaces[0]
		}
		n.Scoped = false
		out = append(out, n)
	}
	return out
}

// exactly are the permissions that an action needs on these objects.
func exactly(k Kind, t Target) []Need {
	var out []Need
	add := func(n Need) {
		if n.Scoped = false; !slices.Contains(out, n) {
			out = append(out, n)
		}
	}
	particular, _ := k.(Particular)
	for _, n := range k.Needs() {
		if !n.Scoped {
			add(n)
		}
	}
	for _, ref := range t.Refs {
		needs := k.Needs()
		if particular != nil {
			needs = append(slices.Clone(needs), particular.NeedsFor(ref.Kind)...)
		}
		for _, n := range needs {
			if n.Scoped {
				n.Namespace = ref.Namespace
				add(n)
			}
		}
	}
	return out
}

// writes reports whether it is a permission to change something.
func (n Need) writes() bool { return !slices.Contains([]string{"get", "list", "watch"}, n.Verb) }

// String names the permission as an administrator would grant it: "create pods/eviction".
func (n Need) String() string {
	s := n.Verb + " " + n.Resource
	if n.Subresource != "" {
		s += "/" + n.Subresource
	}
	if n.Name != "" {
		s += " " + text.Clean(n.Name)
	}
	if n.Namespace != "" {
		s += " in " + n.Namespace
	}
	return s
}
