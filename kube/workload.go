package kube

import (
	"fmt"
	"strconv"
	"strings"
	"time"
)

// Workload is the row of what makes, scales or guards pods: a StatefulSet, Deployment, DaemonSet, ReplicaSet, Job,
// CronJob, HorizontalPodAutoscaler or PodDisruptionBudget. It has what the pane shows of the object, and what the object
// itself says of what holds it up; the rest of the reason is with its pods, in Moment.Ailing. Strings are sanitised.
type Workload struct {
	Namespace, Name, UID string
	Labels               Labels

	OwnerKind, OwnerName string // of the controller: Deployment, CronJob, …; "" without one

	Created time.Time
	// Policy says how pods are made and replaced, in the API's words, the most telling first: "OrderedReady",
	// "Parallel, OnDelete", "Recreate", "Forbid"; "" where that is as usual.
	Policy string
	// Revision is that of a Deployment or ReplicaSet, as `kubectl rollout history` numbers them; "" if nobody numbered it.
	Revision string

	Hitches  []Hitch   // conditions that tell of trouble, in the order of the API; nil for most
	Deletion *Removal  // nil unless it is being deleted
	Set      *Ordinals // of a StatefulSet
	Run      *Run      // of a Job
	Schedule *Schedule // of a CronJob
	Scaler   *Scaler   // of a HorizontalPodAutoscaler
	Budget   *Budget   // of a PodDisruptionBudget

	Kind Kinds // one of Workloads

	// Desired, Ready and Updated are what the columns READY and UPDATED compare. Of a Job they are completions and
	// succeeded pods, of an autoscaler the replicas that it wants and has, of a budget its pods and the healthy ones.
	Desired, Ready int32
	Available      int32
	Updated        int32 // pods of the newest revision
	Due            int32 // pods that the strategy brings to the newest revision by itself
	Current        int32 // pods that there are, ready or not

	Paused     bool // a Deployment's rollout is paused, or a Job or CronJob is suspended
	Unobserved bool // the controller has not seen the newest spec yet
	Differ     bool // two revisions are in use
}

// Hitch is a condition that tells of trouble.
type Hitch struct {
	Type    string // ReplicaFailure, Progressing, Failed, ScalingActive, AbleToScale, ScalingLimited, DisruptionAllowed
	Reason  string
	Message string // at most 200 cells
	Since   time.Time
}

// Removal is a deletion under way: the object stays until its finalizers are gone.
type Removal struct {
	At         time.Time
	Finalizers string // ", " between
}

// Ordinals are what a StatefulSet says of its pods.
type Ordinals struct {
	Start      int32 // the first ordinal
	Ordered    bool  // OrderedReady: one pod at a time, each waits for the ones before it
	WhenScaled string
}

// Run is how a Job stands.
type Run struct {
	Active, Failed int32
	Parallel       int32     // pods of a work queue, which has no number of completions; 0 otherwise
	Complete       time.Time // zero unless it has succeeded
}

// Schedule is what a CronJob says of its runs.
type Schedule struct {
	Cron        string // with its time zone, if it has one
	Last        time.Time
	LastSuccess time.Time
}

// Scaler is what an autoscaler is told and sees.
type Scaler struct {
	TargetKind, TargetName string
	Min, Max               int32
	Metric                 string // the metric that is furthest over its goal: "cpu 92% (goal 70)"; "" if it knows none
	Measures               []Measure
	Conditions             []Condition // in the order of the API
}

// Budget is how many pods may go.
type Budget struct {
	Allowed, Needed int32  // Needed is the number that must stay healthy
	Rule            string // "min 2", "max unavailable 1"
}

// Ref names the object for good.
func (w *Workload) Ref() Ref {
	return Ref{Kind: w.Kind, Namespace: w.Namespace, Name: w.Name, UID: w.UID}
}

// shortKinds are the words of the KIND column.
var shortKinds = map[Kinds]string{
	StatefulSets: "STS", Deployments: "Deploy", DaemonSets: "DS", ReplicaSets: "RS", Jobs: "Job", CronJobs: "CronJob",
	Autoscalers: "HPA", Budgets: "PDB",
}

// KindText is the KIND column: STS, Deploy, DS, RS, Job, CronJob, HPA or PDB.
func (w *Workload) KindText() string { return shortKinds[w.Kind] }

// replicated reports whether it has pods of which a number should be ready at all times.
func (w *Workload) replicated() bool {
	return w.Kind&(StatefulSets|Deployments|DaemonSets|ReplicaSets) != 0
}

// owned reports whether a Deployment decides on it: then its troubles are that Deployment's.
func (w *Workload) owned() bool { return w.Kind == ReplicaSets && w.OwnerKind == Deployments.Kind() }

// ReadyText is the READY column: ready of desired pods, as kubectl counts them. Of a Job these are its COMPLETIONS, of an
// autoscaler the replicas that there are of those that it wants, of a budget the healthy pods of all.
func (w *Workload) ReadyText() string {
	switch {
	case w.Kind == CronJobs:
		return "-"
	case w.Run != nil && w.Run.Parallel > 1:
		return fmt.Sprintf("%d/1 of %d", w.Ready, w.Run.Parallel)
	}
	return fraction(int(w.Ready), int(w.Desired))
}

// UpdatedText is the UPDATED column: how many of the desired pods are of the newest revision.
func (w *Workload) UpdatedText() string {
	if w.Kind&(StatefulSets|Deployments|DaemonSets) == 0 {
		return "-"
	}
	return fraction(int(w.Updated), int(w.Desired))
}

// AllowsText is how many pods a budget lets go; "-" for other kinds.
func (w *Workload) AllowsText() string {
	if w.Budget == nil {
		return "-"
	}
	return strconv.Itoa(int(w.Budget.Allowed))
}

// ScalingText is the range of an autoscaler, or of the one that scales the workload: "2-10"; "-" without one.
func (w *Workload) ScalingText(m Moment) string {
	s := w.Scaler
	if by := m.Scalers[w.identity()]; s == nil && len(by) > 0 {
		s = by[0].Scaler
	}
	if s == nil {
		return "-"
	}
	return fmt.Sprintf("%d-%d", s.Min, s.Max)
}

// RevisionText is the number of the revision, and whether there is more than one in use; "-" if nobody knows.
func (w *Workload) RevisionText() string {
	switch {
	case w.Revision != "" && w.Kind == Deployments && w.Updated < w.Due:
		return w.Revision + ", rolling"
	case w.Revision != "":
		return w.Revision
	case w.Differ:
		return "2 in use"
	}
	return "-"
}

// PolicyText is the POLICY column: how pods are made and replaced, or when a CronJob runs.
func (w *Workload) PolicyText() string {
	switch {
	case w.Schedule != nil && w.Policy != "":
		return w.Schedule.Cron + ", " + w.Policy
	case w.Schedule != nil:
		return w.Schedule.Cron
	case w.Policy != "":
		return w.Policy
	}
	return "-"
}

// FullKind is the kind with the name: "StatefulSet shop/cart".
func (w *Workload) FullKind() string { return w.Kind.Kind() + " " + w.Namespace + "/" + w.Name }

// Matches reports whether word, already lower-cased, occurs in what a filter searches: kind, namespace/name, the owner,
// the target of an autoscaler, and the reason that the pane shows.
func (w *Workload) Matches(word string, m Moment) bool {
	for _, s := range [...]string{w.Namespace + "/" + w.Name, w.Kind.Kind(), w.KindText(), w.OwnerName} {
		if containsFold(s, word) {
			return true
		}
	}
	if s := w.Scaler; s != nil && containsFold(s.TargetKind+"/"+s.TargetName, word) {
		return true
	}
	return containsFold(w.Why(m), word)
}

// hitch gives a condition that tells of trouble, nil if there is none of that type.
func (w *Workload) hitch(kind string) *Hitch {
	for i := range w.Hitches {
		if w.Hitches[i].Type == kind {
			return &w.Hitches[i]
		}
	}
	return nil
}

// identity is the workload as an owner.
func (w *Workload) identity() Owner { return Owner{w.Kind, w.Namespace, w.Name} }

// runOf is what has made this to make its pods: the CronJob whose run this Job is, the Deployment of this ReplicaSet; the zero Owner
// if it is nobody's.
func (w *Workload) runOf() Owner {
	switch {
	case w == nil:
		return Owner{}
	case w.Kind == Jobs && w.OwnerKind == CronJobs.Kind():
		return Owner{CronJobs, w.Namespace, w.OwnerName}
	case w.owned():
		return Owner{Deployments, w.Namespace, w.OwnerName}
	}
	return Owner{}
}

// RunsOf are what a workload has made to make its pods: the Jobs of a CronJob, the ReplicaSets of a Deployment that have pods or shall have
// some. It is nil for others.
func (w *Workload) RunsOf(m Moment) []*Workload { return m.Runs[w.identity()] }

// scales is what an autoscaler scales; the zero Owner for anything else.
func (w *Workload) scales() Owner {
	if w == nil || w.Scaler == nil {
		return Owner{}
	}
	return Owner{KindNamed(w.Scaler.TargetKind), w.Namespace, w.Scaler.TargetName}
}

// ordinal is the number at the end of a StatefulSet's pod; false if there is none.
func ordinal(pod string) (int, bool) {
	n, err := strconv.Atoi(pod[strings.LastIndexByte(pod, '-')+1:])
	return n, err == nil
}
