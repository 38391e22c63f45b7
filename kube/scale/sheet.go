package scale

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// sheet writes a plan out.
func (p *Plan) sheet(f *facts, t action.Target, o action.Options) *action.Plan {
	out := &action.Plan{
		Action: action.Scale, Target: t, Options: o, Made: p.Made, Tier: p.tier(), Watch: true,
		Headline: p.headline(), Facts: p.facts(), Sections: p.sections(), Toggles: p.toggles(o), Instead: p.instead(t, f),
		Kubectl: p.kubectl(t.Context), Gate: p.gate(), Foot: p.foot(), Word: p.word(), Refusals: p.refusals(), Details: p.details(),
	}
	out.Work = &work{plan: p}
	return out
}

func (p *Plan) tier() action.Tier {
	for i := range p.Workloads {
		if len(p.Workloads[i].Tier) > 0 {
			return action.Write
		}
	}
	return action.Read
}

// noun is what the objects are called: "sets", "workloads".
func (p *Plan) noun(n int) string {
	for i := range p.Workloads {
		if p.Workloads[i].Ref.Kind != kube.StatefulSets {
			return one(n, "workload")
		}
	}
	return one(n, "set")
}

func (p *Plan) word() string {
	if len(p.Workloads) == 1 {
		return text.Clean(p.Workloads[0].Ref.Name)
	}
	return p.noun(len(p.changing()))
}

// changing are the workloads that get another number.
func (p *Plan) changing() []*Workload {
	var out []*Workload
	for i := range p.Workloads {
		if p.Workloads[i].changes() {
			out = append(out, &p.Workloads[i])
		}
	}
	return out
}

func (p *Plan) headline() string {
	if len(p.Workloads) == 1 {
		return p.Workloads[0].headline()
	}
	c := p.count()
	if c.change == 0 {
		return fmt.Sprintf("%s, each with a number of its own; none is changed yet.", p.noun(len(p.Workloads)))
	}
	out := fmt.Sprintf("%d of %s: %s, %s.", c.change, p.noun(len(p.Workloads)), many(c.goes, "pod goes", "pods go"), many(c.comes, "comes", "come"))
	if c.deleted > 0 {
		out += " " + many(c.deleted, "claim goes", "claims go") + " with them: " + disks(p.deleted()) + "."
	}
	return out
}

// counts sum a plan up.
type counts struct{ change, goes, comes, deleted, kept, made, blocked int }

func (p *Plan) count() counts {
	var c counts
	for _, w := range p.changing() {
		c.change++
		c.goes, c.comes, c.deleted = c.goes+w.Fewer, c.comes+w.New, c.deleted+len(w.fated(Deleted))
		c.kept, c.made = c.kept+len(w.fated(Kept)), c.made+len(w.fated(Made))
		if w.Blocked != nil {
			c.blocked++
		}
	}
	return c
}

// headline is what happens to one workload, in a sentence or two.
func (w *Workload) headline() string {
	name := full(w.Ref)
	switch {
	case w.Fault != "":
		return fmt.Sprintf("%s: %s. %s.", name, one(int(w.From), "replica"), w.Fault)
	case !w.changes():
		return fmt.Sprintf("%s has %s.", name, one(int(w.From), "replica"))
	}
	out := fmt.Sprintf("%s: %s to %d.", name, one(int(w.From), "replica"), w.To)
	if b := w.Blocked; b != nil && (b.Down || !w.down()) {
		before := slices.Concat(b.Goes, b.Comes)
		switch {
		case len(before) == 0 && b.Why == "Terminating":
			return out + " The server accepts it, and nothing happens until " + b.By + " has gone and is made again."
		case len(before) == 0:
			return out + " The server accepts it, and nothing happens: blocked by " + b.By + "."
		case len(b.Goes) > 0:
			return fmt.Sprintf("%s %s, and then nothing more happens: blocked by %s.", out, text.Some(before, mostNamed)+goOrGoes(len(before)), b.By)
		}
		return fmt.Sprintf("%s %s made, and then nothing more happens: blocked by %s.", out, text.Some(before, mostNamed)+isOrAre(len(before)), b.By)
	}
	out += w.going() + w.coming()
	if gone := w.fated(Deleted); len(gone) > 0 {
		out += fmt.Sprintf(" %s with %s: %s.", many(len(gone), "claim goes", "claims go"), map[bool]string{true: "it", false: "them"}[w.Fewer == 1], disks(gone))
	}
	if w.loses {
		out += fmt.Sprintf(" If its members vote, their quorum is lost: %d need %d, and %d stays.", w.From, w.majority(), w.To)
	}
	return out
}

func goOrGoes(n int) string {
	if n == 1 {
		return " goes"
	}
	return " go"
}

func isOrAre(n int) string {
	if n == 1 {
		return " is"
	}
	return " are"
}

// mostNamed is how many pods are named in a sentence.
const mostNamed = 4

func (w *Workload) going() string {
	switch n := len(w.Goes); {
	case w.Fewer == 0:
		return ""
	case w.To == 0:
		return " All pods stop: that is an outage."
	case n == 0:
		return fmt.Sprintf(" %s; which ones is not known before.", many(w.Fewer, "pod goes", "pods go"))
	case w.About:
		return " About these go: " + text.Some(w.Goes, mostNamed) + "."
	case n == 1:
		return " " + w.Goes[0] + " goes" + w.illness(w.Goes[0]) + "."
	case w.Policy == "Parallel" || w.Policy == "":
		return " " + text.Some(w.Goes, mostNamed) + " go, all at once."
	case n > mostNamed:
		return fmt.Sprintf(" %s goes first, then the others down to %s, one at a time.", w.Goes[0], w.Goes[n-1])
	}
	return " " + w.Goes[0] + " goes first, then " + strings.Join(w.Goes[1:], ", then ") + "."
}

// illness says what is wrong with a pod that goes.
func (w *Workload) illness(name string) string {
	for _, m := range w.Members {
		if m.Name == name && !m.Well {
			return ": " + m.State
		}
	}
	return ""
}

func (w *Workload) coming() string {
	switch n := len(w.Comes); {
	case w.New == 0:
		return ""
	case n == 0:
		return " " + many(w.New, "pod is made.", "pods are made.")
	case n == 1:
		return " " + w.Comes[0] + " is made."
	case w.Policy == "Parallel":
		return " " + text.Some(w.Comes, mostNamed) + " are made, all at once."
	case n > mostNamed:
		return fmt.Sprintf(" %s is made first, then the others up to %s, each when the one before is Ready.", w.Comes[0], w.Comes[n-1])
	}
	return " " + w.Comes[0] + " is made, then " + strings.Join(w.Comes[1:], ", then ") + ", each when the one before is Ready."
}

func (p *Plan) facts() []action.Fact {
	var out []action.Fact
	if len(p.Workloads) == 1 {
		w := &p.Workloads[0]
		now := fmt.Sprintf("%d of %d Ready", w.ready, w.From)
		if w.Ref.Kind == kube.StatefulSets {
			now = fmt.Sprintf("%d of %d Ready, %d current, %d updated", w.ready, w.From, w.current, w.updated)
		}
		out = append(out, action.Fact{Name: "now", Text: now + fmt.Sprintf("; generation %d seen", w.seen)})
	}
	c := p.count()
	if c.change > 0 {
		undo := "scale back; pods are made anew"
		switch {
		case c.deleted > 0:
			undo = "only partly: scaling back saves a claim only while the deletion of its pod has not begun"
		case c.kept > 0:
			undo += ", with the claims that they had"
		case c.goes == 0 && c.made > 0:
			undo = "scale back; claims that were made stay"
		case c.goes == 0:
			undo = "scale back"
		}
		if p.Retain && slices.ContainsFunc(p.changing(), func(w *Workload) bool { return w.Deletes && w.down() }) {
			undo += "; whenScaled stays Retain"
		}
		out = append(out, action.Fact{Name: "undo", Text: undo})
	}
	return out
}

// toggles are a number for each object, and what else can be chosen.
func (p *Plan) toggles(o action.Options) []action.Toggle {
	var out []action.Toggle
	box := func(id, words string) {
		value := action.Off
		if o[id] == action.On {
			value = action.On
		}
		out = append(out, action.Toggle{ID: id, Words: words, Value: value, Values: action.OnOff()})
	}
	blocked, shared := false, false
	for i := range p.Workloads {
		w := &p.Workloads[i]
		id := OptionReplicas + w.Ref.UID
		value, chosen := o[id]
		if !chosen {
			value = strconv.Itoa(int(w.From))
		}
		out = append(out, action.Toggle{
			ID: id, Words: full(w.Ref), Value: value, Number: &action.Number{Now: int64(w.From), Fault: w.Fault},
		})
		blocked = blocked || w.Blocked != nil && w.changes() && w.down()
		shared = shared || slices.ContainsFunc(w.notes, func(n note) bool { return n.severity == kube.Bad && strings.HasPrefix(n.text, "its volume ") })
	}
	if deleted := p.condemned(); len(deleted) > 0 {
		box(OptionRetain, "set whenScaled to Retain before scaling: the claims then stay, "+sizes(deleted))
	}
	switch {
	case blocked && shared:
		box(OptionOverride, "ask all the same: what is blocked will be accepted but will not progress, and a volume is shared")
	case blocked:
		box(OptionOverride, "ask all the same: it will be accepted but will not progress until the pod in its way is well")
	case shared:
		box(OptionOverride, "scale all the same: pods share a volume that is made for one")
	}
	return out
}

// condemned are the claims that go with their pods, unless whenScaled is set to Retain before.
func (p *Plan) condemned() []Claim {
	var out []Claim
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if !w.Deletes || !w.down() {
			continue
		}
		for _, c := range w.Claims {
			if slices.Contains(w.Goes, c.Pod) {
				out = append(out, c)
			}
		}
	}
	return out
}

// sizes sums claims up: "2 x 500Gi".
func sizes(claims []Claim) string {
	var order []string
	count := map[string]int{}
	for _, c := range claims {
		if count[c.Size]++; count[c.Size] == 1 {
			order = append(order, c.Size)
		}
	}
	for i, s := range order {
		order[i] = fmt.Sprintf("%d x %s", count[s], s)
	}
	return strings.Join(order, ", ")
}

// deleted are the claims that go.
func (p *Plan) deleted() []Claim {
	var out []Claim
	for _, w := range p.changing() {
		out = append(out, w.fated(Deleted)...)
	}
	return out
}

// disks says what becomes of the volumes of claims that go: the claim alone says nothing about the data
// (PersistentVolumeReclaimPolicy).
func disks(claims []Claim) string {
	var gone, stay, unknown []Claim
	for _, c := range claims {
		switch {
		case c.UID != "" && c.Volume == "": // it has none
		case c.Reclaim == string(corev1.PersistentVolumeReclaimDelete):
			gone = append(gone, c)
		case c.Reclaim == string(corev1.PersistentVolumeReclaimRetain):
			stay = append(stay, c)
		default:
			unknown = append(unknown, c)
		}
	}
	var out []string
	if n := len(gone); n > 0 {
		out = append(out, fmt.Sprintf("%s, %s,%s deleted", one(n, "disk"), total(gone), isOrAre(n)))
	}
	if n := len(stay); n > 0 {
		what := one(n, "disk")
		if len(out) > 0 {
			what = text.Count(n)
		}
		out = append(out, what+either(n, " stays Released and has", " stay Released and have")+" to be bound again by hand")
	}
	if n := len(unknown); n > 0 {
		out = append(out, "what becomes of "+one(n, "disk")+" is not known")
	}
	if len(out) == 0 {
		return "no disk"
	}
	return strings.Join(out, ", ")
}

// either is one of two words, by number.
func either(n int, single, plural string) string {
	if n == 1 {
		return single
	}
	return plural
}

// total is how much claims hold together: "1,000 GiB".
func total(claims []Claim) string {
	sum := int64(0)
	for _, c := range claims {
		if q, err := resource.ParseQuantity(c.Size); err == nil {
			sum += q.Value()
		}
	}
	return text.GiB(sum)
}

// instead offers the Deployment of a ReplicaSet, and keeping the claims for good.
func (p *Plan) instead(t action.Target, f *facts) []action.Instead {
	var out []action.Instead
	for i, target := range f.targets {
		w := &p.Workloads[i]
		if target.rs != nil {
			if d := deploymentOf(target.rs); d.Name != "" {
				out = append(out, action.Instead{
					Action: action.Scale, Target: action.Target{Context: t.Context, Refs: []kube.Ref{d}},
					Words: "scale Deployment " + full(d),
				})
			}
		}
		if w.Deletes && len(w.Claims) > 0 && w.down() && !p.Retain {
			out = append(out, action.Instead{
				Action: action.Retain, Target: action.Target{Context: t.Context, Refs: []kube.Ref{w.Ref}},
				Words: "set whenScaled of " + full(w.Ref) + " to Retain, and scale nothing",
			})
		}
	}
	return out[:min(len(out), 3)]
}

func (p *Plan) kubectl(context string) []string {
	var out []string
	for _, w := range p.changing() {
		if p.Retain && w.Deletes && w.down() {
			out = append(out, retainCommand(context, w.Ref))
		}
		if len(out) >= 5 {
			return append(out, fmt.Sprintf("# and so on: %s in all", p.noun(len(p.changing()))))
		}
		out = append(out, action.Kubectl(context, "-n", w.Ref.Namespace, "scale", short[w.Ref.Kind], w.Ref.Name,
			fmt.Sprintf("--replicas=%d", w.To), fmt.Sprintf("--current-replicas=%d", w.From)))
	}
	return out
}

// short are kubectl's short names.
var short = map[kube.Kinds]string{kube.StatefulSets: "sts", kube.Deployments: "deploy", kube.ReplicaSets: "rs"}

func (p *Plan) gate() string {
	c := p.changing()
	if len(c) == 1 {
		return fmt.Sprintf("scale %s from %d to %d", full(c[0].Ref), c[0].From, c[0].To)
	}
	return fmt.Sprintf("scale %s, each to its own number", p.noun(len(c)))
}

func (p *Plan) foot() string {
	c := p.count()
	var parts []string
	if c.goes > 0 {
		parts = append(parts, many(c.goes, "pod goes", "pods go"))
	}
	if c.comes > 0 {
		parts = append(parts, many(c.comes, "pod comes", "pods come"))
	}
	if gone := p.deleted(); len(gone) > 0 {
		parts = append(parts, many(len(gone), "claim goes", "claims go"), disks(gone))
	}
	if c.blocked > 0 {
		parts = append(parts, "accepted, but no progress")
	}
	return strings.Join(parts, "; ")
}

// refusals are why the plan cannot be confirmed, worst first.
func (p *Plan) refusals() []string {
	var out []string
	for i := range p.Workloads {
		w := &p.Workloads[i]
		if !w.changes() && w.Fault == "" && len(p.Workloads) > 1 {
			continue // it is left alone, whatever is wrong with it
		}
		for _, why := range w.Refused {
			if len(p.Workloads) > 1 {
				why = full(w.Ref) + ": " + why
			}
			out = append(out, why)
		}
	}
	if len(p.changing()) == 0 && len(out) == 0 {
		out = append(out, "say how many: type a number of replicas, or use - and +")
	}
	return out
}

// details are what the audit log keeps of the plan.
func (p *Plan) details() map[string]any {
	sets := map[string]any{}
	for _, w := range p.changing() {
		sets[full(w.Ref)] = map[string]any{
			"kind": w.Ref.Kind.Kind(), "uid": w.Ref.UID, "from": w.From, "to": w.To, "removed": w.Goes, "made": w.Comes,
			"claimsDeleted": claimNamesOf(w.fated(Deleted)), "blocked": w.Blocked != nil,
		}
	}
	return map[string]any{"replicas": sets, "retainFirst": p.Retain}
}

func claimNamesOf(claims []Claim) []string {
	out := []string{}
	for _, c := range claims {
		out = append(out, c.Name)
	}
	return out
}
