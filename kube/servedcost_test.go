package kube

import (
	"crypto/x509"
	"strings"
	"testing"
)

func TestLookingOnCostsARequestNoMemory(t *testing.T) {
	w, header, chain := newWitness(), "Bearer "+strings.Repeat("x", 1200), []*x509.Certificate{{}}
	look := func() {
		w.sent(header)
		w.shown(chain)
	}
	look()
	if n := testing.AllocsPerRun(100, look); n != 0 {
		t.Errorf("it allocates %v times", n)
	}
}

func BenchmarkLookingOn(b *testing.B) {
	w, header, chain := newWitness(), "Bearer "+strings.Repeat("x", 1200), []*x509.Certificate{{}}
	for b.Loop() {
		w.sent(header)
		w.shown(chain)
	}
}
