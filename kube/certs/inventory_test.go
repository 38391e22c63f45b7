package certs

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"sync"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"

	"ktriage/kube"
)

// stage is an inventory with sources of the test's own, in virtual time.
type stage struct {
	t         *testing.T
	inventory *Inventory
	ctx       context.Context
}

// newStage starts the sources. It must be called within a synctest bubble.
func newStage(t *testing.T, sources ...*source) *stage {
	t.Helper()
	return newStageOn(t, nil, sources...)
}

// newStageOn does the same beside a server that is asked whether it is there; nil is none.
func newStageOn(t *testing.T, server http.RoundTripper, sources ...*source) *stage {
	t.Helper()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: "https://api.invalid", Transport: server})
	if err != nil {
		t.Fatal(err)
	}
	i := New(kube.New(kube.Clients{Kubernetes: client}, "test", "default", []string{""}, nil), Options{Urgent: true})
	i.sources = sources
	i.found, i.unread = map[*source]map[string]finding{}, map[*source]struct{}{}
	for _, s := range sources {
		i.found[s], i.unread[s] = map[string]finding{}, struct{}{}
	}
	ctx, stop := context.WithCancel(t.Context())
	t.Cleanup(stop)
	if server != nil {
		i.cluster.Start(ctx, 0)
	}
	i.Start(ctx)
	return &stage{t, i, ctx}
}

// after lets time pass, until nothing happens any more.
func (s *stage) after(d time.Duration) {
	time.Sleep(d)
	synctest.Wait()
}

// rows are the rows as words: name, what is left of it, and its places.
func (s *stage) rows() []string {
	var out []string
	for _, c := range s.inventory.All() {
		var places []string
		for _, p := range c.Places {
			word := p.Where
			if p.Failed != "" {
				word += " (" + p.Failed + ")"
			}
			places = append(places, word)
		}
		what := c.LeftText(time.Now())
		if c.Unseen != "" {
			what = c.Unseen
		}
		out = append(out, fmt.Sprintf("%s %s: %s", c.Name, what, strings.Join(places, ", ")))
	}
	slices.Sort(out)
	return out
}

func (s *stage) want(rows ...string) {
	s.t.Helper()
	if diff := cmp.Diff(rows, s.rows()); diff != "" {
		s.t.Errorf("rows (- wanted, + found):\n%s", diff)
	}
}

// row is the one row of that name.
func (s *stage) row(name string) *kube.Cert {
	s.t.Helper()
	for _, c := range s.inventory.All() {
		if c.Name == name {
			return c
		}
	}
	s.t.Fatalf("there is no row %q among %q", name, s.rows())
	return nil
}

func x509Of(fingerprint string, left time.Duration) *kube.X509 {
	return &kube.X509{Fingerprint: fingerprint, From: time.Now().Add(-time.Hour), To: time.Now().Add(left)}
}

func always(found ...finding) func(context.Context, func(...finding)) error {
	return func(_ context.Context, put func(...finding)) error {
		put(found...)
		return nil
	}
}

// said is what a source of the test gives at its next reading.
type said struct {
	mu    sync.Mutex
	found []finding
	fault error
	reads int
}

func (s *said) say(fault error, found ...finding) {
	s.mu.Lock()
	defer s.mu.Unlock()
	s.fault, s.found = fault, found
}

func (s *said) times() int {
	s.mu.Lock()
	defer s.mu.Unlock()
	return s.reads
}

func (s *said) read(_ context.Context, put func(...finding)) error {
	s.mu.Lock()
	found, fault := s.found, s.fault
	s.reads++
	s.mu.Unlock()
	put(found...)
	return fault
}

var errDown = errors.New("the line is dead")

func TestACertificateInTwoPlacesIsOneRowNamedByTheMoreDangerous(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		x := x509Of("aa", 100*day)
		s := newStage(t,
			&source{name: "Secrets", every: time.Hour, read: always(certificate("shop/web", kube.ServingCert,
				kube.CertPlace{Name: "web-tls", Where: "secret shop/web", Danger: kube.BreaksApp}, x))},
			&source{name: "Handshakes", every: time.Hour, read: always(certificate("cp-1:6443", kube.ServingCert,
				kube.CertPlace{Name: "apiserver", Where: "cp-1:6443", Danger: kube.BreaksCluster}, x, x509Of("ca", 20*day)))})
		s.after(time.Second)
		s.want("apiserver 19d: cp-1:6443, secret shop/web")
		if got := s.row("apiserver"); len(got.Chain) != 1 || !got.To.Equal(x.To) {
			t.Errorf("the chain has %d certificates, and the row ends at %v, want 1 and %v", len(got.Chain), got.To, x.To)
		}
		select {
		case <-s.inventory.Complete():
		default:
			t.Error("every source has been read, and the inventory is not complete")
		}
	})
}

const day = 24 * time.Hour

func TestASourceThatFailsKeepsWhatItHasReadAndSaysSoInARow(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var says said
		says.say(nil, certificate("a", kube.ServingCert, kube.CertPlace{Name: "web", Where: "secret a"}, x509Of("aa", 100*day)))
		s := newStage(t, &source{name: "Secrets", where: "all namespaces", every: time.Minute, read: says.read})
		s.after(time.Second)
		s.want("web 99d: secret a")
		says.say(errDown)
		s.after(time.Minute)
		s.want("Secrets "+kube.Explain(errDown).Sentence+": all namespaces", "web 99d: secret a")
		says.say(nil)
		s.after(time.Minute)
		s.want() // it has been read to its end, and there is none any more
	})
}

func TestWhatIsForbiddenIsSaidAndWhatIsNotThereIsNot(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		things := schema.GroupResource{Resource: "secrets"}
		fails := func(err error) func(context.Context, func(...finding)) error {
			return func(context.Context, func(...finding)) error { return err }
		}
		s := newStage(t,
			&source{name: "Secrets", where: "all namespaces", every: time.Hour, read: fails(apierrors.NewForbidden(things, "", errors.New("no")))},
			&source{name: "Trust bundles", where: "cluster", every: time.Hour, read: fails(apierrors.NewNotFound(things, ""))})
		s.after(time.Second)
		if rows := s.rows(); len(rows) != 1 || !strings.HasPrefix(rows[0], "Secrets ") {
			t.Errorf("rows %q, want only one of Secrets", rows)
		}
		if got := s.row("Secrets").Severity(kube.Moment{Now: time.Now()}); got != kube.Notice {
			t.Errorf("what is forbidden is %v, want a notice", got)
		}
	})
}

func TestAPlaceRemembersWhatItHadBeforeAndKeepsItsDateWhenItDoesNotAnswer(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		began := time.Now()
		place := kube.CertPlace{Name: "apiserver", Where: "cp-1:6443"}
		one, two := x509Of("aa", 10*day), x509Of("bb", 365*day)
		var says said
		says.say(nil, certificate("cp-1", kube.ServingCert, place, one))
		s := newStage(t, &source{name: "Handshakes", every: time.Minute, read: says.read})
		s.after(2*time.Minute + time.Second)
		if p := s.row("apiserver").Place(); p.Checks != 3 || p.Before != "" || !p.Since.Equal(began) {
			t.Errorf("after three readings of the same: %+v", p)
		}
		says.say(nil, unseen("cp-1", place, "timed out after 2s"))
		s.after(time.Minute)
		s.want("apiserver 9d: cp-1:6443 (timed out after 2s)")
		if p := s.row("apiserver").Place(); !p.Checked.Equal(began.Add(2 * time.Minute)) {
			t.Errorf("it was checked at %v, want the time of the last answer", p.Checked.Sub(began))
		}
		says.say(nil, certificate("cp-1", kube.ServingCert, place, two))
		s.after(time.Minute)
		s.want("apiserver 364d: cp-1:6443")
		if p := s.row("apiserver").Place(); p.Checks != 1 || p.Before != "aa" || !p.Since.Equal(began.Add(4*time.Minute)) {
			t.Errorf("after a renewal: %+v", p)
		}
	})
}

func TestWhatCertManagerSaysOfASecretStandsInTheRowOfTheSecret(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		issued := unseen("Certificate shop/web", kube.CertPlace{Name: "web", Where: "certificate shop/web"}, "not issued yet")
		issued.joins = "secret shop/web-tls"
		issued.cert.Issuance = &kube.Issuance{Ready: true}
		secret := certificate("secret shop/web-tls", kube.ServingCert,
			kube.CertPlace{Name: "web-tls", Where: "secret shop/web-tls", Danger: kube.BreaksApp}, x509Of("aa", 50*day))
		var says said
		s := newStage(t,
			&source{name: "cert-manager", every: time.Hour, read: always(issued)},
			&source{name: "Secrets", every: time.Minute, read: says.read})
		s.after(time.Second)
		s.want("web not issued yet: certificate shop/web")
		says.say(nil, secret)
		s.after(time.Minute)
		s.want("web-tls 49d: secret shop/web-tls, certificate shop/web")
		if s.row("web-tls").Issuance == nil {
			t.Error("the row does not have what cert-manager says")
		}
	})
}

// A server that comes back has what failed read again at once, and nothing else; somebody who does not believe the rows has
// everything.
func TestOnlyWhatHasFailedIsReadAgainWhenTheServerIsBack(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var good, bad said
		bad.say(errDown)
		s := newStage(t, &source{name: "good", every: time.Hour, read: good.read}, &source{name: "bad", every: time.Hour, read: bad.read})
		s.after(time.Second)
		s.inventory.cluster.Retry()
		s.after(time.Second)
		if good.times() != 1 || bad.times() != 2 {
			t.Errorf("after the server's return: %d and %d readings, want 1 of what had succeeded and 2", good.times(), bad.times())
		}
		s.inventory.cluster.ReadAgain()
		s.after(time.Second)
		if good.times() != 2 || bad.times() < 3 {
			t.Errorf("after reading all again: %d and %d readings", good.times(), bad.times())
		}
		before := bad.times()
		s.after(10 * time.Minute)
		if n := bad.times() - before; n < 5 || n > 10 {
			t.Errorf("what fails was tried %d times in ten minutes, want one about every two", n)
		}
		if good.times() != 2 {
			t.Errorf("what is read every hour was read %d times in ten minutes", good.times())
		}
	})
}

func TestOneExpiredAnchorBesideAGoodOneIsOnlyANote(t *testing.T) {
	m := kube.Moment{Now: time.Now()}
	old, now := x509Of("aa", -day), x509Of("bb", 300*day)
	place := kube.CertPlace{Name: "ca", Where: "cm", Class: kube.OfAuthority, Danger: kube.BreaksCluster}
	rows := merge(bundle("cm", place, old, now))
	if got := rows["sha256:aa"].Severity(m); got != kube.Notice {
		t.Errorf("the expired anchor is %v, want a notice", got)
	}
	rows = merge(append(bundle("cm", place, old, now), bundle("kubeconfig", place, old)...))
	if got := rows["sha256:aa"].Severity(m); got != kube.Bad {
		t.Errorf("where it is the only anchor it is %v, want bad", got)
	}
}

func TestTheAuthorityOfAPlaceIsCalledAsKubeadmDoesWhoeverReadsIt(t *testing.T) {
	for signedBy, want := range map[string]string{"kubernetes": "ca", "etcd-ca": "etcd-ca", "corp": "corp", "": ""} {
		f := certificate("x", kube.ClientCert, kube.CertPlace{}, &kube.X509{SignedBy: signedBy})
		if got := f.cert.Place().Authority; got != want {
			t.Errorf("signed by %q it is of %q, want %q", signedBy, got, want)
		}
	}
	if got := certificate("x", kube.ClientCert, kube.CertPlace{Authority: "front-proxy-ca"}, &kube.X509{SignedBy: "kubernetes"}).cert.Place().Authority; got != "front-proxy-ca" {
		t.Errorf("what a file of kubeadm's says is %q", got)
	}
}

func TestWhatARowIsIsToldByEveryPlaceThatCanBeSeen(t *testing.T) {
	for name, c := range map[string]struct {
		in   []kube.CertKind
		want kube.CertKind
	}{
		"nowhere":               {[]kube.CertKind{kube.NoCert, kube.NoCert}, kube.NoCert},
		"silent, and a metric":  {[]kube.CertKind{kube.NoCert, kube.ServingCert}, kube.ServingCert},
		"a metric, and silent":  {[]kube.CertKind{kube.ClientCert, kube.NoCert}, kube.ClientCert},
		"serves, and a client":  {[]kube.CertKind{kube.ServingCert, kube.ClientCert}, kube.BothCert},
		"serves, and signs":     {[]kube.CertKind{kube.ServingCert, kube.Authority}, kube.Authority},
		"the same in two":       {[]kube.CertKind{kube.ClientCert, kube.ClientCert}, kube.ClientCert},
		"both, and serves once": {[]kube.CertKind{kube.BothCert, kube.ServingCert}, kube.BothCert},
	} {
		var places []kube.CertPlace
		for _, use := range c.in {
			places = append(places, kube.CertPlace{Use: use})
		}
		if got := kindIn(places); got != c.want {
			t.Errorf("%s: %v, want %v", name, got, c.want)
		}
	}
}

func TestAPlaceThatIsSeenForTheFirstTimeHasNotShownItWhileItWasSilent(t *testing.T) {
	began := time.Now()
	silent := unseen("cp-1", kube.CertPlace{}, "refused").after(finding{}, began)
	silent = unseen("cp-1", kube.CertPlace{}, "refused").after(silent, began.Add(time.Hour))
	f := certificate("cp-1", kube.ServingCert, kube.CertPlace{}, x509Of("aa", day)).after(silent, began.Add(2*time.Hour))
	if p := f.cert.Place(); p.Checks != 1 || !p.Since.Equal(began.Add(2*time.Hour)) || p.Before != "" {
		t.Errorf("it is shown since %v, seen %d times, after %q", p.Since.Sub(began), p.Checks, p.Before)
	}
}

// A list that takes longer than a reading may is not begun again and again: that would be work without an end for the server.
func TestWhatTakesTooLongKeepsItsPace(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		reads := 0
		s := newStage(t, &source{name: "CRDs", every: everyList, read: func(ctx context.Context, _ func(...finding)) error {
			reads++
			<-ctx.Done()
			return fmt.Errorf("list: %w", ctx.Err())
		}})
		s.after(59 * time.Minute)
		if reads != 5 {
			t.Errorf("in an hour it was read %d times, for two minutes each", reads)
		}
		s.inventory.cluster.Retry()
		s.after(time.Second)
		if reads != 6 {
			t.Error("it is not read again when the server is back")
		}
	})
}

func TestAFileThatIsMissingNowIsNotShownAsItWas(t *testing.T) {
	place := kube.CertPlace{Source: kube.FromFile, Name: "apiserver", Where: "apiserver.crt"}
	old := certificate("apiserver.crt", kube.ServingCert, place, x509Of("aa", day)).after(finding{}, time.Now())
	closed := nothing("apiserver.crt", place, "permission denied")[0].after(old, time.Now())
	if closed.cert.Unseen != "" || closed.cert.Place().Failed != "permission denied" {
		t.Errorf("one that may not be read: %+v", closed.cert)
	}
	place.Severity = kube.Warning
	gone := nothing("apiserver.crt", place, "MISSING")[0].after(closed, time.Now())
	if p := gone.cert.Place(); gone.cert.Unseen != "MISSING" || p.Before != "aa" || gone.cert.Severity(kube.Moment{Now: time.Now()}) != kube.Warning {
		t.Errorf("one that is missing: %+v", gone.cert)
	}
}

// BenchmarkMerge is what a publication costs with 10,000 Secrets and 5,000 kubelets.
func BenchmarkMerge(b *testing.B) {
	var all []finding
	for n := range 15_000 {
		at := fmt.Sprintf("place %d", n)
		all = append(all, certificate(at, kube.ServingCert, kube.CertPlace{Name: "web", Where: at}, x509Of(at, time.Hour)))
	}
	b.ReportAllocs()
	for b.Loop() {
		if n := len(merge(all)); n != len(all) {
			b.Fatal(n)
		}
	}
}

// A server that does not answer has one reason for all sources: none of them asks it, but what was read stays, and what was not is
// a row. The API server's own certificate is looked at all the same, since that may be the reason.
func TestNobodyAsksAServerThatDoesNotAnswerAnyMore(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		var asked, own said
		own.say(nil, certificate("cp-1", kube.ServingCert, kube.CertPlace{Name: "apiserver", Where: "cp-1:6443"}, x509Of("aa", -day)))
		s := newStageOn(t, dead{},
			&source{name: "Secrets", where: "all namespaces", every: time.Minute, read: asked.read},
			&source{name: "apiserver", every: time.Minute, stubborn: true, read: own.read})
		s.after(10 * time.Minute)
		if n := asked.times(); n != 0 {
			t.Errorf("it was asked %d times for Secrets", n)
		}
		if own.times() == 0 {
			t.Error("its own certificate was not looked at")
		}
		rows := s.rows()
		if len(rows) != 2 || !strings.HasPrefix(rows[0], "Secrets ") || !strings.HasPrefix(rows[1], "apiserver EXPIRED") {
			t.Errorf("rows %q", rows)
		}
	})
}

// dead is a server that refuses every connection.
type dead struct{}

func (dead) RoundTrip(*http.Request) (*http.Response, error) { return nil, errDown }
