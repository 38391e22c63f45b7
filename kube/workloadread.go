package kube

import (
	"context"
	"slices"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ktriage/internal/safe"
)

// collection is where the objects of a kind are in the API.
type collection struct {
	kind         Kinds
	prefix, name string
	list         func() runtime.Object // an empty list to decode into
}

// workloadCollections are those of the Workloads pane.
var workloadCollections = []collection{
	{StatefulSets, "/apis/apps/v1", "statefulsets", func() runtime.Object { return &appsv1.StatefulSetList{} }},
	{Deployments, "/apis/apps/v1", "deployments", func() runtime.Object { return &appsv1.DeploymentList{} }},
	{DaemonSets, "/apis/apps/v1", "daemonsets", func() runtime.Object { return &appsv1.DaemonSetList{} }},
	{ReplicaSets, "/apis/apps/v1", "replicasets", func() runtime.Object { return &appsv1.ReplicaSetList{} }},
	{Jobs, "/apis/batch/v1", "jobs", func() runtime.Object { return &batchv1.JobList{} }},
	{CronJobs, "/apis/batch/v1", "cronjobs", func() runtime.Object { return &batchv1.CronJobList{} }},
	{Autoscalers, "/apis/autoscaling/v2", "horizontalpodautoscalers", func() runtime.Object {
		return &autoscalingv2.HorizontalPodAutoscalerList{}
	}},
	{Budgets, "/apis/policy/v1", "poddisruptionbudgets", func() runtime.Object { return &policyv1.PodDisruptionBudgetList{} }},
}

// plurals are the names under which the API lists the kinds of workloads, and events, in k.
func (k Kinds) plurals() []string {
	var names []string
	for _, r := range workloadCollections {
		if k&r.kind != 0 {
			names = append(names, r.name)
		}
	}
	if k&Events != 0 {
		names = append(names, "events")
	}
	return names
}

// WorkloadFeed opens a feed of workloads, of all kinds.
func (c *Cluster) WorkloadFeed() *Feed[*Workload] { return c.workloads.open(c.ask) }

// readWorkloads reads the wanted kinds of workloads wherever the scope has us look, and begins anew when that changes.
// Nodes and pods come first: what they show is what is asked for at the start, and workloads are judged beside it.
func (c *Cluster) readWorkloads(ctx context.Context, want Kinds) {
	select {
	case <-ctx.Done():
		return
	case <-c.read:
	}
	c.followScope(ctx, c.rescoped.workloads, func(namespaces []string) (leave func()) {
		return c.lookAtWorkloads(ctx, want, namespaces)
	})
}

// followScope looks at the namespaces of the scope until ctx ends, and leaves them for others when it changes.
func (c *Cluster) followScope(ctx context.Context, rescoped <-chan struct{}, look func(namespaces []string) (leave func())) {
	for ctx.Err() == nil {
		namespaces := c.Scope().Namespaces
		leave := look(namespaces)
		for ctx.Err() == nil && slices.Equal(namespaces, c.Scope().Namespaces) {
			select {
			case <-ctx.Done():
			case <-rescoped:
			}
		}
		leave()
	}
}

// lookAtWorkloads starts an informer for each wanted kind in each namespace. The function that it gives ends them, and has
// forgotten what they brought if less is going to be looked at: that could not be kept up to date. Informers of another
// scope must not begin before, since they would put the same objects at different versions.
func (c *Cluster) lookAtWorkloads(ctx context.Context, want Kinds, namespaces []string) (leave func()) {
	ctx, stop := context.WithCancel(ctx)
	var origins []origin
	var gone []chan struct{}
	for _, ns := range namespaces {
		for _, r := range workloadCollections {
			if want&r.kind != 0 {
				of := origin{r.kind, ns}
				origins = append(origins, of)
				c.workloads.expect(of)
			}
		}
	}
	for _, of := range origins {
		gone = append(gone, c.inform(ctx, c.workloadInformer(of)))
	}
	return func() {
		stop()
		for _, g := range gone {
			<-g
		}
		c.workloads.forget(origins...)
		if !c.Scope().All() {
			c.workloads.sweep(origin{}, nil)
		}
	}
}

func (c *Cluster) workloadInformer(of origin) *informer[*Workload] {
	r := workloadCollections[slices.IndexFunc(workloadCollections, func(r collection) bool { return r.kind == of.kind })]
	return &informer[*Workload]{
		signals: newSignals(), source: newSource(c.rows, r.prefix, r.name, of.namespace, r.list),
		resource: r.name, namespace: of.namespace, kind: of.kind, store: c.workloads, lost: c.lost, heard: c.heard, log: c.log,
		row: NewWorkload,
	}
}

// startWorkloads reads workloads until ctx ends.
func (c *Cluster) startWorkloads(ctx context.Context, want Kinds) {
	safe.Go("workloads", func() { c.readWorkloads(ctx, want) })
}

// publishWorkloads brings the workloads up to date, and says whether a reader can see something new. Nodes and pods have
// been published before: m gets what workloads are judged beside. all says that it has turned out whether all nodes are
// known, moved which of them have changed their state. Only rows that stand beside something that changed are judged again.
func (c *Cluster) publishWorkloads(m *Moment, all Kinds, moved map[string]struct{}) bool {
	ill := c.ailing.settle()
	m.Ailing, m.Runs, m.Scalers = c.ailing.of, c.runs.of, c.scalers.of
	a := c.workloads.absorb(*m, nil)
	ran := c.runs.settle()
	c.scalers.settle()
	m.Runs, m.Scalers = c.runs.of, c.scalers.of
	var news Kinds
	if len(ill) > 0 {
		news |= Pods
	}
	if all != 0 || len(moved) > 0 {
		news |= Nodes
	}
	for _, owners := range [...]map[Owner]struct{}{ill, ran, c.besideMoved(all, moved)} {
		for owner := range owners {
			c.workloads.again(c.workloadUID[owner], *m, a.changes)
		}
	}
	return c.workloads.show(*m, news, a)
}

// besideMoved gives the owners of ailing pods on nodes whose state has changed, or all of them when it has turned out
// whether all nodes are known.
func (c *Cluster) besideMoved(all Kinds, moved map[string]struct{}) map[Owner]struct{} {
	if all == 0 && len(moved) == 0 {
		return nil
	}
	owners := map[Owner]struct{}{}
	on := func(p *Pod) bool { _, ok := moved[p.Node]; return ok }
	for owner, pods := range c.ailing.of {
		if all != 0 || slices.ContainsFunc(pods, on) {
			owners[owner] = struct{}{}
		}
	}
	return owners
}
