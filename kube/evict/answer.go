package evict

import (
	"errors"
	"net"
	"net/http"
	"strings"
	"syscall"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
)

// verdict is what the server's answer to an eviction means for the pod.
type verdict uint8

const (
	accepted    verdict = iota
	absent              // there is no such pod
	refused             // a budget does not allow it now
	busy                // the server sheds load
	closing             // the namespace is going, and takes the pod with it
	unknownUser         // the server does not accept our credentials now
	denied              // for good: no permission, an admission webhook, two budgets
	conflicting         // not done: another pod has the name, or something else was in the way
	unclear             // whether it has been done must be found out
	unreached           // there was no connection: nothing was sent
	unsent              // the run was over before anything was sent
)

// answer is what came of a request.
type answer struct {
	verdict verdict
	code    int           // HTTP status, 0 without an answer
	said    string        // the server's words, or what is wrong with the connection; sanitised
	budget  string        // that refuses, "" if the server does not name it
	cause   string        // of refused: what the server says of the budget; sanitised
	after   time.Duration // the server asks to be left alone for so long, 0 if it does not say
	slow    bool          // of refused: the budget does not come right soon
	shut    bool          // of unreached: nobody listens where the server should be
}

// longestSaid bounds what is quoted, in columns.
const longestSaid = 300

// quote makes the words of somebody else fit to be shown.
func quote(s string) string { return text.Cut(text.Clean(strings.TrimSpace(s)), longestSaid, "…") }

// judge tells what the error of an eviction of the pod of that name means; nil is none. The cases are those of
// EvictionREST.Create in pkg/registry/core/pod/storage/eviction.go and of what stands before it: authorization,
// admission, priority and fairness, proxies.
func judge(err error, pod string) answer {
	if err == nil {
		return answer{verdict: accepted, code: http.StatusCreated}
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		a := answer{verdict: unclear, said: quote(kube.Explain(err).Sentence)}
		if neverSent(err) {
			a.verdict, a.shut = unreached, errors.Is(err, syscall.ECONNREFUSED)
		}
		return a
	}
	s := status.Status()
	details := s.Details
	if details == nil {
		details = &metav1.StatusDetails{}
	}
	a := answer{code: int(s.Code), said: quote(s.Message), after: time.Duration(details.RetryAfterSeconds) * time.Second}
	cause, byBudget := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause)
	switch a.code {
	case http.StatusNotFound:
		a.verdict = conflicting // no such API, says somebody in between
		if details.Name == pod && strings.HasPrefix(details.Kind, "pod") {
			a.verdict = absent
		}
	case http.StatusConflict:
		a.verdict = conflicting
	case http.StatusTooManyRequests:
		a.verdict = busy
		if byBudget {
			a.verdict, a.budget, a.cause = refused, budgetIn(cause.Message), quote(cause.Message)
		}
	case http.StatusUnauthorized:
		a.verdict = unknownUser
	case http.StatusForbidden:
		a.forbidden(err, details, cause.Message, byBudget)
	case http.StatusInternalServerError:
		a.verdict = unclear
		if strings.Contains(s.Message, "more than one PodDisruptionBudget") {
			a.verdict = denied
		}
	default:
		a.verdict = unclear
		if a.code >= 400 && a.code < 500 && a.code != http.StatusRequestTimeout {
			a.verdict = denied
		}
	}
	return a
}

// neverSent reports whether an error proves that nothing has reached the server: there was no connection to send it on.
// Whatever net/http repeats on a new connection has not been processed on the old one (Request.isReplayable, and
// canRetryError of its HTTP/2: a POST is not replayed).
func neverSent(err error) bool {
	op, isOp := errors.AsType[*net.OpError](err)
	dns, isDNS := errors.AsType[*net.DNSError](err)
	return isOp && op.Op == "dial" || isDNS && dns.IsNotFound || errors.Is(err, syscall.ECONNREFUSED)
}

// fails reports whether the server, or somebody for it, could not do what was asked: not because of what it was.
func (a answer) fails() bool { return a.verdict == unclear && a.code >= http.StatusInternalServerError }

// forbidden tells the kinds of 403 apart.
func (a *answer) forbidden(err error, details *metav1.StatusDetails, cause string, byBudget bool) {
	switch {
	case apierrors.HasStatusCause(err, corev1.NamespaceTerminatingCause):
		a.verdict = closing
	case byBudget || strings.HasPrefix(details.Kind, "poddisruptionbudget"):
		a.verdict, a.slow, a.cause = refused, true, quote(cause)
		if a.budget = budgetIn(cause); a.budget == "" {
			a.budget = text.Clean(details.Name)
		}
	default:
		a.verdict = denied
	}
}

// budgetIn finds the name of the budget in what the server says of it: "The disruption budget web needs 2 healthy pods
// and has 2 currently". It says it nowhere else.
func budgetIn(message string) string {
	_, rest, found := strings.Cut(message, "disruption budget ")
	if !found {
		return ""
	}
	name, _, _ := strings.Cut(rest, " ")
	return text.Clean(strings.Trim(name, `"'.,`))
}

// words says what came of the request.
func (a answer) words() string {
	if a.code == 0 {
		return "No answer came: " + a.said
	}
	return "The server says: " + a.said
}
