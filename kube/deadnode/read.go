package deadnode

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

const (
	readLimit = 30 * time.Second // for all that a plan is made of
	page      = 500              // objects of one answer
)

// facts are what was read of a cluster. A plan is made of them and of nothing else.
type facts struct {
	now      time.Time
	nodes    []*node // those that are meant, in their order
	all      []corev1.Node
	allKnown bool
	claims   map[types.NamespacedName]*corev1.PersistentVolumeClaim
	// claimsHidden says that some of the claims could not be read.
	claimsHidden bool
	unknown      []string // sentences: what could not be read, and what that means
}

// node is one that is meant, with all that hangs on it.
type node struct {
	ref      kube.Ref
	object   *corev1.Node
	row      *kube.Node
	lease    *coordinationv1.Lease // nil if it could not be read, or there is none
	pods     []*corev1.Pod         // by namespace and name
	version  string                // at which the pods were read
	attached []string              // the volumes that the cluster takes for attached to it
}

// read reads the nodes that are meant, live, and what a plan needs beside them.
func read(ctx context.Context, c *kube.Cluster, t action.Target, withPods bool) (*facts, error) {
	ctx, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	f := &facts{now: time.Now(), claims: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}}
	for _, ref := range t.Refs {
		object, err := readNode(ctx, c, ref)
		if err != nil {
			return nil, err
		}
		n := &node{ref: ref, object: object, row: kube.NewNode(object)}
		if n.lease, err = readLease(ctx, c, ref.Name); err != nil {
			f.miss("the lease of "+words(ref.Name), err, "its kubelet may have been heard of later than its status says")
		}
		if withPods {
			if n.pods, n.version, err = podsOf(ctx, c, ref.Name, ""); err != nil {
				return nil, err
			}
		}
		f.nodes = append(f.nodes, n)
	}
	f.readAll(ctx, c)
	if withPods {
		f.readVolumes(ctx, c)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("plan for %s: %w", t.Name(), err)
	}
	return f, nil
}

// readNode gets the node live. Another one of its name is send.ErrReplaced.
func readNode(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*corev1.Node, error) {
	object := &corev1.Node{}
	err := send.Once(c.Client().CoreV1().RESTClient().Get().Resource("nodes").Name(ref.Name)).Do(ctx).Into(object)
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("node %s %w", words(ref.Name), errGone)
	case err != nil:
		return nil, fmt.Errorf("read node %s: %w", words(ref.Name), err)
	case string(object.UID) != ref.UID:
		return nil, fmt.Errorf("node %s %w; nothing was done", words(ref.Name), send.ErrReplaced)
	}
	return object, nil
}

// readLease gets the sign of life of a kubelet, nil if there is none.
func readLease(ctx context.Context, c *kube.Cluster, name string) (*coordinationv1.Lease, error) {
	ctx, stop := context.WithTimeout(ctx, send.Limit)
	defer stop()
	lease, err := c.Client().CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, name, metav1.GetOptions{})
	if apierrors.IsNotFound(err) {
		return nil, nil //nolint:nilnil // a node without a lease is no error
	}
	if err != nil {
		return nil, fmt.Errorf("read the lease of %s: %w", name, err)
	}
	return lease, nil
}

// podsOf lists the pods that are bound to a node, by namespace and name, and gives the version of the list: the newest, or,
// if after names one, what the server's cache has, which is no older than that. A cache of any age might not know yet of a
// pod that is still there, and it would be taken for gone.
func podsOf(ctx context.Context, c *kube.Cluster, name, after string) (pods []*corev1.Pod, version string, err error) {
	ctx, stop := context.WithTimeout(ctx, send.Limit)
	defer stop()
	o := metav1.ListOptions{FieldSelector: fields.OneTermEqualSelector("spec.nodeName", name).String(), Limit: page}
	if after != "" {
		o.ResourceVersion, o.ResourceVersionMatch, o.Limit = after, metav1.ResourceVersionMatchNotOlderThan, 0
	}
	for {
		list, err := c.Client().CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return nil, "", fmt.Errorf("list the pods of %s: %w", words(name), err)
		}
		for i := range list.Items {
			pods = append(pods, &list.Items[i])
		}
		if version = list.ResourceVersion; list.Continue == "" {
			break
		}
		o.Continue = list.Continue
	}
	slices.SortFunc(pods, func(a, b *corev1.Pod) int { return strings.Compare(a.Namespace+"/"+a.Name, b.Namespace+"/"+b.Name) })
	return pods, version, nil
}

// miss notes what could not be read.
func (f *facts) miss(what string, err error, without string) {
	f.unknown = append(f.unknown, fmt.Sprintf("%s: %s: %s", what, strings.TrimRight(words(kube.Explain(err).Sentence), "."), without))
}

// readAll reads all nodes as the server's cache has them, which costs it least.
func (f *facts) readAll(ctx context.Context, c *kube.Cluster) {
	list, err := c.Client().CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		f.miss("the other nodes", err, "whether any is left to take the pods is not known")
		return
	}
	f.all, f.allKnown = list.Items, true
}

// readVolumes reads the claims of the pods, a namespace at a time, and what is attached to the nodes.
func (f *facts) readVolumes(ctx context.Context, c *kube.Cluster) {
	for _, namespace := range f.namespaces() {
		list, err := c.Client().CoreV1().PersistentVolumeClaims(namespace).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
		if err != nil {
			f.miss("the claims of "+words(namespace), err, "which volumes have one writer only is not known")
			f.claimsHidden = true
			continue
		}
		for i := range list.Items {
			f.claims[types.NamespacedName{Namespace: namespace, Name: list.Items[i].Name}] = &list.Items[i]
		}
	}
	list, err := c.Client().StorageV1().VolumeAttachments().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		f.miss("volume attachments", err, "which volumes hang on the machine is not known")
		return
	}
	for _, n := range f.nodes {
		n.attached = attachedTo(list.Items, n.ref.Name)
	}
}

func attachedTo(all []storagev1.VolumeAttachment, node string) []string {
	var out []string
	for i := range all {
		if all[i].Spec.NodeName != node {
			continue
		}
		if v := all[i].Spec.Source.PersistentVolumeName; v != nil {
			out = append(out, words(*v))
		} else {
			out = append(out, "a volume in the pod itself")
		}
	}
	slices.Sort(out)
	return out
}

// namespaces are those in which pods have claims.
func (f *facts) namespaces() []string {
	var out []string
	for _, n := range f.nodes {
		for _, p := range n.pods {
			if slices.ContainsFunc(p.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil }) {
				out = append(out, p.Namespace)
			}
		}
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// usable counts the nodes that take new pods, now and without those that are meant, and how many others there are.
func (f *facts) usable() (now, after, others int) {
	for i := range f.all {
		row := kube.NewNode(&f.all[i])
		other := !slices.ContainsFunc(f.nodes, func(n *node) bool { return n.ref.Name == f.all[i].Name })
		if other {
			others++
		}
		if !row.State().Ready || row.Unschedulable {
			continue
		}
		now++
		if other {
			after++
		}
	}
	return now, after, others
}
