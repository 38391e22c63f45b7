package action

import (
	"context"
	"fmt"
	"strings"
	"sync"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/safe"
	"ktriage/internal/text"
	"ktriage/kube"
)

// access is what the server says that we may do (SelfSubjectAccessReview, authorization.k8s.io/v1). What it has not been
// asked, or has not answered, is allowed as far as anybody knows: the server itself refuses what it does not allow.
type access struct {
	cluster *kube.Cluster
	changed func()

	mu      sync.Mutex
	answers map[Need]answer
}

type answer struct {
	allowed bool
	at      time.Time
}

const (
	// accessLimit bounds one question.
	accessLimit = 10 * time.Second
	// accessLife is how long an answer is believed before a key press has it asked again.
	accessLife = 30 * time.Second
)

// ask asks the server for all needs at once. The error is that of the first question that has no answer.
func (a *access) ask(ctx context.Context, needs []Need) error {
	ctx, stop := context.WithTimeout(ctx, accessLimit)
	defer stop()
	errs := make(chan error, len(needs))
	for _, n := range needs {
		safe.Go("access", func() { errs <- a.askOne(ctx, n) })
	}
	var first error
	for range needs {
		if err := <-errs; err != nil && first == nil {
			first = err
		}
	}
	a.changed()
	return first
}

func (a *access) askOne(ctx context.Context, n Need) error {
	allowed, known, err := Allowed(ctx, a.cluster, n)
	if err != nil || !known {
		return err
	}
	a.mu.Lock()
	a.answers[n] = answer{allowed, time.Now()}
	a.mu.Unlock()
	return nil
}

// Allowed asks the server whether we may do something; known is false where it does not know the question, or forbids it.
// It is for a Plan that needs what only the object tells; everything else belongs into Needs.
func Allowed(ctx context.Context, c *kube.Cluster, n Need) (allowed, known bool, err error) {
	review := &authorizationv1.SelfSubjectAccessReview{Spec: authorizationv1.SelfSubjectAccessReviewSpec{
		ResourceAttributes: &authorizationv1.ResourceAttributes{
			Verb: n.Verb, Group: n.Group, Resource: n.Resource, Subresource: n.Subresource, Namespace: n.Namespace, Name: n.Name,
		},
	}}
	said, err := c.Client().AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, review, metav1.CreateOptions{})
	if apierrors.IsNotFound(err) || apierrors.IsForbidden(err) {
		return false, false, nil
	}
	if err != nil {
		return false, false, fmt.Errorf("ask whether we may %s: %w", n, err)
	}
	return said.Status.Allowed, true, nil
}

// missing gives the needs that the server has said no to, and when it said so first.
func (a *access) missing(needs []Need) (denied []Need, at time.Time) {
	a.mu.Lock()
	defer a.mu.Unlock()
	for _, n := range needs {
		if said, ok := a.answers[n]; ok && !said.allowed {
			denied = append(denied, n)
			if at.IsZero() || said.at.Before(at) {
				at = said.at
			}
		}
	}
	return denied, at
}

// may reports whether the server has allowed all needs, and whether it has answered all of them.
func (a *access) may(needs []Need) (allowed, known bool) {
	a.mu.Lock()
	defer a.mu.Unlock()
	allowed, known = true, true
	for _, n := range needs {
		said, ok := a.answers[n]
		known, allowed = known && ok, allowed && said.allowed
	}
	return allowed, known
}

// why gives the reason for which the needs are not met, "" if they are as far as known.
func (a *access) why(needs []Need, local *time.Location) string {
	denied, at := a.missing(needs)
	if len(denied) == 0 {
		return ""
	}
	who := "you"
	if user := a.cluster.Identity().User; user != "" {
		who = "you (" + text.Clean(user) + ")"
	}
	words := make([]string, len(denied))
	for i, n := range denied {
		words[i] = n.String()
	}
	return fmt.Sprintf("%s may not %s; asked the server at %s", who, strings.Join(words, ", "), at.In(local).Format(time.TimeOnly))
}

// old reports whether a denial is so old that it is worth asking again.
func (a *access) old(needs []Need) bool {
	denied, at := a.missing(needs)
	return len(denied) > 0 && time.Since(at) > accessLife
}
