package views

import (
	"cmp"
	"slices"
	"strings"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// NewWorkloads makes the workloads pane: what makes, scales and guards pods, how many are ready, and what keeps the others
// from it, the worst first. said is where its events are, nil for nowhere.
func NewWorkloads(feed Feed[*kube.Workload], said Said) View {
	events := remarks{said}
	var l *list[*kube.Workload]
	l = newList[*kube.Workload](besidePods{feed}, spec[*kube.Workload]{
		name: "workloads", one: "workload", many: "workloads",
		scope:    keymap.Workloads,
		needs:    kube.Workloads, // told too of what their pods and nodes make of them
		columns:  WorkloadColumns(),
		orders:   workloadOrders(),
		byName:   workloadsByName,
		severity: (*kube.Workload).Severity,
		fields:   workloadSought().fields, searched: workloadText, labels: workloadSought().labels,
		counts: func(s *kube.Snapshot[*kube.Workload]) string {
			t := "all " + text.Count(s.Total) + " ok"
			if s.NotWell() > 0 {
				t = text.Count(s.NotWell()) + " not ok of " + text.Count(s.Total)
			}
			if what := s.State.MissingWhat(); what != "" {
				t += " · " + s.State.WhyMissing() + ": " + what
			}
			return t
		},
		state:     workloadState,
		beside:    kube.Events,
		diagnosis: events.ofWorkload,
		details:   workloadDetails,
		sections:  events.workloadSections,
		open:      func(w *kube.Workload) []Effect { return openWorkload(w, l.snap) },
		other: func(w *kube.Workload, id keymap.ID) []Effect {
			if id == keymap.WorkloadEvents {
				return []Effect{Open{EventsPlace(w.Ref())}}
			}
			return nil
		},
		copied: func(w *kube.Workload) string { return w.Namespace + "/" + w.Name },
		why:    whyNotWorkload,
	})
	return l
}

// besidePods is a feed of rows that a filter finds by what their pods tell: it is asked again when they change.
type besidePods struct{ Feed[*kube.Workload] }

// SetQuery implements Feed.
func (b besidePods) SetQuery(q kube.Query[*kube.Workload]) uint64 {
	q.KeepReads |= kube.Pods
	return b.Feed.SetQuery(q)
}

// openWorkload goes to the pods of a workload. An autoscaler has none of its own: it leads to what it scales, if that is
// among the rows. What only guards pods, or runs none now, has its details to show.
func openWorkload(w *kube.Workload, s *kube.Snapshot[*kube.Workload]) []Effect {
	switch {
	case w.Kind == kube.Autoscalers:
		return openTarget(w, s)
	case w.Kind == kube.Budgets, w.Paused && w.Kind&(kube.Jobs|kube.CronJobs) != 0:
		return []Effect{ShowDetails{}}
	}
	pin := Pin{"workload", w.Kind.Kind() + "/" + w.Namespace + "/" + w.Name}
	return []Effect{Open{Place{Pane: "pods", Pin: pin}}}
}

func openTarget(w *kube.Workload, s *kube.Snapshot[*kube.Workload]) []Effect {
	kind, name := kube.KindNamed(w.Scaler.TargetKind), w.Scaler.TargetName
	for i := range s.Len() {
		if r := s.Row(i); r.Kind == kind && r.Namespace == w.Namespace && r.Name == name {
			return []Effect{Open{Place{Pane: "workloads", UID: r.UID}}}
		}
	}
	return []Effect{Flash{w.Scaler.TargetKind + " " + w.Namespace + "/" + name + ", which it scales, is not among the rows", themes.Warn}}
}

// WorkloadColumns are the columns of the workloads pane, the most needed first.
func WorkloadColumns() []table.Column[*kube.Workload] {
	return []table.Column[*kube.Workload]{
		{ID: "kind", Title: "KIND", Min: 6,
			Cell: func(w *kube.Workload, _ kube.Moment) table.Cell { return plain(w.KindText()) }},
		{ID: "name", Title: "NAMESPACE/NAME", Min: 16, Max: 110, Flex: true, Middle: true,
			Cell: func(w *kube.Workload, _ kube.Moment) table.Cell { return plain(w.Namespace + "/" + w.Name) }},
		{ID: "ready", Title: "READY", Min: 5, Right: true,
			Cell: func(w *kube.Workload, m kube.Moment) table.Cell {
				return table.Cell{Text: w.ReadyText(), Token: severityToken(w.Severity(m))}
			}},
		{ID: "why", Title: "WHY", Min: 20, Max: 72, Flex: true,
			Cell: func(w *kube.Workload, m kube.Moment) table.Cell {
				return table.Cell{Text: w.Why(m), Token: severityToken(w.Severity(m))}
			}},
		{ID: "updated", Title: "UPDATED", Min: 7, Right: true, Drop: 2,
			Cell: func(w *kube.Workload, _ kube.Moment) table.Cell { return plain(w.UpdatedText()) }},
		{ID: "age", Title: "AGE", Min: 4, Right: true, Drop: 1,
			Cell: func(w *kube.Workload, m kube.Moment) table.Cell { return plain(text.Age(m.Now, w.Created)) }},
		{ID: "allows", Title: "PDB ALLOWS", Min: 10, Right: true, Drop: 7,
			Cell: func(w *kube.Workload, _ kube.Moment) table.Cell { return plain(w.AllowsText()) }},
		{ID: "hpa", Title: "HPA", Min: 5, Drop: 8,
			Cell: func(w *kube.Workload, m kube.Moment) table.Cell { return plain(w.ScalingText(m)) }},
		{ID: "revision", Title: "REVISION", Min: 8, Max: 16, Drop: 9,
			Cell: func(w *kube.Workload, _ kube.Moment) table.Cell { return plain(w.RevisionText()) }},
		{ID: "policy", Title: "POLICY", Min: 6, Max: 30, Drop: 10,
			Cell: func(w *kube.Workload, _ kube.Moment) table.Cell { return plain(w.PolicyText()) }},
	}
}

func workloadsByName(a, b *kube.Workload) int {
	return cmp.Or(
		strings.Compare(a.Namespace, b.Namespace), strings.Compare(a.Name, b.Name),
		cmp.Compare(a.Kind, b.Kind), strings.Compare(a.UID, b.UID),
	)
}

func workloadOrders() []order[*kube.Workload] {
	return []order[*kube.Workload]{
		{id: "health", title: "health", key: byRank[*kube.Workload]},
		{id: "name", title: "name", column: "name", compare: workloadsByName},
		{id: "kind", title: "kind", column: "kind",
			compare: func(a, b *kube.Workload) int { return cmp.Compare(a.Kind, b.Kind) }},
		{id: "ready", title: "ready", column: "ready",
			key: func(w *kube.Workload, _ uint8, _ kube.Moment) uint64 { return lacking(w.Ready, w.Desired) }},
		{id: "updated", title: "updated", column: "updated",
			key: func(w *kube.Workload, _ uint8, _ kube.Moment) uint64 { return lacking(w.Updated, w.Due) }},
		{id: "age", title: "age", column: "age",
			key: func(w *kube.Workload, _ uint8, _ kube.Moment) uint64 { return newest(w.Created) }},
	}
}

// lacking is a key that puts first what lacks the most.
func lacking(is, wanted int32) uint64 { return uint64(max(0, int64(wanted)-int64(is))) }

// workloadState is what the strip says beside the name: "StatefulSet 2/3 ready".
func workloadState(w *kube.Workload, m kube.Moment) string {
	switch w.Kind {
	case kube.Jobs:
		return "Job " + w.ReadyText() + " done"
	case kube.CronJobs:
		return "CronJob " + w.PolicyText()
	case kube.Autoscalers:
		return "HorizontalPodAutoscaler " + w.ScalingText(m)
	case kube.Budgets:
		return "PodDisruptionBudget " + w.ReadyText() + " healthy"
	default:
		return w.Kind.Kind() + " " + w.ReadyText() + " ready"
	}
}

func workloadDetails(w *kube.Workload, m kube.Moment) []Fact {
	facts := []Fact{
		{"kind", w.Kind.Kind(), kube.OK},
		{"state", w.Why(m), w.Severity(m)},
	}
	facts = append(facts, diagnosisFacts(w.Diagnosis(m))...)
	facts = append(facts, numberFacts(w, m)...)
	for _, h := range w.Hitches {
		said := strings.TrimSuffix(h.Reason+": "+h.Message, ": ")
		facts = append(facts, Fact{h.Type, said + " (since " + absolute(h.Since, m.Now) + ")", kube.OK})
	}
	if w.Deletion != nil {
		facts = append(facts,
			Fact{"deleted", absolute(w.Deletion.At, m.Now), kube.Warning}, Fact{"finalizers", dash(w.Deletion.Finalizers), kube.OK})
	}
	owner := "-"
	if w.OwnerName != "" {
		owner = w.OwnerKind + "/" + w.OwnerName
	}
	return append(facts,
		Fact{"owner", owner, kube.OK},
		Fact{"age", absolute(w.Created, m.Now), kube.OK},
		Fact{"uid", w.UID, kube.OK},
	)
}

// numberFacts are what a kind of workload counts and is told.
func numberFacts(w *kube.Workload, m kube.Moment) []Fact {
	switch w.Kind {
	case kube.Jobs:
		return []Fact{{"done", w.ReadyText(), kube.OK}}
	case kube.CronJobs:
		return []Fact{
			{"schedule", w.PolicyText(), kube.OK},
			{"last run", absolute(w.Schedule.Last, m.Now), kube.OK}, {"last success", absolute(w.Schedule.LastSuccess, m.Now), kube.OK},
		}
	case kube.Autoscalers:
		return []Fact{
			{"target", w.Scaler.TargetKind + "/" + w.Scaler.TargetName, kube.OK},
			{"replicas", w.ReadyText() + ", of " + w.ScalingText(m), kube.OK},
			{"wants", w.WantsText(), kube.OK},
			{"metrics", metricsText(w.Scaler.Measures), kube.OK},
			{"conditions", w.Scaler.ConditionsText(), kube.OK},
		}
	case kube.Budgets:
		return []Fact{{"healthy", w.ReadyText(), kube.OK}, {"rule", dash(w.Budget.Rule), kube.OK}, {"allows", w.AllowsText(), kube.OK}}
	default:
		return setFacts(w, m)
	}
}

// metricsText are the metrics of an autoscaler, each as it is and as it should be: "cpu 305% / 50%".
func metricsText(all []kube.Measure) string {
	words := make([]string, len(all))
	for i, m := range all {
		words[i] = m.String()
	}
	return dash(strings.Join(words, ", "))
}

// setFacts are those of what has pods of which a number should be ready.
func setFacts(w *kube.Workload, m kube.Moment) []Fact {
	facts := []Fact{{"ready", w.ReadyText(), kube.OK}}
	if w.UpdatedText() != "-" {
		facts = append(facts, Fact{"updated", w.UpdatedText(), kube.OK})
	}
	if w.Set != nil {
		facts = append(facts, Fact{"whenScaled", dash(w.Set.WhenScaled), kube.OK})
	}
	return append(facts,
		Fact{"revision", w.RevisionText(), kube.OK}, Fact{"policy", w.PolicyText(), kube.OK}, Fact{"hpa", w.ScalingText(m), kube.OK})
}

// rolls are the kinds that have a rollout.
const rolls = kube.Deployments | kube.StatefulSets | kube.DaemonSets

// whyNotWorkload gives the reason for which an action has nothing to do on a workload.
func whyNotWorkload(w *kube.Workload, id keymap.ID) string {
	kind := "a " + w.Kind.Kind()
	switch id {
	case keymap.ScaleWorkload:
		return whyNotScaled(w, kind)
	case keymap.RestartWorkload, keymap.RollBackWorkload:
		return whyNotRolled(w, kind, id)
	case keymap.PauseWorkload:
		switch {
		case w.Kind&(kube.Deployments|kube.CronJobs) == 0:
			return kind + " cannot be paused: only a Deployment and a CronJob can"
		case w.Paused:
			return w.Name + " is " + pausedWord(w) + " already"
		}
	case keymap.ResumeWorkload:
		switch {
		case w.Kind&(kube.Deployments|kube.CronJobs) == 0:
			return kind + " cannot be resumed: only a Deployment and a CronJob can"
		case !w.Paused:
			return w.Name + " is not " + pausedWord(w)
		}
	case keymap.RetainClaims:
		switch {
		case w.Kind != kube.StatefulSets:
			return kind + " has no claims of its own: only a StatefulSet has"
		case w.Set.WhenScaled != "Delete":
			return w.Name + " keeps its claims as it is: whenScaled is " + cmp.Or(w.Set.WhenScaled, "Retain")
		}
	}
	return ""
}

func whyNotScaled(w *kube.Workload, kind string) string {
	switch {
	case w.Kind == kube.ReplicaSets && w.OwnerKind == kube.Deployments.Kind():
		return "its Deployment " + w.OwnerName + " decides how many: scale that"
	case w.Kind&(kube.StatefulSets|kube.Deployments|kube.ReplicaSets) != 0:
		return ""
	case w.Kind == kube.DaemonSets:
		return kind + " has no replicas to scale: it follows its nodes"
	case w.Kind == kube.Autoscalers:
		return "an autoscaler is not scaled itself: scale " + w.Scaler.TargetKind + " " + w.Scaler.TargetName
	}
	return kind + " has no replicas to scale"
}

func whyNotRolled(w *kube.Workload, kind string, id keymap.ID) string {
	what := map[keymap.ID]string{keymap.RestartWorkload: "restart", keymap.RollBackWorkload: "roll back"}[id]
	switch {
	case w.Kind&rolls == 0:
		return kind + " has no rollout to " + what
	case w.Paused:
		return w.Name + " is paused: resume it first"
	}
	return ""
}

// pausedWord is how the API calls it.
func pausedWord(w *kube.Workload) string {
	if w.Kind == kube.CronJobs {
		return "suspended"
	}
	return "paused"
}

// belongsTo reports whether a pod belongs to the workload of a pin: "StatefulSet/shop/cart".
func belongsTo(p *kube.Pod, pinned kube.Owner) bool {
	owners := p.Owners()
	return slices.Contains(owners[:], pinned)
}

// pinnedOwner reads a pin; the zero Owner, to which nothing belongs, if it is none.
func pinnedOwner(value string) kube.Owner {
	kind, rest, _ := strings.Cut(value, "/")
	namespace, name, _ := strings.Cut(rest, "/")
	return kube.Owner{Kind: kube.KindNamed(kind), Namespace: namespace, Name: name}
}
