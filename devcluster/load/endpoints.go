package load

import (
	"context"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
)

// Endpoints writes the Endpoints and the EndpointSlice of the kubernetes Service, as kube-apiserver does for itself
// (pkg/controlplane/reconcilers). It goes past the API, which refuses addresses of the loopback network.
func Endpoints(ctx context.Context, o Options, host string, port int) error {
	client, err := connect(o)
	if err != nil {
		return err
	}
	defer client.Close()
	for key, object := range endpoints(host, int32(port), time.Now()) {
		if err := put(ctx, client, key, object); err != nil {
			return err
		}
	}
	return nil
}

// endpoints gives both objects by their keys.
func endpoints(host string, port int32, now time.Time) map[string]runtime.Object {
	name, protocol, ready := "https", corev1.ProtocolTCP, true
	meta := func(i int, labels map[string]string) metav1.ObjectMeta {
		return metav1.ObjectMeta{
			Name: "kubernetes", Namespace: metav1.NamespaceDefault, UID: uid('e', i), CreationTimestamp: metav1.NewTime(now), Labels: labels,
		}
	}
	return map[string]runtime.Object{
		"/registry/services/endpoints/default/kubernetes": &corev1.Endpoints{ //nolint:staticcheck // deprecated, and still written
			TypeMeta:   metav1.TypeMeta{APIVersion: "v1", Kind: "Endpoints"},
			ObjectMeta: meta(0, map[string]string{discoveryv1.LabelSkipMirror: "true"}),
			Subsets: []corev1.EndpointSubset{{ //nolint:staticcheck // as above
				Addresses: []corev1.EndpointAddress{{IP: host}}, Ports: []corev1.EndpointPort{{Name: name, Port: port, Protocol: protocol}},
			}},
		},
		"/registry/endpointslices/default/kubernetes": &discoveryv1.EndpointSlice{
			TypeMeta:    metav1.TypeMeta{APIVersion: "discovery.k8s.io/v1", Kind: "EndpointSlice"},
			ObjectMeta:  meta(1, map[string]string{discoveryv1.LabelServiceName: "kubernetes"}),
			AddressType: discoveryv1.AddressTypeIPv4,
			Endpoints:   []discoveryv1.Endpoint{{Addresses: []string{host}, Conditions: discoveryv1.EndpointConditions{Ready: &ready}}},
			Ports:       []discoveryv1.EndpointPort{{Name: &name, Port: &port, Protocol: &protocol}},
		},
	}
}
