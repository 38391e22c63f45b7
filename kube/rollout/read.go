package rollout

import (
	"cmp"
	"context"
	"encoding/json"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	readLimit = 30 * time.Second // for all that a plan is made of
	page      = 500              // objects of one answer
)

// sheet makes a plan of what was read.
type sheet struct {
	id        action.ID
	now       time.Time
	target    action.Target
	workloads []*workload
	refusals  []string // of objects that the action is not for
	unknown   []string // sentences: what could not be read, and what that means
}

// read reads the objects, live, with what a plan needs beside them.
func read(ctx context.Context, c *kube.Cluster, id action.ID, t action.Target, kinds kube.Kinds) (*sheet, error) {
	ctx, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	s := &sheet{id: id, now: time.Now(), target: t}
	for _, ref := range t.Refs {
		if ref.Kind&kinds == 0 {
			s.refusals = append(s.refusals, fmt.Sprintf("%s is a %s: there is no %s of it; take it out",
				words(ref.FullName()), ref.Kind.Kind(), id.Verb()))
			continue
		}
		object, err := get(ctx, c, ref)
		if err != nil {
			return nil, err
		}
		w := &workload{ref: ref, object: object}
		s.workloads = append(s.workloads, w)
		if ref.Kind&rolling != 0 {
			s.readPods(ctx, c, w)
		}
		if id == action.RollBack {
			if err := w.readHistory(ctx, c); err != nil {
				return nil, err
			}
		}
		s.readClaims(ctx, c, w)
	}
	if err := ctx.Err(); err != nil {
		return nil, fmt.Errorf("plan for %s: %w", t.Name(), err)
	}
	return s, nil
}

// miss notes what could not be read.
func (s *sheet) miss(what string, err error, without string) {
	s.unknown = append(s.unknown, fmt.Sprintf("%s: %s: %s", what, strings.TrimRight(words(kube.Explain(err).Sentence), "."), without))
}

func (s *sheet) readPods(ctx context.Context, c *kube.Cluster, w *workload) {
	pods, err := podsOf(ctx, c, w.object)
	if err != nil {
		s.miss("the pods of "+w.name(), err, "whether they are well is not known")
	}
	w.pods = pods
}

// podsOf lists the pods that a workload selects.
func podsOf(ctx context.Context, c *kube.Cluster, o metav1.Object) ([]*corev1.Pod, error) {
	selector, err := metav1.LabelSelectorAsSelector(selectorOf(o))
	if err != nil {
		return nil, err
	}
	var out []*corev1.Pod
	options := metav1.ListOptions{LabelSelector: selector.String(), ResourceVersion: "0", Limit: page}
	for {
		list, err := c.Client().CoreV1().Pods(o.GetNamespace()).List(ctx, options)
		if err != nil {
			return nil, fmt.Errorf("list the pods of %s/%s: %w", o.GetNamespace(), o.GetName(), err)
		}
		for i := range list.Items {
			out = append(out, &list.Items[i])
		}
		if list.Continue == "" {
			break
		}
		options.Continue, options.ResourceVersion = list.Continue, ""
	}
	slices.SortFunc(out, func(a, b *corev1.Pod) int { return strings.Compare(a.Name, b.Name) })
	return out, nil
}

func selectorOf(o metav1.Object) *metav1.LabelSelector {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Spec.Selector
	case *appsv1.StatefulSet:
		return o.Spec.Selector
	case *appsv1.DaemonSet:
		return o.Spec.Selector
	}
	return nil
}

// readClaims finds out whether pods have volumes to which one node may write.
func (s *sheet) readClaims(ctx context.Context, c *kube.Cluster, w *workload) {
	if set, is := w.object.(*appsv1.StatefulSet); is {
		for _, claim := range set.Spec.VolumeClaimTemplates {
			w.oneWriter = w.oneWriter || !slices.Contains(claim.Spec.AccessModes, corev1.ReadWriteMany)
		}
	}
	template := w.template()
	if template == nil {
		return
	}
	for _, v := range template.Spec.Volumes {
		if v.PersistentVolumeClaim == nil {
			continue
		}
		name := v.PersistentVolumeClaim.ClaimName
		claim, err := c.Client().CoreV1().PersistentVolumeClaims(w.ref.Namespace).Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			s.miss("the claim "+words(name), err, "whether two pods can have its volume at once is not known")
			continue
		}
		modes := claim.Spec.AccessModes
		single := slices.Contains(modes, corev1.ReadWriteOnce) || slices.Contains(modes, corev1.ReadWriteOncePod)
		w.oneWriter = w.oneWriter || single && !slices.Contains(modes, corev1.ReadWriteMany)
	}
}

// The annotations that a rollout leaves, as kubectl and the Deployment controller name them.
const (
	restartedAt        = "kubectl.kubernetes.io/restartedAt"
	changeCause        = "kubernetes.io/change-cause"
	revisionAnnotation = "deployment.kubernetes.io/revision"
)

// readHistory reads the templates that the workload had: those of its ReplicaSets, or of its ControllerRevisions
// (k8s.io/kubectl/pkg/polymorphichelpers/history.go).
func (w *workload) readHistory(ctx context.Context, c *kube.Cluster) error {
	selector, err := metav1.LabelSelectorAsSelector(selectorOf(w.object))
	if err != nil {
		return err
	}
	earlier := w.controllerRevisions
	if w.ref.Kind == kube.Deployments {
		earlier = w.replicaSets
	}
	all, err := earlier(ctx, c, selector.String())
	if err != nil {
		return fmt.Errorf("list the revisions of %s: %w", w.name(), err)
	}
	slices.SortFunc(all, func(a, b revision) int { return cmp.Compare(b.number, a.number) })
	for _, r := range all {
		if equal(r.template, w.template()) {
			w.present = max(w.present, r.number)
			continue
		}
		w.history = append(w.history, r)
	}
	return nil
}

// equal compares templates as kubectl does: without the label that tells ReplicaSets apart.
func equal(a, b *corev1.PodTemplateSpec) bool { return equality.Semantic.DeepEqual(bare(a), bare(b)) }

func bare(t *corev1.PodTemplateSpec) *corev1.PodTemplateSpec {
	t = t.DeepCopy()
	delete(t.Labels, appsv1.DefaultDeploymentUniqueLabelKey)
	return t
}

func (w *workload) replicaSets(ctx context.Context, c *kube.Cluster, selector string) ([]revision, error) {
	list, err := c.Client().AppsV1().ReplicaSets(w.ref.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var out []revision
	for i := range list.Items {
		rs := &list.Items[i]
		number, err := strconv.ParseInt(rs.Annotations[revisionAnnotation], 10, 64)
		if err == nil && metav1.IsControlledBy(rs, w.object) {
			t := bare(&rs.Spec.Template)
			out = append(out, revision{number, rs.CreationTimestamp.Time, rs.Annotations[changeCause], t, fields(t)})
		}
	}
	return out, nil
}

func (w *workload) controllerRevisions(ctx context.Context, c *kube.Cluster, selector string) ([]revision, error) {
	list, err := c.Client().AppsV1().ControllerRevisions(w.ref.Namespace).List(ctx, metav1.ListOptions{LabelSelector: selector})
	if err != nil {
		return nil, err
	}
	var out []revision
	for i := range list.Items {
		r := &list.Items[i]
		if !metav1.IsControlledBy(r, w.object) {
			continue
		}
		template, raw, err := kept(r.Data.Raw)
		if err != nil {
			return nil, fmt.Errorf("read revision %d: %w", r.Revision, err)
		}
		out = append(out, revision{r.Revision, r.CreationTimestamp.Time, r.Annotations[changeCause], template, raw})
	}
	return out, nil
}

// kept takes the template out of a ControllerRevision, which is a patch that replaces it.
func kept(data []byte) (*corev1.PodTemplateSpec, map[string]json.RawMessage, error) {
	var patch struct {
		Spec struct{ Template json.RawMessage }
	}
	template, raw := &corev1.PodTemplateSpec{}, map[string]json.RawMessage{}
	if err := json.Unmarshal(data, &patch); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(patch.Spec.Template, template); err != nil {
		return nil, nil, err
	}
	if err := json.Unmarshal(patch.Spec.Template, &raw); err != nil {
		return nil, nil, err
	}
	return template, raw, nil
}
