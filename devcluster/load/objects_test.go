package load

import (
	"bytes"
	"encoding/json"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/validation"
	"k8s.io/client-go/kubernetes/scheme"
)

var now = time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)

func TestEveryObjectHasANameAndAUIDOfItsOwn(t *testing.T) {
	const nodes, pods = 300, 5000
	uids, names := map[types.UID]bool{}, map[string]bool{}
	check := func(kind string, m metav1.ObjectMeta) {
		key := kind + "/" + m.Namespace + "/" + m.Name
		if uids[m.UID] || names[key] {
			t.Fatalf("%s or its UID %s is there twice", key, m.UID)
		}
		if wrong := validation.IsDNS1123Subdomain(m.Name); wrong != nil {
			t.Fatalf("%s: %s", key, wrong)
		}
		uids[m.UID], names[key] = true, true
	}
	for i := range nodes {
		check("Node", node(i, now).ObjectMeta)
	}
	for i := range namespaces {
		check("Namespace", namespace(i, now).ObjectMeta)
	}
	home := map[types.UID]string{}
	for i := range pods {
		p := pod(i, nodes, now)
		check("Pod", p.ObjectMeta)
		if !names["Node//"+p.Spec.NodeName] || !names["Namespace//"+p.Namespace] {
			t.Fatalf("%s is on node %s in namespace %s, which are not there", p.Name, p.Spec.NodeName, p.Namespace)
		}
		owner := p.OwnerReferences[0].UID
		if home[owner] == "" {
			home[owner] = p.Namespace
		}
		if home[owner] != p.Namespace {
			t.Fatalf("ReplicaSet %s is in %s and in %s", owner, home[owner], p.Namespace)
		}
	}
}

// What was measured on pods of a real size counts for nothing on smaller ones.
func TestAPodHasTheSizeOfARealOne(t *testing.T) {
	p := pod(1, 10, now)
	text, err := json.Marshal(p)
	if err != nil {
		t.Fatal(err)
	}
	if n := len(text); n < 5<<10 || n > 8<<10 {
		t.Errorf("a pod is %d bytes of JSON", n)
	}
}

func TestWhatIsWrittenCanBeReadAgain(t *testing.T) {
	var b bytes.Buffer
	want := pod(49, 10, now)
	if err := encoder.Encode(want, &b); err != nil {
		t.Fatal(err)
	}
	got, _, err := scheme.Codecs.UniversalDeserializer().Decode(b.Bytes(), nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	p, ok := got.(*corev1.Pod)
	if !ok || p.UID != want.UID || p.Status.ContainerStatuses[0].State.Waiting == nil {
		t.Errorf("got %T %v", got, got)
	}
}

func TestSomePodsAreIllAndMostAreNot(t *testing.T) {
	reasons := map[string]int{}
	for i := range 1000 {
		reason := "well"
		if w := pod(i, 10, now).Status.ContainerStatuses[0].State.Waiting; w != nil {
			reason = w.Reason
		}
		reasons[reason]++
	}
	if reasons["CrashLoopBackOff"] != 20 || reasons["ContainerCreating"] != 5 || reasons["well"] != 975 {
		t.Errorf("of 1000 pods: %v", reasons)
	}
}

func TestNumbersThatCannotBeAreRefused(t *testing.T) {
	var refused []Options
	for _, o := range []Options{{Nodes: 1}, {Nodes: 65536, Pods: 1_000_000}, {}, {Nodes: -1}, {Nodes: 65537}, {Nodes: 1, Pods: -1}, {Nodes: 1, Pods: 1_000_001}} {
		if o.Check() != nil {
			refused = append(refused, o)
		}
	}
	want := []struct{ nodes, pods int }{{0, 0}, {-1, 0}, {65537, 0}, {1, -1}, {1, 1_000_001}}
	if !slices.EqualFunc(refused, want, func(o Options, w struct{ nodes, pods int }) bool { return o.Nodes == w.nodes && o.Pods == w.pods }) {
		t.Errorf("refused: %v", refused)
	}
}
