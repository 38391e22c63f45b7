package evict

import (
	"context"
	"errors"
	"fmt"
	"net"
	"net/url"
	"strings"
	"syscall"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime/schema"
)

var podsResource = schema.GroupResource{Resource: "pods"}

func withCause(err *apierrors.StatusError, kind metav1.CauseType, message string) error {
	if err.ErrStatus.Details == nil {
		err.ErrStatus.Details = &metav1.StatusDetails{}
	}
	err.ErrStatus.Details.Causes = append(err.ErrStatus.Details.Causes, metav1.StatusCause{Type: kind, Message: message})
	return err
}

func status(code int32, message string) error {
	return &apierrors.StatusError{ErrStatus: metav1.Status{Status: metav1.StatusFailure, Code: code, Message: message}}
}

func TestEveryAnswerHasItsVerdict(t *testing.T) {
	const violates = "Cannot evict pod as it would violate the pod's disruption budget."
	budget := schema.GroupResource{Group: "policy", Resource: "poddisruptionbudget"}
	for _, test := range []struct {
		name string
		err  error
		want answer
	}{
		{"accepted", nil, answer{verdict: accepted, code: 201}},
		{"no such pod", apierrors.NewNotFound(podsResource, "web-1"), answer{verdict: absent, code: 404}},
		{"another object is not there", apierrors.NewNotFound(podsResource, "web-2"), answer{verdict: conflicting, code: 404}},
		{"no such API", status(404, "404 page not found"), answer{verdict: conflicting, code: 404}},
		{"another UID, or a webhook", apierrors.NewConflict(podsResource, "web-1", errors.New("x")), answer{verdict: conflicting, code: 409}},
		{
			"a budget allows 0",
			withCause(apierrors.NewTooManyRequests(violates, 0), policyv1.DisruptionBudgetCause, "The disruption budget web needs 2 healthy pods and has 2 currently"),
			answer{verdict: refused, code: 429, budget: "web", cause: "The disruption budget web needs 2 healthy pods and has 2 currently"},
		},
		{
			"a budget is not in step",
			withCause(apierrors.NewTooManyRequests(violates, 10), policyv1.DisruptionBudgetCause, "The disruption budget web is still being processed by the server."),
			answer{verdict: refused, code: 429, budget: "web", cause: "The disruption budget web is still being processed by the server.", after: 10 * time.Second},
		},
		{
			"a budget that is not named",
			withCause(apierrors.NewTooManyRequests(violates, 0), policyv1.DisruptionBudgetCause, "no"),
			answer{verdict: refused, code: 429, cause: "no"},
		},
		{"overload", apierrors.NewTooManyRequests("too many", 3), answer{verdict: busy, code: 429, after: 3 * time.Second}},
		{"overload without a delay", apierrors.NewTooManyRequestsError("too many"), answer{verdict: busy, code: 429}},
		{
			"a namespace that is going",
			withCause(apierrors.NewForbidden(podsResource, "web-1", errors.New("terminating")), corev1.NamespaceTerminatingCause, "namespace shop is being terminated"),
			answer{verdict: closing, code: 403},
		},
		{
			"a budget in trouble, before 1.37",
			apierrors.NewForbidden(budget, "web", errors.New("pdb disruptions allowed is negative")),
			answer{verdict: refused, code: 403, budget: "web", slow: true},
		},
		{
			"a budget in trouble, since 1.37",
			withCause(apierrors.NewForbidden(podsResource, "", errors.New("x")), policyv1.DisruptionBudgetCause, "The disruption budget web has 2001 disrupted pods"),
			answer{verdict: refused, code: 403, budget: "web", slow: true, cause: "The disruption budget web has 2001 disrupted pods"},
		},
		{"no permission", apierrors.NewForbidden(podsResource, "web-1", errors.New("cannot create")), answer{verdict: denied, code: 403}},
		{"a webhook says no", status(422, `admission webhook "keep.example.com" denied the request: not today`), answer{verdict: denied, code: 422}},
		{"bad request", apierrors.NewBadRequest("x"), answer{verdict: denied, code: 400}},
		{"credentials have expired", apierrors.NewUnauthorized("Unauthorized"), answer{verdict: unknownUser, code: 401}},
		{
			"two budgets",
			status(500, "This pod has more than one PodDisruptionBudget, which the eviction subresource does not support."),
			answer{verdict: denied, code: 500},
		},
		{"internal error", apierrors.NewInternalError(errors.New("etcd")), answer{verdict: unclear, code: 500}},
		{"gateway", status(502, "bad gateway"), answer{verdict: unclear, code: 502}},
		{"unavailable", apierrors.NewServiceUnavailable("x"), answer{verdict: unclear, code: 503}},
		{"too late", apierrors.NewTimeoutError("x", 10), answer{verdict: unclear, code: 504, after: 10 * time.Second}},
		{"request timeout", status(408, "x"), answer{verdict: unclear, code: 408}},
		{"refused connection", &url.Error{Op: "Post", URL: "http://x", Err: syscall.ECONNREFUSED}, answer{verdict: unreached, shut: true}},
		{"no route", &url.Error{Op: "Post", URL: "http://x", Err: &net.OpError{Op: "dial", Err: syscall.EHOSTUNREACH}}, answer{verdict: unreached}},
		{"no such host", &url.Error{Op: "Post", URL: "http://x", Err: &net.DNSError{Err: "no such host", IsNotFound: true}}, answer{verdict: unreached}},
		{"broken while it was read", &url.Error{Op: "Post", URL: "http://x", Err: &net.OpError{Op: "read", Err: syscall.ECONNRESET}}, answer{verdict: unclear}},
		{"no answer in time", fmt.Errorf("x: %w", context.DeadlineExceeded), answer{verdict: unclear}},
		{"broken connection", fmt.Errorf("x: %w", syscall.ECONNRESET), answer{verdict: unclear}},
	} {
		got := judge(test.err, "web-1")
		if test.err != nil && got.said == "" {
			t.Errorf("%s: nothing is said", test.name)
		}
		got.said = ""
		if got != test.want {
			t.Errorf("%s: %+v, want %+v", test.name, got, test.want)
		}
	}
}

func TestWhatTheServerSaysIsCleanAndShort(t *testing.T) {
	a := judge(status(403, "no\x1b[2J\nway "+strings.Repeat("x", 5000)), "web-1")
	if strings.ContainsAny(a.said, "\x1b\n") || len(a.said) > 400 || !strings.HasPrefix(a.said, "no") {
		t.Errorf("it says %q", a.said)
	}
	evil := judge(withCause(apierrors.NewTooManyRequests("x", 0), policyv1.DisruptionBudgetCause, "The disruption budget \x1b[31mweb needs"), "web-1")
	if strings.Contains(evil.budget+evil.cause, "\x1b") {
		t.Errorf("it says %q %q", evil.budget, evil.cause)
	}
}

func TestPausesGrowAndStayBounded(t *testing.T) {
	for failures := range 100 {
		d := backoff(failures, retryMost)
		if least := min(retryFirst<<min(max(failures, 1)-1, 10), retryMost); d < least || d > least+least/5 {
			t.Errorf("after %d failures: %v", failures, d)
		}
	}
}
