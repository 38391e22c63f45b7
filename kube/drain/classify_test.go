package drain

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

func TestEveryClassOfPodHasItsFate(t *testing.T) {
	daemon := owned("DaemonSet", "cilium")
	gone := func(f *facts) {
		f.owners["uid-cilium"] = owner{namespace: "shop", Owner: Owner{Kind: "DaemonSet", Name: "cilium"}, gone: true}
	}
	web := owned("ReplicaSet", "web")
	all := Settings{EmptyDir: true, Unowned: true, Together: 1}
	for name, c := range map[string]struct {
		pod      *corev1.Pod
		settings Settings
		facts    func(*facts)
		want     Pod // Fate, Option, Unowned and Finished count
		why      string
	}{
		"static":                  {pod: pod("shop/a", static), want: Pod{Fate: Stays}, why: "static pod"},
		"static, being deleted":   {pod: pod("shop/a", static, deleted(time.Hour)), want: Pod{Fate: Stays}},
		"DaemonSet":               {pod: pod("shop/a", daemon, emptyDir("x", "")), want: Pod{Fate: Stays}, why: "DaemonSet"},
		"DaemonSet, finished":     {pod: pod("shop/a", daemon, phase(corev1.PodFailed)), want: Pod{Fate: Evict, Finished: true}},
		"orphan of a DaemonSet":   {pod: pod("shop/a", daemon), facts: gone, want: Pod{Fate: Needs, Option: OptionUnowned, Unowned: true}, why: "its DaemonSet is gone"},
		"the same, chosen":        {pod: pod("shop/a", daemon), facts: gone, settings: all, want: Pod{Fate: Evict, Unowned: true}},
		"orphan, finished":        {pod: pod("shop/a", daemon, phase(corev1.PodSucceeded)), facts: gone, want: Pod{Fate: Evict, Finished: true}},
		"other kind of DaemonSet": {pod: pod("shop/a", daemon, api("apps.kruise.io/v1alpha1")), want: Pod{Fate: Evict}},
		"being deleted":           {pod: pod("shop/a", web, deleted(-20*time.Second)), want: Pod{Fate: Leaving}, why: "has 20s left"},
		"overdue":                 {pod: pod("shop/a", web, deleted(5*time.Minute)), want: Pod{Fate: Leaving}, why: "should have been gone 5m ago"},
		"unowned, being deleted":  {pod: pod("shop/a", deleted(0)), want: Pod{Fate: Leaving}},
		"succeeded, unowned":      {pod: pod("shop/a", phase(corev1.PodSucceeded), emptyDir("x", "")), want: Pod{Fate: Evict, Finished: true}},
		"failed":                  {pod: pod("shop/a", web, phase(corev1.PodFailed)), want: Pod{Fate: Evict, Finished: true}},
		"pending":                 {pod: pod("shop/a", web, phase(corev1.PodPending)), want: Pod{Fate: Evict}},
		"namespace that goes": {
			pod: pod("shop/a"), facts: func(f *facts) { f.dying["shop"] = true }, want: Pod{Fate: Waits}, why: "namespace shop is being deleted",
		},
		"unowned":          {pod: pod("shop/a"), want: Pod{Fate: Needs, Option: OptionUnowned, Unowned: true}, why: "no owner"},
		"unowned, chosen":  {pod: pod("shop/a"), settings: all, want: Pod{Fate: Evict, Unowned: true}},
		"emptyDir":         {pod: pod("shop/a", web, emptyDir("x", "")), want: Pod{Fate: Needs, Option: OptionEmptyDir}, why: "emptyDir x would be lost"},
		"emptyDir, chosen": {pod: pod("shop/a", web, emptyDir("x", "")), settings: all, want: Pod{Fate: Evict}},
		"both missing": {
			pod: pod("shop/a", emptyDir("x", ""), emptyDir("y", "")), want: Pod{Fate: Needs, Option: OptionUnowned, Unowned: true},
			why: "no owner: nobody makes it again; emptyDir x and y would be lost",
		},
		"one of both missing": {
			pod: pod("shop/a", emptyDir("x", "")), settings: Settings{Unowned: true},
			want: Pod{Fate: Needs, Option: OptionEmptyDir, Unowned: true}, why: "emptyDir x would be lost",
		},
		"plain": {pod: pod("shop/a", web), want: Pod{Fate: Evict}},
	} {
		t.Run(name, func(t *testing.T) {
			f := oneNodeCluster(c.pod)
			if c.facts != nil {
				c.facts(f)
			}
			got := only(t, f, c.settings)
			if got.Fate != c.want.Fate || got.Option != c.want.Option || got.Unowned != c.want.Unowned || got.Finished != c.want.Finished {
				t.Errorf("%+v", *got)
			}
			if !strings.Contains(got.Why, c.why) || c.why == "" && got.Fate == Evict && got.Why != "" {
				t.Errorf("why: %q, want %q", got.Why, c.why)
			}
		})
	}
}

func api(version string) podOption {
	return func(p *corev1.Pod) { p.OwnerReferences[0].APIVersion = version }
}

func TestDaemonSetThatCannotBeReadIsTakenToExist(t *testing.T) {
	if got := only(t, oneNodeCluster(pod("shop/a", owned("DaemonSet", "unread"))), defaults); got.Fate != Stays {
		t.Errorf("%+v", *got)
	}
}

func TestEmptyDirsAreListedWithMediumAndLimit(t *testing.T) {
	p := pod("shop/a", owned("ReplicaSet", "web"), emptyDir("scratch", "2Gi"), emptyDir("ram", ""))
	p.Spec.Volumes[1].EmptyDir.Medium = corev1.StorageMediumMemory
	got := only(t, oneNodeCluster(p), Settings{EmptyDir: true})
	if lost(got.Lost) != "volume scratch, up to 2Gi; volume ram in memory, no size limit" {
		t.Error(lost(got.Lost))
	}
}

func TestStatefulSetPodsGoByOrdinalOneNodeAfterTheOther(t *testing.T) {
	kafka := owned("StatefulSet", "kafka")
	on := func(n string) podOption { return func(p *corev1.Pod) { p.Spec.NodeName = n } }
	f := cluster([]*corev1.Node{node("worker-1"), node("worker-2")},
		pod("shop/kafka-10", kafka), pod("shop/kafka-2", kafka), pod("shop/kafka-4", kafka, notReady(time.Minute)),
		pod("shop/kafka-0", kafka, on("worker-2")), pod("shop/kafka-5", kafka, on("worker-2"))).owner("StatefulSet", "kafka", 4, 11)
	plan := classify(f, defaults, now)
	var names []string
	for _, p := range plan.pods() {
		names = append(names, p.Name+"<"+p.After)
	}
	if got := strings.Join(names, " "); got != "kafka-2< kafka-4< kafka-10<kafka-2 kafka-0<kafka-10 kafka-5<kafka-0" {
		t.Error(got)
	}
	s := defaults
	s.Gentle = false
	for _, p := range classify(f, s, now).pods() {
		if p.After != "" {
			t.Errorf("%s comes after %s, and nobody asked for an order", p.Name, p.After)
		}
	}
}

func TestFlagsSayWhatElseThereIsToKnow(t *testing.T) {
	web := owned("ReplicaSet", "web")
	rwo := func(f *facts) {
		f.claims[named("shop", "data")] = &corev1.PersistentVolumeClaim{
			ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data"},
			Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}, VolumeName: "pv"},
		}
	}
	local := func(f *facts) {
		rwo(f)
		f.volumes["pv"] = localVolume("worker-1")
	}
	always := corev1.ContainerRestartPolicyAlways
	for name, c := range map[string]struct {
		pod   *corev1.Pod
		facts func(*facts)
		want  string
	}{
		"nothing":        {pod: pod("shop/a", web), want: ""},
		"usual grace":    {pod: pod("shop/a", web, grace(30)), want: ""},
		"grace":          {pod: pod("shop/a", web, grace(120)), want: "grace 2m0s"},
		"RWO":            {pod: pod("shop/a", web, claimed), facts: rwo, want: "RWO volume"},
		"local volume":   {pod: pod("shop/a", web, claimed), facts: local, want: "local volume of this node (data): the new one stays Pending"},
		"unread claim":   {pod: pod("shop/a", web, claimed), want: ""},
		"hostPath":       {pod: pod("shop/a", web, hostPath), want: ""},
		"Job":            {pod: pod("shop/a", owned("Job", "import")), want: "Job: its work starts again"},
		"safe-to-evict":  {pod: pod("shop/a", web, annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "false")), want: "marked safe-to-evict=false"},
		"safe to evict":  {pod: pod("shop/a", web, annotated("cluster-autoscaler.kubernetes.io/safe-to-evict", "true")), want: ""},
		"do-not-disrupt": {pod: pod("shop/a", web, annotated("karpenter.sh/do-not-disrupt", "true")), want: "marked do-not-disrupt"},
		"priority": {
			pod:  pod("shop/a", web, func(p *corev1.Pod) { p.Spec.PriorityClassName = "system-cluster-critical" }),
			want: "system-cluster-critical",
		},
		"init containers": {
			pod: pod("shop/a", web, func(p *corev1.Pod) {
				p.Spec.InitContainers = []corev1.Container{{Name: "a"}, {Name: "sidecar", RestartPolicy: &always}, {Name: "b"}}
			}), want: "slow start: 2 init containers",
		},
		"ephemeral volume": {
			pod: pod("shop/a", web, func(p *corev1.Pod) {
				p.Spec.Volumes = []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{Ephemeral: &corev1.EphemeralVolumeSource{}}}}
			}), want: "ephemeral volume tmp goes with it",
		},
		"budgets not known": {pod: pod("shop/a", web), facts: func(f *facts) { f.blind["shop"] = true }, want: "budgets not known"},
		"anti-affinity": {pod: pod("shop/a", web, func(p *corev1.Pod) {
			p.Spec.Affinity = &corev1.Affinity{PodAntiAffinity: &corev1.PodAntiAffinity{RequiredDuringSchedulingIgnoredDuringExecution: []corev1.PodAffinityTerm{{}}}}
		}), want: "affinity between pods is not judged"},
		"finished": {pod: pod("shop/a", grace(600), phase(corev1.PodSucceeded)), want: ""},
	} {
		t.Run(name, func(t *testing.T) {
			f := oneNodeCluster(c.pod)
			f.owner("Job", "import", 1, 1)
			if c.facts != nil {
				c.facts(f)
			}
			if got := strings.Join(only(t, f, defaults).Flags, "; "); got != c.want {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func hostPath(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{Name: "h", VolumeSource: corev1.VolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/"}}}}
}

// localVolume is a volume that can be reached from one node only.
func localVolume(node string) *corev1.PersistentVolume {
	v := &corev1.PersistentVolume{ObjectMeta: metav1.ObjectMeta{Name: "pv"}}
	v.Spec.Local = &corev1.LocalVolumeSource{Path: "/disk"}
	v.Spec.NodeAffinity = &corev1.VolumeNodeAffinity{Required: &corev1.NodeSelector{NodeSelectorTerms: []corev1.NodeSelectorTerm{{
		MatchExpressions: []corev1.NodeSelectorRequirement{{Key: corev1.LabelHostname, Operator: corev1.NodeSelectorOpIn, Values: []string{node}}},
	}}}}
	return v
}

func TestComponentThatLosesAllReplicasIsCalledOut(t *testing.T) {
	two := func(kind string, options ...podOption) []*corev1.Pod {
		options = append(options, owned(kind, "dns"), labelled("dns"))
		return []*corev1.Pod{pod("shop/dns-0", options...), pod("shop/dns-1", options...)}
	}
	for name, c := range map[string]struct {
		facts *facts
		want  string
	}{
		"only replica":       {oneNodeCluster(pod("shop/dns-0", owned("ReplicaSet", "dns"))).owner("Deployment", "dns", 1, 1), "only replica: will be down"},
		"all are here":       {oneNodeCluster(two("ReplicaSet")...).owner("Deployment", "dns", 2, 2), "all 2 replicas are here: will be down"},
		"all ready are here": {oneNodeCluster(two("ReplicaSet")...).owner("Deployment", "dns", 2, 5), "all 2 ready replicas are here: will be down"},
		"one is elsewhere":   {oneNodeCluster(two("ReplicaSet")...).owner("Deployment", "dns", 3, 3), ""},
		"one by one":         {oneNodeCluster(two("StatefulSet")...).owner("StatefulSet", "dns", 2, 2), ""},
		"not ready anyway":   {oneNodeCluster(two("ReplicaSet", notReady(0))...).owner("Deployment", "dns", 0, 2), ""},
		"budget keeps one": {
			oneNodeCluster(two("ReplicaSet")...).owner("Deployment", "dns", 2, 2).with(pdb("dns", "dns", 1, 2, 1, 2)), "",
		},
		"only ready one": {
			oneNodeCluster(pod("shop/dns-0", owned("ReplicaSet", "dns"))).owner("Deployment", "dns", 1, 3), "the only ready replica of 3: will be down",
		},
	} {
		t.Run(name, func(t *testing.T) {
			p := find(classify(c.facts, defaults, now), "dns-0")
			if got := strings.Join(p.Flags, "; "); got != c.want || p.Down != (c.want != "") {
				t.Errorf("%q, want %q", got, c.want)
			}
		})
	}
}

func TestReplicasOfTwoReplicaSetsAreCountedTogether(t *testing.T) {
	f := oneNodeCluster(pod("shop/old-0", owned("ReplicaSet", "old")), pod("shop/new-0", owned("ReplicaSet", "new")))
	for _, uid := range []types.UID{"uid-old", "uid-new"} {
		f.owners[uid] = owner{namespace: "shop", Owner: Owner{Kind: "Deployment", Name: "web", Ready: 2, Want: 2, Known: true}}
	}
	if p := find(classify(f, defaults, now), "old-0"); !p.Down {
		t.Errorf("%+v", *p)
	}
}

func TestChosenGraceIsThatOfEveryPod(t *testing.T) {
	s := defaults
	s.Grace = 10 * time.Second
	if p := only(t, oneNodeCluster(pod("shop/a", owned("ReplicaSet", "web"), grace(600))), s); p.Grace != 10*time.Second || len(p.Flags) > 0 {
		t.Errorf("%+v", *p)
	}
}

func TestSilentNodeSaysSo(t *testing.T) {
	n := classify(cluster([]*corev1.Node{node("worker-1", silent)}), defaults, now).Nodes[0]
	if n.Ready || !n.Silent || n.Status != "NotReady(Unknown)" || n.For != 14*time.Minute {
		t.Errorf("%+v", n)
	}
}

func TestPodIsBoundWhenItIsScheduledOrElseWhenItIsMade(t *testing.T) {
	made := func(p *corev1.Pod) { p.CreationTimestamp = ago(time.Hour) }
	scheduled := func(status corev1.ConditionStatus) podOption {
		return func(p *corev1.Pod) {
			p.Status.Conditions = append(p.Status.Conditions, corev1.PodCondition{
				Type: corev1.PodScheduled, Status: status, LastTransitionTime: ago(time.Minute),
			})
		}
	}
	for name, c := range map[string]struct {
		options []podOption
		want    time.Time
	}{
		"scheduled":            {[]podOption{made, scheduled(corev1.ConditionTrue)}, now.Add(-time.Minute)},
		"its maker has chosen": {[]podOption{made}, now.Add(-time.Hour)},
		"not said to be":       {[]podOption{made, scheduled(corev1.ConditionFalse)}, now.Add(-time.Hour)},
	} {
		if got := only(t, oneNodeCluster(pod("shop/web-a", c.options...)), defaults).Bound; !got.Equal(c.want) {
			t.Errorf("%s: bound at %v, want %v", name, got, c.want)
		}
	}
}
