package drain

import (
	"fmt"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"ktriage/kube"
)

func TestPodFitsWhereItsDemandsAreMet(t *testing.T) {
	zone := func(values ...string) podOption {
		return func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{NodeAffinity: &corev1.NodeAffinity{RequiredDuringSchedulingIgnoredDuringExecution: &corev1.NodeSelector{
				NodeSelectorTerms: []corev1.NodeSelectorTerm{{MatchExpressions: []corev1.NodeSelectorRequirement{
					{Key: corev1.LabelTopologyZone, Operator: corev1.NodeSelectorOpIn, Values: values},
				}}},
			}}}
		}
	}
	tolerates := func(p *corev1.Pod) {
		p.Spec.Tolerations = []corev1.Toleration{{Key: "gpu", Operator: corev1.TolerationOpExists}}
	}
	gpu := func(p *corev1.Pod) {
		p.Spec.Containers = []corev1.Container{{Name: "c", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")},
			Limits:   corev1.ResourceList{"nvidia.com/gpu": resource.MustParse("1")},
		}}}
	}
	full := map[string]kube.Load{"a": {CPURequests: 7000, MemRequests: 20 << 30, Pods: 110}, "b": {CPURequests: 7500, MemRequests: 20 << 30, Pods: 50}}
	for name, c := range map[string]struct {
		others []*corev1.Node
		loads  map[string]kube.Load
		pod    podOption
		fits   int
		why    string
	}{
		"anywhere":          {others: []*corev1.Node{node("a"), node("b")}, pod: asks("1", "1Gi"), fits: 2},
		"nobody is there":   {pod: asks("1", "1Gi"), why: "no other node is Ready and schedulable"},
		"others are not OK": {others: []*corev1.Node{node("a", cordoned), node("b", silent)}, pod: asks("1", "1Gi"), why: "no other node is Ready and schedulable"},
		"label":             {others: []*corev1.Node{node("a", marked("disktype=nvme")), node("b")}, pod: wants("disktype=nvme"), fits: 1},
		"no label":          {others: []*corev1.Node{node("a"), node("b")}, pod: wants("disktype=nvme"), why: "no other node has disktype=nvme"},
		"affinity":          {others: []*corev1.Node{node("a"), node("b", marked(corev1.LabelTopologyZone+"=1c"))}, pod: zone("1c"), fits: 1},
		"no affinity":       {others: []*corev1.Node{node("a")}, pod: zone("1c", "1d"), why: "no other node has topology.kubernetes.io/zone in 1c,1d"},
		"taint":             {others: []*corev1.Node{node("a", tainted("gpu", "true"))}, pod: asks("1", "1Gi"), why: "all others have the taint gpu=true:NoSchedule"},
		"tolerated taint":   {others: []*corev1.Node{node("a", tainted("gpu", "true"))}, pod: tolerates, fits: 1},
		"memory":            {others: []*corev1.Node{node("a"), node("b")}, loads: full, pod: asks("100m", "24Gi"), why: "no other node has 24Gi free"},
		"CPU":               {others: []*corev1.Node{node("a"), node("b")}, loads: full, pod: asks("4", "1Gi"), why: "no other node has 4 cores free"},
		"slots":             {others: []*corev1.Node{node("a")}, loads: full, pod: asks("100m", "1Gi"), why: "all others have as many pods as they may have"},
		"what is asked is what counts": {
			others: []*corev1.Node{node("b")}, loads: map[string]kube.Load{"b": {CPURequests: 9000, MemRequests: 40 << 30}}, pod: grace(30), fits: 1,
		},
		"just enough":   {others: []*corev1.Node{node("b")}, loads: full, pod: asks("500m", "12Gi"), fits: 1},
		"no loads":      {others: []*corev1.Node{node("a")}, loads: nil, pod: asks("100", "1Gi"), fits: 1},
		"device":        {others: []*corev1.Node{node("a")}, pod: gpu, why: "no other node has 1 nvidia.com/gpu"},
		"several kinds": {others: []*corev1.Node{node("a"), node("b"), node("c", marked("disk=ssd"), tainted("x", ""))}, pod: wants("disk=ssd"), why: "3 other nodes: 2 without disk=ssd, 1 with the taint x:NoSchedule"},
	} {
		t.Run(name, func(t *testing.T) {
			f := oneNodeCluster(pod("shop/a", owned("ReplicaSet", "web"), c.pod))
			f.all, f.loads = slices.Concat(c.others, []*corev1.Node{f.nodes[0].node}), c.loads
			got := only(t, f, defaults)
			if got.Fits != c.fits || got.Nowhere != c.why {
				t.Errorf("%d %q, want %d %q", got.Fits, got.Nowhere, c.fits, c.why)
			}
		})
	}
}

func TestVolumeKeepsAPodWhereItCanBeReached(t *testing.T) {
	f := oneNodeCluster(pod("shop/a", owned("StatefulSet", "db"), claimed))
	f.claims[named("shop", "data")] = &corev1.PersistentVolumeClaim{Spec: corev1.PersistentVolumeClaimSpec{VolumeName: "pv"}}
	f.claims[named("shop", "data")].Name = "data"
	f.volumes["pv"] = localVolume("worker-1")
	if got := only(t, f, defaults); got.Fits != 0 || got.Nowhere != "its volume data cannot be reached from any other node" {
		t.Errorf("%d %q", got.Fits, got.Nowhere)
	}
}

func TestWhoDoesNotComeBackFitsNowhereAndEverywhere(t *testing.T) {
	for name, p := range map[string]*corev1.Pod{
		"unowned": pod("shop/a"), "finished": pod("shop/a", owned("Job", "j"), phase(corev1.PodSucceeded)), "static": pod("shop/a", static),
	} {
		if got := only(t, oneNodeCluster(p), Settings{Unowned: true}); got.Fits != -1 || got.Nowhere != "" {
			t.Errorf("%s: %d %q", name, got.Fits, got.Nowhere)
		}
	}
	f := oneNodeCluster(pod("shop/a", owned("ReplicaSet", "web")))
	f.all, f.allKnown = nil, false
	if got := only(t, f, defaults); got.Fits != -1 {
		t.Errorf("nobody knows the other nodes, and %d take it", got.Fits)
	}
}

func TestWhatRemainsLeavesOutAllNodesOfThePlan(t *testing.T) {
	f := cluster([]*corev1.Node{node("worker-1"), node("worker-2", cordoned)})
	f.all = append(f.all, node("worker-31", cordoned), node("worker-7", silent), node("worker-8", silent, cordoned))
	f.loads = map[string]kube.Load{"other-1": {CPURequests: 3000, MemRequests: 2 << 30}, "other-2": {CPURequests: 9000}, "worker-1": {CPURequests: 1}}
	p := classify(f, defaults, now)
	if p.Total != 7 || p.UsableNow != 3 || p.Usable != 2 || !p.FreeKnown || p.FreeCPU != 5000 || p.FreeMem != 62<<30 {
		t.Errorf("%+v", p)
	}
	if got := fmt.Sprint(p.Others); got != "[worker-31 is cordoned worker-7 is not Ready worker-8 is cordoned and not Ready]" {
		t.Error(got)
	}
	f.loads = nil
	if p = classify(f, defaults, now); p.FreeKnown {
		t.Error("nobody knows the loads, and there is something free")
	}
}

// BenchmarkPlanOfABigCluster classifies a full node of which every pod asks for something else.
func BenchmarkPlanOfABigCluster(b *testing.B) {
	var pods []*corev1.Pod
	for i := range 110 {
		pods = append(pods, pod(fmt.Sprintf("shop/p-%d", i), owned("ReplicaSet", "web"), asks("1", "1Gi"), wants(fmt.Sprintf("pool=p%d", i%100)), labelled("web")))
	}
	f := oneNodeCluster(pods...).with(pdb("web", "web", 3, 100, 97, 110))
	for i := range 5000 {
		f.all = append(f.all, node(fmt.Sprintf("n-%d", i), marked(fmt.Sprintf("pool=p%d", i%100)), tainted("a", "b")))
	}
	b.ReportAllocs()
	for b.Loop() {
		classify(f, defaults, now)
	}
}
