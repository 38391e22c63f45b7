package remove

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	coordinationv1 "k8s.io/api/coordination/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"ktriage/kube"
	"ktriage/kube/live"
	"ktriage/kube/send"
)

const (
	page     = 500 // objects of one answer
	fewPods  = 5   // in one namespace are read one by one, more as a list
	fewNodes = 10  // likewise
	examined = 10  // pods whose events are read
)

// reading is what a plan wants read besides the pods, their nodes, owners and namespaces.
type reading struct {
	budgets, claims bool
	nodes           bool // all of them
	hosted          bool // how many pods the nodes have that do not answer
}

// reader fills facts. Whatever its requests share is behind the lock.
type reader struct {
	client kubernetes.Interface
	what   reading

	mu     sync.Mutex
	facts  *facts
	unread live.Unread
}

// errGone says that a pod does not exist any more.
var errGone = errors.New("is gone; nothing was done")

// read reads the pods that are meant, and what they depend on. Of one pod it is an error that it is not there any more, or
// another one of its name; of several, if that is so of all of them.
func read(ctx context.Context, c *kube.Cluster, refs []kube.Ref, what reading) (*facts, error) {
	r := &reader{client: c.Client(), what: what, facts: &facts{
		context: c.Context(), nodes: map[string]*corev1.Node{}, hosted: map[string]int{}, leases: map[string]*coordinationv1.Lease{},
		namespaces: map[string]*corev1.Namespace{}, owners: map[types.UID]owner{}, budgets: map[string][]*budget{},
		claims: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}, events: map[types.UID][]corev1.Event{},
	}}
	if err := r.readPods(ctx, refs); err != nil {
		return nil, err
	}
	tasks := append(r.nodeTasks(), r.namespaceTasks()...)
	tasks = append(tasks, r.ownerTasks()...)
	tasks = append(tasks, r.claimTasks()...)
	live.Each(ctx, tasks)
	r.facts.now = time.Now()
	live.Each(ctx, r.lateTasks())
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("read what %s depends on: %w", refs[0].FullName(), context.Cause(ctx))
	}
	r.facts.unknown = r.sentences()
	return r.facts, nil
}

// readPods reads the pods, without which there is no plan.
func (r *reader) readPods(ctx context.Context, refs []kube.Ref) error {
	found, errs := map[string]*corev1.Pod{}, []error(nil) // by UID
	note := func(err error, pods ...*corev1.Pod) {
		r.mu.Lock()
		defer r.mu.Unlock()
		for _, p := range pods {
			found[string(p.UID)] = p
		}
		if err != nil {
			errs = append(errs, err)
		}
	}
	in := map[string][]kube.Ref{}
	for _, ref := range refs {
		in[ref.Namespace] = append(in[ref.Namespace], ref)
	}
	var tasks []live.Task
	for ns, list := range in {
		if len(list) > fewPods {
			tasks = append(tasks, func(ctx context.Context) { pods, err := r.listPods(ctx, ns); note(err, pods...) })
			continue
		}
		for _, ref := range list {
			tasks = append(tasks, func(ctx context.Context) {
				p, err := r.client.CoreV1().Pods(ns).Get(ctx, ref.Name, metav1.GetOptions{})
				switch {
				case apierrors.IsNotFound(err):
				case err != nil:
					note(fmt.Errorf("read pod %s: %w", ref.FullName(), err))
				default:
					note(nil, p)
				}
			})
		}
	}
	live.Each(ctx, tasks)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read %s: %w", refs[0].FullName(), context.Cause(ctx))
	}
	if len(errs) > 0 {
		return errs[0]
	}
	return r.sortOut(refs, found)
}

func (r *reader) listPods(ctx context.Context, ns string) ([]*corev1.Pod, error) {
	var out []*corev1.Pod
	o := metav1.ListOptions{Limit: page}
	for {
		list, err := r.client.CoreV1().Pods(ns).List(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("list the pods of %s: %w", ns, err)
		}
		for i := range list.Items {
			out = append(out, &list.Items[i])
		}
		if o.Continue = list.Continue; o.Continue == "" {
			return out, nil
		}
	}
}

// sortOut tells those that are there from those that are not.
func (r *reader) sortOut(refs []kube.Ref, found map[string]*corev1.Pod) error {
	f := r.facts
	for _, ref := range refs {
		if p := found[ref.UID]; p != nil {
			f.pods = append(f.pods, &victim{p, ref})
		} else {
			f.gone = append(f.gone, ref)
		}
	}
	if len(f.pods) > 0 {
		return nil
	}
	ref := refs[0]
	for _, p := range found {
		if p.Namespace == ref.Namespace && p.Name == ref.Name {
			return fmt.Errorf("%s %w; nothing was done", ref.FullName(), send.ErrReplaced)
		}
	}
	if len(refs) > 1 {
		return fmt.Errorf("%s and %d more: each %w", ref.FullName(), len(refs)-1, errGone)
	}
	return fmt.Errorf("%s %w", ref.FullName(), errGone)
}

// nodeTasks read the nodes of the pods: live if there are few, otherwise with all others as the server's cache has them.
func (r *reader) nodeTasks() []live.Task {
	names := distinct(r.facts.pods, func(v *victim) string { return v.Spec.NodeName })
	var out []live.Task
	if r.what.nodes || len(names) > fewNodes {
		out = append(out, func(ctx context.Context) { r.listNodes(ctx, names) })
	}
	if len(names) > fewNodes {
		return out
	}
	for _, n := range names {
		out = append(out, func(ctx context.Context) { r.readNode(ctx, n) })
	}
	return out
}

func (r *reader) readNode(ctx context.Context, name string) {
	n, err := r.client.CoreV1().Nodes().Get(ctx, name, metav1.GetOptions{})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case apierrors.IsNotFound(err):
		r.facts.nodes[name] = nil
	case err != nil:
		r.unread.Note(nodes, "", err)
	default:
		r.facts.nodes[name] = n
	}
}

func (r *reader) listNodes(ctx context.Context, wanted []string) {
	o := metav1.ListOptions{ResourceVersion: "0"}
	list, err := r.client.CoreV1().Nodes().List(ctx, o)
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread.Note(nodes, "", err)
		return
	}
	f := r.facts
	f.allKnown = true
	for i := range list.Items {
		f.all = append(f.all, &list.Items[i])
	}
	if len(wanted) <= fewNodes {
		return // those are read live
	}
	for _, name := range wanted {
		f.nodes[name] = nil
	}
	for _, n := range f.all {
		if slices.Contains(wanted, n.Name) {
			f.nodes[n.Name] = n
		}
	}
}

// namespaceTasks read the namespaces of the pods, and their budgets.
func (r *reader) namespaceTasks() []live.Task {
	var out []live.Task
	for _, ns := range distinct(r.facts.pods, func(v *victim) string { return v.Namespace }) {
		out = append(out, func(ctx context.Context) { r.readNamespace(ctx, ns) })
		if r.what.budgets {
			out = append(out, func(ctx context.Context) { r.readBudgets(ctx, ns) })
		}
	}
	return out
}

func (r *reader) readNamespace(ctx context.Context, name string) {
	ns, err := r.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case apierrors.IsNotFound(err): // its last pods are going
	case err != nil:
		r.unread.Note(namespaces, name, err)
	default:
		r.facts.namespaces[name] = ns
	}
}

func (r *reader) readBudgets(ctx context.Context, ns string) {
	list, err := r.client.PolicyV1().PodDisruptionBudgets(ns).List(ctx, metav1.ListOptions{})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread.Note(budgets, ns, err)
		return
	}
	for i := range list.Items {
		r.facts.budgets[ns] = append(r.facts.budgets[ns], newBudget(&list.Items[i]))
	}
}

// ownerTasks read each controller of pods once.
func (r *reader) ownerTasks() []live.Task {
	var out []live.Task
	asked := map[types.UID]bool{}
	for _, v := range r.facts.pods {
		ref := metav1.GetControllerOf(v.Pod)
		if ref == nil || v.static() || asked[ref.UID] {
			continue
		}
		asked[ref.UID] = true
		out = append(out, func(ctx context.Context) { r.readOwner(ctx, v.Namespace, ref) })
	}
	return out
}

// claimTasks read the claims of pods: one by one if there are few, otherwise by namespace.
func (r *reader) claimTasks() []live.Task {
	if !r.what.claims {
		return nil
	}
	in := map[string][]string{}
	for _, v := range r.facts.pods {
		for _, c := range v.claims() {
			if !slices.Contains(in[v.Namespace], c) {
				in[v.Namespace] = append(in[v.Namespace], c)
			}
		}
	}
	var out []live.Task
	for ns, list := range in {
		if len(list) > fewPods {
			out = append(out, func(ctx context.Context) { r.listClaims(ctx, ns) })
			continue
		}
		for _, name := range list {
			out = append(out, func(ctx context.Context) {
				c, err := r.client.CoreV1().PersistentVolumeClaims(ns).Get(ctx, name, metav1.GetOptions{})
				if apierrors.IsNotFound(err) {
					return
				}
				r.keepClaims(ns, err, c)
			})
		}
	}
	return out
}

func (r *reader) listClaims(ctx context.Context, ns string) {
	list, err := r.client.CoreV1().PersistentVolumeClaims(ns).List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		r.keepClaims(ns, err)
		return
	}
	for i := range list.Items {
		r.keepClaims(ns, nil, &list.Items[i])
	}
}

func (r *reader) keepClaims(ns string, err error, claims ...*corev1.PersistentVolumeClaim) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread.Note(volumes, ns, err)
		return
	}
	for _, c := range claims {
		r.facts.claims[types.NamespacedName{Namespace: ns, Name: c.Name}] = c
	}
}

// lateTasks read what only pods need that are late, or whose node does not answer.
func (r *reader) lateTasks() []live.Task {
	f := r.facts
	var out []live.Task
	late := slices.DeleteFunc(slices.Clone(f.pods), func(v *victim) bool {
		return !v.deleting() || v.DeletionTimestamp.After(f.now)
	})
	away := slices.DeleteFunc(slices.Clone(f.pods), func(v *victim) bool { return !f.away(v) })
	for _, name := range distinct(away, func(v *victim) string { return v.Spec.NodeName }) {
		if len(out) >= 2*fewNodes {
			break
		}
		out = append(out, func(ctx context.Context) { r.readLease(ctx, name) })
		if r.what.hosted {
			out = append(out, func(ctx context.Context) { r.countHosted(ctx, name) })
		}
	}
	if len(late) > 0 && slices.ContainsFunc(f.pods, func(v *victim) bool { return len(v.claims()) > 0 }) || r.what.hosted {
		out = append(out, r.readAttachments)
	}
	for _, v := range late[:min(len(late), examined)] {
		out = append(out, func(ctx context.Context) { r.readEvents(ctx, v) })
	}
	return out
}

func (r *reader) readLease(ctx context.Context, node string) {
	l, err := r.client.CoordinationV1().Leases(corev1.NamespaceNodeLease).Get(ctx, node, metav1.GetOptions{})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err == nil {
		r.facts.leases[node] = l // without it the heartbeat of the condition says nearly as much
	}
}

// countHosted counts the pods of a node that are made again elsewhere when it is given up.
func (r *reader) countHosted(ctx context.Context, node string) {
	list, err := r.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("spec.nodeName", node).String(),
	})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread.Note(hosted, "", err)
		return
	}
	n := 0
	for i := range list.Items {
		v := &victim{Pod: &list.Items[i]}
		if o := metav1.GetControllerOf(v.Pod); !v.finished() && !v.static() && (o == nil || o.Kind != "DaemonSet") {
			n++
		}
	}
	r.facts.hosted[node] = n
}

func (r *reader) readAttachments(ctx context.Context) {
	list, err := r.client.StorageV1().VolumeAttachments().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread.Note(attachment, "", err)
		return
	}
	r.facts.attached = list.Items
}

func (r *reader) readEvents(ctx context.Context, v *victim) {
	list, err := r.client.CoreV1().Events(v.Namespace).List(ctx, metav1.ListOptions{
		FieldSelector: fields.OneTermEqualSelector("involvedObject.uid", string(v.UID)).String(), Limit: page,
	})
	if err != nil {
		return // what they would add is not missed
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.facts.events[v.UID] = list.Items
}
