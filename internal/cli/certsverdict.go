package cli

import (
	"cmp"
	"fmt"
	"io"
	"slices"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/certs"
	"ktriage/views"
)

// certsVerdict is what the certificates come to: what monitors are told, and people in one line.
type certsVerdict struct {
	m       kube.Moment
	rows    []*kube.Cert // all that are printed
	sources []certs.SourceState
	own     error  // why the API server does not speak with us
	none    string // why there are no rows, if that is no news about certificates
	strict  bool   // a source that could not be read alters the exit code

	troubles []*kube.Cert // what is critical or a warning, the worst first, of the same the soonest
	counts   [kube.Bad + 1]int
	expired  int // of those that are critical
	seen     int
	undated  int      // places without a date, but for sources that could not be read
	unread   []string // names of these
}

// judgeCerts counts rows. The sources are all there are, whatever rows are left of them.
func judgeCerts(rows []*kube.Cert, sources []certs.SourceState, own error, m kube.Moment) *certsVerdict {
	v := &certsVerdict{m: m, rows: rows, sources: sources, own: own}
	for _, s := range sources {
		if s.Why != "" && !slices.Contains(v.unread, s.Name) {
			v.unread = append(v.unread, s.Name)
		}
	}
	for _, c := range rows {
		if c.Unseen != "" {
			if c.Place().Source != kube.FromNowhere || !slices.Contains(v.unread, c.Place().Name) {
				v.undated++
			}
			continue
		}
		v.seen++
		severity := c.Severity(m)
		v.counts[severity]++
		if severity >= kube.Warning {
			v.troubles = append(v.troubles, c)
		}
		if severity == kube.Bad && ended(c, m.Now) {
			v.expired++
		}
	}
	slices.SortFunc(v.troubles, func(a, b *kube.Cert) int {
		return cmp.Or(cmp.Compare(b.Severity(m), a.Severity(m)), a.Ends().Compare(b.Ends()), cmp.Compare(a.Name, b.Name), cmp.Compare(a.UID, b.UID))
	})
	return v
}

func ended(c *kube.Cert, now time.Time) bool { return !c.Ends().IsZero() && !now.Before(c.Ends()) }

// code is the exit code. What is known to be wrong counts for more than what is not known; a place that cannot be seen is no
// news, but a server that does not speak with us is, and so is a reading that has found nothing.
func (v *certsVerdict) code() int {
	switch {
	case v.counts[kube.Bad] > 0:
		return certsCritical
	case v.counts[kube.Warning] > 0:
		return certsWarning
	case v.own != nil, v.seen == 0, v.strict && len(v.unread) > 0:
		return certsUnknown
	}
	return certsWell
}

// print writes the certificates in a format.
func (v *certsVerdict) print(w io.Writer, format string) error {
	switch format {
	case nagios:
		_, err := io.WriteString(w, v.nagios())
		return err
	case string(views.FormatPrometheus):
		if err := views.PrintCerts(w, views.FormatPrometheus, v.rows, v.m); err != nil {
			return err
		}
		var names []string
		read := map[string]bool{}
		for _, s := range v.sources {
			names = append(names, s.Name)
			read[s.Name] = !slices.Contains(v.unread, s.Name)
		}
		return views.PrintSourcesRead(w, names, read)
	}
	return views.PrintCerts(w, views.Format(format), v.rows, v.m)
}

// summary is the state in one line, with what has expired named first.
func (v *certsVerdict) summary() string {
	out := fmt.Sprintf("%d critical, %d with a warning", v.counts[kube.Bad], v.counts[kube.Warning])
	if names := v.names(func(c *kube.Cert) bool { return ended(c, v.m.Now) && c.Severity(v.m) == kube.Bad }); len(names) > 0 {
		out += ": " + text.Some(names, 1)
	}
	if next := v.next(); next != "" {
		out += "; " + next
	}
	out += "; " + text.Plural(v.seen, "certificate", "certificates") + " in all"
	return strings.Join(append([]string{out}, v.blind()...), "; ") + "."
}

// blind is what is not known: how many places have no date, and which sources could not be read.
func (v *certsVerdict) blind() (out []string) {
	if v.undated > 0 {
		out = append(out, text.Plural(v.undated, "place has", "places have")+" no date that can be seen")
	}
	if len(v.unread) > 0 {
		out = append(out, text.Plural(len(v.unread), "source", "sources")+" could not be read: "+text.Some(v.unread, 3))
	}
	return out
}

// names are the troubles that keep says, each with its place and the time that is left.
func (v *certsVerdict) names(keep func(*kube.Cert) bool) (out []string) {
	for _, c := range v.troubles {
		if keep(c) {
			out = append(out, troubleText(c, v.m))
		}
	}
	return out
}

// next says what somebody has to renew first of what has not expired, "" if there is nothing.
func (v *certsVerdict) next() string {
	c := nextCert(v.rows, v.m.Now)
	if c == nil {
		return ""
	}
	return fmt.Sprintf("next: %s at %s in %s", c.Name, c.Place().Where, c.LeftText(v.m.Now))
}

// nextCert is what somebody has to renew first of what has not expired, nil if there is nothing.
func nextCert(rows []*kube.Cert, now time.Time) *kube.Cert {
	var next *kube.Cert
	for _, c := range rows {
		if class := c.Place().Class; c.Unseen != "" || class == kube.ShortLived || class == kube.BootstrapToken {
			continue
		}
		if end := c.Ends(); end.After(now) && (next == nil || cmp.Or(end.Compare(next.Ends()), cmp.Compare(c.Name, next.Name)) < 0) {
			next = c
		}
	}
	return next
}

// The longest that lines for monitors have of what others have named.
const (
	troubleName  = 60
	troubleWhere = 80
)

// troubleText is a certificate where it is worst: "web-tls (secret shop/web-tls) EXPIRED 3d ago". What is wrong with that place
// besides its age is said too.
func troubleText(c *kube.Cert, m kube.Moment) string {
	severity := c.Severity(m)
	worst := 0
	for c.SeverityAt(worst, m) != severity {
		worst++
	}
	p := &c.Places[worst]
	name := cmp.Or(p.Name, c.Name)
	out := text.CutMiddle(name, troubleName, "...")
	if p.Where != "" && p.Where != name {
		out += " (" + text.CutMiddle(p.Where, troubleWhere, "...") + ")"
	}
	left := c.LeftText(m.Now)
	if end := c.Ends(); end.After(m.Now) && !m.Now.Before(c.From) {
		left = "in " + left
	}
	out += " " + left
	if p.Severity == severity && p.Note != "" {
		out += ", " + text.CutMiddle(p.Note, troubleWhere, "...")
	}
	return out
}
