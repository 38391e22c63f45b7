package remove

import (
	"fmt"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
)

// meta names the owner of a pod.
func meta() metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: "own", UID: "uid-own"}
}

func TestWhatComesBack(t *testing.T) {
	count := func(n int32) *int32 { return &n }
	leaving := meta()
	leaving.DeletionTimestamp, leaving.Finalizers = &metav1.Time{Time: time.Unix(1, 0)}, []string{"orphan"}
	other := meta()
	other.UID = "another"
	failed := batchv1.Failed
	for name, c := range map[string]struct {
		kind, pod string
		owner     metav1.Object
		change    func(*corev1.Pod)
		back      comeback
		how       string
	}{
		"none":           {pod: "web", back: never, how: "no owner: gone for good"},
		"set":            {kind: "StatefulSet", pod: "own-1", owner: &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Replicas: count(2)}}, back: sameName, how: "same name, once it is gone"},
		"beyond":         {kind: "StatefulSet", pod: "own-2", owner: &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Replicas: count(2)}}, back: never, how: "beyond the 2 replicas of its set"},
		"ordinals":       {kind: "StatefulSet", pod: "own-6", owner: &appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Replicas: count(2), Ordinals: &appsv1.StatefulSetOrdinals{Start: 5}}}, back: sameName, how: "same name, once it is gone"},
		"set gone":       {kind: "StatefulSet", pod: "own-0", back: never, how: "its StatefulSet is gone: nobody makes it again"},
		"set replaced":   {kind: "StatefulSet", pod: "own-0", owner: &appsv1.StatefulSet{ObjectMeta: other}, back: never, how: "its StatefulSet is gone: nobody makes it again"},
		"set going":      {kind: "StatefulSet", pod: "own-0", owner: &appsv1.StatefulSet{ObjectMeta: leaving}, back: never, how: "its StatefulSet is being deleted"},
		"replica set":    {kind: "ReplicaSet", pod: "own-x", owner: &appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Replicas: count(3)}}, back: otherName, how: "another name, at once"},
		"wants none":     {kind: "ReplicaSet", pod: "own-x", owner: &appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Replicas: count(0)}}, back: never, how: "its ReplicaSet wants 0"},
		"evicted before": {kind: "ReplicaSet", pod: "own-x", owner: &appsv1.ReplicaSet{ObjectMeta: meta()}, change: func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }, back: never, how: "it has ended: only the object goes"},
		"daemon":         {kind: "DaemonSet", pod: "own-x", owner: &appsv1.DaemonSet{ObjectMeta: meta()}, back: afterGone, how: "another name, same node, once it is gone"},
		"job":            {kind: "Job", pod: "own-x", owner: &batchv1.Job{ObjectMeta: meta(), Spec: batchv1.JobSpec{BackoffLimit: count(2)}, Status: batchv1.JobStatus{Failed: 1}}, back: otherName, how: "another name, at once; its work starts again, counts as failure 2 of 3"},
		"job, late":      {kind: "Job", pod: "own-x", owner: &batchv1.Job{ObjectMeta: meta(), Spec: batchv1.JobSpec{BackoffLimit: count(2), PodReplacementPolicy: &failed}}, back: afterGone, how: "another name, once it is gone; its work starts again, counts as failure 1 of 3"},
		"job's last":     {kind: "Job", pod: "own-x", owner: &batchv1.Job{ObjectMeta: meta(), Spec: batchv1.JobSpec{BackoffLimit: count(0)}}, back: never, how: "its Job fails: back-off limit 0 is used up"},
		"job over":       {kind: "Job", pod: "own-x", owner: &batchv1.Job{ObjectMeta: meta(), Status: batchv1.JobStatus{Conditions: []batchv1.JobCondition{{Type: batchv1.JobComplete, Status: corev1.ConditionTrue}}}}, back: never, how: "it has ended: only the object goes"},
		"somebody's":     {kind: "Kafka", pod: "own-x", back: perhaps, how: "that is for its Kafka to say"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("n1", corev1.ConditionTrue)
				if c.owner != nil {
					b.Put(c.owner)
				}
				b.pod(c.pod, "n1", func(p *corev1.Pod) {
					if c.kind != "" {
						ofOwner(c.kind, "own")(p)
					}
					if c.change != nil {
						c.change(p)
					}
				})
			}, func(b *bench) {
				f, err := readAll(b.t.Context(), b.cluster, to(refs(c.pod)...), reading{})
				if err != nil {
					t.Fatal(err)
				}
				back, how := f.returns(f.pods[0])
				if back != c.back || how != c.how {
					t.Errorf("%s: %q, want %s: %q", back, how, c.back, c.how)
				}
			})
		})
	}
}

func TestDeploymentBehindAReplicaSetIsTheOwner(t *testing.T) {
	three, yes := int32(3), true
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		rs := &appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Replicas: &three}}
		rs.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web-d", Controller: &yes}}
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: types.UID("uid-web-d")}, Spec: appsv1.DeploymentSpec{Replicas: &three}}
		d.Status.ReadyReplicas = 1
		b.Put(rs, d)
		b.pod("own-x", "n1", ofOwner("ReplicaSet", "own"))
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, refs("own-x")...)
		if got := fmt.Sprint(p.Facts, p.Sections); p.Tier != 3 || !strings.Contains(got, "Deployment web 1/3") || !strings.Contains(got, "only ready replica of 3") {
			t.Errorf("%s", sheetOf(p))
		}
	})
}
