package kube

import "time"

// barePods names the total of those pods of a namespace that no controller has made.
const barePods = "(bare pods)"

// TotalFeed opens a feed of totals of all levels; what they are made of is added up only while somebody asks for them.
func (c *Cluster) TotalFeed() *Feed[*Total] { return c.totals.open(c.ask) }

func judgeTotal(*Total, Moment) (uint8, Severity, time.Time) { return 0, OK, time.Time{} }

// maker is whoever makes pods, as they say; of bare pods of a namespace it has no kind.
type maker struct{ kind, namespace, name string }

// sums are totals that are being added up: pods are looked at once, and what they have in common is put together afterwards.
type sums struct {
	makers map[maker]*Total
	nodes  map[string]*Total
}

func newSums() *sums { return &sums{map[maker]*Total{}, map[string]*Total{}} }

// add takes in a pod that has not ended.
func (s *sums) add(p *Pod, use Use, sampled bool) {
	one := Total{Pods: 1, Use: use, Load: Load{1, p.CPURequest, p.MemRequest, p.CPULimit, p.MemLimit}}
	if sampled {
		one.Sampled = 1
	}
	if _, mem := p.Limits(); mem == 0 {
		one.Unbounded = 1
	}
	by := maker{p.OwnerKind, p.Namespace, p.OwnerName}
	if by.kind == "" {
		by.name = ""
	}
	totalOf(s.makers, by).plus(&one)
	if p.Node != "" {
		totalOf(s.nodes, p.Node).plus(&one)
	}
}

// totalOf gives the total of a key.
func totalOf[K comparable](all map[K]*Total, key K) *Total {
	t := all[key]
	if t == nil {
		t = &Total{}
		all[key] = t
	}
	return t
}

func (t *Total) plus(u *Total) {
	t.Pods, t.Sampled, t.Unbounded, t.Use = t.Pods+u.Pods, t.Sampled+u.Sampled, t.Unbounded+u.Unbounded, t.Use.plus(u.Use)
	t.Load = Load{
		t.Load.Pods + u.Load.Pods, t.CPURequests + u.CPURequests, t.MemRequests + u.MemRequests,
		t.CPULimits + u.CPULimits, t.MemLimits + u.MemLimits,
	}
}

// rows gives the totals of all levels; above says who has made a maker.
func (s *sums) rows(above func(maker) maker) []*Total {
	workloads, namespaces := map[maker]*Total{}, map[string]*Total{}
	for by, t := range s.makers {
		totalOf(workloads, above(by)).plus(t)
		totalOf(namespaces, by.namespace).plus(t)
	}
	out := make([]*Total, 0, len(workloads)+len(namespaces)+len(s.nodes))
	for by, t := range workloads {
		t.Level, t.Kind, t.Namespace, t.Name = OfWorkload, by.kind, by.namespace, by.name
		if by.kind == "" {
			t.Kind, t.Name = Pods.Kind(), barePods
		}
		out = append(out, t)
	}
	for name, t := range namespaces {
		t.Level, t.Namespace, t.Name = OfNamespace, name, name
		out = append(out, t)
	}
	for name, t := range s.nodes {
		t.Level, t.Name = OfNode, name
		out = append(out, t)
	}
	return out
}

// above is the Deployment of a ReplicaSet and the CronJob of a Job, as their rows tell; while there is no row, as the name does. Any other
// maker is above itself.
func (c *Cluster) above(by maker) maker {
	kind := KindNamed(by.kind)
	if kind != ReplicaSets && kind != Jobs {
		return by
	}
	if uid, ok := c.workloadUID[Owner{kind, by.namespace, by.name}]; ok {
		if w := c.workloads.rows[uid].row; w != nil && w.OwnerKind != "" {
			return maker{w.OwnerKind, by.namespace, w.OwnerName}
		}
		return by
	}
	top, name := Deployments, deploymentOf(by.name)
	if kind == Jobs {
		top, name = CronJobs, cronJobOf(by.name)
	}
	if name == "" {
		return by
	}
	return maker{top.Kind(), by.namespace, name}
}
