package cordon

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

func TestUncordonNamesDaemonSetPodsThatAreNotReady(t *testing.T) {
	daemon := func(name string, ready corev1.ConditionStatus) *corev1.Pod {
		yes := true
		p := &corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "kube-system", Name: name, UID: types.UID(name)}}
		p.OwnerReferences = []metav1.OwnerReference{{APIVersion: "apps/v1", Kind: "DaemonSet", Name: "agent", UID: "agent", Controller: &yes}}
		p.Spec.NodeName = "worker-1"
		p.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: ready}}
		return p
	}
	s := kubetest.New()
	s.Put(daemon("proxy-a", corev1.ConditionFalse), daemon("agent-b", corev1.ConditionUnknown), daemon("csi-c", corev1.ConditionFalse),
		daemon("dns-d", corev1.ConditionTrue))
	c := kube.New(s.Clients(), "prod", "shop", []string{metav1.NamespaceAll}, nil)
	node := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1"}}
	facts := daemons(t.Context(), c, []*corev1.Node{node, {ObjectMeta: metav1.ObjectMeta{Name: "worker-2"}}})
	if len(facts) != 1 || facts[0].Severity != kube.Warning ||
		facts[0].Text != "3 DaemonSet pods are not ready on worker-1: kube-system/agent-b, kube-system/csi-c and 1 more" {
		t.Errorf("%+v", facts)
	}
	s.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "pods is forbidden"}, "/pods"))
	if facts := daemons(t.Context(), c, []*corev1.Node{node}); len(facts) != 1 || facts[0].Severity != kube.OK {
		t.Errorf("%+v", facts)
	}
}
