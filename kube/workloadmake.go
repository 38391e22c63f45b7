package kube

import (
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// revisionAnnotation numbers the revisions of a Deployment (pkg/controller/deployment/util of Kubernetes).
const revisionAnnotation = "deployment.kubernetes.io/revision"

// NewWorkload makes the row of an object of one of the kinds in Workloads. It keeps nothing of the object but strings. It is
// nil for what is worth no row: an old ReplicaSet of a Deployment, which has no pods and shall have none, and an object of
// another kind.
func NewWorkload(o runtime.Object) *Workload {
	switch o := o.(type) {
	case *appsv1.StatefulSet:
		return newStatefulSet(o)
	case *appsv1.Deployment:
		return newDeployment(o)
	case *appsv1.DaemonSet:
		return newDaemonSet(o)
	case *appsv1.ReplicaSet:
		return newReplicaSet(o)
	case *batchv1.Job:
		return newJob(o)
	case *batchv1.CronJob:
		return newCronJob(o)
	case *autoscalingv2.HorizontalPodAutoscaler:
		return newAutoscaler(o)
	case *policyv1.PodDisruptionBudget:
		return newBudget(o)
	}
	return nil
}

// newWorkload makes what all kinds have in common. observed is status.observedGeneration.
func newWorkload(kind Kinds, meta *metav1.ObjectMeta, observed int64) *Workload {
	w := &Workload{
		Kind: kind, Namespace: shared(meta.Namespace), Name: clean(meta.Name), UID: clean(string(meta.UID)),
		Labels: NewLabels(meta.Labels), Created: meta.CreationTimestamp.Time, Unobserved: observed < meta.Generation,
	}
	if owner := metav1.GetControllerOfNoCopy(meta); owner != nil {
		w.OwnerKind, w.OwnerName = shared(owner.Kind), shared(owner.Name)
	}
	if meta.DeletionTimestamp != nil {
		w.Deletion = &Removal{At: meta.DeletionTimestamp.Time, Finalizers: gist(strings.Join(meta.Finalizers, ", "))}
	}
	return w
}

func newStatefulSet(o *appsv1.StatefulSet) *Workload {
	w := newWorkload(StatefulSets, &o.ObjectMeta, o.Status.ObservedGeneration)
	w.Desired, w.Ready, w.Available = orOne(o.Spec.Replicas), o.Status.ReadyReplicas, o.Status.AvailableReplicas
	w.Updated, w.Current = o.Status.UpdatedReplicas, o.Status.Replicas
	w.Differ = o.Status.CurrentRevision != o.Status.UpdateRevision
	w.Set = &Ordinals{Ordered: o.Spec.PodManagementPolicy != appsv1.ParallelPodManagement}
	if o.Spec.Ordinals != nil {
		w.Set.Start = o.Spec.Ordinals.Start
	}
	if p := o.Spec.PersistentVolumeClaimRetentionPolicy; p != nil {
		w.Set.WhenScaled = shared(string(p.WhenScaled))
	}
	management := o.Spec.PodManagementPolicy
	if management == "" {
		management = appsv1.OrderedReadyPodManagement
	}
	strategy := string(o.Spec.UpdateStrategy.Type)
	w.Due = w.Desired
	if u := o.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil {
		w.Due = max(0, w.Desired+w.Set.Start-max(*u.Partition, w.Set.Start))
	}
	w.setPolicy(string(management), strategy)
	return w
}

func newDeployment(o *appsv1.Deployment) *Workload {
	w := newWorkload(Deployments, &o.ObjectMeta, o.Status.ObservedGeneration)
	w.Desired, w.Ready, w.Available = orOne(o.Spec.Replicas), o.Status.ReadyReplicas, o.Status.AvailableReplicas
	w.Updated, w.Current, w.Due = o.Status.UpdatedReplicas, o.Status.Replicas, w.Desired
	w.Paused, w.Revision = o.Spec.Paused, shared(o.Annotations[revisionAnnotation])
	w.setPolicy("", string(o.Spec.Strategy.Type))
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		stuck := c.Type == appsv1.DeploymentProgressing && c.Status == corev1.ConditionFalse
		fails := c.Type == appsv1.DeploymentReplicaFailure && c.Status == corev1.ConditionTrue
		if stuck || fails {
			w.hitches(string(c.Type), c.Reason, c.Message, c.LastTransitionTime)
		}
	}
	return w
}

func newDaemonSet(o *appsv1.DaemonSet) *Workload {
	w := newWorkload(DaemonSets, &o.ObjectMeta, o.Status.ObservedGeneration)
	w.Desired, w.Ready, w.Available = o.Status.DesiredNumberScheduled, o.Status.NumberReady, o.Status.NumberAvailable
	w.Updated, w.Current, w.Due = o.Status.UpdatedNumberScheduled, o.Status.CurrentNumberScheduled, w.Desired
	w.setPolicy("", string(o.Spec.UpdateStrategy.Type))
	return w
}

func newReplicaSet(o *appsv1.ReplicaSet) *Workload {
	w := newWorkload(ReplicaSets, &o.ObjectMeta, o.Status.ObservedGeneration)
	w.Desired, w.Ready, w.Available = orOne(o.Spec.Replicas), o.Status.ReadyReplicas, o.Status.AvailableReplicas
	w.Current, w.Revision = o.Status.Replicas, shared(o.Annotations[revisionAnnotation])
	if w.owned() && w.Desired == 0 && w.Current == 0 {
		return nil
	}
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		if c.Type == appsv1.ReplicaSetReplicaFailure && c.Status == corev1.ConditionTrue {
			w.hitches(string(c.Type), c.Reason, c.Message, c.LastTransitionTime)
		}
	}
	return w
}

func newJob(o *batchv1.Job) *Workload {
	w := newWorkload(Jobs, &o.ObjectMeta, o.Generation) // a Job does not say what its controller has seen
	w.Ready, w.Desired = o.Status.Succeeded, 1
	w.Run = &Run{Active: o.Status.Active, Failed: o.Status.Failed}
	switch {
	case o.Spec.Completions != nil:
		w.Desired = *o.Spec.Completions
	case o.Spec.Parallelism != nil && *o.Spec.Parallelism > 1:
		w.Run.Parallel = *o.Spec.Parallelism
	}
	w.Paused = o.Spec.Suspend != nil && *o.Spec.Suspend
	if o.Status.CompletionTime != nil {
		w.Run.Complete = o.Status.CompletionTime.Time
	}
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		switch {
		case c.Status != corev1.ConditionTrue:
		case c.Type == batchv1.JobComplete && w.Run.Complete.IsZero():
			w.Run.Complete = c.LastTransitionTime.Time
		case c.Type == batchv1.JobFailed:
			w.hitches(string(c.Type), c.Reason, c.Message, c.LastTransitionTime)
		}
	}
	return w
}

func newCronJob(o *batchv1.CronJob) *Workload {
	w := newWorkload(CronJobs, &o.ObjectMeta, o.Generation) // nor does a CronJob
	w.Ready = int32(len(o.Status.Active))
	w.Schedule = &Schedule{Cron: shared(o.Spec.Schedule)}
	if zone := o.Spec.TimeZone; zone != nil && *zone != "" {
		w.Schedule.Cron = shared(o.Spec.Schedule + " " + *zone)
	}
	if t := o.Status.LastScheduleTime; t != nil {
		w.Schedule.Last = t.Time
	}
	if t := o.Status.LastSuccessfulTime; t != nil {
		w.Schedule.LastSuccess = t.Time
	}
	w.Paused = o.Spec.Suspend != nil && *o.Spec.Suspend
	if p := o.Spec.ConcurrencyPolicy; p != batchv1.AllowConcurrent {
		w.Policy = shared(string(p))
	}
	return w
}

func newAutoscaler(o *autoscalingv2.HorizontalPodAutoscaler) *Workload {
	w := newWorkload(Autoscalers, &o.ObjectMeta, o.Generation)
	w.Desired, w.Ready = o.Status.DesiredReplicas, o.Status.CurrentReplicas
	target := &o.Spec.ScaleTargetRef
	w.Scaler = &Scaler{
		TargetKind: shared(target.Kind), TargetName: clean(target.Name),
		Min: orOne(o.Spec.MinReplicas), Max: o.Spec.MaxReplicas, Measures: measures(o),
	}
	w.Scaler.Metric = worstOf(w.Scaler.Measures)
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		w.Scaler.Conditions = append(w.Scaler.Conditions, Condition{shared(string(c.Type)), shared(c.Reason), c.Status == corev1.ConditionTrue})
		if limited := c.Type == autoscalingv2.ScalingLimited; limited == (c.Status == corev1.ConditionTrue) {
			w.hitches(string(c.Type), c.Reason, c.Message, c.LastTransitionTime)
		}
	}
	return w
}

func newBudget(o *policyv1.PodDisruptionBudget) *Workload {
	w := newWorkload(Budgets, &o.ObjectMeta, o.Status.ObservedGeneration)
	w.Desired, w.Ready = o.Status.ExpectedPods, o.Status.CurrentHealthy
	w.Budget = &Budget{Allowed: o.Status.DisruptionsAllowed, Needed: o.Status.DesiredHealthy}
	switch {
	case o.Spec.MinAvailable != nil:
		w.Budget.Rule = shared("min " + o.Spec.MinAvailable.String())
	case o.Spec.MaxUnavailable != nil:
		w.Budget.Rule = shared("max unavailable " + o.Spec.MaxUnavailable.String())
	}
	for i := range o.Status.Conditions {
		c := &o.Status.Conditions[i]
		if c.Type == policyv1.DisruptionAllowedCondition && c.Status == metav1.ConditionFalse && c.Reason == policyv1.SyncFailedReason {
			w.hitches(c.Type, c.Reason, c.Message, c.LastTransitionTime)
		}
	}
	return w
}

// setPolicy takes what is unusual about how pods are made and replaced.
func (w *Workload) setPolicy(management, strategy string) {
	var words []string
	if management != "" {
		words = append(words, management)
	}
	switch strategy {
	case "", "RollingUpdate":
	default:
		words = append(words, strategy)
	}
	if strategy == string(appsv1.OnDeleteStatefulSetStrategyType) {
		w.Due = 0
	}
	w.Policy = shared(strings.Join(words, ", "))
}

func (w *Workload) hitches(kind, reason, message string, since metav1.Time) {
	w.Hitches = append(w.Hitches, Hitch{shared(kind), shared(reason), gist(message), since.Time})
}

// orOne is a number of replicas, which the API takes for 1 when it is left out.
func orOne(n *int32) int32 {
	if n == nil {
		return 1
	}
	return *n
}

// finished is when a Job ended, well or badly; zero while it has not.
func (w *Workload) finished() time.Time {
	if failed := w.hitch(string(batchv1.JobFailed)); failed != nil {
		return failed.Since
	}
	return w.Run.Complete
}
