package text

import "testing"

func TestNamesAreJoinedAsASentenceDoes(t *testing.T) {
	long := make([]string, 1203)
	for i := range long {
		long[i] = "x"
	}
	for _, c := range []struct {
		names []string
		most  int
		want  string
	}{
		{nil, 3, ""}, {[]string{"a"}, 3, "a"}, {[]string{"a", "b"}, 3, "a and b"}, {[]string{"a", "b", "c"}, 3, "a, b and c"},
		{[]string{"a", "b", "c", "d"}, 3, "a, b, c and 1 more"}, {long, 2, "x, x and " + Count(1201) + " more"},
	} {
		if got := Some(c.names, c.most); got != c.want {
			t.Errorf("%d of %d names: %q, want %q", c.most, len(c.names), got, c.want)
		}
	}
}
