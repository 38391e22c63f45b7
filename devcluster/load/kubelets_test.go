package load

import (
	"encoding/json"
	"net"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	discoveryv1 "k8s.io/api/discovery/v1"

	"ktriage/devcluster/kubelets"
)

// Every node of a big load has an address of its own on this machine, and most have a kubelet that answers.
func TestNodesWithKubeletsHaveAddressesOfThisMachine(t *testing.T) {
	seen, how := map[string]bool{}, map[string]int{}
	for i := range 1000 {
		n := node(i, time.Unix(0, 0))
		serve(n, i)
		address := n.Status.Addresses[0]
		if ip := net.ParseIP(address.Address); address.Type != corev1.NodeInternalIP || !ip.IsLoopback() || seen[address.Address] {
			t.Errorf("the %d-th node is at %v", i, address)
		}
		seen[address.Address] = true
		text := n.Annotations[kubelets.Annotation]
		if text == "" {
			how["refuses"]++
			continue
		}
		var said struct {
			Answers string
			Signed  bool
		}
		if err := json.Unmarshal([]byte(text), &said); err != nil {
			t.Fatalf("%s: %v", text, err)
		}
		if said.Answers != "" {
			how[said.Answers]++
		} else if said.Signed {
			how["signed"]++
		}
	}
	if how["never"] != 10 || how["refuses"] != 10 || how["signed"] != 500 {
		t.Errorf("got %v", how)
	}
}

// Both objects name the one address, under the keys that the API server uses.
func TestEndpointsNameTheAPIServer(t *testing.T) {
	made := endpoints("127.0.1.1", 6443, time.Unix(0, 0))
	slice, ok := made["/registry/endpointslices/default/kubernetes"].(*discoveryv1.EndpointSlice)
	if !ok || slice.Labels[discoveryv1.LabelServiceName] != "kubernetes" || slice.Endpoints[0].Addresses[0] != "127.0.1.1" || *slice.Ports[0].Port != 6443 {
		t.Errorf("the slice is %+v", slice)
	}
	old, ok := made["/registry/services/endpoints/default/kubernetes"].(*corev1.Endpoints)                         //nolint:staticcheck // deprecated, and still written
	if !ok || old.Subsets[0].Addresses[0].IP != "127.0.1.1" || old.Labels[discoveryv1.LabelSkipMirror] != "true" { // or a controller would mirror it into another slice
		t.Errorf("the endpoints are %+v", old)
	}
}
