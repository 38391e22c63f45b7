package evict

import (
	"fmt"
	"slices"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
)

// report tells the screen how every step stands now, as far as it is news.
func (r *run) report() {
	next := r.nextOf()
	for _, n := range r.nodes {
		r.tellStep(r.nodeStep(n))
	}
	for _, p := range r.pods {
		r.tellStep(r.podStep(p, next))
	}
	r.say()
}

// tellStep reports a step that is not as it was reported last.
func (r *run) tellStep(s action.Step) {
	last, known := r.told[s.Object.UID]
	if known && last.State == s.State && last.Note == s.Note && last.Severity == s.Severity &&
		last.Since.Equal(s.Since) && last.Until.Equal(s.Until) && slices.Equal(last.Why, s.Why) {
		return
	}
	r.told[s.Object.UID] = s
	r.progress.Step(s)
}

// nextOf gives the pod of every budget that is asked next.
func (r *run) nextOf() map[*budget]*pod {
	next := map[*budget]*pod{}
	for _, p := range r.pods {
		if b := p.budget; p.state == action.StepBlocked && b != nil && (next[b] == nil || p.asked.Before(next[b].asked)) {
			next[b] = p
		}
	}
	return next
}

func (r *run) nodeStep(n *node) action.Step {
	s := action.Step{Object: n.ref(), State: n.state, Since: n.since, Place: n.place, Note: n.outcome}
	switch n.state {
	case action.StepWaits:
		s.Note = "to be cordoned"
	case action.StepAsking:
		s.Note = "being cordoned"
	default:
	}
	switch {
	case n.trouble != "" && n.state == action.StepDone:
		s.Note += "; " + n.trouble
		s.Severity = kube.Warning
		if n.phase == draining && !n.silence.IsZero() {
			s.Why = []string{"How its pods stand is not told since " + clock(n.silence) + ": " + n.said}
		}
	case n.phase != finished && n.standing.failures > 0 && n.silence.IsZero():
		n.standing.tell(&s)
	case n.phase != finished && n.reading.failures > 0 && n.silence.IsZero():
		n.reading.tell(&s)
	case n.phase == draining && !n.silence.IsZero():
		s.Note += "; its pods are not watched now"
		s.Severity = kube.Warning
		s.Why = []string{
			"Since " + clock(n.silence) + " the server does not tell how its pods stand: " + n.said,
			"Nothing is asked meanwhile. It goes on by itself as soon as the server answers.",
		}
	case n.phase == finished && n.state == action.StepDone && r.drained(n):
		s.Note += "; drained"
	}
	return s
}

// tell says of a step that a reading has failed, and when it is repeated.
func (l *look) tell(s *action.Step) {
	s.Note += "; " + l.said
	s.Severity, s.Until = kube.Warning, l.again
	s.Why = []string{fmt.Sprintf("It was read %s without an answer; it is read again%s.", text.Plural(l.failures, "time", "times"), at(l.again))}
}

func (r *run) podStep(p *pod, next map[*budget]*pod) action.Step {
	s := action.Step{Object: p.Ref(), State: p.state, Since: p.since, Place: p.place, Note: p.outcome}
	switch p.state {
	case action.StepWaits:
		s.Note, s.Why = r.whyWaits(p)
	case action.StepAsking:
		s.Note = "asked to leave"
	case action.StepBlocked:
		r.blocked(&s, p, next[p.budget] == p)
	case action.StepRetrying:
		r.retrying(&s, p)
	case action.StepTerminating, action.StepStuck:
		s.Until = p.deadline()
		s.Note = "grace " + p.grace().String()
		if p.Fate == drain.Leaving {
			s.Note += ", asked to go before"
		}
		s.Why = p.whyTerminating()
		if p.state == action.StepStuck {
			s.Note = "should be gone: " + s.Note
			s.Why = r.held(p)
		}
	case action.StepGone:
		note, well := r.replacedAs(p)
		s.Note = firstOf(note, s.Note)
		if !well && time.Since(p.since) >= settling {
			s.Severity = kube.Warning
		}
	case action.StepAccepted:
		if r.silent(p.node) {
			s.Why = []string{"The " + finishing(p.node) + "."}
		}
	case action.StepFailed:
		s.Note, s.Why = p.whyDenied()
	case action.StepUnknown:
		s.Why = []string{
			"It was asked to leave" + at(p.asked) + ", and no answer has come: " + firstOf(p.last.said, "the run was over before"),
			"Look at the pod: if it is not Terminating, it was not evicted.",
		}
	default:
	}
	if p.late && p.state != action.StepLeft {
		s.Note = join("came after the plan", s.Note)
	}
	if p.node.phase == draining && !p.node.known() && p.state == action.StepBlocked {
		s.Until = time.Time{}
		s.Why = append(s.Why, "Nothing is asked while the pods of "+p.node.Name+" are not watched.")
	}
	if r.progress.Paused() && (p.state == action.StepWaits || p.state == action.StepBlocked || p.state == action.StepRetrying) {
		s.Until = time.Time{}
		s.Why = append(s.Why, "The drain is paused: nothing new is asked.")
	}
	return s
}

// whyTerminating says who has asked it to go, and until when its containers may take.
func (p *pod) whyTerminating() []string {
	who := "Somebody has asked it to go"
	switch {
	case !p.acceptedAt.IsZero():
		who = "The server has accepted its eviction" + at(p.acceptedAt)
	case p.tries > 0:
		who = "It was asked to leave" + at(p.asked) + ", and is terminating"
	}
	if p.deadline().IsZero() {
		return []string{who + "."}
	}
	return []string{who + "; its containers have until " + clock(p.deadline()) + " to end."}
}

// whyWaits says what a pod waits for that was not asked yet.
func (r *run) whyWaits(p *pod) (note string, why []string) {
	switch q := r.holder(p); {
	case p.node.phase == waiting:
		return "for the nodes before it", nil
	case !p.node.known():
		return "until the pods of " + p.node.Name + " are known", nil
	case p.Fate == drain.Leaving:
		return "asked to go before", nil
	case q == nil:
		return "for its turn", nil
	case q.state == action.StepGone:
		return join("for "+q.Name, q.status), []string{
			"One pod of the StatefulSet " + q.Owner.Name + " goes at a time: the next is asked when the new " + q.Name + " is Ready.",
		}
	default:
		return "for " + q.Name + ": " + q.state.String(), []string{
			"One pod of the StatefulSet " + q.Owner.Name + " goes at a time, and " + q.Name + " goes before it.",
		}
	}
}

func (r *run) blocked(s *action.Step, p *pod, isNext bool) {
	if p.last.verdict == closing {
		s.Until = p.again
		s.Note = "its namespace is being deleted"
		s.Why = []string{
			"The server evicts nothing from a namespace that is being deleted: " + p.last.said,
			"The pod goes with its namespace; it is asked again" + at(p.again) + ".",
		}
		return
	}
	b := p.budget
	s.Note = fmt.Sprintf("%s, refused %dx", r.allows(b), p.refusals)
	s.Why = []string{
		"The server refuses it for the budget " + b.name + ": " + firstOf(p.last.cause, p.last.said),
		fmt.Sprintf("It was refused %s (%d). A budget is never bypassed.", text.Plural(p.refusals, "time", "times"), p.last.code),
	}
	if b.known {
		s.Why = append(s.Why, b.says()+".")
	}
	next := "It is asked again when the budget changes"
	if w := r.watched[p.Namespace]; w != nil && w.trouble != "" {
		next = "The budget is not watched (" + w.trouble + "): it is asked again"
	} else if isNext {
		next += ", or"
	}
	if isNext {
		s.Until = latest(p.again, b.probe)
		next += at(s.Until)
	} else {
		next += "; other pods of the budget are asked before it"
	}
	s.Why = append(s.Why, next+".")
	if p.last.after > 0 {
		s.Note += ", the server asks for " + p.last.after.String()
	}
}

func (r *run) allows(b *budget) string {
	if b.known {
		return fmt.Sprintf("%s allows %d", b.name, b.numbers.Allowed)
	}
	return firstOf(b.name, "a budget") + " refuses"
}

func (r *run) retrying(s *action.Step, p *pod) {
	if !p.looking && !p.posting {
		s.Until = latest(p.again, latest(r.away.until, r.failing.until))
	}
	a := p.last
	const looked = "Before it is asked again it is looked at, so that nothing is done twice."
	switch {
	case p.unsure && a.verdict == conflicting:
		s.Note = fmt.Sprintf("something was in the way (%d): it is looked at", a.code)
		s.Why = []string{a.words(), looked}
	case p.unsure:
		s.Note = fmt.Sprintf("the server could not do it (%d)", a.code)
		if !p.silence.IsZero() {
			s.Note = "no answer since " + clock(p.silence)
		}
		s.Note += "; whether it happened is not known"
		s.Why = []string{"It was asked to leave" + at(p.asked) + ". " + a.words(), looked}
	case a.verdict == unreached:
		s.Note = "the API server cannot be reached; nothing was sent"
		if a.shut {
			s.Note = "the API server refuses connections; nothing was sent"
		}
		s.Why = []string{a.words(), "The pod is as it was; it is asked again as soon as the server answers."}
	case a.verdict == busy:
		s.Note = "the server sheds load (429)"
		if a.after > 0 {
			s.Note += ", it asks for " + a.after.String()
		}
		s.Why = []string{a.words(), "It is asked again" + at(p.again) + "."}
	case a.verdict == unknownUser:
		s.Note = "the server does not accept our credentials (401)"
		s.Why = []string{"Nothing can be asked before they are renewed; it is asked again" + at(p.again) + "."}
	case a.verdict == conflicting:
		s.Note = fmt.Sprintf("something was in the way (%d)", a.code)
		s.Why = []string{a.words(), "The pod is as it was; it is asked again" + at(p.again) + "."}
	default:
		s.Note = "it has not happened"
		s.Why = []string{a.words(), "The pod is as it was; it is asked again" + at(p.again) + "."}
	}
}

// whyDenied says why the server never evicts the pod.
func (p *pod) whyDenied() (note string, why []string) {
	if p.last.code == 500 {
		return "two budgets select it", []string{
			p.last.words(),
			"Its eviction fails as long as more than one budget selects it: change the selectors so that one does.",
		}
	}
	return fmt.Sprintf("refused for good (%d)", p.last.code), []string{
		p.last.words(),
		"It is not asked again in this run: the permission, or the webhook that says no, is for somebody to change.",
	}
}

// whyLeft says why a pod is where it was although it was asked.
func (p *pod) whyLeft() string {
	switch {
	case p.last.verdict == closing:
		return "its namespace is being deleted"
	case p.last.verdict == unreached && p.refusals == 0:
		return "the API server could not be reached; nothing was sent"
	case p.refusals > 0:
		return fmt.Sprintf("refused by %s, %dx", firstOf(p.budget.name, "a budget"), p.refusals)
	}
	return "asked, and it has not happened"
}

// finishing says what can end pods on a node that does not report.
func finishing(n *node) string {
	return "pods of " + n.Name + " end when its kubelet reports again, or by force delete, by the taint " +
		"node.kubernetes.io/out-of-service, or with the node"
}

func join(a, b string) string {
	if a == "" || b == "" {
		return a + b
	}
	return a + ": " + b
}

func latest(a, b time.Time) time.Time {
	if a.After(b) {
		return a
	}
	return b
}

func clock(t time.Time) string { return t.Local().Format("15:04:05") }

func at(t time.Time) string {
	if t.IsZero() {
		return ""
	}
	return " at " + clock(t)
}
