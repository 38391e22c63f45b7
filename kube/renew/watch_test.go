package renew_test

import (
	"context"
	"strings"
	"testing"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/renew"
)

func TestWatchTurnsDonePlaceByPlace(t *testing.T) {
	onBench(t, func(b *bench) {
		file, served := "/etc/kubernetes/pki/apiserver.crt", "cp-2:6443"
		p := b.plan(b.cert(kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, served), ofKubeadm("apiserver", kube.FromFile, file)))
		if p.Tier != action.Ask || len(p.Refusals) > 0 || !p.Watch || p.Gate != "watch apiserver while you renew it" ||
			p.Details["serial before"] != "3f9a:71c0:5be4:02d8" || p.Details["place"] != served {
			t.Errorf("tier %d, %q, %q, %v", p.Tier, p.Refusals, p.Gate, p.Details)
		}
		progress, end := b.begin(b.t.Context(), p)
		steps := func(what string, want ...string) {
			t.Helper()
			for i, s := range progress.Steps() {
				if got := s.State.String() + ": " + s.Note; got != want[i] {
					t.Errorf("%s: %s: %q, want %q", what, s.Object.Name, got, want[i])
				}
			}
		}
		after(6 * time.Second)
		steps("before", "waits: still the old serial 3f9a:71c0…", "waits: still the old serial 3f9a:71c0…")
		fresh := x509("5f3a:1111:2222", 365*day)
		b.shows(file, fresh)
		after(10 * time.Second)
		steps("renewed on disk", "waits: still the old serial 3f9a:71c0…; its file was renewed just now", "done: file renewed, serial 5f3a:1111…, 364d left")
		after(time.Minute)
		steps("not followed", "blocked: still the old serial: not restarted?", "done: file renewed, serial 5f3a:1111…, 364d left")
		b.shows(served, nil)
		after(5 * time.Second)
		steps("restarted", "retrying: cannot be seen now", "done: file renewed, serial 5f3a:1111…, 364d left")
		b.shows(served, fresh)
		result := <-end
		if result.State != action.Done || result.Summary != "served with the new serial 5f3a:1111…, 364d left; file renewed, serial 5f3a:1111…, 364d left" || result.Undo != nil {
			t.Errorf("%v %q", result.State, result.Summary)
		}
		if len(b.requests()) > 0 {
			t.Error("a watch has sent something")
		}
	})
}

func TestAnotherCertificateThatEndsNoLaterIsNoRenewal(t *testing.T) {
	onBench(t, func(b *bench) {
		progress, end := b.begin(b.t.Context(), b.plan(b.cert(kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, "cp-2:6443"))))
		b.shows("cp-2:6443", x509("aa:bb", 6*day-time.Hour))
		after(6 * time.Second)
		if s := progress.Steps()[0]; s.State != action.StepBlocked || !strings.HasPrefix(s.Note, "another certificate, serial aa:bb, that ends no later: 5d22h left") {
			t.Errorf("%v %q", s.State, s.Note)
		}
		b.shows("cp-2:6443", x509("cc:dd", 365*day))
		if result := <-end; result.State != action.Done || result.Summary != "served with the new serial cc:dd, 364d left" {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestWatchEndsAfterHalfAnHour(t *testing.T) {
	onBench(t, func(b *bench) {
		file, served := "/etc/kubernetes/pki/apiserver.crt", "cp-2:6443"
		for renewed, want := range map[bool]action.Result{
			false: {State: action.Failed, Summary: "not renewed after 30m0s"},
			true:  {State: action.Partial, Summary: "1 of 2 places renewed after 30m0s; still the old serial: not restarted?"},
		} {
			began := time.Now()
			p := b.plan(b.cert(kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, served), ofKubeadm("apiserver", kube.FromFile, file)))
			progress, end := b.begin(b.t.Context(), p)
			if renewed {
				b.shows(file, x509("5f3a:1", 365*day))
			}
			result := <-end
			if took := time.Since(began); took != 30*time.Minute || result.State != want.State || result.Summary != want.Summary {
				t.Errorf("%v %q after %v", result.State, result.Summary, took)
			}
			if s := progress.Steps()[0]; s.State != action.StepLeft {
				t.Errorf("the step is %v", s.State)
			}
		}
	})
}

func TestWatchCanBeCancelled(t *testing.T) {
	onBench(t, func(b *bench) {
		ctx, stop := context.WithCancelCause(b.t.Context())
		began := time.Now()
		_, end := b.begin(ctx, b.plan(b.cert(kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, "cp-2:6443"))))
		after(7 * time.Second)
		stop(action.ErrCancelled)
		if result := <-end; result.State != action.Cancelled || time.Since(began) != 7*time.Second || !strings.HasSuffix(result.Summary, "not watched any more") {
			t.Errorf("%v %q after %v", result.State, result.Summary, time.Since(began))
		}
	})
}

func TestRunbooksSayWhatToRunWhere(t *testing.T) {
	place := func(p kube.CertPlace) kube.CertPlace {
		if p.Name == "" {
			p.Name = "x"
		}
		return p
	}
	for what, c := range map[string]struct {
		kind    kube.CertKind
		place   kube.CertPlace
		refused string // "" if it is watched
		says    []string
	}{
		"apiserver": {kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, "cp-2:6443"), "", []string{
			"kubeadm renews apiserver only by hand, on cp-2", "1. On cp-2, as root:\n   # kubeadm certs renew apiserver\n",
			"the CA: kubeadm does not renew CAs", "kubectl delete cannot do it", "(kubectl cannot do this)",
			"3. If kube-apiserver does not follow within a minute, restart it: take its manifest away",
			"mv /etc/kubernetes/manifests/kube-apiserver.yaml /etc/kubernetes/ && sleep 20 && mv /etc/kubernetes/kube-apiserver.yaml /etc/kubernetes/manifests/",
			"The same on every other control-plane node.", "now: 6d left, until 2000-01-07 00:00 UTC; serial 3f9a:71c0…"}},
		"etcd": {kube.BothCert, ofKubeadm("etcd-server", kube.FromHandshake, "cp-2:2379"), "", []string{
			"kubeadm certs renew etcd-server", "one member at a time", "/etc/kubernetes/manifests/etcd.yaml"}},
		"scheduler": {kube.ClientCert, ofKubeadm("scheduler.conf", kube.FromFile, "/etc/kubernetes/scheduler.conf"), "", []string{
			"kubeadm certs renew scheduler.conf", "kube-scheduler reads its kubeconfig once", "manifests/kube-scheduler.yaml"}},
		"admin.conf": {kube.ClientCert, ofKubeadm("admin.conf", kube.FromFile, "/etc/kubernetes/admin.conf"), "", []string{
			"kubeadm certs renew admin.conf", "cp -i /etc/kubernetes/admin.conf ~/.kube/config"}},
		"super-admin.conf": {kube.ClientCert, ofKubeadm("super-admin.conf", kube.FromFile, "/etc/kubernetes/super-admin.conf"), "", []string{
			"kubeadm certs renew super-admin.conf", "3. Nothing has to be restarted"}},
		"renewed on disk": {kube.ServingCert, kube.CertPlace{Source: kube.FromHandshake, Name: "apiserver", Where: "cp-2:6443", Note: "renewed on disk, not reloaded",
			Renew: "wait a minute"}, "", []string{"apiserver at cp-2:6443 has been renewed on disk, and the old one is still served.\n",
			"after a restart it would not come up again", "1. On that node, see whether they belong together",
			"openssl x509 -noout -pubkey -in /etc/kubernetes/pki/apiserver.crt | sha256sum; openssl pkey -pubout -in /etc/kubernetes/pki/apiserver.key | sha256sum",
			"2. Then restart kube-apiserver", "manifests/kube-apiserver.yaml"}},
		"renewed on disk, k3s": {kube.ServingCert, kube.CertPlace{Source: kube.FromHandshake, Name: "apiserver", Where: "cp-2:6443", Note: "renewed on disk, not reloaded",
			Authority: "k3s-server-ca@1700000000", Renew: "restart k3s"}, "", []string{"1. restart k3s\n"}},
		"renewed on disk, somewhere": {kube.ServingCert, kube.CertPlace{Source: kube.FromHandshake, Name: "x", Where: "n1:10250", Note: "renewed on disk, not reloaded",
			Renew: "restart what serves it, on n1"}, "", []string{"1. restart what serves it, on n1"}},
		"external CA": {kube.ServingCert, func() kube.CertPlace {
			p := ofKubeadm("etcd-peer", kube.FromFile, "/etc/kubernetes/pki/etcd/peer.crt")
			p.External, p.Renew = kube.Yes, "kubeadm cannot, without the key of the CA"
			return p
		}(), "", []string{"get configmap kubeadm-config -o jsonpath='{.data.ClusterConfiguration}' > /etc/kubernetes/renew/kubeadm.yaml",
			"kubeadm certs generate-csr --config /etc/kubernetes/renew/kubeadm.yaml --cert-dir /etc/kubernetes/renew/pki --kubeconfig-dir /etc/kubernetes/renew\n",
			"not the usages", "/etc/kubernetes/renew/pki/etcd/peer.csr", "kubeadm cannot sign etcd-peer"}},
		"external CA, kubeconfig": {kube.ClientCert, func() kube.CertPlace {
			p := ofKubeadm("scheduler.conf", kube.FromFile, "/etc/kubernetes/scheduler.conf")
			p.External = kube.Yes
			return p
		}(), "", []string{"-in /etc/kubernetes/renew/scheduler.conf.csr"}},
		"kubelet, own": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromHandshake, Name: "kubelet serving", Where: "n1:10250", Host: "n1", Unverified: true}), "", []string{
			"never renews it", "rm /var/lib/kubelet/pki/kubelet.crt /var/lib/kubelet/pki/kubelet.key && systemctl restart kubelet", "serverTLSBootstrap"}},
		"kubelet, given": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromHandshake, Name: "kubelet serving", Where: "n1:10250", Host: "n1"}), "", []string{
			"Somebody has put it there", "tlsCertFile"}},
		"kubelet, signed, as a file": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromFile, Name: "kubelet serving", Where: "/var/lib/kubelet/pki/kubelet-server-current.pem", Host: "n1", Class: kube.KubeletRotated}), "", []string{
			"The serving certificate of the kubelet on n1.", "spec.signerName=kubernetes.io/kubelet-serving"}},
		"a server whose maker is not certain": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromHandshake, Name: "apiserver", Where: "lb:6443",
			Renew: "where kubeadm made it: kubeadm certs renew apiserver, on its control-plane node"}), "", []string{
			"on every control-plane node that has it", "# kubeadm certs renew apiserver\n"}},
		"kubelet, signed": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromHandshake, Name: "kubelet serving", Where: "n1:10250", Host: "n1", Class: kube.KubeletRotated}), "", []string{
			"somebody has to approve the request", "kubectl get csr --field-selector spec.signerName=kubernetes.io/kubelet-serving"}},
		"kubelet client": {kube.ClientCert, place(kube.CertPlace{Source: kube.FromFile, Where: "/var/lib/kubelet/pki/kubelet-client-current.pem", Host: "n1", Class: kube.KubeletRotated}), "", []string{
			"kubeadm kubeconfig user --org system:nodes --client-name system:node:n1 > kubelet.conf",
			"mv /etc/kubernetes/kubelet.conf /var/lib/kubelet/pki/kubelet-client* /etc/kubernetes/kubelet-old/"}},
		"kubeconfig": {kube.ClientCert, place(kube.CertPlace{Source: kube.FromKubeconfig, Where: "kubeconfig (prod)", Ours: true}), "", []string{
			"restart ktriage when the file has the new one", "kubeadm kubeconfig user --client-name kube-apiserver", "kubeadm certs renew admin.conf"}},
		"webhook": {kube.Authority, place(kube.CertPlace{Source: kube.FromObject, Where: "validatingwebhookconfiguration policy (pods.policy.example.com)"}), "", []string{
			"holds the CA by which the API server knows what answers there", "kubectl get validatingwebhookconfiguration policy -o yaml", "inject-ca-from"}},
		"secret": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromSecret, Where: "secret shop/web-tls", Object: kube.Ref{Namespace: "shop", Name: "web-tls"}}), "", []string{
			"kubectl --context prod create secret tls web-tls -n shop --cert=FILE --key=FILE --dry-run=client -o yaml | kubectl --context prod apply -f -"}},
		"hostile": {kube.ClientCert, place(kube.CertPlace{Source: kube.FromFile, Where: "/x", Host: "a; reboot", Class: kube.KubeletRotated}), "", []string{
			"--client-name 'system:node:a; reboot' > kubelet.conf"}},
		"cert-manager's, unread": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromSecret, Where: "secret shop/web-tls", Class: kube.CertManaged, Object: kube.Ref{Namespace: "shop"}}), "", []string{
			"cmctl renew NAME -n shop"}},
		"a file": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromFile, Where: "/var/lib/rancher/k3s/server/tls/serving.crt", Renew: "systemctl restart k3s", Host: "n1"}), "", []string{
			"1. systemctl restart k3s", "On n1: put the new certificate"}},
		"a CA": {kube.Authority, place(kube.CertPlace{Source: kube.FromFile, Name: "etcd-ca", Where: "/etc/kubernetes/pki/etcd/ca.crt", Class: kube.OfAuthority}),
			"nobody can renew a CA at the press of a key", []string{"kubeadm does not renew or rotate CAs", "what the procedure is", "the old CA stays trusted"}},
		"a CA of an application": {kube.Authority, place(kube.CertPlace{Source: kube.FromSecret, Where: "secret shop/x", Class: kube.OfAuthority}),
			"nobody can renew a CA at the press of a key", []string{"A CA of an application, in secret shop/x"}},
		"a trust bundle": {kube.Authority, place(kube.CertPlace{Source: kube.FromObject, Where: "clustertrustbundle example.com:mesh:roots"}), "", []string{
			"holds roots that workloads trust", "kubectl get clustertrustbundle example.com:mesh:roots -o yaml"}},
		"of a pod": {kube.ServingCert, place(kube.CertPlace{Source: kube.FromObject, Where: "pod shop/x", Class: kube.ShortLived}),
			"it is not renewed by hand", []string{"asks for the next one by itself"}},
		"a bootstrap token": {kube.Token, place(kube.CertPlace{Source: kube.FromSecret, Class: kube.BootstrapToken, Where: "secret kube-system/x"}),
			"a token is not renewed", []string{"kubeadm token create --print-join-command"}},
		"our token": {kube.Token, place(kube.CertPlace{Source: kube.FromToken, Class: kube.ShortLived, Where: "kubeconfig"}),
			"a token is not renewed, another one is asked for", []string{"Log in again"}},
		"without an end": {kube.NoCert, place(kube.CertPlace{Source: kube.FromSecret, Class: kube.WithoutExpiry, Where: "secret a/b"}), "it has no end", nil},
		"seen by a metric": {kube.ClientCert, place(kube.CertPlace{Source: kube.FromMetric, Where: "n1", Host: "n1", Class: kube.KubeletRotated}),
			"it cannot be seen from here: there is nothing that could be watched", nil},
	} {
		onBench(t, func(b *bench) {
			p := b.plan(b.cert(c.kind, c.place))
			switch {
			case c.refused == "" && (len(p.Refusals) > 0 || p.Work == nil || !strings.Contains(sheet(p), "confirming changes nothing")):
				t.Errorf("%s: refused with %q", what, p.Refusals)
			case c.refused != "" && (len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], c.refused) || p.Work != nil):
				t.Errorf("%s: refused with %q", what, p.Refusals)
			}
			b.has(sheet(p), c.says...)
		})
	}
}

func TestWhatCannotBeSeenHasARunbookAndNoWatch(t *testing.T) {
	onBench(t, func(b *bench) {
		c := b.cert(kube.NoCert, ofKubeadm("front-proxy-client", kube.FromFile, "control-plane nodes"))
		c.X509, c.Unseen = nil, "not visible from here"
		c.Places[0].Renew = "run ktriage, or kubeadm certs check-expiration, on a control-plane node"
		p := b.plan(c)
		if len(p.Refusals) != 1 || !strings.HasPrefix(p.Refusals[0], "it cannot be seen from here (not visible from here)") || p.Work != nil {
			t.Errorf("%q", p.Refusals)
		}
		b.has(sheet(p), "# kubeadm certs renew front-proxy-client", "now: not visible from here")
		k := b.cert(kube.NoCert, kube.CertPlace{Source: kube.FromHandshake, Name: "kubelet serving", Where: "n1:10250", Host: "n1"})
		k.X509, k.Unseen = nil, "timed out after 2s"
		if s := sheet(b.plan(k)); strings.Contains(s, "has signed it itself, once") {
			t.Errorf("it says what nobody has seen:\n%s", s)
		}
	})
}

func TestCertificatesAreRenewedOneAtATime(t *testing.T) {
	onBench(t, func(b *bench) {
		ref := b.cert(kube.ServingCert, ofKubeadm("apiserver", kube.FromHandshake, "a")).Ref()
		k := renew.New(b)
		if _, err := k.Plan(b.t.Context(), b.cluster, action.Target{Refs: []kube.Ref{ref, ref}}, nil); err == nil || !strings.Contains(err.Error(), "one at a time") {
			t.Errorf("two at once: %v", err)
		}
		if k.ID() != action.Renew || len(k.Needs()) > 0 || action.Renew.Does(1) != "renew it" {
			t.Errorf("%s needs %v, and does %q", k.ID(), k.Needs(), action.Renew.Does(1))
		}
	})
}
