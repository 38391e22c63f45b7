package themes

// Box is the frame of a sheet: the heavier, the more the sheet asks for.
type Box struct {
	TopLeft, TopRight, BottomLeft, BottomRight string
	Across, Down                               string
	LeftTee, RightTee                          string // where a thin line within begins and ends
	LeftCross, RightCross                      string // the same of a line as heavy as the frame
	Thin                                       string
}

// boxes are the frames of the tiers 1, 2 and 3, for terminals that show more than ASCII.
var boxes = [3]Box{
	{"┌", "┐", "└", "┘", "─", "│", "├", "┤", "├", "┤", "─"},
	{"┏", "┓", "┗", "┛", "━", "┃", "┠", "┨", "┣", "┫", "─"},
	{"╔", "╗", "╚", "╝", "═", "║", "╟", "╢", "╠", "╣", "─"},
}

// asciiBoxes are the same for all others.
var asciiBoxes = [3]Box{
	{"+", "+", "+", "+", "-", "|", "+", "+", "+", "+", "-"},
	{"+", "+", "+", "+", "=", "|", "+", "+", "+", "+", "-"},
	{"#", "#", "#", "#", "=", "#", "#", "#", "#", "#", "-"},
}

// Box gives the frame of a sheet of a tier, 1 to 3.
func (p *Painter) Box(tier int) Box {
	i := min(max(tier, 1), len(boxes)) - 1
	if p.glyphs == &ascii {
		return asciiBoxes[i]
	}
	return boxes[i]
}
