package views

import (
	"slices"
	"strings"
	"time"

	"ktriage/keymap"
	"ktriage/kube"
)

// Top is where the Top pane gets what it shows.
type Top struct {
	Nodes      Feed[*kube.Node]
	Pods       Feed[*kube.Pod]
	Containers Feed[*kube.Container]
	Totals     Feed[*kube.Total]
	// ShowContainers is told of which pod containers are looked at, by its UID, "" for none: those of pods that use little have no rows
	// otherwise. Nil where all have some.
	ShowContainers func(podUID string)
}

// topLevel says of what the Top pane shows the use.
type topLevel uint8

// The levels.
const (
	topNodes topLevel = iota
	topPods
	topContainers
	topTotals
	topLevels
)

// levelNames are those of the levels, in the history.
var levelNames = [topLevels]string{"nodes", "pods", "containers", "totals"}

// top is the Top pane: who eats the machine. It shows one of four lists; the others ask their feeds for nothing.
type top struct {
	nodes      ranked[*kube.Node]
	pods       ranked[*kube.Pod]
	containers ranked[*kube.Container]
	totals     ranked[*kube.Total]
	ofPod      func(uid string) // Top.ShowContainers
	pod        kube.Ref         // whose containers were asked for last
	level      topLevel
	behind     []topLevel // the levels that somebody came through with enter, the first one first
	jumped     bool       // somebody came to this level from another pane
	room       room       // what the nodes can allocate
	size       Size       // as drawn last
}

// room is what the nodes can allocate, as of a snapshot of them.
type room struct {
	of   *kube.Snapshot[*kube.Node]
	all  kube.NodeResources
	each map[string]kube.NodeResources // by node name
	swap bool                          // some node reports how much it swaps
}

// ranking is one of the four lists.
type ranking interface {
	View
	show(order string, pin Pin)
	hide()
	settle()
	again()
	steady() bool
	sortedBy() string
	pin() Pin
	beside(now time.Time) kube.Moment
}

// NewTop makes the Top pane.
func NewTop(from Top) View {
	v := &top{ofPod: from.ShowContainers, room: room{of: &kube.Snapshot[*kube.Node]{}}}
	v.nodes = newRanked(from.Nodes, v.nodeSpec(), heldMoment[*kube.Node])
	v.pods = newRanked(from.Pods, v.podSpec(), heldMoment[*kube.Pod])
	v.containers = newRanked(from.Containers, v.containerSpec(), heldMoment[*kube.Container])
	v.totals = newRanked(from.Totals, v.totalSpec(), heldTotals)
	v.pods.hide()
	v.containers.hide()
	v.totals.hide()
	return v
}

// of is the list of a level.
func (v *top) of(l topLevel) ranking {
	return [topLevels]ranking{v.nodes, v.pods, v.containers, v.totals}[l]
}

func (v *top) shown() ranking { return v.of(v.level) }

// Name implements View.
func (v *top) Name() string { return "top" }

// Scope implements View.
func (v *top) Scope() keymap.Scope { return keymap.Top }

// Needs implements View. Only news of what is shown is wanted.
func (v *top) Needs() kube.Kinds { return v.shown().Needs() }

// Handle implements View.
func (v *top) Handle(e Event) []Effect {
	var effects []Effect
	switch e := e.(type) {
	case Changed:
		if v.level == topTotals { // they are seen beside what the nodes can allocate
			v.nodes.Handle(e)
		}
		effects = v.shown().Handle(e)
		v.measure()
	case Go:
		effects = v.goTo(e.Place)
	case Intent:
		effects = v.intent(e)
	default:
		effects = v.shown().Handle(e)
	}
	v.shown().settle()
	return effects
}

// measure looks at what the nodes can allocate, once for each version of them.
func (v *top) measure() {
	s := v.nodes.snap
	if s == v.room.of {
		return
	}
	r := room{of: s, each: make(map[string]kube.NodeResources, s.Len())}
	for i := range s.Len() {
		n := s.Row(i)
		r.all.CPU += n.Allocatable.CPU
		r.all.Memory += n.Allocatable.Memory
		r.each[n.Name] = n.Allocatable
		sample, ok := s.Moment.NodeSample(n.Name)
		r.swap = r.swap || ok && sample.Swap >= 0
	}
	v.room = r
}

// intent answers a key. What asks for the newest order gives up the one that is held.
func (v *top) intent(e Intent) []Effect {
	shown := v.shown()
	column, sorts := e.ID.SortColumn()
	switch {
	case e.ID == keymap.TopLevel && v.level == topTotals:
		v.turn(topNodes, Pin{})
		return nil
	case e.ID == keymap.TopLevel:
		v.turn((v.level+1)%topTotals, Pin{})
		return nil
	case e.ID == keymap.TopTotals:
		v.turn(topTotals, v.nextTotals())
		return nil
	case e.ID == keymap.First, sorts && shown.steady() && column == shown.sortedBy():
		shown.again()
		return nil
	case sorts:
		shown.again()
	}
	level := v.level
	effects := shown.Handle(e)
	if v.level == level && len(effects) == 1 && effects[0] == (Up{}) && v.climb() {
		return nil
	}
	return effects
}

// turn shows another level from its beginning, in the order of the one before.
func (v *top) turn(to topLevel, pin Pin) {
	v.behind, v.jumped = nil, false
	v.swap(to, v.shown().sortedBy(), pin)
}

// into shows what belongs to the row under the cursor; climb comes back from there.
func (v *top) into(to topLevel, pin Pin) []Effect {
	v.shown().settle()
	v.behind = append(v.behind, v.level)
	v.swap(to, v.shown().sortedBy(), pin)
	return nil
}

// climb goes back to where into left, with the cursor and the order as they were, and at last to the nodes. It is false where there
// is nowhere to climb.
func (v *top) climb() bool {
	if n := len(v.behind); n > 0 {
		to := v.behind[n-1]
		v.behind = v.behind[:n-1]
		v.swap(to, "", v.of(to).pin())
		return true
	}
	if v.level == topNodes || v.jumped {
		return false
	}
	v.turn(topNodes, Pin{})
	return true
}

// containersOf goes into a pod.
func (v *top) containersOf(p *kube.Pod) []Effect {
	v.pod = p.Ref()
	return v.into(topContainers, v.podPin())
}

// podPin leaves the containers of the pod that was asked for last.
func (v *top) podPin() Pin { return Pin{"pod", v.pod.FullName()} }

// tellPod says of which pod containers are looked at.
func (v *top) tellPod(pin Pin) {
	if v.ofPod == nil {
		return
	}
	uid := ""
	if pin == v.podPin() {
		uid = v.pod.UID
	}
	v.ofPod(uid)
}

// swap shows a level in place of another. "" is the order that it had.
func (v *top) swap(to topLevel, order string, pin Pin) {
	if v.level != to {
		v.shown().hide()
	}
	v.tellPod(pin)
	if to == topTotals || to == topNodes {
		v.nodes.show("", Pin{})
	}
	if v.level == topTotals && to != topTotals && to != topNodes {
		v.nodes.hide()
	}
	v.level = to
	v.shown().show(order, pin)
}

// totalPins are the ways to add up.
var totalPins = [...]Pin{kube.OfNamespace: {"by", "namespace"}, kube.OfWorkload: {"by", "workload"}, kube.OfNode: {"by", "node"}}

// nextTotals is the way to add up after the one that is shown.
func (v *top) nextTotals() Pin {
	if v.level != topTotals {
		return totalPins[0]
	}
	return totalPins[(v.adding()+1)%kube.TotalLevel(len(totalPins))]
}

// adding is the way in which totals are added up.
func (v *top) adding() kube.TotalLevel {
	for l, p := range totalPins {
		if p == v.totals.pin() {
			return kube.TotalLevel(l)
		}
	}
	return kube.OfNamespace
}

// goTo takes the pane to a place. One that it stands at already, but for the row, keeps the way back out of it.
func (v *top) goTo(p Place) []Effect {
	level, pin := placed(p.Pin)
	if level == topTotals && pin == (Pin{}) {
		pin = totalPins[0]
	}
	if level != v.level || pin != v.shown().pin() {
		v.turn(level, pin)
		v.jumped = level != topNodes
	}
	p.Pin = pin
	return v.shown().Handle(Go{p})
}

// placed is the level and the pin that a place of the history stands for.
func placed(p Pin) (topLevel, Pin) {
	for l, name := range levelNames {
		if name == p.Field {
			field, value, _ := strings.Cut(p.Value, "=")
			return topLevel(l), Pin{field, value}
		}
	}
	return topNodes, Pin{}
}

// Place implements View.
func (v *top) Place() Place {
	p := v.shown().Place()
	if v.level == topNodes {
		p.Pin = Pin{}
		return p
	}
	pin := Pin{Field: levelNames[v.level]}
	if p.Pin != (Pin{}) {
		pin.Value = p.Pin.Field + "=" + p.Pin.Value
	}
	p.Pin = pin
	return p
}

// Draw implements View.
func (v *top) Draw(b *strings.Builder, s Size, f Frame) (cursor int) {
	v.size = s
	return v.shown().Draw(b, s, f)
}

// Tab implements View. What is used is no reason to look at the pane.
func (v *top) Tab() (string, kube.Severity) { return "", kube.OK }

// Counts implements View. Its rows are those of other panes, which count them.
func (v *top) Counts() [kube.Bad + 1]int { return [kube.Bad + 1]int{} }

// State implements View.
func (v *top) State() kube.State { return v.shown().State() }

// Objects implements View. The palette has them from their own panes.
func (v *top) Objects(int) []Object { return nil }

// Strip implements View. That nothing new is measured comes before what the figures mean.
func (v *top) Strip(now time.Time) Strip {
	s := v.shown().Strip(now)
	if t, ok := v.totals.table.Current(); ok && v.level == topTotals {
		s.Name = totalTitle(t)
	}
	m := v.shown().beside(now)
	if len(s.Lines) > 0 && !m.NewestSample().IsZero() && unmoved(m) {
		sentence, next := m.UsageTrouble()
		s.Lines = slices.Insert(s.Lines, 1, joined(": ", sentence, next))
	}
	return s
}

// Namespaces implements View.
func (v *top) Namespaces() map[string]int { return nil }

// Waiting implements View.
func (v *top) Waiting() bool { return v.shown().Waiting() }

// Fault implements View.
func (v *top) Fault() *FilterError { return v.shown().Fault() }

// Details implements View.
func (v *top) Details(uid string, now time.Time) (Details, bool) {
	d, ok := v.shown().Details(uid, now)
	if i, there := v.totals.snap.Find(uid, 0); ok && there && v.level == topTotals {
		d.Title = totalTitle(v.totals.snap.Row(i))
	}
	return d, ok
}

// Why implements View.
func (v *top) Why(id keymap.ID) string { return v.shown().Why(id) }

// Close implements View.
func (v *top) Close() {
	for l := range topLevels {
		v.of(l).Close()
	}
}
