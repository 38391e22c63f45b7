package drain

import (
	"context"
	"errors"
	"fmt"
	"net/http"
	"strings"
	"time"

	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"ktriage/kube"
	"ktriage/kube/live"
)

// askLimit is how long one question to the server may take.
const askLimit = 30 * time.Second

// ask has the server try each eviction without doing it, and keeps what it refuses. Each pod is asked alone: a dry run
// decrements no budget.
func (p *Plan) ask(ctx context.Context, client kubernetes.Interface) error {
	var (
		tasks   []live.Task
		refused []*string
	)
	for _, pod := range p.pods() {
		if !pod.Fate.Goes() {
			continue
		}
		answer := new(string)
		refused = append(refused, answer)
		tasks = append(tasks, func(ctx context.Context) { *answer = refusal(pod, dryRun(ctx, client, pod, p.Settings.Grace)) })
	}
	live.Each(ctx, tasks)
	if ctx.Err() != nil {
		return fmt.Errorf("ask the server's dry run: %w", context.Cause(ctx))
	}
	p.Tested, p.DryRun = true, []string{}
	for _, answer := range refused {
		if *answer != "" {
			p.DryRun = append(p.DryRun, *answer)
		}
	}
	return nil
}

// dryRun is an eviction that changes nothing. It says so twice, in the query and in the body, so that nothing on the way
// that drops one of them makes a real eviction of it.
func dryRun(ctx context.Context, client kubernetes.Interface, pod *Pod, grace time.Duration) error {
	uid := types.UID(pod.UID)
	eviction := &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: pod.Namespace, Name: pod.Name},
		DeleteOptions: &metav1.DeleteOptions{
			DryRun: []string{metav1.DryRunAll}, Preconditions: &metav1.Preconditions{UID: &uid},
		},
	}
	if seconds := int64(grace / time.Second); seconds > 0 {
		eviction.DeleteOptions.GracePeriodSeconds = &seconds
	}
	return client.PolicyV1().RESTClient().Post().AbsPath("/api/v1").Namespace(pod.Namespace).Resource("pods").Name(pod.Name).
		SubResource("eviction").Param("dryRun", metav1.DryRunAll).MaxRetries(0).Timeout(askLimit).Body(eviction).Do(ctx).Error()
}

// refusal makes a sentence of what the server answers, "" if it would let the pod go.
func refusal(pod *Pod, err error) string {
	name := pod.Ref().FullName()
	if err == nil {
		return ""
	}
	if apierrors.IsNotFound(err) || apierrors.IsConflict(err) {
		return name + ": it is gone, or another pod has its name"
	}
	if cause, ok := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause); ok {
		return name + ": " + whole(cause.Message)
	}
	var status apierrors.APIStatus
	if errors.As(err, &status) && status.Status().Code != http.StatusTooManyRequests {
		return name + ": " + strings.TrimRight(whole(status.Status().Message), ".")
	}
	return name + ": " + strings.TrimRight(whole(kube.Explain(err).Sentence), ".")
}
