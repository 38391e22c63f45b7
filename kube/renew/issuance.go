package renew

import (
	"context"
	"encoding/json"
	"errors"
	"fmt"
	"slices"
	"strings"
	"time"

	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/client-go/kubernetes/scheme"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

const (
	group = "cert-manager.io"
	api   = "/apis/cert-manager.io/v1/namespaces"
	// What `cmctl renew` sets (renewCertificate in github.com/cert-manager/cmctl/pkg/renew).
	issuing, triggered = "Issuing", "ManuallyTriggered"
	triggeredMessage   = "Certificate re-issuance manually triggered"
)

// errChanged says that the Certificate is not as the plan showed it.
var errChanged = errors.New("was changed since the plan was made; nothing was done")

// certificate is a Certificate of cert-manager (cert-manager.io/v1): what is needed of it, and all that it is, to be sent back.
type certificate struct {
	Metadata struct {
		UID             string
		ResourceVersion string
		Generation      int64
	}
	Spec struct {
		SecretName string
		IssuerRef  struct{ Kind, Name string }
		PrivateKey struct{ RotationPolicy string }
	}
	Status struct {
		Conditions []struct{ Type, Status, Reason, Message string }
		Revision   int64
		NotAfter   time.Time
		Failed     int       `json:"failedIssuanceAttempts"`
		LastFailed time.Time `json:"lastFailureTime"`
	}
	raw json.RawMessage
}

// read gives the Certificate as it is, and makes sure that it is the one that is meant.
func read(ctx context.Context, c *kube.Cluster, ref kube.Ref) (*certificate, error) {
	raw, err := send.Once(c.Client().CoreV1().RESTClient().Get().AbsPath(api, ref.Namespace, "certificates", ref.Name)).
		SetHeader("Accept", "application/json").Do(ctx).Raw()
	if err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", words(ref.FullName()), err)
	}
	out := &certificate{raw: raw}
	if err := json.Unmarshal(raw, out); err != nil {
		return nil, fmt.Errorf("read certificate %s: %w", words(ref.FullName()), err)
	}
	if out.Metadata.UID != ref.UID {
		return nil, fmt.Errorf("%s %w", words(ref.FullName()), send.ErrReplaced)
	}
	return out, nil
}

// condition gives a condition in words, and whether it is true.
func (c *certificate) condition(kind string) (holds bool, says string) {
	for _, x := range c.Status.Conditions {
		if x.Type == kind {
			return x.Status == "True", words(strings.TrimSuffix(x.Reason+": "+x.Message, ": "))
		}
	}
	return false, ""
}

// planIssuance makes the plan of having cert-manager issue a certificate anew.
func planIssuance(ctx context.Context, c *kube.Cluster, p *action.Plan, cert *kube.Cert) error {
	ref := cert.Issuance.Object
	now, err := read(ctx, c, ref)
	if err != nil {
		return err
	}
	name := words(ref.FullName())
	issuer := orElse(words(now.Spec.IssuerRef.Kind), "Issuer") + " " + words(now.Spec.IssuerRef.Name)
	p.Headline = fmt.Sprintf("cert-manager issues %s anew, by %s, and puts it into Secret %s.", name, issuer, words(now.Spec.SecretName))
	p.Gate, p.Word = "issue "+name+" anew", words(ref.Name)
	p.Kubectl = []string{command("cmctl", "renew", ref.Name, "-n", ref.Namespace, "--context", p.Target.Context)}
	p.Details["certificate"], p.Details["issuer"] = name, issuer
	p.Facts = append(p.Facts, issuanceFacts(now, cert, p.Made)...)
	if copies := copiesOf(cert, ref.Namespace, now.Spec.SecretName); len(copies) > 0 {
		p.Facts = append(p.Facts, action.Fact{Name: "copies", Severity: kube.Warning,
			Text: "stay as they are, with the old one: " + strings.Join(copies, ", ")})
	}
	need := action.Need{Verb: "update", Group: group, Resource: "certificates", Subresource: "status", Namespace: ref.Namespace}
	allowed, known, err := action.Allowed(ctx, c, need)
	switch is, says := now.condition(issuing); {
	case err != nil:
		return err
	case known && !allowed:
		p.Refusals = append(p.Refusals, "you may not "+need.String())
	case is:
		p.Refusals = append(p.Refusals, "cert-manager is issuing it already: "+says)
	default:
		p.Watch = true
		p.Work = &issuance{ref: ref, before: now}
	}
	return nil
}

// copiesOf are the Secrets with the same certificate into which cert-manager does not put the new one.
func copiesOf(c *kube.Cert, namespace, secret string) []string {
	var out []string
	for _, p := range c.Places {
		if p.Source == kube.FromSecret && (p.Object.Namespace != namespace || p.Object.Name != secret) && len(out) < mostPlaces {
			out = append(out, p.Where)
		}
	}
	return out
}

func issuanceFacts(now *certificate, cert *kube.Cert, at time.Time) []action.Fact {
	var out []action.Fact
	ready, says := now.condition("Ready")
	state := action.Fact{Name: "now", Text: "Ready"}
	if !ready {
		state = action.Fact{Name: "now", Text: "not Ready: " + orElse(says, "nothing is said"), Severity: kube.Warning}
	}
	if !now.Status.NotAfter.IsZero() {
		state.Text += fmt.Sprintf("; %s, until %s", left(at, now.Status.NotAfter), moment(now.Status.NotAfter))
	}
	out = append(out, state)
	if n := now.Status.Failed; n > 0 {
		out = append(out, action.Fact{Name: "failed", Severity: kube.Warning, Text: fmt.Sprintf(
			"%s, the last %s ago; this does not wait for the next one", text.Plural(n, "attempt", "attempts"), text.Age(at, now.Status.LastFailed))})
	} else if r := cert.Issuance.RenewAt; r.After(at) {
		out = append(out, action.Fact{Name: "else", Text: "cert-manager would renew it by itself at " + moment(r)})
	}
	if cert.Kind == kube.Authority {
		out = append(out, action.Fact{Name: "CA", Severity: kube.Warning,
			Text: "what it has signed is not renewed with it, and whoever trusts only the old one has to be told"})
	}
	key := "whether the key is new too is for cert-manager's default (Always since 1.18, Never before)"
	if policy := words(now.Spec.PrivateKey.RotationPolicy); policy != "" {
		key = map[string]string{"Always": "the key is new too", "Never": "the key stays as it is"}[policy]
	}
	return append(out,
		action.Fact{Name: "key", Text: orElse(key, "rotationPolicy "+words(now.Spec.PrivateKey.RotationPolicy))},
		action.Fact{Name: "then", Text: "programs that read the Secret only once have to be restarted"},
		action.Fact{Name: "limit", Text: "public CAs allow only a few of the same names each week"},
		action.Fact{Name: "undo", Text: "none"})
}

// issuance is the work: one request, and then it is followed.
type issuance struct {
	ref    kube.Ref
	before *certificate
}

// trigger sets the condition as cmctl does. It is sent once, with the UID and the version of what the plan showed.
func (w *issuance) trigger(ctx context.Context, c *kube.Cluster) error {
	body, err := w.before.triggered(time.Now())
	if err != nil {
		return err
	}
	sent := time.Now()
	err = send.Once(c.Client().CoreV1().RESTClient().Put().AbsPath(api, w.ref.Namespace, "certificates", w.ref.Name, "status")).
		VersionedParams(&metav1.UpdateOptions{FieldManager: send.FieldManager}, scheme.ParameterCodec).
		SetHeader("Content-Type", "application/json").SetHeader("Accept", "application/json").Body(body).Do(ctx).Error()
	name := words(w.ref.FullName())
	switch {
	case err == nil:
		return nil
	case apierrors.IsNotFound(err), apierrors.IsConflict(err), apierrors.IsInvalid(err):
		return w.inBetween(ctx, c, err)
	case send.NotSettled(err):
		_, err = send.Settle(ctx, sent, err, func(ctx context.Context) (bool, error) {
			now, err := read(ctx, c, w.ref)
			if err != nil {
				return false, err
			}
			is, _ := now.condition(issuing)
			return is || now.Status.Revision != w.before.Status.Revision, nil
		})
	}
	if err != nil {
		return fmt.Errorf("have %s issued anew: %w", name, err)
	}
	return nil
}

// triggered is the Certificate as it was read, with the condition set (SetCertificateCondition in
// github.com/cert-manager/cert-manager/pkg/api/util/conditions.go). It is only made of one that is not being issued.
func (c *certificate) triggered(now time.Time) ([]byte, error) {
	var whole map[string]any
	numbers := json.NewDecoder(strings.NewReader(string(c.raw)))
	numbers.UseNumber()
	if err := numbers.Decode(&whole); err != nil {
		return nil, err
	}
	status, _ := whole["status"].(map[string]any)
	if status == nil {
		status = map[string]any{}
		whole["status"] = status
	}
	conditions, _ := status["conditions"].([]any)
	is := map[string]any{
		"type": issuing, "status": "True", "reason": triggered, "message": triggeredMessage,
		"lastTransitionTime": now.UTC().Format(time.RFC3339), "observedGeneration": c.Metadata.Generation,
	}
	i := slices.IndexFunc(conditions, func(x any) bool {
		m, _ := x.(map[string]any)
		return m["type"] == issuing
	})
	if i < 0 {
		conditions = append(conditions, is)
	} else {
		conditions[i] = is
	}
	status["conditions"] = conditions
	return json.Marshal(whole)
}

// inBetween says what somebody has done to the Certificate, so that our request was refused. That it is being issued already is
// what was wanted.
func (w *issuance) inBetween(ctx context.Context, c *kube.Cluster, refused error) error {
	now, err := read(ctx, c, w.ref)
	if err != nil {
		return err
	}
	if is, _ := now.condition(issuing); is || now.Status.Revision != w.before.Status.Revision {
		return nil
	}
	if now.Metadata.ResourceVersion != w.before.Metadata.ResourceVersion {
		return fmt.Errorf("%s %w", words(w.ref.FullName()), errChanged)
	}
	return fmt.Errorf("have %s issued anew: %w", words(w.ref.FullName()), refused)
}
