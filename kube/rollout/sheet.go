package rollout

import (
	"fmt"
	"slices"
	"strconv"
	"strings"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/gitops"
)

// shown is how many lines a section has at most; of the rest it is said that it is there.
const shown = 12

func (s *sheet) plan(o action.Options) *action.Plan {
	p := &action.Plan{
		Action: s.id, Target: s.target, Options: o, Made: s.now, Tier: action.Read, Watch: true,
		Details: map[string]any{}, Refusals: slices.Clone(s.refusals),
	}
	p.Gate = s.id.Verb() + " " + words(s.target.Name())
	p.Word = words(s.target.Name())
	if len(s.target.Refs) == 1 {
		p.Word = words(s.target.Refs[0].Name)
	} else {
		p.Word = plural(len(s.target.Refs), "workload")
	}
	return p
}

// restart is the plan that has all pods replaced.
func (s *sheet) restart() *action.Plan {
	p := s.plan(nil)
	for _, w := range s.workloads {
		if held(w.object) {
			p.Refusals = append(p.Refusals, w.name()+" is paused: nothing would be replaced; resume it first")
		}
		p.Kubectl = append(p.Kubectl, s.kubectl(w, "restart"))
	}
	if len(s.workloads) == 1 && s.workloads[0].pace().manual {
		p.Headline = s.workloads[0].name() + ": its template gets another annotation. " + sentence(s.workloads[0].pace().words)
	} else {
		p.Headline = fmt.Sprintf("%s: %s by new ones of the same template%s.", words(s.target.Name()), s.replaced(), s.inTurn())
	}
	s.offerResume(p)
	p.Facts = append(s.paceFacts(),
		action.Fact{Name: "undo", Text: "none needed: the template stays as it is but for the time in an annotation"})
	s.dangers(p)
	p.Work = s.work(nil)
	return p
}

// offerResume offers to let those go on that are paused: neither a restart nor a roll back begins before that.
func (s *sheet) offerResume(p *action.Plan) {
	paused := action.Target{Context: s.target.Context}
	for _, w := range s.workloads {
		if held(w.object) {
			paused.Refs = append(paused.Refs, w.ref)
		}
	}
	if len(paused.Refs) == 0 {
		return
	}
	p.Instead = append(p.Instead, action.Instead{
		Action: action.Resume, Target: paused, Words: "resume " + words(paused.Name()) + ": what was held back is rolled out",
	})
	if len(paused.Refs) == len(s.target.Refs) {
		p.Headline = words(paused.Name()) + " is paused: no pod is replaced before it is resumed."
		if len(paused.Refs) > 1 {
			p.Headline = words(paused.Name()) + " are paused: no pod is replaced before they are resumed."
		}
	}
}

// replaced counts the pods that are replaced: "its 3 pods are replaced".
func (s *sheet) replaced() string {
	n, whose := s.count(), "its"
	if len(s.workloads) > 1 {
		whose = "their"
	}
	switch n {
	case 0:
		return "no pod is replaced"
	case 1:
		return whose + " pod is replaced"
	}
	return fmt.Sprintf("%s %s pods are replaced", whose, text.Count(n))
}

// inTurn says in which order several workloads are dealt with.
func (s *sheet) inTurn() string {
	if len(s.workloads) > 1 {
		return ", one workload after the other"
	}
	return ""
}

// count is how many pods of all workloads are replaced.
func (s *sheet) count() int {
	n := 0
	for _, w := range s.workloads {
		n += int(w.replaces())
	}
	return n
}

// paceFacts say in which order pods go, and how they are now.
func (s *sheet) paceFacts() []action.Fact {
	var out []action.Fact
	if len(s.workloads) == 1 {
		w := s.workloads[0]
		out = append(out, action.Fact{Name: "order", Text: w.pace().words})
		if st := standing(w.object); !st.done {
			out = append(out, action.Fact{
				Name: "now", Severity: kube.Warning, Text: "a rollout is going on: " + st.note + "; it starts anew",
			})
		} else {
			out = append(out, action.Fact{Name: "now", Text: fmt.Sprintf("%d of %d ready", w.ready(), w.wants())})
		}
	}
	return append(out, action.Fact{Name: "but", Text: "disruption budgets do not limit a rollout"})
}

func (w *workload) ready() int {
	n := 0
	for _, p := range w.pods {
		if isReady(p) && p.DeletionTimestamp == nil {
			n++
		}
	}
	return n
}

// dangers puts on a sheet what may go wrong with a rollout, worst first, and asks for a name where it is certain to hurt.
func (s *sheet) dangers(p *action.Plan) {
	var outages, risks, list []action.Row
	var ill []action.Row
	for _, w := range s.workloads {
		pace := w.pace()
		if pace.outage != "" {
			severity := kube.Warning
			if pace.hard {
				severity, p.Tier = kube.Bad, action.Write
			}
			outages = append(outages, line(severity, "%s", pace.outage))
		}
		if pace.risk != "" {
			risks = append(risks, line(kube.Warning, "%s", pace.risk))
		}
		risks = append(risks, w.blocked()...)
		ill = append(ill, w.ill()...)
		list = append(list, action.Row{Cells: []string{w.name(), fmt.Sprintf("%d/%d", w.ready(), w.wants()), pace.words}})
		risks = append(risks, s.reverted(w)...)
	}
	p.Foot = text.Plural(s.count(), "pod is replaced", "pods are replaced")
	why := ""
	if p.Tier == action.Write {
		why = "why this is tier 3"
		p.Foot += "; an outage"
	}
	add(p, "outage", why, outages)
	add(p, "may get stuck, or be taken back", "", risks)
	add(p, "not well now", "a rollout may wait for them", ill)
	if len(s.workloads) > 1 {
		add(p, plural(len(list), "workload"), "one after the other; it stops at one that gets stuck", list)
		p.Sections[len(p.Sections)-1].Columns = []action.Column{{Title: "WORKLOAD"}, {Title: "READY"}, {Title: "ORDER", Wide: true}}
	}
	var unknown []action.Row
	for _, u := range s.unknown {
		unknown = append(unknown, line(kube.Warning, "%s", u))
	}
	add(p, "not known", "", unknown)
}

// add adds a section, if it has anything to say.
func add(p *action.Plan, title, note string, rows []action.Row) {
	if len(rows) == 0 {
		return
	}
	if len(rows) > shown {
		more := make([]string, len(rows[0].Cells))
		more[0] = fmt.Sprintf("and %s more", text.Count(len(rows)-shown))
		rows = append(rows[:shown:shown], action.Row{Cells: more})
	}
	p.Sections = append(p.Sections, action.Section{Title: title, Note: note, Rows: rows})
}

func line(severity kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: severity, Cells: []string{fmt.Sprintf(format, args...)}}
}

// ill names the pods that are not well.
func (w *workload) ill() []action.Row {
	var out []action.Row
	for _, p := range w.pods {
		row := kube.NewPod(p)
		if !isReady(p) && !row.Completed() {
			out = append(out, line(kube.Warning, "%s: %s", words(p.Namespace+"/"+p.Name), row.Status))
		}
	}
	return out
}

// reverted says who may take a change of the template back.
func (s *sheet) reverted(w *workload) []action.Row {
	who := keeper(w.object)
	if who == "" {
		return nil
	}
	if s.id == action.Restart {
		return []action.Row{line(kube.Notice, "%s: %s; if it takes the annotation away, the pods are replaced once more", w.name(), who)}
	}
	return []action.Row{line(kube.Warning, "%s: %s; its next sync takes this back: change the manifest too", w.name(), who)}
}

// keeper names what keeps an object as it is: what holds it in a repository, or what owns it.
func keeper(o metav1.Object) string {
	if by := gitops.Of(o); len(by) > 0 {
		return by[0].String()
	}
	if owner := metav1.GetControllerOf(o); owner != nil {
		return fmt.Sprintf("%s %s owns it", words(owner.Kind), words(owner.Name))
	}
	return ""
}

func (s *sheet) kubectl(w *workload, verb string, more ...string) string {
	args := append([]string{"-n", w.ref.Namespace, "rollout", verb, strings.ToLower(w.ref.Kind.Kind()) + "/" + w.ref.Name}, more...)
	return action.Kubectl(s.target.Context, args...)
}

// rollBack is the plan that brings back an earlier template.
func (s *sheet) rollBack(o action.Options) *action.Plan {
	p := s.plan(o)
	to := map[string]*revision{}
	for _, w := range s.workloads {
		r := w.choose(o, len(s.target.Refs) == 1)
		switch {
		case held(w.object):
			p.Refusals = append(p.Refusals, w.name()+" is paused: a roll back would not begin; resume it first")
		case len(w.history) == 0:
			p.Refusals = append(p.Refusals, w.name()+" has no earlier revision: nothing to roll back to")
		case r == nil:
			p.Refusals = append(p.Refusals,
				fmt.Sprintf("%s has no other revision %s any more; choose one below", w.name(), words(o[OptionRevision])))
		}
		if r != nil {
			to[w.ref.UID] = r
			p.Kubectl = append(p.Kubectl, s.kubectl(w, "undo", fmt.Sprintf("--to-revision=%d", r.number)))
		}
	}
	p.Headline = fmt.Sprintf("%s: %s by pods of an earlier template%s.", words(s.target.Name()), s.replaced(), s.inTurn())
	if len(s.workloads) == 1 {
		s.revisions(p, s.workloads[0], to[s.workloads[0].ref.UID])
	}
	s.offerResume(p)
	if missing := len(s.workloads) - len(to); missing > 0 {
		p.Headline = s.stays(missing)
		return p
	}
	p.Facts = append(p.Facts, s.paceFacts()...)
	p.Facts = append(p.Facts, action.Fact{Name: "undo", Text: "roll back again: the present revision is kept"})
	for _, w := range s.workloads {
		if r := to[w.ref.UID]; r != nil {
			add(p, fmt.Sprintf("%s: what changes (now -> then)", w.name()), fmt.Sprintf("revision %s -> %d", present(w), r.number),
				differences(w.template(), r.template))
			if len(p.Sections) > shown {
				break
			}
		}
	}
	s.dangers(p)
	p.Work = s.work(to)
	return p
}

// stays says that nothing is rolled back, because so many have no template to go back to.
func (s *sheet) stays(missing int) string {
	name := words(s.target.Name())
	if len(s.workloads) == 1 {
		return name + " stays as it is: there is no such revision to go back to."
	}
	return fmt.Sprintf("%s stay as they are: %d of %s have no revision to go back to.", name, missing, plural(len(s.workloads), "workload"))
}

func present(w *workload) string {
	if w.present == 0 {
		return "now"
	}
	return strconv.FormatInt(w.present, 10)
}

// choose is the revision that is rolled back to: the one before, or the one that was chosen.
func (w *workload) choose(o action.Options, single bool) *revision {
	chosen := o[OptionRevision]
	for i := range w.history {
		if !single || chosen == "" || strconv.FormatInt(w.history[i].number, 10) == chosen {
			return &w.history[i]
		}
	}
	return nil
}

// revisions offers the templates that there were.
func (s *sheet) revisions(p *action.Plan, w *workload, to *revision) {
	if len(w.history) == 0 {
		return
	}
	t := action.Toggle{ID: OptionRevision, Words: "roll back to"}
	for _, r := range w.history {
		t.Values = append(t.Values, strconv.FormatInt(r.number, 10))
		c := action.Choice{
			Words: fmt.Sprintf("revision %d, made %s ago", r.number, text.Age(s.now, r.made)), Lines: []string{words(images(r.template))},
		}
		if r.cause != "" {
			c.Lines = append(c.Lines, "change-cause: "+words(r.cause))
		}
		t.Choices = append(t.Choices, c)
	}
	t.Value = t.Values[0]
	if to != nil {
		t.Value = strconv.FormatInt(to.number, 10)
		p.Headline = fmt.Sprintf("%s goes back to revision %d: %s.", w.name(), to.number, s.replaced())
	}
	p.Toggles = append(p.Toggles, t)
}

func images(t *corev1.PodTemplateSpec) string {
	var out []string
	for _, c := range t.Spec.Containers {
		out = append(out, c.Image)
	}
	return some(out, 3)
}

// sentence makes one of words.
func sentence(s string) string { return s + "." }
