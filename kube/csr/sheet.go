package csr

import (
	"fmt"
	"net"
	"slices"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/util/duration"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// sheet makes a plan of facts.
type sheet struct {
	*facts
	target action.Target
	chosen action.Options
	plan   *action.Plan
}

func newSheet(f *facts, id action.ID, t action.Target, o action.Options) *sheet {
	p := &action.Plan{Action: id, Target: t, Options: o, Made: f.now, Details: map[string]any{}, Tier: action.Read}
	p.Word = words(t.Name())
	if len(t.Refs) > 1 {
		p.Word = text.Plural(len(t.Refs), "request", "requests")
	}
	args := []string{"certificate", id.Verb()}
	for _, ref := range t.Refs {
		args = append(args, ref.Name)
	}
	p.Kubectl = []string{action.Kubectl(t.Context, args...)}
	p.Gate = id.Verb() + " " + words(t.Name())
	return &sheet{f, t, o, p}
}

// approval is the plan that approves.
func (s *sheet) approval() *action.Plan {
	for _, r := range s.requests {
		s.refuse(r)
		if r.broken != "" {
			s.plan.Refusals = append(s.plan.Refusals, fmt.Sprintf("the request of %s cannot be read, and nobody can say what would be approved: %s",
				r.row.Name, r.broken))
		}
	}
	if len(s.requests) > 1 {
		s.approveSeveral()
	} else {
		s.approveOne(s.requests[0])
	}
	s.plan.Sections = append(s.plan.Sections, s.notKnown()...)
	s.finish(true)
	return s.plan
}

// refuse says why nothing can be decided about a request any more, or not by us.
func (s *sheet) refuse(r *request) {
	id, row := s.plan.Action, r.row
	if !r.may {
		s.plan.Refusals = append(s.plan.Refusals, fmt.Sprintf("you may not %s: the server wants that of whoever decides for that signer",
			signers(r.object.Spec.SignerName)[0]))
	}
	why := ""
	switch row.Condition {
	case kube.CSRPending:
		return
	case kube.CSRDenied:
		why = "was denied %s ago%s: what has been denied cannot be approved any more"
		if id == action.Deny {
			why = "was denied %s ago%s already"
		}
	case kube.CSRFailed:
		why = "failed %s ago%s: its signer will not look at it again"
	case kube.CSRApproved, kube.CSRIssued:
		why = "was approved %s ago%s already"
		if id == action.Deny {
			why = "was approved %s ago%s: what has been approved cannot be denied any more"
		}
	}
	reason := ""
	if row.Reason != "" {
		reason = " (" + row.Reason + ")"
	}
	s.plan.Refusals = append(s.plan.Refusals, row.Name+" "+fmt.Sprintf(why, text.Age(s.now, row.Since), reason))
}

// approveOne is the sheet of one request.
func (s *sheet) approveOne(r *request) {
	p := s.plan
	p.Headline = s.pending(r)
	p.Details["signer"], p.Details["requestor"], p.Details["asks for"] = r.row.Signer, r.row.Requestor, r.row.AsksText()
	if !ofKubelet(r.object.Spec.SignerName) {
		s.approveOther(r)
		return
	}
	c := compare(r, s.facts)
	if r.row.Condition != kube.CSRPending { // refused: only what it is matters
		p.Sections = append(p.Sections, c.table())
		return
	}
	p.Facts = append(p.Facts, s.until(r)...)
	if o := c.newer(); o != nil {
		p.Facts = append(p.Facts, action.Fact{Name: "but", Severity: kube.Warning, Text: fmt.Sprintf(
			"a newer request of the same kubelet waits, %s: it takes up only the one that it has made last", words(o.Name))})
	}
	if c.byOwnWord() {
		p.Facts = append(p.Facts, ownWord)
	}
	p.Facts = append(p.Facts, undoApproval)
	p.Sections = append(p.Sections, c.table())
	s.speakAgainst(c.why)
	p.Sections = append(p.Sections, action.Section{Title: "then", Rows: []action.Row{line(kube.OK, "%s; %s", lasts(r.row), s.pickedUp(r))}})
	if r.name != "" {
		p.Gate += " for " + c.nodeWords()
	}
	p.Foot = c.foot()
	p.Details["node"], p.Details["differs"] = c.nodeWords(), c.different()
}

// ownWord says what the comparison cannot show: NodeRestriction lets a kubelet write the status of its own Node, addresses and all
// (plugin/pkg/admission/noderestriction in Kubernetes).
var ownWord = action.Fact{Name: "proof", Text: "none that the machine has these addresses: a kubelet writes those of its Node itself"}

// byOwnWord reports whether names are compared with what a kubelet says of its own Node.
func (c *comparison) byOwnWord() bool { return c.serving() && c.node != nil && c.wants != nil }

// undoApproval says that there is no way back.
var undoApproval = action.Fact{Name: "undo", Text: "none: a certificate cannot be revoked, it is good until it expires"}

// speakAgainst makes the plan one for which the name is typed, if there is a reason.
func (s *sheet) speakAgainst(why []action.Row) {
	if len(why) == 0 {
		return
	}
	s.plan.Tier = action.Write
	s.plan.Sections = append(s.plan.Sections, action.Section{Title: "why this is tier 3", Rows: why})
}

// pending is the state of a request in one sentence.
func (s *sheet) pending(r *request) string {
	from := ", from " + r.row.Requestor
	if r.name != "" && asksAsNode(r.object) {
		from = ", from " + words(r.name)
	}
	state := r.row.Printed
	if r.row.Condition == kube.CSRPending {
		state += " " + text.Age(s.now, r.row.Created)
	}
	return fmt.Sprintf("%s: %s, signer %s%s.", r.row.Name, state, r.row.Signer, from)
}

// until says what does not work for as long as a request of a kubelet is not signed.
func (s *sheet) until(r *request) []action.Fact {
	node := orElse(words(r.name), "its node")
	switch {
	case r.object.Spec.SignerName == certificatesv1.KubeletServingSignerName:
		return []action.Fact{{Name: "until", Text: fmt.Sprintf("it is signed: no metrics, logs or exec for pods on %s, unless its kubelet "+
			"has an older certificate that is still good", node)}}
	case r.node != nil:
		return []action.Fact{{Name: "until", Text: fmt.Sprintf(
			"it is signed: %s goes silent once the certificate that its kubelet has now expires", node)}}
	}
	return []action.Fact{{Name: "until", Text: fmt.Sprintf("it is signed: %s cannot join the cluster", node)}}
}

// lasts is for how long a certificate will be good.
func lasts(row *kube.CSR) string {
	if row.Asked > 0 {
		return "Signed for the " + duration.HumanDuration(row.Asked) + " that it asks for, or less if its signer gives no more"
	}
	return "Signed for as long as its signer gives, 365d by default"
}

// kubeletWaits is how long a kubelet waits for the answer to a request (certificateWaitTimeout in
// k8s.io/client-go/util/certificate). The one by which it joins it makes again under the same name.
const kubeletWaits = 15 * time.Minute

func (s *sheet) pickedUp(r *request) string {
	if asksAsNode(r.object) && s.now.Sub(r.object.CreationTimestamp.Time) > kubeletWaits {
		return "its kubelet does not wait for it any more: after 15 minutes it asks anew, with another request."
	}
	if r.object.Spec.SignerName == certificatesv1.KubeletServingSignerName || r.node != nil {
		return "the kubelet picks it up by itself within a minute."
	}
	return "the kubelet picks it up by itself and registers its Node."
}

// The widths of the columns: with the verdict they fit into a sheet of 80 columns.
const asksWidth, hasWidth = 27, 23

// table is the comparison as it is shown. What is long goes on below: the verdict has to be seen.
func (c *comparison) table() action.Section {
	its := "NODE " + c.nodeWords()
	if text.Width(its) > hasWidth {
		its = "ITS NODE"
	}
	out := action.Section{
		Title:   "what it asks for, and what the Node says",
		Columns: []action.Column{{Title: "FIELD"}, {Title: "THE REQUEST"}, {Title: its}, {Title: "OK"}},
	}
	fields := c.fields
	if c.broken != "" {
		fields = append(slices.Clip(fields), field{"request", "cannot be read: " + c.broken, "", differs})
	}
	for _, f := range fields {
		asks, has := text.Wrap(f.asks, asksWidth), text.Wrap(f.has, hasWidth)
		out.Rows = append(out.Rows, f.verdict.row(f.name, at(asks, 0), at(has, 0)))
		for i := 1; i < max(len(asks), len(has)); i++ {
			out.Rows = append(out.Rows, action.Row{Cells: []string{"", at(asks, i), at(has, i), ""}})
		}
	}
	return out
}

// at is one of some lines, "" behind their end.
func at(lines []string, i int) string {
	if i >= len(lines) {
		return ""
	}
	return lines[i]
}

// different names the fields that are not the same.
func (c *comparison) different() []string {
	out := []string{}
	for _, f := range c.fields {
		if f.verdict == differs {
			out = append(out, f.name+" "+f.asks)
		}
	}
	return out
}

// foot says what is wrong in few words.
func (c *comparison) foot() string {
	if len(c.foreign) == 0 {
		return some(c.different(), 2)
	}
	one, many := "name is", "names are"
	if !slices.ContainsFunc(c.foreign, func(n name) bool { return net.ParseIP(n.text) == nil }) {
		one, many = "address is", "addresses are"
	}
	said := text.Plural(len(c.foreign), one, many) + " not of " + c.nodeWords()
	if slices.ContainsFunc(c.foreign, func(n name) bool { return n.own }) {
		said += " alone"
	}
	return said
}

// signedBy is what is known of the signers of Kubernetes that are not for kubelets
// (https://kubernetes.io/docs/reference/access-authn-authz/certificate-signing-requests/#kubernetes-signers).
func signedBy(signer string) (signs, approves string) {
	switch {
	case signer == certificatesv1.KubeAPIServerClientSignerName:
		return "kube-controller-manager, at once", "an administrator: nobody in Kubernetes does so by itself"
	case strings.HasPrefix(signer, "kubernetes.io/"):
		return "nobody that is known here: it is no signer of Kubernetes", "not known"
	}
	return "whoever runs as " + words(signer) + " in this cluster", "whoever runs that signer"
}

// approveOther is the sheet of a request for which there is nothing to compare it with.
func (s *sheet) approveOther(r *request) {
	p, signer := s.plan, r.object.Spec.SignerName
	signs, approves := signedBy(signer)
	p.Facts = append(p.Facts,
		action.Fact{Name: "signs", Text: signs}, action.Fact{Name: "usual", Text: "approved by " + approves}, undoApproval)
	p.Sections = append(p.Sections, asked(r))
	why := []action.Row{line(kube.Warning, "Nothing in the cluster says what %s may ask for: only you can know.", r.row.Requestor)}
	if r.wants != nil && signer == certificatesv1.KubeAPIServerClientSignerName {
		in := ""
		if o := r.wants.Subject.Organization; len(o) > 0 {
			in = ", in " + groupsOf(o) + ","
		}
		why = append(why, line(kube.Bad, "Who holds this certificate is %s%s to the API server until it expires.",
			orNone(words(r.wants.Subject.CommonName)), in))
	}
	s.speakAgainst(why)
	p.Sections = append(p.Sections, action.Section{Title: "then", Rows: []action.Row{
		line(kube.OK, "%s. Whoever has asked fetches it himself.", lasts(r.row)),
	}})
	p.Foot = "signer " + words(signer)
}

// asked is what a request says, without anything beside it.
func asked(r *request) action.Section {
	row := r.row
	out := action.Section{Title: "what it asks for", Columns: []action.Column{{Title: "FIELD"}, {Title: "THE REQUEST"}}}
	add := func(name string, values ...string) {
		if v := join(values); v != "" { // a row of a request has few enough of each
			out.Rows = append(out.Rows, action.Row{Cells: []string{name, v}})
		}
	}
	add("requestor", row.Requestor)
	add("groups", groupWords(r.object.Spec.Groups))
	if r.broken != "" {
		out.Rows = append(out.Rows, action.Row{Severity: kube.Bad, Cells: []string{"request", "cannot be read: " + r.broken}})
		return out
	}
	add("CN", orNone(row.CommonName))
	add("O", row.Organizations...)
	add("DNS", row.DNS...)
	add("IP", row.IPs...)
	add("names", row.Other...)
	if row.More > 0 {
		add("more", text.Plural(row.More, "name", "names"))
	}
	add("usages", row.Usages...)
	add("besides", cleaned(besides(r.wants))...)
	add("key", row.Key)
	return out
}

// nameWidth is what there is room for of a name in a list.
const nameWidth = 24

// of is the line of a request among others.
func (v verdict) of(r *request, node string) action.Row {
	return action.Row{Severity: v.severity(), Cells: []string{r.row.Name, v.String(), text.CutMiddle(node, nameWidth, "…"), r.row.AsksText()}}
}

// approveSeveral is the sheet of several requests: only such that agree with their Nodes in everything.
func (s *sheet) approveSeveral() {
	p := s.plan
	p.Headline = fmt.Sprintf("%s, each of which asks for what its Node has.", p.Word)
	list := action.Section{Title: p.Word, Columns: []action.Column{{Title: "REQUEST"}, {Title: "OK"}, {Title: "NODE"}, {Title: "ASKS FOR"}}}
	bad, late, ownWords := 0, 0, false
	var names []string
	for _, r := range s.requests {
		names = append(names, r.row.AsksText())
		if !ofKubelet(r.object.Spec.SignerName) {
			bad++
			p.Refusals = append(p.Refusals, fmt.Sprintf("%s is for signer %s, and has no Node to compare it with: approve it alone",
				r.row.Name, r.row.Signer))
			list.Rows = append(list.Rows, differs.of(r, "none"))
			continue
		}
		c, v := compare(r, s.facts), same
		if len(c.why) > 0 || r.broken != "" {
			v = differs
			bad++
			p.Refusals = append(p.Refusals, fmt.Sprintf("%s does not agree with its Node: look at it alone (%s)",
				r.row.Name, orNone(some(c.different(), 3))))
		}
		if c.newer() != nil {
			late++
		}
		ownWords = ownWords || c.byOwnWord()
		list.Rows = append(list.Rows, v.of(r, c.nodeWords()))
	}
	if bad > 0 {
		p.Headline = fmt.Sprintf("%s, %s of which cannot be approved with others.", p.Word, text.Count(bad))
	}
	if late > 0 {
		p.Facts = append(p.Facts, action.Fact{Name: "but", Severity: kube.Warning, Text: fmt.Sprintf(
			"of %s a newer one waits: a kubelet takes up only the one that it has made last", text.Plural(late, "request", "requests"))})
	}
	if ownWords {
		p.Facts = append(p.Facts, ownWord)
	}
	p.Facts = append(p.Facts, undoApproval)
	p.Sections = append(p.Sections, list)
	p.Details["asks for"] = names
	p.Gate = "approve " + p.Word
}

// reasons are those that a denial may have.
var reasons = []struct{ key, choice, message string }{
	{"", "no reason is given", ""},
	{"names", "it asks for names that are not its own", "It asks for names that are not its own."},
	{"asker", "nobody knows who asks", "It is not known who asks."},
	{"unwanted", "nobody needs it", "It is not needed."},
}

// denial is the plan that denies.
func (s *sheet) denial() *action.Plan {
	p := s.plan
	kubelets := true
	for _, r := range s.requests {
		s.refuse(r)
		kubelets = kubelets && ofKubelet(r.object.Spec.SignerName)
	}
	p.Facts = append(p.Facts, action.Fact{Name: "undo", Text: "none: a request that was denied cannot be approved any more"})
	if kubelets {
		p.Facts = append(p.Facts, action.Fact{Name: "then", Text: "its kubelet asks again within minutes, with another request"})
	}
	if r := s.requests[0]; len(s.requests) == 1 {
		p.Headline = s.pending(r) + " It will be denied: nobody signs it."
		p.Details["signer"], p.Details["requestor"], p.Details["asks for"] = r.row.Signer, r.row.Requestor, r.row.AsksText()
		if ofKubelet(r.object.Spec.SignerName) {
			c := compare(r, s.facts)
			p.Sections = append(p.Sections, c.table())
			if len(c.why) > 0 {
				p.Sections = append(p.Sections, action.Section{Title: "what speaks against it", Rows: c.why})
			}
		} else {
			p.Sections = append(p.Sections, asked(r))
		}
	} else {
		p.Headline = p.Word + " will be denied: nobody signs them."
		list := action.Section{Title: p.Word, Columns: []action.Column{{Title: "REQUEST"}, {Title: "REQUESTOR"}, {Title: "ASKS FOR"}}}
		for _, r := range s.requests {
			list.Rows = append(list.Rows, action.Row{Cells: []string{r.row.Name, text.CutMiddle(r.row.Requestor, nameWidth, "…"), r.row.AsksText()}})
		}
		p.Sections = append(p.Sections, list)
		p.Gate = "deny " + p.Word
	}
	p.Toggles = append(p.Toggles, s.reason())
	s.finish(false)
	return p
}

// reason lets the operator say why.
func (s *sheet) reason() action.Toggle {
	t := action.Toggle{ID: OptionReason, Words: "why, as the request will say"}
	for _, r := range reasons {
		t.Values = append(t.Values, r.key)
		t.Choices = append(t.Choices, action.Choice{Words: r.choice})
	}
	if v := s.chosen[OptionReason]; slices.Contains(t.Values, v) {
		t.Value = v
	}
	return t
}

// notKnown is what could not be read.
func (s *sheet) notKnown() []action.Section {
	var rows []action.Row
	for _, u := range s.unknown {
		rows = append(rows, line(kube.Warning, "%s", u))
	}
	if rows == nil {
		return nil
	}
	return []action.Section{{Title: "not known", Rows: rows}}
}

// finish gives the plan its work, unless it may not be confirmed.
func (s *sheet) finish(approve bool) {
	if len(s.plan.Refusals) > 0 {
		s.plan.Kubectl = nil // what is not to be done here is not to be done by pasting it either
		return
	}
	w := &work{approve: approve, why: s.message()}
	for _, r := range s.requests {
		a := aim{ref: r.ref, object: r.object}
		if approve && r.name != "" && r.nodeErr == nil {
			a.node = &seen{name: r.name}
			if r.node != nil {
				a.node.uid, a.node.addresses = string(r.node.UID), addresses(r.node)
			}
		}
		w.aims = append(w.aims, a)
	}
	s.plan.Work = w
}

// message is the reason that was chosen.
func (s *sheet) message() string {
	i := slices.IndexFunc(reasons, func(r struct{ key, choice, message string }) bool { return r.key == s.chosen[OptionReason] })
	if i < 0 {
		return ""
	}
	return reasons[i].message
}

// left is how long a certificate is still good.
func left(now, until time.Time) string { return duration.HumanDuration(until.Sub(now)) }
