package remove

import (
	"fmt"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"
	schedulinghelper "k8s.io/component-helpers/scheduling/corev1"
	"k8s.io/component-helpers/scheduling/corev1/nodeaffinity"
	"k8s.io/klog/v2"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

func (p *forcing) headline() string {
	if len(p.pods) > 1 {
		return fmt.Sprintf("%s leave the API at once. No kubelet is asked whether they still run.", many(len(p.pods), "pod"))
	}
	v := p.pods[0]
	return sentence(lateness(v, p.now)) + " uid " + shortUID(string(v.UID))
}

// headFacts are how a pod stands; of several, how they and their nodes do.
func (p *forcing) headFacts() []action.Fact {
	if len(p.pods) > 1 {
		return p.nodeFacts()
	}
	v := p.pods[0]
	d := p.diagnose(v)
	out := []action.Fact{{Name: "now", Text: nowText(v, p)}}
	if v.deleting() {
		why := d.Sentence
		if d.Cause == Silent {
			why = "its kubelet is silent: nobody confirms that its containers have ended" // the line of the node says since when
		}
		out = append(out, action.Fact{Name: "why", Text: why, Severity: kube.Warning})
		for _, s := range d.Also {
			out = append(out, action.Fact{Name: "also", Text: s})
		}
	}
	out = append(out, p.nodeFacts()...)
	out = append(out, action.Fact{Name: "owner", Text: ownerText(p.owner(v), v) + " · " + graceText(v)})
	for _, s := range p.volumeTexts(v) {
		out = append(out, action.Fact{Name: "volume", Text: s})
	}
	return append(out, p.then(v)...)
}

func nowText(v *victim, p *forcing) string {
	row := kube.NewPod(v.Pod)
	return fmt.Sprintf("%s, %d/%d ready, %s old", row.Status, row.Ready, row.Containers, text.Age(p.now, v.CreationTimestamp.Time))
}

func ownerText(o owner, v *victim) string {
	out := o.text()
	if o.controller == "StatefulSet" {
		if n := ordinal(v.Name); n >= 0 {
			out += fmt.Sprintf(", ordinal %d", n)
		}
		if o.service != "" {
			out += ", service " + o.service
		}
	}
	return out
}

// graceText is what is to be known of how the pod ends.
func graceText(v *victim) string {
	s := corev1.DefaultTerminationGracePeriodSeconds
	if g := v.Spec.TerminationGracePeriodSeconds; g != nil {
		s = int(*g)
	}
	out := "grace " + seconds(int64(s))
	if s == 0 {
		out += " (even a normal delete is not graceful)"
	}
	if preStop(v.Pod) {
		out += ", preStop"
	}
	if len(v.Finalizers) == 0 {
		return out + ", no finalizers"
	}
	return out + ", " + many(len(v.Finalizers), "finalizer")
}

// nodeFacts are how the nodes of the pods stand.
func (p *forcing) nodeFacts() []action.Fact {
	var out []action.Fact
	for _, name := range distinct(p.pods, func(v *victim) string { return v.Spec.NodeName }) {
		f := action.Fact{Name: "node", Text: words(name), Severity: kube.Warning}
		switch n, known := p.nodes[name]; {
		case !known:
			f.Text += " could not be read"
		case n == nil:
			f.Text += " does not exist"
		default:
			f.Text += " " + nodeStatus(n)
			if nodeReady(n) {
				f.Severity = kube.OK
			} else {
				f.Text += since(Evidence{Node: n, Lease: p.leases[name]}, p.now)
			}
			if t := taints(n); t != "" {
				f.Text += "; taints " + t
			}
		}
		out = append(out, f)
		if len(out) == listed {
			break
		}
	}
	return out
}

func taints(n *corev1.Node) string {
	var out []string
	for i := range n.Spec.Taints {
		t := &n.Spec.Taints[i]
		out = append(out, words(strings.TrimPrefix(t.Key, "node.kubernetes.io/")+":"+string(t.Effect)))
	}
	return text.Some(out, 3)
}

// volumeTexts are the claims of a pod: "data-cart-2 10Gi RWO, attached to worker-07 by VolumeAttachment csi-5f0e".
func (f *facts) volumeTexts(v *victim) []string {
	var out []string
	for _, name := range v.claims() {
		s := words(name)
		c := f.claims[types.NamespacedName{Namespace: v.Namespace, Name: name}]
		if c == nil {
			out = append(out, s)
			continue
		}
		s += " " + claimText(c)
		for i := range f.attached {
			a := &f.attached[i]
			if pv := a.Spec.Source.PersistentVolumeName; pv != nil && *pv == c.Spec.VolumeName && a.Status.Attached {
				s += ", attached to " + words(a.Spec.NodeName) + " by VolumeAttachment " + clip(a.Name, 20)
			}
		}
		out = append(out, s)
	}
	return out
}

// claimText is size and access modes of a claim, as kubectl shortens them: "10Gi RWO".
func claimText(c *corev1.PersistentVolumeClaim) string {
	modes := map[corev1.PersistentVolumeAccessMode]string{
		corev1.ReadWriteOnce: "RWO", corev1.ReadOnlyMany: "ROX", corev1.ReadWriteMany: "RWX", corev1.ReadWriteOncePod: "RWOP",
	}
	size := c.Status.Capacity.Storage()
	if size.IsZero() {
		size = c.Spec.Resources.Requests.Storage()
	}
	var list []string
	for _, m := range c.Spec.AccessModes {
		list = append(list, modes[m])
	}
	return strings.TrimSpace(size.String() + " " + strings.Join(list, ","))
}

// then says what comes in the place of a pod, and where it may run.
func (p *forcing) then(v *victim) []action.Fact {
	back, how := p.returns(v)
	f := action.Fact{Name: "then", Text: how}
	if back == sameName {
		f.Text = "a new " + words(v.Name) + " is made at once"
	}
	if back == never {
		f.Severity = kube.Warning
		return []action.Fact{f}
	}
	if n, known := p.fits(v); known {
		f.Text += "; it may run on " + many(n, "node")
		if n == 0 {
			f.Severity = kube.Warning
		}
	}
	return []action.Fact{f}
}

// fits counts the nodes that are Ready and schedulable, whose taints a new pod of the kind tolerates, and that it selects.
// Room is not counted.
func (p *forcing) fits(v *victim) (int, bool) {
	if !p.allKnown {
		return 0, false
	}
	n := 0
	required := nodeaffinity.GetRequiredNodeAffinity(v.Pod)
	for _, node := range p.all {
		_, untolerated := schedulinghelper.FindMatchingUntoleratedTaint(klog.Background(), node.Spec.Taints, v.Spec.Tolerations, func(t *corev1.Taint) bool {
			return t.Effect != corev1.TaintEffectPreferNoSchedule
		}, true)
		if match, err := required.Match(node); err == nil && match && usable(node) && !untolerated {
			n++
		}
	}
	return n, true
}

func (p *forcing) sections() []action.Section {
	open := !p.hard()
	var list []action.Section
	if len(p.pods) > 1 {
		list = append(list, p.list())
	}
	list = append(list, action.Section{Title: "finalizers", Note: "a force delete does not remove the object", Rows: p.finalizerRows()})
	if open && p.has(untouched) {
		list = append(list, p.notTerminating())
	}
	if open && p.has(kubelet) {
		list = append(list, p.keptAlive())
	}
	asked := p.asked()
	if open && len(asked) > 0 {
		list = append(list, action.Section{Title: "which is true?", Note: "the API cannot know", Toggles: []string{OptionWhich}})
	}
	if open && p.asserted() {
		list = append(list, p.wrong(len(asked) > 0))
	}
	if open {
		list = append(list, p.sends())
	}
	list = append(list, action.Section{Title: "not known", Rows: lines(kube.Warning, p.unknown)})
	return said(list...)
}

// list is a line for each of several pods.
func (p *forcing) list() action.Section {
	s := action.Section{Title: many(len(p.pods), "pod"), Columns: []action.Column{{Title: "POD"}, {Title: "OWNER"}, {Title: "NODE", Wide: true}, {Title: "NOW"}}}
	if n := len(p.gone); n > 0 {
		s.Note = verb(n, "more is gone", "more are gone")
	}
	for i, v := range p.pods {
		now := p.diagnose(v).Sentence
		severity := kube.Warning
		if p.gates[i] <= forced {
			severity = kube.Bad
		}
		s.Rows = append(s.Rows, action.Row{Severity: severity, Cells: []string{v.ref.FullName(), p.owner(v).text(), words(v.Spec.NodeName), now}})
	}
	s.Rows = capped(s.Rows, "pods")
	return s
}

func (p *forcing) finalizerRows() []action.Row {
	var out []action.Row
	for _, v := range p.pods {
		for _, name := range v.Finalizers {
			out = append(out, line(kube.Warning, "%s: %s (%s) keeps it until that removes it", words(v.Name), words(name), about(name).owner))
		}
	}
	if len(out) == 0 {
		return nil
	}
	return append(capped(out, "finalizers"), line(kube.OK, "If nobody does: remove its finalizers, which is an action of its own."))
}

func (p *forcing) notTerminating() action.Section {
	rows := []action.Row{
		line(kube.Bad, "Nobody has asked %s to end. A normal delete does, and lets it end in order.", it(p.target)),
	}
	return action.Section{Title: "not Terminating", Note: "delete it normally first", Rows: rows, Toggles: []string{OptionAnyway}}
}

// keptAlive says what kubelets that answer have not done.
func (p *forcing) keptAlive() action.Section {
	s := action.Section{Title: "the kubelet " + p.alive(), Note: "look there first", Toggles: []string{OptionAnyway}}
	for _, v := range p.at(kubelet) {
		d := p.diagnose(v)
		s.Rows = append(s.Rows, line(kube.Bad, "%s: %s", words(v.Name), d.Sentence), line(kube.OK, "  %s", d.Next))
	}
	s.Rows = capped(s.Rows, "lines")
	s.Rows = append(s.Rows, line(kube.Warning, "A force delete ends none of that: containers and volumes stay, and nobody looks after them."))
	if p.has(untouched) {
		s.Toggles = nil // it stands above
	}
	return s
}

// wrong says what it comes to if the pods still run.
func (p *forcing) wrong(asked bool) action.Section {
	s := action.Section{Title: "if it still runs", Toggles: []string{OptionAssert}}
	if asked {
		s.Title = "if c is wrong"
	}
	set := false
	for _, v := range p.pods {
		o := p.owner(v)
		if o.controller != "StatefulSet" {
			continue
		}
		set = true
		s.Rows = append(s.Rows, line(kube.Bad, "Two pods run as %s and write to the same data: split brain, data loss.", words(v.Name)))
	}
	s.Rows = capped(s.Rows, "pods")
	if set {
		s.Rows = append(s.Rows, line(kube.Bad, "Nobody asks the kubelet. The name is free at once; a new %s starts.", p.fresh()))
	} else {
		s.Rows = append(s.Rows, line(kube.Warning, "Nobody asks the kubelet: its containers may go on running on the node, unseen."))
	}
	for _, v := range p.pods {
		if len(v.claims()) > 0 {
			s.Rows = append(s.Rows, line(kube.Warning, "%s", p.volumeWait(v)))
			break
		}
	}
	return s
}

func (p *forcing) fresh() string {
	for _, v := range p.pods {
		if p.owner(v).controller == "StatefulSet" {
			return words(v.Name)
		}
	}
	return "pod"
}

// volumeWait says how long a volume is waited for (ReconcilerMaxWaitForUnmountDuration of the attach/detach controller).
func (p *forcing) volumeWait(v *victim) string {
	if p.away(v) {
		return "Its volume stays attached: the new pod may wait up to 6 min for it."
	}
	if _, known := p.node(v); !known {
		return "Its volume may stay attached: the new pod may wait for it, up to 6 min or without end."
	}
	return "Its volume stays attached while the kubelet says that it is mounted: the new pod may wait without end."
}

// sends is what goes to the server.
func (p *forcing) sends() action.Section {
	s := action.Section{Title: "what we send", Note: "and what happens then"}
	if len(p.pods) > 1 {
		s.Rows = append(s.Rows, line(kube.OK, "DELETE of each with gracePeriodSeconds 0 and its uid as precondition: newer pods are never touched."))
	} else {
		v := p.pods[0]
		s.Rows = append(s.Rows, line(kube.OK, "DELETE pods/%s with gracePeriodSeconds 0 and precondition uid %s: a newer %[1]s is never touched.",
			words(v.Name), shortUID(string(v.UID))))
	}
	then := "Then: watch until it is gone, and for what comes in its place."
	if p.nodeNames() != "" {
		then += " If " + p.nodeNames() + " comes back, ktriage says so and asks you to check for two of them."
	}
	s.Rows = append(s.Rows, line(kube.OK, "%s", then))
	return s
}

func (p *forcing) nodeNames() string { return p.nodesOf(p.asked()) }

// toggles are what only the operator can say.
func (p *forcing) toggles() []action.Toggle {
	if p.hard() {
		return nil
	}
	var out []action.Toggle
	if p.has(untouched, kubelet) {
		words := "force it all the same: its kubelet " + p.alive() + " and is not asked"
		if p.has(untouched) {
			words = "force it although nobody has asked it to end"
		}
		out = append(out, action.Toggle{ID: OptionAnyway, Words: words, Value: onOff(p.anyway), Values: action.OnOff()})
	}
	asked := p.asked()
	if len(asked) > 0 {
		out = append(out, action.Toggle{
			ID: OptionWhich, Value: p.which, Values: []string{MachineOff, CutOff, Fenced}, Choices: p.choices(asked),
		})
	}
	if p.asserted() {
		out = append(out, action.Toggle{ID: OptionAssert, Words: p.assertion(), Value: onOff(p.assert), Values: action.OnOff()})
	}
	return out
}

func onOff(on bool) string {
	if on {
		return action.On
	}
	return action.Off
}

// choices are the three things that may be true of a machine that does not answer.
func (p *forcing) choices(asked []*victim) []action.Choice {
	pod := words(asked[0].Name)
	if len(asked) > 1 {
		pod = many(len(asked), "pod")
	}
	a := []string{"→ nothing to do: pod garbage collection removes it within about 1m"}
	if refs, n, known := p.release(); len(refs) > 0 {
		a = []string{
			"→ taint out-of-service (" + releases(n, known) + ", detaches their volumes)",
			"→ delete the Node object (" + releases(n, known) + " after 40s; volumes may take 6 min)",
		}
	}
	c := "I have fenced it: " + pod + " cannot reach its disk or the other members."
	if p.assertionSet() == nil {
		c = "I have fenced it: what " + pod + " still runs cannot reach anything."
	}
	send := []string{"→ force delete it: the command at the end"}
	return []action.Choice{
		{Words: "The machine is off or gone for good.", Lines: a},
		{Words: "Network cut or kubelet dead; the machine may still run " + pod + ".", Lines: []string{"→ wait or repair: the kubelet finishes the job when it is back"}},
		{Words: c, Lines: send},
	}
}

// assertionSet gives the pods of StatefulSets.
func (p *forcing) assertionSet() []*victim {
	var out []*victim
	for _, v := range p.pods {
		if p.owner(v).controller == "StatefulSet" {
			out = append(out, v)
		}
	}
	return out
}

// assertion is what the operator ticks, worded for the kind of owner.
func (p *forcing) assertion() string {
	sets := p.assertionSet()
	switch {
	case len(p.pods) == 1 && len(sets) == 1:
		return words(sets[0].Name) + " will never again contact the other members of " + p.owner(sets[0]).name
	case len(sets) > 0:
		return "none of these " + many(len(p.pods), "pod") + " will ever again contact its set"
	case len(p.pods) == 1:
		return "if containers of " + words(p.pods[0].Name) + " still run, they do no harm"
	}
	return "if containers of these " + many(len(p.pods), "pod") + " still run, they do no harm"
}
