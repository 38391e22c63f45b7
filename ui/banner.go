package ui

import (
	"cmp"
	"fmt"
	"strings"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/themes"
)

// banner says once that what lets us in is about to expire. It stands above what is said of the selected row until a key is
// pressed by somebody who may have read it; the key counts as ever.
type banner struct {
	feed  *kube.Feed[*kube.Cert] // what lets us in
	words string
	token themes.Token
	since time.Time // when it came, zero before
}

// bannerLeast is how long a banner stays in spite of keys: they were on their way when it came.
const bannerLeast = time.Second

// bannerLines is the most that a banner takes of the screen.
const bannerLines = 3

// newBanner makes one that looks for what lets us in.
func newBanner(feed *kube.Feed[*kube.Cert]) banner {
	feed.SetQuery(kube.Query[*kube.Cert]{
		Keep: func(c *kube.Cert, _ kube.Moment) bool { _, ok := ours(c); return ok },
		Tie:  func(a, b *kube.Cert) int { return strings.Compare(a.UID, b.UID) },
	})
	return banner{feed: feed}
}

// ours gives the place by which a credential lets us in.
func ours(c *kube.Cert) (kube.CertPlace, bool) {
	for _, p := range c.Places {
		if p.Ours {
			return p, true
		}
	}
	return kube.CertPlace{}, false
}

// look raises the banner when there is a reason to, and never again.
func (b *banner) look(user string, now time.Time) {
	if !b.since.IsZero() {
		return
	}
	s := b.feed.Load()
	m := s.Moment
	m.Now = now
	for i := range s.Len() {
		c := s.Row(i)
		p, _ := ours(c)
		if sev := c.Severity(m); c.Unseen == "" && c.Kind != kube.Authority && sev >= kube.Warning {
			b.words, b.token, b.since = ownWords(c, p, user, now), themes.Caution, now
			if sev == kube.Bad {
				b.token = themes.Danger
			}
			return
		}
	}
}

// ownWords says when what lets us in expires, and what to do about it.
func ownWords(c *kube.Cert, p kube.CertPlace, user string, now time.Time) string {
	what, end := "certificate", c.Ends()
	if c.Kind == kube.Token {
		what = "token"
	}
	if c.X509 != nil {
		user = cmp.Or(c.X509.CommonName, user)
	}
	if user != "" {
		what += " (" + user + ")"
	}
	at := end.UTC().Format("2006-01-02 15:04 UTC")
	s := fmt.Sprintf("Your %s expires in %s, on %s", what, c.LeftText(now), at)
	switch {
	case now.Before(c.From):
		s = fmt.Sprintf("Your %s is not valid before %s", what, c.From.UTC().Format("2006-01-02 15:04 UTC"))
	case !now.Before(end):
		s = fmt.Sprintf("Your %s expired %s ago, on %s", what, text.Age(now, end), at)
	}
	if p.Renew != "" {
		s += ": " + p.Renew
	}
	return s
}

// read takes the banner away, if it has been there long enough to be read.
func (b *banner) read(now time.Time) {
	if now.Sub(b.since) >= bannerLeast {
		b.words = ""
	}
}

// bannerLines are those of the banner on a screen of width w, none most of the time.
func (a *App) bannerLines(w int) []string {
	if a.banner.words == "" {
		return nil
	}
	return a.wrap(a.banner.words, w-2, bannerLines)
}
