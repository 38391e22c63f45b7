package views

import (
	"cmp"
	"fmt"
	"slices"
	"strings"
	"time"

	"ktriage/internal/table"
	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// Certs is where the Certs pane gets what it shows.
type Certs struct {
	Rows    Feed[*kube.Cert] // as the operator wants them
	All     Feed[*kube.Cert] // all of them, whatever the filter
	CSRs    Feed[*kube.CSR]
	Waiting Feed[*kube.CSR] // those that wait for approval
}

// certs is the Certs pane: what expires, the soonest first, and what cannot be seen; below it the signing requests that wait;
// or, in its place, the list of all requests.
type certs struct {
	rows     *list[*kube.Cert]
	csrs     *list[*kube.CSR]
	waiting  *list[*kube.CSR]
	all      Feed[*kube.Cert]
	known    *kube.Snapshot[*kube.Cert] // of all
	outlook  outlook                    // on known
	requests bool                       // the requests are shown
	size     Size                       // as drawn last
}

// outlook is what there is to say of all certificates together.
type outlook struct {
	dated    bool              // the end of any is known
	next     *kube.Cert        // of those that somebody has to renew, the one that expires first; nil if there is none
	hidden   int               // nobody could look at them
	warnings int               // all of them, those included that counts leaves out
	counts   [kube.Bad + 1]int // see Counts
}

// NewCerts makes the Certs pane.
func NewCerts(from Certs) View {
	v := &certs{all: from.All, known: &kube.Snapshot[*kube.Cert]{}}
	v.all.SetQuery(query(order[*kube.Cert]{id: "all", compare: certsByName}, false, certsByName, Filter{}, nil))
	v.rows = newList(from.Rows, v.certSpec())
	v.csrs = newList(from.CSRs, v.csrSpec())
	waiting := v.csrSpec()
	waiting.columns = csrColumns(v.short)[:5]
	v.waiting = newList(from.Waiting, waiting)
	v.waiting.ask(question{pin: waitingPin})
	v.waiting.table.HideCursor()
	return v
}

func (v *certs) certSpec() spec[*kube.Cert] {
	return spec[*kube.Cert]{
		name: "certs", one: "certificate", many: "certificates", none: "Every source has been read, and none has shown one.",
		scope: keymap.Certs, needs: kube.Certs,
		columns:  certColumns(v.short, v.where),
		orders:   certOrders(),
		byName:   certsByName,
		severity: (*kube.Cert).Severity,
		fields:   certFilterFields(), searched: certText,
		unknown:   unknown,
		counts:    func(*kube.Snapshot[*kube.Cert]) string { return "" }, // the heading says it
		heading:   v.heading,
		state:     func(c *kube.Cert, m kube.Moment) string { return certState(c, m.Now) },
		diagnosis: certDiagnosis,
		details:   certFacts,
		open:      func(*kube.Cert) []Effect { return []Effect{ShowDetails{}} },
		other:     certKey,
		copied:    func(c *kube.Cert) string { return c.Name },
		why:       whyNotCert,
	}
}

// unknown reports whether nobody knows how a certificate is, and that is no reason to worry. Where it is one, the row stands
// among the warnings and has their mark.
func unknown(c *kube.Cert) bool { return c.Unseen != "" && c.Severity(kube.Moment{}) < kube.Warning }

// certKey is what the keys of the pane do to a certificate.
func certKey(c *kube.Cert, id keymap.ID) []Effect {
	if id == keymap.CertNode {
		return []Effect{Open{Place{Pane: "nodes", Name: c.Place().Host}}}
	}
	return nil
}

// whyNotCert gives the reason for which a key does nothing to a certificate, "" if it does.
func whyNotCert(c *kube.Cert, id keymap.ID) string {
	switch id {
	case keymap.CertNode:
		if c.Place().Host == "" {
			return "it is not a node's"
		}
	case keymap.RenewCert:
		switch {
		case c.Unseen != "" && !c.Hidden():
			return "no date is known of it, so that nobody could tell whether that worked: " + c.Unseen
		case c.Unseen != "":
			return "it cannot be seen from here, so that nobody could tell whether that worked: " + c.Unseen
		case c.Place().Class == kube.OfAuthority:
			return "it is a CA: everything that trusts it has to be given the next one first"
		case c.Kind == kube.Token || c.Place().Class == kube.BootstrapToken || c.Place().Class == kube.WithoutExpiry:
			return "it is a token: whoever gave it gives another one"
		}
	}
	return ""
}

// axisCells are how many cells the next 90 days take.
const (
	axisCells = 30
	axisCell  = 3 * 24 * time.Hour
	axisTitle = "0 7d      30d       60d     90d"
)

// certColumns are the columns of certificates, the most needed first. where says where one is, and short whether there is little
// room.
func certColumns(short func() bool, where func(*kube.Cert) string) []table.Column[*kube.Cert] {
	said := func(id, title string, least, most, drop int, say func(*kube.Cert, time.Time) string) table.Column[*kube.Cert] {
		return table.Column[*kube.Cert]{ID: id, Title: title, Min: least, Max: most, Drop: drop,
			Cell: func(c *kube.Cert, m kube.Moment) table.Cell { return plain(say(c, m.Now)) }}
	}
	age := said("checked", "CHECKED", 7, 0, 8, func(c *kube.Cert, now time.Time) string { return checked(c, &c.Places[0], now) })
	age.Right = true
	return []table.Column[*kube.Cert]{
		{ID: "left", Title: "LEFT", Min: 7, Right: true,
			Cell: func(c *kube.Cert, m kube.Moment) table.Cell { return leftCell(c, m, short()) }},
		{ID: "name", Title: "CERTIFICATE", Min: 14, Max: 32, Flex: true, Middle: true,
			Cell: func(c *kube.Cert, _ kube.Moment) table.Cell { return plain(c.Name) }},
		{ID: "where", Title: "WHERE", Min: 12, Max: 36, Flex: true, Middle: true,
			Cell: func(c *kube.Cert, _ kube.Moment) table.Cell { return plain(where(c)) }},
		{ID: "days", Title: axisTitle, Min: axisCells + 1, Max: axisCells + 1, Drop: 1, Cell: daysCell},
		said("expires", "EXPIRES", 22, 0, 2, func(c *kube.Cert, _ time.Time) string { return expires(c) }),
		said("residual", "RESIDUAL TIME", 13, 0, 11, (*kube.Cert).ResidualText),
		said("kind", "KIND", 7, 0, 7, func(c *kube.Cert, _ time.Time) string { return c.Kind.String() }),
		said("authority", "CERTIFICATE AUTHORITY", 21, 40, 9, func(c *kube.Cert, _ time.Time) string { return dash(c.Place().Authority) }),
		said("external", "EXTERNALLY MANAGED", 18, 0, 12, func(c *kube.Cert, _ time.Time) string { return c.Place().External.String() }),
		said("how", "HOW", 9, 0, 10, func(c *kube.Cert, _ time.Time) string { return dash(c.Place().Source.String()) }),
		age,
	}
}

// checked is how long ago a place was read, "-" if nobody could.
func checked(c *kube.Cert, p *kube.CertPlace, now time.Time) string {
	if c.Hidden() {
		return "-"
	}
	return since(now, p.Checked)
}

func leftCell(c *kube.Cert, m kube.Moment, short bool) table.Cell {
	if c.Unseen != "" {
		return table.Cell{Text: "-", Token: themes.Muted}
	}
	left := c.LeftText(m.Now)
	if short {
		left = strings.TrimSuffix(left, " ago") // the column says what it is about
	}
	return table.Cell{Text: left, Token: severityToken(c.Severity(m))}
}

// daysCell is a certificate on the axis of the next 90 days: a line up to its end, and there a mark that says how bad that is.
func daysCell(c *kube.Cert, m kube.Moment) table.Cell {
	end := c.Ends()
	switch {
	case c.Unseen != "":
		return table.Cell{Text: c.Unseen, Token: themes.Muted}
	case end.IsZero():
		return table.Cell{Text: "no expiry", Token: themes.Muted}
	case m.Now.Before(c.From):
		return table.Cell{Text: "valid from " + utc(c.From), Token: severityToken(c.Severity(m))}
	}
	axis := table.Axis{Cells: int(max(0, end.Sub(m.Now)) / axisCell), On: true}
	if axis.Cells >= axisCells {
		axis.Cells, axis.Mark, axis.Token = axisCells, themes.GlyphMore, themes.Muted
		return table.Cell{Axis: axis}
	}
	switch c.Severity(m) {
	case kube.Bad:
		axis.Mark, axis.Token = themes.GlyphBad, themes.Bad
	case kube.Warning:
		axis.Mark, axis.Token = themes.GlyphWarn, themes.Warn
	case kube.Notice, kube.OK:
		axis.Mark, axis.Token = themes.GlyphNotice, themes.Text
	}
	return table.Cell{Axis: axis}
}

// where says where the most dangerous place is, and how many more there are.
func (v *certs) where(c *kube.Cert) string {
	p := c.Place()
	w := p.Where
	if v.short() {
		w = briefly(p)
	}
	if n := len(c.Places) - 1; n > 0 {
		w += fmt.Sprintf(" +%d", n)
	}
	return w
}

// briefly is where a place is, where there is little room. Objects that are named in a namespace have their names: that
// one is a Secret or a ConfigMap is what HOW says.
func briefly(p kube.CertPlace) string {
	if (p.Source == kube.FromSecret || p.Source == kube.FromConfigMap) && p.Object.Namespace != "" {
		return p.Object.FullName()
	}
	return cmp.Or(p.Short, p.Where)
}

// short reports whether places and signers are named by their short names.
func (v *certs) short() bool { return v.size.W < shortWidth }

// expires is the end as kubeadm prints it.
func expires(c *kube.Cert) string {
	switch end := c.Ends(); {
	case c.Unseen != "":
		return "-"
	case end.IsZero():
		return "never"
	default:
		return end.UTC().Format("Jan 02, 2006 15:04 MST")
	}
}

// utc is a time as certificates have it.
func utc(t time.Time) string {
	if t.IsZero() {
		return "-"
	}
	return t.UTC().Format("2006-01-02 15:04") + " UTC"
}

func certsByName(a, b *kube.Cert) int {
	return cmp.Or(strings.Compare(a.Name, b.Name), strings.Compare(a.Place().Where, b.Place().Where), strings.Compare(a.UID, b.UID))
}

func certOrders() []order[*kube.Cert] {
	return []order[*kube.Cert]{
		{id: "urgency", title: "urgency", key: func(c *kube.Cert, rank uint8, _ kube.Moment) uint64 { return urgent(c, rank) }},
		{id: "left", title: "soonest first", key: func(c *kube.Cert, _ uint8, _ kube.Moment) uint64 { return soonest(c) }},
		{id: "danger", title: "danger", key: byRank[*kube.Cert]},
		{id: "name", title: "name", column: "name", compare: certsByName},
		{id: "kind", title: "kind", column: "kind",
			compare: func(a, b *kube.Cert) int { return cmp.Compare(kindOrder[a.Kind], kindOrder[b.Kind]) }},
		{id: "where", title: "where", column: "where",
			compare: func(a, b *kube.Cert) int { return strings.Compare(a.Place().Where, b.Place().Where) }},
		{id: "checked", title: "checked", column: "checked",
			key: func(c *kube.Cert, _ uint8, _ kube.Moment) uint64 { return newest(c.Place().Checked) }},
	}
}

// kindOrder is kubeadm's: what is signed by a CA, then the CAs; then what kubeadm does not know.
var kindOrder = [...]int{kube.ServingCert: 0, kube.ClientCert: 0, kube.BothCert: 0, kube.Authority: 1, kube.Token: 2, kube.NoCert: 3}

// soonest is a key that puts first what ends first, then what has no end, and last that of which it is not known.
func soonest(c *kube.Cert) uint64 {
	switch end := c.Ends(); {
	case c.Unseen != "":
		return 0
	case end.IsZero():
		return 1
	default:
		return soonestBit - uint64(min(max(0, end.Unix()), soonestBit-2))
	}
}

// soonestBit is above every key of soonest but that of what ended before there were certificates.
const soonestBit = 1 << 60

// urgent is a key that puts first what is critical, then what is a warning, then the rest; of each the soonest. What is only to be
// known, such as an expired root beside its successor, has no place before what matters.
func urgent(c *kube.Cert, rank uint8) uint64 {
	severity := kube.Severity(rank >> 4)
	return uint64(max(severity, kube.Notice)-kube.Notice)<<61 | soonest(c)
}

// survey looks at all certificates, once for each version of them.
func survey(s *kube.Snapshot[*kube.Cert]) outlook {
	var o outlook
	for i := range s.Len() {
		c := s.Row(i)
		rank, _ := c.Badness(s.Moment)
		sev, danger := kube.Severity(rank>>4), kube.Danger(rank&0xf)
		if sev != kube.Warning || danger >= kube.LocksUsOut {
			o.counts[sev]++
		}
		if sev == kube.Warning {
			o.warnings++
		}
		end := c.Ends()
		o.dated = o.dated || c.Unseen == "" && !end.IsZero()
		switch {
		case c.Hidden():
			o.hidden++
		case c.Unseen != "", end.IsZero(), !s.Moment.Now.Before(end):
		case (sev >= kube.Warning || !renewed(c)) && (o.next == nil || end.Before(o.next.Ends())):
			o.next = c
		}
	}
	return o
}

// renewed reports whether something renews a certificate in each place, or nobody needs to.
func renewed(c *kube.Cert) bool {
	if c.Issuance != nil {
		return true
	}
	for i := range c.Places {
		p := &c.Places[i]
		if (p.Class == kube.ByHand || p.Class == kube.OfAuthority) && !p.Outlived {
			return false
		}
	}
	return true
}

// heading is what the head of the pane says. The requests that wait are named there where there is no room for them below.
func (v *certs) heading(now time.Time) string {
	waiting := 0
	if !v.footed() {
		waiting = v.waiting.snap.Len()
	}
	n := text.Width(text.Count(v.rows.snap.Len()))
	return v.outlook.words(now, waiting, v.size.W-headLine-text.Width("- of  ›")-3*n)
}

// words say how many are bad, as the tab does, what waits, what is to be renewed next and what cannot be seen:
// "6 critical, 9 warnings · 5 requests wait · next: apiserver on cp-2 in 6d4h · 3 not seen". What the rows say too is left out
// where all of it would take more than so many cells: first what is not seen, then the warnings.
func (o outlook) words(now time.Time, waiting, room int) string {
	bad, all := "", ""
	if n := o.counts[kube.Bad]; n > 0 {
		bad, all = text.Count(n)+" critical", text.Count(n)+" critical"
	}
	if o.warnings > 0 {
		all = joined(", ", all, text.Plural(o.warnings, "warning", "warnings"))
	}
	wait := ""
	if waiting > 0 {
		wait = text.Plural(waiting, "request waits", "requests wait")
	}
	hidden := ""
	if o.hidden > 0 {
		hidden = text.Count(o.hidden) + " not seen"
	}
	rest := joined(" · ", wait, o.renewal(now))
	for _, words := range []string{joined(" · ", all, rest, hidden), joined(" · ", all, rest)} {
		if text.Width(words) <= room {
			return words
		}
	}
	return joined(" · ", cmp.Or(bad, all), rest)
}

// renewal says what somebody has to renew next.
func (o outlook) renewal(now time.Time) string {
	switch {
	case !o.dated:
		return "no end is known"
	case o.next != nil && !now.Before(o.next.Ends()):
		return nameAndHost(o.next) + " has just expired"
	case o.next != nil:
		return "next: " + nameAndHost(o.next) + " in " + o.next.LeftText(now)
	case o.counts[kube.Bad] > 0 || o.warnings > 0:
		return "" // it may be one of these
	}
	return "nothing to renew by hand"
}

// joined joins what is not empty.
func joined(by string, words ...string) string {
	return strings.Join(slices.DeleteFunc(words, func(s string) bool { return s == "" }), by)
}

// headLine is what the line takes in the head of the pane, beside the words and which rows are in view.
const headLine = 8

// headName is how much of a name the head of the pane has room for.
const headName = 40

func nameAndHost(c *kube.Cert) string {
	name := c.Name
	if host := c.Place().Host; host != "" {
		name += " on " + host
	}
	return text.CutMiddle(name, headName, "…")
}
