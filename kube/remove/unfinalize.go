package remove

import (
	"fmt"
	"slices"
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// OptionRemove is the beginning of the toggles of the sheet that removes finalizers: one for each finalizer, on if it is
// removed.
const OptionRemove = "remove:"

// stripping is the removal of finalizers as it is planned.
type stripping struct {
	*facts
	target action.Target
	off    map[string]bool // finalizers that are removed
	names  []string        // all that the pods have
}

func planFinalizers(f *facts, t action.Target, o action.Options) (*action.Plan, error) {
	p := &stripping{facts: f, target: t, off: map[string]bool{}}
	for _, v := range f.pods {
		for _, name := range v.Finalizers {
			if !slices.Contains(p.names, name) {
				p.names = append(p.names, name)
				p.off[name] = true
			}
		}
	}
	for id, value := range o {
		name, ours := strings.CutPrefix(id, OptionRemove)
		if !ours || value != action.On && value != action.Off {
			return nil, fmt.Errorf("the removal of finalizers has no option %s=%q; nothing was done", words(id), words(value))
		}
		if p.off[name] {
			p.off[name] = value == action.On
		}
	}
	out := &action.Plan{
		Action: action.RemoveFinalizers, Target: t, Options: o, Made: f.now, Tier: action.Write, Watch: true,
		Headline: p.headline(), Facts: p.headFacts(), Sections: p.sections(), Toggles: p.toggles(), Kubectl: p.kubectl(),
		Gate: "remove finalizers of " + p.acted().Name(), Foot: many(p.count(), "finalizer") + "; what they wait for is not done", Word: word(t, f.pods),
		Refusals: p.refusals(), Details: p.details(), Instead: p.instead(),
	}
	out.Work = newStrip(f, p.off)
	return out, nil
}

// chosenOf are the finalizers of a pod that are removed.
func (p *stripping) chosenOf(v *victim) []string {
	return slices.DeleteFunc(slices.Clone(v.Finalizers), func(name string) bool { return !p.off[name] })
}

func (p *stripping) count() int {
	n := 0
	for _, v := range p.pods {
		n += len(p.chosenOf(v))
	}
	return n
}

// whole counts the pods that go with this.
func (p *stripping) whole() int {
	n := 0
	for _, v := range p.pods {
		if chosen := len(p.chosenOf(v)); chosen > 0 && chosen == len(v.Finalizers) {
			n++
		}
	}
	return n
}

// acted are the pods that lose a finalizer; all of them while none does.
func (p *stripping) acted() action.Target {
	out := action.Target{Context: p.target.Context}
	for _, v := range p.pods {
		if len(p.chosenOf(v)) > 0 {
			out.Refs = append(out.Refs, v.ref)
		}
	}
	if len(out.Refs) == 0 {
		return p.target
	}
	return out
}

func (p *stripping) headline() string {
	switch {
	case len(p.names) == 0 && len(p.pods) == 1:
		return p.target.Name() + " has no finalizers: nothing to do."
	case len(p.names) == 0:
		return "none of " + many(len(p.pods), "pod") + " has finalizers: nothing to do."
	}
	end := "it is gone then."
	switch n := p.whole(); {
	case n == 0 && len(p.pods) == 1:
		end = "it stays: others keep it."
	case len(p.pods) > 1:
		end = verb(n, "pod is gone then.", "pods are gone then.")
	}
	return fmt.Sprintf("%s of %s %s removed; %s", many(p.count(), "finalizer"), p.acted().Name(), are(p.count()), end)
}

func are(n int) string {
	if n == 1 {
		return "is"
	}
	return "are"
}

func (p *stripping) headFacts() []action.Fact {
	if len(p.pods) > 1 {
		return nil
	}
	v := p.pods[0]
	out := []action.Fact{
		{Name: "now", Text: lateness(v, p.now) + ", uid " + shortUID(string(v.UID))},
		{Name: "why", Text: p.diagnose(v).Sentence},
		{Name: "owner", Text: ownerText(p.owner(v), v)},
	}
	_, how := p.returns(v)
	return append(out, action.Fact{Name: "then", Text: how})
}

// held reports whether nothing but its finalizers keeps a pod. Only then does it go with them
// (ShouldDeleteDuringUpdate in k8s.io/apiserver/pkg/registry/generic/registry/store.go).
func (p *stripping) held(v *victim) bool { return p.diagnose(v).Cause == HeldFinalizers }

func (p *stripping) refusals() []string {
	var out []string
	for _, v := range p.pods {
		who := ""
		if len(p.pods) > 1 {
			who = v.ref.FullName() + ": "
		}
		switch d := p.diagnose(v); {
		case len(v.Finalizers) == 0:
			out = append(out, who+"it has no finalizers")
		case !v.deleting():
			out = append(out, who+"it is not being deleted: delete it first, and see whether its finalizers go")
		case d.Cause == Grace:
			out = append(out, fmt.Sprintf("%swait: its containers have %s left", who, left(d.Left)))
		case !p.held(v):
			out = append(out, who+"its finalizers are not all that keeps it: first "+d.Sentence)
		}
	}
	if len(out) > 3 {
		out = append(out[:3], fmt.Sprintf("and %d more of the pods cannot be helped by this now", len(out)-3))
	}
	if len(out) == 0 && p.count() == 0 {
		out = append(out, "choose a finalizer below")
	}
	return out
}

func (p *stripping) instead() []action.Instead {
	var del, force action.Target
	del.Context, force.Context = p.target.Context, p.target.Context
	for _, v := range p.pods {
		switch d := p.diagnose(v); {
		case !v.deleting():
			del.Refs = append(del.Refs, v.ref)
		case d.Cause != Grace && !p.held(v):
			force.Refs = append(force.Refs, v.ref)
		}
	}
	var out []action.Instead
	if len(del.Refs) > 0 {
		out = append(out, action.Instead{Action: action.DeletePod, Target: del, Words: "delete " + del.Name() + " first"})
	}
	if len(force.Refs) > 0 {
		out = append(out, action.Instead{Action: action.ForceDelete, Target: force, Words: "force delete " + force.Name() + " first: its sheet says what comes before that"})
	}
	return out
}

func (p *stripping) sections() []action.Section {
	var rows []action.Row
	for _, name := range p.names {
		pods := 0
		for _, v := range p.pods {
			if slices.Contains(v.Finalizers, name) {
				pods++
			}
		}
		severity := kube.Bad
		if !p.off[name] {
			severity = kube.OK
		}
		of := ""
		if len(p.pods) > 1 {
			of = " of " + many(pods, "pod")
		}
		rows = append(rows, line(severity, "%s%s: set for %s", words(name), of, about(name).owner))
		if p.off[name] {
			rows = append(rows, line(kube.OK, "  skipped: %s", about(name).skips))
		} else {
			rows = append(rows, line(kube.OK, "  stays"))
		}
	}
	if len(rows) > 2*listed {
		rows = append(rows[:2*listed:2*listed], line(kube.Warning, "and %d more finalizers that are not listed", len(p.names)-listed))
	}
	var which []action.Row
	if len(p.pods) > 1 {
		for _, v := range p.pods {
			which = append(which, line(kube.OK, "%s: %s", v.ref.FullName(), p.diagnose(v).Sentence))
		}
	}
	return said(
		action.Section{Title: "cannot be undone", Note: "cleanup that is skipped", Rows: rows, Toggles: p.boxes()},
		action.Section{Title: many(len(p.pods), "pod"), Rows: capped(which, "pods")},
		action.Section{Title: "what we send", Rows: []action.Row{line(kube.OK,
			"PATCH with its uid and exactly these finalizers as test: one that is added meanwhile, or another pod, and nothing is done.")}},
		action.Section{Title: "not known", Rows: lines(kube.Warning, p.unknown)},
	)
}

// boxes are the IDs of the toggles; a single finalizer has none.
func (p *stripping) boxes() []string {
	var out []string
	for _, t := range p.toggles() {
		out = append(out, t.ID)
	}
	return out
}

func (p *stripping) toggles() []action.Toggle {
	if len(p.names) < 2 {
		return nil
	}
	var out []action.Toggle
	for _, name := range p.names {
		out = append(out, action.Toggle{ID: OptionRemove + name, Words: "remove " + words(name), Value: onOff(p.off[name]), Values: action.OnOff()})
	}
	return out
}

// kubectl is the nearest command. It knows neither UID nor test.
func (p *stripping) kubectl() []string {
	var out []string
	pods := slices.DeleteFunc(slices.Clone(p.pods), func(v *victim) bool { return len(p.chosenOf(v)) == 0 })
	for _, v := range pods[:min(len(pods), inCommands)] {
		rest := slices.DeleteFunc(slices.Clone(v.Finalizers), func(name string) bool { return p.off[name] })
		value := "null"
		if len(rest) > 0 {
			value = `["` + strings.Join(rest, `","`) + `"]`
		}
		out = append(out, action.Kubectl(p.target.Context, "-n", v.Namespace, "patch", "pod", v.Name, "--type=merge",
			"-p", `{"metadata":{"finalizers":`+value+`}}`))
	}
	if n := len(pods) - inCommands; n > 0 {
		out = append(out, "# and "+text.Count(n)+" more")
	}
	return out
}

func (p *stripping) details() map[string]any {
	out := []any{}
	for _, v := range p.pods {
		list := []any{}
		for _, name := range p.chosenOf(v) {
			list = append(list, name)
		}
		out = append(out, map[string]any{"namespace": v.ref.Namespace, "name": v.ref.Name, "uid": v.ref.UID, "finalizers": list})
	}
	return map[string]any{"pods": out}
}
