package certs

import (
	"context"
	"errors"
	"math"
	"net"
	"net/http"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"

	"ktriage/internal/text"
	"ktriage/kube"
)

// What kubelets say of their certificates (pkg/kubelet/certificate/kubelet.go in k8s.io/kubernetes): seconds that are left,
// less than none once expired, +Inf where a certificate is not used.
const (
	clientLeft   = "kubelet_certificate_manager_client_ttl_seconds"
	serverLeft   = "kubelet_certificate_manager_server_ttl_seconds"
	serverErrors = "kubelet_server_expiration_renew_errors"
)

const (
	// kubeletMetricsAbreast is low: every answer is made by a kubelet and carried by the API server.
	kubeletMetricsAbreast = 4
	kubeletMetricsLimit   = 5 * time.Second
)

func (i *Inventory) kubeletMetricsSource() *source {
	place := kube.CertPlace{
		Source: kube.FromMetric, Name: "kubelet client", Class: kube.KubeletRotated, Danger: kube.BreaksNode,
		Breaks: "its node becomes NotReady: the API server does not let the kubelet in",
		Renew:  "the kubelet asks for the next one by itself; if it is too late: kubeadm token create --print-join-command, and join again",
	}
	w := &sweep{
		place: place, abreast: kubeletMetricsAbreast, pace: everyList,
		reason: metricsReason, general: apierrors.IsForbidden,
		targets: func(ctx context.Context) ([]endpoint, error) {
			nodes, err := i.kubeNodes(ctx)
			var out []endpoint
			for _, m := range nodes {
				out = append(out, clientEndpoint(place, m.name, m.where(m.port)+"/metrics"))
			}
			return out, err
		},
	}
	w.ask = func(ctx context.Context, e endpoint) ([]finding, error) {
		ctx, stop := context.WithTimeout(ctx, kubeletMetricsLimit)
		defer stop()
		got, err := i.samples(ctx, "/api/v1/nodes/"+e.place.Host+"/proxy/metrics", clientLeft, serverLeft, serverErrors)
		return kubeletFindings(e, got, time.Now()), err
	}
	return &source{
		name: "kubelet metrics", where: "every node", every: everyList, rest: w.rest, read: w.read,
		look: func(ctx context.Context, p kube.CertPlace, put func(...finding)) error {
			if p.Host == "" {
				return errNotAll
			}
			found, err := w.ask(ctx, clientEndpoint(place, p.Host, p.Where))
			put(found...)
			return err
		},
	}
}

// clientEndpoint is where a kubelet says of its client certificate what it has left.
func clientEndpoint(p kube.CertPlace, node, where string) endpoint {
	p.Where, p.Host = where, node
	return endpoint{slot: "kubelet client " + node, place: p}
}

// kubeletFindings are what a kubelet says, by the minute: two readings would not agree on more.
func kubeletFindings(e endpoint, got map[string]float64, now time.Time) []finding {
	left := func(name string) (time.Time, bool) {
		v, ok := got[name]
		if !ok || math.IsInf(v, 0) || math.IsNaN(v) || math.Abs(v) > furthestLeft.Seconds() {
			return time.Time{}, false
		}
		return now.Add(time.Duration(v * float64(time.Second))).Round(time.Minute), true
	}
	var out []finding
	if to, ok := left(clientLeft); ok {
		out = append(out, ending(e.slot, kube.ClientCert, e.place, to))
	}
	if to, ok := left(serverLeft); ok {
		p := kubeletPlace()
		p.Source, p.Where, p.Host, p.Class = kube.FromMetric, e.place.Where, e.place.Host, kube.KubeletRotated
		if n := got[serverErrors]; n > 0 {
			p.Note = text.Plural(int(min(n, math.MaxInt32)), "renewal has", "renewals have") + " failed since the kubelet started"
			p.Severity = kube.Warning
		}
		f := ending("kubelet server "+e.place.Host, kube.ServingCert, p, to)
		f.joins = kubeletSlot(e.place.Host)
		out = append(out, f)
	}
	return out
}

// furthestLeft is more than any certificate has.
const furthestLeft = 200 * 365 * 24 * time.Hour

// ending makes a finding of which nothing but its end is known.
func ending(slot string, kind kube.CertKind, place kube.CertPlace, to time.Time) finding {
	place.Use = kind
	return finding{slot: slot, cert: &kube.Cert{
		UID: "place:" + slot, Name: place.Name, Kind: kind, To: to, Places: []kube.CertPlace{place},
	}}
}

// metricsReason says why a kubelet has not been heard through the API server.
func metricsReason(err error) string {
	var timeout net.Error
	status, ok := errors.AsType[*apierrors.StatusError](err)
	switch {
	case errors.As(err, &timeout) && timeout.Timeout():
		return "timed out after " + kubeletMetricsLimit.String()
	case ok && status.Status().Code == http.StatusNotFound:
		return "the API server knows no such node any more"
	case ok && status.Status().Code >= http.StatusInternalServerError:
		return "the API server cannot reach it"
	}
	return text.Cut(text.Clean(err.Error()), longestReason, "…")
}
