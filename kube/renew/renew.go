// Package renew renews certificates, or watches while somebody does. Its one rule: the only thing that it ever changes is the
// condition by which cert-manager is told to issue anew; everywhere else it says what to run where, and looks whether it has
// worked.
package renew

import (
	"context"
	"fmt"
	"slices"
	"strings"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// Inventory is where certificates are found; *certs.Inventory is one.
type Inventory interface {
	// Find gives the row with that UID.
	Find(uid string) (*kube.Cert, bool)
	// Look reads one place of a row now. The error says why it cannot be seen.
	Look(ctx context.Context, c *kube.Cert, p kube.CertPlace) (*kube.X509, error)
}

// Kind is the renewal of a certificate.
type Kind struct{ inventory Inventory }

// New makes the action that renews what an inventory has found.
func New(i Inventory) *Kind { return &Kind{i} }

// ID implements action.Kind.
func (*Kind) ID() action.ID { return action.Renew }

// Needs implements action.Kind: none that all certificates have in common. What cert-manager's need is asked for by Plan.
func (*Kind) Needs() []action.Need { return nil }

// Plan implements action.Kind. What is cert-manager's is read live; everything else is seen again before anything is said of it.
func (k *Kind) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	if len(t.Refs) != 1 {
		return nil, &action.Refusal{Why: "certificates are renewed one at a time: each has steps of its own"}
	}
	cert, ok := k.inventory.Find(t.Refs[0].UID)
	if !ok {
		return nil, &action.Refusal{Why: words(t.Refs[0].Name) + " is not among the certificates any more: it may have been renewed"}
	}
	p := &action.Plan{Action: k.ID(), Target: t, Options: o, Made: time.Now(), Tier: action.Ask, Word: cert.Name, Details: details(cert)}
	if cert.Issuance != nil {
		return p, planIssuance(ctx, c, p, cert)
	}
	k.guide(p, cert, makerOf(ctx, c))
	return p, nil
}

// details are what the audit log has of a certificate.
func details(c *kube.Cert) map[string]any {
	out := map[string]any{"name": c.Name, "place": c.Place().Where}
	if c.X509 != nil {
		out["serial before"], out["valid until"] = c.X509.Serial, moment(c.X509.To)
	}
	return out
}

// guide makes the plan of a renewal by hand: a runbook, and a watch over the places where the certificate is.
func (k *Kind) guide(p *action.Plan, cert *kube.Cert, m *maker) {
	b := runbookOf(cert, m, p.Target.Context)
	p.Headline = b.headline // its commands are for other machines, and not all of them for every case: they stand in its steps alone
	p.Facts = append(p.Facts, action.Fact{Name: "now", Text: standing(cert, p.Made), Severity: cert.Severity(kube.Moment{Now: p.Made})})
	if breaks := cert.Place().Breaks; breaks != "" {
		p.Facts = append(p.Facts, action.Fact{Name: "breaks", Text: breaks})
	}
	p.Facts = append(p.Facts, b.facts...)
	p.Sections = append(p.Sections, b.section(), places(cert))
	if b.refused != "" {
		p.Refusals = append(p.Refusals, b.refused)
		return
	}
	watched := watchable(cert)
	if cert.X509 == nil || len(watched) == 0 {
		why := "it cannot be seen from here"
		if cert.Unseen != "" {
			why += " (" + cert.Unseen + ")"
		}
		p.Refusals = append(p.Refusals, why+": there is nothing that could be watched. The steps above are right all the same")
		return
	}
	p.Gate = "watch " + cert.Name + " while you renew it"
	p.Facts = append(p.Facts, action.Fact{Name: "watch",
		Text: "confirming changes nothing: ktriage looks every few seconds, for 30 minutes, whether the new one is there"})
	p.Watch = true
	p.Work = &watch{inventory: k.inventory, cert: cert, places: watched, late: b.late, todo: b.todo()}
}

// standing is how it stands with a certificate.
func standing(c *kube.Cert, now time.Time) string {
	if c.X509 == nil {
		return orElse(c.Unseen, "no certificate")
	}
	if ended := c.Ends(); !ended.IsZero() && !now.Before(ended) {
		return fmt.Sprintf("%s, at %s; serial %s", c.LeftText(now), moment(ended), shortSerial(c.X509.Serial))
	}
	return fmt.Sprintf("%s left, until %s; serial %s", c.LeftText(now), moment(c.Ends()), shortSerial(c.X509.Serial))
}

// places are where a certificate is.
func places(c *kube.Cert) action.Section {
	out := action.Section{Title: "where it is", Columns: []action.Column{{Title: "PLACE"}, {Title: "SEEN BY"}, {Title: "NOTE", Wide: true}}}
	for _, p := range c.Places[:min(len(c.Places), mostPlaces)] {
		note := p.Note
		if p.Failed != "" {
			note = p.Failed
		}
		out.Rows = append(out.Rows, action.Row{Severity: p.Severity, Cells: []string{p.Where, p.Source.String(), note}})
	}
	if rest := len(c.Places) - mostPlaces; rest > 0 {
		out.Rows = append(out.Rows, action.Row{Cells: []string{"and " + text.Plural(rest, "place", "places") + " more", "", ""}})
	}
	return out
}

// mostPlaces is how many places are shown, and watched.
const mostPlaces = 8

// watchable are the places that can be looked at again.
func watchable(c *kube.Cert) []kube.CertPlace {
	all := slices.DeleteFunc(slices.Clone(c.Places), func(p kube.CertPlace) bool {
		return p.Source == kube.FromCSR || p.Source == kube.FromMetric || p.Source == kube.FromToken
	})
	return all[:min(len(all), mostPlaces)]
}

const longest = 253

func words(s string) string { return text.Cut(text.Clean(s), longest, "…") }

func orElse(s, other string) string {
	if s == "" {
		return other
	}
	return s
}

// shortSerial is the beginning of a serial number, which tells it from another.
func shortSerial(s string) string {
	groups := strings.SplitN(s, ":", 3)
	if len(groups) < 3 {
		return s
	}
	return groups[0] + ":" + groups[1] + "…"
}

func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }

func left(now, until time.Time) string {
	if !now.Before(until) {
		return "expired"
	}
	return duration.HumanDuration(until.Sub(now)) + " left"
}

func line(severity kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: severity, Cells: []string{fmt.Sprintf(format, args...)}}
}
