package archtest

import (
	"fmt"
	"go/ast"
	"go/token"
	"maps"
	"path"
	"slices"
	"strings"
)

// packageComments wants one sentence at least about every package, in the form that go doc expects.
func packageComments(files []*file) []string {
	first, commented := map[string]*file{}, map[string]bool{}
	for _, f := range files {
		if f.ast == nil {
			continue
		}
		if have := first[f.dir()]; have == nil || have.isTest() && !f.isTest() {
			first[f.dir()] = f
		}
		begin := "Package " + f.ast.Name.Name + " "
		if f.ast.Name.Name == "main" {
			begin = ""
		}
		if doc := f.ast.Doc.Text(); doc != "" && strings.HasPrefix(doc, begin) {
			commented[f.dir()] = true
		}
	}
	var bad []string
	for _, dir := range slices.Sorted(maps.Keys(first)) {
		if !commented[dir] {
			bad = append(bad, first[dir].at(first[dir].ast.Package, "package %s has no comment: write \"// Package %[1]s ...\" "+
				"with its one rule above a package clause", first[dir].ast.Name))
		}
	}
	return bad
}

// selfEvident are methods of interfaces that everybody knows.
var selfEvident = []string{"Error", "String", "Unwrap"}

// docstrings wants a comment on everything that another package can name.
func docstrings(files []*file) []string {
	var bad []string
	for _, f := range files {
		if f.ast == nil || f.isTest() || f.ast.Name.Name == "main" {
			continue
		}
		for _, decl := range f.ast.Decls {
			for _, name := range bare(decl) {
				bad = append(bad, f.at(name.Pos(), "%s has no docstring: say what it gives, and where that comes from", name))
			}
		}
	}
	return bad
}

// bare gives the exported names of a declaration that have no comment. One comment above a group is enough for its
// constants and variables, not for its types.
func bare(decl ast.Decl) []*ast.Ident {
	var names []*ast.Ident
	switch d := decl.(type) {
	case *ast.FuncDecl:
		known := d.Recv != nil && slices.Contains(selfEvident, d.Name.Name)
		if d.Doc == nil && d.Name.IsExported() && receiverIsExported(d) && !known {
			names = append(names, d.Name)
		}
	case *ast.GenDecl:
		for _, spec := range d.Specs {
			switch s := spec.(type) {
			case *ast.TypeSpec:
				if s.Name.IsExported() && s.Doc == nil && s.Comment == nil && (d.Doc == nil || d.Lparen.IsValid()) {
					names = append(names, s.Name)
				}
			case *ast.ValueSpec:
				if s.Doc == nil && s.Comment == nil && d.Doc == nil {
					names = append(names, slices.DeleteFunc(slices.Clone(s.Names), func(n *ast.Ident) bool { return !n.IsExported() })...)
				}
			}
		}
	}
	return names
}

// receiverIsExported is true of functions too.
func receiverIsExported(d *ast.FuncDecl) bool {
	if d.Recv == nil {
		return true
	}
	t := d.Recv.List[0].Type
	for {
		switch x := t.(type) {
		case *ast.StarExpr:
			t = x.X
		case *ast.IndexExpr:
			t = x.X
		case *ast.IndexListExpr:
			t = x.X
		case *ast.Ident:
			return x.IsExported()
		default:
			return false
		}
	}
}

// mostLines is how long a file may be that people write.
const mostLines = 600

// length keeps a file to what can be read at one sitting.
func length(files []*file) []string {
	written := []string{".go", ".md", ".yaml", ".yml", ".sh"}
	var bad []string
	for _, f := range files {
		lines := strings.Count(f.text, "\n")
		if lines > mostLines && slices.Contains(written, path.Ext(f.path)) && !strings.Contains("/"+f.path, "/testdata/") {
			bad = append(bad, f.atLine(mostLines, "%d lines, more than %d: split it by subject", lines, mostLines))
		}
	}
	return bad
}

// goroutines wants every goroutine of the program to be started by safe.Go.
func goroutines(files []*file) []string {
	var bad []string
	for _, f := range files {
		if !f.isProgram() || f.dir() == "internal/safe" {
			continue
		}
		ast.Inspect(f.ast, func(n ast.Node) bool {
			if s, ok := n.(*ast.GoStmt); ok {
				bad = append(bad, f.at(s.Pos(), "go statement: use safe.Go, so that a panic gives the terminal back"))
			}
			return true
		})
	}
	return bad
}

// clockReaders are the packages that may ask for the time or wait for it; functions of all others are given it. Tests
// stop the clock of these with testing/synctest.
var clockReaders = []string{"kube", "kube/action", "kube/certs", "kube/cordon", "kube/csr", "kube/drain", "kube/deadnode", "kube/evict", "kube/remove", "kube/renew", "kube/rollout", "kube/scale", "kube/send", "ui", "internal/cli", "internal/snapshot", "internal/term"}

// clock keeps the time out of the packages that compute.
func clock(files []*file) []string {
	var bad []string
	for _, f := range files {
		if !f.isProgram() || slices.Contains(clockReaders, f.dir()) {
			continue
		}
		for _, use := range f.uses("time", "Now", "Since", "Until", "After", "AfterFunc", "Tick", "NewTimer", "NewTicker") {
			bad = append(bad, f.at(use.Pos(), "time.%s outside %s: take the time as an argument",
				use.Sel.Name, strings.Join(clockReaders, ", ")))
		}
	}
	return bad
}

// sleep forbids time.Sleep in tests and in the main module, but where time is certainly virtual: in a function that starts
// a bubble of testing/synctest, or that calls synctest.Wait, which panics outside of one. The screenshots are of a real
// program on a real terminal.
func sleep(files []*file) []string {
	starters := bubbles(files)
	var bad []string
	for _, f := range files {
		if f.ast == nil || !f.isMain() && !f.isTest() || f.dir() == "internal/screenshot" {
			continue
		}
		for _, use := range f.uses("time", "Sleep") {
			if d := f.function(use.Pos()); d == nil || !f.inBubble(d, starters) {
				bad = append(bad, f.at(use.Pos(), "time.Sleep in real time: wait for a condition, or run in synctest.Test"))
			}
		}
	}
	return bad
}

// bubbles gives the functions that run what they are given in synctest.Test, as "folder.name".
func bubbles(files []*file) map[string]bool {
	starters := map[string]bool{}
	for _, f := range files {
		if f.ast == nil {
			continue
		}
		for _, use := range f.uses("testing/synctest", "Test") {
			if d := f.function(use.Pos()); d != nil {
				starters[f.dir()+"."+d.Name.Name] = true
			}
		}
	}
	return starters
}

// function gives the function in which a place is, nil if it is in none.
func (f *file) function(pos token.Pos) *ast.FuncDecl {
	for _, decl := range f.ast.Decls {
		if d, ok := decl.(*ast.FuncDecl); ok && d.Pos() <= pos && pos < d.End() {
			return d
		}
	}
	return nil
}

// inBubble reports whether the body of a function is, or is partly, in virtual time.
func (f *file) inBubble(d *ast.FuncDecl, starters map[string]bool) bool {
	for _, use := range f.uses("testing/synctest", "Test", "Wait") {
		if d.Pos() <= use.Pos() && use.Pos() < d.End() {
			return true
		}
	}
	found := false
	ast.Inspect(d, func(n ast.Node) bool {
		if call, ok := n.(*ast.CallExpr); ok && starters[f.callee(call)] {
			found = true
		}
		return !found
	})
	return found
}

// callee gives the function that is called as "folder.name", if it is of this package or an imported one of ours.
func (f *file) callee(call *ast.CallExpr) string {
	switch fun := call.Fun.(type) {
	case *ast.Ident:
		return f.dir() + "." + fun.Name
	case *ast.SelectorExpr:
		for _, spec := range f.ast.Imports {
			name, ours := folder(importPath(spec))
			if x, ok := fun.X.(*ast.Ident); ok && ours && x.Name == path.Base(name) {
				return name + "." + fun.Sel.Name
			}
		}
	}
	return ""
}

// terminalWriters are the packages that may write to where the screen is.
var terminalWriters = []string{".", "internal/cli", "internal/term"}

// terminal keeps everything off the screen but what is drawn.
func terminal(files []*file) []string {
	var bad []string
	for _, f := range files {
		if !f.isProgram() || slices.Contains(terminalWriters, f.dir()) {
			continue
		}
		uses := slices.Concat(f.uses("fmt", "Print", "Printf", "Println"), f.uses("os", "Stdout", "Stderr"))
		for _, use := range uses {
			bad = append(bad, f.at(use.Pos(), "%s.%s would write into the screen: return text or an error, write to an io.Writer, "+
				"or log", fmt.Sprint(use.X), use.Sel.Name))
		}
	}
	return bad
}
