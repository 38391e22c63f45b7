package drain

import (
	"context"
	"fmt"
	"strings"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
)

var _ action.Resumable = (*Kind)(nil)

// Rest implements action.Resumable: of the nodes that are still there and still cordoned, how many pods a drain with these
// options would still have to evict, or would leave to an option. A node that somebody has uncordoned since, or that is
// another one now, has been decided about.
func (k *Kind) Rest(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Rest, error) {
	s, err := Parse(o)
	if err != nil {
		return nil, nil //nolint:nilerr,nilnil // the log has options that no drain of ours writes: nothing can be resumed
	}
	s.DryRun = false
	rest := &action.Rest{Unit: []string{"pod", "pods"}}
	var now []string
	for _, ref := range t.Refs {
		waits, err := stillCordoned(ctx, c, ref)
		if err != nil {
			return nil, err
		}
		if !waits {
			continue
		}
		plan, err := Read(ctx, c, []kube.Ref{ref}, s)
		if err != nil {
			return nil, err
		}
		n, left := &plan.Nodes[0], 0
		for i := range n.Pods {
			if p := &n.Pods[i]; p.Fate.Goes() || p.Fate == Needs {
				left++
			}
		}
		if left == 0 {
			continue
		}
		rest.Left += left
		rest.Refs = append(rest.Refs, ref)
		now = append(now, describe(n, len(t.Refs) > 1))
	}
	if rest.Left == 0 {
		return nil, nil //nolint:nilnil // as the interface says: there is nothing to resume
	}
	rest.Now = strings.Join(now, "; ")
	return rest, nil
}

// stillCordoned reports whether a node is still the one that was drained, and still cordoned.
func stillCordoned(ctx context.Context, c *kube.Cluster, ref kube.Ref) (bool, error) {
	node, err := c.Client().CoreV1().Nodes().Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
		return false, nil
	case err != nil:
		return false, fmt.Errorf("read node %s: %w", ref.Name, err)
	}
	return string(node.UID) == ref.UID && node.Spec.Unschedulable, nil
}

// describe says how a node is in few words.
func describe(n *Node, named bool) string {
	words := []string{n.Status}
	if n.Version != "" {
		words = append(words, n.Version)
	}
	if named {
		return n.Name + " " + strings.Join(words, ", ")
	}
	return strings.Join(words, ", ")
}
