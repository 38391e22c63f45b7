package views

import (
	"encoding/json"
	"strings"
	"testing"

	"ktriage/kube"
)

func TestUseIsPrintedAsKubectlTopDoes(t *testing.T) {
	m := used()
	print := func(f func(w *strings.Builder) error) string {
		var w strings.Builder
		if err := f(&w); err != nil {
			t.Fatal(err)
		}
		return w.String()
	}
	nodes := print(func(w *strings.Builder) error { return PrintTopNodes(w, FormatTable, measuredNodes(), m) })
	for _, want := range []string{
		"NAME         CPU(cores)   CPU(%)   MEMORY(bytes)   MEMORY(%)\n", "worker-51    5920m        74%      29.7Gi", "worker-07    -            -        -               -\n",
	} {
		if !strings.Contains(nodes, want) {
			t.Errorf("%q is not in\n%s", want, nodes)
		}
	}
	pods := print(func(w *strings.Builder) error { return PrintTopPods(w, FormatTable, measuredPods(), m) })
	if !strings.Contains(pods, "shop        memory-demo   50m          155Mi\n") || !strings.HasPrefix(pods, "NAMESPACE   NAME          CPU(cores)   MEMORY(bytes)\n") {
		t.Errorf("the pods are\n%s", pods)
	}
	wide := print(func(w *strings.Builder) error { return PrintTopPods(w, FormatWide, measuredPods()[1:2], m) })
	if !said(wide, "STATE", "974m", "194%", "97%", "throttled", "6s", "15s", "gpu-02") {
		t.Errorf("wide it is\n%s", wide)
	}
	var rows []map[string]any
	text := print(func(w *strings.Builder) error { return PrintTopPods(w, FormatJSON, measuredPods(), m) })
	if err := json.Unmarshal([]byte(text), &rows); err != nil || rows[0]["memory"] != 162856960.0 || rows[4]["cpu"] != nil || rows[0]["cpuOfRequest"] != nil {
		t.Errorf("%v in\n%s", err, text)
	}
	sums := print(func(w *strings.Builder) error { return PrintTotals(w, FormatTable, totals()[:1], m) })
	if !said(sums, "Namespace", "shop", "14", "12", "2000m", "2000Mi") {
		t.Errorf("the totals are\n%s", sums)
	}
	container := &kube.Container{Namespace: "shop", Pod: "cpu-demo", Name: "app", CPULimit: 1000}
	if got := print(func(w *strings.Builder) error {
		return PrintTopContainers(w, FormatTable, []*kube.Container{container}, m)
	}); !said(got, "cpu-demo", "app", "974m", "7Mi") {
		t.Errorf("the container is\n%s", got)
	}
}

func TestWhatUsesMostIsPrintedFirst(t *testing.T) {
	var f usesFeed[*kube.Total]
	f.rows = totals()
	f.SetQuery(TotalsQuery(kube.OfNamespace, Filter{}))
	f.answer(used())
	if s := f.Load(); s.Len() != 2 || s.Row(0).Name != "payments" {
		t.Errorf("%d rows, first %v", s.Len(), s.Row(0))
	}
	var p usesFeed[*kube.Pod]
	p.rows = measuredPods()
	p.SetQuery(TopPodsQuery(Filter{}))
	p.answer(used())
	equal(t, p.Load().Row(0).Name, "cpu-demo")
}
