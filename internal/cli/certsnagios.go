package cli

import (
	"fmt"
	"slices"
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
)

// nagios is the format of monitoring plugins: a line of text with performance data behind a bar, then lines for whoever asks for
// more (https://www.monitoring-plugins.org/doc/guidelines.html#PLUGOUTPUT).
const nagios = "nagios"

const (
	// nagiosNames is how many certificates the first line names: it is read on telephones.
	nagiosNames = 3
	// nagiosLines is how many of each kind the lines after it name: monitors keep 8 KiB or less.
	nagiosLines = 40
)

// nagiosHead is the first line, without performance data. A bar would begin these.
func nagiosHead(state int, words string) string {
	return "CERTIFICATES " + [...]string{"OK", "WARNING", "CRITICAL", "UNKNOWN"}[state] + " - " + nagiosText(words)
}

// nagiosText is a text in which nothing is taken for performance data.
func nagiosText(s string) string {
	return strings.ReplaceAll(strings.TrimSuffix(text.Clean(s), "."), "|", "/")
}

// nagios writes the state, what is worst, and what is not known in the first line, and the rest below.
func (v *certsVerdict) nagios() string {
	var b strings.Builder
	fmt.Fprintf(&b, "%s | critical=%d warning=%d unseen=%d unread=%d\n", nagiosHead(v.code(), strings.Join(v.headline(), "; ")),
		v.counts[kube.Bad], v.counts[kube.Warning], v.undated, len(v.unread))
	var others []string
	for _, c := range v.troubles[min(nagiosNames, len(v.troubles)):] {
		word := "warning: "
		if c.Severity(v.m) == kube.Bad {
			word = "critical: "
		}
		others = append(others, word+troubleText(c, v.m))
	}
	var blind []string
	for _, s := range v.sources {
		if s.Why != "" {
			blind = append(blind, "not read: "+s.Name+": "+s.Why)
		}
	}
	for _, lines := range [...][]string{others, blind} {
		if more := len(lines) - nagiosLines; more > 0 {
			lines = append(slices.Clip(lines[:nagiosLines]), fmt.Sprintf("and %d more", more))
		}
		for _, line := range lines {
			b.WriteString(nagiosText(line) + "\n")
		}
	}
	return b.String()
}

// headline is what the first line says after the state.
func (v *certsVerdict) headline() []string {
	if v.none != "" {
		return []string{v.none}
	}
	var out []string
	if v.own != nil && v.code() == certsUnknown {
		out = append(out, strings.TrimSuffix(kube.Explain(v.own).Sentence, "."))
	}
	if len(v.troubles) == 0 {
		out = append(out, text.Plural(v.seen, "certificate", "certificates"))
		if next := v.next(); next != "" {
			out = append(out, next)
		}
	} else {
		names := v.names(func(*kube.Cert) bool { return true })
		out = append(out, v.counted()+": "+text.Some(names, nagiosNames))
		if v.own != nil {
			out = append(out, strings.TrimSuffix(kube.Explain(v.own).Sentence, "."))
		}
	}
	return append(out, v.blind()...)
}

// counted is how many there are of what is wrong: "2 expired, 4 more critical, 9 with a warning".
func (v *certsVerdict) counted() string {
	var out []string
	say := func(n int, words string) {
		if n > 0 {
			out = append(out, fmt.Sprintf("%d %s", n, words))
		}
	}
	critical := "critical"
	if v.expired > 0 {
		critical = "more critical"
	}
	say(v.expired, "expired")
	say(v.counts[kube.Bad]-v.expired, critical)
	say(v.counts[kube.Warning], "with a warning")
	return strings.Join(out, ", ")
}
