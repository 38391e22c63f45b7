package views

import (
	"io"
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
)

// WorkloadsQuery asks for the workloads that pass a filter, worst first.
func WorkloadsQuery(f Filter) kube.Query[*kube.Workload] {
	q := query(workloadOrders()[0], false, workloadsByName, f, nil)
	q.KeepReads |= kube.Pods
	return q
}

// PrintWorkloads writes workloads as the format says.
func PrintWorkloads(w io.Writer, f Format, rows []*kube.Workload, m kube.Moment) error {
	return printRows(w, f, workloadFields(), rows, m)
}

func workloadFields() []field[*kube.Workload] {
	return []field[*kube.Workload]{
		{key: "kind", title: "KIND", in: FormatTable, text: func(w *kube.Workload, _ kube.Moment) string { return w.Kind.Kind() }},
		{key: "namespace", title: "NAMESPACE", in: FormatTable, text: func(w *kube.Workload, _ kube.Moment) string { return w.Namespace }},
		{key: "name", title: "NAME", in: FormatTable, text: func(w *kube.Workload, _ kube.Moment) string { return w.Name }},
		{key: "ready", title: "READY", in: FormatTable, text: func(w *kube.Workload, _ kube.Moment) string { return w.ReadyText() }},
		{key: "updated", title: "UPDATED", in: FormatTable, text: func(w *kube.Workload, _ kube.Moment) string { return w.UpdatedText() }},
		{key: "age", title: "AGE", in: FormatTable, text: func(w *kube.Workload, m kube.Moment) string { return text.Age(m.Now, w.Created) }},
		{key: "why", title: "WHY", in: FormatTable, text: func(w *kube.Workload, m kube.Moment) string { return w.Why(m) }},
		{key: "allows", title: "PDB ALLOWS", in: FormatWide, text: func(w *kube.Workload, _ kube.Moment) string { return w.AllowsText() }},
		{key: "hpa", title: "HPA", in: FormatWide, text: func(w *kube.Workload, m kube.Moment) string { return w.ScalingText(m) }},
		{key: "revision", title: "REVISION", in: FormatWide, text: func(w *kube.Workload, _ kube.Moment) string { return w.RevisionText() }},
		{key: "policy", title: "POLICY", in: FormatWide, text: func(w *kube.Workload, _ kube.Moment) string { return w.PolicyText() }},
		{key: "desired", value: func(w *kube.Workload, _ kube.Moment) any { return w.Desired }},
		{key: "severity", text: func(w *kube.Workload, m kube.Moment) string { return w.Severity(m).String() }},
		{key: "diagnosis", text: func(w *kube.Workload, m kube.Moment) string { return strings.Join(w.Diagnosis(m), "; ") }},
		{key: "created", value: func(w *kube.Workload, _ kube.Moment) any { return stamp(w.Created) }},
		{key: "uid", text: func(w *kube.Workload, _ kube.Moment) string { return w.UID }},
	}
}
