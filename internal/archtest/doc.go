// Package archtest is the rules of this repository as tests. Its one rule: a rule that can be checked is checked here, on
// the source itself, and says what to do when it is broken; what is only written down is forgotten.
//
// A rule is a function from files to violations that touches nothing else, so that each one is also shown a few lines
// that break it (examples_test.go).
package archtest
