package e2e

import (
	"context"
	"fmt"
	"maps"
	"math/rand/v2"
	"os"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/watch"

	"ktriage/kube/action"
	"ktriage/kube/scale"
)

// trial is one StatefulSet of the property test: what it is, what its plan says, and what has happened.
type trial struct {
	*hall
	start, from, to int
	ordered, delete bool
	claimed, retain bool
	ill             []int // ordinals
	left            []int // ordinals whose claims there were before

	set     *appsv1.StatefulSet
	plan    *action.Plan
	says    scale.Workload
	pods    map[string]corev1.Pod
	kept    map[string]corev1.PersistentVolumeClaim
	stop    context.CancelFunc
	ended   chan action.Result
	mu      sync.Mutex
	removed []string // in order
	made    []string
}

func (t *trial) String() string {
	return fmt.Sprintf("%s: start %d, %d to %d, ordered %t, delete %t, claims %t, retain %t, ill %v, left over %v",
		t.ns, t.start, t.from, t.to, t.ordered, t.delete, t.claimed, t.retain, t.ill, t.left)
}

// draw makes up a trial.
func draw(r *rand.Rand, h *hall) *trial {
	yes := func(in float64) bool { return r.Float64() < in }
	t := &trial{hall: h, start: []int{0, 0, 3}[r.IntN(3)], from: r.IntN(7), to: r.IntN(6), ordered: yes(0.7), delete: yes(0.5), claimed: yes(0.7)}
	if t.to >= t.from {
		t.to++
	}
	t.delete = t.delete && t.claimed
	t.retain = t.delete && yes(0.3)
	for n := t.start; n < t.start+t.from; n++ {
		if yes(0.2) {
			t.ill = append(t.ill, n)
		}
	}
	for n := t.start + t.from; t.claimed && n < t.start+7; n++ {
		if yes(0.4) {
			t.left = append(t.left, n)
		}
	}
	return t
}

// build makes the set of a trial, and what was there before it.
func (t *trial) build() {
	change := []func(*appsv1.StatefulSet){ordinalsFrom(int32(t.start))}
	if !t.ordered {
		change = append(change, parallel)
	}
	if t.delete {
		change = append(change, whenScaledDelete)
	}
	if t.claimed {
		claims := t.claiming(t.start, t.start+7)
		change = append(change, func(s *appsv1.StatefulSet) {
			claims(s)
			for _, n := range t.left {
				c := s.Spec.VolumeClaimTemplates[0].DeepCopy()
				c.Name = fmt.Sprintf("data-web-%d", n)
				_, err := t.client.CoreV1().PersistentVolumeClaims(t.ns).Create(t.t.Context(), c, metav1.CreateOptions{})
				t.ok(err)
			}
		})
	}
	t.set = t.hall.set("web", int32(t.from), change...)
}

// foresee makes the plan, and begins to write down what happens.
func (t *trial) foresee(o *operator) {
	options := action.Options{scale.OptionReplicas + string(t.set.UID): strconv.Itoa(t.to), scale.OptionOverride: action.On}
	if t.retain {
		options[scale.OptionRetain] = action.On
	}
	t.pods, t.kept = t.hall.pods("web"), t.hall.claims()
	t.plan = o.planOf(action.Scale, t.target(o, t.set), options)
	if len(t.plan.Refusals) > 0 {
		t.t.Fatalf("%s: refused %q", t, t.plan.Refusals)
	}
	t.says = scale.PlanOf(t.plan).Workloads[0]
	l, err := t.client.CoreV1().Pods(t.ns).List(t.t.Context(), metav1.ListOptions{})
	t.ok(err)
	w, err := t.client.CoreV1().Pods(t.ns).Watch(t.t.Context(), metav1.ListOptions{ResourceVersion: l.ResourceVersion})
	t.ok(err)
	t.t.Cleanup(w.Stop)
	go func() {
		for e := range w.ResultChan() {
			t.mu.Lock()
			switch p, _ := e.Object.(*corev1.Pod); {
			case p == nil:
			case e.Type == watch.Added:
				t.made = append(t.made, p.Name)
			case e.Type == watch.Deleted:
				t.removed = append(t.removed, p.Name)
			}
			t.mu.Unlock()
		}
	}()
}

// run carries the plan out.
func (t *trial) run(o *operator) {
	ctx, stop := context.WithCancel(t.t.Context())
	t.stop, t.ended = stop, make(chan action.Result, 1)
	t.t.Cleanup(stop)
	go func() { t.ended <- t.plan.Work.Run(ctx, o.kube, action.NewProgress(func() {})) }()
}

// expected is what the plan says that goes and comes in the end, in order.
func (t *trial) expected() (goes, comes []string) {
	if b := t.says.Blocked; b != nil {
		return b.Goes, b.Comes
	}
	return t.says.Goes, t.says.Comes
}

// wrong says in what a plan and what has happened differ, "" if in nothing.
func (t *trial) wrong() string {
	goes, comes := t.expected()
	want := map[string]bool{}
	for name := range t.pods {
		want[name] = !slices.Contains(goes, name)
	}
	for _, name := range comes {
		want[name] = true
	}
	maps.DeleteFunc(want, func(_ string, stays bool) bool { return !stays })
	now := t.hall.pods("web")
	if !slices.Equal(slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(want))) {
		return fmt.Sprintf("pods %v, want %v", slices.Sorted(maps.Keys(now)), slices.Sorted(maps.Keys(want)))
	}
	for name, p := range now {
		if old, was := t.pods[name]; was && (old.UID != p.UID || p.DeletionTimestamp != nil) {
			return name + " is another, or is going"
		}
	}
	t.mu.Lock()
	defer t.mu.Unlock()
	if t.ordered && !slices.Equal(t.removed, goes) || len(t.removed) != len(goes) {
		return fmt.Sprintf("removed %v, want %v", t.removed, goes)
	}
	if t.ordered && !slices.Equal(t.made, comes) || len(t.made) != len(comes) {
		return fmt.Sprintf("made %v, want %v", t.made, comes)
	}
	return t.wrongClaims(goes, comes)
}

// wrongClaims compares the claims with what the plan says of each, and the others with what they were.
func (t *trial) wrongClaims(goes, comes []string) string {
	now := t.hall.claims()
	told := map[string]bool{}
	for _, c := range t.says.Claims {
		told[c.Name] = true
		old, was := t.kept[c.Name]
		is, there := now[c.Name]
		same := was && there && old.UID == is.UID && is.DeletionTimestamp == nil
		ok := false
		switch c.Fate {
		case scale.Deleted:
			ok = same != slices.Contains(goes, c.Pod) && (same || !there)
		case scale.Kept, scale.Reused:
			ok = same
		case scale.Made:
			ok = !was && there == slices.Contains(comes, c.Pod)
		}
		if !ok {
			return fmt.Sprintf("%s is to be %q: was there %t, is there %t, the same %t", c.Name, c.Fate, was, there, same)
		}
	}
	for name, old := range t.kept {
		if is, there := now[name]; !told[name] && (!there || is.UID != old.UID || is.DeletionTimestamp != nil) {
			return name + ", of which the plan says nothing, is another"
		}
	}
	for name := range now {
		if _, was := t.kept[name]; !was && !told[name] {
			return name + ", of which the plan says nothing, is new"
		}
	}
	return ""
}

func TestWhatThePlanSaysOfAnyStatefulSetIsWhatHappens(t *testing.T) {
	const trials = 48
	began := time.Now()
	seed := uint64(began.UnixNano())
	if s, err := strconv.ParseUint(os.Getenv("SCALE_SEED"), 10, 64); err == nil {
		seed = s
	}
	t.Logf("SCALE_SEED=%d", seed)
	r := rand.New(rand.NewPCG(seed, seed))
	o := stages.operate(t, stages.kubeconfig())
	h := newHall(t)
	var all []*trial
	t.Cleanup(func() {
		for _, one := range all {
			one.drop()
		}
		for _, one := range all {
			one.empty()
		}
	})
	for n := range trials {
		all = append(all, draw(r, h.room("-"+strconv.Itoa(n))))
		all[n].build()
	}
	for _, one := range all {
		one.ready("web", int32(one.from))
	}
	for _, one := range all {
		for _, n := range one.ill {
			one.falls(fmt.Sprintf("web-%d", n))
		}
	}
	t.Logf("%d sets after %v", trials, time.Since(began).Round(time.Second))
	seen := map[string]int{}
	for _, one := range all {
		one.foresee(o)
		one.run(o)
		for what, is := range map[string]bool{
			"up": one.to > one.from, "down": one.to < one.from, "blocked": one.says.Blocked != nil, "blocked by one that goes": one.says.Blocked != nil && one.says.Blocked.Among,
			"blocked half way": one.says.Blocked != nil && len(one.says.Blocked.Goes)+len(one.says.Blocked.Comes) > 0,
			"parallel":         !one.ordered, "not from 0": one.start > 0, "to 0": one.to == 0, "retain first": one.retain && one.to < one.from,
		} {
			if is {
				seen[what]++
			}
		}
		for _, c := range one.says.Claims {
			seen["claim "+string(c.Fate)]++
		}
	}
	for _, one := range all {
		if !within(90*time.Second, func() bool { return one.wrong() == "" }) {
			t.Errorf("%s\nblocked %+v\n%s", one, one.says.Blocked, one.wrong())
		}
	}
	held := time.Now()
	for _, one := range all { // and nothing more happens
		one.stays(held.Add(3 * time.Second))
		one.finishes()
	}
	var told []string
	for _, what := range slices.Sorted(maps.Keys(seen)) {
		told = append(told, fmt.Sprintf("%s %d", what, seen[what]))
	}
	t.Logf("%d cases in %v: %s", trials, time.Since(began).Round(time.Second), strings.Join(told, ", "))
}

// stays wants nothing to change until then.
func (t *trial) stays(until time.Time) {
	if t.says.Blocked == nil {
		return
	}
	if within(time.Until(until), func() bool { return t.wrong() != "" }) {
		t.t.Errorf("%s\nblocked %+v, and later: %s", t, t.says.Blocked, t.wrong())
	}
}

// finishes wants the run to end by itself where all that is to happen has, and to go on where it is blocked.
func (t *trial) finishes() {
	ends := t.says.Blocked == nil && (t.to < t.from || len(t.ill) == 0)
	if ends {
		select {
		case result := <-t.ended:
			if result.State != action.Done {
				t.t.Errorf("%s: %s: %s", t, result.State, result.Summary)
			}
		case <-time.After(30 * time.Second):
			t.t.Errorf("%s: the run does not end", t)
		}
		return
	}
	t.stop()
	if result := <-t.ended; result.State != action.Cancelled {
		t.t.Errorf("%s: a run that cannot end has ended: %s: %s", t, result.State, result.Summary)
	}
}
