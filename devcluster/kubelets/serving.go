package kubelets

import (
	"crypto/tls"
	"encoding/json"
	"fmt"
	"net"
	"slices"
	"time"

	corev1 "k8s.io/api/core/v1"

	"ktriage/devcluster/pki"
)

// Annotation says on a Node how its kubelet serves; without it, nobody listens for that node.
const Annotation = "devcluster.ktriage/serving"

// What a kubelet does with a connection, the value of "answers".
const (
	answersTLS   = "tls"   // a handshake, and what kwok answers
	answersNever = "never" // it accepts and says nothing
	answersHTTP  = "http"  // it speaks plain HTTP
)

// serving is the annotation of a node. Times count from the node's creation, so that a kubelet that is started again
// shows the certificate that it had.
type serving struct {
	Answers string `json:"answers"` // tls (without more), never or http
	Signed  bool   `json:"signed"`  // by the cluster's CA, as with serverTLSBootstrap; otherwise by itself
	Age     length `json:"age"`     // how long before the node's creation the certificate begins
	Ends    length `json:"ends"`    // how long after it the certificate ends
}

// length is a time span in JSON, in the form of time.ParseDuration.
type length time.Duration

func (l *length) UnmarshalJSON(data []byte) error {
	var text string
	if err := json.Unmarshal(data, &text); err != nil {
		return err
	}
	d, err := time.ParseDuration(text)
	*l = length(d)
	return err
}

// year is how long a kubelet's serving certificate lives, whoever signs it.
const year = length(365 * 24 * time.Hour)

func readServing(node *corev1.Node) (serving, error) {
	s := serving{Answers: answersTLS, Ends: year}
	if err := json.Unmarshal([]byte(node.Annotations[Annotation]), &s); err != nil {
		return s, fmt.Errorf("read %s of the node %s: %w", Annotation, node.Name, err)
	}
	if !slices.Contains([]string{answersTLS, answersNever, answersHTTP}, s.Answers) {
		return s, fmt.Errorf("read %s of the node %s: it cannot answer %q", Annotation, node.Name, s.Answers)
	}
	return s, nil
}

// address is where the kubelet of a node listens; "" if the node does not say.
func address(node *corev1.Node) string {
	port := node.Status.DaemonEndpoints.KubeletEndpoint.Port
	for _, a := range node.Status.Addresses {
		if ip := net.ParseIP(a.Address); a.Type == corev1.NodeInternalIP && ip.IsLoopback() && port != 0 {
			return net.JoinHostPort(a.Address, fmt.Sprint(port))
		}
	}
	return ""
}

// certificate makes what the kubelet of a node shows in a handshake.
func (s serving) certificate(node *corev1.Node, ca *pki.Authority) (*tls.Certificate, error) {
	created := node.CreationTimestamp.Time
	leaf := pki.Spec{
		Names: []string{node.Name}, Begins: created.Add(-time.Duration(s.Age)), Ends: created.Add(time.Duration(s.Ends)),
	}
	for _, a := range node.Status.Addresses {
		if ip := net.ParseIP(a.Address); ip != nil {
			leaf.IPs = append(leaf.IPs, ip)
		}
	}
	if s.Signed {
		leaf.CN, leaf.Orgs = "system:node:"+node.Name, []string{"system:nodes"}
		return chain(leaf, ca)
	}
	// As k8s.io/client-go/util/cert.GenerateSelfSignedCertKey, which the kubelet calls: a CA for this one certificate.
	leaf.CN = fmt.Sprintf("%s@%d", node.Name, leaf.Begins.Unix())
	own := pki.Spec{CN: fmt.Sprintf("%s-ca@%d", node.Name, leaf.Begins.Unix()), Begins: leaf.Begins, Ends: leaf.Ends, CA: true}
	by, err := pki.Named(own.CN)
	if err != nil {
		return nil, err
	}
	key, err := pki.Key(own.CN)
	if err != nil {
		return nil, err
	}
	root, err := own.Issue(key, nil)
	if err != nil {
		return nil, err
	}
	return chain(leaf, by, root)
}

// chain issues a leaf and puts what else is shown behind it.
func chain(leaf pki.Spec, by *pki.Authority, rest ...[]byte) (*tls.Certificate, error) {
	key, err := pki.Key(leaf.CN)
	if err != nil {
		return nil, err
	}
	der, err := leaf.Issue(key, by)
	if err != nil {
		return nil, err
	}
	return &tls.Certificate{Certificate: append([][]byte{der}, rest...), PrivateKey: key}, nil
}
