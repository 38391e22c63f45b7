package kube

// Severity ranks a row for the eye: its glyph, its colour, and the first key of the badness order.
type Severity uint8

// The severities, best first. Ranks within one severity are the row's own business.
const (
	OK      Severity = iota // ·
	Notice                  // ○ held or cordoned: somebody did it on purpose
	Warning                 // ▲ redundancy lost, starting too slowly, not known
	Bad                     // ■ users hit now, or it cannot heal by itself
)

func (s Severity) String() string { return [...]string{"ok", "notice", "warning", "bad"}[s] }
