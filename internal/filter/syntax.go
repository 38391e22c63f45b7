package filter

import (
	"fmt"
	"strings"
)

// Example is one form that a term may have, and what it finds.
type Example struct{ Text, Says string }

// Examples are all that can be written in a filter, in the order in which it is explained.
func Examples() []Example {
	return []Example{
		{"web shop", "Space is AND: rows with both."},
		{"web", "A word is looked for in the visible text, in any case. Of three letters on, it may also be an abbreviation: the " +
			"beginnings of parts of one name, such as chex2 of checkout-7d9f-x2k4q, or w07 of worker-07."},
		{`"web a"`, `Text as it stands, spaces and all. \" is a quote, \\ a backslash.`},
		{"!web", "! before any term wants it not to be true."},
		{"re:^shop/.*-[0-9]+$", `A regular expression (RE2), in any case; ^ and $ are the ends of one column. re:"with spaces".`},
		{"-l app=web,env in (prod,stage)", "A label selector, as kubectl has it. It ends at the first space that does not stand behind a comma, " +
			"beside an operator or in parentheses; quotes around it make it as long as you like."},
		{"restarts>5", "A field, compared: = != < <= > >=, without spaces. What a row does not have is true of no comparison."},
		{"ns=shop,cart", "Any of several values; != means none of them."},
		{"node=worker-0*", "* stands for anything in a word. Upper and lower case are alike."},
		{"owner~check", "~ looks for a part of a word."},
		{"age<2h", "Lengths of time as the panes show them: 41s, 4m12s, 2h, 3d, 2d5h. age=3d is what is shown as 3d: less than 4d. Rows come and go with the clock."},
		{"cpu>80% mem>1Gi", "Percentages, and amounts: 250m or 1.5 of CPU, 512Mi or 1Gi of memory."},
		{"ready=no", "yes or no; or how many: ready=0/1, ready<2, ready<50%."},
		{"severity>=warning", "How bad a row is: ok, notice, warning, bad."},
		{"node=-", "What a row does not have, or nobody knows; node!=- is what it has."},
	}
}

// Takes says with examples what a field can be compared with.
func (f *Field) Takes() string { return f.takes() }

// Markdown describes the fields of the language in a table.
func (l *Language) Markdown() string {
	var b strings.Builder
	b.WriteString("| Field | Takes | Is |\n|---|---|---|\n")
	for i := range l.Fields {
		f := &l.Fields[i]
		names := "`" + strings.Join(append([]string{f.Name}, f.Aliases...), "`, `") + "`"
		fmt.Fprintf(&b, "| %s | `%s` | %s |\n", names, f.takes(), f.Says)
	}
	if l.Selector == nil {
		fmt.Fprintf(&b, "\nThere is no `-l`: %s.\n", l.NoLabels)
	}
	return b.String()
}
