package kube

import "time"

// EventFeed opens a feed of single events.
func (c *Cluster) EventFeed() *Feed[*Event] { return c.events.open(c.ask) }

// EventGroupFeed opens a feed of groups of events.
func (c *Cluster) EventGroupFeed() *Feed[*EventGroup] { return c.eventGroups.open(c.ask) }

func judgeEvent(e *Event, _ Moment) (uint8, Severity, time.Time) { return eventRank(e.Warning()) }

func judgeEventGroup(g *EventGroup, _ Moment) (uint8, Severity, time.Time) {
	return eventRank(g.Warning())
}

// eventRank is Warning's own: an event is evidence, and never worse than that.
func eventRank(warning bool) (uint8, Severity, time.Time) {
	if warning {
		return uint8(Warning), Warning, time.Time{}
	}
	return 0, OK, time.Time{}
}

// publishEvents brings events and their groups up to date, and says whether a reader can see something new. Nodes, pods and workloads
// have been published before: m gets what is known of events as a whole.
func (c *Cluster) publishEvents(m *Moment) bool {
	news := c.book.absorb(m.Now)
	m.Said = c.book.told()
	a, b := c.events.publish(*m, 0, nil), c.eventGroups.publish(*m, 0, nil)
	return news || a || b
}

// besideEvents is where the book finds pods and workloads. The publisher uses it.
func (c *Cluster) besideEvents() eventBeside {
	return eventBeside{
		pod: func(uid string) (podKin, bool) {
			s, ok := c.pods.rows[uid]
			if !ok {
				return podKin{}, false
			}
			return kinOf(s.row), true
		},
		named: func(names map[PodKey]podKin) {
			for _, s := range c.pods.rows {
				key := PodKey{s.row.Namespace, s.row.Name}
				if _, wanted := names[key]; wanted {
					names[key] = kinOf(s.row)
				}
			}
		},
		workload: func(o Owner) string {
			if o.Kind == Nodes {
				return c.nodeStates[o.Name].uid
			}
			return c.workloadUID[o]
		},
	}
}
