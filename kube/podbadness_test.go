package kube

import (
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"pgregory.net/rapid"
)

// pendingFor is a pod that no node has taken for so long.
func pendingFor(d time.Duration) *corev1.Pod {
	pod := podOf(corev1.PodPending, nil, []part{{name: "app", unseen: true}})
	pod.Spec.NodeName, pod.CreationTimestamp = "", before(d)
	return pod
}

// unreadySince is a pod that runs, taken by the kubelet and last ready such times ago.
func unreadySince(taken, lost time.Duration) *corev1.Pod {
	pod := podOf(corev1.PodRunning, nil, []part{{name: "app", state: running()}})
	start := before(taken)
	pod.Status.StartTime = &start
	pod.Status.Conditions = []corev1.PodCondition{{Type: corev1.PodReady, Status: "False", LastTransitionTime: before(lost)}}
	return pod
}

func restartedAgo(code int32, d time.Duration) *corev1.Pod {
	return podOf(corev1.PodRunning, nil,
		[]part{{name: "app", state: running(), ready: true, restarts: 1, last: exitedAt(code, d)}}, corev1.PodReady)
}

func deletedAgo(pod *corev1.Pod, d time.Duration, grace int64) *corev1.Pod {
	deadline := metav1.NewTime(noon.Add(time.Duration(grace)*time.Second - d))
	pod.DeletionTimestamp, pod.DeletionGracePeriodSeconds = &deadline, &grace
	return pod
}

func failedAgo(d time.Duration, owner ...metav1.OwnerReference) *corev1.Pod {
	pod := podOf(corev1.PodFailed, nil, []part{{name: "app", state: exitedAt(1, d)}})
	pod.OwnerReferences = owner
	return pod
}

func TestPodBadness(t *testing.T) {
	never := time.Duration(-1)
	gated := withCondition(pendingFor(time.Hour), corev1.PodScheduled, "False", corev1.PodReasonSchedulingGated)
	gate := withCondition(podOf(corev1.PodRunning, nil, []part{{name: "app", state: running(), ready: true}}), corev1.PodReady, "False", "ReadinessGatesNotReady")
	tests := map[string]struct {
		pod      *corev1.Pod
		rank     uint8
		severity Severity
		until    time.Duration // from noon
	}{
		"well":                           {usualPod(), podFine, OK, never},
		"just created":                   {pendingFor(10 * time.Second), podFine, OK, 50 * time.Second},
		"pending for a minute":           {pendingFor(time.Minute), podSlow, Warning, never},
		"gated for an hour":              {gated, podHeld, Notice, never},
		"not ready for the first time":   {unreadySince(20*time.Second, 20*time.Second), podFine, OK, 40 * time.Second},
		"never ready in time":            {unreadySince(time.Hour, time.Hour), podNotReady, Warning, never},
		"was ready":                      {unreadySince(time.Hour, time.Second), podNotReady, Warning, never},
		"was ready at once":              {unreadySince(20*time.Second, 10*time.Second), podNotReady, Warning, never},
		"readiness gate":                 {gate, podNotReady, Warning, never},
		"restarted after a failure":      {restartedAgo(1, 4*time.Minute), podRestarted, Warning, 6 * time.Minute},
		"restarted a while ago":          {restartedAgo(1, 10*time.Minute), podFine, OK, never},
		"restarted after a success":      {restartedAgo(0, time.Second), podFine, OK, never},
		"terminating in time":            {deletedAgo(usualPod(), 10*time.Second, 30), podHeld, Notice, 25 * time.Second},
		"terminating beyond its grace":   {deletedAgo(usualPod(), time.Minute, 30), podOverdue, Warning, never},
		"completed":                      {podOf(corev1.PodSucceeded, nil, []part{{name: "app", state: exited(0, "Completed")}}), podFine, OK, never},
		"failed, with a controller":      {failedAgo(time.Minute, ownedBy("batch/v1", "Job", "j")...), podFailed, Warning, 59 * time.Minute},
		"failed, without one":            {failedAgo(time.Minute), podBroken, Bad, 59 * time.Minute},
		"failed long ago":                {failedAgo(time.Hour), podLeftover, OK, never},
		"crash loop":                     {podOf(corev1.PodRunning, nil, []part{{name: "app", state: waiting("CrashLoopBackOff")}}), podBroken, Bad, never},
		"image":                          {podOf(corev1.PodPending, nil, []part{{name: "app", state: waiting("ErrImagePull")}}), podBroken, Bad, never},
		"reason nobody knows":            {podOf(corev1.PodPending, nil, []part{{name: "app", state: waiting("FluxInverted")}}), podBroken, Bad, never},
		"error between two runs":         {podOf(corev1.PodRunning, nil, []part{{name: "app", state: exited(1, "Error")}}), podBroken, Bad, never},
		"init error":                     {podOf(corev1.PodPending, []part{{name: "i", state: exited(1, "Error")}}, nil), podInit, Bad, never},
		"init exit code":                 {podOf(corev1.PodPending, []part{{name: "i", state: exited(1, "")}}, nil), podInit, Bad, never},
		"init goes on":                   {podOf(corev1.PodPending, []part{{name: "i", state: running()}}, nil), podSlow, Warning, never},
		"one container done, one ready":  {podOf(corev1.PodRunning, nil, []part{{name: "a", state: exited(0, "Completed")}, {name: "b", state: running(), ready: true}}), podFine, OK, never},
		"crash loop that is being ended": {deletedAgo(podOf(corev1.PodRunning, nil, []part{{name: "app", state: waiting("CrashLoopBackOff")}}), 0, 30), podHeld, Notice, 35 * time.Second},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			p, m := NewPod(test.pod), Moment{Now: noon}
			want := time.Time{}
			if test.until != never {
				want = noon.Add(test.until)
			}
			rank, until := p.Badness(m)
			if rank != test.rank || !until.Equal(want) {
				t.Errorf("got rank %d until %v, want %d until %v", rank, until, test.rank, want)
			}
			equal(t, p.Severity(m), test.severity)
		})
	}
}

func TestPodsOfASilentNodeAreAtLeastAWarning(t *testing.T) {
	since := noon.Add(-4 * time.Minute)
	m := Moment{Now: noon, Nodes: map[string]NodeState{"worker-01": {Silent: true, SilentSince: since}}}
	p := NewPod(usualPod())
	equal(t, p.Severity(m), Warning)
	equal(t, p.StatusText(m), "Running?")
	equal(t, p.Since(m), since)
	done := NewPod(podOf(corev1.PodSucceeded, nil, []part{{name: "app", state: exited(0, "Completed")}}))
	equal(t, done.Severity(m), OK)
	equal(t, done.StatusText(m), "Completed")
	crashed := NewPod(podOf(corev1.PodRunning, nil, []part{{name: "app", state: waiting("CrashLoopBackOff")}}))
	equal(t, crashed.Severity(m), Bad)
}

// checkUntil asserts that until is the first moment at which a rank may change.
func checkUntil(t *rapid.T, badness func(Moment) (uint8, time.Time), m Moment) {
	rank, until := badness(m)
	if !until.IsZero() && !until.After(m.Now) {
		t.Fatalf("until %v is not after now %v", until, m.Now)
	}
	span := 1000 * time.Hour
	if !until.IsZero() {
		span = until.Sub(m.Now)
	}
	later := m
	later.Now = m.Now.Add(time.Duration(rapid.Int64Range(0, int64(span)-1).Draw(t, "later")))
	if got, _ := badness(later); got != rank {
		t.Fatalf("rank %d at %v, but %d at %v, before %v", rank, m.Now, got, later.Now, until)
	}
}

func TestRanksChangeOnlyWhenTheySayTheyDo(t *testing.T) {
	pods, nodes := genPod(noon), genNode(noon)
	rapid.Check(t, func(t *rapid.T) {
		m := Moment{Now: noon.Add(time.Duration(rapid.IntRange(-100, 8000).Draw(t, "now")) * time.Second)}
		if rapid.Bool().Draw(t, "silent") {
			m.Nodes = map[string]NodeState{"": {Silent: true}}
		}
		checkUntil(t, NewPod(stamped(pods.Draw(t, "pod"), noon)).Badness, m)
		node := nodes.Draw(t, "node")
		node.CreationTimestamp = genTime(t, noon)
		checkUntil(t, NewNode(node).Badness, m)
	})
}

func TestDiagnosisAlwaysSaysSomethingOnOneLine(t *testing.T) {
	pods, nodes := genPod(noon), genNode(noon)
	rapid.Check(t, func(t *rapid.T) {
		pod := stamped(pods.Draw(t, "pod"), noon)
		pod.Spec.NodeName = rapid.SampledFrom([]string{"", "worker-01", "worker-02"}).Draw(t, "node")
		moments := []Moment{{}, {Now: noon, Nodes: map[string]NodeState{"worker-01": {Silent: true}, "worker-02": {}}}}
		for _, m := range moments {
			for _, d := range [][]string{NewPod(pod).Diagnosis(m), NewNode(nodes.Draw(t, "node")).Diagnosis(m)} {
				if len(d) < 1 || len(d) > 2 {
					t.Fatalf("%d sentences: %q", len(d), d)
				}
				for _, sentence := range d {
					if !oneLine(sentence) {
						t.Errorf("%q", sentence)
					}
				}
			}
		}
	})
}
