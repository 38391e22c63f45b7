package kube

import (
	"math"
	"strconv"
	"time"

	"k8s.io/apimachinery/pkg/util/duration"
)

const day = 24 * time.Hour

// CertLimits are how long before its end a credential that is renewed by hand is a warning, and critical.
type CertLimits struct{ Warn, Critical time.Duration }

// DefaultCertLimits are a month and a week: once a year is often enough to forget how it is done.
func DefaultCertLimits() CertLimits { return CertLimits{Warn: 30 * day, Critical: 7 * day} }

const (
	// authorityWarn and authorityCritical are those of a CA: everything that trusts it has to be told of the new one first.
	authorityWarn, authorityCritical = 180 * day, 30 * day
	// rotationWarn and rotationCritical are shares of the life of what a kubelet rotates. It asks for the next one when 70 to
	// 90 % are over (jitteryDuration in k8s.io/client-go/util/certificate/certificate_manager.go): below 10 % it has failed.
	rotationWarn, rotationCritical = 0.10, 0.05
	// handLife is the shortest life of what somebody renews by hand. What lives for less renews itself, whoever keeps it: the
	// webhooks of Knative have CAs of a week, OpenShift has signers of a month. Its age is judged as that of what a kubelet rotates.
	handLife = 60 * day
	// renewalGrace is how late cert-manager may be, and renewalCritical the share of the time between renewal and end
	// from which on nothing may go wrong any more.
	renewalGrace, renewalCritical = time.Hour, 0.20
	// oursWarn is how long before the end of our own short-lived credential somebody should log in again.
	oursWarn = 10 * time.Minute
	// tokenLongest is how long a bootstrap token may have before it is one that was forgotten: kubeadm's live 24 hours.
	tokenLongest = day
)

// Severity judges a credential: the worst that any of its places makes of it.
func (c *Cert) Severity(m Moment) Severity {
	worst := OK
	for i := range c.Places {
		worst = max(worst, c.at(&c.Places[i], m))
	}
	return worst
}

// SeverityAt judges the credential in one of its places, by the number of that: an expired root is critical where it stands alone,
// and only a notice beside its successor.
func (c *Cert) SeverityAt(place int, m Moment) Severity { return c.at(&c.Places[place], m) }

// Badness ranks the credential: severity first, then what breaks. until is when that changes by the passing of time alone,
// zero if never.
func (c *Cert) Badness(m Moment) (rank uint8, until time.Time) {
	sev, danger := OK, BreaksNothing
	for i := range c.Places {
		if s := c.at(&c.Places[i], m); s > sev || s == sev && c.Places[i].Danger > danger {
			sev, danger = s, c.Places[i].Danger
		}
	}
	return uint8(sev)<<4 | uint8(danger), c.turns(m)
}

func certSeverity(rank uint8) Severity { return Severity(rank >> 4) }

// at judges the credential in one place.
func (c *Cert) at(p *CertPlace, m Moment) Severity {
	floor := p.Severity
	switch {
	case c.Unseen != "":
		return max(Notice, floor)
	case p.Use == NoCert: // its presence alone counts
		return floor
	}
	now := m.Now
	warn, critical := c.deadlines(p, m)
	sev := OK
	switch end := c.Ends(); {
	case p.Class == BootstrapToken:
		sev = c.tokenSeverity(now)
	case end.IsZero():
	case !now.Before(end), now.Before(c.From):
		sev = Bad
	case p.Class == CertManaged && c.Issuance != nil && c.Issuance.ill(now):
		sev = Warning
		if !critical.IsZero() && !now.Before(critical) {
			sev = Bad
		}
	case !critical.IsZero() && !now.Before(critical):
		sev = Bad
	case !warn.IsZero() && !now.Before(warn):
		sev = Warning
	}
	switch {
	case p.Outlived, p.Unverified:
		sev = min(sev, Notice)
	case p.Elsewhere:
		sev = min(sev, Warning)
	}
	return max(sev, floor)
}

// tokenSeverity judges a bootstrap token: an expired one is harmless, one that lasts is a way into the cluster.
func (c *Cert) tokenSeverity(now time.Time) Severity {
	switch {
	case c.To.IsZero(), c.To.Sub(now) > tokenLongest:
		return Warning
	case !now.Before(c.To):
		return Notice
	}
	return OK
}

// ill reports whether cert-manager has trouble with a certificate, or is late.
func (i *Issuance) ill(now time.Time) bool {
	return !i.Ready || i.Failed > 0 || !i.RenewAt.IsZero() && now.After(i.RenewAt.Add(renewalGrace))
}

// deadlines are when the credential becomes a warning in a place, and when it becomes critical; zero for never by time.
func (c *Cert) deadlines(p *CertPlace, m Moment) (warn, critical time.Time) {
	end := c.Ends()
	if end.IsZero() {
		return
	}
	limits := m.CertLimits
	if limits == (CertLimits{}) {
		limits = DefaultCertLimits()
	}
	life := c.To.Sub(c.From)
	share := func(of float64) time.Time { return end.Add(-time.Duration(of * float64(life))) }
	switch {
	case p.Class == KubeletRotated && c.From.IsZero(): // its life is not known, as where only a metric tells of it
		return end.Add(-limits.Critical), end
	case p.Class == KubeletRotated, (p.Class == ByHand || p.Class == OfAuthority) && life < handLife:
		return share(rotationWarn), share(rotationCritical)
	}
	switch p.Class {
	case ByHand:
		return end.Add(-limits.Warn), end.Add(-limits.Critical)
	case OfAuthority:
		return end.Add(-max(authorityWarn, limits.Warn)), end.Add(-max(authorityCritical, limits.Critical))
	case CertManaged:
		at := c.From.Add(life / 3 * 2) // its default (RenewalTime in internal/pki of cert-manager)
		if c.Issuance != nil && !c.Issuance.RenewAt.IsZero() {
			at = c.Issuance.RenewAt
		}
		return at.Add(renewalGrace), end.Add(-time.Duration(renewalCritical * float64(end.Sub(at))))
	case ShortLived:
		if p.Ours {
			return end.Add(-oursWarn), end
		}
		return end, end
	case KubeletRotated, BootstrapToken, WithoutExpiry: // judged above, otherwise, or never
	}
	return
}

// turns is the next time at which the judgement may change by itself.
func (c *Cert) turns(m Moment) time.Time {
	var next time.Time
	at := func(t time.Time) {
		if t.After(m.Now) && (next.IsZero() || t.Before(next)) {
			next = t
		}
	}
	at(c.From)
	at(c.Ends())
	for i := range c.Places {
		warn, critical := c.deadlines(&c.Places[i], m)
		at(warn)
		at(critical)
		if c.Places[i].Class == BootstrapToken && !c.To.IsZero() {
			at(c.To.Add(-tokenLongest))
			at(c.To)
		}
	}
	return next
}

// LeftText is the time that is left as panes show it: "6d4h", "7y118d", "EXPIRED 3d ago", "NOT YET VALID", "no expiry", "-".
func (c *Cert) LeftText(now time.Time) string {
	end := c.Ends()
	switch {
	case c.Unseen != "":
		return "-"
	case end.IsZero():
		return "no expiry"
	case now.Before(c.From):
		return "NOT YET VALID"
	case !now.Before(end):
		return "EXPIRED " + span(end, now, duration.HumanDuration) + " ago"
	}
	return span(now, end, duration.HumanDuration)
}

// span puts the time between two times into words, in years where it is longer than a Duration can be: 292 years, and
// what is never to expire ends in the year 9999 (RFC 5280, 4.1.2.5).
func span(from, to time.Time, words func(time.Duration) string) string {
	d := to.Sub(from)
	if d == math.MaxInt64 {
		return strconv.Itoa(to.Year()-from.Year()) + "y"
	}
	return words(d)
}

// ResidualText is the time that is left as kubeadm has long printed it (duration.ShortHumanDuration in cmd/kubeadm/app/cmd/certs.go;
// v1.36 has HumanDuration there): "364d", "9y"; where kubeadm prints "<invalid>" it is that of LeftText.
func (c *Cert) ResidualText(now time.Time) string {
	end := c.Ends()
	if c.Unseen != "" || end.IsZero() || now.Before(c.From) || !now.Before(end) {
		return c.LeftText(now)
	}
	return span(now, end, duration.ShortHumanDuration)
}

func judgeCert(c *Cert, m Moment) (uint8, Severity, time.Time) {
	rank, until := c.Badness(m)
	return rank, certSeverity(rank), until
}
