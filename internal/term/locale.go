package term

import "strings"

// UTF8 reports whether the locale says that text is UTF-8. As setlocale(3) has it for LC_CTYPE, the first of LC_ALL,
// LC_CTYPE and LANG that is not empty decides; without any of them the locale is C, which is not. getenv is os.Getenv.
func UTF8(getenv func(string) string) bool {
	for _, variable := range []string{"LC_ALL", "LC_CTYPE", "LANG"} {
		if locale := getenv(variable); locale != "" {
			locale, _, _ = strings.Cut(strings.ToLower(locale), "@")
			return strings.HasSuffix(locale, "utf-8") || strings.HasSuffix(locale, "utf8")
		}
	}
	return false
}
