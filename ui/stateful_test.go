package ui

import (
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
)

// set is a StatefulSet whose claims go when it is scaled down.
func set(name string, replicas int32) *appsv1.StatefulSet {
	return &appsv1.StatefulSet{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), Generation: 1, CreationTimestamp: ago(240 * time.Hour)},
		Spec: appsv1.StatefulSetSpec{
			Replicas: &replicas, ServiceName: name, PodManagementPolicy: appsv1.OrderedReadyPodManagement,
			Selector:       &metav1.LabelSelector{MatchLabels: map[string]string{"app": name}},
			UpdateStrategy: appsv1.StatefulSetUpdateStrategy{Type: appsv1.RollingUpdateStatefulSetStrategyType},
			PersistentVolumeClaimRetentionPolicy: &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
				WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType,
			},
			VolumeClaimTemplates: []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}, Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				Resources:   corev1.VolumeResourceRequirements{Requests: corev1.ResourceList{"storage": resource.MustParse("10Gi")}},
			}}},
		},
		Status: appsv1.StatefulSetStatus{
			ObservedGeneration: 1, Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas, CurrentReplicas: replicas,
			UpdatedReplicas: replicas, CurrentRevision: "r1", UpdateRevision: "r1",
		},
	}
}

// member makes a pod one of a StatefulSet, with a claim of its own.
func member(of string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		yes := true
		p.Labels = map[string]string{"app": of}
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "StatefulSet", Name: of, UID: types.UID(of), Controller: &yes}}
		p.Spec.Volumes = []corev1.Volume{{Name: "data", VolumeSource: corev1.VolumeSource{
			PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data-" + p.Name},
		}}}
	}
}

func claim(name string) *corev1.PersistentVolumeClaim {
	return &corev1.PersistentVolumeClaim{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID(name), CreationTimestamp: ago(240 * time.Hour)},
		Spec:       corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}},
		Status: corev1.PersistentVolumeClaimStatus{
			Phase: corev1.ClaimBound, Capacity: corev1.ResourceList{"storage": resource.MustParse("10Gi")},
			AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		},
	}
}

// stateful fills the cluster with a StatefulSet of which one member hangs on a node that is silent.
func (s *session) stateful() {
	s.Put(node("worker-1"), node("worker-2", silent), node("worker-3"))
	s.Put(set("cart", 3), set("kafka", 2))
	s.Put(pod("shop", "cart-0", "worker-1", member("cart")), pod("shop", "cart-1", "worker-3", member("cart")),
		pod("shop", "cart-2", "worker-2", member("cart"), unready, terminating))
	s.Put(pod("shop", "kafka-0", "worker-1", member("kafka")), pod("shop", "kafka-1", "worker-3", member("kafka")))
	for _, name := range []string{"cart-0", "cart-1", "cart-2", "kafka-0", "kafka-1"} {
		s.Put(claim("data-" + name))
	}
}

func TestScreensOfStatefulThings(t *testing.T) {
	marked := []string{"2", "O", "n", "g", "*"}
	for _, c := range []struct {
		name string
		w, h int
		more int // pods of their own
		keys []string
	}{
		{"workloads-80x24", 80, 24, 0, []string{"3", "O", "n", "g"}},
		{"workloads-120x40", 120, 40, 0, []string{"3", "z", "O", "n", "g"}},
		{"scale-80x24", 80, 24, 0, []string{"3", "O", "n", "g", "j", "s", "-"}},
		{"scale-120x40", 120, 40, 0, []string{"3", "O", "n", "g", "j", "s", "-"}},
		{"scale-quorum-80x24", 80, 24, 0, []string{"3", "O", "n", "g", "s", "1"}},
		{"scale-several-80x24", 80, 24, 0, []string{"3", "O", "n", "g", "space", "j", "space", "s", "-", "down", "+"}},
		{"delete-80x24", 80, 24, 0, []string{"2", "O", "n", "g", "ctrl+d"}},
		{"force-delete-80x24", 80, 24, 0, []string{"2", "O", "n", "g", "j", "j", "X"}},
		{"force-delete-120x40", 120, 40, 0, []string{"2", "O", "n", "g", "j", "j", "X", "tab", "j", "j", "space"}},
		{"delete-300-80x24", 80, 24, 300, append(marked, "ctrl+d")},
		{"delete-300-120x40", 120, 40, 300, append(marked, "ctrl+d")},
		{"out-of-service-80x24", 80, 24, 0, []string{"1", "O", "n", "g", "j", "N"}},
		{"delete-node-80x24", 80, 24, 0, []string{"1", "O", "n", "g", "j", "D"}},
		{"restart-80x24", 80, 24, 0, []string{"3", "O", "n", "g", "j", "r"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, c.w, c.h, func(s *session) {
				s.stateful()
				for i := range c.more {
					s.Put(pod("bulk", fmt.Sprintf("bare-%03d", i), "worker-1"))
				}
				s.start()
				s.Wait(2 * time.Second)
				for _, k := range c.keys {
					s.Press(k)
					s.Wait(time.Second)
				}
				s.Golden(t, c.name)
				s.untouched()
			})
		})
	}
}

func TestDrainSheetOfASilentNodeHasKeysForWhatReleasesItsPods(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.stateful()
		s.start()
		s.Wait(2 * time.Second)
		press := func(keys ...string) {
			for _, k := range keys {
				s.Press(k)
				s.Wait(time.Second)
			}
		}
		press("1", "O", "n", "g", "j", "r", "G")
		s.sees("or rather", "N       taint worker-2 out-of-service: releases 1 pod, detaches their volumes",
			"D       delete the Node object of worker-2: releases 1 pod")
		_, footer := s.lastLines()
		if !strings.Contains(footer, "N out-of-service  D delete node") {
			t.Errorf("the last line is %q", footer)
		}
		press("D")
		s.sees("worker-2 is deleted; its pod goes a minute later")
		press("esc", "N")
		s.sees("worker-2 is declared off; its pod goes")
		s.untouched()
	})
}
