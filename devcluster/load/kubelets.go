package load

import (
	"fmt"

	corev1 "k8s.io/api/core/v1"

	"ktriage/devcluster/kubelets"
)

// kubeletPort is the kubelet's own.
const kubeletPort = 10250

// serve gives the i-th node an address of this machine, 127.200.x.y, where its kubelet serves: half of them with
// certificates of the cluster, half with their own. Of a hundred, one accepts connections and never answers, one refuses
// them, and one shows a certificate that has expired.
func serve(n *corev1.Node, i int) {
	n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: fmt.Sprintf("127.200.%d.%d", i/256, i%256)}}
	n.Status.DaemonEndpoints.KubeletEndpoint.Port = kubeletPort
	how := fmt.Sprintf(`{"signed": %t}`, i%2 == 0)
	switch i % 100 {
	case 17:
		how = `{"answers": "never"}`
	case 37:
		return
	case 57:
		how = `{"age": "8760h", "ends": "0s"}`
	}
	n.Annotations = map[string]string{kubelets.Annotation: how}
}
