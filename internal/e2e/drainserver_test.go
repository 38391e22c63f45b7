package e2e

import (
	"sync"
	"syscall"
	"testing"
	"time"

	"ktriage/kube/action"
)

// revive starts what a killed API server took with it: controllers that could not renew their lease have ended.
func (c *cluster) revive(t *testing.T) {
	t.Helper()
	if _, err := c.devcluster("start", "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	c.lead()
}

// lead starts the controllers that a server without answers has made to end.
func (c *cluster) lead() {
	for _, component := range []string{"kube-controller-manager", "kube-scheduler"} {
		_, _ = c.devcluster("start", component) // or it has outlived the server
	}
}

func TestDrainOutlivesAnOutageOfTheServer(t *testing.T) {
	const outage = 20 * time.Second
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "outage"))
	d.await("two pods gone", soon, func() bool { return d.count(action.StepGone) >= 2 })
	if _, err := stages.devcluster("stop", "--kill", "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	killed := time.Now()
	d.await("what the server has said before", soon, func() bool { return time.Since(killed) >= time.Second })
	before := d.count(action.StepGone)
	d.await("20 s", outage+time.Second, func() bool { return time.Since(killed) >= outage })
	if now := d.count(action.StepGone); now != before {
		t.Errorf("%d pods are called gone that nobody can have confirmed\n%s", now-before, d.account())
	}
	t.Logf("after %v without a server: %s\n%s", outage, d.run().Note, d.account())
	stages.revive(t)
	back := time.Now()
	run, took := d.finishes(3 * time.Minute)
	t.Logf("%v, %v after the server was back, %v in all: %s", run.State, time.Since(back).Round(100*time.Millisecond), took.Round(100*time.Millisecond), run.Note)
	if run.State != action.Done || d.count(action.StepGone) != 12 {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	d.goneIsGone("outage")
}

func TestDrainForgivesAServerThatHangs(t *testing.T) {
	const hangs = 8 * time.Second // the controllers keep their lease, unless the machine is slow
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "frozen"))
	d.await("a pod refused, and one on its way", soon, func() bool {
		return d.count(action.StepBlocked) > 0 && d.count(action.StepTerminating, action.StepGone) > 0
	})
	pid := stages.pid(t, "kube-apiserver")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	defer func() { _ = syscall.Kill(pid, syscall.SIGCONT) }()
	froze := time.Now()
	d.await("8 s", hangs+time.Second, func() bool { return time.Since(froze) >= hangs })
	t.Logf("after %v without an answer: %s", hangs, d.run().Note)
	if err := syscall.Kill(pid, syscall.SIGCONT); err != nil {
		t.Fatal(err)
	}
	back := time.Now()
	stages.lead()
	run, took := d.finishes(2 * time.Minute)
	t.Logf("%v, %v after the server went on, %v in all: %s", run.State, time.Since(back).Round(100*time.Millisecond), took.Round(100*time.Millisecond), run.Note)
	if run.State != action.Done || d.count(action.StepGone) != 12 {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	d.goneIsGone("frozen")
}

func TestDrainCancelledWithoutAServerSaysWhatItDoesNotKnow(t *testing.T) {
	o := stages.operate(t, stages.kubeconfig())
	d := o.start(o.plan(nil, "dark"))
	d.await("a pod refused, and one on its way", soon, func() bool {
		return d.count(action.StepBlocked) > 0 && d.count(action.StepTerminating, action.StepGone) > 0
	})
	// A frozen server answers nothing: the next eviction stays under way until the server is killed.
	pid := stages.pid(t, "kube-apiserver")
	if err := syscall.Kill(pid, syscall.SIGSTOP); err != nil {
		t.Fatal(err)
	}
	d.await("an eviction without an answer", soon, func() bool { return d.count(action.StepAsking) > 0 })
	if _, err := stages.devcluster("stop", "--kill", "kube-apiserver"); err != nil {
		t.Fatal(err)
	}
	revive := sync.OnceFunc(func() { stages.revive(t) })
	t.Cleanup(revive) // the other tests need the server
	d.await("the loss of the connection", soon, func() bool { return d.count(action.StepRetrying) > 0 })
	t.Logf("without a server: %s\n%s", d.run().Note, d.account())
	run := d.cancelled()
	t.Logf("%s: %s\n%s", run.State, run.Note, d.account())
	if run.State != action.Unknown || d.count(action.StepUnknown) == 0 {
		t.Errorf("%s: %s\n%s", run.State, run.Note, d.account())
	}
	revive()
	d.goneIsGone("dark")
}
