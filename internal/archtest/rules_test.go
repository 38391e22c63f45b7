package archtest

import "testing"

// rules are all there are. Each gives its violations as "path:line: what is wrong: what to do".
var rules = []struct {
	name  string
	check func(files []*file) []string
}{
	{"imports", imports},
	{"package comments", packageComments},
	{"docstrings", docstrings},
	{"length", length},
	{"goroutines", goroutines},
	{"clock", clock},
	{"sleep", sleep},
	{"terminal", terminal},
	{"words", words},
	{"key reference", keyReference},
	{"keys in documents", keysInDocuments},
	{"links", links},
	{"dependencies", dependencies},
}

func TestRepositoryKeepsItsRules(t *testing.T) {
	files := repository(t, "../..")
	for _, rule := range rules {
		t.Run(rule.name, func(t *testing.T) {
			for _, violation := range rule.check(files) {
				t.Error(violation)
			}
		})
	}
}
