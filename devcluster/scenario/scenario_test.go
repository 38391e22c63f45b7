package scenario

import (
	"bytes"
	"encoding/json"
	"io/fs"
	"path"
	"slices"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/kubernetes/scheme"
)

var env = Env{NodePort: 10250, MetricsPort: 4443, Host: "127.0.1.1", APIPort: 6443, CA: "the CA", MetricsVersions: []string{"v1beta1"}, Now: time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)}

// objects renders a folder.
func objects(t *testing.T, folder string, env Env) []*unstructured.Unstructured {
	t.Helper()
	names, err := fs.Glob(files, path.Join(folder, "*.yaml"))
	if err != nil || len(names) == 0 {
		t.Fatalf("%d files in %s: %v", len(names), folder, err)
	}
	var out []*unstructured.Unstructured
	for _, name := range names {
		docs, err := render(name, env)
		if err != nil {
			t.Fatal(err)
		}
		out = append(out, docs...)
	}
	return out
}

func folders() []string { return append(Names(), access, base) }

func TestTheScenariosAreThoseThatAreDocumented(t *testing.T) {
	if got := Names(); !slices.Equal(got, []string{"calm", "certs", "drain", "empty", "incident"}) {
		t.Errorf("scenarios: %s", got)
	}
	if !slices.Contains(Names(), Empty) {
		t.Errorf("%s is none of them", Empty)
	}
}

// An object that the API server would refuse or cut down is found here: an unknown field, a wrong type.
func TestEveryScenarioRendersToObjectsOfTheAPI(t *testing.T) {
	for _, folder := range folders() {
		for _, o := range objects(t, folder, env) {
			name := strings.Join([]string{o.GetKind(), o.GetNamespace(), o.GetName()}, "/")
			if o.GetAPIVersion() == ours {
				if _, err := newStep(o); err != nil {
					t.Errorf("%s: %v", folder, err)
				}
				continue
			}
			if o.GetName() == "" || o.GetKind() == "" {
				t.Errorf("%s: an object without a name: %s", folder, name)
			}
			typed, err := scheme.Scheme.New(o.GroupVersionKind())
			if runtime.IsNotRegisteredError(err) {
				continue // kwok's and the aggregator's
			}
			if err != nil {
				t.Fatal(err)
			}
			if err := runtime.DefaultUnstructuredConverter.FromUnstructuredWithValidation(o.Object, typed, true); err != nil {
				t.Errorf("%s: %s: %v", folder, name, err)
			}
		}
	}
}

func TestRenderingIsDeterministic(t *testing.T) {
	for _, folder := range folders() {
		once, again := marshal(t, objects(t, folder, env)), marshal(t, objects(t, folder, env))
		if !bytes.Equal(once, again) {
			t.Errorf("%s renders to something else the second time", folder)
		}
	}
}

// What counts from the clock counts from Env.Now, or a scenario applied tomorrow would be one of today.
func TestTimesFollowTheClockOfTheEnv(t *testing.T) {
	later := env
	later.Now = env.Now.Add(time.Hour)
	if bytes.Equal(marshal(t, objects(t, "incident", env)), marshal(t, objects(t, "incident", later))) {
		t.Error("an hour later the incident is the same to the byte, though it holds times and certificates")
	}
}

func marshal(t *testing.T, docs []*unstructured.Unstructured) []byte {
	t.Helper()
	out, err := json.Marshal(docs)
	if err != nil {
		t.Fatal(err)
	}
	return out
}

func TestAStepMatchesByJSONPath(t *testing.T) {
	pod := &unstructured.Unstructured{Object: map[string]any{
		"status": map[string]any{"conditions": []any{
			map[string]any{"type": "Initialized", "status": "True"},
			map[string]any{"type": "Ready", "status": "False"},
		}},
	}}
	ready := `{.status.conditions[?(@.type=="Ready")].status}`
	for _, c := range []struct {
		field, value string
		want         bool
	}{
		{"", "", true},
		{ready, "False", true},
		{ready, "True", false},
		{"{.status.phase}", "", true}, // a field that is not there is empty
		{"{.status.phase}", "Running", false},
		{"{not a path", "", false},
	} {
		if got := (&step{Field: c.field, Value: c.value}).holds(pod); got != c.want {
			t.Errorf("%s %q: got %t", c.field, c.value, got)
		}
	}
}

func TestAStepWithoutAResourceIsRefused(t *testing.T) {
	doc := &unstructured.Unstructured{Object: map[string]any{"apiVersion": ours, "kind": "Wait"}}
	if _, err := newStep(doc); err == nil || !strings.Contains(err.Error(), "resource") {
		t.Errorf("got %v", err)
	}
}
