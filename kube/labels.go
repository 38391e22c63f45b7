package kube

import (
	"fmt"
	"maps"
	"slices"
	"strings"
	"unique"

	"k8s.io/apimachinery/pkg/labels"
)

// Labels are the labels of an object in 8 bytes: objects with equal labels, such as the pods of a ReplicaSet, share them.
// The zero value is none. It is a labels.Labels of apimachinery.
type Labels struct {
	// all holds key, labelIs, value and labelEnd for each label, sorted by key: neither mark can be in a clean string.
	all unique.Handle[string]
}

const (
	labelIs  = '\x00'
	labelEnd = '\x01'
)

// NewLabels makes what a row keeps of an object's labels.
func NewLabels(of map[string]string) Labels {
	if len(of) == 0 {
		return Labels{}
	}
	var names [16]string
	var bytes [512]byte // what most objects need is on the stack
	keys, b := names[:0], bytes[:0]
	for k := range of {
		keys = append(keys, k)
	}
	slices.Sort(keys)
	for _, k := range keys {
		b = append(append(b, clean(k)...), labelIs)
		b = append(append(b, clean(of[k])...), labelEnd)
	}
	return Labels{unique.Make(string(b))}
}

// Lookup gives the value of a label, and whether there is one.
func (l Labels) Lookup(key string) (value string, exists bool) {
	if l == (Labels{}) {
		return "", false
	}
	for rest := l.all.Value(); rest != ""; {
		n := strings.IndexByte(rest, labelEnd)
		if len(rest) > len(key) && rest[len(key)] == labelIs && rest[:len(key)] == key {
			return rest[len(key)+1 : n], true
		}
		rest = rest[n+1:]
	}
	return "", false
}

// Has reports whether there is a label of that key.
func (l Labels) Has(key string) bool {
	_, ok := l.Lookup(key)
	return ok
}

// Get gives the value of a label, "" if there is none.
func (l Labels) Get(key string) string {
	v, _ := l.Lookup(key)
	return v
}

// Map gives the labels one by one.
func (l Labels) Map() map[string]string {
	out := map[string]string{}
	if l == (Labels{}) {
		return out
	}
	for pair := range strings.SplitSeq(strings.TrimSuffix(l.all.Value(), string(labelEnd)), string(labelEnd)) {
		k, v, _ := strings.Cut(pair, string(labelIs))
		out[k] = v
	}
	return out
}

// String gives the labels as `kubectl get --show-labels` does: "app=web,tier=front", "<none>" without any.
func (l Labels) String() string {
	all := l.Map()
	if len(all) == 0 {
		return "<none>"
	}
	var out []string
	for _, k := range slices.Sorted(maps.Keys(all)) {
		out = append(out, k+"="+all[k])
	}
	return strings.Join(out, ",")
}

// Selector is a label selector.
type Selector struct{ of labels.Selector }

// ParseSelector reads a label selector as kubectl's -l does: "app=x,env in (a,b),!canary".
func ParseSelector(s string) (Selector, error) {
	of, err := labels.Parse(s)
	if err != nil {
		return Selector{}, fmt.Errorf("label selector: %w", err)
	}
	return Selector{of}, nil
}

// Matches reports whether the labels are among those that are selected. The zero Selector selects all.
func (s Selector) Matches(l Labels) bool { return s.of == nil || s.of.Matches(l) }
