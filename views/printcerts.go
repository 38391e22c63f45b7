package views

import (
	"cmp"
	"encoding/json"
	"fmt"
	"io"
	"slices"
	"strconv"
	"strings"
	"text/tabwriter"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

// FormatPrometheus is the text format of metrics (https://prometheus.io/docs/instrumenting/exposition_formats/), for
// certificates alone.
const FormatPrometheus Format = "prometheus"

// certDate is how kubeadm writes a date (cmd/kubeadm/app/cmd/certs.go).
const certDate = "Jan 02, 2006 15:04 MST"

// missingFile is why nothing is seen of a file that ought to be there.
const missingFile = "MISSING"

// PrintCerts writes certificates as the format says, those that expire first before the others.
func PrintCerts(w io.Writer, f Format, rows []*kube.Cert, m kube.Moment) error {
	rows = soonestFirst(rows)
	if f == FormatJSON {
		return printCertsJSON(w, rows, m)
	}
	if f == FormatPrometheus {
		return printCertsMetrics(w, rows, m)
	}
	return printCertsTable(w, rows, m)
}

// soonestFirst puts rows in the order of their ends; those without one come last, and the order is total.
func soonestFirst(rows []*kube.Cert) []*kube.Cert {
	return slices.SortedFunc(slices.Values(rows), func(a, b *kube.Cert) int {
		from, to := a.Ends(), b.Ends()
		return cmp.Or(
			cmp.Compare(bit(from.IsZero()), bit(to.IsZero())), from.Compare(to),
			cmp.Compare(a.Name, b.Name), cmp.Compare(a.Place().Where, b.Place().Where), cmp.Compare(a.UID, b.UID),
		)
	})
}

func bit(b bool) int {
	if b {
		return 1
	}
	return 0
}

// widestCert is how wide a cell may be: names are given by whoever makes a certificate. JSON has them in full.
const widestCert = 60

// widestCertPlace is the same of a place, whose words people copy: namespaces, names and keys of usual length stay whole.
const widestCertPlace = 100

// printCertsTable writes three sections: certificates and other credentials, authorities, and what has no date that can be
// seen. One that is empty is left out.
func printCertsTable(w io.Writer, rows []*kube.Cert, m kube.Moment) error {
	cut := func(s func(*kube.Cert) string, widest int) func(*kube.Cert, kube.Moment) string {
		return func(c *kube.Cert, _ kube.Moment) string { return dash(text.CutMiddle(s(c), widest, "...")) }
	}
	cell := func(s func(*kube.Cert) string) func(*kube.Cert, kube.Moment) string { return cut(s, widestCert) }
	name := func(c *kube.Cert) string { return c.Name }
	where := field[*kube.Cert]{title: "WHERE", in: FormatTable, text: cut(certWhere, widestCertPlace)}
	how := field[*kube.Cert]{title: "HOW", in: FormatTable, text: cell(certHow)}
	dates := []field[*kube.Cert]{
		{title: "EXPIRES", in: FormatTable, text: cell(func(c *kube.Cert) string { return certEnd(c.Ends(), certDate) })},
		{title: "RESIDUAL TIME", in: FormatTable, text: func(c *kube.Cert, m kube.Moment) string { return c.ResidualText(m.Now) }},
	}
	authority := field[*kube.Cert]{title: "CERTIFICATE AUTHORITY", in: FormatTable, text: cell(certAuthority)}
	external := field[*kube.Cert]{title: "EXTERNALLY MANAGED", in: FormatTable, text: cell(func(c *kube.Cert) string {
		return yesNo(c.Place().External)
	})}
	severity := field[*kube.Cert]{title: "SEVERITY", in: FormatTable, text: func(c *kube.Cert, m kube.Moment) string {
		return c.Severity(m).String()
	}}
	sections := []struct {
		has    func(*kube.Cert) bool
		fields []field[*kube.Cert]
	}{
		{func(c *kube.Cert) bool { return c.Unseen == "" && c.Kind != kube.Authority }, slices.Concat(
			[]field[*kube.Cert]{{title: "CERTIFICATE", in: FormatTable, text: cell(name)}},
			dates, []field[*kube.Cert]{authority, external, where, how, severity})},
		{func(c *kube.Cert) bool { return c.Unseen == "" && c.Kind == kube.Authority }, slices.Concat(
			[]field[*kube.Cert]{{title: "CERTIFICATE AUTHORITY", in: FormatTable, text: cell(name)}},
			dates, []field[*kube.Cert]{external, where, how, severity})},
		{func(c *kube.Cert) bool { return c.Unseen != "" }, []field[*kube.Cert]{
			{title: "WITHOUT A DATE", in: FormatTable, text: cell(name)}, where, how,
			{title: "WHY", in: FormatTable, text: func(c *kube.Cert, _ kube.Moment) string { return c.Unseen }},
		}},
	}
	gap := ""
	for _, s := range sections {
		var shown []*kube.Cert
		for _, c := range rows {
			if s.has(c) {
				shown = append(shown, c)
			}
		}
		if len(shown) == 0 {
			continue
		}
		if _, err := io.WriteString(w, gap); err != nil {
			return err
		}
		gap = "\n"
		if err := printTable(w, FormatTable, s.fields, shown, m); err != nil {
			return err
		}
	}
	return nil
}

// PrintKubeadm writes the two tables of kubeadm certs check-expiration, to the letter (certTextPrinter in
// cmd/kubeadm/app/cmd/certs.go), but for what has expired, which kubeadm calls "<invalid>", and what is not visible from here.
func PrintKubeadm(w io.Writer, leaves, authorities []*kube.Cert, m kube.Moment) error {
	t := tabwriter.NewWriter(w, 10, 4, 3, ' ', 0)
	row := func(c *kube.Cert, cells ...string) {
		switch {
		case c.Unseen == "":
			cells = append([]string{c.Name, certEnd(c.Ends(), certDate), c.ResidualText(m.Now)}, cells...)
			cells = append(cells, fmt.Sprintf("%-8v", c.Place().External))
		case c.Unseen == missingFile:
			cells = append([]string{"!MISSING! " + c.Name, "", ""}, make([]string, len(cells)+1)...)
		default:
			cells = append([]string{c.Name, c.Unseen, "-"}, append(cells, fmt.Sprintf("%-8v", kube.NotKnown))...)
		}
		fmt.Fprintln(t, strings.Join(cells, "\t"))
	}
	fmt.Fprintln(t, "CERTIFICATE\tEXPIRES\tRESIDUAL TIME\tCERTIFICATE AUTHORITY\tEXTERNALLY MANAGED")
	for _, c := range leaves {
		row(c, c.Place().Authority)
	}
	fmt.Fprintln(t, "\nCERTIFICATE AUTHORITY\tEXPIRES\tRESIDUAL TIME\tEXTERNALLY MANAGED")
	for _, c := range authorities {
		row(c)
	}
	return t.Flush()
}

// certWhere is the most dangerous place of a row, and how many more there are.
func certWhere(c *kube.Cert) string {
	if more := len(c.Places) - 1; more > 0 {
		return fmt.Sprintf("%s (+%d)", c.Place().Where, more)
	}
	return c.Place().Where
}

// certHow is how that place was read, "" where nobody got so far.
func certHow(c *kube.Cert) string { return c.Place().Source.String() }

// certAuthority is kubeadm's name of the authority where it has one, else the name that the certificate gives.
func certAuthority(c *kube.Cert) string {
	if c.X509 == nil {
		return c.Place().Authority
	}
	return cmp.Or(c.Place().Authority, c.X509.SignedBy)
}

func yesNo(a kube.Answer) string {
	if a == kube.NotKnown {
		return ""
	}
	return a.String()
}

// certEnd writes the time of an end, "" if there is none.
func certEnd(t time.Time, layout string) string {
	if t.IsZero() {
		return ""
	}
	return t.UTC().Format(layout)
}

// certJSON is a row for scripts. Every key is always there, texts and lists are never null; times and secondsLeft are where
// there is no end, or nobody knows it.
type certJSON struct {
	Name         string          `json:"name"`
	Kind         string          `json:"kind"`
	Severity     string          `json:"severity"`
	NotBefore    any             `json:"notBefore"`
	NotAfter     any             `json:"notAfter"` // its own end
	Expires      any             `json:"expires"`  // its own, or that of the first intermediate that goes before it
	SecondsLeft  any             `json:"secondsLeft"`
	ResidualTime string          `json:"residualTime"`
	Authority    string          `json:"certificateAuthority"`
	External     string          `json:"externallyManaged"`
	Unseen       string          `json:"unseen"`
	Ours         bool            `json:"ours"`
	Subject      string          `json:"subject"`
	Issuer       string          `json:"issuer"`
	Serial       string          `json:"serial"`
	Fingerprint  string          `json:"fingerprint"`
	DNS          []string        `json:"dnsNames"`
	IPs          []string        `json:"ipAddresses"`
	Other        []string        `json:"otherNames"`
	Key          string          `json:"key"`
	Places       []certPlaceJSON `json:"places"`
}

// certPlaceJSON is one place of a row.
type certPlaceJSON struct {
	Name     string `json:"name"`
	Where    string `json:"where"`
	How      string `json:"how"`
	Host     string `json:"host"`
	Use      string `json:"use"`
	Severity string `json:"severity"`
	Ours     bool   `json:"ours"`
	Breaks   string `json:"breaks"`
	Renew    string `json:"renew"`
	Note     string `json:"note"`
	Checked  any    `json:"checked"`
}

func printCertsJSON(w io.Writer, rows []*kube.Cert, m kube.Moment) error {
	out := make([]certJSON, len(rows))
	for i, c := range rows {
		out[i] = certObject(c, m)
	}
	e := json.NewEncoder(w)
	e.SetIndent("", "  ")
	e.SetEscapeHTML(false)
	return e.Encode(out)
}

func certObject(c *kube.Cert, m kube.Moment) certJSON {
	x := c.X509
	if x == nil {
		x = &kube.X509{}
	}
	out := certJSON{
		Name: c.Name, Kind: c.Kind.String(), Severity: c.Severity(m).String(),
		NotBefore: stamp(c.From), NotAfter: stamp(c.To), Expires: stamp(c.Ends()),
		ResidualTime: c.ResidualText(m.Now), Authority: certAuthority(c), External: c.Place().External.String(), Unseen: c.Unseen,
		Subject: x.Subject, Issuer: x.Issuer, Serial: x.Serial, Fingerprint: x.Fingerprint,
		DNS: append([]string{}, x.DNS...), IPs: append([]string{}, x.IPs...), Other: append([]string{}, x.Other...), Key: x.Key,
	}
	if end := c.Ends(); !end.IsZero() {
		out.SecondsLeft = int64(end.Sub(m.Now) / time.Second)
	}
	for i := range c.Places {
		p := &c.Places[i]
		out.Ours = out.Ours || p.Ours
		out.Places = append(out.Places, certPlaceJSON{
			Name: p.Name, Where: p.Where, How: p.Source.String(), Host: p.Host, Use: p.Use.String(),
			Severity: c.SeverityAt(i, m).String(), Ours: p.Ours, Breaks: p.Breaks, Renew: p.Renew, Note: p.Note, Checked: stamp(p.Checked),
		})
	}
	return out
}

// metric is one family of series.
type metric struct {
	name, help string
	series     []string // lines, each once
	seen       map[string]struct{}
}

// add writes a series unless there is one with the same labels: a series may be there only once.
func (f *metric) add(value string, labels ...string) {
	var b strings.Builder
	b.WriteString(f.name + "{")
	for i := 0; i < len(labels); i += 2 {
		if i > 0 {
			b.WriteString(",")
		}
		b.WriteString(labels[i] + `="` + escapeLabel.Replace(labels[i+1]) + `"`)
	}
	b.WriteString("}")
	if _, ok := f.seen[b.String()]; ok {
		return
	}
	f.seen[b.String()] = struct{}{}
	f.series = append(f.series, b.String()+" "+value+"\n")
}

// escapeLabel is what the exposition format wants of the value of a label.
var escapeLabel = strings.NewReplacer(`\`, `\\`, `"`, `\"`, "\n", `\n`)

// printCertsMetrics writes a series for each place of each row, in the order of the rows.
func printCertsMetrics(w io.Writer, rows []*kube.Cert, m kube.Moment) error {
	after := family("ktriage_certificate_not_after_seconds", "When the certificate expires, in seconds since 1970.")
	before := family("ktriage_certificate_not_before_seconds", "When the certificate begins to be valid, in seconds since 1970.")
	severity := family("ktriage_certificate_severity", "0 well, 1 warning, 2 critical or expired, in that place, by the thresholds of ktriage.")
	unread := family("ktriage_certificates_unread", "How many places have no date that can be seen, and why.")
	blind := map[[2]string]int{}
	for _, c := range rows {
		if c.Unseen != "" {
			blind[[2]string{c.Place().Name, c.Unseen}]++
			continue
		}
		for i, labels := range certLabels(c) {
			if end := c.Ends(); !end.IsZero() {
				after.add(strconv.FormatInt(end.Unix(), 10), labels...)
			}
			if !c.From.IsZero() {
				before.add(strconv.FormatInt(c.From.Unix(), 10), labels...)
			}
			severity.add(strconv.Itoa(max(0, int(c.SeverityAt(i, m))-int(kube.Notice))), labels...)
		}
	}
	for _, c := range rows {
		key := [2]string{c.Place().Name, c.Unseen}
		if n, ok := blind[key]; ok {
			unread.add(strconv.Itoa(n), "source", key[0], "reason", key[1])
		}
	}
	return printFamilies(w, after, before, severity, unread)
}

// PrintSourcesRead writes as metrics which sources could be read: read says it by the name of the source, names are in order. With a
// source that cannot be read all series of its certificates vanish, and an alert on them would end as if all were well.
func PrintSourcesRead(w io.Writer, names []string, read map[string]bool) error {
	f := family("ktriage_certificates_source_read", "1 if all of the source could be read, 0 if not: what it holds is not known then.")
	for _, name := range names {
		f.add(strconv.Itoa(bit(read[name])), "source", name)
	}
	return printFamilies(w, f)
}

func family(name, help string) *metric {
	return &metric{name: name, help: help, seen: map[string]struct{}{}}
}

// printFamilies writes those that have a series.
func printFamilies(w io.Writer, families ...*metric) error {
	for _, f := range families {
		if len(f.series) == 0 {
			continue
		}
		if _, err := fmt.Fprintf(w, "# HELP %s %s\n# TYPE %s gauge\n%s", f.name, f.help, f.name, strings.Join(f.series, "")); err != nil {
			return err
		}
	}
	return nil
}

// certLabels are those of each place of a row.
func certLabels(c *kube.Cert) [][]string {
	issuer, serial := "", ""
	if c.X509 != nil {
		issuer, serial = c.X509.Issuer, c.X509.Serial
	}
	var out [][]string
	for i := range c.Places {
		p := &c.Places[i]
		out = append(out, []string{
			"name", cmp.Or(p.Name, c.Name), "where", p.Where, "how", p.Source.String(), "kind", p.Use.String(),
			"issuer", issuer, "serial", serial,
		})
	}
	return out
}
