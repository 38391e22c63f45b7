package scale

import (
	"context"
	"fmt"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"

	appsv1 "k8s.io/api/apps/v1"

	"ktriage/kube"
	"ktriage/kube/live"
)

// selector narrows a list to what one target selects, where there is but one.
func selector(targets []*target) string {
	if len(targets) != 1 {
		return ""
	}
	return targets[0].selector().String()
}

// selector selects the pods of a target.
func (t *target) selector() labels.Selector {
	var by *metav1.LabelSelector
	switch {
	case t.set != nil:
		by = t.set.Spec.Selector
	case t.deploy != nil:
		by = t.deploy.Spec.Selector
	default:
		by = t.rs.Spec.Selector
	}
	s, err := metav1.LabelSelectorAsSelector(by)
	if err != nil {
		return labels.Everything() // the server has validated it; owners tell the rest
	}
	return s
}

// readPods reads the pods of the targets of a namespace, and the ReplicaSets that stand between them and Deployments.
func (r *reader) readPods(ctx context.Context, ns string) error {
	targets := r.in(ns)
	by := selector(targets)
	o := metav1.ListOptions{Limit: page, LabelSelector: by}
	for {
		l, err := r.client.CoreV1().Pods(ns).List(ctx, o)
		if err != nil {
			return fmt.Errorf("list the pods of %s: %w: %w", words(ns), errUnread, err)
		}
		r.mu.Lock()
		for i := range l.Items {
			if owner := metav1.GetControllerOfNoCopy(&l.Items[i]); owner != nil {
				r.pods[owner.UID] = append(r.pods[owner.UID], &l.Items[i])
			}
		}
		r.mu.Unlock()
		if o.Continue = l.Continue; o.Continue == "" {
			break
		}
	}
	if !slices.ContainsFunc(targets, func(t *target) bool { return t.deploy != nil }) {
		return nil
	}
	l, err := r.client.AppsV1().ReplicaSets(ns).List(ctx, metav1.ListOptions{})
	if err != nil {
		r.deny("ReplicaSets", "which pods go is not known", err)
		return nil
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	for _, t := range targets {
		for i := range l.Items {
			if owner := metav1.GetControllerOfNoCopy(&l.Items[i]); t.deploy != nil && owner != nil && owner.UID == t.deploy.UID {
				t.sets = append(t.sets, &l.Items[i])
			}
		}
	}
	return nil
}

// luxuries read what a plan can do without.
func (r *reader) luxuries(ns string) []live.Task {
	return []live.Task{
		func(ctx context.Context) { r.readClaims(ctx, ns) },
		func(ctx context.Context) {
			l, err := r.client.AutoscalingV2().HorizontalPodAutoscalers(ns).List(ctx, metav1.ListOptions{})
			if err != nil {
				r.deny("HPAs", "one may set another number", err)
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.scalers[ns] = l.Items
		},
		func(ctx context.Context) {
			l, err := r.client.PolicyV1().PodDisruptionBudgets(ns).List(ctx, metav1.ListOptions{})
			if err != nil {
				r.deny("budgets", "a drain may have to wait afterwards", err)
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.budgets[ns] = l.Items
		},
		func(ctx context.Context) {
			l, err := r.client.CoreV1().ResourceQuotas(ns).List(ctx, metav1.ListOptions{})
			if err != nil {
				r.deny("quotas", "one may not allow new pods", err)
				return
			}
			r.mu.Lock()
			defer r.mu.Unlock()
			r.quotas[ns] = l.Items
		},
	}
}

func (r *reader) readClaims(ctx context.Context, ns string) {
	claimed := slices.ContainsFunc(r.in(ns), func(t *target) bool {
		return t.set != nil && len(t.set.Spec.VolumeClaimTemplates) > 0 ||
			slices.ContainsFunc(t.template.Spec.Volumes, func(v corev1.Volume) bool { return v.PersistentVolumeClaim != nil })
	})
	if !claimed {
		return
	}
	found := map[string]*corev1.PersistentVolumeClaim{}
	o := metav1.ListOptions{Limit: page}
	for {
		l, err := r.client.CoreV1().PersistentVolumeClaims(ns).List(ctx, o)
		if err != nil {
			r.deny("claims", "which have old data, and how big they are, is not known", err)
			return
		}
		for i := range l.Items {
			found[l.Items[i].Name] = &l.Items[i]
		}
		if o.Continue = l.Continue; o.Continue == "" {
			break
		}
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.claims[ns] = found
}

// mostVolumes is how many volumes are read for a plan; of the others it is not known what becomes of them.
const mostVolumes = 100

// volumeTasks read the volumes behind claims that may be deleted, or used again: those of the highest ordinals first.
func (r *reader) volumeTasks() []live.Task {
	var out []live.Task
	for _, t := range r.targets {
		if t.set == nil {
			continue
		}
		var claims []*corev1.PersistentVolumeClaim
		for _, claim := range r.claims[t.ref.Namespace] {
			if claimOrdinal(t.set, claim.Name) >= 0 && claim.Spec.VolumeName != "" {
				claims = append(claims, claim)
			}
		}
		slices.SortFunc(claims, func(a, b *corev1.PersistentVolumeClaim) int {
			return claimOrdinal(t.set, b.Name) - claimOrdinal(t.set, a.Name)
		})
		for _, claim := range claims[:min(len(claims), max(0, mostVolumes-len(out)))] {
			out = append(out, func(ctx context.Context) { r.readVolume(ctx, claim.Spec.VolumeName) })
		}
	}
	return out
}

func (r *reader) readVolume(ctx context.Context, name string) {
	v, err := r.client.CoreV1().PersistentVolumes().Get(ctx, name, metav1.GetOptions{})
	switch {
	case apierrors.IsNotFound(err):
	case err != nil:
		r.deny("volumes", "whether their data goes with the claims is not known", err)
	default:
		r.mu.Lock()
		r.volumes[v.Name] = v
		r.mu.Unlock()
	}
}

// claimOrdinal is the ordinal of the pod that a set makes a claim for, -1 if it makes none of that name.
func claimOrdinal(s *appsv1.StatefulSet, claim string) int {
	for i := range s.Spec.VolumeClaimTemplates {
		if pod, ok := strings.CutPrefix(claim, s.Spec.VolumeClaimTemplates[i].Name+"-"); ok {
			if n := ordinal(s.Name, pod); n >= 0 {
				return n
			}
		}
	}
	return -1
}

// readNodes reads all nodes as the server's cache has them.
func (r *reader) readNodes(ctx context.Context) {
	l, err := r.client.CoreV1().Nodes().List(ctx, metav1.ListOptions{ResourceVersion: "0"})
	if err != nil {
		r.deny("nodes", "whether there is room is not known", err)
		return
	}
	r.mu.Lock()
	defer r.mu.Unlock()
	r.nodes = l.Items
}

// deny notes what could not be read, once.
func (r *reader) deny(what, without string, err error) {
	r.mu.Lock()
	defer r.mu.Unlock()
	if r.missing[what] {
		return
	}
	r.missing[what] = true
	why := "they could not be read (" + strings.TrimRight(kube.Explain(err).Sentence, ".") + ")"
	if apierrors.IsForbidden(err) {
		why = "you may not list them"
	}
	r.unknown = append(r.unknown, what+": "+why+"; "+without)
}
