package action_test

import (
	"os/exec"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// parsed has a POSIX shell take a command line apart. The line is given to it as somebody would paste it; a function of
// the name kubectl writes down its words.
func parsed(t rapid.TB, line string) []string {
	t.Helper()
	script := `kubectl() { for w in kubectl "$@"; do printf '%s\0' "$w"; done; }` + "\n" + line + "\n"
	cmd := exec.Command("sh", "-c", script)
	cmd.Env = []string{"PATH=/nonexistent", "HOME=/home", "x=expanded", "IFS=:,"}
	cmd.Dir = "/" // where * has something to stand for
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("sh does not take %q: %v\n%s", line, err, out)
	}
	return strings.Split(strings.TrimSuffix(string(out), "\x00"), "\x00")
}

// checkShell wants a shell to see the words that went in, cleaned, and no others.
func checkShell(t rapid.TB, context string, args []string) {
	t.Helper()
	want := []string{"kubectl"}
	if context != "" {
		want = append(want, "--context", context)
	}
	want = append(want, args...)
	line := action.Kubectl(context, args...)
	if line != text.Clean(line) {
		t.Errorf("the line %q is not fit to be shown", line)
	}
	got := parsed(t, line)
	if len(got) != len(want) {
		t.Fatalf("a shell makes of %q\n%q, want\n%q", line, got, want)
	}
	for i, w := range want {
		w = text.Clean(w)
		if joins := text.Clean("'"+w+"'") != "'"+w+"'"; joins && text.Clean(got[i]) == got[i] {
			continue // with a quote, as a combining mark does: that it is clean is enough
		}
		if got[i] != w {
			t.Errorf("a shell makes of %q\n%q, want %q as word %d", line, got, w, i)
		}
	}
}

func TestShellSeesTheWordsOfACommandAsTheyAre(t *testing.T) {
	for _, w := range []string{
		"", "prod", "arn:aws:eks:eu-1:123:cluster/prod", "with space", " ", "it's", "''", `"`, "$(touch x)", "`id`", "$x", "a\nb", "a\r\nb; id",
		"*", "?", "[a-z]*", "~", "~root", "#no", "!!", "a&b", "a|b", ">x", "<x", "{a,b}", `\`, `a\`, "-n", "--", "a=b", "x;", "é日本", "\u0301mark", "\u0d4e", "\x1b[31m'\x1b[0m",
	} {
		checkShell(t, w, []string{"drain", w, "after"})
	}
}

func TestShellSeesAnyWordsAsTheyAre(t *testing.T) {
	word := rapid.OneOf(rapid.String(), rapid.StringOf(rapid.RuneFrom([]rune(" '\"$()`\\\n\r\t;&|<>*?[]{}~#!=%^-+:,.@/aZ0é日\x1b\x00\u009b"))))
	rapid.Check(t, func(t *rapid.T) {
		checkShell(t, word.Draw(t, "context"), rapid.SliceOfN(word, 0, 4).Draw(t, "args"))
	})
}

func TestPlainWordsAreNotQuoted(t *testing.T) {
	got := action.Kubectl("admin@prod", "drain", "worker-1", "--timeout=30s")
	if want := "kubectl --context admin@prod drain worker-1 --timeout=30s"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
	if got, want := action.Kubectl("", "cordon", "worker-1"), "kubectl cordon worker-1"; got != want {
		t.Errorf("%q, want %q", got, want)
	}
}

func TestToggleGoesRound(t *testing.T) {
	box := action.Toggle{Value: action.Off, Values: action.OnOff()}
	grace := action.Toggle{Value: "", Values: []string{"", "0", "30"}}
	for _, c := range []struct {
		toggle action.Toggle
		want   []string
	}{
		{box, []string{action.On, action.Off, action.On}},
		{grace, []string{"0", "30", "", "0"}},
		{action.Toggle{Value: "gone", Values: []string{"a", "b"}}, []string{"a", "b"}},
		{action.Toggle{Value: "a", Values: []string{"a"}}, []string{"a", "a"}},
	} {
		for i, want := range c.want {
			if c.toggle.Value = c.toggle.Next(); c.toggle.Value != want {
				t.Errorf("%q: value %d is %q, want %q", c.toggle.Values, i, c.toggle.Value, want)
			}
		}
	}
}

func TestTargetIsNamedInFewWords(t *testing.T) {
	pod := kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "cart-1"}
	many := make([]kube.Ref, 1201)
	many[0] = pod
	for want, refs := range map[string][]kube.Ref{
		"":                           nil,
		"worker-1":                   {node("worker-1")},
		"worker-1 and 1 more":        {node("worker-1"), node("worker-2")},
		"shop/cart-1":                {pod},
		"shop/cart-1 and 1,200 more": many,
	} {
		if got := (action.Target{Refs: refs}).Name(); got != want {
			t.Errorf("%q, want %q", got, want)
		}
	}
}

func TestActionsAreNamedByTheirVerb(t *testing.T) {
	for id, want := range map[action.ID]string{action.Cordon: "cordon", action.Uncordon: "uncordon", action.Drain: "drain", "odd": ""} {
		if got := id.Verb(); got != want {
			t.Errorf("verb of %s = %q, want %q", id, got, want)
		}
	}
}

func TestEveryActionCanBeAskedForInASentence(t *testing.T) {
	for id, want := range map[action.ID][2]string{
		action.Drain: {"drain it", "drain them"}, action.ForceDelete: {"force delete it", "force delete them"},
		action.RemoveFinalizers: {"remove its finalizers", "remove their finalizers"}, action.DeleteNode: {"delete it", "delete them"},
		action.OutOfService: {"taint it", "taint them"}, action.RollBack: {"roll it back", "roll them back"},
	} {
		if got := [2]string{id.Does(1), id.Does(3)}; got != want {
			t.Errorf("%s: %q, want %q", id, got, want)
		}
	}
}
