package kube

import (
	"context"
	"strings"
	"testing"
	"testing/synctest"
	"time"
)

// until asks for rows up to a time.
func until[R Row](end time.Time) Query[R] {
	return Query[R]{
		Tie:  func(a, b R) int { return strings.Compare(a.Ref().UID, b.Ref().UID) },
		Keep: func(_ R, m Moment) bool { return m.Now.Before(end) },
		Until: func(_ R, m Moment) time.Time {
			if end.After(m.Now) {
				return end
			}
			return time.Time{}
		},
	}
}

// leaves checks that the rows of a feed, which are there, leave its filter when they should though nothing happens in the cluster.
func leaves[R Row](t *testing.T, f *Feed[R], after time.Duration) {
	t.Helper()
	f.SetQuery(until[R](time.Now().Add(after)))
	time.Sleep(after - time.Second)
	synctest.Wait()
	if f.Load().Len() == 0 {
		t.Errorf("there is no row a second before it is to leave")
	}
	time.Sleep(2 * time.Second)
	synctest.Wait()
	if n := f.Load().Len(); n != 0 {
		t.Errorf("%d rows are left a second after they were to leave", n)
	}
	f.SetQuery(Query[R]{})
}

func TestFiltersOfTheClockLookAgainByThemselves(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		c := newEaters().Cluster
		ctx, stop := context.WithCancel(t.Context())
		ended := make(chan struct{})
		go func() { defer close(ended); c.publish(ctx) }()
		c.meter.cur.Store(NewUsage(time.Now(), nil, map[PodKey][]ContainerSample{{"shop", "web"}: {{"app", sampleAt(time.Now(), 7)}}}))
		c.touch(Metrics)
		c.pods.put(eater("web", "ReplicaSet", "web-7d9f8c6b5", "worker-1", 10))
		c.book.tray.put(podSaid("1", "BackOff", "web", 1, 1))
		time.Sleep(time.Second)
		leaves(t, c.EventFeed(), 10*time.Minute)
		leaves(t, c.EventGroupFeed(), 10*time.Minute)
		leaves(t, c.TotalFeed(), 10*time.Minute)
		leaves(t, c.ContainerFeed(), 10*time.Minute)
		stop()
		<-ended
	})
}
