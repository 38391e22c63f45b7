package kube

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/util/intstr"
)

func earlier(d time.Duration) metav1.Time { return metav1.NewTime(someDay.Add(-d)) }

func metaOf(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: "uid", CreationTimestamp: earlier(212 * 24 * time.Hour)}
}

func controlledBy(kind, name string) []metav1.OwnerReference {
	return []metav1.OwnerReference{{Kind: kind, Name: name, Controller: new(true)}}
}

func statefulSet(desired, ready, updated, current int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{ObjectMeta: metaOf("cart"), Spec: appsv1.StatefulSetSpec{Replicas: &desired},
		Status: appsv1.StatefulSetStatus{
			Replicas: current, ReadyReplicas: ready, AvailableReplicas: ready, UpdatedReplicas: updated, CurrentRevision: "a",
			UpdateRevision: "a"}}
}

func parallel(s *appsv1.StatefulSet) *appsv1.StatefulSet {
	s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement
	return s
}

func deployment(desired, ready, updated int32, conditions ...appsv1.DeploymentCondition) *appsv1.Deployment {
	return &appsv1.Deployment{ObjectMeta: metaOf("web"), Spec: appsv1.DeploymentSpec{Replicas: &desired}, Status: appsv1.DeploymentStatus{
		Replicas: desired, ReadyReplicas: ready, AvailableReplicas: ready, UpdatedReplicas: updated, Conditions: conditions}}
}

func stuckAt(reason, message string) appsv1.DeploymentCondition {
	kind, status := appsv1.DeploymentProgressing, corev1.ConditionFalse
	if reason == "FailedCreate" {
		kind, status = appsv1.DeploymentReplicaFailure, corev1.ConditionTrue
	}
	return appsv1.DeploymentCondition{Type: kind, Status: status, Reason: reason, Message: message}
}

func pausedAt(d *appsv1.Deployment) *appsv1.Deployment {
	d.Spec.Paused = true
	return d
}

func daemons(desired, ready, updated int32) *appsv1.DaemonSet {
	return &appsv1.DaemonSet{ObjectMeta: metaOf("agent"), Status: appsv1.DaemonSetStatus{
		DesiredNumberScheduled: desired, CurrentNumberScheduled: desired, NumberReady: ready, NumberAvailable: ready,
		UpdatedNumberScheduled: updated}}
}

func replicaSet(desired, current, ready int32, owner string) *appsv1.ReplicaSet {
	r := &appsv1.ReplicaSet{ObjectMeta: metaOf("web-65bcd"), Spec: appsv1.ReplicaSetSpec{Replicas: &desired},
		Status: appsv1.ReplicaSetStatus{Replicas: current, ReadyReplicas: ready, AvailableReplicas: ready}}
	if owner != "" {
		r.OwnerReferences = controlledBy("Deployment", owner)
	}
	return r
}

func job(succeeded int32, conditions ...batchv1.JobCondition) *batchv1.Job {
	return &batchv1.Job{ObjectMeta: metaOf("report-29394180"), Spec: batchv1.JobSpec{Completions: new(int32(1))},
		Status: batchv1.JobStatus{Succeeded: succeeded, Active: 1 - succeeded, Conditions: conditions}}
}

// between is a Job that has no pod now, and had some that failed.
func between(j *batchv1.Job, failed int32) *batchv1.Job {
	j.Status.Active, j.Status.Failed = 0, failed
	return j
}

func failedJob(ago time.Duration) *batchv1.Job {
	return job(0, batchv1.JobCondition{Type: batchv1.JobFailed, Status: corev1.ConditionTrue, Reason: "BackoffLimitExceeded",
		LastTransitionTime: earlier(ago)})
}

func autoscaler(conditions ...autoscalingv2.HorizontalPodAutoscalerCondition) *autoscalingv2.HorizontalPodAutoscaler {
	cpu := func(n int32) *int32 { return &n }
	return &autoscalingv2.HorizontalPodAutoscaler{
		ObjectMeta: metaOf("web"),
		Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
			ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{Kind: "Deployment", Name: "web"}, MinReplicas: cpu(2),
			MaxReplicas: 10,
			Metrics: []autoscalingv2.MetricSpec{{Resource: &autoscalingv2.ResourceMetricSource{
				Name: "cpu", Target: autoscalingv2.MetricTarget{AverageUtilization: cpu(70)}}}},
		},
		Status: autoscalingv2.HorizontalPodAutoscalerStatus{
			CurrentReplicas: 10, DesiredReplicas: 10, Conditions: conditions,
			CurrentMetrics: []autoscalingv2.MetricStatus{{Resource: &autoscalingv2.ResourceMetricStatus{
				Name: "cpu", Current: autoscalingv2.MetricValueStatus{AverageUtilization: cpu(92)}}}},
		},
	}
}

func scaling(kind autoscalingv2.HorizontalPodAutoscalerConditionType, status corev1.ConditionStatus,
	reason string) autoscalingv2.HorizontalPodAutoscalerCondition {
	return autoscalingv2.HorizontalPodAutoscalerCondition{Type: kind, Status: status, Reason: reason}
}

func budget(expected, healthy, needed, allowed int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{ObjectMeta: metaOf("cart-pdb"),
		Spec: policyv1.PodDisruptionBudgetSpec{MinAvailable: new(intstr.FromInt32(needed))},
		Status: policyv1.PodDisruptionBudgetStatus{ExpectedPods: expected, CurrentHealthy: healthy, DesiredHealthy: needed,
			DisruptionsAllowed: allowed}}
}

func cronJob(suspended bool) *batchv1.CronJob {
	return &batchv1.CronJob{ObjectMeta: metaOf("report"), Spec: batchv1.CronJobSpec{Schedule: "*/30 * * * *", Suspend: &suspended}}
}

func goingSince(o *appsv1.Deployment, ago time.Duration, finalizers ...string) *appsv1.Deployment {
	at := earlier(ago)
	o.DeletionTimestamp, o.Finalizers = &at, finalizers
	return o
}

// unseen is an object that has just been made.
func unseen[T interface {
	runtime.Object
	SetGeneration(int64)
}](o T) T {
	o.SetGeneration(1)
	return o
}

// What the object itself tells, without any pod.
func TestReasonsThatTheObjectTells(t *testing.T) {
	quota := `pods "web-1" is forbidden: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2`
	webhook := `Internal error occurred: failed calling webhook "v.example": no endpoints available`
	for _, c := range []struct {
		object             runtime.Object
		ready, updated, is string
		severity           Severity
	}{
		{statefulSet(3, 3, 3, 3), "3/3", "3/3", "-", OK},
		{statefulSet(3, 2, 3, 2), "2/3", "3/3", "cart-2 is not made yet", Warning},
		{parallel(statefulSet(5, 2, 5, 2)), "2/5", "5/5", "3 of 5 pods not made yet", Warning},
		{statefulSet(3, 0, 3, 3), "0/3", "3/3", "3 not ready", Bad},
		{statefulSet(5, 5, 2, 5), "5/5", "2/5", "rollout: 2 of 5 updated", Notice},
		{statefulSet(0, 0, 0, 0), "0/0", "0/0", "scaled to 0", OK},
		{deployment(3, 3, 3), "3/3", "3/3", "-", OK},
		{deployment(3, 0, 3, stuckAt("FailedCreate", quota)), "0/3", "3/3",
			"cannot create pods: exceeded quota: q, requested: pods=1, used: pods=2, limited: pods=2", Bad},
		{deployment(3, 2, 3, stuckAt("FailedCreate", webhook)), "2/3", "3/3",
			`cannot create pods: failed calling webhook "v.example": no endpoints available`, Warning},
		{deployment(5, 5, 2, stuckAt("ProgressDeadlineExceeded", "too late")), "5/5", "2/5", "rollout stands at 2 of 5", Warning},
		{pausedAt(deployment(5, 5, 2)), "5/5", "2/5", "paused", Notice},
		{pausedAt(deployment(5, 5, 5)), "5/5", "5/5", "paused", Notice},
		{pausedAt(deployment(0, 0, 0)), "0/0", "0/0", "paused", Notice},
		{pausedAt(deployment(5, 5, 5, appsv1.DeploymentCondition{
			Type: appsv1.DeploymentProgressing, Status: corev1.ConditionUnknown, Reason: "DeploymentPaused",
		})), "5/5", "5/5", "paused", Notice},
		{pausedAt(deployment(5, 4, 2)), "4/5", "2/5", "1 not ready; paused", Warning},
		{goingSince(deployment(1, 1, 1), time.Second, "foregroundDeletion"), "1/1", "1/1", "being deleted: waits for what it owns", Notice},
		{goingSince(deployment(1, 1, 1), time.Hour, "example.com/x"), "1/1", "1/1",
			"being deleted: waits for finalizer example.com/x", Warning},
		{daemons(150, 149, 150), "149/150", "150/150", "1 not ready", Warning},
		{daemons(0, 0, 0), "0/0", "0/0", "no node wants it", OK},
		{replicaSet(3, 3, 0, ""), "0/3", "-", "3 not ready", Bad},
		{replicaSet(3, 3, 0, "web"), "0/3", "-", "3 not ready", Notice},
		{job(1, batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue,
			LastTransitionTime: earlier(time.Hour)}), "1/1", "-", "-", OK},
		{job(0), "0/1", "-", "runs", OK},
		{between(job(0), 2), "0/1", "-", "2 pods failed, the next is to come", OK},
		{between(job(0), 0), "0/1", "-", "not started yet", OK},
		{failedJob(time.Hour), "0/1", "-", "failed: BackoffLimitExceeded", Warning},
		{failedJob(25 * time.Hour), "0/1", "-", "failed: BackoffLimitExceeded", OK},
		{cronJob(false), "-", "-", "-", OK},
		{cronJob(true), "-", "-", "suspended", Notice},
		{autoscaler(), "10/10", "-", "-", OK},
		{autoscaler(scaling("ScalingLimited", "True", "TooManyReplicas")), "10/10", "-", "at max, cpu 92% (goal 70)", Notice},
		{autoscaler(scaling("ScalingLimited", "True", "TooFewReplicas")), "10/10", "-", "-", OK},
		{autoscaler(scaling("ScalingLimited", "False", "DesiredWithinRange"), scaling("AbleToScale", "True", "ReadyForNewScale")),
			"10/10", "-", "-", OK},
		{autoscaler(scaling("ScalingActive", "False", "FailedGetResourceMetric")), "10/10", "-",
			"cannot read its metric: FailedGetResourceMetric", Warning},
		{autoscaler(scaling("ScalingActive", "False", "ScalingDisabled")), "10/10", "-", "off: its target is scaled to 0", Notice},
		{autoscaler(scaling("AbleToScale", "False", "FailedGetScale")), "10/10", "-", "cannot read Deployment web: FailedGetScale",
			Warning},
		{budget(3, 3, 2, 1), "3/3", "-", "-", OK},
		{budget(3, 2, 2, 0), "2/3", "-", "allows 0: 2 healthy, min 2", Warning},
		{budget(3, 3, 3, 0), "3/3", "-", "allows 0: 3 healthy, min 3", Notice},
		{budget(0, 0, 2, 0), "0/0", "-", "no pods match", OK},
		{unseen(budget(0, 0, 0, 0)), "0/0", "-", "its controller has not seen it yet", OK},
		{unseen(daemons(0, 0, 0)), "0/0", "0/0", "its controller has not seen it yet", OK},
	} {
		w, m := NewWorkload(c.object), Moment{Now: someDay}
		if w.ReadyText() != c.ready || w.UpdatedText() != c.updated || w.Why(m) != c.is || w.Severity(m) != c.severity {
			t.Errorf("%s: ready %s, updated %s, %q, %s; want %s, %s, %q, %s", w.FullKind(),
				w.ReadyText(), w.UpdatedText(), w.Why(m), w.Severity(m), c.ready, c.updated, c.is, c.severity)
		}
		if w.Severity(m) >= Warning && len(w.Diagnosis(m)) == 0 {
			t.Errorf("%s has no diagnosis", w.FullKind())
		}
	}
}

func TestOldReplicaSetsOfADeploymentHaveNoRow(t *testing.T) {
	for o, want := range map[*appsv1.ReplicaSet]bool{
		replicaSet(0, 0, 0, "web"): false, replicaSet(0, 1, 0, "web"): true, replicaSet(1, 0, 0, "web"): true,
		replicaSet(0, 0, 0, ""): true,
	} {
		if got := NewWorkload(o) != nil; got != want {
			t.Errorf("%d desired, %d there, owner %v: row %v", *o.Spec.Replicas, o.Status.Replicas, o.OwnerReferences, got)
		}
	}
}

func TestNewWorkloadIsGivenTimeToStart(t *testing.T) {
	d := deployment(3, 0, 3)
	d.CreationTimestamp = earlier(10 * time.Second)
	w := NewWorkload(d)
	rank, until := w.Badness(Moment{Now: someDay})
	if workloadSeverity(rank) != Notice || !until.Equal(d.CreationTimestamp.Add(startAllowance)) {
		t.Errorf("rank %d until %v", rank, until)
	}
	if got := w.Severity(Moment{Now: until}); got != Bad {
		t.Errorf("then it is %s", got)
	}
}

// Its pods may have been made a while after it: they do not delay the moment at which it has had time enough.
func TestWorkloadWhosePodsAreYoungerThanItIsJudgedAgainInTime(t *testing.T) {
	d := deployment(1, 0, 1)
	d.CreationTimestamp = earlier(startAllowance - 5*time.Second)
	w := NewWorkload(d)
	pods := (&ailing{kind: "ReplicaSet", owner: d.Name + "-65bcd"}).add(1, starting).pods
	m := Moment{Now: someDay, Ailing: map[Owner][]*Pod{w.identity(): pods}}
	rank, until := w.Badness(m)
	if want := d.CreationTimestamp.Add(startAllowance); rank != workMoving || !until.Equal(want) {
		t.Errorf("rank %d until %v, want %v", rank, until, want)
	}
	if m.Now = until; w.Severity(m) != Warning {
		t.Errorf("then it is %s", w.Severity(m))
	}
}

// ailing makes pods of a workload, each of which is not well in its way.
type ailing struct {
	kind, owner string
	pods        []*Pod
}

func (a *ailing) add(n int, change func(*Pod)) *ailing {
	for range n {
		p := &Pod{
			Namespace: "shop", Name: fmt.Sprintf("%s-%d", a.owner, len(a.pods)), OwnerKind: a.kind, OwnerName: a.owner, Node: "worker-01",
			Status: "Running", Phase: corev1.PodRunning, Created: someDay.Add(-time.Hour), StateSince: someDay.Add(-time.Hour),
			Containers: 1, Unready: true, Scheduled: true,
		}
		change(p)
		a.pods = append(a.pods, p)
	}
	return a
}

func unready(*Pod) {}

func crashing(p *Pod) {
	p.Status, p.Restarts = "CrashLoopBackOff", 7
	p.Why = &Evidence{Waiting: "CrashLoopBackOff", Exited: true, ExitCode: 1, ExitReason: "Error"}
}

func outOfMemory(p *Pod) {
	p.Status, p.Restarts = "CrashLoopBackOff", 41
	p.Why = &Evidence{Waiting: "CrashLoopBackOff", Exited: true, ExitCode: 137, ExitReason: "OOMKilled"}
}

func pulling(status string) func(*Pod) {
	return func(p *Pod) { p.Status, p.Phase = status, corev1.PodPending }
}

func homeless(p *Pod) {
	p.Status, p.Phase, p.Node, p.Scheduled = "Pending", corev1.PodPending, "", false
	p.Why = &Evidence{SchedulerSays: "Unschedulable", Message: "0/3 nodes are available: 3 Insufficient memory."}
}

func on(node string) func(*Pod) { return func(p *Pod) { p.Node = node } }

func leavingFrom(node string) func(*Pod) {
	return func(p *Pod) {
		p.Node, p.Ready, p.Unready, p.Status = node, 1, false, "Terminating"
		p.Deletion = &Deletion{At: someDay.Add(-time.Hour)}
	}
}

func starting(p *Pod) {
	p.Status, p.Phase, p.StateSince = "ContainerCreating", corev1.PodPending, someDay.Add(-10*time.Second)
}

func evicted(p *Pod) {
	p.Status, p.Phase, p.Why = "Evicted", corev1.PodFailed, &Evidence{StatusReason: "Evicted"}
}

// The pods tell why, and are grouped by what they have in common.
func TestReasonsThatThePodsTell(t *testing.T) {
	pods := func(kind, owner string) *ailing { return &ailing{kind: kind, owner: owner} }
	web, cart := func() *ailing { return pods("ReplicaSet", "web-65bcd") }, func() *ailing { return pods("StatefulSet", "cart") }
	agent, report := func() *ailing { return pods("DaemonSet", "agent") }, func() *ailing { return pods("Job", "report-29394180") }
	for _, c := range []struct {
		object   runtime.Object
		pods     *ailing
		want     string
		severity Severity
	}{
		{deployment(3, 0, 3), web().add(3, crashing), "3 CrashLoopBackOff, exit 1", Bad},
		{deployment(4, 3, 4), web().add(1, outOfMemory), "OOMKilled x41", Warning},
		{deployment(9, 7, 9), web().add(2, outOfMemory), "2 OOMKilled", Warning},
		{deployment(10, 7, 10), web().add(2, on("worker-07")).add(1, unready), "2 on worker-07, 1 unready", Warning},
		{deployment(6, 5, 6), web().add(1, on("worker-07")), "1 on worker-07", Warning},
		{deployment(9, 3, 9), web().add(2, on("worker-07")).add(2, on("gpu-03")).add(2, on("gone-01")),
			"6 on 3 nodes that are not ready", Warning},
		{deployment(9, 7, 9), web().add(1, pulling("ErrImagePull")).add(1, pulling("ImagePullBackOff")), "2 ImagePullBackOff", Warning},
		{deployment(9, 5, 9), web().add(1, homeless).add(1, unready).add(2, crashing),
			"2 CrashLoopBackOff, exit 1, 1 has no node, …", Warning},
		{deployment(5, 3, 5), web().add(2, starting), "2 starting", Notice},
		{deployment(5, 4, 5), web().add(9, evicted).add(1, unready), "1 unready", Warning},
		{deployment(5, 4, 5), web().add(2, evicted), "2 failed: Evicted", Warning},
		{deployment(5, 5, 5), web().add(2, evicted), "-", OK},
		{deployment(5, 5, 5), web().add(2, leavingFrom("worker-07")), "2 stuck terminating on worker-07", Notice},
		{deployment(5, 5, 2, stuckAt("ProgressDeadlineExceeded", "")), web().add(1, pulling("ImagePullBackOff")),
			"ImagePullBackOff; rollout stands at 2 of 5", Warning},
		{replicaSet(3, 3, 2, "web"), web().add(1, crashing), "CrashLoopBackOff, exit 1", Notice},
		{parallel(statefulSet(3, 2, 3, 3)), cart().add(1, on("worker-07")), "cart-0: node not ready", Warning},
		{parallel(statefulSet(3, 2, 3, 3)), cart().add(1, leavingFrom("worker-07")), "cart-0: node not ready", Warning},
		{parallel(statefulSet(6, 5, 6, 6)), cart().add(1, homeless), "cart-0 has no node", Warning},
		{statefulSet(3, 0, 1, 1), cart().add(1, unready), "waits for cart-0 (OrderedReady)", Bad},
		{statefulSet(3, 0, 1, 1), cart().add(1, crashing), "cart-0: CrashLoopBackOff, exit 1; 2 wait", Bad},
		{daemons(9, 7, 9), agent().add(1, on("worker-07")).add(1, on("gpu-03")), "worker-07, gpu-03", Warning},
		{daemons(9, 8, 9), agent().add(1, crashing), "CrashLoopBackOff, exit 1", Warning},
		{job(0), report().add(1, pulling("ImagePullBackOff")), "ImagePullBackOff", Warning},
		{job(0), report().add(1, starting), "runs", OK},
	} {
		cluster := &Cluster{}
		for _, p := range c.pods.pods {
			cluster.ailingMoved(nil, p)
		}
		m := Moment{Now: someDay, NodesKnown: true, Ailing: cluster.ailing.of, Nodes: map[string]NodeState{
			"worker-01": {Ready: true}, "worker-07": {Silent: true}, "gpu-03": {},
		}}
		w := NewWorkload(c.object)
		if got := w.Why(m); got != c.want || w.Severity(m) != c.severity {
			t.Errorf("%s %s: %q (%s), want %q (%s)", w.Kind.Kind(), w.ReadyText(), got, w.Severity(m), c.want, c.severity)
		}
		if got := w.Diagnosis(m); c.severity >= Warning && !strings.Contains(strings.Join(got, " "), c.pods.owner+"-") {
			t.Errorf("%s: no pod is named in %q", w.Kind.Kind(), got)
		}
		if c.want != "-" && !w.Matches(strings.ToLower(c.want), m) {
			t.Errorf("a filter does not find %q", c.want)
		}
	}
}

// The pod that fails is the cause; that its rollout is late because of it comes behind.
func TestDiagnosisNamesThePodBeforeTheRolloutThatIsLate(t *testing.T) {
	cluster := &Cluster{}
	for _, p := range (&ailing{kind: "ReplicaSet", owner: "web-65bcd"}).add(1, crashing).pods {
		cluster.ailingMoved(nil, p)
	}
	m := Moment{Now: someDay, Ailing: cluster.ailing.of}
	lines := NewWorkload(deployment(1, 0, 1, stuckAt("ProgressDeadlineExceeded", "web-65bcd has timed out"))).Diagnosis(m)
	if len(lines) != 2 || !strings.HasPrefix(lines[0], "web-65bcd-0: CrashLoopBackOff") ||
		!strings.HasSuffix(lines[1], ": web-65bcd has timed out") {
		t.Errorf("%q", lines)
	}
}

func TestCronJobTellsOfItsNewestRun(t *testing.T) {
	run := func(name string, o *batchv1.Job, ago time.Duration) *Workload {
		o.Name, o.UID, o.CreationTimestamp, o.OwnerReferences = name, "", earlier(ago), controlledBy("CronJob", "report")
		return NewWorkload(o)
	}
	well := func() *batchv1.Job {
		return job(1, batchv1.JobCondition{Type: batchv1.JobComplete, Status: corev1.ConditionTrue,
			LastTransitionTime: earlier(time.Minute)})
	}
	old, newer := run("report-1", failedJob(time.Hour), 2*time.Hour), run("report-2", well(), time.Hour)
	last, running := run("report-3", failedJob(time.Minute), time.Minute), run("report-4", job(0), time.Second)
	for _, c := range []struct {
		runs []*Workload
		want string
	}{
		{nil, "-"}, {[]*Workload{old}, "last run failed: BackoffLimitExceeded"}, {[]*Workload{newer, old}, "-"},
		{[]*Workload{old, last, newer, running}, "last run failed: BackoffLimitExceeded"},
	} {
		w := NewWorkload(cronJob(false))
		m := Moment{Now: someDay, Runs: map[Owner][]*Workload{w.identity(): c.runs}}
		if got := w.Why(m); got != c.want {
			t.Errorf("%d runs: %q, want %q", len(c.runs), got, c.want)
		}
	}
}

func TestWordsFromTheClusterAreCleaned(t *testing.T) {
	d := deployment(3, 0, 3, stuckAt("FailedCreate", "pods is forbidden: \x1b[31m"+strings.Repeat("long ", 100)))
	d.Name, d.Namespace = "w\x1beb", "sh\x07op"
	d.Finalizers, d.OwnerReferences = []string{"a\x1b"}, controlledBy("K\x1b", "n\x9b")
	d.Annotations = map[string]string{revisionAnnotation: "7\x1b"}
	w, m := NewWorkload(d), Moment{Now: someDay}
	for _, s := range append(w.Diagnosis(m), w.Why(m), w.Name, w.Namespace, w.OwnerKind, w.OwnerName, w.Revision, w.FullKind()) {
		if strings.ContainsAny(s, "\x1b\x07\u009b") {
			t.Errorf("%q is not clean", s)
		}
	}
}
