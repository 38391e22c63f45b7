package certs

import (
	"context"
	"fmt"
	"slices"
	"strings"

	admissionv1 "k8s.io/api/admissionregistration/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
)

// webhookSources are the bundles by which the API server trusts admission webhooks [15].
func (i *Inventory) webhookSources() []*source {
	return []*source{
		{name: "validating webhooks", where: "validatingwebhookconfigurations", every: everyList, read: i.readValidating},
		{name: "mutating webhooks", where: "mutatingwebhookconfigurations", every: everyList, read: i.readMutating},
	}
}

func (i *Inventory) readValidating(ctx context.Context, put func(...finding)) error {
	return pages(func(token string) (string, error) {
		l, err := i.cluster.Client().AdmissionregistrationV1().ValidatingWebhookConfigurations().List(ctx, pageAt(token))
		if err != nil {
			return "", fmt.Errorf("list validatingwebhookconfigurations: %w", err)
		}
		for k := range l.Items {
			for n := range l.Items[k].Webhooks {
				put(validating(&l.Items[k].ObjectMeta, &l.Items[k].Webhooks[n]).findings()...)
			}
		}
		return l.Continue, nil
	})
}

func (i *Inventory) readMutating(ctx context.Context, put func(...finding)) error {
	return pages(func(token string) (string, error) {
		l, err := i.cluster.Client().AdmissionregistrationV1().MutatingWebhookConfigurations().List(ctx, pageAt(token))
		if err != nil {
			return "", fmt.Errorf("list mutatingwebhookconfigurations: %w", err)
		}
		for k := range l.Items {
			for n := range l.Items[k].Webhooks {
				put(mutating(&l.Items[k].ObjectMeta, &l.Items[k].Webhooks[n]).findings()...)
			}
		}
		return l.Continue, nil
	})
}

func pageAt(token string) metav1.ListOptions {
	return metav1.ListOptions{Limit: pageSize, Continue: token}
}

func validating(in *metav1.ObjectMeta, w *admissionv1.ValidatingWebhook) webhook {
	return webhook{
		"validatingwebhookconfiguration", in, w.Name, w.ClientConfig.CABundle, w.FailurePolicy, w.Rules,
		w.NamespaceSelector, w.ObjectSelector, w.MatchConditions,
	}
}

func mutating(in *metav1.ObjectMeta, w *admissionv1.MutatingWebhook) webhook {
	return webhook{
		"mutatingwebhookconfiguration", in, w.Name, w.ClientConfig.CABundle, w.FailurePolicy, w.Rules,
		w.NamespaceSelector, w.ObjectSelector, w.MatchConditions,
	}
}

// webhook is what validating and mutating webhooks have in common.
type webhook struct {
	kind       string
	in         *metav1.ObjectMeta
	name       string
	pem        []byte
	policy     *admissionv1.FailurePolicyType
	rules      []admissionv1.RuleWithOperations
	namespaces *metav1.LabelSelector
	objects    *metav1.LabelSelector
	conditions []admissionv1.MatchCondition
}

func (w webhook) findings() []finding {
	if len(w.pem) == 0 {
		return nil // the roots of the API server's machine
	}
	object := meta{name: w.in.Name, uid: string(w.in.UID)}
	place := objectPlace(&object, w.kind, "webhook", short(w.name)+" CA")
	place.Breaks = w.writes() + " are not checked"
	if w.kind == "mutatingwebhookconfiguration" {
		place.Breaks = w.writes() + " are not changed as they should be"
	}
	if w.policy == nil || *w.policy == admissionv1.Fail { // the default in v1
		place.Danger, place.Breaks = kube.BlocksWrites, w.writes()+" are refused"
	}
	return seen{}.anchors(w.kind+" "+w.in.Name+"/"+w.name, place, w.pem)
}

// writes says which writes the webhook is asked about: "create/update pods in namespaces with env=prod".
func (w webhook) writes() string {
	const most = 3
	var out []string
	for n := range w.rules {
		if r := ruleText(&w.rules[n]); !slices.Contains(out, r) {
			out = append(out, r)
		}
	}
	if more := len(out) - most; more > 0 {
		out = append(out[:most], fmt.Sprintf("%d more", more))
	}
	said := strings.Join(out, ", ")
	if ns, one := oneNamespace(w.namespaces); one {
		said += " in namespace " + ns
	} else if s := selectorText(w.namespaces); s != "" {
		said += " in namespaces with " + s
	}
	if s := selectorText(w.objects); s != "" {
		said += " of objects with " + s
	}
	if len(w.conditions) > 0 {
		said += " under its matchConditions"
	}
	return short(said)
}

// ruleText is a rule in words: "create/update pods, deployments.apps".
func ruleText(r *admissionv1.RuleWithOperations) string {
	var verbs []string
	for _, o := range r.Operations {
		verbs = append(verbs, strings.ToLower(string(o)))
	}
	if slices.Contains(verbs, "*") {
		verbs = []string{"create", "update", "delete", "connect"}
	}
	var things []string
	for _, g := range r.APIGroups {
		for _, resource := range r.Resources {
			things = append(things, thing(g, resource))
		}
	}
	const most = 4
	if more := len(things) - most; more > 0 {
		things = append(things[:most], fmt.Sprintf("%d more", more))
	}
	return strings.Join(verbs, "/") + " " + strings.Join(things, ", ")
}

// thing names resources of a group as kubectl does: "pods", "deployments.apps", "everything".
func thing(group, resource string) string {
	switch all := resource == "*" || resource == "*/*"; {
	case all && group == "*":
		return "everything"
	case all && group == "":
		return "everything of the core group"
	case all:
		return "everything of " + group
	case group == "" || group == "*":
		return resource
	}
	base, sub, nested := strings.Cut(resource, "/")
	if nested {
		sub = "/" + sub
	}
	return base + "." + group + sub
}

// oneNamespace gives the namespace that a selector names.
func oneNamespace(s *metav1.LabelSelector) (name string, one bool) {
	if s == nil || len(s.MatchLabels) != 1 || len(s.MatchExpressions) > 0 {
		return "", false
	}
	name, one = s.MatchLabels[corev1.LabelMetadataName]
	return name, one
}

// selectorText is a selector as kubectl prints it, "" for one that takes everything.
func selectorText(s *metav1.LabelSelector) string {
	if s == nil || len(s.MatchLabels)+len(s.MatchExpressions) == 0 {
		return ""
	}
	return metav1.FormatLabelSelector(s)
}
