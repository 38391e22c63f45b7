package kube

import (
	"context"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	"k8s.io/apimachinery/pkg/runtime"

	"ktriage/internal/safe"
)

// CertFeed opens a feed of certificates. Its rows are put by kube/certs, which finds them.
func (c *Cluster) CertFeed() *Feed[*Cert] { return c.certs.open(c.ask) }

// CSRFeed opens a feed of certificate signing requests.
func (c *Cluster) CSRFeed() *Feed[*CSR] { return c.csrs.open(c.ask) }

// SetCertLimits sets what credentials are judged by. It must be called before Start.
func (c *Cluster) SetCertLimits(l CertLimits) { c.certLimits = l }

// PutCerts replaces the rows of these UIDs.
func (c *Cluster) PutCerts(rows ...*Cert) { c.certs.put(rows...) }

// RemoveCerts removes the rows of these UIDs.
func (c *Cluster) RemoveCerts(uids ...string) {
	for _, uid := range uids {
		c.certs.remove(uid)
	}
}

// SetCertState says how far the rows of certificates can be believed: Loading until every source has been read once.
func (c *Cluster) SetCertState(p Phase, now time.Time) {
	c.certs.setState(origin{}, State{Phase: p, Since: now})
}

// Reader reads something of a cluster beside its informers.
type Reader interface {
	Run(ctx context.Context)
	Again() // the server is back, or somebody does not want to wait: end every wait
	Anew()  // somebody does not believe the rows: read everything again
}

// Follow runs a reader until ctx ends, and has it told whenever informers are. Unless it is urgent it begins once nodes
// and pods have been read, since these come first on the screen.
func (c *Cluster) Follow(ctx context.Context, name string, r Reader, urgent bool) {
	run := func() { c.inform(ctx, reader{r}) }
	if urgent {
		run()
		return
	}
	c.afterRows(ctx, name, run)
}

// afterRows does something once nodes and pods have been read, good or bad.
func (c *Cluster) afterRows(ctx context.Context, name string, do func()) {
	safe.Go(name, func() {
		select {
		case <-ctx.Done():
		case <-c.read:
			do()
		}
	})
}

type reader struct{ Reader }

func (r reader) run(ctx context.Context) { r.Run(ctx) }
func (r reader) again()                  { r.Again() }
func (r reader) anew()                   { r.Anew() }

func (c *Cluster) csrInformer() *informer[*CSR] {
	list := func() runtime.Object { return &certificatesv1.CertificateSigningRequestList{} }
	return &informer[*CSR]{
		signals: newSignals(), source: newSource(c.rows, "/apis/certificates.k8s.io/v1", "certificatesigningrequests", "", list),
		resource: "certificatesigningrequests", store: c.csrs, lost: c.lost, heard: c.heard, log: c.log,
		row: func(o runtime.Object) *CSR { return NewCSR(o.(*certificatesv1.CertificateSigningRequest)) },
	}
}
