package kube

import (
	"strings"
	"testing"
	"unsafe"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

func TestPodRowIsSmall(t *testing.T) {
	const most = 320 // a size class of Go's allocator; 150,000 rows must fit into a small heap
	if size := unsafe.Sizeof(Pod{}); size > most {
		t.Errorf("a Pod takes %d bytes, more than %d", size, most)
	}
	if p := NewPod(usualPod()); p.Why != nil {
		t.Errorf("a pod that is well carries evidence: %+v", p.Why)
	}
}

func TestRowKeepsTheWideColumns(t *testing.T) {
	gen := genPod(noon)
	rapid.Check(t, func(t *rapid.T) {
		pod := stamped(gen.Draw(t, "pod"), noon)
		p := NewPod(pod)
		if p.NominatedNode() != pod.Status.NominatedNodeName || p.why().StatusReason != pod.Status.Reason {
			t.Errorf("got %q and %q", p.NominatedNode(), p.why().StatusReason)
		}
	})
	for _, phase := range []corev1.PodPhase{corev1.PodRunning, corev1.PodSucceeded, corev1.PodPending} {
		pod := usualPod()
		pod.Status.Phase, pod.Status.NominatedNodeName = phase, "worker-07"
		equal(t, NewPod(pod).NominatedNode(), "worker-07")
		pod.Status.NominatedNodeName, pod.Status.Reason = "", "NodeLost"
		equal(t, NewPod(pod).why().StatusReason, "NodeLost")
	}
}

func TestMatchesSearchesWhatIsShown(t *testing.T) {
	pod := usualPod()
	pod.OwnerReferences = ownedBy("apps/v1", "StatefulSet", "web")
	p := NewPod(pod)
	n := &Node{
		Name: "worker-07", Status: "NotReady,SchedulingDisabled", Roles: "gpu", Version: "v1.36.3", InternalIP: "10.8.1.107",
		Zone: "ap-northeast-1a", Runtime: "containerd://2.1.4", Problems: []NodeCondition{{Type: "KernelDeadlock"}},
		Taints:        []Taint{{Key: "Example.com/Dedicated"}},
		Unschedulable: true,
	}
	m := Moment{Nodes: map[string]NodeState{"worker-01": {Silent: true}}}
	for word, want := range map[string]bool{
		"": true, "web-0": true, "shop": true, "shop/web": true, "op/w": true, "/": true, "hop/web-01": false,
		"running": true, "unning": true, "worker-01": true, "statefulset": true, "statefulset/web": true,
		"10.244": true, "crashloop": false, "running?": true, "ng?": true, "?": false, "pending?": false, "web/shop": false,
	} {
		if p.Matches(word, m) != want {
			t.Errorf("pod matches %q: got %v", word, !want)
		}
	}
	for word, want := range map[string]bool{
		"worker": true, "notready": true, "schedulingdisabled": true, "status yet),cordoned": true, "gpu": true, "1.36": true, "8.1.107": true,
		"1a": true, "containerd": false, "deadlock": true, "example.com/dedicated": true, "windows": false,
	} {
		if n.Matches(word, m) != want {
			t.Errorf("node matches %q: got %v", word, !want)
		}
	}
}

func TestMatchesDoesNotAllocate(t *testing.T) {
	p, n := NewPod(usualPod()), &Node{Name: "worker-07", Status: "Ready", Problems: []NodeCondition{{Type: "KernelDeadlock"}}}
	m := Moment{Nodes: map[string]NodeState{"worker-01": {Silent: true}}}
	for _, word := range []string{"nothing like it", "shop/web", "é/ü", "running?"} {
		if allocs := testing.AllocsPerRun(100, func() { p.Matches(word, m); n.Matches(word, m) }); allocs > 0 {
			t.Errorf("%q: %v allocations", word, allocs)
		}
	}
}

func TestContainsFoldAgreesWithLowerCase(t *testing.T) {
	text := rapid.StringOf(rapid.SampledFrom([]rune("aAbB/é É-0世")))
	rapid.Check(t, func(t *rapid.T) {
		first := text.Draw(t, "text")
		word := strings.ToLower(text.Draw(t, "word"))
		if got, want := containsFold(first, word), strings.Contains(strings.ToLower(first), word); got != want {
			t.Errorf("%q in %q: got %v", word, first, got)
		}
	})
}

// fieldMatches looks for a word in each field by itself.
func fieldMatches(p *Pod, word string) bool {
	for _, field := range []string{p.Namespace + "/" + p.Name, p.Status, p.Node, p.OwnerKind + "/" + p.OwnerName, p.IP} {
		if strings.Contains(strings.ToLower(field), word) {
			return true
		}
	}
	return false
}

// What is indexed must be found by the same words as the fields themselves, whatever is in them.
func TestIndexFindsWhatTheFieldsHold(t *testing.T) {
	letters := rapid.StringOfN(rapid.SampledFrom([]rune("aAbB/-.1é Éİ世?")), 0, 6, -1)
	rapid.Check(t, func(t *rapid.T) {
		field := func(name string) string { return letters.Draw(t, name) }
		p := Pod{
			Namespace: field("namespace"), Name: field("name"), IP: field("ip"), Node: field("node"), Status: field("status"),
			OwnerKind: field("owner kind"), OwnerName: field("owner name"),
		}
		indexed := p
		indexed.index()
		if indexed.Name != p.Name || indexed.IP != p.IP {
			t.Fatalf("%q, %q became %q, %q", p.Name, p.IP, indexed.Name, indexed.IP)
		}
		word := strings.ToLower(field("word"))
		if got, want := indexed.Matches(word, Moment{}), fieldMatches(&p, word); got != want {
			t.Errorf("%q in %+v: got %v", word, p, got)
		}
	})
}

func BenchmarkMatches(b *testing.B) {
	p := NewPod(usualPod())
	for b.Loop() {
		p.Matches("nothing like it", Moment{})
	}
}
