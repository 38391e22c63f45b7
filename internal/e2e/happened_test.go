package e2e

import (
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/views"
)

// hearer is somebody who looks at the pods and the workloads of a cluster, with their events beside them.
type hearer struct {
	works
	pods, workloads views.View
}

// hear connects as the program does, and waits until workloads and events have been read.
func (c *cluster) hear(t *testing.T) *hearer {
	t.Helper()
	flags, kubeconfig := genericclioptions.NewConfigFlags(true), c.kubeconfig()
	flags.KubeConfig = &kubeconfig
	cl, err := kube.Connect(kube.Options{Flags: flags, AllNamespaces: true, UserAgent: "ktriage-e2e/" + t.Name()})
	if err != nil {
		t.Fatal(err)
	}
	h := &hearer{works: works{t: t, on: c, kube: cl}, pods: views.NewPods(cl.PodFeed(), cl), workloads: views.NewWorkloads(cl.WorkloadFeed(), cl)}
	cl.Start(t.Context(), kube.Nodes|kube.Pods|kube.Workloads|kube.Events)
	await(t, "the first reading of pods, workloads and events", 30*time.Second, func() bool {
		h.pods.Handle(views.Changed{})
		h.workloads.Handle(views.Changed{})
		return h.pods.State().Phase == kube.Live && h.workloads.State().Phase == kube.Live && cl.EventsState().Phase == kube.Live
	})
	return h
}

// object waits for the row of an object and puts the cursor on it; it gives its UID.
func (h *hearer) object(v views.View, name, kind string) string {
	h.t.Helper()
	uid := ""
	await(h.t, kind+" "+name+" has a row", soon, func() bool {
		v.Handle(views.Changed{})
		for _, o := range v.Objects(100_000) {
			if o.Name == name && strings.HasPrefix(o.Note, kind) {
				uid = o.Place.UID
				return true
			}
		}
		return false
	})
	v.Handle(views.Go{Place: views.Place{UID: uid}})
	return uid
}

// strip waits until what is said of an object has all of some words.
func (h *hearer) strip(v views.View, name, kind string, words ...string) {
	h.t.Helper()
	h.object(v, name, kind)
	var said string
	if !within(soon, func() bool {
		v.Handle(views.Changed{})
		said = strings.Join(v.Strip(time.Now()).Lines, "\n")
		for _, w := range words {
			if !strings.Contains(said, w) {
				return false
			}
		}
		return true
	}) {
		h.t.Errorf("of %s %s is said:\n%s\nnot %q", kind, name, said, words)
		return
	}
	h.t.Logf("%s %s\n\t%s", kind, name, strings.ReplaceAll(said, "\n", "\n\t"))
}

// section waits until a section of the details of an object has a row with all of some words.
func (h *hearer) section(v views.View, name, kind, title string, words ...string) {
	h.t.Helper()
	h.rows(1, v, name, kind, title, words...)
}

// rows is section for at least n such rows.
func (h *hearer) rows(n int, v views.View, name, kind, title string, words ...string) {
	h.t.Helper()
	uid := h.object(v, name, kind)
	var all []action.Section
	if !within(soon, func() bool {
		v.Handle(views.Changed{})
		d, _ := v.Details(uid, time.Now())
		all = d.Sections
		for _, s := range all {
			if s.Title == title && rowsWith(s, words) >= n {
				return true
			}
		}
		return false
	}) {
		h.t.Errorf("the details of %s %s have no section %q with %d of %q:\n%v", kind, name, title, n, words, all)
	}
}

// rowsWith is how many rows of a section have all of some words.
func rowsWith(s action.Section, words []string) int {
	n := 0
	for _, row := range s.Rows {
		line, all := strings.Join(row.Cells, "  "), true
		for _, w := range words {
			all = all && strings.Contains(line, w)
		}
		if all {
			n++
		}
	}
	return n
}

// Every event below is one that the controllers of a real control plane have written.
func TestOwnersSayWhatTheirControllersSaid(t *testing.T) {
	h := stages.hear(t)
	ns := h.scene()
	client := h.kube.Client()
	made(&h.works, client.CoreV1().LimitRanges(ns).Create, &corev1.LimitRange{ObjectMeta: named("small"), Spec: corev1.LimitRangeSpec{
		Limits: []corev1.LimitRangeItem{{Type: corev1.LimitTypeContainer,
			Max: corev1.ResourceList{"memory": resource.MustParse("1Gi")}, Min: corev1.ResourceList{"memory": resource.MustParse("100Mi")},
			Default: corev1.ResourceList{"memory": resource.MustParse("200Mi")}, DefaultRequest: corev1.ResourceList{"memory": resource.MustParse("200Mi")}}},
	}})
	big, small := nowhere("big", nil), nowhere("fits", nil)
	big.Spec.Containers[0].Resources.Limits = corev1.ResourceList{"memory": resource.MustParse("1536Mi")}
	// The server that refuses has to know of the LimitRange before the controllers ask it.
	probe := &corev1.Pod{ObjectMeta: named("first"), Spec: big.Spec}
	await(t, "the LimitRange counts", soon, func() bool {
		_, err := client.CoreV1().Pods(ns).Create(t.Context(), probe, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "maximum memory usage")
	})
	apps := client.AppsV1()
	made(&h.works, apps.Deployments(ns).Create, &appsv1.Deployment{ObjectMeta: named("web"), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(2)), Selector: selects("big"), Template: big}})
	made(&h.works, apps.StatefulSets(ns).Create, &appsv1.StatefulSet{ObjectMeta: named("db"), Spec: appsv1.StatefulSetSpec{
		Replicas: new(int32(2)), Selector: selects("big"), Template: big}})
	made(&h.works, apps.Deployments(ns).Create, &appsv1.Deployment{ObjectMeta: named("lost"), Spec: appsv1.DeploymentSpec{
		Replicas: new(int32(1)), Selector: selects("fits"), Template: small}})
	run := &batchv1.Job{ObjectMeta: named("indexed-job"), Spec: jobOf(0)}
	run.Spec.Completions, run.Spec.Parallelism = new(int32(5)), new(int32(5))
	made(&h.works, client.BatchV1().Jobs(ns).Create, run)

	const forbidden = "LimitRange: memory limit 1536Mi > max 1Gi per Container"
	// AC-E5, E-08: a StatefulSet has no condition that would say it, and a Deployment's pods are refused to its ReplicaSet.
	h.strip(h.workloads, ns+"/db", "StatefulSet", "FailedCreate", "cannot create pod db-0: "+forbidden)
	h.section(h.workloads, ns+"/db", "StatefulSet", "LimitRange", "memory limit", "1536Mi", "max 1Gi", "Container")
	h.section(h.workloads, ns+"/db", "StatefulSet", "events", "FailedCreate", "statefulset-controller")
	h.strip(h.workloads, ns+"/web", "Deployment", "FailedCreate", "cannot create pods: "+forbidden)
	h.section(h.workloads, ns+"/web", "Deployment", "LimitRange", "memory limit", "1536Mi", "max 1Gi", "Container")
	h.section(h.workloads, ns+"/web", "Deployment", "events", "FailedCreate", "replicaset/web-")
	h.section(h.workloads, ns+"/web", "Deployment", "events", "ScalingReplicaSet", "deployment/web") // AC-E4
	h.section(h.workloads, ns+"/lost", "Deployment", "events", "SuccessfulCreate", "replicaset/lost-", "Created pod: lost-")
	h.rows(5, h.workloads, ns+"/indexed-job", "Job", "events", "SuccessfulCreate", "Created pod: indexed-job-")
	h.unplaced(ns)
	h.quotaOfSet(ns)
}

// unplaced has the pod of a Deployment say why no node takes it, in a table of its own (E-03).
func (h *hearer) unplaced(ns string) {
	h.t.Helper()
	name := ""
	await(h.t, "the pod that fits nowhere", soon, func() bool {
		h.pods.Handle(views.Changed{})
		for _, o := range h.pods.Objects(100_000) {
			if strings.HasPrefix(o.Name, ns+"/lost-") {
				name = o.Name
				return true
			}
		}
		return false
	})
	h.section(h.pods, name, "Pending", "events", "FailedScheduling", "default-scheduler", "nodes are available")
	h.section(h.pods, name, "Pending", "why no node takes it", "node(s) didn't match Pod's node affinity/selector")
	h.section(h.pods, name, "Pending", "why no node takes it", "preemption: Preemption is not helpful for scheduling")
	h.strip(h.pods, name, "Pending", "nodes are available")
	if n := strings.Count(strings.Join(h.pods.Strip(time.Now()).Lines, "\n"), "nodes are available"); n != 1 {
		h.t.Errorf("the strip says %d times that no node takes the pod", n)
	}
}

// quotaOfSet has a StatefulSet say that a quota is used up: it has no condition for that.
func (h *hearer) quotaOfSet(ns string) {
	h.t.Helper()
	client := h.kube.Client()
	made(&h.works, client.CoreV1().ResourceQuotas(ns).Create, &corev1.ResourceQuota{ObjectMeta: named("none"), Spec: corev1.ResourceQuotaSpec{
		Hard: corev1.ResourceList{"requests.cpu": resource.MustParse("1m")}}})
	template := nowhere("greedy", corev1.ResourceList{"cpu": resource.MustParse("1")})
	pod := &corev1.Pod{ObjectMeta: named("second"), Spec: template.Spec}
	await(h.t, "the quota counts", soon, func() bool {
		_, err := client.CoreV1().Pods(ns).Create(h.t.Context(), pod, metav1.CreateOptions{DryRun: []string{metav1.DryRunAll}})
		return err != nil && strings.Contains(err.Error(), "exceeded quota")
	})
	made(&h.works, client.AppsV1().StatefulSets(ns).Create, &appsv1.StatefulSet{ObjectMeta: named("greedy"), Spec: appsv1.StatefulSetSpec{
		Replicas: new(int32(1)), Selector: selects("greedy"), Template: template}})
	h.strip(h.workloads, ns+"/greedy", "StatefulSet", "FailedCreate", "over quota none: 1 more requests.cpu asked for, 0 of 1m used")
	h.section(h.workloads, ns+"/greedy", "StatefulSet", "quota none", "requests.cpu", "1", "0", "1m")
}
