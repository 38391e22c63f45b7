// Package csr approves and denies certificate signing requests. Its one rule: a request is put beside what the cluster itself
// knows of whoever asks, field by field, and what is sent decides exactly the request that was read, by its UID and version.
package csr

import (
	"context"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// OptionReason is why a request is denied: a key of reasons.
const OptionReason = "reason"

// Kind is approve or deny.
type Kind struct{ approve bool }

// New makes the action that approves requests, or the one that denies them.
func New(approve bool) *Kind { return &Kind{approve} }

// ID implements action.Kind.
func (k *Kind) ID() action.ID {
	if k.approve {
		return action.Approve
	}
	return action.Deny
}

const (
	group    = "certificates.k8s.io"
	resource = "certificatesigningrequests"
)

// Needs implements action.Kind. The permission to approve for the signer is asked for once that is known, by Plan.
func (*Kind) Needs() []action.Need {
	return []action.Need{
		{Verb: "update", Group: group, Resource: resource, Subresource: "approval"},
		{Verb: "get", Group: group, Resource: resource},
	}
}

// readLimit bounds the reading of everything that a plan is made of.
const readLimit = 30 * time.Second

// Plan implements action.Kind.
func (k *Kind) Plan(ctx context.Context, c *kube.Cluster, t action.Target, o action.Options) (*action.Plan, error) {
	ctx, stop := context.WithTimeout(ctx, readLimit)
	defer stop()
	f, err := read(ctx, c, t, time.Now())
	if err != nil {
		return nil, err
	}
	s := newSheet(f, k.ID(), t, o)
	if k.approve {
		return s.approval(), nil
	}
	return s.denial(), nil
}

// signers says what a permission to approve is called: that for the signer, or that for its whole domain
// (IsAuthorizedForSignerName in pkg/certauthorization of Kubernetes). Denying needs the same.
func signers(signer string) []action.Need {
	domain, _, _ := strings.Cut(signer, "/")
	return []action.Need{
		{Verb: "approve", Group: group, Resource: "signers", Name: signer},
		{Verb: "approve", Group: group, Resource: "signers", Name: domain + "/*"},
	}
}

// mayApprove asks whether we may decide requests for a signer. Where the server does not say, it will refuse by itself.
func mayApprove(ctx context.Context, c *kube.Cluster, signer string) (bool, error) {
	for _, n := range signers(signer) {
		allowed, known, err := action.Allowed(ctx, c, n)
		if err != nil || allowed || !known {
			return true, err
		}
	}
	return false, nil
}

// ofKubelet reports whether a signer gives certificates to kubelets, so that there is a Node to compare a request with.
func ofKubelet(signer string) bool {
	return signer == certificatesv1.KubeletServingSignerName || signer == certificatesv1.KubeAPIServerClientKubeletSignerName
}

const (
	longest = 253 // of a name
	nodeOf  = "system:node:"
	nodes   = "system:nodes"
)

func words(s string) string { return text.Cut(text.Clean(s), longest, "…") }

func join(list []string) string { return strings.Join(list, ", ") }

// some names the first few of a list.
func some(list []string, most int) string {
	if len(list) <= most {
		return join(list)
	}
	return fmt.Sprintf("%s and %s more", join(list[:most]), text.Count(len(list)-most))
}

func line(severity kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: severity, Cells: []string{fmt.Sprintf(format, args...)}}
}

// moment is a time as sheets name it.
func moment(t time.Time) string { return t.UTC().Format("2006-01-02 15:04 MST") }
