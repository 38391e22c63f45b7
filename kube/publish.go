package kube

import (
	"context"
	"maps"
	"runtime/debug"
	"time"

	"ktriage/internal/safe"
)

const (
	// publishGap is the shortest time between two publications that nobody waits for. With the one a second that ages
	// need this makes nine frames a second: ten are as many as an eye follows and a slow line bears.
	publishGap = 125 * time.Millisecond
	// publishGapLarge is the same above manyRows, where one publication costs more.
	publishGapLarge = 250 * time.Millisecond
	manyRows        = 20_000
	// publishShare bounds what publishing may take of a core: the pause is at least this many times the work.
	publishShare = 4
)

// publish is the one goroutine that moves what came in into snapshots. It publishes at once after a quiet time, answers
// queries at once, and otherwise keeps a distance between publications. What the first reading has left behind, a good
// part of what it brought, is given back to the system.
func (c *Cluster) publish(ctx context.Context) {
	for ctx.Err() == nil {
		timer := time.NewTimer(c.untilDue())
		select {
		case <-ctx.Done():
		case <-c.wake:
		case <-c.asked:
		case <-timer.C:
		}
		timer.Stop()
		began := time.Now()
		c.notifier.Poke(c.publishOnce(began))
		c.firstRead()
		c.rest(ctx, time.Since(began))
	}
}

// firstRead does once what waits for the end of the first readings.
func (c *Cluster) firstRead() {
	select {
	case <-c.read:
	default:
		if c.rowsRead {
			close(c.read)
			safe.Go("memory", debug.FreeOSMemory)
		}
	}
}

// rest keeps the distance, unless a reader waits.
func (c *Cluster) rest(ctx context.Context, cost time.Duration) {
	gap := publishGap
	if len(c.pods.rows) > manyRows {
		gap = publishGapLarge
	}
	timer := time.NewTimer(max(gap, publishShare*cost))
	defer timer.Stop()
	select {
	case <-ctx.Done():
	case <-timer.C:
	case <-c.asked:
		signal(c.asked) // the publication that answers it is the next one
	}
}

// publishOnce brings every store and feed up to date, and gives the kinds in which readers can see something new. Rows of
// nodes go first, because pods are judged by the state of their nodes; nodes are shown last, because they show what their
// pods take of them.
func (c *Cluster) publishOnce(now time.Time) Kinds {
	changed := Kinds(c.dirty.Swap(0))
	out := changed & (Metrics | Connection)
	c.moved = 0
	if changed&Metrics != 0 {
		c.usage = c.Usage()
	}
	changed |= c.settle()
	m := Moment{
		Now: now, Usage: c.usage, RowsRead: c.rowsRead, Complete: c.complete, NodesKnown: c.allNodes, CertLimits: c.certLimits,
	}
	nodes := c.nodes.absorb(m, nil)
	if changed&Metrics != 0 || c.moved&Nodes != 0 || c.without == nil {
		c.without = unmeasuredOf(c.usage, c.nodeStates)
	}
	m.Nodes, m.without = c.nodeStates, c.without
	moved := c.movedNodes
	beside := c.besideNodes(changed)
	known := changed & Nodes // it has turned out whether all nodes are known
	changed |= c.moved & Nodes
	if c.pods.publish(m, changed&(Metrics|Nodes), beside) {
		out |= Pods
	}
	if c.podsKnown {
		m.Loads = c.loads
	}
	if c.publishWorkloads(&m, known, moved) {
		out |= Workloads
	}
	if c.certs.publish(m, 0, nil) {
		out |= Certs
	}
	if c.csrs.publish(m, changed&Nodes, besideAll[*CSR](changed&Nodes != 0)) {
		out |= CSRs
	}
	m.ServingWaits = c.servingWaits
	if c.publishEvents(&m) {
		out |= Events
	}
	if c.publishUsers(m, changed) {
		out |= Totals | Containers
	}
	c.moment.Store(&m)
	if c.nodes.show(m, changed&(Metrics|Pods)|c.moved&Pods, nodes) {
		out |= Nodes
	}
	return out
}

// besideAll has every row looked at again, of a kind of which there are few.
func besideAll[R Row](moved bool) func(R) bool {
	if !moved {
		return nil
	}
	return func(R) bool { return true }
}

// besideNodes says which pods stand beside nodes that have changed since the last publication: those of these nodes, or
// all of them when it has turned out whether all nodes are known.
func (c *Cluster) besideNodes(changed Kinds) func(*Pod) bool {
	moved := c.movedNodes
	c.movedNodes = nil
	switch {
	case changed&Nodes != 0:
		return func(*Pod) bool { return true }
	case moved == nil:
		return nil
	}
	return func(p *Pod) bool {
		_, ok := moved[p.Node]
		return ok
	}
}

// settle notes which first readings have come to an end, good or bad, and gives the kinds for whose readers that is news.
// It looks before the stores empty their in-trays: what was settled by now is in what is published now.
func (c *Cluster) settle() Kinds {
	pods, nodes := c.pods.now(), c.nodes.now()
	known := c.Scope().All() && pods.complete()
	rows := nodes.settled() && pods.settled()
	complete := rows && !c.usage.State.Since.IsZero()
	var news Kinds
	if rows != c.rowsRead || complete != c.complete {
		news |= Metrics
	}
	if known != c.podsKnown {
		news |= Pods
	}
	if nodes.complete() != c.allNodes {
		news |= Nodes
	}
	c.podsKnown, c.allNodes, c.rowsRead, c.complete = known, nodes.complete(), rows, complete
	return news
}

// untilDue is the time until some row must be judged again.
func (c *Cluster) untilDue() time.Duration {
	wait := time.Hour
	for _, at := range []time.Time{
		c.nodes.nextDue(), c.pods.nextDue(), c.workloads.nextDue(), c.certs.nextDue(), c.csrs.nextDue(), c.events.nextDue(), c.eventGroups.nextDue(),
		c.usersDue(), c.totals.nextDue(), c.containers.nextDue(),
	} {
		if !at.IsZero() {
			wait = min(wait, max(time.Until(at), publishGap))
		}
	}
	return wait
}

// nodeMoved keeps what pods need to know of nodes. A map that a snapshot may hold is never written: the first change of
// a publication copies it.
func (c *Cluster) nodeMoved(from, to *Node) {
	if from != nil && to != nil && from.State() == to.State() {
		return
	}
	if to == nil && c.nodeStates[from.Name].uid != from.UID {
		return // another node has taken the name
	}
	if c.movedNodes == nil {
		c.movedNodes = map[string]struct{}{}
	}
	if c.moved&Nodes == 0 {
		c.nodeStates = maps.Clone(c.nodeStates)
		c.moved |= Nodes
	}
	if to == nil {
		delete(c.nodeStates, from.Name)
		c.movedNodes[from.Name] = struct{}{}
		return
	}
	c.nodeStates[to.Name] = to.State()
	c.movedNodes[to.Name] = struct{}{}
}

// podMoved keeps what the pods of each node ask for, and which pods of each workload are not well, under the same rule.
func (c *Cluster) podMoved(from, to *Pod) {
	c.users.moved()
	c.ailingMoved(from, to)
	c.book.podMoved(from, to)
	before, after := from.load(), to.load()
	if before == after {
		return
	}
	if c.moved&Pods == 0 {
		c.loads = maps.Clone(c.loads)
		c.moved |= Pods
	}
	if before.node != "" {
		c.addLoad(before.node, before.Load, -1)
	}
	if after.node != "" {
		c.addLoad(after.node, after.Load, 1)
	}
}

func (c *Cluster) addLoad(node string, l Load, sign int) {
	sum := c.loads[node]
	sum.Pods += sign * l.Pods
	sum.CPURequests += int64(sign) * l.CPURequests
	sum.MemRequests += int64(sign) * l.MemRequests
	sum.CPULimits += int64(sign) * l.CPULimits
	sum.MemLimits += int64(sign) * l.MemLimits
	if sum == (Load{}) {
		delete(c.loads, node)
		return
	}
	c.loads[node] = sum
}

// boundLoad is what a pod takes of its node; the zero value is a pod that takes nothing.
type boundLoad struct {
	node string
	Load
}

// load says what the pod takes of its node: nothing when it is not bound or has ended.
func (p *Pod) load() boundLoad {
	if p == nil || p.Node == "" || p.Terminal() {
		return boundLoad{}
	}
	return boundLoad{p.Node, Load{1, p.CPURequest, p.MemRequest, p.CPULimit, p.MemLimit}}
}
