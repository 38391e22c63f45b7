package text

// sparks are the heights of a sparkline, the lowest first. Terminals that show ASCII only get a likeness of each (see ASCII).
var sparks = [SparkLevels]string{"▁", "▂", "▃", "▄", "▅", "▆", "▇", "█"}

// SparkLevels is how many heights a sparkline has.
const SparkLevels = 8

// SparkCell is one cell of a sparkline: a height from 0 to SparkLevels-1, or a gap for what lies outside: nothing is known there.
func SparkCell(height int) string {
	if height < 0 || height >= SparkLevels {
		return " "
	}
	return sparks[height]
}

// Spark draws heights as SparkCell does, one cell each.
func Spark(heights ...int) string {
	out := make([]byte, 0, len(heights)*len(sparks[0]))
	for _, h := range heights {
		out = append(out, SparkCell(h)...)
	}
	return string(out)
}
