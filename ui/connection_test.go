package ui

import (
	"errors"
	"net/http"
	"strings"
	"testing"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/kubetest"
)

var (
	forbidden = metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden,
		Message: `pods is forbidden: User "alice" cannot list resource "pods" in API group "" at the cluster scope`,
	}
	unauthorized = metav1.Status{
		Status: metav1.StatusFailure, Code: http.StatusUnauthorized, Reason: metav1.StatusReasonUnauthorized, Message: "Unauthorized",
	}
)

func TestRowsStayWhileTheServerIsGoneAndCatchUpWhenItIsBack(t *testing.T) {
	for name, gone := range map[string]func(*kubetest.Server){
		"refused": func(k *kubetest.Server) { k.Fail(kubetest.Refused) }, "silent": (*kubetest.Server).Silent,
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, 120, 40, func(s *session) {
				s.incident(10)
				s.start()
				gone(s.Server)
				s.Wait(20 * time.Second)
				s.sees("no answer since", "next try in", "worker-2", "checkout", "as of", "All you see is", "Nothing here is lost")
				s.Wait(10 * time.Minute)
				s.sees("worker-2", "checkout", "no answer since")
				s.Press("j", "2", "j", "?", "esc")
				s.sees("checkout")

				s.Put(pod("aaa", "while-away", "worker-1", crashing))
				s.Delete(pod("shop", "cart-0", "worker-2"))
				s.Fail(nil)
				s.Wait(5 * time.Second)
				s.Press("g")
				s.sees("● live", "aaa/while-away")
				s.misses("shop/cart-0", "no answer", "as of")
			})
		})
	}
}

func TestServerThatIsNotThereAtTheStartIsWaitedFor(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.Fail(kubetest.Refused)
		s.start()
		s.Wait(30 * time.Second)
		s.sees("no answer yet", "refuses connections")
		s.Golden(t, "not-there-80x24")
		s.incident(3)
		s.Fail(nil)
		s.Wait(5 * time.Second)
		s.sees("● live", "worker-2", "alice")
	})
}

func TestCredentialsThatAreRefusedAtTheStartEndTheProgram(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.Fail(kubetest.Answer(unauthorized))
		s.start()
		err := <-s.done
		s.done <- err
		if e := kube.Explain(err); e.Code != kube.ExitCredentials || !strings.Contains(e.Sentence, "401") {
			t.Errorf("err = %v (%+v)", err, e)
		}
		if s.AltScreen() {
			t.Error("the alternate screen was not left")
		}
	})
}

func TestCredentialsThatAreRefusedLaterAreSaidOnTheScreen(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(3)
		s.start()
		s.Fail(kubetest.Answer(unauthorized))
		s.Wait(time.Minute)
		s.sees("worker-2", "stale", "These rows cannot be kept up to date: The API server does not accept our credentials (401")
		if errors.Is(s.app.err, nil) != true {
			t.Errorf("the program wants to end: %v", s.app.err)
		}
		s.Fail(nil)
		s.Wait(5 * time.Second)
		s.sees("● live")
	})
}

func TestUserOfOneNamespaceStartsThere(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(3)
		s.Fail(kubetest.Answer(forbidden, "/api/v1/pods", "/api/v1/nodes", "metrics.k8s.io/v1beta1/nodes", "metrics.k8s.io/v1beta1/pods"))
		s.deps.Pane = "pods"
		s.start()
		s.Wait(2 * time.Second)
		s.sees("shop (all you may list)", "shop/checkout", "You may list pods in shop only")
		s.misses("pay/ledger-0")
		s.Golden(t, "one-namespace-120x40")
	})
}

func TestWhatIsMissingIsSaidOnAScreenOfAnySize(t *testing.T) {
	for _, h := range []int{15, 24, 50} {
		inSession(t, 80, h, func(s *session) {
			s.incident(3)
			s.Fail(kubetest.Answer(forbidden, "/api/v1/pods"))
			s.deps.Pane = "pods"
			s.start()
			s.Wait(2 * time.Second)
			s.sees("You may list pods in shop only", `exit 1, `)
		})
		inSession(t, 80, h, func(s *session) {
			s.incident(3)
			s.Fail(kubetest.Answer(forbidden, "/namespaces/pay/pods"))
			s.deps.Cluster = kube.New(s.Clients(), "prod-tokyo", "shop", []string{"shop", "pay"}, nil)
			s.deps.Pane = "pods"
			s.start()
			s.Wait(2 * time.Second)
			s.sees("Rows of namespace pay are missing: ", `exit 1, `)
		})
	}
}

func TestUserWhoMayListNothingIsNotSaidToRead(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(3)
		s.Fail(kubetest.Answer(forbidden, "/pods", "/nodes", "/statefulsets", "/deployments", "/daemonsets", "/replicasets", "/jobs", "/cronjobs",
			"/horizontalpodautoscalers", "/poddisruptionbudgets"))
		s.start()
		s.Wait(2 * time.Second)
		s.sees("alice may list nothing", "You may not list nodes")
		s.misses("You may list pods in", "other panes")
		s.Press("2")
		s.sees("You may not list pods", "-n NAMESPACE")
	})
}

func TestPaneWithoutPermissionSaysWhichPermissionIsMissing(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.incident(3)
		nodes := forbidden
		nodes.Message = `nodes is forbidden: User "alice" cannot list resource "nodes" in API group "" at the cluster scope`
		s.Fail(kubetest.Answer(nodes, "/api/v1/nodes"))
		s.start()
		s.Golden(t, "denied-80x24")
		s.Press("2")
		s.sees("shop/checkout")
	})
}

func TestWithoutMetricsSamplesAreDashes(t *testing.T) {
	inSession(t, 120, 40, func(s *session) {
		s.incident(3)
		s.Measure(nil, nil)
		s.deps.Pane = "nodes"
		s.start()
		s.Press("z")
		s.sees("worker-1")
		if l := s.line("worker-1"); !strings.Contains(l, "-/") {
			t.Errorf("the row of worker-1 is %q", l)
		}
	})
}

func TestEmptyClusterSaysThatThereIsNothing(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.deps.Pane = "pods"
		s.start()
		s.Golden(t, "empty-80x24")
	})
}
