package views

import (
	"strings"
	"time"

	"ktriage/internal/filter"
	"ktriage/kube"
)

// workloadSought is what a filter looks at in workloads.
func workloadSought() sought[*kube.Workload] {
	return sought[*kube.Workload]{"workloads", workloadFilterFields(), workloadText, func(w *kube.Workload) kube.Labels { return w.Labels }}
}

// workloadText is made anew each time, because the reason is found in the pods.
func workloadText(w *kube.Workload, m kube.Moment) string {
	parts := []string{w.Namespace + "/" + w.Name, w.Kind.Kind(), w.KindText(), w.OwnerName, w.Why(m)}
	if s := w.Scaler; s != nil {
		parts = append(parts, s.TargetKind+"/"+s.TargetName)
	}
	return filter.Lower(strings.Join(parts, string(filter.FieldEnd)))
}

// workloadFilterFields are what can be compared of a workload.
func workloadFilterFields() []filterField[*kube.Workload] {
	type workload = *kube.Workload
	type moment = kube.Moment
	return []filterField[workload]{
		textField("name", "the name", func(w workload, _ moment) string { return w.Name }),
		textField("ns", "the namespace", func(w workload, _ moment) string { return w.Namespace }).alias("namespace"),
		wordsField("kind", "the kind: the word of the column, or the API's", func(w workload, _ moment, is func(string) bool) bool {
			return is(w.KindText()) || is(w.Kind.Kind())
		}).offering("Deploy", "STS", "DS", "RS", "Job", "CronJob", "HPA", "PDB"),
		readyField("ready", "the column READY", func(w workload, _ moment) readiness {
			return readiness{is: int64(w.Ready), of: int64(w.Desired), judged: true, known: w.Kind != kube.CronJobs}
		}),
		readyField("updated", "pods of the newest revision of all that are wanted", func(w workload, _ moment) readiness {
			return readiness{is: int64(w.Updated), of: int64(w.Desired), judged: true, known: w.UpdatedText() != "-"}
		}),
		wordsField("why", "the reason that the pane shows; ~ looks into it", func(w workload, m moment, is func(string) bool) bool {
			why := w.Why(m)
			return why != "" && why != "-" && is(why)
		}).alias("status"),
		ageField("age", "how long ago it was created", func(w workload) time.Time { return w.Created }),
		wordsField("owner", "its controller: the name, the kind, or kind/name", func(w workload, _ moment, is func(string) bool) bool {
			return w.OwnerName != "" && (is(w.OwnerName) || is(w.OwnerKind) || is(w.OwnerKind+"/"+w.OwnerName))
		}),
		yesField("paused", "its rollout is paused, or it is suspended", func(w workload, _ moment) (bool, bool) {
			return w.Paused, w.Kind&(kube.Deployments|kube.Jobs|kube.CronJobs) != 0
		}),
		numberField("allows", "how many pods a budget lets go", func(w workload, _ moment) (int64, bool) {
			if w.Budget == nil {
				return 0, false
			}
			return int64(w.Budget.Allowed), true
		}),
		numberField("revision", "the number of the revision", func(w workload, _ moment) (int64, bool) {
			n, known := wholeNumber(w.Revision)
			return n, known
		}),
		textField("policy", "the column POLICY", func(w workload, _ moment) string { return given(strings.TrimPrefix(w.PolicyText(), "-")) }),
		severityField((*kube.Workload).Severity),
	}
}

// wholeNumber reads the digits of a text, of which there are at most 18.
func wholeNumber(s string) (n int64, ok bool) {
	for _, c := range []byte(s) {
		if c < '0' || c > '9' || len(s) > 18 {
			return 0, false
		}
		n = n*10 + int64(c-'0')
	}
	return n, s != ""
}
