package kube

import (
	"errors"
	"fmt"
	"net/url"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

// UsageTrouble says in a sentence why there are no samples, or none of some, and what to do about it; "" if all is well. Words
// without a next step have next "". Neither ends in a full stop.
func (m Moment) UsageTrouble() (sentence, next string) {
	u := m.Usage
	if u == nil || u.State.Since.IsZero() {
		return "", ""
	}
	if u.State.Err != nil {
		sentence, next = u.failure()
		if newest := u.newest(); !newest.IsZero() && !apierrors.IsForbidden(u.State.Err) {
			sentence += "; the newest sample is " + text.Age(m.Now, newest) + " old"
		}
		return sentence, next
	}
	newest := u.newest()
	switch {
	case m.NodesKnown && len(m.Nodes) == 0:
		return "", ""
	case newest.IsZero() && m.ServingWaits > 0:
		return "no samples yet", m.servingHint()
	case newest.IsZero():
		return "no samples yet: metrics-server needs two scrapes", "wait two minutes; then look at its log"
	case (Sample{At: newest}).Late(m):
		return "the newest sample is " + text.Age(m.Now, newest) + " old", "look at the log of metrics-server: it does not scrape"
	}
	return m.unmeasured()
}

// failure says why the last poll failed.
func (u *Usage) failure() (sentence, next string) {
	const look = "look at the pods and the log of metrics-server"
	err := u.State.Err
	switch {
	case errors.Is(err, errNoMetrics):
		return err.Error(), "install metrics-server; the rest of ktriage works without it"
	case apierrors.IsForbidden(err):
		return "not allowed to read usage: " + ownWords(err),
			"ask for the permission to list nodes and pods of " + metricsGroup
	case u.service.reason != "":
		return metricsGroup + " is registered but unavailable: " + strings.TrimSuffix(u.service.reason+": "+u.service.message, ": "), look
	case late(err):
		sentence = fmt.Sprintf("%s gave no answer within %d s", metricsGroup, int(metricsLimit.Seconds()))
	case apierrors.ReasonForError(err) == metav1.StatusReasonUnknown && brokenOff(err):
		return "the API server does not answer", "ktriage asks again by itself"
	case unserved(err):
		sentence = metricsGroup + " is registered but unavailable: " + ownWords(err)
	default:
		e := Explain(err)
		return strings.TrimSuffix(e.Sentence, "."), strings.TrimSuffix(e.Next, ".")
	}
	if u.service.err != nil {
		sentence += "; why is not known: " + ownWords(u.service.err)
	}
	return sentence, look
}

// brokenOff reports whether there was no answer at all: the request did not arrive, or its connection ended.
func brokenOff(err error) bool {
	_, ok := errors.AsType[*url.Error](err)
	return ok
}

// ownWords are the server's own, or if it has said nothing, those of the error.
func ownWords(err error) string {
	words := err.Error()
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Message != "" {
		words = status.Status().Message
	}
	return strings.TrimRight(gist(words), ". ")
}

// unmeasured are the nodes without a sample.
type unmeasured struct {
	all, silent int
	names       string // of the first of them
}

// unmeasuredOf finds the nodes that have no sample while others have.
func unmeasuredOf(u *Usage, nodes map[string]NodeState) *unmeasured {
	const named = 3
	out := &unmeasured{}
	if u == nil || len(u.Nodes) == 0 {
		return out
	}
	var without []string
	for name, state := range nodes {
		if _, ok := u.Nodes[name]; ok {
			continue
		}
		without = append(without, name)
		if state.Silent {
			out.silent++
		}
	}
	slices.Sort(without)
	out.all = len(without)
	out.names = strings.Join(without[:min(out.all, named)], ", ")
	if out.all > named {
		out.names += fmt.Sprintf(" and %d more", out.all-named)
	}
	return out
}

// unmeasured says which nodes have no sample while others have.
func (m Moment) unmeasured() (sentence, next string) {
	without := m.without
	if without == nil {
		without = unmeasuredOf(m.Usage, m.Nodes)
	}
	if without.all == 0 {
		return "", ""
	}
	sentence = fmt.Sprintf("%d of %d nodes without a sample: %s", without.all, len(m.Nodes), without.names)
	switch {
	case without.silent == without.all && without.all == 1:
		next = "its kubelet is silent"
	case without.silent == without.all:
		next = "their kubelets are silent"
	case m.ServingWaits > 0:
		next = m.servingHint()
	default:
		next = "new nodes need two scrapes; of others the log of metrics-server says why"
	}
	return sentence, next
}

// servingHint is for kubelets whose serving certificate nobody has approved: metrics-server does not trust them.
func (m Moment) servingHint() string {
	if m.ServingWaits == 1 {
		return "a request for a kubelet's serving certificate waits for approval: see Certs"
	}
	return fmt.Sprintf("%d requests for serving certificates of kubelets wait for approval: see Certs", m.ServingWaits)
}

// csrMoved counts the requests for serving certificates of kubelets that wait.
func (c *Cluster) csrMoved(from, to *CSR) {
	if from.servingWaits() {
		c.servingWaits--
	}
	if to.servingWaits() {
		c.servingWaits++
	}
}

func (c *CSR) servingWaits() bool {
	return c != nil && c.Condition == CSRPending && c.Signer == certificatesv1.KubeletServingSignerName
}
