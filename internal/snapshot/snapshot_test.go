package snapshot_test

import (
	"bytes"
	"context"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/internal/snapshot"
	"ktriage/kube"
	"ktriage/kube/kubetest"
	"ktriage/views"
)

// printed is what Print makes of a cluster.
type printed struct {
	out, notes string
	err        error
}

func prints(t *testing.T, o snapshot.Options, namespace string, prepare func(*kubetest.Server)) printed {
	t.Helper()
	var p printed
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		prepare(server)
		cluster := kube.New(server.Clients(), "prod", "shop", strings.Split(namespace, ","), nil)
		var out, notes bytes.Buffer
		ctx, stop := context.WithCancel(t.Context())
		o.Notes = &notes
		p.err = snapshot.Print(ctx, cluster, o, &out)
		stop()
		synctest.Wait()
		p.out, p.notes = out.String(), notes.String()
	})
	return p
}

func pods(names ...string) func(*kubetest.Server) {
	return func(s *kubetest.Server) {
		for _, n := range names {
			s.Put(&corev1.Pod{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: n, UID: types.UID(n)}})
		}
	}
}

func TestRowsArePrintedOnceAllHaveBeenRead(t *testing.T) {
	p := prints(t, snapshot.Options{Pane: "pods", Format: views.FormatTable}, "", pods("web-0", "web-1", "db-0"))
	if p.err != nil || strings.Count(p.out, "\n") != 4 || !strings.HasPrefix(p.out, "NAMESPACE ") || p.notes != "" {
		t.Errorf("%+v", p)
	}
	p = prints(t, snapshot.Options{Pane: "pods", Format: views.FormatTable, Filter: "web !1"}, "", pods("web-0", "web-1", "db-0"))
	if p.err != nil || strings.Count(p.out, "\n") != 2 || !strings.Contains(p.out, "web-0") {
		t.Errorf("%+v", p)
	}
}

func TestNoRowsAreSaidOnTheSide(t *testing.T) {
	p := prints(t, snapshot.Options{Pane: "nodes", Format: views.FormatJSON}, "", pods())
	if p.err != nil || strings.TrimSpace(p.out) != "[]" || p.notes != "There are no nodes.\n" {
		t.Errorf("%+v", p)
	}
	p = prints(t, snapshot.Options{Pane: "pods", Format: views.FormatTable, Filter: "cheese"}, "", pods("web-0"))
	if p.err != nil || p.notes != "No pods match cheese.\n" {
		t.Errorf("%+v", p)
	}
}

func TestNothingIsPrintedIfNotAllCanBeRead(t *testing.T) {
	forbidden := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "nodes is forbidden"}
	broken := metav1.Status{Code: http.StatusInternalServerError, Reason: metav1.StatusReasonInternalError}
	for name, fault := range map[string]kubetest.Fault{
		"forbidden": kubetest.Answer(forbidden, "/nodes"), "refused": kubetest.Refused, "broken": kubetest.Answer(broken, "/nodes"),
	} {
		t.Run(name, func(t *testing.T) {
			p := prints(t, snapshot.Options{Pane: "nodes", Format: views.FormatTable}, "", func(s *kubetest.Server) { s.Fail(fault) })
			if p.err == nil || p.out != "" {
				t.Errorf("%+v", p)
			}
		})
	}
}

func TestNamespaceThatIsNotThereIsAnError(t *testing.T) {
	gone := metav1.Status{
		Code: http.StatusNotFound, Reason: metav1.StatusReasonNotFound, Message: `namespaces "nowhere" not found`,
		Details: &metav1.StatusDetails{Kind: "namespaces", Name: "nowhere"},
	}
	p := prints(t, snapshot.Options{Pane: "pods", Format: views.FormatTable}, "nowhere", func(s *kubetest.Server) {
		s.Fail(kubetest.Answer(gone, "/namespaces/nowhere"))
	})
	if e := kube.Explain(p.err); e.Code != kube.ExitConfig || p.out != "" {
		t.Errorf("%+v: %+v", p, e)
	}
}

func TestScopeThatTheServerNarrowsIsSaid(t *testing.T) {
	forbidden := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "pods is forbidden"}
	p := prints(t, snapshot.Options{Pane: "pods", Format: views.FormatTable}, "", func(s *kubetest.Server) {
		pods("web-0")(s)
		s.Fail(kubetest.Answer(forbidden, "/api/v1/pods"))
	})
	if p.err != nil || !strings.Contains(p.out, "web-0") || !strings.Contains(p.notes, "Only namespace shop is looked at") {
		t.Errorf("%+v", p)
	}
}

func TestServerThatIsSilentIsGivenUpSoon(t *testing.T) {
	var took time.Duration
	synctest.Test(t, func(t *testing.T) {
		server := kubetest.New()
		server.Silent()
		cluster := kube.New(server.Clients(), "prod", "shop", []string{""}, nil)
		ctx, stop := context.WithCancel(t.Context())
		began := time.Now()
		err := snapshot.Print(ctx, cluster, snapshot.Options{Pane: "pods", Format: views.FormatTable}, &bytes.Buffer{})
		took = time.Since(began)
		stop()
		server.Fail(nil)
		synctest.Wait()
		if e := kube.Explain(err); e.Code != kube.ExitError || !strings.Contains(e.Sentence, "did not answer in time") {
			t.Errorf("%v is explained as %+v", err, e)
		}
	})
	if took > 20*time.Second {
		t.Errorf("it took %v", took)
	}
}

func TestNamespaceThatMayNotBeReadIsAnErrorAmongOthers(t *testing.T) {
	forbidden := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "not cart"}
	for range 20 { // the two namespaces are read at the same time, in any order
		p := prints(t, snapshot.Options{Pane: "pods", Format: views.FormatTable}, "shop,cart", func(s *kubetest.Server) {
			pods("web-0")(s)
			s.Fail(kubetest.Answer(forbidden, "/namespaces/cart/pods"))
		})
		if p.err == nil || !strings.Contains(p.err.Error(), "not cart") || p.out != "" {
			t.Fatalf("%+v", p)
		}
	}
}

func TestNodesWaitForThePodsOnThem(t *testing.T) {
	busy := func(s *kubetest.Server) {
		s.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: "n"}})
		for _, name := range []types.UID{"a", "b"} {
			s.Put(&corev1.Pod{
				ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: string(name), UID: name}, Spec: corev1.PodSpec{NodeName: "worker-1"},
			})
		}
	}
	late := func(q *http.Request) (*http.Response, bool, error) {
		if strings.HasSuffix(q.URL.Path, "/api/v1/pods") {
			<-time.After(5 * time.Second)
		}
		return nil, false, nil
	}
	p := prints(t, snapshot.Options{Pane: "nodes", Format: views.FormatTable}, "", func(s *kubetest.Server) {
		busy(s)
		s.Fail(late)
	})
	if p.err != nil || !strings.Contains(p.out, " 2/0 ") {
		t.Errorf("%+v", p)
	}
	forbidden := metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no pods for you"}
	for _, format := range []views.Format{views.FormatTable, views.FormatJSON} {
		p = prints(t, snapshot.Options{Pane: "nodes", Format: format}, "", func(s *kubetest.Server) {
			busy(s)
			s.Fail(kubetest.Answer(forbidden, "/pods"))
		})
		if p.err != nil || !strings.Contains(p.out, " -/0 ") && !strings.Contains(p.out, `"pods": null`) {
			t.Errorf("what may not be counted is not `-`: %+v", p)
		}
	}
}
