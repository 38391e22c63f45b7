package kube

import "testing"

func TestAnEventKnowsTheWorkloadAndTheNodeOfItsObject(t *testing.T) {
	l := newLibrary()
	l.has("web-1", "gone-2")
	l.lost("gone-2")
	bare := &Pod{Namespace: "shop", Name: "bare", UID: "u-bare", Node: "worker-3"}
	static := &Pod{Namespace: "shop", Name: "etcd", UID: "u-etcd", OwnerKind: "Node", OwnerName: "cp-1", Node: "cp-1"}
	rollout := &Pod{Namespace: "shop", Name: "blue", UID: "u-blue", OwnerKind: "Rollout", OwnerName: "blue", Node: "worker-4"}
	waits := &Pod{Namespace: "shop", Name: "waits", UID: "u-waits", OwnerKind: "StatefulSet", OwnerName: "cart"}
	for _, p := range []*Pod{bare, static, rollout, waits} {
		l.pods[p.UID] = p
	}
	web, gone := Owner{ReplicaSets, "shop", "web"}, Owner{ReplicaSets, "shop", "gone"}
	named := podSaid("named", "TaintManagerEviction", "web-1", 1, 1)
	named.Object.UID = "" // as the node controllers say it
	node := podSaid("node", "Rebooted", "", 1, 1)
	node.Object, node.FromHost = Involved{Kind: "Node", Name: "worker-9", UID: "worker-9"}, "elsewhere"
	set := podSaid("set", "SuccessfulCreate", "", 1, 1)
	set.Object = Involved{Kind: "ReplicaSet", Namespace: "shop", Name: "web", UID: "u-rs"}
	from := podSaid("from", "Pulling", "stray", 1, 1)
	from.FromHost = "worker-7"
	there := podSaid("there", "BackOff", "web-1", 1, 1)
	there.FromHost = "worker-of-a-proxy" // what the pod says of its node counts for more
	for _, c := range []struct {
		name  string
		event *Event
		owner Owner
		node  string
	}{
		{"pod", podSaid("pod", "BackOff", "web-1", 1, 1), web, "worker-1"},
		{"pod without a UID", named, web, "worker-1"},
		{"pod and the host of the component", there, web, "worker-1"},
		{"pod that has gone", podSaid("gone", "Killing", "gone-2", 1, 1), gone, "worker-2"},
		{"pod that was never seen", podSaid("stray", "Killing", "stray", 1, 1), Owner{}, ""},
		{"pod that was never seen, from a node", from, Owner{}, "worker-7"},
		{"pod that is not bound", podSaid("waits", "FailedScheduling", "waits", 1, 1), Owner{StatefulSets, "shop", "cart"}, ""},
		{"bare pod", podSaid("bare", "BackOff", "bare", 1, 1), Owner{}, "worker-3"},
		{"static pod", podSaid("static", "BackOff", "etcd", 1, 1), Owner{}, "cp-1"},
		{"pod of what has no row", podSaid("blue", "BackOff", "blue", 1, 1), Owner{}, "worker-4"},
		{"node", node, Owner{}, "worker-9"},
		{"workload", set, Owner{}, ""},
	} {
		t.Run(c.name, func(t *testing.T) {
			l.tray.put(c.event)
			l.publish()
			row := l.events.rows[c.event.UID].row
			equal(t, row.Owner, c.owner)
			equal(t, row.Node, c.node)
			equal(t, l.groups.rows[row.Group].row.Node, c.node)
		})
	}
}

func TestAnEventLearnsItsPlaceWhenItsPodComesOrIsBound(t *testing.T) {
	l := newLibrary()
	nameless := podSaid("1", "TaintManagerEviction", "web-1", 1, 1)
	nameless.Object.UID = ""
	l.tray.put(nameless, podSaid("2", "FailedScheduling", "cart-0", 1, 1))
	cart := Pod{Namespace: "shop", Name: "cart-0", UID: "u-cart-0", OwnerKind: "StatefulSet", OwnerName: "cart"}
	l.pods[cart.UID] = &cart
	l.publish()
	equal(t, l.events.rows["1"].row.Owner, Owner{})
	l.has("web-1")
	l.publish()
	equal(t, l.events.rows["1"].row.Owner, Owner{ReplicaSets, "shop", "web"})
	equal(t, l.events.rows["1"].row.Node, "worker-1")

	bound := cart
	bound.Node = "worker-5"
	l.podMoved(&cart, &bound)
	l.pods[bound.UID] = &bound
	l.tray.put(podSaid("2", "FailedScheduling", "cart-0", 2, 0))
	l.publish()
	equal(t, l.events.rows["2"].row.Node, "worker-5")
}
