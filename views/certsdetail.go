package views

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// certTitle is a certificate with its most dangerous place: "apiserver on cp-2:6443", "web-tls in secret shop/web-tls".
func certTitle(c *kube.Cert) string {
	p := c.Place()
	switch {
	case p.Where == "" || p.Where == c.Name:
		return c.Name
	case strings.HasPrefix(p.Where, "on "):
		return c.Name + " " + p.Where
	case p.Source == kube.FromHandshake, p.Source == kube.FromMetric, p.Source == kube.FromFile && !strings.HasPrefix(p.Where, "/"):
		return c.Name + " on " + p.Where
	}
	return c.Name + " in " + p.Where
}

// certState is what the strip says beside the name: "6d4h left · until 2026-11-27 12:22 UTC".
func certState(c *kube.Cert, now time.Time) string {
	end := c.Ends()
	switch {
	case c.Hidden():
		return "not seen"
	case c.Unseen != "":
		return "no date"
	case end.IsZero():
		return c.LeftText(now)
	case now.Before(c.From):
		return "NOT YET VALID · from " + utc(c.From)
	case !now.Before(end):
		return c.LeftText(now) + " · at " + utc(end)
	}
	return c.LeftText(now) + " left · until " + utc(end)
}

// certDiagnosis says what is the matter with a certificate, what breaks, who renews it, and what could not be checked.
func certDiagnosis(c *kube.Cert, m kube.Moment) []string {
	p := c.Place()
	var out []string
	say := func(s string) {
		if s != "" && !slices.Contains(out, s) {
			out = append(out, s)
		}
	}
	if c.Unseen != "" {
		say(c.Unseen)
	}
	for i := range c.Places {
		say(c.Places[i].Note)
	}
	if ill := issuanceTrouble(c); ill != "" {
		say("cert-manager: " + ill)
	}
	if x := firstToEnd(c); x != nil {
		say("an intermediate goes first: " + x.Subject)
	}
	also := alsoBreaks(c)
	if p.Breaks != "" {
		say("breaks: " + p.Breaks + andMore(also))
	}
	switch {
	case c.Hidden() && p.Renew != "":
		say("to see it: " + p.Renew)
	case c.Hidden():
	case c.Issuance == nil && p.Renew != "":
		say("renew: " + p.Renew)
	default:
		say(renewal(c))
	}
	if len(also) > 0 {
		say("also breaks: " + strings.Join(also[:min(len(also), mostBreaks)], "; "))
	}
	for i := range c.Places {
		if q := &c.Places[i]; q.Failed != "" {
			say("not read again for " + since(m.Now, q.Checked) + " at " + q.Where + ": " + q.Failed)
		}
	}
	return out
}

// mostBreaks is how much of what else breaks the strip names; the page names all.
const mostBreaks = 4

// alsoBreaks is what breaks in other places than the most dangerous one, beside what breaks there.
func alsoBreaks(c *kube.Cert) []string {
	var out []string
	for i := range c.Places {
		if p := &c.Places[i]; breaks(p) != "" && p.Breaks != c.Places[0].Breaks && !slices.Contains(out, p.Breaks) {
			out = append(out, p.Breaks)
		}
	}
	return out
}

// breaks is what breaks in a place when the certificate expires, "" if nothing does.
func breaks(p *kube.CertPlace) string {
	if p.Outlived || p.Unverified {
		return ""
	}
	return p.Breaks
}

// andMore says how much more breaks than what has been named.
func andMore(also []string) string {
	if len(also) == 0 {
		return ""
	}
	return ", and " + text.Plural(len(also), "more breaks", "more break")
}

// classWords say who renews a credential where its place does not.
var classWords = [...]string{
	kube.ByHand:         "nothing is known to renew it by itself",
	kube.OfAuthority:    "nothing renews a CA: everything that trusts it has to be given the next one first",
	kube.KubeletRotated: "the kubelet asks for the next one when 70 to 90 % of its life are over",
	kube.CertManaged:    "cert-manager renews it",
	kube.ShortLived:     "whoever gave it gives the next one",
	kube.BootstrapToken: "it is meant to end soon",
	kube.WithoutExpiry:  "it has no end: it is good until somebody deletes it",
}

// renewal says who renews a credential, or how that is done.
func renewal(c *kube.Cert) string {
	p := c.Place()
	switch {
	case c.Issuance != nil:
		return classWords[kube.CertManaged]
	case p.Renew != "":
		return p.Renew
	}
	return classWords[p.Class]
}

// issuanceTrouble is what cert-manager has trouble with, "" if nothing.
func issuanceTrouble(c *kube.Cert) string {
	i := c.Issuance
	switch {
	case i == nil:
		return ""
	case i.Failed > 0:
		return fmt.Sprintf("%s, last at %s: %s", text.Plural(i.Failed, "attempt has failed", "attempts have failed"), utc(i.LastFailed), dash(i.Reason))
	case !i.Ready:
		return "not ready: " + dash(i.Reason)
	}
	return ""
}

// firstToEnd is the intermediate that ends before the certificate does, nil if none does.
func firstToEnd(c *kube.Cert) *kube.X509 {
	end := c.Ends()
	for _, x := range c.Chain {
		if end.Before(c.To) && x.To.Equal(end) {
			return x
		}
	}
	return nil
}

// page is all that is known of a certificate.
func (v *certs) page(c *kube.Cert, now time.Time) Details {
	m := v.known.Moment
	m.Now = now
	p := c.Place()
	d := Details{
		Title: certTitle(c), Copy: cmp.Or(command(p.Renew), c.Name), Facts: certFacts(c, m), Spent: spent(c, now),
	}
	if c.Unseen == "" {
		d.Title += ", " + c.Kind.String()
	}
	switch {
	case c.Hidden():
		d.Note = "not read"
	case !p.Checked.IsZero():
		d.Note = p.Source.String() + " " + text.Age(now, p.Checked) + " ago"
	}
	for _, s := range []action.Section{v.chain(c, m), places(c, now), v.others(c, m), todo(c)} {
		if len(s.Rows) > 0 {
			d.Sections = append(d.Sections, s)
		}
	}
	return d
}

// command is the command that a way to renew begins with, "" if it is a sentence.
func command(renew string) string {
	for _, tool := range []string{"kubeadm ", "kubectl ", "cmctl "} {
		if strings.HasPrefix(renew, tool) {
			before, _, _ := strings.Cut(renew, ",")
			return before
		}
	}
	return ""
}

// spent is how much of its life is over, in percent.
func spent(c *kube.Cert, now time.Time) int {
	life := c.Ends().Sub(c.From)
	if c.Unseen != "" || c.Ends().IsZero() || c.From.IsZero() || life <= 0 || now.Before(c.From) {
		return 0
	}
	return int(min(100, max(1, 100*now.Sub(c.From)/life)))
}

// certFacts are the facts of a certificate, in the order of the page.
func certFacts(c *kube.Cert, m kube.Moment) []Fact {
	p := c.Place()
	left := Fact{"left", c.LeftText(m.Now), c.Severity(m)}
	if life := c.Ends().Sub(c.From); life > 0 && !c.From.IsZero() && c.Unseen == "" {
		left.Value += " of " + text.Age(c.Ends(), c.From)
	}
	facts := []Fact{left}
	if c.Unseen != "" {
		facts = nil
	}
	add := func(name, value string, s kube.Severity) {
		if value != "" {
			facts = append(facts, Fact{name, value, s})
		}
	}
	if c.Hidden() {
		add("unseen", c.Unseen, kube.OK)
	} else {
		add("no date", c.Unseen, c.Severity(m))
	}
	if !c.To.IsZero() {
		add("valid", validity(c, m.Now), kube.OK)
	}
	if x := firstToEnd(c); x != nil {
		add("chain", "an intermediate goes first, at "+utc(x.To)+": "+dash(x.Subject), c.Severity(m))
	}
	if !c.Warned.IsZero() {
		add("meant", "to be used until "+utc(c.Warned), kube.OK)
	}
	for i := range c.Places {
		if note := c.Places[i].Note; note != "" && !slices.Contains(facts, Fact{"note", note, c.Places[i].Severity}) {
			add("note", note, c.Places[i].Severity)
		}
	}
	if p.Breaks != "" {
		add("breaks", p.Breaks+andMore(alsoBreaks(c)), kube.OK)
	}
	if c.Hidden() {
		add("see it", p.Renew, kube.OK)
	} else {
		add("renewal", renewal(c), kube.OK)
	}
	if p.External == kube.Yes {
		add("external", "the key of its CA is not there: kubeadm does not renew it", kube.OK)
	}
	if i := c.Issuance; i != nil {
		add("issuance", issuanceText(i), kube.OK)
		add("trouble", issuanceTrouble(c), kube.Warning)
	}
	return append(facts, x509Facts(c, m)...)
}

// validity is from when to when, in UTC and the end in the local time too.
func validity(c *kube.Cert, now time.Time) string {
	s := strings.TrimSuffix(utc(c.From), " UTC") + " to " + utc(c.To)
	if local := c.To.In(now.Location()); local.Format("-0700") != "+0000" {
		s += local.Format(" (15:04 MST)")
	}
	return s
}

func issuanceText(i *kube.Issuance) string {
	s := "by cert-manager, " + dash(i.Issuer) + ", certificate " + i.Object.FullName()
	if !i.RenewAt.IsZero() {
		s += "; due " + utc(i.RenewAt)
	}
	if i.Issuing {
		s += "; being issued now"
	}
	return s
}

// x509Facts are what the certificate itself says.
func x509Facts(c *kube.Cert, m kube.Moment) []Fact {
	x := c.X509
	if x == nil {
		return nil
	}
	names := slices.Concat(x.DNS, x.IPs, x.Other)
	key := x.Key
	if len(x.Usages) > 0 {
		key += "; " + strings.Join(x.Usages, ", ")
	}
	return []Fact{
		{"subject", dash(x.Subject), kube.OK},
		{"issuer", dash(x.Issuer), kube.OK},
		{"names", dash(strings.Join(names, ", ")), kube.OK},
		{"key", key + "; signed with " + x.Signature, kube.OK},
		{"serial", x.Serial + "   " + constancy(c, m.Now), kube.OK},
		{"sha-256", x.Fingerprint, kube.OK},
	}
}

// constancy says whether the place has shown the same certificate as long as it has been looked at.
func constancy(c *kube.Cert, now time.Time) string {
	switch p := c.Place(); {
	case p.Before != "":
		return "changed " + since(now, p.Since) + " ago"
	case p.Checks == 2:
		return "same serial as at the check before"
	case p.Checks > 1:
		return fmt.Sprintf("same serial as at the last %s", text.Plural(p.Checks-1, "check", "checks"))
	}
	return "checked once so far"
}

// chain is what is sent, or stored, with a certificate, itself first, and who has signed the last of them.
func (v *certs) chain(c *kube.Cert, m kube.Moment) action.Section {
	s := action.Section{
		Title:   "chain, as " + certVerb(c),
		Columns: []action.Column{{Title: "#"}, {Title: "ROLE"}, {Title: "LEFT", Right: true}, {Title: "UNTIL (UTC)"}, {Title: "SUBJECT"}},
	}
	if c.X509 == nil {
		return action.Section{}
	}
	line := func(number, role string, x *kube.X509, note string) {
		one := kube.Cert{From: x.From, To: x.To}
		sev := kube.OK
		if !m.Now.Before(x.To) || m.Now.Before(x.From) {
			sev = kube.Bad
		}
		s.Rows = append(s.Rows, action.Row{Severity: sev, Cells: []string{
			number, role, one.LeftText(m.Now), strings.TrimSuffix(utc(x.To), " UTC"), dash(x.Subject) + note,
		}})
	}
	all := append([]*kube.X509{c.X509}, c.Chain...)
	for i, x := range all {
		line(fmt.Sprint(i), certRole(i, x), x, "")
	}
	first := max(0, slices.Index(all, firstToEnd(c))) // the one that ends it, itself if no other does
	s.Rows[first].Severity = max(s.Rows[first].Severity, c.Severity(m))
	last := all[len(all)-1]
	switch signer := v.signer(last); {
	case last.SelfSigned:
	case signer == nil:
		s.Rows = append(s.Rows, action.Row{Cells: []string{"-", "issuer", "-", "-", dash(last.Issuer) + ", not sent, and not known here"}})
	default:
		line("-", certRole(len(all), signer), signer, ", not sent, known here")
	}
	return s
}

// certVerb is how a chain came here: "cp-2:6443 sends it".
func certVerb(c *kube.Cert) string {
	if p := c.Place(); p.Source == kube.FromHandshake {
		return p.Where + " sends it"
	}
	return "it is stored"
}

func certRole(i int, x *kube.X509) string {
	switch {
	case x.SelfSigned && x.CA:
		return "root"
	case x.SelfSigned:
		return "self-signed"
	case x.CA && i > 0:
		return "intermediate"
	case x.CA:
		return "CA"
	}
	return "leaf"
}

// signer is the CA of that subject that lasts longest, among those that are known; nil if there is none.
func (v *certs) signer(of *kube.X509) *kube.X509 {
	var found *kube.X509
	for i := range v.known.Len() {
		x := v.known.Row(i).X509
		if x != nil && x.CA && x.Subject == of.Issuer && (found == nil || x.To.After(found.To)) {
			found = x
		}
	}
	return found
}

// places are all where a certificate was seen, and how well that went.
func places(c *kube.Cert, now time.Time) action.Section {
	s := action.Section{
		Title: "places", Note: text.Count(len(c.Places)),
		Columns: []action.Column{{Title: "WHERE"}, {Title: "HOW", Wide: true}, {Title: "CHECKED", Right: true}, {Title: "WHAT BREAKS THERE"}},
	}
	told := len(c.Places) > 1 // of a single one the title tells all
	for i := range c.Places {
		p := &c.Places[i]
		row := action.Row{Severity: p.Severity}
		var notes []string
		if b := breaks(p); b != "" && len(c.Places) > 1 {
			notes = append(notes, b)
		}
		if p.Failed != "" {
			notes = append(notes, "then: "+p.Failed)
			row.Severity = max(row.Severity, kube.Warning)
		}
		if p.Note != "" {
			notes = append(notes, p.Note)
		}
		if p.Outlived {
			notes = append(notes, "another one there lasts longer")
		}
		if p.Ours {
			notes = append(notes, "we are let in by it")
		}
		row.Cells = []string{p.Where, dash(p.Source.String()), checked(c, p, now), joined(": ", calledThere(c, p), strings.Join(notes, "; "))}
		s.Rows, told = append(s.Rows, row), told || len(notes) > 0
	}
	if !told {
		return action.Section{}
	}
	return s
}

// calledThere is what a certificate is called in a place, "" where that is what it is called everywhere.
func calledThere(c *kube.Cert, p *kube.CertPlace) string {
	if slices.ContainsFunc(c.Places, func(o kube.CertPlace) bool { return o.Name != p.Name }) {
		return p.Name
	}
	return ""
}

// mostOthers is how many certificates of the same name are shown, those that end first.
const mostOthers = 12

// others are the certificates of the same name on other machines.
func (v *certs) others(c *kube.Cert, m kube.Moment) action.Section {
	var rows []*kube.Cert
	for i := range v.known.Len() {
		if o := v.known.Row(i); c.Place().Host != "" && o.Name == c.Name && o.Place().Host != "" {
			rows = append(rows, o)
		}
	}
	if len(rows) < 2 {
		return action.Section{}
	}
	slices.SortFunc(rows, func(a, b *kube.Cert) int {
		return cmp.Or(cmp.Compare(soonest(b), soonest(a)), certsByName(a, b))
	})
	s := action.Section{
		Title: "all of this name", Note: text.Plural(len(rows), "machine", "machines") + ", each has its own",
		Columns: []action.Column{{Title: "WHERE"}, {Title: "LEFT", Right: true}, {Title: "UNTIL (UTC)"}, {Title: "NOTE"}},
	}
	if c.Name == "apiserver" {
		s.Title = "the API servers"
	}
	for _, o := range rows[:min(len(rows), mostOthers)] {
		note := "issued " + since(m.Now, o.From) + " ago"
		if o.Unseen != "" {
			note = o.Unseen
		}
		if o == c {
			note += ", this one"
		}
		s.Rows = append(s.Rows, action.Row{Severity: o.Severity(m), Cells: []string{
			o.Place().Where, o.LeftText(m.Now), strings.TrimSuffix(utc(o.Ends()), " UTC"), note,
		}})
	}
	if more := len(rows) - mostOthers; more > 0 {
		s.Rows = append(s.Rows, action.Row{Cells: []string{fmt.Sprintf("and %s that last longer", text.Count(more))}})
	}
	return s
}

// todo says what somebody can do, and how he sees that it has worked.
func todo(c *kube.Cert) action.Section {
	p := c.Place()
	s := action.Section{Title: "what to do"}
	say := func(sentence string) {
		if sentence != "" {
			s.Rows = append(s.Rows, action.Row{Cells: []string{sentence}})
		}
	}
	if command(p.Renew) != "" && !strings.HasPrefix(p.Renew, "kubectl ") {
		s.Note = "kubectl cannot do this"
	}
	switch {
	case p.External == kube.Yes:
		say("The key of its CA is not on this cluster: kubeadm does not renew it. Whoever holds that key does.")
	case c.Hidden():
		say(p.Renew)
	default:
		say(renewal(c))
	}
	if c.Issuance != nil {
		say("The key for renewing has it issue a new one now.")
	}
	switch {
	case c.Unseen != "" || p.Class != kube.ByHand:
	case p.Source == kube.FromHandshake:
		say("This page changes when another serial is served.")
	case p.Source == kube.FromFile:
		say("This page changes when the file does. What is served changes with the process that has read it.")
	default:
		say("This page changes when it does.")
	}
	return s
}
