package cordon

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// daemons says of nodes that are to take pods again whether the pods of DaemonSets on them are ready: without its network,
// its storage or its DNS a node is Ready and of no use. Nodes on which they are get no line.
func daemons(ctx context.Context, c *kube.Cluster, nodes []*corev1.Node) []action.Fact {
	var out []action.Fact
	for _, n := range nodes {
		pods, err := c.Client().CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
			FieldSelector: fields.OneTermEqualSelector("spec.nodeName", n.Name).String(),
		})
		if err != nil {
			out = append(out, action.Fact{Name: "note", Text: "whether its DaemonSet pods are ready is not known: " + kube.Explain(err).Sentence})
			continue
		}
		if down := notReady(pods.Items); len(down) > 0 {
			out = append(out, action.Fact{Name: "warn", Severity: kube.Warning, Text: fmt.Sprintf("%s not ready on %s: %s",
				text.Plural(len(down), "DaemonSet pod is", "DaemonSet pods are"), text.Clean(n.Name), some(down))})
		}
	}
	return out
}

// notReady names the pods of DaemonSets that are not Ready, in the order of their names.
func notReady(pods []corev1.Pod) []string {
	var out []string
	for i := range pods {
		owner := metav1.GetControllerOf(&pods[i])
		ready := slices.ContainsFunc(pods[i].Status.Conditions, func(c corev1.PodCondition) bool {
			return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
		})
		if owner != nil && owner.Kind == "DaemonSet" && !ready {
			out = append(out, text.Clean(pods[i].Namespace+"/"+pods[i].Name))
		}
	}
	slices.Sort(out)
	return out
}

// some names the first few of a list.
func some(list []string) string {
	if len(list) <= named {
		return strings.Join(list, ", ")
	}
	return fmt.Sprintf("%s and %d more", strings.Join(list[:named], ", "), len(list)-named)
}
