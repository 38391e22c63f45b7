package xdg_test

import (
	"testing"

	"ktriage/internal/xdg"
)

func TestStateDir(t *testing.T) {
	for name, c := range map[string]struct {
		env  map[string]string
		want string // "" for an error
	}{
		"variable":               {map[string]string{"XDG_STATE_HOME": "/s", "HOME": "/h"}, "/s/ktriage"},
		"home":                   {map[string]string{"HOME": "/h"}, "/h/.local/state/ktriage"},
		"relative is not set":    {map[string]string{"XDG_STATE_HOME": "s", "HOME": "/h"}, "/h/.local/state/ktriage"},
		"variable needs no home": {map[string]string{"XDG_STATE_HOME": "/s"}, "/s/ktriage"},
		"nothing":                {nil, ""},
		"relative home":          {map[string]string{"HOME": "h"}, ""},
	} {
		t.Run(name, func(t *testing.T) {
			got, err := xdg.StateDir(func(k string) string { return c.env[k] })
			if got != c.want || (err != nil) != (c.want == "") {
				t.Errorf("got %q, %v; want %q", got, err, c.want)
			}
		})
	}
}
