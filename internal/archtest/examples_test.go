package archtest

import (
	"slices"
	"strings"
	"testing"

	"ktriage/keymap"
)

// examples are trees of a few lines, and what their rule must find in them: the beginnings of its violations.
var examples = []struct {
	rule string
	name string
	tree map[string]string
	want []string
}{
	{"imports", "views with Bubble Tea and client-go", map[string]string{
		"views/a.go": "package views\n\nimport (\n\ttea \"charm.land/bubbletea/v2\"\n\t\"k8s.io/client-go/rest\"\n\t\"strings\"\n)\n",
	}, []string{
		"views/a.go:4: views may not import charm.land/bubbletea/v2",
		"views/a.go:5: views may not import k8s.io/client-go/rest",
	}},
	{"imports", "kube with a pane, keymap with anything", map[string]string{
		"kube/a.go":   "package kube\n\nimport \"ktriage/views\"\n",
		"keymap/a.go": "package keymap\n\nimport (\n\t\"ktriage/internal/text\"\n\t\"slices\"\n)\n",
	}, []string{"keymap/a.go:4: keymap may not import internal/text", "kube/a.go:3: kube may not import views"}},
	{"imports", "devcluster from a test", map[string]string{
		"kube/a_test.go": "package kube\n\nimport _ \"ktriage/devcluster/cluster\"\n",
	}, []string{"kube/a_test.go:3: the main module never imports devcluster"}},
	{"imports", "a path that only begins like an allowed one", map[string]string{
		"kube/a.go": "package kube\n\nimport _ \"k8s.iox/a\"\n", "ui/a.go": "package ui\n\nimport _ \"ktriage/kube/kubetest\"\n",
	}, []string{"kube/a.go:3: kube may not import k8s.iox/a", "ui/a.go:3: ui may not import kube/kubetest"}},
	{"imports", "a package without a line", map[string]string{"helper/a.go": "package helper\n"},
		[]string{"helper/a.go:1: helper is not in the table"}},
	{"imports", "what is allowed", map[string]string{
		"main.go":               "package main\n\nimport _ \"ktriage/internal/cli\"\n",
		"kube/a_test.go":        "package kube_test\n\nimport (\n\t_ \"ktriage/kube\"\n\t_ \"ktriage/kube/kubetest\"\n\t_ \"pgregory.net/rapid\"\n)\n",
		"devcluster/cmd/one.go": "package cmd\n\nimport _ \"k8s.io/api/core/v1\"\n",
	}, nil},

	{"package comments", "none, and one of the wrong form", map[string]string{
		"a/a.go": "package a\n", "b/b.go": "// This is b.\npackage b\n",
	}, []string{"a/a.go:1: package a has no comment", "b/b.go:2: package b has no comment"}},
	{"package comments", "in one file of two, and of a command", map[string]string{
		"a/a.go": "// Package a is.\npackage a\n", "a/b.go": "package a\n", "a/a_test.go": "package a_test\n",
		"main.go": "// Ktriage shows.\npackage main\n",
	}, nil},

	{"docstrings", "one of each kind", map[string]string{
		"a/a.go": "package a\n\nfunc F() {}\n\ntype T struct{}\n\nfunc (t *T) M() {}\n\nconst C = 1\n\nvar V int\n\n// G.\ntype (\n\tG[X any] int\n)\n\nfunc (G[X]) M() {}\n",
	}, []string{
		"a/a.go:11: V", "a/a.go:15: G", "a/a.go:18: M", "a/a.go:3: F", "a/a.go:5: T", "a/a.go:7: M", "a/a.go:9: C",
	}},
	{"docstrings", "what needs none", map[string]string{
		"a/a.go":      "package a\n\n// All.\nconst (\n\tA = 1\n\tB = 2\n)\n\ntype t int\n\nfunc (t) M() {}\n\n// T is.\ntype T int\n\nfunc (T) String() string { return \"\" }\n",
		"a/a_test.go": "package a\n\nfunc TestA() {}\n",
		"main.go":     "package main\n\nfunc F() {}\n",
	}, nil},

	{"length", "a line too many", map[string]string{
		"a.go": "package a\n" + strings.Repeat("\n", mostLines), "b.go": "package b\n" + strings.Repeat("\n", mostLines-1),
		"go.sum": strings.Repeat("\n", 2*mostLines), "a/testdata/x.yaml": strings.Repeat("\n", 2*mostLines),
	}, []string{"a.go:601: 601 lines"}},

	{"goroutines", "only safe may, and tests", map[string]string{
		"kube/a.go":          "package kube\n\nfunc f() {\n\tgo f()\n}\n",
		"kube/a_test.go":     "package kube\n\nfunc g() { go f() }\n",
		"internal/safe/a.go": "package safe\n\nfunc f() { go f() }\n",
	}, []string{"kube/a.go:4: go statement"}},

	{"clock", "a pane that asks for the time, under another name too", map[string]string{
		"views/a.go": "package views\n\nimport \"time\"\n\nvar t = time.Now()\n",
		"views/b.go": "package views\n\nimport tm \"time\"\n\nvar u = tm.Since(t)\n\nvar d tm.Duration\n",
		"ui/a.go":    "package ui\n\nimport \"time\"\n\nvar t = time.Now()\n",
	}, []string{"views/a.go:5: time.Now outside", "views/b.go:5: time.Since outside"}},

	{"sleep", "real time in a test and in the program", map[string]string{
		"ui/a_test.go":         "package ui\n\nimport \"time\"\n\nfunc TestA() { time.Sleep(1) }\n",
		"kube/a.go":            "package kube\n\nimport \"time\"\n\nfunc f() { time.Sleep(1) }\n",
		"devcluster/a_test.go": "package main\n\nimport \"time\"\n\nvar _ = func() { time.Sleep(1) }\n",
	}, []string{"devcluster/a_test.go:5: time.Sleep", "kube/a.go:5: time.Sleep", "ui/a_test.go:5: time.Sleep"}},
	{"sleep", "virtual time", map[string]string{
		"internal/termtest/a.go": "package termtest\n\nimport \"testing/synctest\"\n\nfunc Run(f func()) { synctest.Test(nil, f) }\n",
		"ui/a_test.go":           "package ui\n\nimport (\n\t\"ktriage/internal/termtest\"\n\t\"time\"\n)\n\nfunc TestA() { termtest.Run(func() { time.Sleep(1) }) }\n",
		"ui/b_test.go":           "package ui\n\nimport (\n\t\"testing/synctest\"\n\t\"time\"\n)\n\nfunc settle() {\n\ttime.Sleep(1)\n\tsynctest.Wait()\n}\n",
	}, nil},

	{"terminal", "a pane that prints", map[string]string{
		"views/a.go":        "package views\n\nimport (\n\t\"fmt\"\n\t\"os\"\n)\n\nfunc f() {\n\tfmt.Println()\n\tfmt.Fprintln(os.Stderr)\n}\n",
		"internal/cli/a.go": "package cli\n\nimport \"os\"\n\nvar out = os.Stdout\n",
	}, []string{"views/a.go:10: os.Stderr would write", "views/a.go:9: fmt.Println would write"}},

	{"words", "each of them", map[string]string{
		"a.go": "package a // TO" + "DO: more\n", "b.md": "\nnot Imple" + "mented\n", "c.sh": "cd /ro" + "ot/x /wo" + "rk/y FIX" + "ME\n",
		"d.md": "TO" + "DOS, a network/x, /workers/, the root/ of it, implemented\n",
	}, []string{
		"a.go:1: \"TO" + "DO\"", "b.md:2: \"not Imple" + "mented\"", "c.sh:1: \"/ro" + "ot/\"", "c.sh:1: \"/wo" + "rk/\"", "c.sh:1: \"FIX" + "ME\"",
	}},

	{"key reference", "missing", map[string]string{}, []string{"docs/keys.md:1: not what"}},
	{"key reference", "stale", map[string]string{"docs/keys.md": strings.Replace(keymap.Default().Markdown(), "# Keys", "# Kezs", 1)},
		[]string{"docs/keys.md:3: not what"}},
	{"key reference", "too long", map[string]string{"docs/keys.md": keymap.Default().Markdown() + "more\n"},
		[]string{"docs/keys.md:"}},
	{"key reference", "current", map[string]string{"docs/keys.md": keymap.Default().Markdown()}, nil},

	{"keys in documents", "a key and a command that do not exist", map[string]string{
		"README.md": "`j` moves, `ctrl+j` does not; `O n` sorts.\n`table.down`, `table.sideways`, `help.go`\n```\n`Q`\n```\n`Q`, `O Q`\n",
		"docs/a.md": "a mark is `Q`; `ctrl+q`\n",
	}, []string{
		"README.md:1: `ctrl+j`", "README.md:2: `table.sideways`", "README.md:6: `O Q`", "README.md:6: `Q`", "docs/a.md:1: `ctrl+q`",
	}},

	{"links", "to nothing, and to what git does not have", map[string]string{
		"README.md": "[a](docs/a.md) ![b](b.svg)\n[c](c.md#part) [new](untracked.md)", "docs/a.md": "[up](../README.md) [x](x.md)",
		"c.md": "[here](#x) [site](https://example.com/a.md) [dir](docs)", "untracked.md": "",
	}, []string{"README.md:1: link to b.svg", "README.md:2: link to untracked.md", "docs/a.md:1: link to docs/x.md"}},

	{"dependencies", "too few and too many", map[string]string{
		"go.mod":          "module ktriage\n\nrequire a.example/one/v2 v2.0.0\n\nrequire (\n\tb.example/x/two v1.0.0\n\tb.example/three v1.0.0\n\tb.example/four v1.0.0 // indirect\n)\n",
		"ARCHITECTURE.md": "# A\n\n| three | x |\n\n## Dependencies\n\n| Module | Why |\n|---|---|\n| a.example/one/v2, x/two | w |\n| tests: four | w |\n",
	}, []string{"ARCHITECTURE.md:10: go.mod does not require four", "go.mod:7: b.example/three is not in"}},
	{"dependencies", "a package of a module, and the end of a path", map[string]string{
		"go.mod":          "require a.example/go/mod/v3 v3.0.0\n",
		"ARCHITECTURE.md": "## Dependencies\n\n| Module | Why |\n|---|---|\n| mod/part | w |\n| pinned (indirect) | w |\n",
	}, nil},
}

func TestRulesFindWhatBreaksThem(t *testing.T) {
	for _, e := range examples {
		t.Run(e.rule+", "+e.name, func(t *testing.T) {
			got := check(t, e.rule, e.tree)
			if len(got) != len(e.want) {
				t.Fatalf("found %q, want %q", got, e.want)
			}
			for i, want := range e.want {
				if !strings.HasPrefix(got[i], want) {
					t.Errorf("found %q, want %q", got[i], want)
				}
			}
		})
	}
}

func TestEveryRuleHasAnExampleThatBreaksIt(t *testing.T) {
	for _, rule := range rules {
		broken := false
		for _, e := range examples {
			broken = broken || e.rule == rule.name && len(e.want) > 0
		}
		if !broken {
			t.Errorf("%s: add an example that breaks it to examples_test.go", rule.name)
		}
	}
}

// check gives what a rule finds in a tree, in the order of the alphabet. The file untracked.md is one that git does not have.
func check(t *testing.T, name string, tree map[string]string) []string {
	t.Helper()
	var files []*file
	for path, text := range tree {
		f, err := newFile(path, text, path != "untracked.md")
		if err != nil {
			t.Fatal(err)
		}
		files = append(files, f)
	}
	for _, rule := range rules {
		if rule.name == name {
			return slices.Sorted(slices.Values(rule.check(files)))
		}
	}
	t.Fatalf("there is no rule %q", name)
	return nil
}
