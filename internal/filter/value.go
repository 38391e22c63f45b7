package filter

import (
	"fmt"
	"math"
	"slices"
	"strconv"
	"strings"
	"time"
)

// Form is what a value was written as.
type Form uint8

// The forms of values.
const (
	Plain    Form = iota // words, a number, a duration, a quantity, a level: as its field's type has it
	Missing              // "-": the row does not have it
	Percent              // 80%
	Fraction             // 1/2
	Yes
	No
)

// Value is what a field is compared with.
type Value struct {
	Raw    string // as it was written, without quotes
	Quoted bool
	Form   Form
	// Low and High say which numbers are equal to it: Low <= n < High. Ages and percentages are equal to what the pane
	// shows as them: age=3d is anything that is less than 4d. Units are those of the type: nanoseconds, millicores, bytes,
	// the place of a level, and for percentages thousandths of a percent.
	Low, High int64
	Of        int64 // the second number of a fraction
	runes     []rune
	stars     bool // an asterisk stands for anything
}

// read reads what stands for a value of the field, and says what is wrong with it.
func (f *Field) read(raw string, quoted bool) (Value, string) {
	v := Value{Raw: raw, Quoted: quoted}
	if raw == "-" && !quoted {
		v.Form = Missing
		return v, ""
	}
	ok := false
	switch f.Type {
	case Text:
		v.runes, v.stars, ok = []rune(lower(raw)), !quoted && strings.Contains(raw, "*"), true
	case Number:
		ok = v.number(raw, 1)
	case Duration:
		ok = v.duration(raw)
	case CPU:
		ok = v.percent(raw) || v.quantity(raw, cpuUnits)
	case Memory:
		ok = v.percent(raw) || v.quantity(raw, memoryUnits)
	case Ready:
		ok = v.yesNo(raw) || v.percent(raw) || v.fraction(raw) || v.number(raw, 1)
	case YesNo:
		ok = v.yesNo(raw)
	case Level:
		at := slices.IndexFunc(f.Values, func(s string) bool { return strings.EqualFold(s, raw) })
		v.Low, v.High, ok = int64(at), int64(at)+1, at >= 0
	}
	if !ok {
		return v, fmt.Sprintf("%q is not %s; %s takes %s", raw, kinds[f.Type], f.Name, f.takes())
	}
	return v, ""
}

// kinds are what values of the types are, in words.
var kinds = [...]string{
	Text: "a word", Number: "a number", Duration: "a length of time", CPU: "an amount of CPU", Memory: "an amount of memory",
	Ready: "how many are ready", YesNo: "yes or no", Level: "one of them",
}

// takes says with examples what the field can be compared with.
func (f *Field) takes() string {
	switch f.Type {
	case Text:
		return "=a,b  !=a  =a*  ~part"
	case Number:
		return "5, >5, >=5, <5, <=5"
	case Duration:
		return "2h, >2h, >=4m12s, <41s, <=3d"
	case CPU:
		return "250m, >250m, >=1.5, <1, >80%"
	case Memory:
		return "1Gi, >1Gi, >=1.5Gi, <512Mi, >80%"
	case Ready:
		return "yes, no, 0/1, <2, <50%"
	case YesNo:
		return "yes or no"
	default:
		return strings.Join(f.Values, ", ") + ", and >=" + f.Values[len(f.Values)-1]
	}
}

func (v *Value) yesNo(s string) bool {
	switch strings.ToLower(s) {
	case "yes", "true":
		v.Form = Yes
	case "no", "false":
		v.Form = No
	default:
		return false
	}
	return true
}

func (v *Value) number(s string, unit int64) bool {
	n, err := strconv.ParseInt(s, 10, 32)
	if err != nil {
		return false
	}
	v.Low, v.High = n*unit, (n+1)*unit
	return true
}

func (v *Value) fraction(s string) bool {
	is, of, ok := strings.Cut(s, "/")
	n, err := strconv.ParseUint(of, 10, 31)
	if !ok || err != nil || !v.number(is, 1) {
		return false
	}
	v.Form, v.Of = Fraction, int64(n)
	return true
}

// thousandths of a percent are what percentages are counted in.
const thousandths = 1000

func (v *Value) percent(s string) bool {
	s, ok := strings.CutSuffix(s, "%")
	n, step, read := decimal(s)
	if !ok || !read || n > 1e9 {
		return false
	}
	v.Form, v.Low = Percent, int64(math.Round(n*thousandths))
	v.High = v.Low + max(1, int64(step*thousandths))
	return true
}

var (
	cpuUnits    = map[string]float64{"": 1000, "m": 1}
	memoryUnits = map[string]float64{
		"": 1, "k": 1e3, "M": 1e6, "G": 1e9, "T": 1e12, "P": 1e15,
		"Ki": 1 << 10, "Mi": 1 << 20, "Gi": 1 << 30, "Ti": 1 << 40, "Pi": 1 << 50,
	}
)

// quantity reads an amount in the units of the API (k8s.io/apimachinery/pkg/api/resource), as far as people type them.
func (v *Value) quantity(s string, units map[string]float64) bool {
	digits := strings.TrimRight(s, "kKMGTPim")
	unit, ok := units[s[len(digits):]]
	n, _, read := decimal(digits)
	if !ok || !read || n*unit > math.MaxInt64/4 {
		return false
	}
	v.Low = int64(math.Round(n * unit))
	v.High = v.Low + 1
	return true
}

// decimal reads a number without a sign, and what its last digit counts.
func decimal(s string) (n, step float64, ok bool) {
	if s == "" || len(s) > 18 || strings.Trim(s, "0123456789.") != "" || s[0] == '.' || s[len(s)-1] == '.' {
		return 0, 0, false
	}
	n, err := strconv.ParseFloat(s, 64)
	step = 1
	if at := strings.IndexByte(s, '.'); at >= 0 {
		step = math.Pow10(at + 1 - len(s))
	}
	return n, step, err == nil
}

// units of lengths of time, the longest first, as kubectl prints them (k8s.io/apimachinery/pkg/util/duration).
var units = []struct {
	name string
	is   time.Duration
}{
	{"y", 365 * 24 * time.Hour}, {"w", 7 * 24 * time.Hour}, {"d", 24 * time.Hour}, {"h", time.Hour}, {"m", time.Minute}, {"s", time.Second},
}

// duration reads 41s, 4m12s, 2d5h or 1y20d: numbers with units, the longer unit first. 0 needs none. A minus sign before it
// is for what lies in the past.
func (v *Value) duration(s string) bool {
	rest, sign := s, int64(1)
	if after, ok := strings.CutPrefix(s, "-"); ok {
		rest, sign = after, -1
	}
	if rest == "0" {
		v.Low, v.High = 0, int64(time.Second)
		return true
	}
	next, sum, step := 0, int64(0), int64(0)
	for rest != "" {
		end := len(rest) - len(strings.TrimLeft(rest, "0123456789"))
		n, err := strconv.ParseInt(rest[:end], 10, 32)
		if err != nil {
			return false
		}
		i := slices.IndexFunc(units[next:], func(u struct {
			name string
			is   time.Duration
		}) bool {
			return strings.HasPrefix(rest[end:], u.name)
		})
		if i < 0 {
			return false
		}
		step = int64(units[next+i].is)
		if n > (math.MaxInt64/4-sum)/step {
			return false
		}
		sum += n * step
		next += i + 1
		rest = rest[end+1:]
	}
	v.Low, v.High = sign*sum, sign*sum+step
	return step > 0
}
