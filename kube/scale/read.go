package scale

import (
	"context"
	"errors"
	"fmt"
	"slices"
	"strings"
	"sync"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	autoscalingv2 "k8s.io/api/autoscaling/v2"
	policyv1 "k8s.io/api/policy/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/live"
	"ktriage/kube/send"
)

const (
	readLimit = 30 * time.Second // for all that a plan is made of
	page      = 500              // objects of one answer
	// oneByOne is how many objects of a namespace are read by their names; more are listed.
	oneByOne = 3
)

// reader fills facts. Whatever its requests share is behind the lock.
type reader struct {
	client kubernetes.Interface
	mu     sync.Mutex
	*facts
}

// read reads what a plan is made of: the objects, without which there is none, and all that is told beside them.
func read(ctx context.Context, c *kube.Cluster, refs []kube.Ref) (*facts, error) {
	ctx, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	r := &reader{client: c.Client(), facts: &facts{
		now: time.Now(), pods: map[types.UID][]*corev1.Pod{}, claims: map[string]map[string]*corev1.PersistentVolumeClaim{},
		volumes: map[string]*corev1.PersistentVolume{}, scalers: map[string][]autoscalingv2.HorizontalPodAutoscaler{},
		budgets: map[string][]policyv1.PodDisruptionBudget{}, quotas: map[string][]corev1.ResourceQuota{},
		loads: c.Moment().Loads, missing: map[string]bool{},
	}}
	refs, err := r.owners(ctx, refs)
	if err != nil {
		return nil, err
	}
	if err := r.objects(ctx, refs); err != nil {
		return nil, err
	}
	var errs sync.Map
	tasks := []live.Task{r.readNodes}
	for _, ns := range r.namespaces() {
		tasks = append(tasks, func(ctx context.Context) {
			if err := r.readPods(ctx, ns); err != nil {
				errs.Store(ns, err)
			}
		})
		tasks = append(tasks, r.luxuries(ns)...)
	}
	live.Each(ctx, tasks)
	errs.Range(func(_, e any) bool { err = e.(error); return false })
	if err != nil {
		return nil, err
	}
	if ctx.Err() != nil {
		return nil, fmt.Errorf("read what belongs to %s: %w", full(refs[0]), context.Cause(ctx))
	}
	live.Each(ctx, r.volumeTasks())
	return r.facts, nil
}

// owners puts what a pod belongs to in its place: the StatefulSet, the ReplicaSet, or the Deployment behind that.
func (r *reader) owners(ctx context.Context, refs []kube.Ref) ([]kube.Ref, error) {
	var out []kube.Ref
	for _, ref := range refs {
		if ref.Kind == kube.Pods {
			pod, err := r.client.CoreV1().Pods(ref.Namespace).Get(ctx, ref.Name, metav1.GetOptions{})
			if err := found(ref, pod, err); err != nil {
				return nil, err
			}
			if ref, err = r.above(ctx, ref, pod); err != nil {
				return nil, err
			}
		}
		if _, ok := resources[ref.Kind]; !ok {
			return nil, &action.Refusal{Why: fmt.Sprintf("%s: %s", full(ref), noNumber(ref.Kind.Kind()))}
		}
		if !slices.Contains(out, ref) {
			out = append(out, ref)
		}
	}
	if len(out) == 0 {
		return nil, &action.Refusal{Why: "there is nothing to scale: put the cursor on a StatefulSet, a Deployment or a ReplicaSet"}
	}
	return out, nil
}

// above gives what makes a pod again, if that has a number of replicas.
func (r *reader) above(ctx context.Context, ref kube.Ref, pod *corev1.Pod) (kube.Ref, error) {
	owner := metav1.GetControllerOf(pod)
	if owner == nil {
		return ref, &action.Refusal{Why: full(ref) + " belongs to nothing that could be scaled: it was made by itself"}
	}
	up := kube.Ref{Kind: kube.KindNamed(owner.Kind), Namespace: ref.Namespace, Name: owner.Name, UID: string(owner.UID)}
	if !strings.HasPrefix(owner.APIVersion, "apps/") || resources[up.Kind] == "" {
		return ref, &action.Refusal{Why: fmt.Sprintf("%s belongs to %s %s: %s", full(ref), words(owner.Kind), words(owner.Name), noNumber(owner.Kind))}
	}
	if up.Kind != kube.ReplicaSets {
		return up, nil
	}
	rs, err := r.client.AppsV1().ReplicaSets(up.Namespace).Get(ctx, up.Name, metav1.GetOptions{})
	if err := found(up, rs, err); err != nil {
		return ref, err
	}
	if d := metav1.GetControllerOf(rs); d != nil && d.Kind == "Deployment" {
		return kube.Ref{Kind: kube.Deployments, Namespace: up.Namespace, Name: d.Name, UID: string(d.UID)}, nil
	}
	return up, nil
}

// noNumber says why a kind cannot be scaled.
func noNumber(kind string) string {
	switch kind {
	case "DaemonSet":
		return "a DaemonSet has no number of replicas, it runs one pod per node; label or taint nodes instead"
	case "Job", "CronJob":
		return "a " + kind + " has no number of replicas; its parallelism is changed in its manifest"
	case "Node":
		return "a node has no number of replicas; choose a workload"
	case "":
		return "it has no number of replicas"
	}
	return "a " + words(kind) + " is not scaled from here; StatefulSets, Deployments and ReplicaSets are"
}

// found makes a sentence of what was not found, or is another object than the one that was meant.
func found(ref kube.Ref, o metav1.Object, err error) error {
	switch {
	case apierrors.IsNotFound(err):
		return &action.Refusal{Why: full(ref) + " does not exist any more; nothing was done"}
	case err != nil:
		return fmt.Errorf("read %s %s: %w", ref.Kind.Kind(), full(ref), err)
	case string(o.GetUID()) != ref.UID:
		return fmt.Errorf("%s %w; nothing was done", full(ref), send.ErrReplaced)
	}
	return nil
}

// objects reads the objects themselves: one by one, or by lists where a namespace has many of them.
func (r *reader) objects(ctx context.Context, refs []kube.Ref) error {
	type group struct {
		kind kube.Kinds
		ns   string
	}
	groups := map[group][]int{}
	for i, ref := range refs {
		g := group{ref.Kind, ref.Namespace}
		groups[g] = append(groups[g], i)
	}
	r.targets = make([]*target, len(refs))
	errs := make([]error, len(refs))
	var tasks []live.Task
	for g, members := range groups {
		if len(members) <= oneByOne {
			for _, i := range members {
				tasks = append(tasks, func(ctx context.Context) { r.targets[i], errs[i] = r.object(ctx, refs[i]) })
			}
			continue
		}
		tasks = append(tasks, func(ctx context.Context) {
			all, err := r.list(ctx, g.kind, g.ns)
			for _, i := range members {
				switch t := all[refs[i].Name]; {
				case err != nil:
					errs[i] = fmt.Errorf("list the %s of %s: %w", resources[g.kind], words(g.ns), err)
				case t == nil:
					errs[i] = &action.Refusal{Why: full(refs[i]) + " does not exist any more; nothing was done"}
				default:
					r.targets[i], errs[i] = t, found(refs[i], t.meta, nil)
				}
			}
		})
	}
	live.Each(ctx, tasks)
	for _, err := range errs {
		if err != nil {
			return err
		}
	}
	if ctx.Err() != nil {
		return fmt.Errorf("read %s: %w", full(refs[0]), context.Cause(ctx))
	}
	return nil
}

func (r *reader) object(ctx context.Context, ref kube.Ref) (*target, error) {
	apps, get := r.client.AppsV1(), metav1.GetOptions{}
	switch ref.Kind { //nolint:exhaustive // resources has no others
	case kube.StatefulSets:
		s, err := apps.StatefulSets(ref.Namespace).Get(ctx, ref.Name, get)
		if err := found(ref, s, err); err != nil {
			return nil, err
		}
		return ofSet(s), nil
	case kube.Deployments:
		d, err := apps.Deployments(ref.Namespace).Get(ctx, ref.Name, get)
		if err := found(ref, d, err); err != nil {
			return nil, err
		}
		return ofDeployment(d), nil
	}
	s, err := apps.ReplicaSets(ref.Namespace).Get(ctx, ref.Name, get)
	if err := found(ref, s, err); err != nil {
		return nil, err
	}
	return ofReplicaSet(s), nil
}

// list gives the objects of a kind in a namespace by name.
func (r *reader) list(ctx context.Context, kind kube.Kinds, ns string) (map[string]*target, error) {
	out := map[string]*target{}
	apps := r.client.AppsV1()
	switch kind {
	case kube.StatefulSets:
		l, err := apps.StatefulSets(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			out[l.Items[i].Name] = ofSet(&l.Items[i])
		}
	case kube.Deployments:
		l, err := apps.Deployments(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			out[l.Items[i].Name] = ofDeployment(&l.Items[i])
		}
	default:
		l, err := apps.ReplicaSets(ns).List(ctx, metav1.ListOptions{})
		if err != nil {
			return nil, err
		}
		for i := range l.Items {
			out[l.Items[i].Name] = ofReplicaSet(&l.Items[i])
		}
	}
	return out, nil
}

// namespaces are those of the targets.
func (f *facts) namespaces() []string {
	var out []string
	for _, t := range f.targets {
		out = append(out, t.ref.Namespace)
	}
	slices.Sort(out)
	return slices.Compact(out)
}

// in gives the targets of a namespace.
func (f *facts) in(ns string) []*target {
	var out []*target
	for _, t := range f.targets {
		if t.ref.Namespace == ns {
			out = append(out, t)
		}
	}
	return out
}

// errUnread says that the pods, without which no plan can tell what happens, could not be read.
var errUnread = errors.New("the pods that come and go cannot be told")
