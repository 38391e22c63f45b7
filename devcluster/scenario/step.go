package scenario

import (
	"bytes"
	"encoding/json"
	"fmt"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/util/jsonpath"
)

// step is a document that says what to do:
//
//	Wait    until at least Count objects match
//	Patch   one object, by a merge patch
//	Delete  the objects that match
//	Says    what a component says of the objects that match, again and again; see Sayings
type step struct {
	Say           string // told before
	Group         string
	Version       string // v1 unless it is said
	Resource      string // "pods"
	Namespace     string // all unless it is said
	Name          string
	Selector      string // of labels
	FieldSelector string
	Field         string // a JSONPath in an object, such as {.status.phase}
	Value         string // what it must give
	Count         int
	Seconds       int // how long Wait waits, 60 unless it is said
	Subresource   string
	Patch         map[string]any
	Saying
}

func newStep(doc *unstructured.Unstructured) (*step, error) {
	s := &step{Version: "v1", Seconds: 60}
	fields, err := doc.MarshalJSON()
	if err != nil {
		return nil, fmt.Errorf("read a %s: %w", doc.GetKind(), err)
	}
	if err := json.Unmarshal(fields, s); err != nil {
		return nil, fmt.Errorf("read a %s: %w", doc.GetKind(), err)
	}
	if s.Resource == "" {
		return nil, fmt.Errorf("a %s needs a resource", doc.GetKind())
	}
	if doc.GetKind() == says {
		return s, s.Saying.check()
	}
	return s, nil
}

// holds reports whether an object is as the step says.
func (s *step) holds(object *unstructured.Unstructured) bool {
	if s.Field == "" {
		return true
	}
	p := jsonpath.New("field").AllowMissingKeys(true)
	if err := p.Parse(s.Field); err != nil {
		return false
	}
	var b bytes.Buffer
	if err := p.Execute(&b, object.Object); err != nil {
		return false
	}
	return b.String() == s.Value
}
