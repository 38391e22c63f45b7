package views

import (
	"cmp"
	"fmt"
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
	width    int                        // as drawn last
}

// outlook is what there is to say of all certificates together.
type outlook struct {
	dated   bool       // the end of any is known
	next    *kube.Cert // of those that somebody has to renew, the one that expires first; nil if there is none
	expired int
	unseen  int
	counts  [kube.Bad + 1]int // see Counts
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
		columns:   certColumns(v.short, v.where),
		orders:    certOrders(),
		byName:    certsByName,
		severity:  (*kube.Cert).Severity,
		unknown:   func(c *kube.Cert) bool { return c.Unseen != "" },
		counts:    func(*kube.Snapshot[*kube.Cert]) string { return "" }, // the heading says it
		heading:   func(now time.Time) string { return v.outlook.words(now, v.width*3/5) },
		state:     func(c *kube.Cert, m kube.Moment) string { return certState(c, m.Now) },
		diagnosis: certDiagnosis,
		details:   certFacts,
		open:      func(*kube.Cert) []Effect { return []Effect{ShowDetails{}} },
		other:     certKey,
		copied:    func(c *kube.Cert) string { return c.Name },
		why:       whyNotCert,
	}
}

// certKey is what the keys of the pane do to a certificate.
func certKey(c *kube.Cert, id keymap.ID) []Effect {
	switch id {
	case keymap.CertNode:
		return []Effect{Open{Place{Pane: "nodes", Name: c.Place().Host}}}
	case keymap.RenewCert:
		return []Effect{Act{ID: id, Refs: []kube.Ref{c.Ref()}}}
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
	checked := said("checked", "CHECKED", 7, 0, 8, func(c *kube.Cert, now time.Time) string { return since(now, c.Place().Checked) })
	checked.Right = true
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
		said("how", "HOW", 9, 0, 10, func(c *kube.Cert, _ time.Time) string { return c.Place().Source.String() }),
		checked,
	}
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
		w = cmp.Or(p.Short, p.Where)
	}
	if n := len(c.Places) - 1; n > 0 {
		w += fmt.Sprintf(" +%d", n)
	}
	return w
}

// short reports whether places and signers are named by their short names.
func (v *certs) short() bool { return v.width < shortWidth }

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
		end := c.Ends()
		o.dated = o.dated || c.Unseen == "" && !end.IsZero()
		switch {
		case c.Unseen != "":
			o.unseen++
		case end.IsZero():
		case !s.Moment.Now.Before(end):
			if sev == kube.Bad {
				o.expired++
			}
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

// words are what the head of the pane says: "2 expired · next: apiserver on cp-2 in 6d4h · 3 not seen". What is not seen, which
// the rows say too, is left out where that takes more than so many cells.
func (o outlook) words(now time.Time, room int) string {
	var out []string
	if o.expired > 0 {
		out = append(out, text.Count(o.expired)+" expired")
	}
	switch {
	case !o.dated:
		out = append(out, "no end is known")
	case o.next == nil:
		out = append(out, "nothing to renew by hand")
	case !now.Before(o.next.Ends()):
		out = append(out, nameAndHost(o.next)+" has just expired")
	default:
		out = append(out, "next: "+nameAndHost(o.next)+" in "+o.next.LeftText(now))
	}
	words := strings.Join(out, " · ")
	if unseen := " · " + text.Count(o.unseen) + " not seen"; o.unseen > 0 && text.Width(words+unseen) <= room {
		words += unseen
	}
	return words
}

// headName is how much of a name the head of the pane has room for.
const headName = 40

func nameAndHost(c *kube.Cert) string {
	name := c.Name
	if host := c.Place().Host; host != "" {
		name += " on " + host
	}
	return text.CutMiddle(name, headName, "…")
}
