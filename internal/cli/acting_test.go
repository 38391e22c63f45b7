package cli

import "testing"

func TestProtectedContextsAreMatchedByPatternsInWhichNoCharacterIsSpecialButTheStar(t *testing.T) {
	eks := "arn:aws:eks:eu-central-1:123456789012:cluster/prod-shop"
	for _, c := range []struct {
		patterns []string
		env      string
		context  string
		want     bool
	}{
		{[]string{"prod-*"}, "", "prod-tokyo", true},
		{[]string{"prod-*"}, "", "staging", false},
		{[]string{"*prod*"}, "", eks, true},
		{[]string{"*"}, "", "default/api:6443/admin", true},
		{[]string{"a", "live"}, "", "live", true},
		{nil, "prod-*, live", "live", true},
		{nil, "", "live", false},
		{nil, "", "", false},
		{[]string{"other"}, "live", "live", true},
		{[]string{eks}, "", eks, true},
	} {
		o := &options{protected: c.patterns}
		if got := o.guards(c.context, func(string) string { return c.env }); got != c.want {
			t.Errorf("%q and %q protect %q: %v", c.patterns, c.env, c.context, got)
		}
	}
	if (&options{protected: []string{"["}}).checkPatterns(func(string) string { return "" }) == nil {
		t.Error("a pattern that is not well formed is taken")
	}
}
