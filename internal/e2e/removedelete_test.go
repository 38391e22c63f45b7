package e2e

import (
	"fmt"
	"math/rand/v2"
	"slices"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/kube"
	"ktriage/kube/action"
)

func (g *ground) delete(refs ...kube.Ref) *action.Plan {
	g.t.Helper()
	return g.planOf(action.DeletePod, g.to(refs...), nil)
}

// runs waits until pods run.
func (g *ground) runs(refs ...kube.Ref) {
	g.t.Helper()
	for _, r := range refs {
		await(g.t, r.Name+" runs", soon, func() bool { p := g.get(r); return p != nil && p.Status.Phase == corev1.PodRunning })
	}
}

func TestDeleteOfAPodOfASetSaysAndFollowsWhatReplacesIt(t *testing.T) {
	t.Parallel()
	g := stake(t)
	node := g.node(onAlive)
	g.volume("data-db-0", "1Gi")
	g.set("db", node, 1, func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-db-0"}}}}
	})
	db := g.podsOf("db")[0]
	g.runs(db)
	await(t, "db-0 is counted as ready", soon, func() bool {
		s, err := g.client().AppsV1().StatefulSets(g.namespace).Get(g.ctx, "db", metav1.GetOptions{})
		return err == nil && s.Status.ReadyReplicas == 1
	})
	p := g.delete(db)
	t.Log(sheetAsText(p))
	g.allowed(p, action.Read)
	g.shows(p, "same name, same claims, once it is gone", "StatefulSet db 1/1, ordinal 0", "only replica", "data-db-0 1Gi RWO", "claims stay")
	g.pinned(false, 0)
	d := g.start(p)
	run, took := d.finishes(soon)
	t.Logf("%v: %s in %v", run.State, run.Note, took)
	if run.State != action.Done || g.get(db) != nil {
		t.Errorf("%v: %s\n%s", run.State, run.Note, d.account())
	}
	g.pinned(false, 1, db.UID)
	d.await("the new db-0 is followed", soon, func() bool { return strings.Contains(pageText(d.run()), "1/1 Running") })
	t.Log(pageText(d.run()))
}

// volume makes a claim with a volume of its own.
func (g *ground) volume(claim, size string) {
	g.t.Helper()
	none := ""
	room := corev1.ResourceList{corev1.ResourceStorage: resource.MustParse(size)}
	modes := []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}
	name := g.namespace + "-" + claim
	_, err := g.client().CoreV1().PersistentVolumes().Create(g.ctx, &corev1.PersistentVolume{
		ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.PersistentVolumeSpec{
			Capacity: room, AccessModes: modes, ClaimRef: &corev1.ObjectReference{Namespace: g.namespace, Name: claim},
			PersistentVolumeSource: corev1.PersistentVolumeSource{HostPath: &corev1.HostPathVolumeSource{Path: "/var/empty"}},
		},
	}, metav1.CreateOptions{})
	g.must(err)
	g.t.Cleanup(func() {
		if err := notFound(g.client().CoreV1().PersistentVolumes().Delete(g.ctx, name, metav1.DeleteOptions{})); err != nil {
			g.t.Error(err)
		}
	})
	_, err = g.client().CoreV1().PersistentVolumeClaims(g.namespace).Create(g.ctx, &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Name: claim}, Spec: corev1.PersistentVolumeClaimSpec{
			AccessModes: modes, VolumeName: name, StorageClassName: &none, Resources: corev1.VolumeResourceRequirements{Requests: room},
		},
	}, metav1.CreateOptions{})
	g.must(err)
}

func TestDeleteThatLosesSomethingIsTierThree(t *testing.T) {
	t.Parallel()
	g := stake(t)
	node := g.node(onAlive)
	bare := g.pod("bare", node, graceOf(0))
	scratch := func(s *corev1.PodSpec) {
		s.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	g.set("cache", node, 1, scratch)
	g.set("guarded", node, 1)
	one := intstr.FromInt32(1)
	_, err := g.client().PolicyV1().PodDisruptionBudgets(g.namespace).Create(g.ctx, &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Name: "guarded-pdb"}, Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &one, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "guarded"}},
		},
	}, metav1.CreateOptions{})
	g.must(err)
	guarded, cache := g.podsOf("guarded")[0], g.podsOf("cache")[0]
	g.runs(bare, guarded, cache)
	budgetCounts(t, g.client(), g.namespace, "guarded-pdb", 1)
	for ref, says := range map[kube.Ref]string{
		bare: "no owner: gone for good", cache: "loses its emptyDir data: scratch",
		guarded: "deleting does not ask budgets: " + g.namespace + "/guarded-pdb allows 0, and 1 ready pod of it goes",
	} {
		p := g.delete(ref)
		g.allowed(p, action.Write)
		g.shows(p, says)
	}
	g.shows(g.delete(bare), "even a normal delete is not graceful")
	both := g.delete(bare, guarded)
	if both.Word != "2 pods" {
		t.Errorf("word %q", both.Word)
	}
	g.pinned(false, 0)
}

func TestDeleteOfAPodThatIsTerminatingSaysWhatKeepsIt(t *testing.T) {
	t.Parallel()
	g := stake(t)
	hand := g.node(onHand)
	slow, stuck, held := g.pod("slow", hand, graceOf(3600)), g.pod("stuck", hand, graceOf(1)), g.pod("held", hand, graceOf(0), finalizer("example.com/hold"))
	for _, r := range []kube.Ref{slow, stuck, held} {
		g.ask(r)
	}
	g.late(stuck)
	for ref, c := range map[kube.Ref]struct {
		says  string
		offer []action.ID
	}{
		slow:  {says: "Terminating already: its containers have "},
		stuck: {says: "is Ready, and app still runs", offer: []action.ID{action.ForceDelete}},
		held:  {says: "only its finalizer keeps it: example.com/hold (a controller of example.com)", offer: []action.ID{action.RemoveFinalizers}},
	} {
		p := g.delete(ref)
		g.refused(p, c.says)
		g.offers(p, c.offer...)
	}
	// Finalizers of a pod that its kubelet has not let go do not end it.
	g.finalize(slow)
	waiting := g.pod("waiting", hand, graceOf(1), finalizer("example.com/hold"))
	g.refused(g.planOf(action.RemoveFinalizers, g.to(waiting), nil), "delete it first")
	g.ask(waiting)
	g.late(waiting)
	p := g.planOf(action.RemoveFinalizers, g.to(waiting), nil)
	g.refused(p, "not all that keeps it")
	g.offers(p, action.ForceDelete)
}

// specimen is one pod of the property test.
type specimen struct {
	kind, where string
	held        bool
	ref         kube.Ref
	controller  types.UID
}

// What the delete sheet says of pods is what becomes of them.
func TestWhatTheDeleteSheetSaysHappens(t *testing.T) {
	t.Parallel()
	g := stake(t)
	seed := rand.Uint64()
	random := rand.New(rand.NewPCG(seed, 1))
	t.Logf("seed %d", seed)
	where := map[string]string{onStill: g.node(onStill), onAlive: g.node(onAlive), onHand: g.node(onHand)}
	kinds := []string{"none", "ended", "StatefulSet", "ReplicaSet", "Deployment", "Job", "last Job", "DaemonSet", "ConfigMap"}
	var all []*specimen
	for i := range 3 * len(kinds) {
		s := &specimen{kind: kinds[i%len(kinds)], where: []string{onAlive, onAlive, onHand, onStill}[random.IntN(4)], held: random.IntN(4) == 0}
		if s.kind == "ended" || strings.HasSuffix(s.kind, "Job") {
			s.held = false // the Job controller has finalizers of its own
		}
		all = append(all, s)
		g.grow(s, fmt.Sprintf("s%02d", i), where[s.where], int64(random.IntN(3)))
	}
	await(t, "the silent node is given up", soon, func() bool { return !g.ready(where[onStill]) })
	before := g.pods(g.namespace)
	var refs []kube.Ref
	for _, s := range all {
		refs = append(refs, s.ref)
	}
	p := g.delete(refs...)
	t.Log(sheetAsText(p))
	said := map[string]map[string]any{}
	for _, d := range p.Details["pods"].([]any) {
		said[d.(map[string]any)["uid"].(string)] = d.(map[string]any)
	}
	d := g.start(p)
	d.await("every pod has come to its end, or is stuck and says why", 2*time.Minute, func() bool {
		steps := d.runner.Steps(d.id)
		for _, s := range steps {
			if !s.State.Ended() && (s.State != action.StepStuck || len(s.Why) == 0) {
				return false
			}
		}
		return len(steps) == len(all)
	})
	t.Log("\n" + d.account())
	missing := func() (out []string) {
		now := g.pods(g.namespace)
		for _, s := range all {
			if is, want := s.outcome(before, now), expected(s, said[s.ref.UID]); is != want {
				out = append(out, fmt.Sprintf("%+v: is %q, and the sheet has said %q (%v)", *s, is, want, said[s.ref.UID]))
			}
		}
		return out
	}
	if !within(soon, func() bool { return len(missing()) == 0 }) {
		t.Error(strings.Join(missing(), "\n"))
	}
	for _, s := range all {
		step := d.step(s.ref.FullName())
		if s.where == onHand && s.kind != "ended" && step.State == action.StepStuck && !strings.Contains(strings.Join(step.Why, " "), "still runs") && !s.held {
			t.Errorf("%+v: %v %q %q", *s, step.State, step.Note, step.Why)
		}
	}
	g.pinned(false, len(all))
	d.cancelled()
}

// expected is what the sheet has said: whether the pod stays, and what comes.
func expected(s *specimen, said map[string]any) string {
	// A kubelet that is there and does not end its pods is nothing that a sheet can know; the run says so.
	stays := said["stuck"] != "" || s.where == onHand && s.kind != "ended" && said["grace"].(int64) > 0
	out := map[bool]string{true: "stays", false: "gone"}[stays]
	switch back := said["returns"]; {
	case back == "other name", !stays && back == "after it":
		out += ", another name"
	case back == "same name" && !stays:
		out += ", same name"
	}
	return out
}

// outcome is what has become of a pod.
func (s *specimen) outcome(before, now map[string]corev1.Pod) string {
	out := "gone"
	if _, there := now[s.ref.UID]; there {
		out = "stays"
	}
	for uid, p := range now {
		if _, old := before[uid]; old {
			continue
		}
		owner := metav1.GetControllerOf(&p)
		switch {
		case p.Name == s.ref.Name:
			return out + ", same name"
		case owner != nil && owner.UID == s.controller && s.kind != "none":
			return out + ", another name"
		}
	}
	return out
}

// grow makes the pod of a specimen, and its owner.
func (g *ground) grow(s *specimen, name, node string, grace int64) {
	g.t.Helper()
	spec := g.spec("", grace)
	spec.NodeSelector = map[string]string{"kubernetes.io/hostname": node}
	labels := map[string]string{"app": name}
	meta := metav1.ObjectMeta{Name: name}
	template := corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels, Annotations: map[string]string{"devcluster.ktriage/runs": "true"}}, Spec: spec}
	if s.held {
		template.Finalizers = []string{"example.com/hold"}
	}
	one, selector := int32(1), &metav1.LabelSelector{MatchLabels: labels}
	var err error
	apps := g.client().AppsV1()
	switch s.kind {
	case "StatefulSet":
		_, err = apps.StatefulSets(g.namespace).Create(g.ctx, &appsv1.StatefulSet{ObjectMeta: meta, Spec: appsv1.StatefulSetSpec{Replicas: &one, ServiceName: name, Selector: selector, Template: template}}, metav1.CreateOptions{})
	case "ReplicaSet":
		_, err = apps.ReplicaSets(g.namespace).Create(g.ctx, &appsv1.ReplicaSet{ObjectMeta: meta, Spec: appsv1.ReplicaSetSpec{Replicas: &one, Selector: selector, Template: template}}, metav1.CreateOptions{})
	case "Deployment":
		_, err = apps.Deployments(g.namespace).Create(g.ctx, &appsv1.Deployment{ObjectMeta: meta, Spec: appsv1.DeploymentSpec{Replicas: &one, Selector: selector, Template: template}}, metav1.CreateOptions{})
	case "DaemonSet":
		_, err = apps.DaemonSets(g.namespace).Create(g.ctx, &appsv1.DaemonSet{ObjectMeta: meta, Spec: appsv1.DaemonSetSpec{Selector: selector, Template: template}}, metav1.CreateOptions{})
	case "Job", "last Job":
		limit := int32(6)
		if s.kind == "last Job" {
			limit = 0
		}
		template.Spec.RestartPolicy = corev1.RestartPolicyNever
		_, err = g.client().BatchV1().Jobs(g.namespace).Create(g.ctx, &batchv1.Job{ObjectMeta: meta, Spec: batchv1.JobSpec{Template: template, BackoffLimit: &limit}}, metav1.CreateOptions{})
	default:
		template.Spec.NodeName = node
		p := &corev1.Pod{ObjectMeta: template.ObjectMeta, Spec: template.Spec}
		p.Name = name
		if s.kind == "ConfigMap" {
			m, err := g.client().CoreV1().ConfigMaps(g.namespace).Create(g.ctx, &corev1.ConfigMap{ObjectMeta: meta}, metav1.CreateOptions{})
			g.must(err)
			yes := true
			p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "ConfigMap", Name: name, UID: m.UID, Controller: &yes}}
		}
		p, err = g.client().CoreV1().Pods(g.namespace).Create(g.ctx, p, metav1.CreateOptions{})
		if err == nil && s.kind == "ended" {
			if s.where == onAlive {
				g.runs(podRef(p))
			}
			_, err = g.client().CoreV1().Pods(g.namespace).Patch(g.ctx, name, types.MergePatchType, []byte(`{"status":{"phase":"Failed","hostIP":"127.0.0.1"}}`), metav1.PatchOptions{}, "status")
			g.must(err)
			await(g.t, name+" has ended", soon, func() bool { return g.get(podRef(p)).Status.Phase == corev1.PodFailed })
		}
	}
	g.must(err)
	await(g.t, "the pod of "+name, soon, func() bool { return len(g.podsOf(name)) == 1 })
	s.ref = g.podsOf(name)[0]
	if owner := metav1.GetControllerOf(g.get(s.ref)); owner != nil {
		s.controller = owner.UID
	}
}

func TestThreeHundredPodsAreDeletedPaced(t *testing.T) {
	const marked, deployments, each = 300, 4, 50
	g := stake(t)
	node := g.node(onAlive)
	g.crowd(node, deployments, each, marked-deployments*each)
	var refs []kube.Ref
	await(t, "300 pods run", 2*time.Minute, func() bool {
		refs = refs[:0]
		for _, p := range g.pods(g.namespace) {
			if p.Status.Phase == corev1.PodRunning {
				refs = append(refs, podRef(&p))
			}
		}
		return len(refs) == marked
	})
	slices.SortFunc(refs, func(a, b kube.Ref) int { return strings.Compare(a.Name, b.Name) })
	began := time.Now()
	p := g.delete(refs...)
	t.Logf("planned in %v", time.Since(began).Round(time.Millisecond))
	t.Log(sheetAsText(p))
	g.allowed(p, action.Write)
	if p.Word != "300 pods" {
		t.Errorf("word %q", p.Word)
	}
	rows := 0
	for _, s := range p.Sections {
		rows += len(s.Rows)
	}
	if rows > 60 {
		t.Errorf("%d rows of a sheet", rows)
	}
	g.pinned(false, 0)
	d := g.start(p)
	run, took := d.finishes(3 * time.Minute)
	if run.State != action.Done {
		t.Errorf("%v: %s", run.State, run.Note)
	}
	var uids []string
	for _, r := range refs {
		uids = append(uids, r.UID)
	}
	g.pinned(false, marked, uids...)
	const span = 5 * time.Second // in a single one a server that was late may receive those of two
	most := busiest(g.sent(), span)
	reads := 0
	for _, r := range g.on.requests(t, g.agent) {
		if r.Verb == "get" && r.ObjectRef.Resource == "pods" {
			reads++
		}
	}
	t.Logf("%s; %d DELETEs in %v, %d in the busiest %v, %d readings of pods", run.Note, marked, took.Round(100*time.Millisecond), most, span, reads)
	if most > 12*5 {
		t.Errorf("%d requests within %v", most, span)
	}
	d.await("200 of them are back", soon, func() bool { return strings.Contains(pageText(d.run()), "300 of 300 well") })
	t.Log(pageText(d.run()))
}

// crowd makes Deployments and pods without owners.
func (g *ground) crowd(node string, deployments, each, bare int) {
	g.t.Helper()
	var wait sync.WaitGroup
	for i := range deployments {
		name, replicas := fmt.Sprintf("web%d", i), int32(each)
		spec := g.spec("", 5)
		spec.NodeSelector = map[string]string{"kubernetes.io/hostname": node}
		labels := map[string]string{"app": name}
		_, err := g.client().AppsV1().Deployments(g.namespace).Create(g.ctx, &appsv1.Deployment{
			ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: appsv1.DeploymentSpec{
				Replicas: &replicas, Selector: &metav1.LabelSelector{MatchLabels: labels},
				Template: corev1.PodTemplateSpec{ObjectMeta: metav1.ObjectMeta{Labels: labels}, Spec: spec},
			},
		}, metav1.CreateOptions{})
		g.must(err)
	}
	errs := make(chan error, bare)
	for part := range 5 {
		wait.Go(func() {
			for i := part; i < bare; i += 5 {
				p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: g.namespace, Name: fmt.Sprintf("bare-%03d", i)}, Spec: g.spec(node, 5)}
				_, err := g.client().CoreV1().Pods(g.namespace).Create(g.ctx, p, metav1.CreateOptions{})
				errs <- err
			}
		})
	}
	wait.Wait()
	for range bare {
		g.must(<-errs)
	}
}
