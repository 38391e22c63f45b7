package rollout_test

import (
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// gaveUp is what the controller says of a Deployment that has not come on.
func gaveUp(ago time.Duration) appsv1.DeploymentCondition {
	return appsv1.DeploymentCondition{
		Type: appsv1.DeploymentProgressing, Status: corev1.ConditionFalse, Reason: "ProgressDeadlineExceeded", Message: "timed out",
		LastUpdateTime: metav1.NewTime(time.Now().Add(-ago)),
	}
}

// A controller that has given up says so until something happens (DeploymentTimedOut of pkg/controller/deployment/util).
func TestRollBackOfARolloutThatHasGivenUpIsNotStuckBecauseOfThat(t *testing.T) {
	for name, c := range map[string]struct {
		then  func(d *appsv1.Deployment)
		state action.State
		says  string
	}{
		"it comes on": {func(d *appsv1.Deployment) { d.Status.UpdatedReplicas, d.Status.Conditions = 3, nil }, action.Done, "rolled back"},
		"it gives up anew": {func(d *appsv1.Deployment) {
			d.Status.Conditions = []appsv1.DeploymentCondition{gaveUp(0)}
		}, action.Partial, "shop/web: stuck: 0 of 3 updated, 3 available, 3 old; no progress within its deadline: timed out"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				d := b.deployment("web", 3, func(d *appsv1.Deployment) {
					d.Status.UpdatedReplicas, d.Status.Conditions = 1, []appsv1.DeploymentCondition{gaveUp(time.Hour)}
				})
				b.replicaSet(d, 1, template("web", "web:1"), "")
				b.replicaSet(d, 2, d.Spec.Template, "")
				p := b.plan(action.RollBack, nil, ref(kube.Deployments, "web"))
				time.AfterFunc(2*time.Second, func() {
					b.change("web", func(d *appsv1.Deployment) { d.Status.ObservedGeneration, d.Status.UpdatedReplicas = d.Generation, 0 })
				})
				time.AfterFunc(9*time.Second, func() { b.change("web", c.then) })
				began := time.Now()
				result, _ := b.carryOut(b.t.Context(), p)
				if took := time.Since(began); result.State != c.state || !strings.HasPrefix(result.Summary, c.says) ||
					took < 9*time.Second {
					b.t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
				}
			})
		})
	}
}

func TestObjectThatCannotBeReadAnyMoreIsGivenUpAfterTenMinutes(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("a", 3)
		b.deployment("b", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "a"), ref(kube.Deployments, "b"))
		time.AfterFunc(2*time.Second, func() {
			b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "not any more"},
				"/deployments/a"))
		})
		began := time.Now()
		result, steps := b.carryOut(b.t.Context(), p)
		if took := time.Since(began); result.State != action.Partial || took < 10*time.Minute || took > 11*time.Minute {
			t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
		}
		if steps[0].State != action.StepAccepted || !strings.HasPrefix(steps[0].Note, "cannot be read: ") ||
			steps[1].State != action.StepLeft || len(b.Sent()) != 1 {
			t.Errorf("a: %v: %q, b: %v", steps[0].State, steps[0].Note, steps[1].State)
		}
	})
}

func TestObjectThatVanishesWhileTheAnswerIsOutstandingMayHaveBeenChanged(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Delete(b.get("web"))
			return reset(r, on)
		}
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Unknown || steps[0].State != action.StepUnknown {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
	})
}

// What is watched is what the request has made, and not what is found a moment later.
func TestTemplateThatIsChangedRightAfterARollBackIsNotTakenForIt(t *testing.T) {
	onBench(t, func(b *bench) {
		d := b.deployment("web", 3)
		b.replicaSet(d, 1, template("web", "web:1"), "")
		p := b.plan(action.RollBack, nil, ref(kube.Deployments, "web"))
		b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			response, err := on()
			b.change("web", func(d *appsv1.Deployment) {
				d.Spec.Template.Spec.Containers[0].Image, d.Status.ObservedGeneration = "web:7", d.Generation
			})
			return response, err
		}
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Partial || steps[0].Note != "somebody has changed its template since" {
			t.Errorf("ended as %v: %q", result.State, steps[0].Note)
		}
	})
}

func TestSheetCountsOnlyThePodsThatAreReplaced(t *testing.T) {
	partition := func(n int32) func(*appsv1.StatefulSet) {
		return func(s *appsv1.StatefulSet) {
			s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &n}
		}
	}
	for name, c := range map[string]struct {
		replicas  int32
		change    []func(*appsv1.StatefulSet)
		foot, not string
	}{
		"all": {3, nil, "3 pods are replaced", "no pod"},
		"OnDelete": {3, []func(*appsv1.StatefulSet){func(s *appsv1.StatefulSet) {
			s.Spec.UpdateStrategy.Type = "OnDelete"
		}}, "0 pods are replaced", "its 3 pods"},
		"partition":             {3, []func(*appsv1.StatefulSet){partition(2)}, "1 pod is replaced", "its 3 pods"},
		"partition of all":      {3, []func(*appsv1.StatefulSet){partition(9)}, "0 pods are replaced", "its 3 pods"},
		"partition of the only": {1, []func(*appsv1.StatefulSet){partition(1)}, "0 pods are replaced", "is down"},
		"ordinals from 5": {3, []func(*appsv1.StatefulSet){partition(6), func(s *appsv1.StatefulSet) {
			s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
		}}, "2 pods are replaced", "its 3 pods"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.statefulSet(c.replicas, c.change...)
				b.revision("StatefulSet", 1, template("x", "x:1"))
				for _, id := range []action.ID{action.Restart, action.RollBack} {
					p := b.plan(id, nil, ref(kube.StatefulSets, "x"))
					if got := text(p); p.Foot != c.foot || strings.Contains(got, c.not) {
						b.t.Errorf("%s: %q:\n%s", id, p.Foot, got)
					}
				}
			})
		})
	}
}

func TestRollBackWarnsOfAnOutageAsRestartDoes(t *testing.T) {
	onBench(t, func(b *bench) {
		b.statefulSet(1, func(s *appsv1.StatefulSet) {
			s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{Spec: corev1.PersistentVolumeClaimSpec{
				AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
			}}}
		})
		b.revision("StatefulSet", 1, template("x", "x:1"))
		for _, id := range []action.ID{action.Restart, action.RollBack} {
			if p := b.plan(id, nil, ref(kube.StatefulSets, "x")); p.Tier != action.Write {
				t.Errorf("%s is of tier %v", id, p.Tier)
			}
		}
	})
}

func TestDifferencesStandInTheSameOrderEachTime(t *testing.T) {
	onBench(t, func(b *bench) {
		d := b.deployment("web", 1)
		old := template("web", "web:2")
		old.Labels["tier"], old.Annotations = "front", map[string]string{"a": "b"}
		b.replicaSet(d, 1, old, "")
		for range 20 {
			got := text(b.plan(action.RollBack, nil, ref(kube.Deployments, "web")))
			if !strings.Contains(got, "labels: +tier\nannotations: +a\n") {
				t.Fatalf("the sheet says:\n%s", got)
			}
		}
	})
}
