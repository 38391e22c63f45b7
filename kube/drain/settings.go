package drain

import (
	"fmt"
	"slices"
	"strconv"
	"strings"
	"time"

	"ktriage/kube/action"
)

// ownGrace is the value of OptionGrace that leaves each pod its own.
const ownGrace = "own"

// graces are the grace periods that a sheet offers. 0 is not among them: it kills without asking, and leaves the node to
// run what the API has forgotten.
func graces() []string { return []string{ownGrace, "10s", "30s", "1m", "5m"} }

// togethers are the numbers of nodes at a time that a sheet offers.
func togethers() []string { return []string{"1", "2", "3"} }

// Parse reads the options of a drain; what is absent has its default. OptionHanging is on where it is absent: for nodes
// that are not Ready, Kind.Plan has another default.
func Parse(o action.Options) (Settings, error) {
	s := Settings{Together: 1}
	for _, box := range []struct {
		id  string
		to  *bool
		std bool
	}{
		{OptionEmptyDir, &s.EmptyDir, false}, {OptionUnowned, &s.Unowned, false}, {OptionGentle, &s.Gentle, true},
		{OptionLate, &s.Late, true}, {OptionHanging, &s.Hanging, true}, {OptionDryRun, &s.DryRun, false},
	} {
		switch value, chosen := o[box.id]; {
		case !chosen:
			*box.to = box.std
		case slices.Contains(action.OnOff(), value):
			*box.to = value == action.On
		default:
			return s, fmt.Errorf("option %s cannot be %q: it is on or off", box.id, value)
		}
	}
	if value := o[OptionGrace]; value != "" && value != ownGrace {
		d, err := time.ParseDuration(value)
		if err != nil || d < time.Second || d != d.Truncate(time.Second) {
			return s, fmt.Errorf("the grace period cannot be %q: it is a number of whole seconds, and 1s at least", value)
		}
		s.Grace = d
	}
	if value, chosen := o[OptionTogether]; chosen {
		n, err := strconv.Atoi(value)
		if err != nil || n < 1 {
			return s, fmt.Errorf("%q nodes cannot be drained at the same time: it is a number, and 1 at least", value)
		}
		s.Together = n
	}
	return s, nil
}

// graceText is the value of OptionGrace.
func (s Settings) graceText() string {
	if s.Grace == 0 {
		return ownGrace
	}
	return short(s.Grace)
}

// short writes a duration without the parts that are zero: 5m, 1m30s.
func short(d time.Duration) string {
	out := d.String()
	if rest, ok := strings.CutSuffix(out, "m0s"); ok {
		out = rest + "m"
	}
	if rest, ok := strings.CutSuffix(out, "h0m"); ok {
		out = rest + "h"
	}
	return out
}

// toggles are what can be chosen on the sheet, with how many pods each is about.
func (p *Plan) toggles() []action.Toggle {
	box := func(id, words string, on bool) action.Toggle {
		value := action.Off
		if on {
			value = action.On
		}
		return action.Toggle{ID: id, Words: words, Value: value, Values: action.OnOff()}
	}
	s, c := p.Settings, p.count()
	out := []action.Toggle{
		box(OptionEmptyDir, "delete emptyDir data: "+many(c.emptyDir, "pod"), s.EmptyDir),
		box(OptionUnowned, "evict pods without an owner: "+strconv.Itoa(c.unowned), s.Unowned),
		box(OptionGentle, "one StatefulSet pod at a time", s.Gentle),
		box(OptionLate, "evict late arrivals too", s.Late),
		box(OptionDryRun, "ask the server's dry run", s.DryRun),
	}
	if !p.allReady() {
		out = append(out, box(OptionHanging, "wait for pods that nobody can confirm", s.Hanging))
	}
	grace := action.Toggle{ID: OptionGrace, Words: "grace", Value: s.graceText(), Values: graces()}
	if !slices.Contains(grace.Values, grace.Value) {
		grace.Values = append(grace.Values, grace.Value)
	}
	out = append(out, grace)
	if len(p.Nodes) > 1 {
		together := action.Toggle{ID: OptionTogether, Words: "nodes at the same time", Value: strconv.Itoa(s.Together), Values: togethers()}
		if !slices.Contains(together.Values, together.Value) {
			together.Values = append(together.Values, together.Value)
		}
		out = append(out, together)
	}
	return out
}
