package live

import (
	"slices"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/text"
	"ktriage/kube"
)

// Unread is what a plan has to do without, by kinds: "budgets", "nodes". Its zero value is nothing. Who shares it locks it.
type Unread struct{ denied map[string]*denial }

// denial is what of one kind could not be read.
type denial struct {
	namespaces []string
	first      error // the first that is not a missing permission, if there is one
	forbidden  bool  // there is none
}

// Note takes down that something of a kind could not be read, in a namespace or, with "", in none.
func (u *Unread) Note(kind, namespace string, err error) {
	d := u.denied[kind]
	if d == nil {
		d = &denial{first: err, forbidden: true}
		if u.denied == nil {
			u.denied = map[string]*denial{}
		}
		u.denied[kind] = d
	}
	if !apierrors.IsForbidden(err) && d.forbidden {
		d.first, d.forbidden = err, false
	}
	if namespace != "" && !slices.Contains(d.namespaces, namespace) {
		d.namespaces = append(d.namespaces, namespace)
	}
}

// namedNamespaces is how many namespaces a sentence names.
const namedNamespaces = 3

// Sentence says why something of a kind is not known and what the plan is without it, "" if all of it was read: "budgets:
// you may not list poddisruptionbudgets in shop; a budget may refuse". right is what is not allowed then, and longest the
// most that is told of the server's words, in cells.
func (u *Unread) Sentence(kind, right, without string, longest int) string {
	d := u.denied[kind]
	if d == nil {
		return ""
	}
	where := ""
	if len(d.namespaces) > 0 {
		where = " in " + text.Some(slices.Sorted(slices.Values(d.namespaces)), namedNamespaces)
	}
	why := "you may not " + right + where
	if !d.forbidden {
		said := strings.TrimRight(strings.Join(strings.Fields(text.Clean(kube.Explain(d.first).Sentence)), " "), ".")
		why = "they could not be read" + where + " (" + text.Cut(said, longest, "...") + ")"
	}
	return kind + ": " + why + "; " + without
}
