package kube

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"regexp"
	"strings"
	"unicode"
	"unicode/utf8"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	"k8s.io/apimachinery/pkg/api/meta"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

// Explanation is what an operator is told of an error: what is wrong, and what to do next.
type Explanation struct {
	Sentence string // sanitised; ends in a full stop, unless it is the server's own words
	Next     string // sanitised; "" if there is nothing to do but wait
	Code     int    // the exit code if the program ends for it: one of the Exit constants
}

// The exit codes of the program that an error can lead to.
const (
	ExitError       = 1 // the cluster cannot be reached, or cannot do what was asked
	ExitConfig      = 2 // flags, kubeconfig or terminal: it cannot work before somebody changes them
	ExitCredentials = 3 // the server does not accept who we say we are
)

// explainer is an error that explains itself.
type explainer interface {
	error
	explain() Explanation
}

// Explain turns an error of this package, of client-go or of the network into plain words. Types are asked wherever there
// are types; where libraries give only text (credential plugins, proxies, alerts of TLS), the text is.
func Explain(err error) Explanation {
	if err == nil {
		return Explanation{}
	}
	if e, ok := errors.AsType[explainer](err); ok {
		return e.explain()
	}
	for _, explain := range []func(error) (Explanation, bool){
		explainPlugin, explainStatus, explainTLS, explainProxy, explainNetwork, explainContext,
	} {
		if e, ok := explain(err); ok {
			return e
		}
	}
	return Explanation{Sentence: sentence(err.Error()), Code: ExitError}
}

// sentence makes one of somebody else's text.
func sentence(s string) string {
	s = strings.TrimRight(text.Clean(strings.TrimSpace(withoutPassword(s))), ". ")
	if s == "" {
		return "An error without a message."
	}
	first, size := utf8.DecodeRuneInString(s)
	return string(unicode.ToUpper(first)) + s[size:] + "."
}

func explainContext(err error) (Explanation, bool) {
	switch {
	case errors.Is(err, context.DeadlineExceeded):
		return Explanation{
			Sentence: "The API server did not answer in time.", Code: ExitError,
			Next: "Look whether other clients get answers; the server, the network or a proxy may be overloaded.",
		}, true
	case errors.Is(err, context.Canceled):
		return Explanation{Sentence: "It was cancelled before the API server answered.", Code: ExitError}, true
	}
	return Explanation{}, false
}

// explainStatus is for what the API server answers by itself.
func explainStatus(err error) (Explanation, bool) {
	if meta.IsNoMatchError(err) {
		return unsupported(err), true
	}
	var status apierrors.APIStatus
	if !errors.As(err, &status) {
		return Explanation{}, false
	}
	s := status.Status()
	words := text.Clean(s.Message)
	out := Explanation{Code: ExitError}
	switch {
	case apierrors.IsUnauthorized(err):
		return Explanation{
			Sentence: "The API server does not accept our credentials (401 Unauthorized).", Code: ExitCredentials,
			Next: "They are expired, revoked or for another cluster: sign in again, or choose another --context or --user.",
		}, true
	case apierrors.IsForbidden(err) && strings.Contains(words, `User "system:anonymous"`):
		return Explanation{
			Sentence: "The API server does not know who we are: it takes us for system:anonymous.", Code: ExitCredentials,
			Next: "The kubeconfig's user holds no credentials that it accepts: sign in again, or choose another --user.",
		}, true
	case apierrors.IsForbidden(err):
		out.Sentence = words
		out.Next = "Ask for that permission."
		if strings.Contains(words, `resource "pods"`) { // nodes are in no namespace
			out.Next = "Ask for that permission, or look only at what you may see: -n NAMESPACE."
		}
	case apierrors.IsNotFound(err) && s.Details != nil && s.Details.Kind == "namespaces":
		out.Sentence = fmt.Sprintf("There is no namespace %q.", text.Clean(s.Details.Name))
		out.Next = "kubectl get namespaces lists them; leave out -n for all."
		out.Code = ExitConfig
	case apierrors.IsTooManyRequests(err):
		out.Sentence = "The API server sheds load: it answers 429 Too Many Requests" + delay(err) + "."
		out.Next = "It is asked again by and by; look what else asks so much of it."
	case answerOfAnother(s):
		out.Sentence = "What answers is not a Kubernetes API server, or something in between answers for it: " +
			fmt.Sprintf("%d %s.", s.Code, http.StatusText(int(s.Code)))
		out.Next = "Check server: and proxy-url: of the cluster in the kubeconfig (https, host, port and path)."
	case s.Code == http.StatusNotFound && s.Details != nil && s.Details.Name == "",
		s.Code == http.StatusNotAcceptable, s.Code == http.StatusUnsupportedMediaType, s.Code == http.StatusMethodNotAllowed:
		return unsupported(err), true
	case apierrors.IsServiceUnavailable(err):
		out.Sentence = "The API server cannot serve this at the moment (503): " + words + "."
		out.Next = "It starts or stops, has lost etcd, or an API that it hands on (such as metrics.k8s.io) is down."
	case apierrors.IsTimeout(err), apierrors.IsServerTimeout(err), s.Code == http.StatusGatewayTimeout:
		out.Sentence = "The API server gave up waiting for what is behind it (504): " + words + "."
		out.Next = "etcd, a webhook or an aggregated API is too slow."
	case apierrors.IsInternalError(err) || s.Code >= http.StatusInternalServerError:
		out.Sentence = fmt.Sprintf("The API server has an error of its own (%d): %s.", s.Code, strings.TrimRight(words, "."))
		out.Next = "Its log says more."
	default:
		out.Sentence = sentence(err.Error())
	}
	return out, true
}

func unsupported(err error) Explanation {
	return Explanation{
		Sentence: "The API server does not serve this version of the API: " + strings.TrimRight(text.Clean(err.Error()), ".") + ".",
		Next:     "Compare ktriage version with the server's: it may be too old, or the API may not be installed.", Code: ExitError,
	}
}

// answerOfAnother reports whether the answer was no Status object but something that client-go made one of.
func answerOfAnother(s metav1.Status) bool {
	if s.Details == nil {
		return false
	}
	for _, c := range s.Details.Causes {
		if c.Type == metav1.CauseTypeUnexpectedServerResponse {
			return s.Code < http.StatusInternalServerError
		}
	}
	return false
}

func delay(err error) string {
	if seconds, ok := apierrors.SuggestsClientDelay(err); ok && seconds > 0 {
		return fmt.Sprintf(", come back in %ds", seconds)
	}
	return ""
}

// The texts of client-go's plugin/pkg/client/auth/exec/exec.go, which wraps none of its errors.
var (
	pluginTrouble = regexp.MustCompile(`(?s)getting credentials: (.*)`)
	pluginMissing = regexp.MustCompile(`^exec: executable (.+?) not found(?s:.*credential-plugins\n\n(.*)|.*)$`)
	pluginFailed  = regexp.MustCompile(`^exec: executable (.+) failed with exit code (-?\d+)`)
)

// explainPlugin is for what goes wrong with a credential plugin (an exec: section of the kubeconfig).
func explainPlugin(err error) (Explanation, bool) {
	trouble := pluginTrouble.FindStringSubmatch(err.Error())
	if trouble == nil {
		return Explanation{}, false
	}
	out := Explanation{Code: ExitCredentials}
	if m := pluginMissing.FindStringSubmatch(trouble[1]); m != nil {
		out.Sentence = fmt.Sprintf("The credential plugin %s, which the kubeconfig asks for, is not installed.", text.Clean(m[1]))
		out.Next = "Install it, or add its directory to PATH."
		if hint := strings.TrimSpace(m[2]); hint != "" {
			out.Next = text.Clean(hint)
		}
		return out, true
	}
	if m := pluginFailed.FindStringSubmatch(trouble[1]); m != nil {
		out.Sentence = fmt.Sprintf("The credential plugin %s failed with exit code %s.", text.Clean(m[1]), m[2])
		out.Next = "Sign in as its documentation says; what it wrote stands above, or in the log."
		return out, true
	}
	if strings.Contains(trouble[1], "cannot support interactive mode") {
		out.Sentence = "The credential plugin wants to ask something, but the terminal is not its own now."
		out.Next = "Quit, and start again in a terminal: it can ask then."
		return out, true
	}
	out.Sentence = "The credential plugin gave no credentials: " + strings.TrimRight(text.Clean(trouble[1]), ".") + "."
	out.Next = "Check the exec: section of the user in the kubeconfig."
	return out, true
}
