package drain

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	resourcehelper "k8s.io/component-helpers/resource"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"ktriage/internal/text"
	"ktriage/kube"
)

// seat is a node that remains, and what of it is free.
type seat struct {
	node            *corev1.Node
	cpu, mem, slots int64 // allocatable less requests
}

// seats are the nodes on which pods can run when all nodes of a plan have been drained: Ready, schedulable, and not in the
// plan. It judges as the scheduler's filters do: taints, node selector, required node affinity, the nodes from which volumes
// can be reached, and room. Affinity between pods and spreading are not judged: they depend on all other pods.
type seats struct {
	facts  *facts
	list   []*seat
	loads  bool
	groups map[string]*group // by what a pod asks of a node beside room
}

// group is where pods may run that ask the same of a node, room aside.
type group struct {
	open    []*seat
	against map[obstacle]int // how many nodes each obstacle excludes
}

// obstacle is why a node does not take a pod.
type obstacle struct {
	all  string // of the sentence in which it excludes every other node
	some string // what nodes are that it excludes: "without disktype=nvme"
}

func newSeats(f *facts) *seats {
	s := &seats{facts: f, loads: f.loads != nil, groups: map[string]*group{}}
	for _, n := range f.all {
		if f.planned(n.Name) || !usable(n) {
			continue
		}
		allocatable := n.Status.Allocatable
		if len(allocatable) == 0 {
			allocatable = n.Status.Capacity
		}
		load := f.loads[n.Name]
		s.list = append(s.list, &seat{
			node: n, cpu: allocatable.Cpu().MilliValue() - load.CPURequests, mem: allocatable.Memory().Value() - load.MemRequests,
			slots: allocatable.Pods().Value() - int64(load.Pods),
		})
	}
	return s
}

// usable reports whether new pods can be bound to a node.
func usable(n *corev1.Node) bool { return !n.Spec.Unschedulable && nodeReady(n) }

func nodeReady(n *corev1.Node) bool {
	for i := range n.Status.Conditions {
		if c := &n.Status.Conditions[i]; c.Type == corev1.NodeReady {
			return c.Status == corev1.ConditionTrue
		}
	}
	return false
}

// demand is what a pod asks of a node beside CPU, memory and a slot.
type demand struct {
	Selector    map[string]string
	Affinity    *corev1.NodeSelector
	Tolerations []corev1.Toleration
	Devices     map[corev1.ResourceName]int64 // extended resources
	Volumes     []volumeDemand
}

// volumeDemand are the nodes from which a volume can be reached.
type volumeDemand struct {
	Claim string
	Nodes *corev1.NodeSelector
}

// fits gives on how many nodes a pod could run, and why on none.
func (s *seats) fits(pod *corev1.Pod, requests corev1.ResourceList) (int, string) {
	g := s.group(s.demand(pod, requests))
	cpu, mem := requests.Cpu().MilliValue(), requests.Memory().Value()
	var noCPU, noMem, noSlot int
	n := 0
	for _, seat := range g.open {
		switch {
		case !s.loads:
			n++
		case cpu > 0 && cpu > seat.cpu:
			noCPU++
		case mem > 0 && mem > seat.mem:
			noMem++
		case seat.slots < 1:
			noSlot++
		default:
			n++
		}
	}
	if n > 0 {
		return n, ""
	}
	against := maps.Clone(g.against)
	for o, count := range map[obstacle]int{
		{"no other node has " + text.Cores(cpu) + " free", "without " + text.Cores(cpu) + " free"}: noCPU,
		{"no other node has " + quantity(mem) + " free", "without " + quantity(mem) + " free"}:     noMem,
		{"all others have as many pods as they may have", "full of pods"}:                          noSlot,
	} {
		if count > 0 {
			against[o] = count
		}
	}
	return 0, s.nowhere(against)
}

// nowhere makes a sentence of what excludes most.
func (s *seats) nowhere(against map[obstacle]int) string {
	if len(s.list) == 0 {
		return "no other node is Ready and schedulable"
	}
	order := slices.SortedFunc(maps.Keys(against), func(a, b obstacle) int {
		if d := against[b] - against[a]; d != 0 {
			return d
		}
		return strings.Compare(a.all, b.all)
	})
	if against[order[0]] == len(s.list) {
		return order[0].all
	}
	var parts []string
	for _, o := range order[:min(2, len(order))] {
		parts = append(parts, text.Count(against[o])+" "+o.some)
	}
	return fmt.Sprintf("%s: %s", text.Plural(len(s.list), "other node", "other nodes"), strings.Join(parts, ", "))
}

func (s *seats) demand(pod *corev1.Pod, requests corev1.ResourceList) demand {
	d := demand{Selector: pod.Spec.NodeSelector, Tolerations: pod.Spec.Tolerations}
	if a := pod.Spec.Affinity; a != nil && a.NodeAffinity != nil {
		d.Affinity = a.NodeAffinity.RequiredDuringSchedulingIgnoredDuringExecution
	}
	for name, q := range requests {
		if strings.Contains(string(name), "/") && !q.IsZero() {
			if d.Devices == nil {
				d.Devices = map[corev1.ResourceName]int64{}
			}
			d.Devices[name] = q.Value()
		}
	}
	for _, v := range s.facts.volumesOf(pod) {
		if a := v.volume.Spec.NodeAffinity; a != nil && a.Required != nil {
			d.Volumes = append(d.Volumes, volumeDemand{Claim: v.claim.Name, Nodes: a.Required})
		}
	}
	return d
}

// group finds the nodes that satisfy a demand, once for all pods that make the same.
func (s *seats) group(d demand) *group {
	raw, err := json.Marshal(d)
	if err != nil {
		raw = []byte(fmt.Sprintf("%+v", d)) // cannot be: all of it came as JSON
	}
	if g, ok := s.groups[string(raw)]; ok {
		return g
	}
	g, try := &group{against: map[obstacle]int{}}, newTrial(d)
	for _, seat := range s.list {
		if o, excluded := try.against(seat.node); excluded {
			g.against[o]++
		} else {
			g.open = append(g.open, seat)
		}
	}
	s.groups[string(raw)] = g
	return g
}

// trial is a demand, prepared to be asked of many nodes.
type trial struct {
	demand
	selector []string // keys, sorted
	affinity *nodeaffinity.LazyErrorNodeSelector
	volumes  []*nodeaffinity.LazyErrorNodeSelector
	log      klog.Logger
}

func newTrial(d demand) *trial {
	t := &trial{demand: d, selector: slices.Sorted(maps.Keys(d.Selector)), log: klog.Background()}
	if d.Affinity != nil {
		t.affinity = nodeaffinity.NewLazyErrorNodeSelector(d.Affinity)
	}
	for _, v := range d.Volumes {
		t.volumes = append(t.volumes, nodeaffinity.NewLazyErrorNodeSelector(v.Nodes))
	}
	return t
}

// against gives the first reason for which a node does not take the pod.
func (t *trial) against(n *corev1.Node) (obstacle, bool) {
	for i, v := range t.volumes {
		if ok, err := v.Match(n); !ok || err != nil {
			claim := t.Volumes[i].Claim
			return obstacle{"its volume " + claim + " cannot be reached from any other node", "out of reach of its volume " + claim}, true
		}
	}
	for _, key := range t.selector {
		if n.Labels[key] != t.Selector[key] {
			label := words(key + "=" + t.Selector[key])
			return obstacle{"no other node has " + label, "without " + label}, true
		}
	}
	if t.affinity != nil {
		if ok, err := t.affinity.Match(n); !ok || err != nil {
			wish := affinityWords(t.Affinity)
			return obstacle{"no other node has " + wish, "without " + wish}, true
		}
	}
	if taint, found := schedulinghelper.FindMatchingUntoleratedTaint(t.log, n.Spec.Taints, t.Tolerations, keepsAway, false); found {
		name := words(taint.ToString())
		return obstacle{"all others have the taint " + name, "with the taint " + name}, true
	}
	for _, name := range slices.Sorted(maps.Keys(t.Devices)) {
		want := t.Devices[name]
		if have := n.Status.Allocatable[name]; have.Value() < want {
			device := words(fmt.Sprintf("%d %s", want, name))
			return obstacle{"no other node has " + device, "without " + device}, true
		}
	}
	return obstacle{}, false
}

// keepsAway reports whether a taint keeps new pods from being bound.
func keepsAway(t *corev1.Taint) bool {
	return t.Effect == corev1.TaintEffectNoSchedule || t.Effect == corev1.TaintEffectNoExecute
}

// affinityWords names the first thing that a node affinity asks for: "zone in 1a,1b".
func affinityWords(s *corev1.NodeSelector) string {
	var all []corev1.NodeSelectorRequirement
	for _, term := range s.NodeSelectorTerms {
		all = slices.Concat(all, term.MatchExpressions, term.MatchFields)
	}
	if len(all) == 0 {
		return "what its affinity asks for"
	}
	out := all[0].Key + " " + strings.ToLower(string(all[0].Operator))
	if len(all[0].Values) > 0 {
		out += " " + strings.Join(all[0].Values, ",")
	}
	if len(all) > 1 {
		out += " and what else its affinity asks for"
	}
	return words(out)
}

// boundVolume is a volume of a pod with the claim through which it has it.
type boundVolume struct {
	claim  *corev1.PersistentVolumeClaim
	volume *corev1.PersistentVolume
}

// volumesOf gives the volumes of a pod that outlive it and could be read.
func (f *facts) volumesOf(pod *corev1.Pod) []boundVolume {
	var out []boundVolume
	for i := range pod.Spec.Volumes {
		v := &pod.Spec.Volumes[i]
		if v.PersistentVolumeClaim == nil {
			continue
		}
		claim := f.claims[named(pod.Namespace, v.PersistentVolumeClaim.ClaimName)]
		if claim == nil {
			continue
		}
		if volume := f.volumes[claim.Spec.VolumeName]; volume != nil {
			out = append(out, boundVolume{claim: claim, volume: volume})
		}
	}
	return out
}

// requests are what the scheduler counts for a pod (KEP-753, KEP-1287).
func requests(pod *corev1.Pod) corev1.ResourceList {
	return resourcehelper.PodRequests(pod, resourcehelper.PodResourcesOptions{UseStatusResources: true})
}

// free sums up what the nodes that remain could still take, and is 0 for those that have promised too much.
func (s *seats) free() (cpu, mem int64) {
	for _, seat := range s.list {
		cpu += max(0, seat.cpu)
		mem += max(0, seat.mem)
	}
	return cpu, mem
}

// remain fills in what there is when all nodes of the plan have been drained.
func (p *Plan) remain(f *facts, s *seats) {
	p.Total, p.Usable = len(f.all), len(s.list)
	p.Others = []string{}
	for _, n := range f.all {
		planned, ok := f.planned(n.Name), usable(n)
		if ok {
			p.UsableNow++
		}
		if open := ok && !slices.ContainsFunc(n.Spec.Taints, func(t corev1.Taint) bool { return keepsAway(&t) }); open {
			p.OpenNow++
			if !planned {
				p.Open++
			}
		}
		if !planned && !ok && len(p.Others) < maxOthers {
			p.Others = append(p.Others, n.Name+" is "+unusable(n))
		}
	}
	if p.FreeKnown = f.allKnown && s.loads; p.FreeKnown {
		p.FreeCPU, p.FreeMem = s.free()
	}
}

// maxOthers is how many other nodes are named that are not usable.
const maxOthers = 10

func unusable(n *corev1.Node) string {
	switch row := kube.NewNode(n); {
	case nodeReady(n):
		return "cordoned"
	case row.Unschedulable:
		return "cordoned and not Ready"
	}
	return "not Ready"
}

// quantity writes bytes as a manifest would: 24Gi, 1536Mi.
func quantity(bytes int64) string { return resource.NewQuantity(bytes, resource.BinarySI).String() }
