package kube

import (
	"context"
	"errors"
	"fmt"
	"log/slog"
	"net"
	"net/http"
	"net/http/httptrace"
	"slices"
	"strings"
	"sync"
	"time"

	authenticationv1 "k8s.io/api/authentication/v1"
	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/cli-runtime/pkg/genericclioptions"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	_ "k8s.io/client-go/plugin/pkg/client/auth" // OIDC, as kubectl has it
	"k8s.io/client-go/rest"
	clientcmdapi "k8s.io/client-go/tools/clientcmd/api"
	metricsclient "k8s.io/metrics/pkg/client/clientset/versioned/typed/metrics/v1beta1"

	"ktriage/internal/text"
)

// Options say which cluster, as whom, and what of it.
type Options struct {
	// Flags are kubectl's own; the kubeconfig is loaded exactly as kubectl loads it.
	Flags *genericclioptions.ConfigFlags
	// AllNamespaces asks for every namespace. Without it and without a --namespace flag the same is tried, and the
	// context's own namespace is taken if the server does not allow it.
	AllNamespaces bool
	UserAgent     string
	Log           *slog.Logger
	Warnings      rest.WarningHandlerWithContext // where the server's Warning headers go
}

// Identity is who the server says that we are.
type Identity struct {
	User     string // as the server knows us; the kubeconfig's name for us until it has answered
	MayWrite bool   // may delete pods where we look: the mark of an operator
	Known    bool   // the server has said whether we may
}

// Scope is what of the cluster is looked at.
type Scope struct {
	Namespaces []string // {""} for all
	Limited    error    // why it is not all, when all was wanted
}

// All reports whether every namespace is in the scope.
func (s Scope) All() bool { return slices.Equal(s.Namespaces, []string{metav1.NamespaceAll}) }

// dialLimit bounds one attempt to connect. A lost packet is sent again after 1 and 3 seconds; beyond that a new attempt
// finds a server that has come back sooner than an old one does.
const dialLimit = heartbeatLimit

// Connect loads the kubeconfig and makes the clients. It does not touch the network: an error is one of configuration.
func Connect(o Options) (*Cluster, error) {
	loader := o.Flags.ToRawKubeConfigLoader()
	raw, err := loader.RawConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	cfg, err := o.Flags.ToRESTConfig()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	namespace, _, err := loader.Namespace()
	if err != nil {
		return nil, fmt.Errorf("load the kubeconfig: %w", err)
	}
	tune(cfg, o)
	lines := newLines()
	cfg.Dial = lines.dialer((&net.Dialer{Timeout: dialLimit, KeepAlive: 30 * time.Second}).DialContext)
	shown := newWitness()
	if err := shown.watch(cfg); err != nil {
		return nil, err
	}
	clients, err := dial(cfg)
	if err != nil {
		return nil, err
	}
	context := currentContext(raw, o.Flags)
	c := New(clients, context, namespace, wanted(o), o.Log)
	c.config, c.witness = cfg, shown
	c.heart.lines = lines
	c.identity.Store(&Identity{User: text.Clean(configUser(raw, context))})
	return c, nil
}

// Clients are the ways in which a cluster is spoken to.
type Clients struct {
	Kubernetes kubernetes.Interface
	Metrics    metricsclient.MetricsV1beta1Interface
	Rows       rest.Interface // lists and watches what rows are made of; nil to have Kubernetes do it
}

// tune sets what a program with a screen needs of a client. There is no client-side rate limit: our requests are few,
// and the server's own priority and fairness is the better judge.
func tune(cfg *rest.Config, o Options) {
	cfg.QPS, cfg.Burst = -1, 0
	cfg.UserAgent = o.UserAgent
	cfg.ContentType = "application/vnd.kubernetes.protobuf"
	cfg.AcceptContentTypes = "application/vnd.kubernetes.protobuf,application/json"
	cfg.WarningHandlerWithContext = o.Warnings
	// Timeout would also end watches.
	cfg.Timeout = 0
}

// wanted is the scope that the flags ask for. A comma separates several namespaces, each of which counts once.
func wanted(o Options) []string {
	var names []string
	if !o.AllNamespaces && o.Flags.Namespace != nil {
		for name := range strings.SplitSeq(*o.Flags.Namespace, ",") {
			if name = strings.TrimSpace(name); name != "" && !slices.Contains(names, name) {
				names = append(names, name)
			}
		}
	}
	if names == nil {
		return []string{metav1.NamespaceAll}
	}
	return names
}

func currentContext(raw clientcmdapi.Config, flags *genericclioptions.ConfigFlags) string {
	if flags.Context != nil && *flags.Context != "" {
		return *flags.Context
	}
	return raw.CurrentContext
}

func configUser(raw clientcmdapi.Config, context string) string {
	if c, ok := raw.Contexts[context]; ok {
		return c.AuthInfo
	}
	return ""
}

// dial makes the clients; the name notwithstanding, no connection is opened.
func dial(cfg *rest.Config) (Clients, error) {
	var out Clients
	client, err := rest.HTTPClientFor(cfg)
	if err != nil {
		return out, fmt.Errorf("make a client for %s: %w", cfg.Host, err)
	}
	if out.Kubernetes, err = kubernetes.NewForConfigAndClient(cfg, client); err != nil {
		return out, fmt.Errorf("make a client for %s: %w", cfg.Host, err)
	}
	if out.Metrics, err = metricsclient.NewForConfigAndClient(cfg, client); err != nil {
		return out, fmt.Errorf("make a metrics client for %s: %w", cfg.Host, err)
	}
	if out.Rows, err = rowsClient(cfg, client); err != nil {
		return out, fmt.Errorf("make a client of nodes and pods for %s: %w", cfg.Host, err)
	}
	return out, nil
}

// rowsClient makes the client for Clients.Rows. Objects that it gives have only what rows need: nothing else may use it.
func rowsClient(cfg *rest.Config, client *http.Client) (rest.Interface, error) {
	own := rest.CopyConfig(cfg)
	own.GroupVersion, own.APIPath = &corev1.SchemeGroupVersion, "/api"
	own.NegotiatedSerializer = newPruning(rest.CodecFactoryForGeneratedClient(scheme.Scheme, scheme.Codecs).WithoutConversion())
	return rest.RESTClientForConfigAndClient(own, client)
}

// NeedsTerminal reports whether a credential plugin may want to ask the operator something, so that it must run once
// before the screen is taken.
func (c *Cluster) NeedsTerminal() bool { return c.config.ExecProvider != nil }

// LogIn asks the server who we are while the terminal is still the operator's, so that a credential plugin can ask what it
// needs; afterwards it can ask no more, since the terminal is the screen's. What it has learnt stays in memory, with the
// clients of the cluster. The plugin may take its time; a server that is then silent is given up soon, without an error:
// that it does not answer is for the screen to show.
func (c *Cluster) LogIn(ctx context.Context) error {
	ctx, stop := context.WithCancelCause(ctx)
	defer stop(nil)
	var asked sync.Once
	ctx = httptrace.WithClientTrace(ctx, &httptrace.ClientTrace{GetConn: func(string) { // the plugin has had its say
		asked.Do(func() { time.AfterFunc(heartbeatLimit*2, func() { stop(errSilent) }) })
	}})
	_, err := c.client.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if exec := c.config.ExecProvider; exec != nil { // the authenticator looks at it whenever it runs the plugin
		exec.StdinUnavailable, exec.StdinUnavailableMessage = true, "the terminal shows ktriage"
	}
	if err == nil || apierrors.IsNotFound(err) || apierrors.IsForbidden(err) || errors.Is(context.Cause(ctx), errSilent) {
		return nil
	}
	return fmt.Errorf("log in: %w", err)
}

var errSilent = errors.New("the API server does not answer")

// Config gives the client configuration, for reading.
func (c *Cluster) Config() *rest.Config { return c.config }

// Probe asks the server who we are, what we may do, and whether the namespaces that were asked for exist: what is worth
// an error message before anybody looks at rows. Servers that do not know SelfSubjectReviews (before 1.28), or forbid it,
// leave the identity unknown; that is no error.
func (c *Cluster) Probe(ctx context.Context) error {
	c.probing.Lock() // a probe of an older scope must not have the last word
	defer c.probing.Unlock()
	ctx, stop := context.WithTimeout(ctx, heartbeatLimit*2)
	defer stop()
	self, err := c.client.AuthenticationV1().SelfSubjectReviews().
		Create(ctx, &authenticationv1.SelfSubjectReview{}, metav1.CreateOptions{})
	if err != nil && (!apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) || Explain(err).Code == ExitCredentials) {
		return fmt.Errorf("ask the API server who we are: %w", err)
	}
	id := *c.identity.Load()
	if err == nil {
		id.User = text.Clean(self.Status.UserInfo.Username)
	}
	if err := c.CheckNamespaces(ctx); err != nil {
		return err
	}
	may := false
	for _, ns := range c.Scope().Namespaces {
		allowed, err := c.allowed(ctx, "delete", "pods", ns)
		if err != nil {
			return err
		}
		may = may || allowed
	}
	id.MayWrite, id.Known = may, true
	c.identity.Store(&id)
	c.touch(Connection)
	return nil
}

// probeAgain is how long after a failed probe the next one is sent.
const probeAgain = 5 * time.Second

// KeepProbing probes until the server has answered, and gives an error only if there is no point in going on: the server
// refuses our credentials, or a namespace does not exist.
func (c *Cluster) KeepProbing(ctx context.Context) error {
	for {
		err := c.Probe(ctx)
		if err == nil || Explain(err).Code > ExitError {
			return err
		}
		select {
		case <-ctx.Done():
			return nil
		case <-time.After(probeAgain):
		}
	}
}

// CheckNamespaces gives an error if the server says for certain that one of the namespaces that are looked at does not
// exist. Listing the rows of such a namespace is no error to the server: there are none.
func (c *Cluster) CheckNamespaces(ctx context.Context) error {
	for _, name := range c.Scope().Namespaces {
		if name == metav1.NamespaceAll {
			continue
		}
		_, err := c.client.CoreV1().Namespaces().Get(ctx, name, metav1.GetOptions{})
		if apierrors.IsNotFound(err) {
			return fmt.Errorf("look at namespace %s: %w", name, err)
		}
	}
	return nil
}

// allowed asks the server whether we may do something. One that does not know the question, or forbids it, is taken for no.
func (c *Cluster) allowed(ctx context.Context, verb, resource, namespace string) (bool, error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{Verb: verb, Resource: resource, Namespace: namespace},
	}}
	answer, err := c.client.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if err != nil && !apierrors.IsNotFound(err) && !apierrors.IsForbidden(err) {
		return false, fmt.Errorf("ask the API server what we may do: %w", err)
	}
	return err == nil && answer.Status.Allowed, nil
}
