package filter

import "strings"

// labels reads -l and the selector behind it. A selector goes on behind a comma, up to a parenthesis that closes, and over
// spaces around an operator; it ends at any other space. Quotes around all of it are taken off.
func (p *parser) labels(t *Term) *Error {
	t.Kind = Labels
	start := p.at
	p.at += len("-l")
	p.skip()
	from := p.at
	if strings.HasPrefix(p.rest(), `"`) {
		text, err := p.quoted()
		if err != nil {
			return err
		}
		t.Text = strings.TrimSpace(text)
	} else {
		p.at += selectorEnd(p.rest())
		t.Text = p.s[from:p.at]
	}
	switch {
	case p.lang.Selector == nil:
		return p.fail(start, p.at-start, "%s: -l finds nothing here", p.lang.NoLabels)
	case t.Text == "":
		return p.fail(start, max(2, p.at-start), "-l needs a label selector behind it: -l app=web,env in (prod,stage)")
	}
	if err := p.lang.Selector(t.Text); err != nil {
		return p.fail(from, p.at-from, "%s", printable(err.Error()))
	}
	return nil
}

// selectorEnd gives where a selector ends that begins a text.
func selectorEnd(s string) int {
	for at := 0; ; {
		end := requirementEnd(s, at)
		next := end + spaces(s[end:])
		if next >= len(s) || s[next] != ',' {
			return end
		}
		at = next + 1
		at += spaces(s[at:])
		if at >= len(s) {
			return len(s)
		}
	}
}

// requirementEnd gives the end of one requirement: a key, !key, key=value, key in (a, b).
func requirementEnd(s string, at int) int {
	at = plainEnd(s, at, " \t,=!<>", true)
	op := at + spaces(s[at:])
	switch rest := s[op:]; {
	case strings.HasPrefix(rest, "=="), strings.HasPrefix(rest, "!="):
		op += 2
	case rest != "" && strings.IndexByte("=<>", rest[0]) >= 0:
		op++
	default:
		return setEnd(s, at)
	}
	value := op + spaces(s[op:])
	if value >= len(s) && value > op {
		return op // nothing follows yet: it is the empty value
	}
	return plainEnd(s, value, " \t,", false)
}

// setEnd gives the end of what may follow a key as "in (a, b)"; of a key alone its own end.
func setEnd(s string, key int) int {
	word := key + spaces(s[key:])
	for _, in := range [...]string{"in", "notin"} {
		rest, ok := strings.CutPrefix(s[word:], in)
		open := spaces(rest)
		if !ok || word == key || !strings.HasPrefix(rest[open:], "(") {
			continue
		}
		if n := strings.IndexByte(rest, ')'); n >= 0 {
			return word + len(in) + n + 1
		}
		return len(s)
	}
	return key
}

// plainEnd gives where a stretch without any of some characters ends. A ! that begins a key belongs to it.
func plainEnd(s string, at int, stop string, key bool) int {
	if key && at < len(s) && s[at] == '!' {
		at++
	}
	if n := strings.IndexAny(s[at:], stop); n >= 0 {
		return at + n
	}
	return len(s)
}

// spaces is how many spaces a text begins with.
func spaces(s string) int { return len(s) - len(strings.TrimLeft(s, " \t")) }
