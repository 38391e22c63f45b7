package cli

import (
	"runtime/debug"
	"strings"
	"testing"
)

func TestVersionSaysWhatItWasBuiltFrom(t *testing.T) {
	module := func(path, version string) *debug.Module { return &debug.Module{Path: path, Version: version} }
	for name, c := range map[string]struct {
		info debug.BuildInfo
		want []string
	}{
		"release": {
			debug.BuildInfo{
				Main:     *module("ktriage", "v1.2.3"),
				Deps:     []*debug.Module{module("k8s.io/api", "v0.1.0"), module("k8s.io/client-go", "v0.37.2")},
				Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "false"}},
			},
			[]string{"ktriage v1.2.3 ", "commit abc,", "client-go v0.37.2)"},
		},
		"checkout with changes": {
			debug.BuildInfo{Settings: []debug.BuildSetting{{Key: "vcs.revision", Value: "abc"}, {Key: "vcs.modified", Value: "true"}}},
			[]string{"ktriage (devel) ", "commit abc with changes,"},
		},
		"nothing known": {debug.BuildInfo{}, []string{"ktriage (devel) ", "commit unknown", "client-go unknown)"}},
	} {
		t.Run(name, func(t *testing.T) {
			got := readVersion(&c.info).short()
			for _, want := range c.want {
				if !strings.Contains(got, want) {
					t.Errorf("%q is missing in %q", want, got)
				}
			}
		})
	}
}
