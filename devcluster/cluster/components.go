package cluster

import (
	"cmp"
	"context"
	"fmt"
	"path/filepath"

	"ktriage/devcluster/scenario"
	"ktriage/devcluster/usage"
)

// Ports are where the components listen: etcd and kube-apiserver on the cluster's Host, the others on 127.0.0.1. Kubelet is
// kwok's, for all nodes; Kubelets is for the health of the component of that name.
type Ports struct {
	Etcd, EtcdPeer, APIServer, Controllers, Scheduler, Metrics, Kubelet, Kubelets int
}

// component is one program of the control plane.
type component struct {
	name  string
	args  func(c *Cluster) []string
	ready func(c *Cluster) probe
}

const (
	etcd        = "etcd"
	apiServer   = "kube-apiserver"
	controllers = "kube-controller-manager"
	scheduler   = "kube-scheduler"
	metrics     = "metrics-server"
	kwok        = "kwok"
	usageServer = "usage"
	serving     = "kubelets"
	recorder    = "recorder"
)

// kubeBinary holds everything but kwok, which cannot be linked into it: both define the flag --version. ownBinary is
// devcluster itself.
const (
	kubeBinary = "devcluster-kube"
	kwokBinary = "devcluster-kwok"
	ownBinary  = "devcluster"
)

func (c *Cluster) command(part component) []string {
	switch part.name {
	case kwok:
		return append([]string{filepath.Join(c.Bin, kwokBinary)}, part.args(c)...)
	case usageServer, serving, recorder:
		return append([]string{filepath.Join(c.Bin, ownBinary), part.name}, part.args(c)...)
	}
	return append([]string{filepath.Join(c.Bin, kubeBinary), part.name}, part.args(c)...)
}

// nodeGrace is how long a node may be silent before the controller manager gives it up. Kubernetes waits 50 s; a
// scenario with a dead node should not.
const nodeGrace = "20s"

// components in the order in which they start.
var components = []component{
	{name: etcd, args: etcdArgs, ready: func(c *Cluster) probe { return c.etcdReady }},
	{name: apiServer, args: apiServerArgs, ready: func(c *Cluster) probe { return c.apiReady }},
	{name: controllers, args: controllerArgs, ready: func(c *Cluster) probe { return c.healthy(c.Ports.Controllers, "/healthz") }},
	{name: scheduler, args: schedulerArgs, ready: func(c *Cluster) probe { return c.healthy(c.Ports.Scheduler, "/healthz") }},
	{name: kwok, args: kwokArgs, ready: func(c *Cluster) probe { return c.healthy(c.Ports.Kubelet, "/healthz") }},
	{name: metrics, args: metricsArgs, ready: func(c *Cluster) probe { return c.healthy(c.Ports.Metrics, "/livez") }},
}

// bare are the components of a cluster in which nothing changes by itself.
var bare = components[:2]

// kubeletsOf is the component that serves TLS for every node by itself, where kwok alone would not.
var kubeletsOf = component{
	name: serving, ready: func(c *Cluster) probe { return c.kubeletsReady },
	args: func(c *Cluster) []string {
		return []string{
			"--kubeconfig=" + c.file("super-admin.conf"), "--ca=" + c.pki("ca"),
			fmt.Sprintf("--behind=%d", c.Ports.Kubelet), fmt.Sprintf("--port=%d", c.Ports.Kubelets),
		}
	},
}

// usageOf is the component that answers metrics.k8s.io for a loaded cluster.
func usageOf(o usage.Options) component {
	return component{
		name: usageServer, ready: func(c *Cluster) probe { return c.healthy(c.Ports.Metrics, "/livez") },
		args: func(c *Cluster) []string {
			return append([]string{
				fmt.Sprintf("--port=%d", c.Ports.Metrics), fmt.Sprintf("--nodes=%d", o.Nodes), fmt.Sprintf("--pods=%d", o.Pods),
				"--tls-cert-file=" + c.file("kubelet/kubelet.crt"), "--tls-private-key-file=" + c.file("kubelet/kubelet.key"),
			}, o.Args()...)
		},
	}
}

// recorderOf is the component that says in events what kubelets would say of pods that are ill. Nobody waits for it.
func recorderOf(name string) component {
	return component{
		name: recorder, ready: func(*Cluster) probe { return func(context.Context) error { return nil } },
		args: func(c *Cluster) []string {
			return []string{"--kubeconfig=" + c.file("super-admin.conf"), "--scenario=" + name}
		},
	}
}

// loopback is where everything listens that has no address of its own.
const loopback = "127.0.0.1"

// host is the address of etcd and kube-apiserver.
func (c *Cluster) host() string { return cmp.Or(c.Host, loopback) }

// url is where a component listens on that address.
func (c *Cluster) url(port int) string { return fmt.Sprintf("https://%s:%d", c.host(), port) }

func etcdArgs(c *Cluster) []string {
	return []string{
		"--data-dir=" + c.file("etcd"), "--pki-dir=" + c.pki("etcd"),
		"--listen-client-url=" + c.url(c.Ports.Etcd), "--listen-peer-url=" + c.url(c.Ports.EtcdPeer),
	}
}

// gates are for what is not yet on by default, and costs nothing: kinds of certificates.k8s.io.
const gates = "ClusterTrustBundle=true,PodCertificateRequest=true"

func apiServerArgs(c *Cluster) []string {
	return []string{
		"--bind-address=" + c.host(), "--advertise-address=" + c.host(), fmt.Sprintf("--secure-port=%d", c.Ports.APIServer),
		"--endpoint-reconciler-type=none", // it would refuse a loopback address
		"--etcd-servers=" + c.url(c.Ports.Etcd), "--etcd-cafile=" + c.pki("etcd/ca.crt"),
		"--etcd-certfile=" + c.pki("apiserver-etcd-client.crt"), "--etcd-keyfile=" + c.pki("apiserver-etcd-client.key"),
		"--tls-cert-file=" + c.pki("apiserver.crt"), "--tls-private-key-file=" + c.pki("apiserver.key"),
		"--client-ca-file=" + c.pki("ca.crt"),
		"--kubelet-client-certificate=" + c.pki("apiserver-kubelet-client.crt"),
		"--kubelet-client-key=" + c.pki("apiserver-kubelet-client.key"),
		"--kubelet-preferred-address-types=InternalIP",
		"--proxy-client-cert-file=" + c.pki("front-proxy-client.crt"),
		"--proxy-client-key-file=" + c.pki("front-proxy-client.key"),
		"--requestheader-client-ca-file=" + c.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client", "--requestheader-username-headers=X-Remote-User",
		"--requestheader-group-headers=X-Remote-Group", "--requestheader-extra-headers-prefix=X-Remote-Extra-",
		"--service-account-key-file=" + c.pki("sa.pub"), "--service-account-signing-key-file=" + c.pki("sa.key"),
		"--service-account-issuer=https://kubernetes.default.svc.cluster.local",
		"--service-cluster-ip-range=10.96.0.0/12", "--authorization-mode=Node,RBAC", "--enable-bootstrap-token-auth",
		"--enable-admission-plugins=NodeRestriction", "--allow-privileged", "--profiling=false",
		"--audit-policy-file=" + c.file("audit-policy.yaml"), "--audit-log-path=" + c.file("audit.log"),
		"--audit-log-maxsize=100", "--audit-log-maxbackup=4",
		"--feature-gates=" + gates, "--runtime-config=certificates.k8s.io/v1beta1=true",
	}
}

func controllerArgs(c *Cluster) []string {
	conf := c.file("controller-manager.conf")
	return []string{
		"--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.Ports.Controllers),
		"--cluster-signing-cert-file=" + c.pki("ca.crt"), "--cluster-signing-key-file=" + c.pki("ca.key"),
		"--root-ca-file=" + c.pki("ca.crt"), "--service-account-private-key-file=" + c.pki("sa.key"),
		"--use-service-account-credentials", "--controllers=" + c.controllers(), "--profiling=false", "--feature-gates=" + gates,
		"--node-monitor-grace-period=" + nodeGrace, "--leader-elect",
	}
}

// controllers are kubeadm's; in the scenario certs, those that clear up do not run, so that what has expired stays.
func (c *Cluster) controllers() string {
	if c.Scenario == scenario.Certs {
		return "*,bootstrapsigner,-tokencleaner,-certificatesigningrequest-cleaner-controller,-podcertificaterequest-cleaner-controller"
	}
	return "*,bootstrapsigner,tokencleaner"
}

func schedulerArgs(c *Cluster) []string {
	conf := c.file("scheduler.conf")
	return []string{
		"--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.Ports.Scheduler), "--leader-elect", "--profiling=false",
	}
}

func metricsArgs(c *Cluster) []string {
	conf := c.file("super-admin.conf")
	return []string{
		"--kubeconfig=" + conf, "--authentication-kubeconfig=" + conf, "--authorization-kubeconfig=" + conf,
		"--bind-address=127.0.0.1", fmt.Sprintf("--secure-port=%d", c.Ports.Metrics),
		"--cert-dir=" + c.file("metrics-server"), "--kubelet-insecure-tls", "--kubelet-use-node-status-port",
		"--kubelet-preferred-address-types=InternalIP", "--metric-resolution=15s",
		"--client-ca-file=" + c.pki("ca.crt"),
		"--requestheader-client-ca-file=" + c.pki("front-proxy-ca.crt"),
		"--requestheader-allowed-names=front-proxy-client",
	}
}

func kwokArgs(c *Cluster) []string {
	return []string{
		"--kubeconfig=" + c.file("super-admin.conf"), "--config=" + c.file("kwok.yaml"),
		"--manage-nodes-with-label-selector=devcluster.ktriage/kubelet=alive",
		"--enable-crds=Stage,Metric,ResourceUsage,ClusterResourceUsage,Logs,ClusterLogs,Exec,ClusterExec",
		"--node-ip=127.0.0.1", "--node-name=localhost", fmt.Sprintf("--node-port=%d", c.Ports.Kubelet),
		fmt.Sprintf("--server-address=127.0.0.1:%d", c.Ports.Kubelet), "--cidr=10.244.0.0/16",
		"--tls-cert-file=" + c.file("kubelet/kubelet.crt"), "--tls-private-key-file=" + c.file("kubelet/kubelet.key"),
		"--node-lease-duration-seconds=20", "--v=WARN",
	}
}
