package drain

import (
	"fmt"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
)

// now is when all plans of these tests are made.
var now = time.Date(2026, 11, 21, 17, 20, 8, 0, time.UTC)

func ago(d time.Duration) metav1.Time { return metav1.NewTime(now.Add(-d)) }

// defaults are the settings that nobody has chosen.
var defaults = Settings{Gentle: true, Late: true, Hanging: true, Together: 1}

type podOption func(*corev1.Pod)

// pod makes a pod that runs and is Ready, of "namespace/name", with the UID "uid-name".
func pod(name string, options ...podOption) *corev1.Pod {
	ns, name, _ := strings.Cut(name, "/")
	p := &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: ns, Name: name, UID: types.UID("uid-" + name)},
		Spec:       corev1.PodSpec{NodeName: "worker-1"},
		Status: corev1.PodStatus{Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{
			{Type: corev1.PodReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(time.Hour)},
		}},
	}
	for _, o := range options {
		o(p)
	}
	return p
}

func owned(kind, name string) podOption {
	api := "apps/v1"
	if kind == "Job" {
		api = "batch/v1"
	}
	yes := true
	return func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{
			{APIVersion: api, Kind: kind, Name: name, UID: types.UID("uid-" + name), Controller: &yes},
		}
	}
}

func labelled(app string) podOption {
	return func(p *corev1.Pod) { p.Labels = map[string]string{"app": app} }
}

func phase(ph corev1.PodPhase) podOption {
	return func(p *corev1.Pod) {
		p.Status.Phase = ph
		p.Status.Conditions = nil
	}
}

func notReady(d time.Duration) podOption {
	return func(p *corev1.Pod) {
		p.Status.Conditions[0].Status = corev1.ConditionFalse
		p.Status.Conditions[0].LastTransitionTime = ago(d)
	}
}

func deleted(deadline time.Duration) podOption {
	return func(p *corev1.Pod) {
		t := ago(deadline)
		p.DeletionTimestamp = &t
	}
}

func static(p *corev1.Pod) {
	p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
}

func annotated(key, value string) podOption {
	return func(p *corev1.Pod) { p.Annotations = map[string]string{key: value} }
}

func emptyDir(name, limit string) podOption {
	return func(p *corev1.Pod) {
		e := &corev1.EmptyDirVolumeSource{}
		if limit != "" {
			q := resource.MustParse(limit)
			e.SizeLimit = &q
		}
		p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: name, VolumeSource: corev1.VolumeSource{EmptyDir: e}})
	}
}

// claimed gives a pod the volume of the claim "data".
func claimed(p *corev1.Pod) {
	p.Spec.Volumes = append(p.Spec.Volumes, corev1.Volume{Name: "data", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}})
}

func grace(seconds int64) podOption {
	return func(p *corev1.Pod) { p.Spec.TerminationGracePeriodSeconds = &seconds }
}

func asks(cpu, memory string) podOption {
	return func(p *corev1.Pod) {
		p.Spec.Containers = append(p.Spec.Containers, corev1.Container{Name: "c", Resources: corev1.ResourceRequirements{
			Requests: corev1.ResourceList{corev1.ResourceCPU: resource.MustParse(cpu), corev1.ResourceMemory: resource.MustParse(memory)},
		}})
	}
}

func wants(label string) podOption {
	key, value, _ := strings.Cut(label, "=")
	return func(p *corev1.Pod) { p.Spec.NodeSelector = map[string]string{key: value} }
}

type nodeOption func(*corev1.Node)

// node makes a node that is Ready, with 8 cores, 32Gi and room for 110 pods.
func node(name string, options ...nodeOption) *corev1.Node {
	n := &corev1.Node{
		ObjectMeta: metav1.ObjectMeta{Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{corev1.LabelTopologyZone: "1b"}},
		Status: corev1.NodeStatus{
			NodeInfo:   corev1.NodeSystemInfo{KubeletVersion: "v1.36.3"},
			Conditions: []corev1.NodeCondition{{Type: corev1.NodeReady, Status: corev1.ConditionTrue, LastTransitionTime: ago(time.Hour)}},
			Allocatable: corev1.ResourceList{
				corev1.ResourceCPU: resource.MustParse("8"), corev1.ResourceMemory: resource.MustParse("32Gi"), corev1.ResourcePods: resource.MustParse("110"),
			},
		},
	}
	for _, o := range options {
		o(n)
	}
	return n
}

func cordoned(n *corev1.Node) { n.Spec.Unschedulable = true }

func silent(n *corev1.Node) {
	n.Status.Conditions[0].Status = corev1.ConditionUnknown
	n.Status.Conditions[0].LastTransitionTime = ago(14 * time.Minute)
}

func tainted(key, value string) nodeOption {
	return func(n *corev1.Node) {
		n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Value: value, Effect: corev1.TaintEffectNoSchedule})
	}
}

func marked(label string) nodeOption {
	key, value, _ := strings.Cut(label, "=")
	return func(n *corev1.Node) { n.Labels[key] = value }
}

// pdb is a budget over the pods that are labelled app.
func pdb(name, app string, allowed, healthy, desired, expected int32, options ...func(*policyv1.PodDisruptionBudget)) *budget {
	b := &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, Generation: 1},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": app}}},
		Status: policyv1.PodDisruptionBudgetStatus{
			ObservedGeneration: 1, DisruptionsAllowed: allowed, CurrentHealthy: healthy, DesiredHealthy: desired, ExpectedPods: expected,
		},
	}
	for _, o := range options {
		o(b)
	}
	return newBudget(b)
}

func alwaysAllow(b *policyv1.PodDisruptionBudget) {
	p := policyv1.AlwaysAllow
	b.Spec.UnhealthyPodEvictionPolicy = &p
}

// cluster makes facts of the nodes that are drained, other-1 and other-2, and pods on any of the former.
func cluster(drained []*corev1.Node, pods ...*corev1.Pod) *facts {
	f := &facts{
		context: "prod", allKnown: true, loads: map[string]kube.Load{},
		budgets: map[string][]*budget{}, blind: map[string]bool{}, dying: map[string]bool{}, owners: map[types.UID]owner{},
		claims: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}, volumes: map[string]*corev1.PersistentVolume{},
	}
	for _, n := range drained {
		facts := &nodeFacts{node: n, version: "7"}
		for _, p := range pods {
			if p.Spec.NodeName == n.Name {
				facts.pods = append(facts.pods, p)
			}
		}
		f.nodes = append(f.nodes, facts)
		f.all = append(f.all, n)
	}
	f.all = append(f.all, node("other-1"), node("other-2"))
	return f
}

// oneNodeCluster is a cluster of which worker-1 is drained.
func oneNodeCluster(pods ...*corev1.Pod) *facts {
	return cluster([]*corev1.Node{node("worker-1")}, pods...)
}

func (f *facts) with(budgets ...*budget) *facts {
	for _, b := range budgets {
		f.budgets[b.Namespace] = append(f.budgets[b.Namespace], b)
	}
	return f
}

func (f *facts) owner(kind, name string, ready, want int) *facts {
	uid := types.UID("uid-" + name)
	f.owners[uid] = owner{namespace: "shop", Owner: Owner{Kind: kind, Name: name, Controller: string(uid), Ready: ready, Want: want, Known: true}}
	return f
}

// find gives what a plan does with a pod.
func find(p *Plan, name string) *Pod {
	for _, pod := range p.pods() {
		if pod.Name == name {
			return pod
		}
	}
	panic(fmt.Sprintf("the plan has no pod %s", name))
}

func only(t interface {
	Helper()
	Fatalf(string, ...any)
}, f *facts, s Settings) *Pod {
	t.Helper()
	pods := classify(f, s, now).pods()
	if len(pods) != 1 {
		t.Fatalf("%d pods, want 1", len(pods))
	}
	return pods[0]
}
