package archtest

import (
	"slices"
	"strings"
)

// mayImport says what each package of the main module may import beside the standard library: packages of ours by their
// folder, modules and packages of others by their path, of which the beginning is enough. Everything else is forbidden:
// kube and internal/cli alone speak to the API, views draws without Bubble Tea, keymap is bare.
var mayImport = map[string]string{
	".": "internal/cli",
	"internal/cli": "ui views kube kube/action kube/certs kube/cordon kube/csr kube/deadnode kube/drain kube/evict kube/remove kube/renew kube/rollout kube/scale keymap themes internal/audit internal/logs internal/recall internal/safe internal/snapshot internal/term internal/text internal/xdg " +
		"github.com/spf13 k8s.io/apimachinery/pkg/util/runtime k8s.io/cli-runtime k8s.io/client-go/tools/clientcmd",
	"ui": "views kube kube/action keymap themes internal/filter internal/logs internal/recall internal/safe internal/table internal/text " +
		"charm.land/bubbletea/v2 charm.land/bubbles/v2/textinput github.com/charmbracelet github.com/sahilm/fuzzy",
	"views":         "kube kube/action keymap themes internal/filter internal/table internal/text",
	"kube":          "internal/safe internal/text k8s.io google.golang.org/protobuf/encoding/protowire",
	"kube/action":   "kube internal/audit internal/safe internal/text k8s.io",
	"kube/send":     "k8s.io",
	"kube/live":     "kube internal/safe internal/text k8s.io",
	"kube/gitops":   "internal/text k8s.io",
	"kube/certs":    "kube internal/safe internal/text k8s.io",
	"kube/csr":      "kube kube/action kube/send internal/text k8s.io",
	"kube/renew":    "kube kube/action kube/certs kube/send internal/text k8s.io",
	"kube/cordon":   "kube kube/action kube/send internal/text k8s.io",
	"kube/deadnode": "kube kube/action kube/send internal/text k8s.io",
	"kube/remove":   "kube kube/action kube/live kube/send internal/safe internal/text k8s.io",
	"kube/rollout":  "kube kube/action kube/gitops kube/send internal/text k8s.io",
	"kube/scale":    "kube kube/action kube/gitops kube/live kube/send internal/safe internal/text k8s.io",
	"kube/drain":    "kube kube/action kube/live internal/text k8s.io",
	"kube/evict":    "kube kube/action kube/drain kube/send internal/safe internal/text k8s.io",
	"keymap":        "",
	"themes":        "charm.land/lipgloss/v2 github.com/charmbracelet/colorprofile github.com/charmbracelet/x/ansi",

	"internal/table":    "kube themes internal/text",
	"internal/text":     "github.com/charmbracelet/x/ansi golang.org/x/text k8s.io/apimachinery/pkg/util/duration",
	"internal/snapshot": "views kube internal/text",
	"internal/filter":   "",
	"internal/recall":   "",
	"internal/logs":     "internal/text k8s.io/apimachinery/pkg/util/runtime k8s.io/client-go/rest k8s.io/klog/v2",
	"internal/term":     "internal/safe golang.org/x/sys golang.org/x/term",
	"internal/safe":     "",
	"internal/xdg":      "",
	"internal/audit":    "golang.org/x/sys",

	// What follows is beside the program.
	"internal/queue":      "",
	"internal/termtest":   "internal/queue charm.land/bubbletea/v2 github.com/charmbracelet github.com/google/go-cmp github.com/creack/pty golang.org/x/term",
	"kube/kubetest":       "kube internal/queue k8s.io",
	"internal/screenshot": "github.com/charmbracelet/x/vt github.com/creack/pty",
	"internal/scale":      "internal/text github.com/charmbracelet/x/vt github.com/creack/pty k8s.io/api k8s.io/apimachinery k8s.io/client-go",
	"internal/e2e":        "views kube kube/action kube/certs kube/cordon kube/csr kube/deadnode kube/drain kube/evict kube/remove kube/renew kube/rollout kube/scale internal/audit internal/text",
	"internal/archtest":   "keymap",
}

// beside are the packages of the main module that are not in the program: they own no terminal, and run in a test or in a
// process of their own.
var beside = []string{"internal/queue", "internal/termtest", "kube/kubetest", "internal/screenshot", "internal/scale", "internal/e2e", "internal/archtest"}

// forTests are the packages of ours that every test may import.
var forTests = []string{
	"internal/termtest", "kube/kubetest", "internal/queue", "internal/audit", "kube/action", "kube/cordon", "kube/deadnode", "kube/drain", "kube/evict",
	"kube/remove", "kube/rollout", "kube/scale", "kube/send", "kube/certs", "kube/csr", "kube/renew",
}

// imports holds each package to its line of mayImport. A test may import what its package may, its package, and any
// module of others.
func imports(files []*file) []string {
	var bad []string
	for _, f := range files {
		if !f.isMain() {
			continue
		}
		line, known := mayImport[f.dir()]
		if !known {
			bad = append(bad, f.at(f.ast.Package, "%s is not in the table of who may import whom: give it a line in "+
				"internal/archtest/imports_test.go and in ARCHITECTURE.md", f.dir()))
			continue
		}
		allowed := strings.Fields(line)
		if f.isTest() {
			allowed = append(append(allowed, f.dir()), forTests...)
		}
		for _, spec := range f.ast.Imports {
			name, ours := folder(importPath(spec))
			switch {
			case isStandard(name) && !ours, f.isTest() && !ours:
			case strings.HasPrefix(name, "devcluster"):
				bad = append(bad, f.at(spec.Pos(), "the main module never imports devcluster: run bin/devcluster instead"))
			case !slices.ContainsFunc(allowed, func(a string) bool { return name == a || !ours && strings.HasPrefix(name, a+"/") }):
				bad = append(bad, f.at(spec.Pos(), "%s may not import %s: move the code to where it may, or change the "+
					"design in ARCHITECTURE.md and internal/archtest/imports_test.go", f.dir(), name))
			}
		}
	}
	return bad
}

// folder gives a package of this repository by its folder; others keep their path.
func folder(importPath string) (name string, ours bool) {
	if importPath == module {
		return ".", true
	}
	return strings.CutPrefix(importPath, module+"/")
}

// isStandard reports whether a path is the standard library's: its first element has no dot.
func isStandard(importPath string) bool {
	first, _, _ := strings.Cut(importPath, "/")
	return !strings.Contains(first, ".")
}
