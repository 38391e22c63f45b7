package kube

import "strings"

// fieldEnd stands between the fields of a pod's text: no word of a filter holds it, so none is found across two fields, and
// what a regular expression calls a line is one field.
const fieldEnd = "\n"

// index makes the text that a filter searches: one stretch of memory for each pod instead of seven, because what a letter
// typed costs at 150,000 pods is what it waits for memory. Name and IP, which no two pods share, live in it.
func (p *Pod) index() {
	owner := p.OwnerKind + "/" + p.OwnerName
	exact := p.Namespace + "/" + p.Name + fieldEnd + p.IP + fieldEnd + p.Node + fieldEnd + p.Status + fieldEnd + owner
	p.text = strings.ToLower(exact)
	if len(p.text) != len(exact) { // some letters have longer small ones
		return
	}
	p.Name = in(p.text, len(p.Namespace)+1, p.Name)
	p.IP = in(p.text, len(p.Namespace)+len(p.Name)+2, p.IP)
}

// in gives s, as the part of text that begins at at if that is equal.
func in(text string, at int, s string) string {
	if part := text[at : at+len(s)]; part == s {
		return part
	}
	return s
}

// Text is what a filter searches: namespace/name, IP, node, status and owner's kind/name in lower case, each on a line.
func (p *Pod) Text() string { return p.text }

// Matches reports whether word, already lower-cased, occurs in what a filter searches: namespace/name, status, node,
// owner's kind/name, or IP.
func (p *Pod) Matches(word string, m Moment) bool {
	if was, ok := strings.CutSuffix(word, "?"); ok && was != "" && p.history(m) && suffixFold(p.Status, was) {
		return true
	}
	return strings.Contains(p.text, word)
}
