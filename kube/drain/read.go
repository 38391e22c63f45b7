package drain

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/fields"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/live"
)

const (
	readLimit = 30 * time.Second // for all that a plan is made of
	page      = 500              // objects of one answer
)

// What Read says of a node that is not the one that was meant.
var (
	ErrNoNode   = errors.New("does not exist")
	ErrReplaced = errors.New("was replaced by another of that name")
)

// Read makes the plan of a drain from what the server says now: the nodes, their pods, the budgets, owners, namespaces and
// volumes of those, and all nodes; only the loads of other nodes are those of c.Moment. It changes nothing. What may not be
// read, but for the nodes and their pods, is a sentence in Plan.Unknown. A ref without a UID is the node of that name; with
// one, another node of that name is ErrReplaced; that there is none is ErrNoNode.
func Read(ctx context.Context, c *kube.Cluster, refs []kube.Ref, s Settings) (*Plan, error) {
	ctx, cancel := context.WithTimeout(ctx, readLimit)
	defer cancel()
	r := &reader{client: c.Client(), facts: &facts{
		context: c.Context(), loads: c.Moment().Loads,
		budgets: map[string][]*budget{}, blind: map[string]bool{}, dying: map[string]bool{}, owners: map[types.UID]owner{},
		claims: map[types.NamespacedName]*corev1.PersistentVolumeClaim{}, volumes: map[string]*corev1.PersistentVolume{},
	}}
	if err := r.read(ctx, refs); err != nil {
		return nil, err
	}
	plan := classify(r.facts, s, time.Now())
	if s.DryRun {
		if err := plan.ask(ctx, c.Client()); err != nil {
			return nil, err
		}
	}
	return plan, nil
}

// reader fills facts. Whatever its requests share is behind the lock.
type reader struct {
	client kubernetes.Interface

	mu     sync.Mutex
	facts  *facts
	unread live.Unread
}

// read goes in three rounds: each needs what the one before it has found.
func (r *reader) read(ctx context.Context, refs []kube.Ref) error {
	if err := r.readNodes(ctx, refs); err != nil {
		return err
	}
	pods := r.pods()
	tasks := r.namespaceTasks(namespacesOf(pods))
	tasks = append(tasks, r.ownerTasks(pods)...)
	tasks = append(tasks, r.claimTasks(pods)...)
	live.Each(ctx, tasks)
	tasks = append(r.volumeTasks(), r.peerTasks(pods)...)
	live.Each(ctx, tasks)
	if err := ctx.Err(); err != nil {
		return fmt.Errorf("read what the pods of %s depend on: %w", refs[0].Name, context.Cause(ctx))
	}
	r.facts.unknown = append(r.facts.unknown, r.sentences()...)
	return nil
}

// readNodes reads the nodes of the plan with their pods, without which there is no plan, and all nodes.
func (r *reader) readNodes(ctx context.Context, refs []kube.Ref) error {
	r.facts.nodes = make([]*nodeFacts, len(refs))
	errs := make([]error, len(refs))
	tasks := []live.Task{r.readAll}
	for i, ref := range refs {
		tasks = append(tasks, func(ctx context.Context) { r.facts.nodes[i], errs[i] = r.readNode(ctx, ref) })
	}
	live.Each(ctx, tasks)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("read %s: %w", refs[0].Name, context.Cause(ctx))
	}
	return nil
}

func (r *reader) readNode(ctx context.Context, ref kube.Ref) (*nodeFacts, error) {
	node, err := r.client.CoreV1().Nodes().Get(ctx, ref.Name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err) && ref.UID == "":
		return nil, fmt.Errorf("node %q %w", words(ref.Name), ErrNoNode)
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("node %s %w any more, nothing was done", words(ref.Name), ErrNoNode)
	case err != nil:
		return nil, fmt.Errorf("read node %s: %w", ref.Name, err)
	case ref.UID != "" && ref.UID != string(node.UID):
		return nil, fmt.Errorf("node %s %w %s ago, nothing was done",
			words(ref.Name), ErrReplaced, text.Age(time.Now(), node.CreationTimestamp.Time))
	}
	out := &nodeFacts{node: node}
	out.version, err = pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		o.FieldSelector = fields.OneTermEqualSelector("spec.nodeName", ref.Name).String()
		list, err := r.client.CoreV1().Pods(metav1.NamespaceAll).List(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("list the pods of %s: %w", ref.Name, err)
		}
		for i := range list.Items {
			if pod := &list.Items[i]; pod.Spec.NodeName == ref.Name {
				out.pods = append(out.pods, pod)
			}
		}
		return list, nil
	}, "")
	if err != nil {
		return nil, err
	}
	return out, nil
}

// pages asks for list after list until there is no more of it, and gives the version of the first.
func pages(list func(metav1.ListOptions) (metav1.ListInterface, error), version string) (string, error) {
	o, first := metav1.ListOptions{Limit: page, ResourceVersion: version}, ""
	for {
		got, err := list(o)
		if err != nil {
			return "", err
		}
		if first == "" {
			first = got.GetResourceVersion()
		}
		if got.GetContinue() == "" {
			return first, nil
		}
		o.Continue, o.ResourceVersion = got.GetContinue(), ""
	}
}

// readAll reads all nodes as the server's cache has them: a big cluster has thousands, and what remains may be a second old.
func (r *reader) readAll(ctx context.Context) {
	var all []*corev1.Node
	_, err := pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		list, err := r.client.CoreV1().Nodes().List(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("list the nodes: %w", err)
		}
		for i := range list.Items {
			all = append(all, &list.Items[i])
		}
		return list, nil
	}, "0")
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.unread.Note(other, "", err)
		return
	}
	slices.SortFunc(all, compareNames)
	r.facts.all, r.facts.allKnown = all, true
}

func (r *reader) pods() []*corev1.Pod {
	var out []*corev1.Pod
	for _, n := range r.facts.nodes {
		out = append(out, n.pods...)
	}
	return out
}

func namespacesOf(pods []*corev1.Pod) []string {
	var out []string
	for _, p := range pods {
		out = append(out, p.Namespace)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// namespaceTasks read the budgets of namespaces, and whether they are being deleted.
func (r *reader) namespaceTasks(namespaces []string) []live.Task {
	var out []live.Task
	for _, ns := range namespaces {
		out = append(out, func(ctx context.Context) { r.readBudgets(ctx, ns) }, func(ctx context.Context) { r.readNamespace(ctx, ns) })
	}
	return out
}

func (r *reader) readBudgets(ctx context.Context, ns string) {
	var found []*budget
	_, err := pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		list, err := r.client.PolicyV1().PodDisruptionBudgets(ns).List(ctx, o)
		if err != nil {
			return nil, fmt.Errorf("list the budgets of %s: %w", ns, err)
		}
		for i := range list.Items {
			found = append(found, newBudget(&list.Items[i]))
		}
		return list, nil
	}, "")
	r.mu.Lock()
	defer r.mu.Unlock()
	if err != nil {
		r.facts.blind[ns] = true
		r.unread.Note(budgets, ns, err)
		return
	}
	r.facts.budgets[ns] = found
}

func (r *reader) readNamespace(ctx context.Context, name string) {
	ns, err := r.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case apierrors.IsNotFound(err): // its last pods are going, or a fixture has none
	case err != nil:
		r.unread.Note(namespaces, name, fmt.Errorf("read namespace %s: %w", name, err))
	case ns.Status.Phase == corev1.NamespaceTerminating || ns.DeletionTimestamp != nil:
		r.facts.dying[name] = true
	}
}

// claimTasks read the claims through which pods have volumes.
func (r *reader) claimTasks(pods []*corev1.Pod) []live.Task {
	var out []live.Task
	asked := map[types.NamespacedName]bool{}
	for _, p := range pods {
		for i := range p.Spec.Volumes {
			claim := p.Spec.Volumes[i].PersistentVolumeClaim
			if claim == nil || asked[named(p.Namespace, claim.ClaimName)] {
				continue
			}
			key := named(p.Namespace, claim.ClaimName)
			asked[key] = true
			out = append(out, func(ctx context.Context) { r.readClaim(ctx, key) })
		}
	}
	return out
}

func (r *reader) readClaim(ctx context.Context, key types.NamespacedName) {
	claim, err := r.client.CoreV1().PersistentVolumeClaims(key.Namespace).Get(ctx, key.Name, metav1.GetOptions{})
	r.mu.Lock()
	defer r.mu.Unlock()
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		r.unread.Note(volumes, key.Namespace, fmt.Errorf("read claim %s: %w", key, err))
	default:
		r.facts.claims[key] = claim
	}
}

func (r *reader) volumeTasks() []live.Task {
	var out []live.Task
	asked := map[string]bool{"": true}
	for _, claim := range r.facts.claims {
		name := claim.Spec.VolumeName
		if asked[name] {
			continue
		}
		asked[name] = true
		out = append(out, func(ctx context.Context) {
			volume, err := r.client.CoreV1().PersistentVolumes().Get(ctx, name, metav1.GetOptions{})
			r.mu.Lock()
			defer r.mu.Unlock()
			switch {
			case apierrors.IsNotFound(err):
			case err != nil:
				r.unread.Note(volumes, "", fmt.Errorf("read volume %s: %w", name, err))
			default:
				r.facts.volumes[name] = volume
			}
		})
	}
	return out
}

// peerTasks read all pods of the budgets that allow nothing, to name those that are not well. Where that is not allowed,
// the numbers of the budget say enough.
func (r *reader) peerTasks(pods []*corev1.Pod) []live.Task {
	var out []live.Task
	for _, list := range r.facts.budgets {
		for _, b := range list {
			if b.Status.DisruptionsAllowed > 0 || b.Status.CurrentHealthy >= b.Status.ExpectedPods || !slices.ContainsFunc(pods, b.selects) {
				continue
			}
			out = append(out, func(ctx context.Context) { r.readPeers(ctx, b) })
		}
	}
	return out
}

func (r *reader) readPeers(ctx context.Context, b *budget) {
	list, err := r.client.CoreV1().Pods(b.Namespace).List(ctx, metav1.ListOptions{LabelSelector: b.selector.String(), Limit: page})
	if err != nil || list.Continue != "" {
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	b.peers = []*corev1.Pod{}
	for i := range list.Items {
		if b.selects(&list.Items[i]) {
			b.peers = append(b.peers, &list.Items[i])
		}
	}
}
