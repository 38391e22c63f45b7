package scale

import (
	"context"
	"fmt"
	"slices"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/safe"
	"ktriage/kube"
	"ktriage/kube/action"
)

const (
	// together is how many numbers are under way at the same time, and apart how long one waits for the one before.
	together = 3
	apart    = 100 * time.Millisecond
	// looksApart is how long it takes at least until what the watches tell is looked at again: they may tell much.
	looksApart = 100 * time.Millisecond
	// lookAgain is how often what nothing has changed in is looked at: what is written about it has the time in it.
	lookAgain = 10 * time.Second
	// lastAnswer is how long an answer is waited for after the run has been told to end.
	lastAnswer = 60 * time.Millisecond
)

// work sets the numbers of a plan, and watches what comes of it.
type work struct{ plan *Plan }

// run is a work that is being carried out. One goroutine owns it; requests and watches run beside it, and tell it.
type run struct {
	cluster  *kube.Cluster
	progress *action.Progress
	plan     *Plan
	items    []*item
	pods     map[string]*follower        // by namespace
	owned    map[types.UID][]*corev1.Pod // as they were looked at last, by their controllers
	read     map[string]bool             // of which namespaces they were known then
	objects  map[objectsOf]*follower     // the workloads themselves
	claims   map[string]*follower        // by namespace
	life     context.Context             // of what runs beside it: it ends with the run
	wake     chan struct{}               // a watch has something new
	answers  chan answer
	flying   int
	last     time.Time // when the last request was begun
	away     string    // why the server takes no requests, "" if it does
	until    time.Time // when it is asked again
	looked   time.Time // when the items were looked at last
	dirty    bool      // something has happened since
	reported map[string]action.Step
	place    int
}

type objectsOf struct {
	kind kube.Kinds
	ns   string
}

// answer is how a request has ended.
type answer struct {
	item    *item
	version string
	kept    bool   // whenScaled is Retain now, by us
	about   string // what err is about: the number, or whenScaled
	err     error
}

// Run implements action.Work.
func (w *work) Run(ctx context.Context, c *kube.Cluster, p *action.Progress) action.Result {
	r := &run{
		cluster: c, progress: p, plan: w.plan, pods: map[string]*follower{}, objects: map[objectsOf]*follower{},
		claims: map[string]*follower{}, wake: make(chan struct{}, 1), answers: make(chan answer, together), reported: map[string]action.Step{},
	}
	began := time.Now()
	for _, workload := range w.plan.changing() {
		r.items = append(r.items, r.newItem(workload, began))
	}
	watching, stop := context.WithCancel(ctx)
	defer stop()
	r.life = watching
	r.watch(watching)
	r.loop(ctx)
	return r.result(ctx, began)
}

// loop goes on until every item has ended, or ctx has.
func (r *run) loop(ctx context.Context) {
	requests, stop := context.WithCancel(context.WithoutCancel(ctx))
	defer stop()
	for ctx.Err() == nil && r.unfinished() > 0 {
		next := r.sendNext(requests)
		if r.dirty {
			next = min(next, max(0, time.Until(r.looked.Add(looksApart))))
		}
		timer := time.NewTimer(next)
		select {
		case <-ctx.Done():
		case <-r.wake:
			r.dirty = true
		case <-r.progress.Wish():
		case a := <-r.answers:
			r.take(a)
			r.dirty = true
		case <-timer.C:
		}
		timer.Stop()
		if now := time.Now(); r.dirty && now.Sub(r.looked) >= looksApart || now.Sub(r.looked) >= lookAgain {
			r.lookAtAll(now)
		}
	}
	r.collect(stop)
	for _, i := range r.items {
		r.leave(i)
	}
	r.say()
}

// lookAtAll brings all items up to date.
func (r *run) lookAtAll(now time.Time) {
	r.looked, r.dirty = now, false
	r.sort()
	for _, i := range r.items {
		r.look(i, now)
	}
	r.say()
}

// collect takes the answers that are still on their way, and gives up those that do not come at once.
func (r *run) collect(stop context.CancelFunc) {
	limit := time.NewTimer(lastAnswer)
	defer limit.Stop()
	for r.flying > 0 {
		select {
		case a := <-r.answers:
			r.take(a)
		case <-limit.C:
			stop()
			for r.flying > 0 {
				r.take(<-r.answers)
			}
		}
	}
}

// unfinished counts what has not ended.
func (r *run) unfinished() int {
	n := 0
	for _, i := range r.items {
		if i.phase != over {
			n++
		}
	}
	return n
}

// sendNext begins the next request if there is one and its time has come, and says when to look again.
func (r *run) sendNext(ctx context.Context) time.Duration {
	k := slices.IndexFunc(r.items, func(i *item) bool { return i.phase == waits })
	if k < 0 || r.flying >= together || r.progress.Paused() {
		return lookAgain
	}
	i, now := r.items[k], time.Now()
	if held := r.holding(now); held > 0 && !r.progress.Skipped(i.w.Ref.UID) {
		return held
	}
	if early := r.last.Add(apart).Sub(now); early > 0 {
		return early
	}
	if r.progress.Skipped(i.w.Ref.UID) {
		i.end(action.StepSkipped, "", nil)
		return 0
	}
	i.phase, r.last = asking, now
	r.flying++
	i.head.State, i.head.Since, i.head.Note = action.StepAsking, now, fmt.Sprintf("%d to %d", i.w.From, i.w.To)
	r.report(i.head)
	safe.Go("scale", func() { r.answers <- r.ask(ctx, i) })
	return apart
}

// ask carries the requests of one item out: the policy first if the claims are to be kept, then the number.
func (r *run) ask(ctx context.Context, i *item) (a answer) {
	a.item, a.about = i, "the number"
	s := &sender{cluster: r.cluster, begin: func() bool {
		if r.life.Err() != nil {
			return false
		}
		i.sent.Store(true)
		return true
	}}
	keeps := r.plan.Retain && i.w.Deletes && i.w.down()
	if keeps {
		a.about = "whenScaled"
		if a.err = s.retain(ctx, i.w.Ref); a.err != nil {
			return a
		}
		a.kept, a.about = true, "the number"
		if a.err = r.released(ctx, i.w); a.err != nil {
			return a
		}
	}
	a.version, a.err = s.replicas(ctx, i.w, i.w.Deletes && !keeps)
	return a
}

// watch begins to follow what the run has to see.
func (r *run) watch(ctx context.Context) {
	r.watchObjects(ctx)
	only := r.alone()
	for _, i := range r.items {
		ns := i.w.Ref.Namespace
		if r.pods[ns] == nil {
			f := &follower{client: r.cluster.Client().CoreV1().RESTClient(), resource: "pods", namespace: ns,
				empty: func() runtime.Object { return &corev1.PodList{} }}
			if only[ns] {
				f.labels = i.w.selects.String()
			}
			r.pods[ns] = r.start(ctx, f)
		}
		if len(i.claims) > 0 && r.claims[ns] == nil {
			r.claims[ns] = r.start(ctx, &follower{client: r.cluster.Client().CoreV1().RESTClient(), resource: "persistentvolumeclaims",
				namespace: ns, empty: func() runtime.Object { return &corev1.PersistentVolumeClaimList{} }})
		}
	}
}

// watchObjects follows the workloads themselves: one watch for a kind and a namespace.
func (r *run) watchObjects(ctx context.Context) {
	only := r.alone()
	for _, i := range r.items {
		ref := i.w.Ref
		if of := (objectsOf{ref.Kind, ref.Namespace}); r.objects[of] == nil {
			f := &follower{client: r.cluster.Client().AppsV1().RESTClient(), resource: resources[ref.Kind], namespace: ref.Namespace, empty: lists[ref.Kind]}
			if only[ref.Namespace] {
				f.name = ref.Name
			}
			r.objects[of] = r.start(ctx, f)
		}
	}
}

// alone says of which namespaces there is but one workload.
func (r *run) alone() map[string]bool {
	out := map[string]bool{}
	for _, i := range r.items {
		_, more := out[i.w.Ref.Namespace]
		out[i.w.Ref.Namespace] = !more
	}
	return out
}

// start begins to follow.
func (r *run) start(ctx context.Context, f *follower) *follower {
	wake := r.wake
	f.changed = func() {
		select {
		case wake <- struct{}{}:
		default:
		}
	}
	safe.Go("scale watch", func() { f.follow(ctx) })
	return f
}

// lists are what lists of the kinds are read into.
var lists = map[kube.Kinds]func() runtime.Object{
	kube.StatefulSets: func() runtime.Object { return &appsv1.StatefulSetList{} },
	kube.Deployments:  func() runtime.Object { return &appsv1.DeploymentList{} },
	kube.ReplicaSets:  func() runtime.Object { return &appsv1.ReplicaSetList{} },
}

// report tells of a step if it is another than it was.
func (r *run) report(s action.Step) {
	key := s.Ref().UID
	if old, ok := r.reported[key]; ok && same(old, s) {
		return
	}
	r.reported[key] = s
	r.progress.Step(s)
}

func same(a, b action.Step) bool {
	return a.State == b.State && a.Note == b.Note && a.Severity == b.Severity && a.Until.Equal(b.Until) && slices.Equal(a.Why, b.Why) &&
		a.Object == b.Object && a.Follows == b.Follows && a.Since.Equal(b.Since)
}
