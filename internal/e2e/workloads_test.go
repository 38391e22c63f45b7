package e2e

import (
	"cmp"
	"context"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/util/intstr"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"ktriage/internal/text"
	"ktriage/kube"
)

// works is somebody who looks at the workloads of a cluster.
type works struct {
	t    *testing.T
	on   *cluster
	kube *kube.Cluster
	feed *kube.Feed[*kube.Workload]
}

// look connects as the program does, and waits until all workloads have been read.
func (c *cluster) look(t *testing.T) *works {
	t.Helper()
	flags, kubeconfig := genericclioptions.NewConfigFlags(true), c.kubeconfig()
	flags.KubeConfig = &kubeconfig
	cl, err := kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: "ktriage-e2e/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	w := &works{t: t, on: c, kube: cl, feed: cl.WorkloadFeed()}
	w.feed.SetQuery(kube.Query[*kube.Workload]{Tie: func(a, b *kube.Workload) int {
		return cmp.Or(strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name), cmp.Compare(a.Kind, b.Kind),
			strings.Compare(a.UID, b.UID))
	}})
	cl.Start(t.Context(), kube.Nodes|kube.Pods|kube.Workloads)
	await(t, "the first reading of all workloads", soon, func() bool { return w.feed.Load().State.Phase == kube.Live })
	if st := w.feed.Load().State; st.Missing != nil {
		t.Fatalf("missing: %s: %v", st.MissingWhat(), st.Missing)
	}
	return w
}

// row is the workload of that kind and name as the newest snapshot has it, nil if it has none.
func (w *works) row(kind kube.Kinds, namespace, name string) (*kube.Workload, kube.Moment) {
	s := w.feed.Load()
	m := s.Moment
	m.Now = time.Now()
	for i := range s.Len() {
		if r := s.Row(i); r.Kind == kind && r.Namespace == namespace && r.Name == name {
			return r, m
		}
	}
	return nil, m
}

// why waits until the reason of a workload contains that, and its severity is that: which pods share the silent node is the
// scheduler's choice. A pod that does not start counts only when its first minute is over, which begins when its controller has
// come to make it.
func (w *works) why(kind kube.Kinds, namespace, name, want string, severity kube.Severity) {
	w.t.Helper()
	got := "no row"
	holds := func() bool {
		r, m := w.row(kind, namespace, name)
		if r == nil {
			return false
		}
		got = r.Why(m) + " (" + r.Severity(m).String() + ")"
		return strings.Contains(r.Why(m), want) && r.Severity(m) == severity
	}
	if !within(time.Minute+soon, holds) {
		w.t.Errorf("%s %s/%s: %q, want %q (%s)", kind.Kind(), namespace, name, got, want, severity)
		return
	}
	r, m := w.row(kind, namespace, name)
	w.t.Logf("%-7s %-24s %6s  %s\n\t%s", r.KindText(), r.Name, r.ReadyText(), r.Why(m), strings.Join(r.Diagnosis(m), "\n\t"))
}

// figures are those of ktriage, by column of kubectl, of all rows of one kind.
func (w *works) figures(kind kube.Kinds) map[string]map[string]any {
	s, now := w.feed.Load(), time.Now()
	out := map[string]map[string]any{}
	for i := range s.Len() {
		r := s.Row(i)
		if r.Kind != kind {
			continue
		}
		f := map[string]any{"age": text.Age(now, r.Created), "ready": r.ReadyText(), "allowed": r.AllowsText(), "revision": r.Revision}
		for name, n := range map[string]int32{
			"desired": r.Desired, "readyPods": r.Ready, "updated": r.Updated, "available": r.Available, "current": r.Current,
		} {
			f[name] = strconv.Itoa(int(n))
		}
		if r.Scaler != nil {
			f["reference"] = r.Scaler.TargetKind + "/" + r.Scaler.TargetName
			f["min"], f["max"] = strconv.Itoa(int(r.Scaler.Min)), strconv.Itoa(int(r.Scaler.Max))
		}
		if r.Schedule != nil {
			f["suspend"], f["last"] = map[bool]string{true: "True", false: "False"}[r.Paused], "<none>"
			if !r.Schedule.Last.IsZero() {
				f["last"] = text.Age(now, r.Schedule.Last)
			}
			f["schedule"], _, _ = strings.Cut(r.Schedule.Cron, " Etc")
		}
		if r.Run != nil {
			f["status"] = jobStatus(r)
		}
		out["/"+r.Namespace+"/"+r.Name] = f
	}
	return out
}

// jobStatus is the STATUS column of `kubectl get jobs` for the states that a row tells apart.
func jobStatus(r *kube.Workload) string {
	switch {
	case len(r.Hitches) > 0:
		return "Failed"
	case !r.Run.Complete.IsZero():
		return "Complete"
	case r.Paused:
		return "Suspended"
	}
	return "Running"
}

func TestEveryWorkloadIsAsKubectlHasIt(t *testing.T) {
	w := incident.look(t)
	age := [2]string{"AGE", "age"}
	for _, c := range []struct {
		kind    kube.Kinds
		name    string
		columns [][2]string
	}{
		{kube.StatefulSets, "sts", [][2]string{{"READY", "ready"}, age}},
		{kube.Deployments, "deploy", [][2]string{{"READY", "ready"}, {"UP-TO-DATE", "updated"}, {"AVAILABLE", "available"}, age}},
		{kube.DaemonSets, "ds", [][2]string{
			{"DESIRED", "desired"}, {"CURRENT", "current"}, {"READY", "readyPods"}, {"UP-TO-DATE", "updated"},
			{"AVAILABLE", "available"}, age}},
		{kube.ReplicaSets, "rs", [][2]string{{"DESIRED", "desired"}, {"CURRENT", "current"}, {"READY", "readyPods"}, age}},
		{kube.Jobs, "job", [][2]string{{"STATUS", "status"}, {"COMPLETIONS", "ready"}, age}},
		{kube.CronJobs, "cronjob", [][2]string{
			{"SCHEDULE", "schedule"}, {"SUSPEND", "suspend"}, {"ACTIVE", "readyPods"}, {"LAST SCHEDULE", "last"}, age}},
		{kube.Autoscalers, "hpa", [][2]string{{"REFERENCE", "reference"}, {"MINPODS", "min"}, {"MAXPODS", "max"},
			{"REPLICAS", "readyPods"}, age}},
		{kube.Budgets, "pdb", [][2]string{{"ALLOWED DISRUPTIONS", "allowed"}, age}},
	} {
		t.Run(c.name, func(t *testing.T) {
			compare(t,
				func() map[string]row {
					return columns(t, incident.kubectl(t, "get", c.name, "-A"), "NAMESPACE", "NAME")
				},
				func() map[string]map[string]any { return w.figures(c.kind) },
				func(k row, o map[string]any) string { return mismatch(k, o, c.columns) })
		})
	}
}

// What kubectl does not print in its tables: how many pods of a set are of its newest revision, and how many are healthy.
func TestUpdatedPodsAreThoseOfTheObject(t *testing.T) {
	w := incident.look(t)
	for _, c := range []struct {
		kind         kube.Kinds
		name, custom string
		columns      [][2]string
	}{
		{kube.StatefulSets, "sts", "UPDATED:.status.updatedReplicas,AVAILABLE:.status.availableReplicas",
			[][2]string{{"UPDATED", "updated"}, {"AVAILABLE", "available"}}},
		{kube.Budgets, "pdb", "HEALTHY:.status.currentHealthy,EXPECTED:.status.expectedPods",
			[][2]string{{"HEALTHY", "readyPods"}, {"EXPECTED", "desired"}}},
		{kube.Deployments, "deploy", `REVISION:.metadata.annotations.deployment\.kubernetes\.io/revision`,
			[][2]string{{"REVISION", "revision"}}},
	} {
		t.Run(c.name, func(t *testing.T) {
			compare(t,
				func() map[string]row {
					return columns(t, incident.kubectl(t, "get", c.name, "-A", "-o",
						"custom-columns=NAMESPACE:.metadata.namespace,NAME:.metadata.name,"+c.custom), "NAMESPACE", "NAME")
				},
				func() map[string]map[string]any { return w.figures(c.kind) },
				func(k row, o map[string]any) string { return mismatch(k, o, c.columns) })
		})
	}
}

func TestWorkloadsOfTheIncidentAreExplained(t *testing.T) {
	w := incident.look(t)
	w.why(kube.StatefulSets, "shop", "cart", "cart-2: ", kube.Warning) // unready, or on the node that is not: the scheduler decides
	w.why(kube.Budgets, "shop", "cart-pdb", "allows 0: ", kube.Warning)
	w.why(kube.Budgets, "shop", "sessions-pdb", "allows 0: 3 healthy, needs 3", kube.Notice)
	w.why(kube.Deployments, "platform", "mailer", "2 ContainerCreating", kube.Bad)
	w.why(kube.Deployments, "payments", "ledger", "OOMKilled", kube.Bad)
	w.why(kube.Deployments, "batch", "report", "ImagePullBackOff", kube.Bad)
	w.why(kube.Deployments, "search", "embedder", "1 unready", kube.Bad)
	w.why(kube.Deployments, "shop", "checkout", "3 CrashLoopBackOff, exit 1", kube.Bad)
	w.why(kube.Deployments, "shop", "web", "stuck terminating on worker-07", kube.Notice)
	w.why(kube.DaemonSets, "kube-system", "cilium", "worker-07", kube.Warning)
	w.why(kube.Jobs, "batch", "import-feed", "failed: BackoffLimitExceeded", kube.Warning)
	w.why(kube.CronJobs, "payments", "billing-reconcile", "suspended", kube.Notice)
	for i, s := 0, w.feed.Load(); i < s.Len(); i++ {
		r, m := s.Row(i), s.Moment
		m.Now = time.Now()
		if r.Severity(m) >= kube.Warning && r.Why(m) == "-" {
			t.Errorf("%s is %s, and nothing says why", r.FullKind(), r.Severity(m))
		}
		if r.Severity(m) > kube.OK {
			t.Logf("%-8s %-7s %-32s %6s  %s", r.Severity(m), r.KindText(), r.Namespace+"/"+r.Name, r.ReadyText(), r.Why(m))
		}
	}
}

// scene is a namespace of its own, that a test may do anything to.
func (w *works) scene() string {
	w.t.Helper()
	ns := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "workloads-"}}
	made, err := w.kube.Client().CoreV1().Namespaces().Create(w.t.Context(), ns, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatal(err)
	}
	w.t.Cleanup(func() {
		if err := w.kube.Client().CoreV1().Namespaces().Delete(context.WithoutCancel(w.t.Context()), made.Name,
			metav1.DeleteOptions{}); err != nil {
			w.t.Error(err)
		}
	})
	return made.Name
}

func made[T any](w *works, create func(context.Context, T, metav1.CreateOptions) (T, error), o T) T {
	w.t.Helper()
	out, err := create(w.t.Context(), o, metav1.CreateOptions{})
	if err != nil {
		w.t.Fatalf("create %T: %v", o, err)
	}
	return out
}

// nowhere is the template of pods that no node takes.
func nowhere(name string, requests corev1.ResourceList) corev1.PodTemplateSpec {
	return corev1.PodTemplateSpec{
		ObjectMeta: metav1.ObjectMeta{Labels: map[string]string{"app": name}},
		Spec: corev1.PodSpec{
			NodeSelector: map[string]string{"workloads": "nowhere"}, TerminationGracePeriodSeconds: new(int64(0)),
			Containers: []corev1.Container{{Name: "app", Image: "registry.example/app:1",
				Resources: corev1.ResourceRequirements{Requests: requests}}},
		},
	}
}

func selects(name string) *metav1.LabelSelector {
	return &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}}
}

func named(name string) metav1.ObjectMeta { return metav1.ObjectMeta{Name: name} }

// Every reason below is one that the controllers of a real control plane gave.
func TestReasonsOfWorkloadsAreThoseOfTheirControllers(t *testing.T) {
	w := stages.look(t)
	ns := w.scene()
	apps, batch := w.kube.Client().AppsV1(), w.kube.Client().BatchV1()

	made(w, apps.StatefulSets(ns).Create, &appsv1.StatefulSet{ObjectMeta: named("ordered"), Spec: appsv1.StatefulSetSpec{
		Replicas: new(int32(3)), Selector: selects("ordered"), Template: nowhere("ordered", nil)}})
	paused := made(w, apps.Deployments(ns).Create, &appsv1.Deployment{ObjectMeta: named("paused"), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(0)), Paused: true, Selector: selects("paused"), Template: nowhere("paused", nil)}})
	made(w, apps.Deployments(ns).Create, &appsv1.Deployment{ObjectMeta: named("late"), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(1)), ProgressDeadlineSeconds: new(int32(1)), MinReadySeconds: 0, Selector: selects("late"),
		Template: nowhere("late", nil)}})
	held := &appsv1.Deployment{ObjectMeta: named("held"), Spec: appsv1.DeploymentSpec{Replicas: new(int32(0)),
		Selector: selects("held"), Template: nowhere("held", nil)}}
	held.Finalizers = []string{"example.com/backup"}
	made(w, apps.Deployments(ns).Create, held)
	cron := made(w, batch.CronJobs(ns).Create, &batchv1.CronJob{ObjectMeta: named("nightly"), Spec: batchv1.CronJobSpec{
		Schedule: "0 3 1 1 *", JobTemplate: batchv1.JobTemplateSpec{Spec: jobOf(0)}}})
	made(w, batch.CronJobs(ns).Create, &batchv1.CronJob{ObjectMeta: named("off"), Spec: batchv1.CronJobSpec{
		Schedule: "0 3 1 1 *", Suspend: new(true), JobTemplate: batchv1.JobTemplateSpec{Spec: jobOf(0)}}})
	run := &batchv1.Job{ObjectMeta: named("nightly-29000000"), Spec: jobOf(1)}
	run.OwnerReferences = []metav1.OwnerReference{*metav1.NewControllerRef(cron, batchv1.SchemeGroupVersion.WithKind("CronJob"))}
	made(w, batch.Jobs(ns).Create, run)
	made(w, w.kube.Client().PolicyV1().PodDisruptionBudgets(ns).Create,
		&policyv1.PodDisruptionBudget{ObjectMeta: named("nobody"), Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(2)), Selector: selects("nobody")}})
	made(w, w.kube.Client().PolicyV1().PodDisruptionBudgets(ns).Create,
		&policyv1.PodDisruptionBudget{ObjectMeta: named("ordered"), Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: new(intstr.FromInt32(1)), Selector: selects("ordered")}})
	for name, target := range map[string]string{"lost": "missing", "off": "paused"} {
		made(w, w.kube.Client().AutoscalingV2().HorizontalPodAutoscalers(ns).Create, &autoscalingv2.HorizontalPodAutoscaler{
			ObjectMeta: named(name), Spec: autoscalingv2.HorizontalPodAutoscalerSpec{
				ScaleTargetRef: autoscalingv2.CrossVersionObjectReference{APIVersion: "apps/v1", Kind: "Deployment", Name: target},
				MaxReplicas:    3,
			}})
	}

	w.why(kube.StatefulSets, ns, "ordered", "ordered-0 has no node; 2 wait", kube.Bad)
	w.why(kube.Deployments, ns, "paused", "paused", kube.Notice)
	w.why(kube.Deployments, ns, "late", "1 has no node", kube.Bad)
	w.why(kube.CronJobs, ns, "off", "suspended", kube.Notice)
	w.why(kube.Jobs, ns, "nightly-29000000", "failed: DeadlineExceeded", kube.Warning)
	w.why(kube.CronJobs, ns, "nightly", "last run failed: DeadlineExceeded", kube.Warning)
	w.why(kube.Budgets, ns, "nobody", "no pods match", kube.OK)
	w.why(kube.Budgets, ns, "ordered", "allows 0: 0 healthy, min 1", kube.Warning)
	w.why(kube.Autoscalers, ns, "lost", "cannot read Deployment missing: FailedGetScale", kube.Warning)
	w.why(kube.Autoscalers, ns, "off", "off: its target is scaled to 0", kube.Notice)

	if err := apps.Deployments(ns).Delete(t.Context(), "held", metav1.DeleteOptions{}); err != nil {
		t.Fatal(err)
	}
	w.why(kube.Deployments, ns, "held", "being deleted: waits for finalizer example.com/backup", kube.Notice)
	release := []byte(`{"metadata":{"finalizers":null}}`)
	if _, err := apps.Deployments(ns).Patch(t.Context(), "held", "application/merge-patch+json", release,
		metav1.PatchOptions{}); err != nil {
		t.Fatal(err)
	}
	await(t, "the row of a Deployment that is gone goes", soon,
		func() bool { r, _ := w.row(kube.Deployments, ns, "held"); return r == nil })

	w.quota(ns)
	w.rollout(ns, paused)
}

func jobOf(deadline int64) batchv1.JobSpec {
	spec := batchv1.JobSpec{Template: nowhere("run", nil), BackoffLimit: new(int32(0))}
	spec.Template.Labels, spec.Template.Spec.RestartPolicy = nil, corev1.RestartPolicyNever
	if deadline > 0 {
		spec.ActiveDeadlineSeconds = &deadline
	}
	return spec
}

// quota has a Deployment that may not make its pods say so, and its ReplicaSet less loudly.
func (w *works) quota(ns string) {
	w.t.Helper()
	made(w, w.kube.Client().CoreV1().ResourceQuotas(ns).Create, &corev1.ResourceQuota{ObjectMeta: named("none"),
		Spec: corev1.ResourceQuotaSpec{
			Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("1m")}}})
	requests := corev1.ResourceList{"cpu": resource.MustParse("1")}
	// The controller of quotas stands still for up to 30 s while it learns that a CRD of another test has come or gone.
	await(w.t, "the quota counts", soon, func() bool {
		q, err := w.kube.Client().CoreV1().ResourceQuotas(ns).Get(w.t.Context(), "none", metav1.GetOptions{})
		return err == nil && len(q.Status.Hard) > 0
	})
	// The reason is that of the first refusal, and stays when there is another: with a server that enforces the quota, and has not
	// read yet that it counts, it would be "status unknown for quota".
	pod := &corev1.Pod{ObjectMeta: named("first"), Spec: nowhere("first", requests).Spec}
	var said error
	if !within(soon, func() bool {
		_, said = w.kube.Client().CoreV1().Pods(ns).Create(w.t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return said != nil && strings.Contains(said.Error(), "exceeded quota")
	}) {
		w.t.Fatalf("a pod that exceeds the quota is answered with: %v", said)
	}
	d := made(w, w.kube.Client().AppsV1().Deployments(ns).Create, &appsv1.Deployment{ObjectMeta: named("refused"),
		Spec: appsv1.DeploymentSpec{
			Replicas: new(int32(2)), Selector: selects("refused"), Template: nowhere("refused", requests)}})
	const want = "cannot create pods: exceeded quota: none, requested: requests.cpu=1"
	got := "no row"
	if !within(soon, func() bool {
		r, m := w.row(kube.Deployments, ns, "refused")
		if r == nil {
			return false
		}
		got = r.Why(m) + "\n\t" + strings.Join(r.Diagnosis(m), "\n\t")
		return strings.HasPrefix(r.Why(m), want)
	}) {
		w.t.Errorf("Deployment %s/refused: %s\nwant %q", ns, got, want)
	}
	w.t.Logf("Deployment refused: %s", got)
	w.ownedReplicaSet(ns, d.Name)
}

// ownedReplicaSet waits for the row of the ReplicaSet of a Deployment that may not make its pods. The two come by watches of their
// own, either of them first.
func (w *works) ownedReplicaSet(ns, deployment string) {
	w.t.Helper()
	got := "no row"
	if !within(soon, func() bool {
		s := w.feed.Load()
		i := slices.IndexFunc(rowsOf(s), func(r *kube.Workload) bool {
			return r.Kind == kube.ReplicaSets && r.Namespace == ns && r.OwnerName == deployment
		})
		if i < 0 {
			return false
		}
		r := s.Row(i)
		got = fmt.Sprintf("%s: %s (%s)", r.FullKind(), r.Why(s.Moment), r.Severity(s.Moment))
		return r.Severity(s.Moment) <= kube.Notice && strings.HasPrefix(r.Why(s.Moment), "cannot create pods: ")
	}) {
		w.t.Errorf("the ReplicaSet of %s: %s, want why it cannot create pods, and a notice at most", deployment, got)
	}
}

func rowsOf(s *kube.Snapshot[*kube.Workload]) []*kube.Workload {
	out := make([]*kube.Workload, 0, s.Len())
	for i := range s.Len() {
		out = append(out, s.Row(i))
	}
	return out
}

// rollout changes a Deployment without pods again and again: its old ReplicaSets are worth no row.
func (w *works) rollout(ns string, d *appsv1.Deployment) {
	w.t.Helper()
	for i := range 3 {
		patch := fmt.Sprintf(`{"spec":{"paused":false,"template":{"metadata":{"annotations":{"turn":"%d"}}}}}`, i)
		if _, err := w.kube.Client().AppsV1().Deployments(ns).Patch(w.t.Context(), d.Name, "application/merge-patch+json",
			[]byte(patch), metav1.PatchOptions{}); err != nil {
			w.t.Fatal(err)
		}
		await(w.t, fmt.Sprintf("revision %d of %s", i+1, d.Name), soon, func() bool {
			r, _ := w.row(kube.Deployments, ns, d.Name)
			return r != nil && r.Revision == strconv.Itoa(i+1) && !r.Unobserved
		})
	}
	for _, r := range rowsOf(w.feed.Load()) {
		if r.Kind == kube.ReplicaSets && r.OwnerName == d.Name && r.Namespace == ns {
			w.t.Errorf("%s has a row, although it has no pods and wants none", r.FullKind())
		}
	}
}
