package evict

import (
	"context"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/drain"
)

const (
	probeFirst = 5 * time.Second
	probeMost  = 30 * time.Second
	shortest   = 2 * time.Second // between two requests for one pod, whatever happens
)

type budgetKey struct{ namespace, name string }

// budget is a PodDisruptionBudget, and how often its pods may be asked. A pod that was refused is asked again when the
// budget changes; without that one of its pods is asked now and then, because a budget may let a pod go for reasons that
// its numbers do not show.
type budget struct {
	budgetKey
	known   bool // its numbers are
	numbers drain.Budget
	version string // of the object that they are from
	open    int    // evictions of its pods that are under way
	tickets int    // so many of its pods may be asked because it has changed
	wait    time.Duration
	probe   time.Time // when one is asked although it has not
}

// planned gives the budget that a plan tells of, which may be older than what is known.
func (r *run) planned(namespace string, b drain.Budget) *budget {
	known := r.budget(namespace, b.Name)
	if !known.known {
		known.known, known.numbers = true, b
	}
	return known
}

func (r *run) budget(namespace, name string) *budget {
	key := budgetKey{namespace, name}
	if r.budgets[key] == nil {
		r.budgets[key] = &budget{budgetKey: key, wait: probeFirst}
	}
	return r.budgets[key]
}

// lets reports whether a pod of the budget may be asked now; otherwise it says when to look again. A pod without a budget
// may always be.
func (b *budget) lets(p *pod, now time.Time, wake func(time.Time)) bool {
	switch {
	case b == nil:
		return true
	case b.known && b.open >= max(1, b.numbers.Allowed):
		return false // its answer wakes
	case p.refusals == 0 || p.nudged || b.tickets > 0:
		return true
	case now.Before(b.probe):
		wake(b.probe)
		return false
	}
	return b.open == 0
}

// taken notes that a pod of the budget is being asked.
func (b *budget) taken(p *pod, now time.Time) {
	if b == nil {
		return
	}
	b.open++
	p.probing = p.refusals > 0 && b.tickets == 0
	b.tickets = max(0, b.tickets-1)
	if p.probing {
		b.probe = now.Add(b.wait)
	}
}

// given notes that an answer has come.
func (b *budget) given() {
	if b != nil {
		b.open--
	}
}

// allowed notes that the budget has let a pod go. Its watch tells how many more it lets go; without one, another is asked.
func (b *budget) allowed() {
	if b == nil {
		return
	}
	b.wait = probeFirst
	if b.version == "" {
		b.tickets = max(b.tickets, 1)
	}
}

// refused notes that a budget does not let a pod go.
func (r *run) refused(p *pod, a answer, now time.Time) {
	p.refusals++
	name := a.budget
	if name == "" && p.budget != nil {
		name = p.budget.name
	}
	b := r.budget(p.Namespace, name)
	p.budget = b
	p.again = now.Add(max(shortest, a.after))
	switch {
	case a.after > 0:
		b.probe = now.Add(a.after)
		return
	case a.slow:
		b.wait = probeMost
		p.again = now.Add(jitter(b.wait))
	case p.probing:
		b.wait = min(b.wait*3/2, probeMost)
	}
	b.probe = now.Add(jitter(b.wait))
}

// changed takes in the numbers of a budget.
func (b *budget) changed(o *policyv1.PodDisruptionBudget) {
	if b.version == o.ResourceVersion {
		return
	}
	before := b.numbers.Allowed
	if b.version == "" {
		before = 0 // it has refused something, whatever the plan says
	}
	s := o.Status
	b.known, b.version = true, o.ResourceVersion
	b.numbers = drain.Budget{
		Name: b.name, Allowed: int(s.DisruptionsAllowed), Healthy: int(s.CurrentHealthy),
		Desired: int(s.DesiredHealthy), Expected: int(s.ExpectedPods),
	}
	if s.ObservedGeneration < o.Generation {
		b.numbers.Allowed = 0
	}
	if more := b.numbers.Allowed - before; more > 0 { // less is what our own evictions have taken
		b.tickets += more
		b.wait = probeFirst
	}
	b.tickets = min(b.tickets, b.numbers.Allowed)
}

// removed takes in that there is no such budget any more: nothing holds its pods.
func (b *budget) removed(pods int) {
	b.known, b.version, b.tickets = false, "", pods
}

// budgetWatch is the watch of the budgets of a namespace in which something is blocked.
type budgetWatch struct{ trouble string }

// watchBudgets watches the budgets of every namespace in which a budget has refused something.
func (r *run) watchBudgets(ctx context.Context) {
	for _, b := range r.budgets {
		if r.watched[b.namespace] == nil && b.hasRefused(r.pods) {
			r.watched[b.namespace] = &budgetWatch{}
			r.watchNamespace(ctx, b.namespace)
		}
	}
}

func (b *budget) hasRefused(pods []*pod) bool {
	for _, p := range pods {
		if p.budget == b && p.refusals > 0 {
			return true
		}
	}
	return false
}

func (r *run) watchNamespace(ctx context.Context, namespace string) {
	ctx, stop := context.WithCancel(ctx)
	s := source{
		client: r.cluster.Client().PolicyV1().RESTClient(), resource: "poddisruptionbudgets", namespace: namespace,
		empty: func() runtime.Object { return &policyv1.PodDisruptionBudgetList{} },
	}
	s.heard = func(x news) {
		if x.err != nil && forbidden(x.err) {
			stop() // then its pods are asked by the clock
		}
		r.tell(func(time.Time) { r.heardOfBudgets(namespace, x) })
	}
	r.start("watch of budgets", func() {
		defer stop()
		s.follow(ctx)
	})
}

// heardOfBudgets takes in news of the budgets of a namespace.
func (r *run) heardOfBudgets(namespace string, x news) {
	known := func(o runtime.Object) (*policyv1.PodDisruptionBudget, *budget) {
		pdb, ok := o.(*policyv1.PodDisruptionBudget)
		if !ok {
			return nil, nil
		}
		return pdb, r.budgets[budgetKey{namespace, pdb.Name}]
	}
	switch {
	case x.err != nil:
		r.watched[namespace].trouble = quote(kube.Explain(x.err).Sentence)
	case x.listed:
		r.watched[namespace].trouble = ""
		there := map[*budget]bool{}
		for _, o := range x.all {
			if pdb, b := known(o); b != nil {
				there[b] = true
				b.changed(pdb)
			}
		}
		for key, b := range r.budgets {
			if key.namespace == namespace && !there[b] {
				b.removed(len(r.pods))
			}
		}
	case x.changed != nil:
		if pdb, b := known(x.changed); b != nil {
			b.changed(pdb)
		}
	case x.deleted != nil:
		if _, b := known(x.deleted); b != nil {
			b.removed(len(r.pods))
		}
	}
}

// says gives the numbers of the budget: "cart-pdb allows 0: 2 healthy, needs 2".
func (b *budget) says() string {
	if !b.known {
		return b.name
	}
	n := b.numbers
	return b.name + " allows " + text.Count(n.Allowed) + ": " + text.Count(n.Healthy) + " healthy, needs " + text.Count(n.Desired)
}
