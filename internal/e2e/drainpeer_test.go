package e2e

import (
	"strings"
	"testing"
	"time"

	"ktriage/kube/action"
)

// kubectl asks refused pods again every five seconds; whoever looks at the budget can only be as quick or quicker.
func TestDrainEvictsTheSamePodsAsKubectlAndIsNotSlower(t *testing.T) {
	const aim, limit = 1.2, 1.5
	o := stages.operate(t, stages.kubeconfig())
	before := o.pods("fair-a")
	began := time.Now()
	stages.kubectl(t, "drain", "fair-a", "--ignore-daemonsets")
	theirs := time.Since(began)
	after := o.pods("fair-a")
	left := 0
	for uid, p := range before {
		if _, is := after[uid]; !is && p.Spec.NodeName == "fair-a" {
			left++
		}
	}

	began = time.Now()
	d := o.start(o.plan(nil, "fair-b"))
	run, alone := d.finishes(2 * time.Minute)
	ours := time.Since(began)
	evicted, asked := 0, 0
	for name, requests := range o.evictions() {
		asked += len(requests)
		if strings.HasPrefix(name, "fair-b/web-") && requests[len(requests)-1].ResponseStatus.Code == 201 {
			evicted++
		}
	}
	ratio := ours.Seconds() / theirs.Seconds()
	t.Logf("20 pods of which 5 may be missing: kubectl %v, ours %v (plan included; the run alone %v), ratio %.2f (aim %.1f); %d evictions requested",
		theirs.Round(100*time.Millisecond), ours.Round(100*time.Millisecond), alone.Round(100*time.Millisecond), ratio, aim, asked)
	if run.State != action.Done || left != 20 || evicted != left || d.count(action.StepGone) != left {
		t.Errorf("kubectl evicted %d pods, ours %d of which %d are called gone; %s: %s", left, evicted, d.count(action.StepGone), run.State, run.Note)
	}
	if ratio > limit {
		t.Errorf("%.2f times as long as kubectl", ratio)
	}
	d.goneIsGone("fair-b")
}
