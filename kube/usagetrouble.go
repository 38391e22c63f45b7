package kube

import (
	"errors"
	"fmt"
	"slices"
	"strings"

	certificatesv1 "k8s.io/api/certificates/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"

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

// ownWords are the server's own, or if it has said nothing, those of the error.
func ownWords(err error) string {
	words := err.Error()
	if status := apierrors.APIStatus(nil); errors.As(err, &status) && status.Status().Message != "" {
		words = status.Status().Message
	}
	return strings.TrimRight(gist(words), ". ")
}

// unmeasured says which nodes have no sample while others have.
func (m Moment) unmeasured() (sentence, next string) {
	const named = 3
	var without []string
	silent := 0
	for name, state := range m.Nodes {
		if _, ok := m.Usage.Nodes[name]; ok {
			continue
		}
		without = append(without, name)
		if state.Silent {
			silent++
		}
	}
	if len(without) == 0 || len(m.Usage.Nodes) == 0 {
		return "", ""
	}
	slices.Sort(without)
	all, names := len(without), without[:min(len(without), named)]
	sentence = fmt.Sprintf("%d of %d nodes without a sample: %s", all, len(m.Nodes), strings.Join(names, ", "))
	if all > named {
		sentence += fmt.Sprintf(" and %d more", all-named)
	}
	switch {
	case silent == all && all == 1:
		next = "its kubelet is silent"
	case silent == all:
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
