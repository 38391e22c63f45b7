package csr

import (
	"context"
	"crypto/x509"
	"fmt"
	"strings"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/rest"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

// facts are all that a plan is made of.
type facts struct {
	now      time.Time
	requests []*request
	holders  map[string][]string                        // the nodes that have a name or address: one may be what another asks for
	others   []certificatesv1.CertificateSigningRequest // all that there are: there may be newer ones of the same kubelet
	byKey    map[string][]other                         // the same by the key that they are for; nil if they cannot be read
	unknown  []string                                   // what could not be read, in sentences
}

// other is another request, that can be read.
type other struct {
	*certificatesv1.CertificateSigningRequest
	wants *x509.CertificateRequest
}

// request is one of those that are meant.
type request struct {
	ref     kube.Ref
	object  *certificatesv1.CertificateSigningRequest
	row     *kube.CSR
	wants   *x509.CertificateRequest // nil if it cannot be read
	broken  string                   // why it cannot be read, or not be believed
	may     bool                     // we may decide requests for its signer
	name    string                   // of the node that it is for, "" if that is none
	node    *corev1.Node             // nil if there is none of that name, or if it cannot be read
	nodeErr error                    // why it could not be read, nil if there is none
}

// read reads everything live: the requests and their nodes one by one, and what they are compared with as the server's cache
// has it.
func read(ctx context.Context, c *kube.Cluster, t action.Target, now time.Time) (*facts, error) {
	f := &facts{now: now}
	may := map[string]bool{} // by signer
	for _, ref := range t.Refs {
		r, err := readRequest(ctx, c, ref)
		if err != nil {
			return nil, err
		}
		signer := r.object.Spec.SignerName
		if _, asked := may[signer]; !asked {
			if may[signer], err = mayApprove(ctx, c, signer); err != nil {
				return nil, err
			}
		}
		r.may = may[signer]
		f.requests = append(f.requests, r)
	}
	cached := metav1.ListOptions{ResourceVersion: "0"}
	if list, err := c.Client().CoreV1().Nodes().List(ctx, cached); err != nil {
		f.unknown = append(f.unknown, "whose the addresses are: nodes cannot be listed. "+kube.Explain(err).Sentence)
	} else {
		f.holders = holders(list.Items)
	}
	if list, err := c.Client().CertificatesV1().CertificateSigningRequests().List(ctx, cached); err != nil {
		f.unknown = append(f.unknown, "whether the key is new: requests cannot be listed. "+kube.Explain(err).Sentence)
	} else {
		f.others, f.byKey = list.Items, byKey(list.Items)
	}
	return f, nil
}

func readRequest(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*request, error) {
	object, err := get(ctx, c, ref)
	if err != nil {
		return nil, err
	}
	r := &request{ref: ref, object: object, row: kube.NewCSR(object)}
	if r.wants, err = kube.ParseCSR(object.Spec.Request); err != nil {
		r.broken = words(err.Error())
	} else if err = r.wants.CheckSignature(); err != nil {
		r.broken = "it is not signed by the key that it is for: " + words(err.Error())
	}
	if r.name = r.nodeName(); r.name != "" {
		r.node, r.nodeErr = readNode(ctx, c, r.name)
	}
	return r, nil
}

// nodeName is the node that a request is for: that of whoever asks; where no node asks, that of the name which is asked for.
func (r *request) nodeName() string {
	if !ofKubelet(r.object.Spec.SignerName) {
		return ""
	}
	if name, ok := strings.CutPrefix(r.object.Spec.Username, nodeOf); ok {
		return name
	}
	if r.wants == nil {
		return ""
	}
	if name, ok := strings.CutPrefix(r.wants.Subject.CommonName, nodeOf); ok {
		return name
	}
	return ""
}

// get reads a request, and makes sure that it is the one that is meant.
func get(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*certificatesv1.CertificateSigningRequest, error) {
	o := &certificatesv1.CertificateSigningRequest{}
	err := send.Once(c.Client().CertificatesV1().RESTClient().Get().Resource(resource).Name(ref.Name)).Do(ctx).Into(o)
	if err != nil {
		return nil, fmt.Errorf("read request %s: %w", words(ref.Name), err)
	}
	if string(o.UID) != ref.UID {
		return nil, fmt.Errorf("%s %w", words(ref.Name), send.ErrReplaced)
	}
	return o, nil
}

// readNode reads a node; nil without an error if there is none of that name.
func readNode(ctx context.Context, c *kube.Cluster, name string) (*corev1.Node, error) {
	if len(rest.IsValidPathSegmentName(name)) > 0 { // no object has such a name
		return nil, nil
	}
	o := &corev1.Node{}
	err := send.Once(c.Client().CoreV1().RESTClient().Get().Resource("nodes").Name(name)).Do(ctx).Into(o)
	if apierrors.IsNotFound(err) {
		return nil, nil
	}
	if err != nil {
		return nil, fmt.Errorf("read node %s: %w", words(name), err)
	}
	return o, nil
}

func byKey(all []certificatesv1.CertificateSigningRequest) map[string][]other {
	out := map[string][]other{}
	for i := range all {
		if wants, err := kube.ParseCSR(all[i].Spec.Request); err == nil {
			out[keyOf(wants)] = append(out[keyOf(wants)], other{&all[i], wants})
		}
	}
	return out
}

// keyOf is the key that a request is for, as it compares with others.
func keyOf(wants *x509.CertificateRequest) string { return string(wants.RawSubjectPublicKeyInfo) }
