package filter

import (
	"errors"
	"fmt"
	"reflect"
	"regexp"
	"strings"
	"testing"
	"time"

	"k8s.io/apimachinery/pkg/labels"
	"pgregory.net/rapid"
)

// pods is a language with a field of each type.
func pods() *Language {
	return &Language{
		Fields: []Field{
			{Name: "name", Type: Text}, {Name: "ns", Aliases: []string{"namespace"}, Type: Text},
			{Name: "restarts", Type: Number}, {Name: "age", Type: Duration}, {Name: "cpu", Type: CPU},
			{Name: "mem", Aliases: []string{"memory"}, Type: Memory}, {Name: "ready", Type: Ready}, {Name: "cordoned", Type: YesNo},
			{Name: "severity", Type: Level, Values: []string{"ok", "notice", "warning", "bad"}},
		},
		Selector: func(s string) error {
			_, err := labels.Parse(s)
			return err
		},
	}
}

func read(t interface {
	Helper()
	Fatalf(string, ...any)
}, s string,
) Expr {
	t.Helper()
	e, err := pods().Parse(s)
	if err != nil {
		t.Fatalf("%q cannot be read: %v at %d", s, err, err.At)
	}
	return e
}

func TestTermsAreReadAsWhatTheyAre(t *testing.T) {
	for s, want := range map[string]string{
		"web":                        "word(web)",
		"  web   !shop ":             "word(web) !word(shop)",
		`"web a" !"b"`:               "quoted(web a) !quoted(b)",
		`"a \"b\" \\ c\d"`:           `quoted(a "b" \ c\d)`,
		`""`:                         "",
		`"a"b`:                       "quoted(a) word(b)",
		"re:^web-[0-9]+$ !re:x":      "regexp(^web-[0-9]+$) !regexp(x)",
		`re:"a b"`:                   "regexp(a b)",
		"restarts>5 age<=2h":         "restarts>5 age<=2h",
		"RESTARTS==5":                "restarts=5",
		"namespace=shop,cart":        "ns=shop,cart",
		`name="a b",c web`:           "name=\"a b\",c word(web)",
		"!ready=no":                  "!ready=no",
		"name~part":                  "name~part",
		"shop/web:8080 10.0.0.1":     "word(shop/web:8080) word(10.0.0.1)",
		`a"b=c`:                      `word(a"b=c)`,
		"!!":                         "!word(!)",
		"-l app=x web":               "labels(app=x) word(web)",
		"-l app = x web":             "labels(app = x) word(web)",
		"-l app=x, env in (a, b) in": "labels(app=x, env in (a, b)) word(in)",
		"-l env notin (a,b),!c d":    "labels(env notin (a,b),!c) word(d)",
		"-l app ready=no":            "labels(app) ready=no",
		"-l app !web":                "labels(app) !word(web)",
		"-l app in":                  "labels(app) word(in)",
		"-l !app !=b c":              "",
		"-l app!=b c":                "labels(app!=b) word(c)",
		`-l "app in (a)" x`:          "labels(app in (a)) word(x)",
		"-l app in (a) -l b=c":       "labels(app in (a)) labels(b=c)",
		"-lx":                        "word(-lx)",
		"!-l app=x":                  "!labels(app=x)",
		"severity>=warning":          "severity>=warning",
	} {
		e, err := pods().Parse(s)
		if err != nil {
			if want != "" {
				t.Errorf("%q cannot be read: %v", s, err)
			}
			continue
		}
		var got []string
		for _, term := range e.Terms {
			word := term.String()
			if term.Kind != Compare {
				word = map[Kind]string{Word: "word", Quoted: "quoted", Regexp: "regexp", Labels: "labels"}[term.Kind] + "(" + term.Text + ")"
				if term.Not {
					word = "!" + word
				}
			}
			got = append(got, word)
		}
		if g := strings.Join(got, " "); g != want {
			t.Errorf("%q is read as %s, want %s", s, g, want)
		}
	}
}

func TestWhatCannotBeReadSaysWhereAndWhatCan(t *testing.T) {
	const fields = " fields: name, ns, restarts, age, cpu, mem, ready, cordoned, severity"
	for s, want := range map[string]Error{
		"restarts>x5 ns=shop": {9, 2, `"x5" is not a number; restarts takes 5, >5, >=5, <5, <=5`},
		"restart>5":           {0, 7, "there is no field restart here; did you mean restarts?" + fields},
		"web foo=bar":         {4, 3, "there is no field foo here; quotes make a word of it." + fields},
		"restarts>":           {0, 9, "a value is missing; restarts takes 5, >5, >=5, <5, <=5"},
		"ns=shop,":            {0, 8, "a value is missing; ns takes =a,b  !=a  =a*  ~part"},
		"restarts>5,6":        {10, 1, "only =, != and ~ take several values"},
		">5":                  {0, 1, "> stands right behind the field that it compares, as in restarts>5"},
		"ns>5":                {0, 3, "ns is a word: it takes =a,b  !=a  =a*  ~part"},
		"cordoned>yes":        {0, 9, "cordoned is yes or no: it takes = and !="},
		"cordoned=maybe":      {9, 5, `"maybe" is not yes or no; cordoned takes yes or no`},
		"restarts~5":          {0, 9, "~ looks into words; restarts takes 5, >5, >=5, <5, <=5"},
		"age<2x":              {4, 2, `"2x" is not a length of time; age takes 2h, >2h, >=4m12s, <41s, <=3d`},
		"cpu>80p":             {4, 3, `"80p" is not an amount of CPU; cpu takes 250m, >250m, >=1.5, <1, >80%`},
		"mem>1Gb":             {4, 3, `"1Gb" is not an amount of memory; mem takes 1Gi, >1Gi, >=1.5Gi, <512Mi, >80%`},
		"ready>yes":           {6, 3, "yes goes with = and !=; ready takes yes, no, 0/1, <2, <50%"},
		"age<-":               {4, 1, "- means that there is no age: it goes with = and !="},
		"severity=worse":      {9, 5, `"worse" is not one of them; severity takes ok, notice, warning, bad, and >=bad`},
		`"abc`:                {0, 4, "the quote at 1 is not closed"},
		`name="abc`:           {5, 4, "the quote at 6 is not closed"},
		"-l":                  {0, 2, "-l needs a label selector behind it: -l app=web,env in (prod,stage)"},
		"web -l ":             {4, 3, "-l needs a label selector behind it: -l app=web,env in (prod,stage)"},
		"re:(":                {3, 1, "the regular expression cannot be read: missing closing ): ("},
		"re: x":               {0, 3, `re: needs an expression right behind it: re:web-[0-9]+, or re:"with spaces"`},
		"!":                   {0, 1, "! stands before the word that must not occur"},
	} {
		_, err := pods().Parse(s)
		if err == nil || *err != want {
			t.Errorf("%q fails with\n%+v, want\n%+v", s, err, want)
		}
	}
	if _, err := pods().Parse("x -l app in (a"); err == nil || err.At != 5 || err.Len != 9 {
		t.Errorf("a selector that is not closed fails with %+v", err)
	}
	bare := &Language{NoLabels: "certificates have no labels"}
	if _, err := bare.Parse("-l a=b"); err == nil || !strings.Contains(err.Reason, "certificates have no labels") {
		t.Errorf("labels of what has none fail with %v", err)
	}
}

// texts are texts near the language.
func texts() *rapid.Generator[string] {
	piece := rapid.SampledFrom([]string{
		"web", "!", " ", "  ", `"`, `"a b"`, `\`, "re:", "re:a.b", "(", ")", "[", "*", "-l ", "-l", "app", "=", "!=", "==", "<=", ">=", "<", ">", "~", ",",
		"in (a, b)", "notin (a)", "restarts", "age", "2h", "4m12s", "80%", "1Gi", "ns", "shop,cart", "-", "ready", "0/1", "no", "severity", "bad", "日本", "\x00", "\n", "\t",
		"restarts>5", "age<3d", `name="x y"`, "-l a=b,c", "!-l x", `-l "a" ,b`,
	})
	return rapid.OneOf(rapid.String(), rapid.Map(rapid.SliceOfN(piece, 0, 12), func(p []string) string { return strings.Join(p, "") }))
}

// checkRead fails unless a text is read, and read again as it is printed, or its fault lies in it.
func checkRead(t interface{ Fatalf(string, ...any) }, s string) {
	e, err := pods().Parse(s)
	if err != nil {
		if err.At < 0 || err.Len < 1 || err.At+err.Len > len(s) || err.Reason == "" {
			t.Fatalf("%q has its fault at %+v", s, *err)
		}
		return
	}
	again, err := pods().Parse(e.String())
	if err != nil || !reflect.DeepEqual(again, e) {
		t.Fatalf("%q is printed as %q, which is read as %q (%v)", s, e.String(), again.String(), err)
	}
	for _, term := range e.Terms {
		term.Holds(Sample{Known: true, N: 5})
		term.Names("shop")
		if p, err := NewPattern(term.Text); err == nil && term.Kind == Regexp {
			p.In("shop/web\n10.0.0.1")
		}
	}
}

func TestAPrintedFilterIsReadAsTheSameAndEveryFaultLiesInTheText(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) { checkRead(t, texts().Draw(t, "filter")) })
}

func FuzzParse(f *testing.F) {
	for _, s := range []string{"web !shop", `"a b`, "restarts>5 age<2h", "-l app=x,env in (a, b) ready=no", `re:"a|b" !re:^x`, `ns="a,b",c`} {
		f.Add(s)
	}
	f.Fuzz(func(t *testing.T, s string) { checkRead(t, s) })
}

func TestSelectorsBehindLAreThoseOfKubectl(t *testing.T) {
	key, value := rapid.SampledFrom([]string{"app", "env", "app.kubernetes.io/name", "x"}), rapid.SampledFrom([]string{"a", "b-1", "", "prod"})
	requirement := rapid.Custom(func(t *rapid.T) string {
		k, v, w := key.Draw(t, "key"), value.Draw(t, "value"), value.Draw(t, "other")
		return rapid.SampledFrom([]string{
			k, "!" + k, k + "=" + v, k + "==" + v, k + "!=" + v, k + " in (" + v + "," + w + ")", k + " notin (" + v + ", " + w + ")", k + " = prod",
		}).Draw(t, "form")
	})
	separator := rapid.SampledFrom([]string{",", ", ", " ,"})
	rapid.Check(t, func(t *rapid.T) {
		selector := requirement.Draw(t, "first")
		for range rapid.IntRange(0, 3).Draw(t, "more") {
			selector += separator.Draw(t, "separator") + requirement.Draw(t, "next")
		}
		if strings.HasSuffix(selector, "=") {
			selector += "x"
		}
		if _, err := labels.Parse(selector); err != nil {
			return
		}
		e, fault := pods().Parse("web -l " + selector + " ready=no")
		if fault != nil || len(e.Terms) != 3 || e.Terms[1].Text != selector {
			t.Fatalf("-l %s is read as %q (%v)", selector, e.String(), fault)
		}
	})
}

func TestComparisonsAgreeWithWhatTheySay(t *testing.T) {
	for s, want := range map[string]string{ // of 0 to 9
		"restarts=5": "5", "restarts!=5": "012346789", "restarts>5": "6789", "restarts>=5": "56789", "restarts<5": "01234", "restarts<=5": "012345",
		"restarts=1,3": "13", "restarts!=1,3": "02456789", "restarts=-": "", "restarts!=-": "0123456789", "restarts=-,2": "2",
		"ready=3": "3", "ready=3/9": "3", "ready!=3/9": "012456789", "ready=3/8": "", "ready>=50%": "56789", "ready=55%": "5", "ready=no": "02468", "ready=yes": "13579",
		"severity>=warning": "23456789", "severity=bad,ok": "03",
	} {
		term := read(t, s).Terms[0]
		got := ""
		for n := range int64(10) {
			if term.Holds(Sample{Known: true, N: n, Of: 9, Part: n, Whole: 9, Judged: true, Yes: n%2 == 1}) {
				got += fmt.Sprint(n)
			}
		}
		if got != want {
			t.Errorf("%s holds for %s, want %s", s, got, want)
		}
		if missing := term.Holds(Sample{}); missing != strings.Contains(s, "=-") || missing && strings.Contains(s, "!") {
			if s != "restarts!=-" {
				t.Errorf("%s of what is missing is %v", s, missing)
			}
		}
	}
	if term := read(t, "restarts!=-").Terms[0]; term.Holds(Sample{}) {
		t.Error("what is missing is there")
	}
}

func TestNumbersCompareAsInANaiveModel(t *testing.T) {
	compare := map[string]func(a, b int64) bool{
		"=": func(a, b int64) bool { return a == b }, "!=": func(a, b int64) bool { return a != b }, "<": func(a, b int64) bool { return a < b },
		"<=": func(a, b int64) bool { return a <= b }, ">": func(a, b int64) bool { return a > b }, ">=": func(a, b int64) bool { return a >= b },
	}
	rapid.Check(t, func(t *rapid.T) {
		n, than := rapid.Int64Range(-20, 20).Draw(t, "n"), rapid.Int64Range(-20, 20).Draw(t, "than")
		for op, naive := range compare {
			s := fmt.Sprintf("restarts%s%d", op, than)
			if got := read(t, s).Terms[0].Holds(Sample{Known: true, N: n}); got != naive(n, than) {
				t.Errorf("%s of %d is %v", s, n, got)
			}
		}
	})
}

func TestLengthsOfTimeAreThoseThatPanesShow(t *testing.T) {
	for s, want := range map[string]time.Duration{
		"41s": 41 * time.Second, "4m12s": 4*time.Minute + 12*time.Second, "2h": 2 * time.Hour, "3d": 72 * time.Hour, "2d5h": 53 * time.Hour,
		"1y20d": 385 * 24 * time.Hour, "2w": 14 * 24 * time.Hour, "0": 0, "-2d": -48 * time.Hour,
	} {
		v := read(t, "age>"+s).Terms[0].Values[0]
		if v.Low != int64(want) {
			t.Errorf("%s is %v, want %v", s, time.Duration(v.Low), want)
		}
	}
	shown := read(t, "age=4m").Terms[0]
	for age, want := range map[time.Duration]bool{
		4*time.Minute - time.Second: false, 4 * time.Minute: true, 4*time.Minute + 59*time.Second: true, 5 * time.Minute: false,
	} {
		if shown.Holds(Sample{Known: true, N: int64(age)}) != want {
			t.Errorf("age=4m of %v is %v", age, !want)
		}
	}
	for _, bad := range []string{"", "5", "h", "2h3d", "2h2h", "1.5h", "9999999999y", "3d-"} {
		if _, err := pods().Parse("age>" + bad); err == nil {
			t.Errorf("age>%s is read", bad)
		}
	}
}

func TestAmountsAndPercentages(t *testing.T) {
	for s, want := range map[string]int64{
		"cpu>250m": 250, "cpu>1.5": 1500, "cpu>2": 2000, "cpu>80%": 80_000, "cpu>0.5%": 500, "mem>1Gi": 1 << 30, "mem>1.5Gi": 3 << 29, "mem>512Mi": 512 << 20,
		"mem>1G": 1_000_000_000, "mem>4096": 4096, "mem>90%": 90_000,
	} {
		if v := read(t, s).Terms[0].Values[0]; v.Low != want {
			t.Errorf("%s is %d, want %d", s, v.Low, want)
		}
	}
	hot := read(t, "mem>80%").Terms[0]
	for _, c := range []struct {
		s    Sample
		want bool
	}{
		{Sample{Known: true, Part: 81, Whole: 100}, true}, {Sample{Known: true, Part: 80, Whole: 100}, false},
		{Sample{Known: true, Part: 1 << 50, Whole: 1 << 50}, true}, {Sample{Known: true, N: 1 << 40}, false}, {Sample{}, false},
	} {
		if hot.Holds(c.s) != c.want {
			t.Errorf("mem>80%% of %+v is %v", c.s, !c.want)
		}
	}
	for _, bad := range []string{"cpu>1Gi", "mem>1m", "mem>1e3", "mem>.5Gi", "cpu>-1", "cpu>NaN", "mem>99999999999999999P", "cpu>%"} {
		if _, err := pods().Parse(bad); err == nil {
			t.Errorf("%s is read", bad)
		}
	}
}

func TestNamesMatchWithAsterisksInAnyCase(t *testing.T) {
	for _, c := range []struct {
		filter, text string
		want         bool
	}{
		{"name=web", "WEB", true}, {"name=web", "web-1", false}, {"name=web*", "web-1", true}, {"name=*-1", "web-1", true}, {"name=w*b*1", "web-b-1", true},
		{"name=w*x", "web", false}, {"name=*", "x", true}, {`name="web*"`, "web-1", false}, {`name="web*"`, "web*", true}, {"name=a,web", "web", true},
		{"name~EB-", "web-1", true}, {"name~x", "web", false}, {"name=日*", "日本", true}, {"name=-,x", "-", false}, {"name~a,eb", "web", true},
		{"name=*a*a*a*b", strings.Repeat("a", 300), false},
	} {
		if got := read(t, c.filter).Terms[0].Names(c.text); got != c.want {
			t.Errorf("%s of %q is %v", c.filter, c.text, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		pattern, text := rapid.StringMatching(`[ab*]{1,8}`).Draw(t, "pattern"), rapid.StringMatching(`[ab]{0,10}`).Draw(t, "text")
		naive := regexp.MustCompile("^" + strings.ReplaceAll(pattern, "*", ".*") + "$").MatchString(text)
		if got := read(t, "name="+pattern).Terms[0].Names(text); got != naive {
			t.Errorf("name=%s of %q is %v", pattern, text, got)
		}
	})
}

func TestAbbreviationsAreBeginningsOfParts(t *testing.T) {
	const text = "shop/checkout-7d9f8c6b5-x2k4q\n10.0.0.7\nworker-07\nrunning"
	for word, want := range map[string]bool{
		"cheout": false, "shche": true, "sche": true, "chex2": true, "che7dx2": true, "w07": true, "wor07": true, "runn": true, "s/che": true,
		"chk":  false,
		"xche": false, "chkx2": false, "shopworker": false, "10.0.7": true, "wr7": false, "checkout-x": true, "heck": false,
	} {
		if got := NewAbbreviation(word).In(text); got != want {
			t.Errorf("%s is an abbreviation: %v", word, got)
		}
	}
	for _, short := range []string{"", "a", "ab", "日本", strings.Repeat("a", 64)} {
		if NewAbbreviation(short) != nil {
			t.Errorf("%q is one", short)
		}
	}
}

// abbreviates is what Abbreviation does, tried out from a place on.
func abbreviates(word, text string, from int) bool {
	for i := from; i < len(text); i++ {
		if i > 0 && letters[text[i-1]] && letters[text[i]] {
			continue
		}
		for n := 1; n <= min(len(word), len(text)-i) && word[:n] == text[i:i+n]; n++ {
			if word[n:] == "" || abbreviates(word[n:], text, i+n) {
				return true
			}
		}
	}
	return false
}

func TestAbbreviationsAgreeWithTryingAllWays(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		word, text := rapid.StringMatching(`[ab/]{3,6}`).Draw(t, "word"), rapid.StringMatching(`([ab]{0,3}[/-]?){0,6}`).Draw(t, "text")
		if got, want := NewAbbreviation(word).In(text), abbreviates(word, text, 0); got != want {
			t.Errorf("%s in %s is %v", word, text, got)
		}
	})
}

func TestExpressionsMatchWithinOnePartInAnyCase(t *testing.T) {
	const text = "shop/web-7\n10.0.0.7\nrunning"
	for expr, want := range map[string]bool{
		"WEB-[0-9]": true, "^shop": true, "^10.0": true, "7$": true, "^running$": true, "web.*10": false, `web-7\s10`: false, `web-7[^a]10`: false,
		"(?s)web-7.10": false, `\Aweb`: false, "(web|cart)-7": true, "web-8": false, `^10\.0\.0\.7$`: true, "": true, "a{2}": false, "n{2}": true, "[A-Z]unning": true,
	} {
		p, err := NewPattern(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		if got := p.In(text); got != want {
			t.Errorf("%s matches: %v", expr, got)
		}
	}
	rapid.Check(t, func(t *rapid.T) {
		expr := rapid.StringMatching(`([abAB.]|[ab]\*|\(a\|b\)|\[ab\]|a\+|b\?){1,5}`).Draw(t, "expression")
		text := rapid.StringMatching(`[abc]{0,8}`).Draw(t, "text")
		p, err := NewPattern(expr)
		if err != nil {
			t.Fatalf("%s: %v", expr, err)
		}
		if got, want := p.In(text), regexp.MustCompile("(?i)"+expr).MatchString(text); got != want {
			t.Errorf("%s in %q is %v", expr, text, got)
		}
	})
}

func TestMatchingAllocatesNothing(t *testing.T) {
	const text = "shop/checkout-7d9f8c6b5-x2k4q\n10.0.0.7\nworker-07\nrunning"
	abbreviation := NewAbbreviation("zzzzz")
	pattern, _ := NewPattern("web-[0-9]+")
	compare, name := read(t, "cpu>80%").Terms[0], read(t, "name=*x,shop*").Terms[0]
	if n := testing.AllocsPerRun(100, func() {
		_ = abbreviation.In(text) || pattern.In(text) || compare.Holds(Sample{Known: true, Part: 1, Whole: 3}) || name.Names("Worker-07")
	}); n != 0 {
		t.Errorf("a row costs %v allocations", n)
	}
	var fault *Error
	if _, err := pods().Parse("x="); !errors.As(error(err), &fault) {
		t.Error("a fault is no error")
	}
}
