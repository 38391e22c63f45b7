package text

import "strings"

// And joins names as a sentence does: "a, b and c"; "" of none.
func And(names []string) string {
	if len(names) < 2 {
		return strings.Join(names, "")
	}
	return strings.Join(names[:len(names)-1], ", ") + " and " + names[len(names)-1]
}

// Some names the first of a list, at most so many, and counts the others: "a, b and 1,200 more".
func Some(names []string, most int) string {
	if len(names) <= most {
		return And(names)
	}
	return strings.Join(names[:most], ", ") + " and " + Count(len(names)-most) + " more"
}
