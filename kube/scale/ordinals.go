package scale

import (
	"cmp"
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// recent is how long ago a restart is told of.
const recent = 10 * time.Minute

// ordinal is the ordinal of a pod of a set, -1 if its name has none (getParentNameAndOrdinal in stateful_set_utils.go).
func ordinal(set, pod string) int {
	digits, ok := strings.CutPrefix(pod, set+"-")
	n, err := strconv.ParseUint(digits, 10, 31)
	if !ok || err != nil {
		return -1
	}
	return int(n)
}

// start is the lowest ordinal of a set (KEP-3335).
func start(s *appsv1.StatefulSet) int {
	if s.Spec.Ordinals == nil {
		return 0
	}
	return int(s.Spec.Ordinals.Start)
}

// deletes reports whether scaling down deletes claims (KEP-1847).
func deletes(s *appsv1.StatefulSet) bool {
	p := s.Spec.PersistentVolumeClaimRetentionPolicy
	return p != nil && p.WhenScaled == appsv1.DeletePersistentVolumeClaimRetentionPolicyType
}

// member describes a pod.
func member(p *corev1.Pod, minReady int32, now time.Time) Member {
	m := Member{Name: text.Clean(p.Name), UID: string(p.UID), Ordinal: -1, Node: words(p.Spec.NodeName)}
	m.Well, m.State = wellness(p, minReady, now)
	row := kube.NewPod(p)
	m.Since = row.StateSince
	if now.Sub(row.LastRestart) < recent {
		m.Restart = row.LastRestart
	}
	return m
}

// ordinals works out which pods of a StatefulSet come and go, in which order, and what stops that.
func (w *Workload) ordinals(s *appsv1.StatefulSet, pods []*corev1.Pod, now time.Time) {
	w.Policy, w.Start = cmp.Or(s.Spec.PodManagementPolicy, appsv1.OrderedReadyPodManagement), start(s)
	there := map[int]*Member{}
	for _, p := range pods {
		if n := ordinal(s.Name, p.Name); n >= 0 {
			m := member(p, s.Spec.MinReadySeconds, now)
			m.Ordinal, there[n] = n, &m
		}
	}
	end := w.Start + int(w.To)
	var condemned []*Member
	for n, m := range there {
		if n < w.Start || n >= end {
			condemned = append(condemned, m)
		}
	}
	slices.SortFunc(condemned, func(a, b *Member) int { return b.Ordinal - a.Ordinal })
	for i, m := range condemned {
		m.Removed = i + 1
		w.Goes = append(w.Goes, m.Name)
	}
	var living []*Member
	for n := w.Start; n < end; n++ {
		m := there[n]
		if m == nil {
			m = &Member{Name: fmt.Sprintf("%s-%d", text.Clean(s.Name), n), Ordinal: n, Made: len(w.Comes) + 1}
			w.Comes = append(w.Comes, m.Name)
		}
		living = append(living, m)
	}
	w.New, w.Fewer = len(w.Comes), len(w.Goes)
	if w.Policy == appsv1.OrderedReadyPodManagement {
		w.Blocked = blocked(living, condemned)
	}
	for _, m := range slices.Concat(living, condemned) {
		w.Members = append(w.Members, *m)
	}
	slices.SortFunc(w.Members, func(a, b Member) int { return a.Ordinal - b.Ordinal })
}

// blocked does one pass after the other as updateStatefulSet does, taking it that what is made becomes well, that what is
// deleted goes, and that nothing else changes.
func blocked(living, condemned []*Member) *Blocked {
	var made []string
	for _, m := range living {
		switch {
		case m.Made > 0:
			made = append(made, m.Name)
		case !m.Well:
			return &Blocked{By: m.Name, Why: m.State, Comes: made, Down: len(condemned) > 0}
		}
	}
	rest := slices.Clone(condemned)
	var gone []string
	for len(rest) > 0 {
		highest := rest[0]
		if lowest := firstIll(rest); !highest.Well && highest.State != "Terminating" && lowest != highest {
			return &Blocked{By: lowest.Name, Why: lowest.State, Among: true, Goes: gone, Comes: made, Down: true}
		}
		gone, rest = append(gone, highest.Name), rest[1:]
	}
	return nil
}

// firstIll gives the lowest one that is not well, nil if all are. What is Terminating counts only until it has gone, which
// it does by itself.
func firstIll(descending []*Member) *Member {
	for _, m := range slices.Backward(descending) {
		if !m.Well && m.State != "Terminating" {
			return m
		}
	}
	return nil
}

// judgeSet adds what is to be known of a StatefulSet beside its pods.
func (w *Workload) judgeSet(s *appsv1.StatefulSet) {
	w.updated, w.current, w.seen = s.Status.UpdatedReplicas, s.Status.CurrentReplicas, s.Status.ObservedGeneration
	w.Deletes = deletes(s)
	strategy := s.Spec.UpdateStrategy.Type
	rolling := s.Status.UpdateRevision != "" && s.Status.CurrentRevision != s.Status.UpdateRevision
	if rolling && strategy != appsv1.OnDeleteStatefulSetStrategyType {
		w.warn(kube.Warning, fmt.Sprintf("a rollout is going on: %d of %d updated; scaling goes before it", w.updated, w.From))
	} else if !rolling {
		w.pass("no rollout is going on")
	}
	switch strategy {
	case appsv1.OnDeleteStatefulSetStrategyType:
		w.warn(kube.Notice, "update strategy OnDelete: pods that are made have the newest template, the others keep theirs")
	case appsv1.RollingUpdateStatefulSetStrategyType, "":
		if u := s.Spec.UpdateStrategy.RollingUpdate; u != nil && u.Partition != nil && *u.Partition > 0 {
			w.warn(kube.Notice, fmt.Sprintf("partition %d: new pods with lower ordinals come from the old revision", *u.Partition))
		}
	case "Recreate":
		w.warn(kube.Warning, "update strategy Recreate: where the server's feature gate for it is off, nothing is scaled at all")
	}
	if n := s.Spec.MinReadySeconds; n > 0 && w.Policy == appsv1.OrderedReadyPodManagement {
		w.warn(kube.Notice, fmt.Sprintf("each pod has to be Ready for %ds before the next one is touched", n))
	}
	if w.changes() {
		w.warn(kube.Notice, "scale only if you are sure the application itself is completely healthy")
	}
	if w.down() && w.To > 0 {
		w.warn(kube.Notice, "which member leads is not known to Kubernetes: ask the owner before")
	}
	w.quorum()
}

// quorum says what a group that decides by majority needs.
func (w *Workload) quorum() {
	if w.From < 3 || !w.down() || w.To == 0 {
		return
	}
	w.loses = w.To < w.majority()
	if w.To == w.majority() {
		w.warn(kube.Warning, fmt.Sprintf("if these vote: a quorum of %d needs %d, there is no spare until the quorum itself is made smaller", w.From, w.To))
	}
}

// majority is how many of the members that there are now have to be there to decide something.
func (w *Workload) majority() int32 { return w.From/2 + 1 }

// healthy judges the health of the pods as a whole.
func (w *Workload) healthy() {
	var ill, going, restarted []string
	there := 0
	for _, m := range w.Members {
		if m.UID == "" {
			continue
		}
		there++
		w.ready += int32(boolInt(m.Well))
		if m.State == "Terminating" {
			going = append(going, m.Name)
		} else if !m.Well {
			ill = append(ill, m.Name+" "+m.State)
		}
		if !m.Restart.IsZero() {
			restarted = append(restarted, m.Name)
		}
	}
	if len(ill) == 0 && len(going) == 0 && there > 0 {
		w.pass(fmt.Sprintf("all %s Ready, none Terminating", text.Count(there)))
	}
	if len(ill) > 0 {
		w.warn(kube.Warning, "not well: "+text.Some(ill, 4))
	}
	if len(going) > 0 {
		w.warn(kube.Warning, text.Some(going, 4)+" Terminating")
	}
	if len(restarted) > 0 {
		w.warn(kube.Warning, text.Some(restarted, 4)+" restarted in the last 10 min")
	} else if there > 0 {
		w.pass("no restart in the last 10 min")
	}
}
