package views

import (
	"errors"
	"slices"
	"strings"
	"testing"
	"time"

	"github.com/charmbracelet/x/ansi"
	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/keymap"
	"ktriage/kube"
)

// workload makes a row of namespace shop.
func workload(name string, o interface {
	runtime.Object
	metav1.Object
}) *kube.Workload {
	o.SetNamespace("shop")
	o.SetName(name)
	o.SetUID(types.UID("uid-" + strings.ToLower(kubeKind(o)) + name))
	if at := o.GetCreationTimestamp(); at.IsZero() {
		o.SetCreationTimestamp(ago(212 * day))
	}
	return kube.NewWorkload(o)
}

func kubeKind(o runtime.Object) string { return kube.NewWorkload(o).KindText() }

func deploymentOf(desired, ready, updated int32) *appsv1.Deployment {
	d := &appsv1.Deployment{Spec: appsv1.DeploymentSpec{Replicas: &desired}}
	d.Status = appsv1.DeploymentStatus{Replicas: desired, ReadyReplicas: ready, AvailableReplicas: ready, UpdatedReplicas: updated}
	d.Annotations = map[string]string{"deployment.kubernetes.io/revision": "7"}
	return d
}

func setOf(ready int32, whenScaled appsv1.PersistentVolumeClaimRetentionPolicyType) *appsv1.StatefulSet {
	desired := int32(3)
	s := &appsv1.StatefulSet{Spec: appsv1.StatefulSetSpec{Replicas: &desired, PodManagementPolicy: appsv1.ParallelPodManagement}}
	s.Status = appsv1.StatefulSetStatus{Replicas: desired, ReadyReplicas: ready, AvailableReplicas: ready, UpdatedReplicas: desired}
	s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{WhenScaled: whenScaled}
	return s
}

func pausedOne(d *appsv1.Deployment) *appsv1.Deployment {
	d.Spec.Paused = true
	return d
}

func replicaSetOf(deployment string) *appsv1.ReplicaSet {
	r := &appsv1.ReplicaSet{Spec: appsv1.ReplicaSetSpec{Replicas: new(int32(2))},
		Status: appsv1.ReplicaSetStatus{Replicas: 2, ReadyReplicas: 2}}
	if deployment != "" {
		r.OwnerReferences = []metav1.OwnerReference{{Kind: "Deployment", Name: deployment, Controller: new(true)}}
	}
	return r
}

func scalerOf(target string) *autoscalingv2.HorizontalPodAutoscaler {
	h := &autoscalingv2.HorizontalPodAutoscaler{Spec: autoscalingv2.HorizontalPodAutoscalerSpec{MinReplicas: new(int32(2)),
		MaxReplicas: 10}}
	h.Spec.ScaleTargetRef = autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: target}
	h.Status.CurrentReplicas, h.Status.DesiredReplicas = 10, 10
	return h
}

func budgetOf(expected, healthy, min int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(min))},
		Status: policyv1.PodDisruptionBudgetStatus{ExpectedPods: expected, CurrentHealthy: healthy, DesiredHealthy: min,
			DisruptionsAllowed: healthy - min},
	}
}

func cronOf(suspended bool) *batchv1.CronJob {
	return &batchv1.CronJob{Spec: batchv1.CronJobSpec{Schedule: "0 3 * * *", Suspend: &suspended}}
}

// podOfOwner makes a pod of a workload.
func podOfOwner(name, kind, owner string, change func(*corev1.Pod)) *kube.Pod {
	return pod("shop", name, "worker-01", 3*day, func(p *corev1.Pod) {
		p.OwnerReferences = []metav1.OwnerReference{{Kind: kind, Name: owner, Controller: new(true)}}
		if change != nil {
			change(p)
		}
	})
}

// plainly draws without colours.
func plainly(v View, s Size) string { return ansi.Strip(drawn(v, s, frame())) }

func incidentOfWorkloads() (kube.Moment, []*kube.Workload) {
	lost := func(p *corev1.Pod) {
		p.Spec.NodeName = "worker-07"
		p.Status.Conditions[1].Status = corev1.ConditionFalse
	}
	m := kube.Moment{Now: noon, NodesKnown: true, Nodes: map[string]kube.NodeState{"worker-07": {Silent: true,
		SilentSince: noon.Add(-time.Minute)}, "worker-01": {Ready: true}}}
	m.Ailing = map[kube.Owner][]*kube.Pod{
		{Kind: kube.Deployments, Namespace: "shop", Name: "checkout"}: {
			podOfOwner("checkout-65bcd-1", "ReplicaSet", "checkout-65bcd", crashing),
			podOfOwner("checkout-65bcd-2", "ReplicaSet", "checkout-65bcd", crashing)},
		{Kind: kube.StatefulSets, Namespace: "shop", Name: "cart"}: {podOfOwner("cart-2", "StatefulSet", "cart", lost)},
	}
	scaler := workload("web", scalerOf("web"))
	m.Scalers = map[kube.Owner][]*kube.Workload{{Kind: kube.Deployments, Namespace: "shop", Name: "web"}: {scaler}}
	return m, []*kube.Workload{
		scaler, workload("web", deploymentOf(10, 10, 10)), workload("nightly", cronOf(true)), workload("cart-pdb", budgetOf(3, 2, 2)),
		workload("cart", setOf(2, "Retain")), workload("checkout", deploymentOf(2, 0, 2)),
	}
}

func TestWorkloadsAreShownWorstFirstWithTheReason(t *testing.T) {
	m, rows := incidentOfWorkloads()
	f := newFeed(m, rows...)
	v := NewWorkloads(f, nil)
	f.publish(v)
	lines := strings.Split(plainly(v, Size{80, 9}), "\n")
	for i, want := range []string{
		"   KIND    NAMESPACE/NAME  READY WHY                       UPDATED  AGE",
		"Deploy  shop/checkout     0/2 2 CrashLoopBackOff, exit 1      2/2 212d",
		"STS     shop/cart         2/3 cart-2: node not ready          3/3 212d",
		"PDB     shop/cart-pdb     2/3 allows 0: 2 healthy, min 2        - 212d",
		"CronJob shop/nightly        - suspended                         - 212d",
		"Deploy  shop/web        10/10 -                             10/10 212d",
		"HPA     shop/web        10/10 -                                 - 212d",
	} {
		if got := strings.Join(strings.Fields(lines[i+1]), " "); !strings.Contains(got, strings.Join(strings.Fields(want), " ")) {
			t.Errorf("line %d is %q, want %q", i+1, lines[i+1], want)
		}
	}
	wide := plainly(v, Size{160, 9})
	for _, want := range []string{"PDB ALLOWS", "HPA", "2-10", "REVISION", "POLICY", "Parallel", "0 3 * * *"} {
		if !strings.Contains(wide, want) {
			t.Errorf("160 columns do not show %q:\n%s", want, wide)
		}
	}
}

func TestWorkloadsAreFoundByWhatTheirPodsTell(t *testing.T) {
	m, rows := incidentOfWorkloads()
	f := newFeed(m, rows...)
	v := NewWorkloads(f, nil)
	v.Handle(Query{"crashloop"})
	if reads := f.asked[len(f.asked)-1].KeepReads; reads&kube.Pods == 0 || reads&kube.Nodes == 0 {
		t.Errorf("the filter looks at kinds %b", reads)
	}
	f.publish(v)
	if got := f.shown(); got != "checkout" {
		t.Errorf("found %q", got)
	}
}

func TestOrdersOfWorkloads(t *testing.T) {
	m, rows := incidentOfWorkloads()
	for id, want := range map[keymap.ID]string{
		"workloads.sort.health":  "checkout cart cart-pdb nightly web web",
		"workloads.sort.name":    "cart cart-pdb checkout nightly web web",
		"workloads.sort.kind":    "cart checkout web nightly web cart-pdb",
		"workloads.sort.ready":   "checkout cart cart-pdb nightly web web",
		"workloads.sort.updated": "cart cart-pdb checkout nightly web web",
	} {
		f := newFeed(m, rows...)
		v := NewWorkloads(f, nil)
		if id != "workloads.sort.health" { // the default: asked for again it would be reversed
			v.Handle(Intent{id})
		}
		f.publish(v)
		if got := f.shown(); got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}

func TestEnterLeadsFromAWorkloadToItsPods(t *testing.T) {
	target := workload("web", deploymentOf(1, 1, 1))
	for _, c := range []struct {
		row  *kube.Workload
		want Effect
	}{
		{target, Open{Place{Pane: "pods", Pin: Pin{"workload", "Deployment/shop/web"}}}},
		{workload("cart", setOf(3, "Retain")), Open{Place{Pane: "pods", Pin: Pin{"workload", "StatefulSet/shop/cart"}}}},
		{workload("agent", &appsv1.DaemonSet{}), Open{Place{Pane: "pods", Pin: Pin{"workload", "DaemonSet/shop/agent"}}}},
		{workload("nightly", cronOf(false)), Open{Place{Pane: "pods", Pin: Pin{"workload", "CronJob/shop/nightly"}}}},
		{workload("off", cronOf(true)), ShowDetails{}},
		{workload("cart-pdb", budgetOf(3, 3, 2)), ShowDetails{}},
		{workload("web", scalerOf("web")), Open{Place{Pane: "workloads", UID: target.UID}}},
		{workload("lost", scalerOf("lost")), Flash{}},
	} {
		f := newFeed(kube.Moment{Now: noon}, c.row, target)
		if c.row == target {
			f.rows = f.rows[:1]
		}
		v := NewWorkloads(f, nil)
		f.publish(v)
		v.Handle(Go{Place{UID: c.row.UID}})
		f.publish(v)
		got := v.Handle(Intent{keymap.WorkloadPods})
		if len(got) != 1 {
			t.Errorf("%s: %v", c.row.FullKind(), got)
			continue
		}
		if flash, ok := got[0].(Flash); ok {
			got[0] = Flash{}
			if !strings.Contains(flash.Text, "Deployment shop/lost") {
				t.Errorf("%s: %q", c.row.FullKind(), flash.Text)
			}
		}
		if got[0] != c.want {
			t.Errorf("%s: %v, want %v", c.row.FullKind(), got[0], c.want)
		}
	}
}

func TestPodsOfAWorkload(t *testing.T) {
	pods := []*kube.Pod{
		podOfOwner("web-65bcd-x", "ReplicaSet", "web-65bcd", nil), podOfOwner("web-77bcd-x", "ReplicaSet", "web-77bcd", nil),
		podOfOwner("web-app-65bcd-x", "ReplicaSet", "web-app-65bcd", nil), podOfOwner("cart-0", "StatefulSet", "cart", nil),
		podOfOwner("nightly-29394180-x", "Job", "nightly-29394180", nil), podOfOwner("agent-x", "DaemonSet", "agent", nil),
	}
	for pin, want := range map[string]string{
		"Deployment/shop/web": "web-65bcd-x web-77bcd-x", "ReplicaSet/shop/web-65bcd": "web-65bcd-x", "Deployment/pay/web": "",
		"Deployment/shop/web-app": "web-app-65bcd-x", "StatefulSet/shop/cart": "cart-0", "CronJob/shop/nightly": "nightly-29394180-x",
		"Job/shop/nightly-29394180": "nightly-29394180-x", "DaemonSet/shop/agent": "agent-x", "": "", "Deployment": "",
		"Nonsense/shop/web": "",
	} {
		f := newFeed(kube.Moment{Now: noon}, pods...)
		v := NewPods(f, nil)
		v.Handle(Go{Place{Pane: "pods", Pin: Pin{"workload", pin}}})
		f.publish(v)
		got := strings.Fields(f.shown())
		slices.Sort(got)
		if strings.Join(got, " ") != want {
			t.Errorf("%q: %v, want %q", pin, got, want)
		}
	}
}

func TestKeysOfWorkloadsSayWhyTheyDoNothing(t *testing.T) {
	web, paused := workload("web", deploymentOf(1, 1, 1)), workload("web", pausedOne(deploymentOf(1, 1, 1)))
	keeps, deletes := workload("cart", setOf(3, "Retain")), workload("cart", setOf(3, "Delete"))
	agent, run, nightly, off := workload("agent", &appsv1.DaemonSet{}), workload("run", &batchv1.Job{}),
		workload("nightly", cronOf(false)), workload("off", cronOf(true))
	own, owned := workload("rs", replicaSetOf("")), workload("web-65bcd", replicaSetOf("web"))
	for _, c := range []struct {
		row  *kube.Workload
		key  keymap.ID
		want string // part of the reason; "" if the key works
	}{
		{web, keymap.ScaleWorkload, ""}, {keeps, keymap.ScaleWorkload, ""}, {own, keymap.ScaleWorkload, ""},
		{owned, keymap.ScaleWorkload, "its Deployment web decides"},
		{agent, keymap.ScaleWorkload, "a DaemonSet has no replicas to scale: it follows its nodes"},
		{run, keymap.ScaleWorkload, "a Job has no replicas"}, {workload("web", scalerOf("web")), keymap.ScaleWorkload,
			"scale Deployment web"},
		{web, keymap.RestartWorkload, ""}, {agent, keymap.RestartWorkload, ""}, {keeps, keymap.RestartWorkload, ""},
		{own, keymap.RestartWorkload, "no rollout to restart"}, {paused, keymap.RestartWorkload, "resume it first"},
		{agent, keymap.RollBackWorkload, ""}, {nightly, keymap.RollBackWorkload, "no rollout to roll back"},
		{paused, keymap.RollBackWorkload, "resume it first"},
		{web, keymap.PauseWorkload, ""}, {paused, keymap.PauseWorkload, "is paused already"},
		{off, keymap.PauseWorkload, "is suspended already"},
		{keeps, keymap.PauseWorkload, "only a Deployment and a CronJob can"},
		{paused, keymap.ResumeWorkload, ""}, {off, keymap.ResumeWorkload, ""}, {web, keymap.ResumeWorkload, "web is not paused"},
		{nightly, keymap.ResumeWorkload, "nightly is not suspended"}, {agent, keymap.ResumeWorkload, "only a Deployment"},
		{deletes, keymap.RetainClaims, ""}, {keeps, keymap.RetainClaims, "whenScaled is Retain"},
		{web, keymap.RetainClaims, "only a StatefulSet has"},
	} {
		f := newFeed(kube.Moment{Now: noon}, c.row)
		v := NewWorkloads(f, nil)
		f.publish(v)
		got := v.Why(c.key)
		if (got == "") != (c.want == "") || !strings.Contains(got, c.want) {
			t.Errorf("%s on %s: %q, want %q", c.key, c.row.FullKind(), got, c.want)
		}
	}
}

func TestWhatIsPausedOrSuspendedIsANoticeAndFoundByThat(t *testing.T) {
	rows := []*kube.Workload{
		workload("web", deploymentOf(1, 1, 1)), workload("held", pausedOne(deploymentOf(1, 1, 1))),
		workload("nightly", cronOf(false)), workload("off", cronOf(true)),
	}
	f := newFeed(kube.Moment{Now: noon}, rows...)
	v := NewWorkloads(f, nil)
	f.publish(v)
	got := plainly(v, Size{100, 8})
	for _, want := range []string{"○ Deploy   shop/held", "○ CronJob  shop/off", "· Deploy   shop/web"} {
		if !strings.Contains(got, want) {
			t.Errorf("the pane does not say %q:\n%s", want, got)
		}
	}
	for word, want := range map[string]string{"paused": "held", "suspended": "off", "PAUSED": "held"} {
		v.Handle(Query{word})
		f.publish(v)
		if shown := strings.TrimSpace(f.shown()); shown != want {
			t.Errorf("%q finds %q, want %q", word, shown, want)
		}
	}
}

func TestKindsThatAreMissingAreNamed(t *testing.T) {
	m, rows := incidentOfWorkloads()
	f := newFeed(m, rows...)
	f.state.Missing, f.state.MissingKinds = errors.New("no such API"), kube.CronJobs|kube.Jobs
	v := NewWorkloads(f, nil)
	f.publish(v)
	if got := plainly(v, Size{100, 4}); !strings.Contains(got, "3 not ok of 6 · not there: jobs and cronjobs") {
		t.Errorf("the head is %q", strings.SplitN(got, "\n", 2)[0])
	}
}

func TestDetailsOfEveryKindOfWorkload(t *testing.T) {
	m, rows := incidentOfWorkloads()
	rows = append(rows, workload("run", &batchv1.Job{}), workload("agent", &appsv1.DaemonSet{}), workload("rs", replicaSetOf("web")))
	f := newFeed(m, rows...)
	v := NewWorkloads(f, nil)
	f.publish(v)
	for _, r := range rows {
		d, ok := v.Details(r.UID, noon)
		if !ok || d.Copy != "shop/"+r.Name || d.Facts[0].Value != r.Kind.Kind() {
			t.Errorf("%s: %+v", r.FullKind(), d)
		}
		for _, fact := range d.Facts {
			if fact.Value == "" {
				t.Errorf("%s: nothing is said of %q", r.FullKind(), fact.Name)
			}
		}
	}
}
