// Package rollout restarts workloads, rolls them back, pauses them and lets them go on. Its one rule: it changes an object
// only from what the plan has shown, known by its UID and, where pods are replaced, by its version and its template; and it
// watches until the controllers have done what that asks of them.
package rollout

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/client-go/rest"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// OptionRevision is the number of the revision that is rolled back to.
const OptionRevision = "revision"

// What keeps a request from being sent.
var (
	errGone    = errors.New("does not exist any more; nothing was done")
	errChanged = errors.New("has another template than the plan showed; nothing was done")
	errPaused  = errors.New("is paused: resume it first; nothing was done")
)

// Restart is the action that has all pods of workloads replaced.
type Restart struct{}

// NewRestart makes the action that has the pods of workloads replaced by ones of the same template, as kubectl rollout
// restart does.
func NewRestart() *Restart { return &Restart{} }

// RollBack is the action that brings back an earlier template.
type RollBack struct{}

// NewRollBack makes the action that gives workloads a template that they had before, as kubectl rollout undo does.
func NewRollBack() *RollBack { return &RollBack{} }

// Pause is the action that pauses Deployments and suspends CronJobs, or the one that takes that back.
type Pause struct{ on bool }

// NewPause makes the action that pauses Deployments and suspends CronJobs, or the one that lets them go on.
func NewPause(on bool) *Pause { return &Pause{on} }

// ID implements action.Kind.
func (*Restart) ID() action.ID { return action.Restart }

// ID implements action.Kind.
func (*RollBack) ID() action.ID { return action.RollBack }

// ID implements action.Kind.
func (k *Pause) ID() action.ID {
	if k.on {
		return action.Pause
	}
	return action.Resume
}

// Needs implements action.Kind: everything hangs on the kind of the object.
func (*Restart) Needs() []action.Need { return nil }

// NeedsFor implements action.Particular.
func (*Restart) NeedsFor(kind kube.Kinds) []action.Need { return patch(kind) }

// Needs implements action.Kind: everything hangs on the kind of the object.
func (*RollBack) Needs() []action.Need { return nil }

// NeedsFor implements action.Particular.
func (*RollBack) NeedsFor(kind kube.Kinds) []action.Need { return patch(kind) }

// Needs implements action.Kind: everything hangs on the kind of the object.
func (*Pause) Needs() []action.Need { return nil }

// NeedsFor implements action.Particular.
func (*Pause) NeedsFor(kind kube.Kinds) []action.Need { return patch(kind) }

// patch is the permission to change an object of that kind.
func patch(kind kube.Kinds) []action.Need {
	switch kind {
	case kube.Deployments:
		return []action.Need{{Verb: "patch", Group: "apps", Resource: "deployments", Scoped: true}}
	case kube.StatefulSets:
		return []action.Need{{Verb: "patch", Group: "apps", Resource: "statefulsets", Scoped: true}}
	case kube.DaemonSets:
		return []action.Need{{Verb: "patch", Group: "apps", Resource: "daemonsets", Scoped: true}}
	case kube.CronJobs:
		return []action.Need{{Verb: "patch", Group: "batch", Resource: "cronjobs", Scoped: true}}
	default:
		return nil
	}
}

// rolling are the kinds that have rollouts.
const rolling = kube.Deployments | kube.StatefulSets | kube.DaemonSets

// Plan implements action.Kind.
func (k *Restart) Plan(ctx context.Context, c *kube.Cluster, t action.Target, _ action.Options) (*action.Plan, error) {
	s, err := read(ctx, c, k.ID(), t, rolling)
	if err != nil {
		return nil, err
	}
	return s.restart(), nil
}

// Plan implements action.Kind.
func (k *RollBack) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	s, err := read(ctx, c, k.ID(), t, rolling)
	if err != nil {
		return nil, err
	}
	return s.rollBack(o), nil
}

// Plan implements action.Kind.
func (k *Pause) Plan(ctx context.Context, c *kube.Cluster, t action.Target, _ action.Options) (*action.Plan, error) {
	s, err := read(ctx, c, k.ID(), t, kube.Deployments|kube.CronJobs)
	if err != nil {
		return nil, err
	}
	return s.pause(k.on), nil
}

// workload is one as it was read.
type workload struct {
	ref       kube.Ref
	object    metav1.Object // *appsv1.Deployment, *appsv1.StatefulSet, *appsv1.DaemonSet or *batchv1.CronJob
	pods      []*corev1.Pod
	history   []revision // newest first, without the present one
	present   int64      // the number of the present revision, 0 if that is not known
	oneWriter bool       // its pods share a volume, or have one each, to which one node may write
}

// revision is a template that a workload had.
type revision struct {
	number   int64
	made     time.Time
	cause    string // the annotation kubernetes.io/change-cause
	template *corev1.PodTemplateSpec
	raw      map[string]json.RawMessage // the template as the API has it, with fields that are not known here
}

func (w *workload) name() string { return words(w.ref.FullName()) }

// template is what its pods are made from; nil for a CronJob, which makes Jobs.
func (w *workload) template() *corev1.PodTemplateSpec { return templateOf(w.object) }

func templateOf(o metav1.Object) *corev1.PodTemplateSpec {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return &o.Spec.Template
	case *appsv1.StatefulSet:
		return &o.Spec.Template
	case *appsv1.DaemonSet:
		return &o.Spec.Template
	}
	return nil
}

// wants is how many pods it is to have.
func (w *workload) wants() int32 {
	switch o := w.object.(type) {
	case *appsv1.Deployment:
		return orOne(o.Spec.Replicas)
	case *appsv1.StatefulSet:
		return orOne(o.Spec.Replicas)
	case *appsv1.DaemonSet:
		return o.Status.DesiredNumberScheduled
	}
	return 0
}

// replaces is how many of its pods a new template has replaced.
func (w *workload) replaces() int32 {
	if w.pace().manual {
		return 0
	}
	if set, is := w.object.(*appsv1.StatefulSet); is {
		return due(set)
	}
	return w.wants()
}

func orOne(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// held reports whether it is paused or suspended.
func held(o metav1.Object) bool {
	switch o := o.(type) {
	case *appsv1.Deployment:
		return o.Spec.Paused
	case *batchv1.CronJob:
		return o.Spec.Suspend != nil && *o.Spec.Suspend
	}
	return false
}

// resource is how the API names the objects of a kind, and what speaks of them.
func resource(c *kube.Cluster, k kube.Kinds) (rest.Interface, string, metav1.Object) {
	switch k {
	case kube.Deployments:
		return c.Client().AppsV1().RESTClient(), "deployments", &appsv1.Deployment{}
	case kube.StatefulSets:
		return c.Client().AppsV1().RESTClient(), "statefulsets", &appsv1.StatefulSet{}
	case kube.DaemonSets:
		return c.Client().AppsV1().RESTClient(), "daemonsets", &appsv1.DaemonSet{}
	default:
		return c.Client().BatchV1().RESTClient(), "cronjobs", &batchv1.CronJob{}
	}
}

// get reads an object live. Another one of its name is send.ErrReplaced.
func get(ctx context.Context, c *kube.Cluster, ref kube.Ref) (metav1.Object, error) {
	client, name, object := resource(c, ref.Kind)
	err := send.Once(client.Get().Namespace(ref.Namespace).Resource(name).Name(ref.Name)).Do(ctx).Into(object.(runtime.Object))
	switch {
	case apierrors.IsNotFound(err):
		return nil, fmt.Errorf("%s %s %w", ref.Kind.Kind(), words(ref.FullName()), errGone)
	case err != nil:
		return nil, fmt.Errorf("read %s: %w", words(ref.FullName()), err)
	case string(object.GetUID()) != ref.UID:
		return nil, fmt.Errorf("%s %s %w; nothing was done", ref.Kind.Kind(), words(ref.FullName()), send.ErrReplaced)
	}
	return object, nil
}

// longest is the most that is shown of somebody else's text, in cells.
const longest = 120

// words makes text from the cluster fit to be shown.
func words(s string) string { return text.Cut(text.Clean(s), longest, "...") }

func plural(n int, one string) string { return text.Plural(n, one, one+"s") }

// some names the first few of a list.
func some(list []string, most int) string {
	if len(list) > most {
		return fmt.Sprintf("%s and %d more", join(list[:most]), len(list)-most)
	}
	return join(list)
}

func join(list []string) string { return strings.Join(list, ", ") }

// isReady reports whether a pod takes part.
func isReady(p *corev1.Pod) bool {
	return slices.ContainsFunc(p.Status.Conditions, func(c corev1.PodCondition) bool {
		return c.Type == corev1.PodReady && c.Status == corev1.ConditionTrue
	})
}
