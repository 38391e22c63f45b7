package views

import (
	"testing"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/keymap"
	"ktriage/kube"
)

func TestKeysOfNodesSayWhyTheyDoNothing(t *testing.T) {
	row := func(name string, cordoned bool, taints ...string) *kube.Node {
		n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: name}, Spec: corev1.NodeSpec{Unschedulable: cordoned}}
		for _, key := range taints {
			n.Spec.Taints = append(n.Spec.Taints, corev1.Taint{Key: key, Effect: corev1.TaintEffectNoExecute})
		}
		return kube.NewNode(n)
	}
	well := row("well", false)
	held := row("held", true, corev1.TaintNodeUnreachable, corev1.TaintNodeOutOfService)
	for _, c := range []struct {
		row  *kube.Node
		key  keymap.ID
		want string
	}{
		{well, keymap.CordonNode, ""}, {held, keymap.CordonNode, "held is cordoned already"},
		{held, keymap.UncordonNode, ""}, {well, keymap.UncordonNode, "well is not cordoned"},
		{well, keymap.OutOfService, ""}, {held, keymap.OutOfService, "held is tainted out-of-service already"},
		{held, keymap.InService, ""}, {well, keymap.InService, "well is not tainted out-of-service"},
		{well, keymap.DeleteNode, ""}, {held, keymap.DeleteNode, ""}, {well, keymap.DrainNode, ""},
	} {
		f := newFeed(kube.Moment{Now: noon}, c.row)
		v := NewNodes(f, nil)
		f.publish(v)
		if got := v.Why(c.key); got != c.want {
			t.Errorf("%s on %s: %q, want %q", c.key, c.row.Name, got, c.want)
		}
	}
}
