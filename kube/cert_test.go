package kube

import (
	"math"
	"strings"
	"testing"
	"time"

	"pgregory.net/rapid"
)

var certFrom = time.Date(2026, 1, 1, 0, 0, 0, 0, time.UTC)

// certOf is a credential of one place, with a life from certFrom.
func certOf(class RenewalClass, life time.Duration) *Cert {
	c := &Cert{Name: "x", From: certFrom, Places: []CertPlace{{Class: class, Danger: BreaksApp}}}
	if life != 0 {
		c.To = certFrom.Add(life)
	}
	return c
}

// The thresholds of domain.md 4.4, each at its boundary and one second before.
func TestEachClassTurnsAtItsThresholds(t *testing.T) {
	with := func(c *Cert, change func(*Cert)) *Cert { change(c); return c }
	ours := func(c *Cert) { c.Places[0].Ours = true }
	issued := func(renew time.Duration, change func(*Issuance)) func(*Cert) {
		return func(c *Cert) {
			c.Issuance = &Issuance{Ready: true, RenewAt: certFrom.Add(renew)}
			change(c.Issuance)
		}
	}
	well := func(*Issuance) {}
	const year = 365 * day
	type turn struct {
		at       time.Duration // since certFrom
		severity Severity
	}
	for name, c := range map[string]struct {
		cert   *Cert
		limits CertLimits
		turns  []turn // in their order; from each on it has that severity
	}{
		"by hand":                     {cert: certOf(ByHand, year), turns: []turn{{0, OK}, {335 * day, Warning}, {358 * day, Bad}, {year, Bad}}},
		"by hand, other limits":       {cert: certOf(ByHand, year), limits: CertLimits{60 * day, day}, turns: []turn{{0, OK}, {305 * day, Warning}, {364 * day, Bad}}},
		"a CA":                        {cert: certOf(OfAuthority, 10*year), turns: []turn{{0, OK}, {10*year - 180*day, Warning}, {10*year - 30*day, Bad}}},
		"a CA, less asked than usual": {cert: certOf(OfAuthority, 10*year), limits: CertLimits{10 * day, day}, turns: []turn{{0, OK}, {10*year - 180*day, Warning}, {10*year - 30*day, Bad}}},
		"a CA, more asked than usual": {cert: certOf(OfAuthority, 10*year), limits: CertLimits{year, 60 * day}, turns: []turn{{0, OK}, {9 * year, Warning}, {10*year - 60*day, Bad}}},
		"by hand, for a week":         {cert: certOf(ByHand, 7*day), turns: []turn{{0, OK}, {151*time.Hour + 12*time.Minute, Warning}, {159*time.Hour + 36*time.Minute, Bad}}},
		"by hand, for 60 days":        {cert: certOf(ByHand, 60*day), turns: []turn{{0, OK}, {30 * day, Warning}, {53 * day, Bad}}},
		"a CA, for a month":           {cert: certOf(OfAuthority, 30*day), turns: []turn{{0, OK}, {27 * day, Warning}, {28*day + 12*time.Hour, Bad}}},
		"rotated by the kubelet":      {cert: certOf(KubeletRotated, 100*day), turns: []turn{{0, OK}, {90 * day, Warning}, {95 * day, Bad}, {100 * day, Bad}}},
		"of cert-manager": {
			cert:  with(certOf(CertManaged, 90*day), issued(60*day, well)),
			turns: []turn{{0, OK}, {60*day + time.Hour, Warning}, {84 * day, Bad}},
		},
		"of cert-manager, time of renewal not known": {cert: certOf(CertManaged, 90*day), turns: []turn{{0, OK}, {60*day + time.Hour, Warning}, {84 * day, Bad}}},
		"of cert-manager, not ready": {
			cert:  with(certOf(CertManaged, 90*day), issued(60*day, func(i *Issuance) { i.Ready = false })),
			turns: []turn{{0, Warning}, {84 * day, Bad}},
		},
		"of cert-manager, an attempt failed": {
			cert:  with(certOf(CertManaged, 90*day), issued(60*day, func(i *Issuance) { i.Failed = 1 })),
			turns: []turn{{0, Warning}, {84 * day, Bad}},
		},
		"of cert-manager, for a day": {cert: with(certOf(CertManaged, day), issued(16*time.Hour, well)), turns: []turn{{0, OK}, {17 * time.Hour, Warning}, {22*time.Hour + 24*time.Minute, Bad}}},
		"short-lived":                {cert: certOf(ShortLived, day), turns: []turn{{0, OK}, {day, Bad}}},
		"short-lived, and ours":      {cert: with(certOf(ShortLived, day), ours), turns: []turn{{0, OK}, {day - 10*time.Minute, Warning}, {day, Bad}}},
		"a bootstrap token":          {cert: certOf(BootstrapToken, 3*day), turns: []turn{{0, Warning}, {2 * day, OK}, {3 * day, Notice}}},
		"a bootstrap token for ever": {cert: certOf(BootstrapToken, 0), turns: []turn{{0, Warning}, {100 * year, Warning}}},
		"there, and that is enough": {
			cert:  with(certOf(ShortLived, day), func(c *Cert) { c.Places[0].Use, c.Places[0].Severity = NoCert, Warning }),
			turns: []turn{{0, Warning}, {2 * day, Warning}},
		},
		"without an end":             {cert: certOf(WithoutExpiry, 0), turns: []turn{{0, OK}, {100 * year, OK}}},
		"by hand, the end not known": {cert: with(certOf(ByHand, 0), func(c *Cert) { c.Unseen = "timed out" }), turns: []turn{{0, Notice}, {100 * year, Notice}}},
		"outlived in its bundle":     {cert: with(certOf(OfAuthority, year), func(c *Cert) { c.Places[0].Outlived = true }), turns: []turn{{0, OK}, {185 * day, Notice}, {2 * year, Notice}}},
		"verified by nobody":         {cert: with(certOf(ByHand, year), func(c *Cert) { c.Places[0].Unverified = true }), turns: []turn{{0, OK}, {335 * day, Notice}, {2 * year, Notice}}},
		"of another context":         {cert: with(certOf(ByHand, year), func(c *Cert) { c.Places[0].Elsewhere = true }), turns: []turn{{0, OK}, {335 * day, Warning}, {2 * year, Warning}}},
		"not yet valid":              {cert: certOf(ByHand, year), turns: []turn{{-year, Bad}, {0, OK}}},
		"an intermediate that ends first": {
			cert:  with(certOf(ByHand, year), func(c *Cert) { c.Chain = []*X509{{To: certFrom.Add(100 * day)}, {To: certFrom, SelfSigned: true}} }),
			turns: []turn{{0, OK}, {70 * day, Warning}, {93 * day, Bad}},
		},
		"a note that warns":           {cert: with(certOf(ByHand, year), func(c *Cert) { c.Places[0].Severity = Warning }), turns: []turn{{0, Warning}, {358 * day, Bad}}},
		"the worst of several places": {cert: with(certOf(ShortLived, year), func(c *Cert) { c.Places = append(c.Places, CertPlace{Class: ByHand}) }), turns: []turn{{0, OK}, {335 * day, Warning}}},
	} {
		t.Run(name, func(t *testing.T) {
			check := func(at time.Duration, want Severity) {
				if got := c.cert.Severity(Moment{Now: certFrom.Add(at), CertLimits: c.limits}); got != want {
					t.Errorf("after %v it is %s, wanted %s", at, got, want)
				}
			}
			for i, turn := range c.turns {
				check(turn.at, turn.severity)
				if i > 0 {
					check(turn.at-time.Second, c.turns[i-1].severity)
				}
			}
		})
	}
}

// AC-C4: the dates of the document, 002 8562-8569.
func TestDatesOfTheDocument(t *testing.T) {
	from := time.Date(2024, 2, 13, 5, 57, 47, 0, time.UTC)
	ca := &Cert{From: from, To: time.Date(2034, 2, 10, 6, 2, 47, 0, time.UTC), Places: []CertPlace{{Class: OfAuthority}}}
	client := &Cert{From: from, To: time.Date(2025, 2, 12, 6, 2, 50, 0, time.UTC), Places: []CertPlace{{Class: ByHand}}}
	for _, c := range []struct {
		cert     *Cert
		now      string
		left     string
		severity Severity
	}{
		{client, "2025-02-01T00:00:00Z", "11d", Warning}, {ca, "2025-02-01T00:00:00Z", "9y", OK},
		{client, "2025-02-13T00:00:00Z", "EXPIRED 17h ago", Bad}, {ca, "2034-02-01T00:00:00Z", "9d", Bad},
		{client, "2024-02-13T05:57:46Z", "NOT YET VALID", Bad}, {client, "2024-02-13T05:57:47Z", "365d", OK},
	} {
		now, err := time.Parse(time.RFC3339, c.now)
		if err != nil {
			t.Fatal(err)
		}
		if got := c.cert.LeftText(now); got != c.left {
			t.Errorf("at %s: %q, wanted %q", c.now, got, c.left)
		}
		if got := c.cert.Severity(Moment{Now: now}); got != c.severity {
			t.Errorf("at %s: %s, wanted %s", c.now, got, c.severity)
		}
	}
}

func TestTimeLeftInWords(t *testing.T) {
	end := time.Date(2020, 12, 30, 23, 36, 0, 0, time.UTC)
	forever := time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
	cert := func(to time.Time) *Cert { return &Cert{To: to, Places: make([]CertPlace, 1)} }
	for _, c := range []struct {
		cert           *Cert
		now            time.Time
		left, residual string
	}{
		{cert(end), end.Add(-365 * day), "365d", "1y"}, {cert(end), end.Add(time.Second - 365*day), "364d", "364d"},
		{cert(end), end.Add(-3650 * day), "10y", "10y"}, {cert(end), end.Add(-6*day - 4*time.Hour), "6d4h", "6d"},
		{cert(end), end.Add(-7*365*day - 118*day), "7y118d", "7y"}, {cert(end), end.Add(-time.Second), "1s", "1s"},
		{cert(end), end, "EXPIRED 0s ago", "EXPIRED 0s ago"}, {cert(end), end.Add(3 * day), "EXPIRED 3d ago", "EXPIRED 3d ago"},
		{cert(time.Time{}), end, "no expiry", "no expiry"}, {&Cert{Unseen: "x", To: end}, end, "-", "-"},
		{cert(forever), end, "7979y", "7979y"}, {cert(time.Date(1, 1, 1, 0, 0, 1, 0, time.UTC)), end, "EXPIRED 2019y ago", "EXPIRED 2019y ago"},
	} {
		if got := c.cert.LeftText(c.now); got != c.left {
			t.Errorf("%s before %s: %q, wanted %q", c.now, c.cert.To, got, c.left)
		}
		if got := c.cert.ResidualText(c.now); got != c.residual {
			t.Errorf("%s before %s, as kubeadm: %q, wanted %q", c.now, c.cert.To, got, c.residual)
		}
	}
}

func TestBadnessRanksSeverityThenWhatBreaks(t *testing.T) {
	cert := func(left time.Duration, danger Danger) *Cert {
		return &Cert{From: certFrom.Add(-365 * day), To: certFrom.Add(left), Places: []CertPlace{{Class: ByHand, Danger: danger}}}
	}
	order := []*Cert{ // the best first
		cert(90*day, BreaksNothing), cert(90*day, BreaksCluster), cert(20*day, BreaksApp), cert(20*day, BlocksWrites),
		cert(-day, BreaksNothing), cert(3*day, BlocksWrites), cert(3*day, BreaksCluster),
	}
	last := -1
	for i, c := range order {
		rank, _ := c.Badness(Moment{Now: certFrom})
		if int(rank) <= last {
			t.Errorf("%d is ranked %d, that before %d", i, rank, last)
		}
		if got := certSeverity(rank); got != c.Severity(Moment{Now: certFrom}) {
			t.Errorf("%d: its rank says %s", i, got)
		}
		last = int(rank)
	}
	both := cert(3*day, BreaksNode)
	both.Places = append(both.Places, CertPlace{Class: ShortLived, Danger: BreaksCluster})
	if rank, _ := both.Badness(Moment{Now: certFrom}); rank != uint8(Bad)<<4|uint8(BreaksNode) {
		t.Errorf("what is well in a dangerous place counts as ill there: %x", rank)
	}
}

// drawnCert is any credential at all.
func drawnCert(t *rapid.T) *Cert {
	moment := func(label string) time.Time {
		switch rapid.IntRange(0, 9).Draw(t, label+" kind") {
		case 0:
			return time.Time{}
		case 1:
			return time.Date(9999, 12, 31, 23, 59, 59, 0, time.UTC)
		}
		return certFrom.Add(time.Duration(rapid.Int64Range(-3e7, 3e7).Draw(t, label)) * time.Second)
	}
	c := &Cert{From: moment("from"), To: moment("to")}
	for range rapid.IntRange(1, 3).Draw(t, "places") {
		c.Places = append(c.Places, CertPlace{
			Class:  RenewalClass(rapid.IntRange(0, int(WithoutExpiry)).Draw(t, "class")),
			Danger: Danger(rapid.IntRange(0, int(BreaksCluster)).Draw(t, "danger")),
			Ours:   rapid.Bool().Draw(t, "ours"), Outlived: rapid.Bool().Draw(t, "outlived"),
			Severity:   Severity(rapid.IntRange(0, int(Bad)).Draw(t, "floor")),
			Unverified: rapid.IntRange(0, 4).Draw(t, "unverified") == 0,
		})
	}
	if rapid.Bool().Draw(t, "chain") {
		c.Chain = []*X509{{To: moment("intermediate").Add(time.Second), SelfSigned: rapid.Bool().Draw(t, "root")}} // all have an end
	}
	if rapid.Bool().Draw(t, "issued") {
		c.Issuance = &Issuance{RenewAt: moment("renewal"), Ready: rapid.Bool().Draw(t, "ready"), Failed: rapid.IntRange(0, 1).Draw(t, "failed")}
	}
	if rapid.IntRange(0, 9).Draw(t, "seen") == 0 {
		c.Unseen = "timed out"
	}
	return c
}

// The store judges a row again at `until` and not before.
func TestJudgementHoldsUntilItSaysSo(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c := drawnCert(t)
		m := Moment{Now: certFrom.Add(time.Duration(rapid.Int64Range(-4e7, 4e7).Draw(t, "now")) * time.Second)}
		rank, until := c.Badness(m)
		if !until.IsZero() && !until.After(m.Now) {
			t.Fatalf("it changes at %s, which is not after %s", until, m.Now)
		}
		last := m.Now.Add(math.MaxInt64)
		if !until.IsZero() && until.Before(last) {
			last = until.Add(-1)
		}
		room := int64(last.Sub(m.Now))
		for _, after := range []int64{1, room / 1000, room / 2, room, rapid.Int64Range(0, room).Draw(t, "later")} {
			later := Moment{Now: m.Now.Add(time.Duration(min(after, room)))}
			if got, _ := c.Badness(later); got != rank {
				t.Fatalf("%s: rank %x, and %x at %s, although it holds until %s", m.Now, rank, got, later.Now, until)
			}
		}
	})
}

func TestFilterFindsWhatColumnsAndDetailSay(t *testing.T) {
	c := &Cert{
		Name: "apiserver", Kind: ServingCert, From: certFrom, To: certFrom.Add(400 * day),
		X509: &X509{Subject: "CN=kube-apiserver", Issuer: "CN=kubernetes", DNS: []string{"api.Tokyo.corp"}, IPs: []string{"10.96.0.1"}, Other: []string{"spiffe://x"}},
		Places: []CertPlace{{Source: FromHandshake, Name: "apiserver", Where: "cp-2:6443", Authority: "ca"},
			{Source: FromFile, Name: "other", Where: "/etc/x.crt", Note: "renewed on disk", Failed: "timed out"}},
	}
	m := Moment{Now: certFrom}
	for _, word := range []string{"apiserver", "serving", "cp-2", "handshake", "file", "/etc/x", "renewed", "timed", "kube-api", "cn=kubernetes", "tokyo", "10.96", "spiffe", "400d"} {
		if !c.Matches(word, m) {
			t.Errorf("%q is not found", word)
		}
	}
	for _, word := range []string{"etcd", "secret", "expired"} {
		if c.Matches(word, m) {
			t.Errorf("%q is found", word)
		}
	}
	if nothing := (&Cert{Name: "x", Places: make([]CertPlace, 1)}); nothing.Matches(strings.ToLower("CN="), m) {
		t.Error("what has no certificate has a subject")
	}
}
