package views

import (
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// requestsPin is the pin of the list of requests, in the history.
var requestsPin = Pin{"list", "requests"}

// RequestsPlace is the place of the certificate signing requests.
func RequestsPlace() Place { return Place{Pane: "certs", Pin: requestsPin} }

// shown is the list that has the keys.
func (v *certs) shown() View {
	if v.requests {
		return v.csrs
	}
	return v.rows
}

// Name implements View.
func (v *certs) Name() string { return v.rows.Name() }

// Scope implements View.
func (v *certs) Scope() keymap.Scope { return v.shown().Scope() }

// Needs implements View.
func (v *certs) Needs() kube.Kinds { return kube.Certs | kube.CSRs }

// Handle implements View. All lists hear of news; keys go to the one that is shown.
func (v *certs) Handle(e Event) []Effect {
	switch e := e.(type) {
	case Changed:
		return v.load(e)
	case Go:
		v.requests = e.Place.Pin == requestsPin
		e.Place.Pin = Pin{}
		return v.shown().Handle(e)
	case Intent:
		return v.intent(e)
	}
	return v.shown().Handle(e)
}

// load takes what is new. Only the list that is shown has something to say.
func (v *certs) load(e Changed) []Effect {
	if known := v.all.Load(); known != v.known {
		v.known, v.outlook = known, survey(known)
	}
	v.waiting.Handle(e)
	asked := v.csrs.Handle(e)
	before := v.rows.Place().UID
	effects := v.rows.Handle(e)
	if len(effects) > 0 {
		effects = v.follow(before, effects)
	}
	if v.requests {
		return asked
	}
	return effects
}

// follow puts the cursor on the certificate that has taken the place of the one that it stood on: who has renewed one looks
// for the new one.
func (v *certs) follow(uid string, effects []Effect) []Effect {
	if _, there := v.rows.snap.Find(uid, 0); there {
		return effects
	}
	c := v.successor(uid)
	if c == nil || !v.rows.table.Select(c.UID) {
		return effects
	}
	return []Effect{Flash{certTitle(c) + " is a new one: valid until " + utc(c.Ends()), themes.Done}}
}

// successor is the certificate that a place shows now that showed the one of that UID before, nil if there is none.
func (v *certs) successor(uid string) *kube.Cert {
	fingerprint, ok := strings.CutPrefix(uid, "sha256:")
	if !ok {
		return nil
	}
	for i := range v.known.Len() {
		c := v.known.Row(i)
		for k := range c.Places {
			if c.Places[k].Before == fingerprint {
				return c
			}
		}
	}
	return nil
}

// intent answers a key.
func (v *certs) intent(e Intent) []Effect {
	switch e.ID {
	case keymap.ShowCSRs:
		v.requests = true
		return nil
	case keymap.ShowCerts:
		v.requests = false
		return nil
	case keymap.ApproveOne:
		return v.approve(e.ID)
	}
	effects := v.shown().Handle(e)
	if v.requests && len(effects) == 1 && effects[0] == (Up{}) {
		v.requests = false
		return nil
	}
	return effects
}

// approve opens the sheet of the only request that waits, or the list of several.
func (v *certs) approve(id keymap.ID) []Effect {
	switch n := v.waiting.snap.Len(); {
	case v.Why(id) != "":
		return []Effect{Flash{v.Why(id), themes.Warn}}
	case n == 1:
		return []Effect{Act{ID: id, Refs: []kube.Ref{v.waiting.snap.Row(0).Ref()}}}
	}
	v.requests = true
	return v.csrs.Handle(Go{Place{UID: v.waiting.snap.Row(0).UID}})
}

// Why implements View.
func (v *certs) Why(id keymap.ID) string {
	switch {
	case id != keymap.ApproveOne:
		return v.shown().Why(id)
	case v.waiting.snap.State.Phase == kube.Denied:
		return "you may not list certificate signing requests"
	case v.waiting.snap.Len() == 0:
		return "no request waits for approval"
	}
	return ""
}

// Place implements View.
func (v *certs) Place() Place {
	p := v.shown().Place()
	if v.requests {
		p.Pin = requestsPin
	}
	return p
}

const (
	// shortWidth is the width below which places and signers are named by their short names.
	shortWidth = 140
	// footHeight is the least height of a pane that has room for the requests that wait, and mostWaiting how many are shown.
	footHeight, mostWaiting = 18, 3
)

// footed reports whether there is room for the requests that wait below the certificates.
func (v *certs) footed() bool { return v.size.H >= footHeight }

// Draw implements View. Below the certificates stand the requests that wait, where there is room.
func (v *certs) Draw(b *strings.Builder, s Size, f Frame) (cursor int) {
	v.size = s
	if v.requests {
		return v.csrs.Draw(b, s, f)
	}
	foot := 0
	if v.footed() {
		foot = 1
		if n := v.waiting.snap.Len(); n > 0 {
			foot += 1 + min(n, mostWaiting)
		}
	}
	cursor = v.rows.Draw(b, Size{s.W, s.H - foot}, f)
	if foot > 0 {
		b.WriteByte('\n')
		v.drawWaitingRule(b, s.W, f)
	}
	if foot > 1 {
		b.WriteByte('\n')
		v.waiting.table.Draw(b, s.W, foot-1, f.Now, false, f.Paint)
	}
	return cursor
}

// drawWaitingRule heads the requests that wait, and says so if there are none, or none are known.
func (v *certs) drawWaitingRule(b *strings.Builder, w int, f Frame) {
	n := v.waiting.snap.Len()
	words, token := text.Plural(n, "waits for approval", "wait for approval"), themes.Warn
	switch phase := v.waiting.phase(f); {
	case phase == kube.Denied:
		words, token = "you may not list them", themes.Muted
	case phase == kube.Failed:
		words, token = "the server has no such API", themes.Muted
	case phase == kube.Loading && n == 0:
		words, token = "loading", themes.Muted
	case n == 0:
		words, token = "none waits for approval", themes.Muted
	case phase == kube.Stale:
		words += " as of " + v.waiting.asOf(f).In(f.Now.Location()).Format(time.TimeOnly)
	}
	Rule{Left: "CSRs", Right: []string{words + " · " + f.Key(keymap.ShowCSRs) + " shows all", words}, Keep: true, RightToken: token}.
		Draw(b, w, f.Paint)
}

// Tab implements View: how many certificates are critical, as the head of the pane and the header have it; if none is, how many
// warnings there are and requests that wait.
func (v *certs) Tab() (string, kube.Severity) {
	bad, rest := v.outlook.counts[kube.Bad], v.outlook.warnings+v.waiting.snap.Len()
	switch {
	case bad > 0:
		return text.Count(bad), kube.Bad
	case rest > 0:
		return text.Count(rest), kube.Warning
	}
	return "", kube.OK
}

// Counts implements View. The header counts what somebody should look at now: all that is critical, but of the warnings only
// those that concern more than one node or application. A hundred certificates of applications that are due within
// the month, which cert-manager or their owners renew, must not paint the header of a cluster that is well; the head of the
// pane counts them, and the tab does where nothing is critical. Requests are not counted: that one waits says nothing of how long it may.
func (v *certs) Counts() [kube.Bad + 1]int { return v.outlook.counts }

// State implements View.
func (v *certs) State() kube.State { return v.shown().State() }

// Objects implements View.
func (v *certs) Objects(n int) []Object {
	out := v.rows.Objects(n)
	for i := range out {
		out[i].Name = certTitle(v.rows.snap.Row(i))
	}
	return out
}

// Strip implements View.
func (v *certs) Strip(now time.Time) Strip {
	s := v.shown().Strip(now)
	if c, ok := v.rows.table.Current(); ok && !v.requests {
		s.Name, s.Unknown = certTitle(c), unknown(c)
	}
	return s
}

// Namespaces implements View.
func (v *certs) Namespaces() map[string]int { return nil }

// Waiting implements View.
func (v *certs) Waiting() bool { return v.shown().Waiting() }

// Fault implements View.
func (v *certs) Fault() *FilterError { return v.shown().Fault() }

// Details implements View. The page of a certificate goes on with the one that takes its place.
func (v *certs) Details(uid string, now time.Time) (Details, bool) {
	if v.requests {
		return v.csrs.Details(uid, now)
	}
	if i, ok := v.known.Find(uid, 0); ok {
		return v.page(v.known.Row(i), now), true
	}
	if c := v.successor(uid); c != nil {
		return v.page(c, now), true
	}
	return Details{}, false
}

// Close implements View.
func (v *certs) Close() {
	v.rows.Close()
	v.all.Close()
	v.csrs.Close()
	v.waiting.Close()
}
