package kubetest_test

import (
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	authorizationv1 "k8s.io/api/authorization/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"

	"ktriage/kube/kubetest"
)

func serving(t *testing.T, test func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		ctx, stop := context.WithCancel(context.Background())
		s := kubetest.New()
		defer func() {
			stop()
			synctest.Wait()
		}()
		test(ctx, s, s.Clients().Kubernetes)
	})
}

func pod(name, node string) *corev1.Pod {
	seconds := int64(20)
	return &corev1.Pod{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name), Labels: map[string]string{"app": "web"}},
		Spec:       corev1.PodSpec{NodeName: node, TerminationGracePeriodSeconds: &seconds},
		Status: corev1.PodStatus{
			Phase: corev1.PodRunning, Conditions: []corev1.PodCondition{{Type: corev1.PodReady, Status: corev1.ConditionTrue}},
		},
	}
}

func budget(name string, allowed int32) *policyv1.PodDisruptionBudget {
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)},
		Spec:       policyv1.PodDisruptionBudgetSpec{Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}},
		Status:     policyv1.PodDisruptionBudgetStatus{DisruptionsAllowed: allowed, DesiredHealthy: 2, CurrentHealthy: 2 + allowed},
	}
}

func evict(ctx context.Context, c kubernetes.Interface, name, uid string) error {
	id := types.UID(uid)
	return c.PolicyV1().Evictions("shop").Evict(ctx, &policyv1.Eviction{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: name}, DeleteOptions: &metav1.DeleteOptions{Preconditions: &metav1.Preconditions{UID: &id}},
	})
}

func TestEvictedPodGoesAtTheEndOfItsGrace(t *testing.T) {
	serving(t, func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface) {
		s.Put(pod("web-1", "w1"))
		if err := evict(ctx, c, "web-1", "uid-web-1"); err != nil {
			t.Error(err)
		}
		got, err := c.CoreV1().Pods("shop").Get(ctx, "web-1", metav1.GetOptions{})
		if err != nil || got.DeletionTimestamp == nil || *got.DeletionGracePeriodSeconds != 20 {
			t.Errorf("it is %+v, %v", got.ObjectMeta, err)
		}
		<-time.After(21 * time.Second)
		synctest.Wait()
		if err := evict(ctx, c, "web-1", "uid-web-1"); !apierrors.IsNotFound(err) {
			t.Errorf("an eviction of a pod that is gone gives %v", err)
		}
		if len(s.Accepted()) != 1 {
			t.Errorf("accepted %v", s.Accepted())
		}
	})
}

func TestEvictionIsHeldToUIDAndBudgets(t *testing.T) {
	serving(t, func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface) {
		s.Put(pod("web-1", "w1"), pod("web-2", "w1"), pod("web-3", "w1"))
		if err := evict(ctx, c, "web-1", "another"); !apierrors.IsConflict(err) {
			t.Errorf("another UID gives %v", err)
		}
		s.Put(budget("web", 1))
		if err := evict(ctx, c, "web-1", "uid-web-1"); err != nil {
			t.Error(err)
		}
		err := evict(ctx, c, "web-2", "uid-web-2")
		cause, ok := apierrors.StatusCause(err, policyv1.DisruptionBudgetCause)
		if !apierrors.IsTooManyRequests(err) || !ok || !strings.Contains(cause.Message, "web needs 2 healthy pods") {
			t.Errorf("a budget that is used up gives %v, %v", err, cause)
		}
		s.Put(budget("more", 1))
		err = evict(ctx, c, "web-2", "uid-web-2")
		if !apierrors.IsInternalError(err) || !strings.Contains(err.Error(), "more than one PodDisruptionBudget") {
			t.Errorf("two budgets give %v", err)
		}
	})
}

func TestRepliesTakeThePlaceOfTheServersOwn(t *testing.T) {
	serving(t, func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface) {
		s.Put(pod("web-1", "w1"))
		s.Evictions(func(e kubetest.Eviction) kubetest.Reply {
			if e.Try == 1 {
				return kubetest.Reply{Err: errors.New("reset")}
			}
			return kubetest.Reply{Status: &metav1.Status{Code: 500, Message: "etcd"}, Done: true}
		})
		if err := evict(ctx, c, "web-1", "uid-web-1"); err == nil || s.Pods()[0].DeletionTimestamp != nil {
			t.Errorf("a broken connection gives %v, and the pod is %v", err, s.Pods()[0].DeletionTimestamp)
		}
		if err := evict(ctx, c, "web-1", "uid-web-1"); !apierrors.IsInternalError(err) || s.Pods()[0].DeletionTimestamp == nil {
			t.Errorf("an error after the work gives %v, and the pod is %v", err, s.Pods()[0].DeletionTimestamp)
		}
	})
}

func TestPodsAreSelectedByTheirNode(t *testing.T) {
	serving(t, func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface) {
		s.Put(pod("web-1", "w1"), pod("web-2", "w2"))
		only := metav1.ListOptions{FieldSelector: "spec.nodeName=w2"}
		list, err := c.CoreV1().Pods("").List(ctx, only)
		if err != nil || len(list.Items) != 1 || list.Items[0].Name != "web-2" {
			t.Errorf("listed %v, %v", list.Items, err)
		}
		only.ResourceVersion = list.ResourceVersion
		w, err := c.CoreV1().Pods("").Watch(ctx, only)
		if err != nil {
			t.Error(err)
			return
		}
		defer w.Stop()
		s.Put(pod("web-3", "w1"), pod("web-4", "w2"))
		if e := <-w.ResultChan(); e.Object.(*corev1.Pod).Name != "web-4" {
			t.Errorf("watched %v", e.Object)
		}
		s.Compact()
		s.Put(pod("web-5", "w2"))
		if w, err := c.CoreV1().Pods("").Watch(ctx, only); !apierrors.IsResourceExpired(err) {
			t.Errorf("a watch from before gives %v, %v", w, err)
		}
	})
}

func TestPatchIsHeldToTheUID(t *testing.T) {
	serving(t, func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface) {
		s.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "w1", UID: "uid-w1"}})
		patch := func(body string) error {
			_, err := c.CoreV1().Nodes().Patch(ctx, "w1", types.StrategicMergePatchType, []byte(body), metav1.PatchOptions{})
			return err
		}
		if err := patch(`{"metadata":{"uid":"another"},"spec":{"unschedulable":true}}`); !apierrors.IsConflict(err) || s.Node("w1").Spec.Unschedulable {
			t.Errorf("another UID gives %v", err)
		}
		if err := patch(`{"metadata":{"uid":"uid-w1"},"spec":{"unschedulable":true}}`); err != nil || !s.Node("w1").Spec.Unschedulable {
			t.Errorf("the patch gives %v", err)
		}
		if err := patch(`{"spec":{"unschedulable":null}}`); err != nil || s.Node("w1").Spec.Unschedulable {
			t.Errorf("the patch back gives %v", err)
		}
	})
}

func TestWhatIsDeniedIsSaidWhenAsked(t *testing.T) {
	serving(t, func(ctx context.Context, s *kubetest.Server, c kubernetes.Interface) {
		s.Deny("create pods/eviction in shop")
		may := func(namespace string) bool {
			answer, err := c.AuthorizationV1().SelfSubjectAccessReviews().Create(ctx, &authorizationv1.SelfSubjectAccessReview{
				Spec: authorizationv1.SelfSubjectAccessReviewSpec{ResourceAttributes: &authorizationv1.ResourceAttributes{
					Verb: "create", Resource: "pods", Subresource: "eviction", Namespace: namespace,
				}},
			}, metav1.CreateOptions{})
			if err != nil {
				t.Error(err)
			}
			return answer.Status.Allowed
		}
		if may("shop") || !may("auth") {
			t.Errorf("shop %v, auth %v", may("shop"), may("auth"))
		}
	})
}
