package kube

import (
	"fmt"
	"time"

	"k8s.io/client-go/rest"
	"k8s.io/client-go/util/cert"

	"ktriage/internal/text"
)

// CheckCredentials gives an error if the credentials of a configuration are only a client certificate that is not valid
// at now: the server would answer 401 and not say why. What cannot be seen from here is no error.
func CheckCredentials(cfg *rest.Config, now time.Time) error {
	if cfg.ExecProvider != nil || cfg.AuthProvider != nil || cfg.BearerToken != "" || cfg.BearerTokenFile != "" ||
		cfg.Username != "" {
		return nil
	}
	loaded := rest.CopyConfig(cfg)
	if err := rest.LoadTLSFiles(loaded); err != nil || len(loaded.CertData) == 0 {
		return nil //nolint:nilerr // making the client reports it
	}
	chain, err := cert.ParseCertsPEM(loaded.CertData)
	if err != nil {
		return nil //nolint:nilerr // making the client reports it
	}
	if own := chain[0]; now.Before(own.NotBefore) || now.After(own.NotAfter) {
		return &clientCertificate{subject: own.Subject.String(), from: own.NotBefore, to: own.NotAfter, now: now}
	}
	return nil
}

// clientCertificate says that our certificate is not valid now.
type clientCertificate struct {
	subject       string
	from, to, now time.Time
}

func (e *clientCertificate) Error() string {
	return fmt.Sprintf("client certificate %s is valid from %s to %s", e.subject, moment(e.from), moment(e.to))
}

func (e *clientCertificate) explain() Explanation {
	out := Explanation{Code: ExitCredentials}
	if e.now.Before(e.from) {
		out.Sentence = fmt.Sprintf("The client certificate of the kubeconfig (%s) is not valid before %s.",
			text.Clean(e.subject), moment(e.from))
		out.Next = "Check the clock of this machine: it says " + moment(e.now) + "."
		return out
	}
	out.Sentence = fmt.Sprintf("The client certificate of the kubeconfig (%s) expired on %s.", text.Clean(e.subject), moment(e.to))
	out.Next = "Get a fresh kubeconfig (on a kubeadm control plane: kubeadm certs renew admin.conf), or use another --context."
	return out
}
