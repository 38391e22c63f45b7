package termtest

import (
	"fmt"
	"regexp"
	"strings"
	"unicode"
)

// ours are the sequences that a frame of ours is made of: colours, cursor, erasing, scrolling, modes at the start and the
// end, and the questions to the terminal. Whatever else has an ESC in it came from a cluster.
var ours = regexp.MustCompile(`^\x1b(\[[0-9;:]*m` + // colours and attributes
	`|\[[0-9;]*[ABCDEFGHIJKLMPSTXZabd@\x60e]` + // cursor, erasing, inserting, scrolling, repeating
	`|\[[0-9;]*r|\[[0-9]* q|\[\?5W` + // margins, cursor shape, tab stops
	`|\[\?[0-9;]+[hl]|\[\?[0-9;]+\$p` + // modes and questions for them
	`|\[[<=>?]?[0-9;]*[uc]|\[>[0-9;]*[mq]|\[=[0-9;]*u` + // keyboard protocols, device attributes
	`|\]1[01];\?\x07|\]1[01];\?\x1b\\|\][02];(ktriage [ -~]*)?(\x07|\x1b\\)|\]11[0-2](\x07|\x1b\\)` + // questions for colours, our title
	`|\]52;c;[A-Za-z0-9+/=]*(\x07|\x1b\\)` + // what the operator copies
	`|P\+q[0-9A-F;]+\x1b\\` + // questions for capabilities
	`|M|7|8|=|>)`)

// Foreign gives a sentence about the first thing in what a program has written that is neither plain text nor a sequence
// of ours; "" if there is none. Text from a cluster that acts on the terminal shows here, whatever it looks like on the
// screen.
func Foreign(written string) string {
	for i := 0; i < len(written); i++ {
		if written[i] != 0x1b {
			continue
		}
		m := ours.FindString(written[i:])
		if m == "" {
			return fmt.Sprintf("not a sequence of ours: %q", written[i:min(i+40, len(written))])
		}
		i += len(m) - 1
	}
	for i, r := range written {
		control := r < 0x20 && !strings.ContainsRune("\x1b\r\n\b\t\x07", r) || r >= 0x7f && r < 0xa0
		if control || unicode.In(r, unicode.Cf) {
			return fmt.Sprintf("%U is written: %q", r, written[max(0, i-20):min(i+20, len(written))])
		}
	}
	return ""
}
