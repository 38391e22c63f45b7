package archtest

import (
	"bytes"
	"errors"
	"fmt"
	"go/ast"
	"go/parser"
	"go/token"
	"io/fs"
	"os"
	"os/exec"
	"path"
	"path/filepath"
	"slices"
	"strconv"
	"strings"
	"testing"
)

// module is the path of the main module; the nested ones begin with it too.
const module = "ktriage"

// file is one file of the repository, as the rules see it.
type file struct {
	path    string // from the root, with slashes
	text    string
	tracked bool // a clone has it

	fset *token.FileSet // of Go files only
	ast  *ast.File
}

// newFile parses the text if it is Go.
func newFile(name, text string, tracked bool) (*file, error) {
	f := &file{path: name, text: text, tracked: tracked}
	if path.Ext(name) != ".go" {
		return f, nil
	}
	f.fset = token.NewFileSet()
	var err error
	f.ast, err = parser.ParseFile(f.fset, name, text, parser.ParseComments|parser.SkipObjectResolution)
	return f, err
}

// repository reads the text files below root that git tracks or would track; without git, all but what is built.
func repository(t *testing.T, root string) []*file {
	t.Helper()
	tracked, others := gitFiles(t, root)
	var files []*file
	for _, name := range walk(t, root) {
		if tracked != nil && !tracked[name] && !others[name] {
			continue
		}
		text, err := os.ReadFile(filepath.Join(root, name))
		if err != nil {
			t.Fatal(err)
		}
		if bytes.IndexByte(text, 0) >= 0 {
			text = nil // not text: all that counts is that it is there
		}
		f, err := newFile(name, string(text), tracked == nil || tracked[name])
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	return files
}

// walk gives the paths of all files, but for git's own and what is built. It is done with git too: go test takes an old
// result again unless the folders that the test itself has read are unchanged.
func walk(t *testing.T, root string) []string {
	t.Helper()
	var names []string
	err := filepath.WalkDir(root, func(full string, entry fs.DirEntry, err error) error {
		if err != nil {
			return err
		}
		name, err := filepath.Rel(root, full)
		if err != nil {
			return err
		}
		switch {
		case entry.IsDir() && slices.Contains([]string{".git", "bin", "dist"}, name):
			return fs.SkipDir
		case entry.Type().IsRegular() && name != ".git": // .git is a file in a worktree
			names = append(names, filepath.ToSlash(name))
		}
		return nil
	})
	if err != nil {
		t.Fatal(err)
	}
	return names
}

// gitFiles gives what git tracks, and what it does not but would; nothing where there is no git repository.
func gitFiles(t *testing.T, root string) (tracked, others map[string]bool) {
	t.Helper()
	if _, err := os.Stat(filepath.Join(root, ".git")); err != nil {
		return nil, nil
	}
	_, _ = os.Stat(filepath.Join(root, ".git", "index")) // so that go test does not take a result from before a git add
	list := func(args ...string) map[string]bool {
		git := exec.Command("git", append([]string{"ls-files", "-z"}, args...)...)
		git.Dir = root
		out, err := git.Output()
		if err != nil {
			if exit, ok := errors.AsType[*exec.ExitError](err); ok {
				err = fmt.Errorf("%w: %s", err, exit.Stderr)
			}
			t.Fatalf("git ls-files: %v", err)
		}
		set := map[string]bool{}
		for name := range strings.SplitSeq(string(out), "\x00") {
			set[name] = true
		}
		return set
	}
	return list(), list("--others", "--exclude-standard")
}

// dir is the package's folder from the root, "." for the root.
func (f *file) dir() string { return path.Dir(f.path) }

func (f *file) isTest() bool { return strings.HasSuffix(f.path, "_test.go") }

// isMain reports whether it is Go of the main module.
func (f *file) isMain() bool {
	return f.ast != nil && !strings.HasPrefix(f.path, "devcluster/") && !strings.HasPrefix(f.path, "tools/")
}

// isProgram reports whether it is Go that goes into the program.
func (f *file) isProgram() bool {
	return f.isMain() && !f.isTest() && !slices.Contains(beside, f.dir())
}

// at writes a violation at a place of a Go file.
func (f *file) at(pos token.Pos, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.path, f.fset.Position(pos).Line, fmt.Sprintf(format, args...))
}

// atLine writes a violation at a line, counted from 0, of any file.
func (f *file) atLine(line int, format string, args ...any) string {
	return fmt.Sprintf("%s:%d: %s", f.path, line+1, fmt.Sprintf(format, args...))
}

// imported gives the name under which the file knows a package of the standard library, "" if it does not.
func (f *file) imported(pkg string) string {
	for _, spec := range f.ast.Imports {
		if importPath(spec) != pkg {
			continue
		}
		if spec.Name != nil {
			return spec.Name.Name
		}
		return path.Base(pkg)
	}
	return ""
}

func importPath(spec *ast.ImportSpec) string {
	p, _ := strconv.Unquote(spec.Path.Value) // the parser has seen to it that it is a string
	return p
}

// uses gives the places at which names of an imported package stand.
func (f *file) uses(pkg string, names ...string) []*ast.SelectorExpr {
	local := f.imported(pkg)
	var found []*ast.SelectorExpr
	if local == "" {
		return nil
	}
	ast.Inspect(f.ast, func(n ast.Node) bool {
		if s, ok := n.(*ast.SelectorExpr); ok && slices.Contains(names, s.Sel.Name) {
			if x, ok := s.X.(*ast.Ident); ok && x.Name == local {
				found = append(found, s)
			}
		}
		return true
	})
	return found
}
