package views

import (
	"errors"
	"fmt"
	"slices"
	"strings"
	"testing"

	"pgregory.net/rapid"

	"ktriage/kube"
)

// passing gives the pods that a filter lets through.
func passing(t interface{ Fatalf(string, ...any) }, filter string, rows []*kube.Pod) []string {
	f, err := ParseFilter("pods", filter)
	if err != nil {
		t.Fatalf("%q cannot be read: %v", filter, err)
	}
	keep := Keeps[*kube.Pod](f)
	var names []string
	for _, p := range rows {
		if keep(p, beside()) {
			names = append(names, p.Namespace+"/"+p.Name)
		}
	}
	return names
}

func TestFilterWords(t *testing.T) {
	all := "shop/web-b shop/web-a payments/web-a shop/checkout search/indexer shop/cart-2"
	for filter, want := range map[string]string{
		"":                       all,
		"   ":                    all,
		`""`:                     all,
		"web":                    "shop/web-b shop/web-a payments/web-a",
		"WEB-A":                  "shop/web-a payments/web-a",
		"web-a shop":             "shop/web-a",
		"  shop   web-a  ":       "shop/web-a",
		"shop/web-a":             "shop/web-a",
		"!shop":                  "payments/web-a search/indexer",
		"!SHOP !search":          "payments/web-a",
		"web !payments":          "shop/web-b shop/web-a",
		"CrashLoop":              "shop/checkout",
		"worker-02":              "payments/web-a shop/checkout",
		"10.244.0.7 !worker":     "",
		"replicaset/app-7d9f !!": all,
		`"web-a"`:                "shop/web-a payments/web-a",
		`!"web-a" shop`:          "shop/web-b shop/checkout shop/cart-2",
		`"web a"`:                "",
		"nothing-like-this":      "",
		"web !web":               "",
	} {
		if got := strings.Join(passing(t, filter, pods()), " "); got != want {
			t.Errorf("%q lets through %q, want %q", filter, got, want)
		}
	}
}

func TestFiltersThatCannotBeReadSayWhere(t *testing.T) {
	for filter, want := range map[string]FilterError{
		"!":          {At: 0, Len: 1, Reason: "! stands before the word that must not occur"},
		"web ! shop": {At: 4, Len: 1, Reason: "! stands before the word that must not occur"},
		`!""`:        {At: 0, Len: 1, Reason: "! stands before the word that must not occur"},
		`web "shop`:  {At: 4, Len: 5, Reason: "the quote at 5 is not closed"},
		`"`:          {At: 0, Len: 1, Reason: "the quote at 1 is not closed"},
		`!"a b`:      {At: 1, Len: 4, Reason: "the quote at 2 is not closed"},
	} {
		_, err := ParseFilter("pods", filter)
		var fault *FilterError
		if !errors.As(err, &fault) {
			t.Errorf("%q is read, or fails without a place: %v", filter, err)
			continue
		}
		equal(t, *fault, want)
		equal(t, fault.Error(), want.Reason)
	}
}

func TestNoFilterCrashesAndEveryFaultLiesInTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		s := rapid.OneOf(rapid.String(), rapid.StringMatching(`([ !"a日]|re:|-l |ns=|age<|[0-9]h|,|\(|app){0,12}`)).Draw(t, "filter")
		f, err := ParseFilter("pods", s)
		var fault *FilterError
		switch {
		case err == nil:
			Keeps[*kube.Pod](f)(pods()[0], beside())
		case !errors.As(err, &fault):
			t.Errorf("%q fails without a place: %v", s, err)
		case fault.At < 0 || fault.Len < 1 || fault.At+fault.Len > len(s) || fault.Reason == "":
			t.Errorf("%q has its fault at %+v", s, *fault)
		}
	})
}

func TestMoreWordsNeverLetMoreRowsThrough(t *testing.T) {
	word := rapid.SampledFrom([]string{"web", "!web", "shop", "!SHOP", `"a"`, `!"b"`, "e", "running", "!10.", "worker-0",
		"ns=shop", "!node=worker-02", "restarts>0", "age<2h", "re:web|cart", "!re:[0-9]$", "ready=no", "owner=-", "severity>=warning", "-l app=web", "!-l app", "cpu>1%"})
	rows := pods()
	rapid.Check(t, func(t *rapid.T) {
		words := rapid.SliceOfN(word, 1, 6).Draw(t, "words")
		before := passing(t, strings.Join(words[:len(words)-1], " "), rows)
		after := passing(t, strings.Join(words, " "), rows)
		if !subset(after, before) {
			t.Errorf("%v lets through %v, and without the last word only %v", words, after, before)
		}
		with, without := passing(t, words[0], rows), passing(t, strings.TrimPrefix("!"+words[0], "!!"), rows)
		if len(with)+len(without) != len(rows) {
			t.Errorf("%s lets through %v and its opposite %v", words[0], with, without)
		}
	})
}

func subset(small, large []string) bool {
	return !slices.ContainsFunc(small, func(s string) bool { return !slices.Contains(large, s) })
}

func TestFilterThatCannotBeReadLeavesTheOneBeforeInForce(t *testing.T) {
	v, f := podsPane()
	v.Handle(Query{"web"})
	f.publish(v)
	v.Handle(Query{`web "`})
	f.publish(v)
	equal(t, f.shown(), "web-a web-a web-b")
	fr := frame()
	fr.Input = &Input{Before: `web "`}
	out := strings.Split(plainText(drawn(v, Size{80, 8}, fr)), "\n")
	if !strings.Contains(out[0], "/ web \"") || !strings.Contains(out[0], "error · showing web") {
		t.Errorf("the rule is %q", out[0])
	}
	if want := fmt.Sprintf("%8s^ the quote at 5 is not closed", ""); !strings.HasPrefix(out[1], want) {
		t.Errorf("the line under it is %q, want %q", out[1], want)
	}
	if quote, arrow := strings.Index(cellsOf(out[0]), `"`), strings.Index(out[1], "^"); quote != arrow {
		t.Errorf("the arrow points at cell %d, the quote is in cell %d", arrow, quote)
	}
	v.Handle(Query{`web "shop`})
	v.Handle(Query{""})
	f.publish(v)
	equal(t, f.snap.Len(), len(f.rows))
}
