package kube

import (
	"slices"
	"strings"
)

// nodeReasons are the reasons of events that are said of pods, but are about their node: what is wrong, or was decided, is the
// same for every pod there. From pkg/controller/util/node, pkg/controller/tainteviction, pkg/controller/devicetainteviction,
// pkg/kubelet/events and pkg/kubelet/network/dns of Kubernetes. Reasons that are about the place that a pod wants on its node
// are not among them (Evicted, HostPortConflict, FailedCreatePodSandBox): those differ by workload.
var nodeReasons = map[string]bool{
	"NodeNotReady": true, "NodeControllerEviction": true, "TaintManagerEviction": true, "DeviceTaintManagerEviction": true,
	"NetworkNotReady": true, "MissingClusterDNS": true,
}

// groupKey is what all events of a group have in common: what its UID is made of.
type groupKey struct {
	kind, reason string // kind is the type of the event
	by           By
	object       string // kind of the subject
	namespace    string
	name         string
}

// uid is made of type, reason and subject. No cleaned string has a line feed in it.
func (k groupKey) uid() string {
	return strings.Join([]string{k.kind, k.reason, string('0' + rune(k.by)), k.object, k.namespace, k.name}, "\n")
}

// subject is the object, workload or node that the key names.
func (k groupKey) subject() Involved {
	s := Involved{Kind: k.object, Namespace: k.namespace, Name: k.name}
	switch KindNamed(k.object) {
	case Nodes, Pods:
		s.APIVersion = "v1"
	case ReplicaSets, StatefulSets, DaemonSets, Deployments:
		s.APIVersion = "apps/v1"
	case Jobs, CronJobs:
		s.APIVersion = "batch/v1"
	default:
	}
	return s
}

// podKin is what is known of a pod as far as events need it.
type podKin struct {
	uid                  string
	ownerKind, ownerName string
	node                 string
}

func kinOf(p *Pod) podKin { return podKin{p.UID, p.OwnerKind, p.OwnerName, p.Node} }

// group is the group that an event belongs to. pod is its pod; known is false where that has not been seen.
func (e *Event) group(pod podKin, known bool) groupKey {
	k := groupKey{kind: e.Type, reason: e.Reason, object: e.Object.Kind, namespace: e.Object.Namespace, name: e.Object.Name}
	if e.Object.Kind != "Pod" {
		return k
	}
	if nodeReasons[e.Reason] {
		node := pod.node
		if node == "" {
			node = e.FromHost
		}
		if node != "" {
			k.by, k.object, k.namespace, k.name = ByNode, "Node", "", node
			return k
		}
	}
	if known && pod.ownerName != "" && pod.ownerKind != "Node" { // a static pod is a workload of its own
		k.by, k.object, k.name = ByOwner, pod.ownerKind, pod.ownerName
	}
	return k
}

// gonePods bounds how many pods are remembered that are gone: their last events come after them. At 200 bytes each it is
// below 2 MB; a drained node has 110 of them.
const gonePods = 8192

// podMemory knows the pods that events are about: those that there are, by UID, and the last that have gone, by name.
type podMemory struct {
	gone  map[PodKey]podKin
	order []PodKey // a ring of the keys of gone
	next  int
}

// remember keeps a pod that has gone.
func (p *podMemory) remember(pod *Pod) {
	if p.gone == nil {
		p.gone = map[PodKey]podKin{}
	}
	key := PodKey{pod.Namespace, pod.Name}
	if _, had := p.gone[key]; !had {
		if len(p.order) < gonePods {
			p.order = append(p.order, key)
		} else {
			delete(p.gone, p.order[p.next])
			p.order[p.next] = key
			p.next = (p.next + 1) % gonePods
		}
	}
	p.gone[key] = kinOf(pod)
}

// find gives the pod of an event among those that have gone.
func (p *podMemory) find(o *Involved) (podKin, bool) {
	pod, ok := p.gone[PodKey{o.Namespace, o.Name}]
	return pod, ok && (o.UID == "" || o.UID == pod.uid)
}

// pod gives what is known of the pod that an event is about.
func (b *eventBook) pod(o *Involved) (podKin, bool) {
	if o.Kind != "Pod" {
		return podKin{}, false
	}
	if o.UID != "" {
		if pod, ok := b.beside.pod(o.UID); ok {
			return pod, true
		}
	} else if pod, ok := b.names[PodKey{o.Namespace, o.Name}]; ok {
		return pod, true
	}
	return b.gone.find(o)
}

// placeOf is the workload that the object of an event belongs to, and the node that it is on, or that the event comes from.
func (b *eventBook) placeOf(e *Event) (Owner, string) {
	if e.Object.Kind == "Node" {
		return Owner{}, e.Object.Name
	}
	pod, known := b.pod(&e.Object)
	node := pod.node
	if node == "" {
		node = e.FromHost
	}
	owner := KindNamed(pod.ownerKind)
	if !known || owner&Workloads == 0 {
		return Owner{}, node
	}
	return Owner{owner, e.Object.Namespace, pod.ownerName}, node
}

// tallyOf gives the tally that an event belongs to.
func (b *eventBook) tallyOf(e *Event) *tally {
	pod, known := b.pod(&e.Object)
	t := b.tallyFor(e.group(pod, known), e.Warning())
	if e.Object.Kind == "Pod" && !known && t.key.by == ByObject && !t.orphan {
		t.orphan = true
		key := PodKey{e.Object.Namespace, e.Object.Name}
		b.orphans[key] = append(b.orphans[key], t)
	}
	return t
}

func (b *eventBook) tallyFor(key groupKey, warn bool) *tally {
	t := b.tallies[key]
	if t == nil {
		t = &tally{key: key, uid: key.uid(), warn: warn}
		b.tallies[key] = t
		b.shelf(warn).groups++
	}
	return t
}

// discard takes a tally out of the book; into is what takes its place, nil for nothing.
func (b *eventBook) discard(t, into *tally) {
	t.dropped, t.into = true, into
	delete(b.tallies, t.key)
	b.shelf(t.warn).groups--
	if t.orphan {
		b.disown(t)
	}
	b.touched[t] = struct{}{}
}

// disown ends the wait of a tally for its pod.
func (b *eventBook) disown(t *tally) {
	key := PodKey{t.key.namespace, t.key.name}
	t.orphan = false
	if rest := slices.DeleteFunc(b.orphans[key], func(o *tally) bool { return o == t }); len(rest) > 0 {
		b.orphans[key] = rest
	} else {
		delete(b.orphans, key)
	}
}

// podMoved is told of every change of a pod. Most often a pod is seen before what is said of it, but these are two watches:
// events of a pod that is not there wait for it in a group of their own.
func (b *eventBook) podMoved(from, to *Pod) {
	switch {
	case to == nil:
		b.gone.remember(from)
	case len(b.orphans) > 0 && (from == nil || from.Node != to.Node):
		if _, waited := b.orphans[PodKey{to.Namespace, to.Name}]; waited {
			b.came = append(b.came, to)
		}
	}
}

// adopt moves the groups of pods that have come to where they belong.
func (b *eventBook) adopt() {
	moved := false
	for _, pod := range b.came {
		b.names[PodKey{pod.Namespace, pod.Name}] = kinOf(pod)
		for _, t := range slices.Clone(b.orphans[PodKey{pod.Namespace, pod.Name}]) {
			e := t.newest
			if e.Object.UID != "" && e.Object.UID != pod.UID {
				continue
			}
			if key := e.group(kinOf(pod), true); key != t.key {
				into := b.tallyFor(key, t.warn)
				into.merge(t, b.step)
				b.discard(t, into)
				b.touched[into] = struct{}{}
				moved = true
			} else {
				b.disown(t)
			}
		}
	}
	clear(b.came)
	b.came = b.came[:0]
	if !moved {
		return
	}
	for _, s := range b.singles {
		if t := s.tally.now(); t != s.tally {
			row := *s.row
			row.Group = t.uid
			row.Owner, row.Node = b.placeOf(&row)
			s.row, s.tally = &row, t
			b.note(s)
		}
	}
}
