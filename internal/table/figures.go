package table

import (
	"ktriage/internal/text"
	"ktriage/themes"
)

// Bar is a share as a bar that fills its column, in eighths of a cell, and a tick where another share ends. The tick is seen where
// the bar does not reach it. It is drawn without making a string of it, and is as wide as its column.
type Bar struct {
	Share  int // thousandths of the column; what is more is a full bar
	Tick   int // likewise; only if Ticked
	Ticked bool
	Token  themes.Token // of the bar; the tick has that of rules
	On     bool
}

// SparkPoints is how many points a Spark has at most.
const SparkPoints = 16

// Spark is a line of heights, the newest last: 0 is a gap, where nothing is known, and 1 to text.SparkLevels are heights. A column
// that is narrower than Points shows the newest. It is drawn without making a string of it.
type Spark struct {
	Heights [SparkPoints]uint8
	Points  int // of Heights, from its beginning
	Token   themes.Token
	On      bool
}

// eighths are what is left of a cell that a bar fills in part.
var eighths = [...]string{" ", "▏", "▎", "▍", "▌", "▋", "▊", "▉"}

const fullCell = "█"

// bar writes a bar and its tick.
func (n *pen) bar(bar Bar, width int) {
	width = min(width, n.left)
	if width <= 0 {
		return
	}
	filled := min(max(bar.Share, 0), 1000) * width * 8 / 1000
	whole, part := filled/8, filled%8
	if filled > 0 {
		n.colour(bar.Token)
	}
	for range whole {
		n.b.WriteString(fullCell)
	}
	if part > 0 {
		n.b.WriteString(eighths[part])
		whole++
	}
	n.left -= whole
	tick := min(max(bar.Tick, 0)*width/1000, width-1)
	if !bar.Ticked || tick < whole {
		n.space(width - whole)
		return
	}
	n.space(tick - whole)
	n.glyph(themes.Border, themes.GlyphVert)
	n.space(width - tick - 1)
}

// spark writes the newest points of a line at the end of what they take, and gaps where nothing is known.
func (n *pen) spark(s Spark, width int) {
	width = min(width, n.left)
	if width <= 0 {
		return
	}
	points := min(s.Points, width, len(s.Heights))
	for _, h := range s.Heights[s.Points-points : s.Points] {
		if h == 0 {
			n.space(1)
			continue
		}
		n.write(s.Token, text.SparkCell(int(h)-1), 1)
	}
	n.space(width - points)
}
