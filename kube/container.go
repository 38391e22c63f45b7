package kube

import (
	"cmp"
	"slices"
	"time"
)

// mostContainers is of how many pods there are rows of containers: of as many as use most memory, and as many as use most CPU. Nobody
// scrolls through more; a pod that is looked at by itself has its rows in any case.
const mostContainers = 2_000

// ContainerFeed opens a feed of the containers of those pods that use most; they are made only while somebody asks for them.
func (c *Cluster) ContainerFeed() *Feed[*Container] { return c.containers.open(c.ask) }

// ShowContainers says of which pod there shall be rows of containers, whatever it uses; "" is none.
func (c *Cluster) ShowContainers(podUID string) {
	c.users.shown.Store(&podUID)
	c.ask()
}

func judgeContainer(*Container, Moment) (uint8, Severity, time.Time) { return 0, OK, time.Time{} }

// ContainersOf makes rows of a pod's containers: of those of its spec, and of those that only a sample tells of.
func (p *Pod) ContainersOf(m Moment) []*Container {
	var out []*Container
	row := func(name string) *Container {
		return &Container{Namespace: p.Namespace, Pod: p.Name, PodUID: p.UID, Name: name, Node: p.Node}
	}
	for _, s := range p.Shares() {
		c := row(s.Name)
		c.CPURequest, c.CPULimit, c.MemRequest, c.MemLimit = s.CPURequest, s.CPULimit, s.MemRequest, s.MemLimit
		out = append(out, c)
	}
	for _, s := range m.PodContainers(p.Namespace, p.Name) {
		if !slices.ContainsFunc(out, func(c *Container) bool { return c.Name == s.Name }) {
			out = append(out, row(s.Name))
		}
	}
	return out
}

// leaders are the pods that use most of something.
type leaders struct {
	of    func(Use) int64
	least int64 // less than this is not among them
	all   []leader
}

type leader struct {
	use int64
	pod *Pod
}

// add takes in a pod, and now and then lets those go that are not among the first.
func (l *leaders) add(p *Pod, u Use) {
	use := l.of(u)
	if use < l.least {
		return
	}
	l.all = append(l.all, leader{use, p})
	if len(l.all) >= 4*mostContainers {
		l.cut()
	}
}

func (l *leaders) cut() {
	slices.SortFunc(l.all, func(a, b leader) int { return cmp.Or(cmp.Compare(b.use, a.use), cmp.Compare(a.pod.UID, b.pod.UID)) })
	if len(l.all) > mostContainers {
		clear(l.all[mostContainers:])
		l.all = l.all[:mostContainers]
		l.least = l.all[mostContainers-1].use
	}
}

// usersOf are the pods of which there are rows of containers.
type usersOf struct{ cpu, memory leaders }

func newUsersOf() *usersOf {
	return &usersOf{leaders{of: func(u Use) int64 { return u.CPU }}, leaders{of: func(u Use) int64 { return u.Memory }}}
}

func (u *usersOf) add(p *Pod, use Use) {
	u.cpu.add(p, use)
	u.memory.add(p, use)
}

// rows makes the rows, of the pod that is shown too; nil is none.
func (u *usersOf) rows(m Moment, shown *Pod) []*Container {
	u.cpu.cut()
	u.memory.cut()
	seen := map[*Pod]struct{}{}
	var out []*Container
	add := func(p *Pod) {
		if _, had := seen[p]; !had && p != nil {
			seen[p] = struct{}{}
			out = append(out, p.ContainersOf(m)...)
		}
	}
	add(shown)
	for _, l := range u.cpu.all {
		add(l.pod)
	}
	for _, l := range u.memory.all {
		add(l.pod)
	}
	return out
}
