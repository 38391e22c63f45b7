package kube

import (
	"fmt"
	"sync/atomic"
	"time"

	"ktriage/internal/safe"
)

const (
	// usersEvery is the least time between two sums of what pods use: samples are 15 s apart, and pods come and go all the time.
	usersEvery = 3 * time.Second
	// usersShare bounds what adding up takes of a core: the pause is at least this many times the work.
	usersShare = 20
)

// users is when totals and containers are made: each while somebody asks, when something has changed, and not too often.
type users struct {
	totals, containers turn
	shown              atomic.Pointer[string] // the UID of the pod whose containers have rows in any case
	ready              chan addedUp           // capacity 1

	// The publisher's own.
	running bool   // something is being added up
	was     string // the pod that was shown the last time
}

// turn is when something is made again.
type turn struct {
	stale bool // something has changed since it was made
	made  bool
	early bool      // it was made of the pods that had been read by then, and these were not all
	next  time.Time // not before
}

func (t *turn) due(asked bool, now time.Time) bool {
	return asked && (t.stale || !t.made) && !now.Before(t.next)
}

func (t *turn) done(now time.Time, sum addedUp) {
	t.made, t.early, t.next = true, sum.early, now.Add(max(usersEvery, usersShare*sum.cost))
}

// state is that of what has been made of rows of a state. What was made early is made again at once when all rows have been read, and
// is not complete before.
func (t *turn) state(of State) State {
	if t.early && of.complete() {
		t.stale, t.next = true, time.Time{}
		return State{Phase: Loading, Since: of.Since}
	}
	return of
}

// moved says that pods, samples, or who has made what are others now.
func (u *users) moved() { u.totals.stale, u.containers.stale = true, true }

// asked reports whether a feed of the store has been asked something that can be answered.
func (s *store[R]) asked() bool {
	s.mu.Lock()
	feeds := s.feeds
	s.mu.Unlock()
	for _, f := range feeds {
		if q, _ := f.question(); q.Tie != nil {
			return true
		}
	}
	return false
}

// publishUsers adds up what pods use, as far as somebody asks.
func (c *Cluster) publishUsers(m Moment, changed Kinds) bool {
	u := &c.users
	if changed&Metrics != 0 {
		u.moved()
	}
	if uid := u.shown.Load(); uid != nil && *uid != u.was {
		u.was, u.containers.stale, u.containers.next = *uid, true, time.Time{}
	}
	c.take(m.Now)
	if u.totals.made {
		c.totals.inherit(u.totals.state(c.pods.state))
	}
	if u.containers.made {
		c.containers.inherit(u.containers.state(c.pods.state))
	}
	c.addUp(m, u.totals.due(c.totals.asked(), m.Now), u.containers.due(c.containers.asked(), m.Now))
	a, b := c.totals.publish(m, changed&Metrics, nil), c.containers.publish(m, changed&Metrics, nil)
	return a || b
}

// addUp has all pods gone through once, beside the publisher: a key must not wait until 150,000 pods have been looked at.
func (c *Cluster) addUp(m Moment, totals, containers bool) {
	u := &c.users
	if u.running || !totals && !containers {
		return
	}
	u.running = true
	u.totals.stale, u.containers.stale = u.totals.stale && !totals, u.containers.stale && !containers
	pods, shown, early := make([]*Pod, 0, len(c.pods.rows)), c.pods.rows[u.was].row, c.pods.state.Phase == Loading
	for _, s := range c.pods.rows {
		pods = append(pods, s.row)
	}
	safe.Go("totals", func() {
		sum := goThrough(pods, m, totals, containers, shown)
		sum.early = early
		u.ready <- sum
		c.woken()
	})
}

// addedUp is what has come of going through all pods.
type addedUp struct {
	totals     *sums        // nil if they were not asked for
	containers []*Container // likewise
	early      bool         // not all pods had been read
	cost       time.Duration
}

func goThrough(pods []*Pod, m Moment, totals, containers bool, shown *Pod) (out addedUp) {
	began := time.Now()
	sum, most := newSums(), newUsersOf()
	for _, p := range pods {
		if p.Terminal() {
			continue
		}
		use, sampled := m.PodUse(p.Namespace, p.Name)
		if totals {
			sum.add(p, use, sampled)
		}
		if containers && sampled {
			most.add(p, use)
		}
	}
	if totals {
		out.totals = sum
	}
	if containers {
		out.containers = append([]*Container{}, most.rows(m, shown)...)
	}
	out.cost = time.Since(began)
	return out
}

// take makes rows of what has been added up, if it has been.
func (c *Cluster) take(now time.Time) {
	u := &c.users
	select {
	case sum := <-u.ready:
		u.running = false
		if sum.totals != nil {
			refill(c.totals, sum.totals.rows(c.above), func(a, b *Total) bool { return *a == *b })
			u.totals.done(now, sum)
		}
		if sum.containers != nil {
			refill(c.containers, sum.containers, func(a, b *Container) bool { return *a == *b })
			u.containers.done(now, sum)
		}
	default:
	}
}

// usersDue is when totals or containers are to be made again, zero if they are not.
func (c *Cluster) usersDue() (at time.Time) {
	if c.users.running {
		return at
	}
	for _, t := range []struct {
		turn
		asked bool
	}{{c.users.totals, c.totals.asked()}, {c.users.containers, c.containers.asked()}} {
		if t.asked && t.stale && (at.IsZero() || t.next.Before(at)) {
			at = t.next
		}
	}
	return at
}

// refill has the rows of a store be these, of which those that say the same as before are not touched. Only the publisher may call it.
func refill[R Row](s *store[R], rows []R, same func(a, b R) bool) {
	var none R
	s.mu.Lock()
	defer s.mu.Unlock()
	fresh := make(map[string]struct{}, len(rows))
	for _, r := range rows {
		uid := r.Ref().UID
		fresh[uid] = struct{}{}
		if old, had := s.rows[uid]; !had || !same(old.row, r) {
			s.in.rows[uid] = r
		}
	}
	for uid := range s.rows {
		if _, stays := fresh[uid]; !stays {
			s.in.rows[uid] = none
		}
	}
}

// inherit gives rows that are made of others the state of those. Only the publisher may call it.
func (s *store[R]) inherit(of State) {
	s.mu.Lock()
	defer s.mu.Unlock()
	is, had := s.states[origin{}]
	if !had || is.Phase != of.Phase || !is.Since.Equal(of.Since) || fmt.Sprint(is.Err) != fmt.Sprint(of.Err) || is.MissingWhat() != of.MissingWhat() {
		s.states[origin{}], s.in.state = of, true
	}
}
