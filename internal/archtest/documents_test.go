package archtest

import (
	"cmp"
	"fmt"
	"maps"
	"path"
	"regexp"
	"slices"
	"strings"

	"ktriage/keymap"
)

// unwanted is what nobody should find here: notes of work that was left, and paths of one machine. The words are put
// together so that they do not stand in this file.
var unwanted = regexp.MustCompile(`\b(?:TO` + `DO|FIX` + `ME)\b|(?i:not imple` + `mented)|/wo` + `rk/|/ro` + `ot/`)

// words wants nothing in the repository that only its writers understand.
func words(files []*file) []string {
	var bad []string
	for _, f := range files {
		for n, line := range strings.Split(f.text, "\n") {
			for _, word := range unwanted.FindAllString(line, -1) {
				bad = append(bad, f.atLine(n, "%q: do it, or say in the documents what is missing; name no path of one machine", word))
			}
		}
	}
	return bad
}

// keyReference wants docs/keys.md to be what the table of keys gives.
func keyReference(files []*file) []string {
	const name = "docs/keys.md"
	have := ""
	if f := find(files, name); f != nil {
		have = f.text
	}
	want := keymap.Default().Markdown()
	if have == want {
		return nil
	}
	lines, n := strings.Split(have, "\n"), 0
	for n = range lines {
		if !strings.HasPrefix(want, strings.Join(lines[:n+1], "\n")+"\n") {
			break
		}
	}
	return []string{fmt.Sprintf("%s:%d: not what the table of keys gives: run make gen", name, n+1)}
}

var (
	codeSpan = regexp.MustCompile("`([^`]+)`")
	idForm   = regexp.MustCompile(`^(?:app|pane|table|nodes|pods|filter|palette|text|help|details|log)(?:\.[a-z0-9-]+)+$`)
	notID    = regexp.MustCompile(`\.(?:go|io|md|ya?ml)$`)
	keyForm  = regexp.MustCompile(`^(?:ctrl\+\S+|shift\+\S+|alt\+\S+|enter|esc|tab|space|home|end|pgup|pgdown)$`)
	letters  = regexp.MustCompile(`^[A-Za-z0-9](?: [A-Za-z])?$`)
)

// keysInDocuments wants the keys and the names of commands that stand in documents as code to be in the table of keys. A
// bare letter is certainly a key in the README; elsewhere it may be a mark or a unit.
func keysInDocuments(files []*file) []string {
	table := keymap.Default()
	keys := map[string]bool{}
	for _, b := range table.Bindings() {
		for _, key := range b.Keys {
			keys[key] = true
		}
	}
	var bad []string
	for _, f := range files {
		if f.path == "docs/keys.md" {
			continue // made from the table itself
		}
		for n, line := range prose(f) {
			for _, span := range codeSpan.FindAllStringSubmatch(line, -1) {
				code := span[1]
				_, bound := table.Lookup(keymap.ID(code))
				isID := idForm.MatchString(code) && !notID.MatchString(code)
				isKey := keyForm.MatchString(code) || f.path == "README.md" && letters.MatchString(code)
				if isID && !bound || isKey && !keys[code] {
					bad = append(bad, f.atLine(n, "`%s` is not in the table of keys: correct it after docs/keys.md", code))
				}
			}
		}
	}
	return bad
}

// linkForm is [text](target), pictures too; a title may follow the target.
var linkForm = regexp.MustCompile(`\]\(([^()\s]+)(?:\s+"[^"]*")?\)`)

// links wants what documents point to inside the repository to be there in a clone.
func links(files []*file) []string {
	there := map[string]bool{".": true}
	for _, f := range files {
		for name := f.path; f.tracked && name != "."; name = path.Dir(name) {
			there[name] = true
		}
	}
	var bad []string
	for _, f := range files {
		for n, line := range prose(f) {
			for _, link := range linkForm.FindAllStringSubmatch(line, -1) {
				target, _, _ := strings.Cut(link[1], "#")
				if target == "" || strings.Contains(target, ":") {
					continue // a heading of the same file, or another site
				}
				if name := path.Join(f.dir(), target); !there[name] {
					bad = append(bad, f.atLine(n, "link to %s, which git does not track: write it and git add it, or take the link out", name))
				}
			}
		}
	}
	return bad
}

// prose gives the lines of a Markdown file, those in fenced blocks as empty ones; no lines of other files.
func prose(f *file) []string {
	if path.Ext(f.path) != ".md" {
		return nil
	}
	lines, fenced := strings.Split(f.text, "\n"), false
	for n, line := range lines {
		fence := strings.HasPrefix(strings.TrimSpace(line), "```")
		if fence || fenced {
			lines[n] = ""
		}
		fenced = fenced != fence
	}
	return lines
}

// requireForm is one direct requirement of go.mod.
var requireForm = regexp.MustCompile(`^(?:require\s+|\t)(\S+) v\S+$`)

// dependencies wants the direct requirements of go.mod and the table in ARCHITECTURE.md to be the same. The table may
// leave out the beginning of a path that the name before it has, and the end that is a major version.
func dependencies(files []*file) []string {
	mod, doc := find(files, "go.mod"), find(files, "ARCHITECTURE.md")
	if mod == nil || doc == nil {
		return []string{"go.mod or ARCHITECTURE.md is missing"}
	}
	named := dependencyTable(doc)
	var bad []string
	for n, line := range strings.Split(mod.text, "\n") {
		required := requireForm.FindStringSubmatch(line)
		if required == nil {
			continue
		}
		known := false
		for name := range named {
			if names(name, required[1]) {
				known = true
				named[name] = -1
			}
		}
		if !known {
			bad = append(bad, mod.atLine(n, "%s is not in the table of dependencies: say in ARCHITECTURE.md why it is needed", required[1]))
		}
	}
	for _, name := range slices.SortedFunc(maps.Keys(named), func(a, b string) int { return cmp.Compare(named[a], named[b]) }) {
		if named[name] >= 0 {
			bad = append(bad, doc.atLine(named[name], "go.mod does not require %s directly: take it out of the table", name))
		}
	}
	return bad
}

// dependencyTable gives the names in the first column under the heading Dependencies, with their lines from 0.
func dependencyTable(doc *file) map[string]int {
	named, inside := map[string]int{}, false
	for n, line := range strings.Split(doc.text, "\n") {
		if strings.HasPrefix(line, "#") {
			inside = strings.TrimLeft(line, "# ") == "Dependencies"
		}
		cells := strings.Split(line, "|")
		if strings.Contains(line, "(indirect)") {
			continue // pinned, not imported: the table says why
		}
		if !inside || len(cells) < 3 || strings.Contains(cells[1], "---") || strings.TrimSpace(cells[1]) == "Module" {
			continue
		}
		for name := range strings.FieldsFuncSeq(cells[1], func(r rune) bool { return strings.ContainsRune(" ,`", r) }) {
			if !strings.HasSuffix(name, ":") { // "tests:"
				named[name] = n
			}
		}
	}
	return named
}

// names reports whether a name of the table means a module: the end of its path, or a package in it.
func names(name, module string) bool {
	for tail := version.ReplaceAllString(module, ""); ; {
		if short := version.ReplaceAllString(name, ""); short == tail || strings.HasPrefix(short, tail+"/") {
			return true
		}
		_, rest, more := strings.Cut(tail, "/")
		if !more {
			return false
		}
		tail = rest
	}
}

// version is the end of a module path that only says which major version it is.
var version = regexp.MustCompile(`/v\d+$`)

func find(files []*file, name string) *file {
	i := slices.IndexFunc(files, func(f *file) bool { return f.path == name })
	if i < 0 {
		return nil
	}
	return files[i]
}
