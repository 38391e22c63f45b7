package scale

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/labels"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

var forbidden = metav1.Status{Code: http.StatusForbidden, Reason: metav1.StatusReasonForbidden, Message: "no"}

// replicaSet makes a ReplicaSet of its own with pods that are well.
func (b *bench) replicaSet(replicas int32) *appsv1.ReplicaSet {
	rs := &appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-web", Generation: 1}}
	rs.Spec.Replicas, rs.Spec.Selector = &replicas, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
	rs.Spec.Template.Labels = map[string]string{"app": "web"}
	rs.Status = appsv1.ReplicaSetStatus{ObservedGeneration: 1, Replicas: replicas, ReadyReplicas: replicas, AvailableReplicas: replicas}
	b.Put(rs)
	for n := range replicas {
		b.Put(pod(rs, "ReplicaSet", fmt.Sprintf("web-%d", n)))
	}
	return rs
}

func (b *bench) planOf(kind kube.Kinds, to string) *action.Plan {
	b.t.Helper()
	ref := kube.Ref{Kind: kind, Namespace: "shop", Name: "web", UID: "uid-web"}
	p, err := New().Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: []kube.Ref{ref}}, action.Options{OptionReplicas + "uid-web": to})
	if err != nil {
		b.t.Fatal(err)
	}
	return p
}

func evicted(p *corev1.Pod) { p.Status.Phase, p.Status.Reason = corev1.PodFailed, "Evicted" }

// The garbage collector leaves pods that were evicted for a long time; their ReplicaSet does not count them.
func TestPodsThatHaveEndedDoNotKeepARunFromItsEnd(t *testing.T) {
	for name, to := range map[string]int32{"down": 1, "up": 3} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				rs := b.replicaSet(2)
				b.Put(pod(rs, "ReplicaSet", "web-old", evicted))
				c := b.start(b.planOf(kube.ReplicaSets, fmt.Sprint(to)))
				wait(time.Second)
				if to == 1 {
					b.Delete(pod(rs, "ReplicaSet", "web-1"))
				} else {
					b.Put(pod(rs, "ReplicaSet", "web-2"), pod(rs, "ReplicaSet", "web-refused", evicted))
				}
				wait(time.Second) // until the pods have been seen
				rs.Spec.Replicas, rs.Generation = &to, 2
				rs.Status = appsv1.ReplicaSetStatus{ObservedGeneration: 2, Replicas: to, ReadyReplicas: to, AvailableReplicas: to}
				b.Put(rs)
				wait(time.Minute)
				c.cancel() // changes nothing of a run that has ended
				if r := c.end(); r.State != action.Done {
					t.Errorf("%s: %s\n%s", r.State, r.Summary, c.steps())
				}
			})
		})
	}
}

// A member that falls ill beside those that were made does not hold the run for ever.
func TestRunEndsWhereOnlyAnotherPodIsIll(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(2, func(s *appsv1.StatefulSet) { s.Spec.PodManagementPolicy = appsv1.ParallelPodManagement })
		b.Put(pod(s, "StatefulSet", "web-0", ill))
		c := b.start(b.plan("3"))
		wait(time.Second)
		b.controlled()
		b.Put(pod(s, "StatefulSet", "web-0", ill))
		now := b.StatefulSet("shop", "web")
		now.Status.ReadyReplicas, now.Status.AvailableReplicas = 2, 2
		b.Put(now)
		wait(2 * time.Minute)
		c.cancel()
		r := c.end()
		if want := "shop/web: 2 of 3 Ready: web-0 CrashLoopBackOff"; r.State != action.Partial || r.Summary != want || r.Undo == nil {
			t.Errorf("%s: %q, undo %v", r.State, r.Summary, r.Undo)
		}
	})
}

func TestClaimsThatCouldNotBeReadAreNeverCalledGone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Put(claim("web-0", false), claim("web-1", false))
		b.Fail(kubetest.Answer(forbidden, "/persistentvolumeclaims"))
		p := b.plan("1")
		b.Fail(nil)
		for _, s := range p.Sections {
			if s.Title == "cannot be undone" && s.Rows[0].Cells[5] != "claim deleted, disk not known" {
				t.Errorf("%q", s.Rows[0].Cells)
			}
		}
		c := b.start(p)
		wait(time.Second)
		b.controlled()
		if r := c.end(); r.State != action.Done || strings.Contains(r.Summary, "claim") || strings.Contains(c.steps(), "data-web-1") {
			t.Errorf("%s: %s\n%s", r.State, r.Summary, c.steps())
		}
	})
}

// The watch may have its first answer between the look at the pods and the look at whether they are known.
func TestPodsThatWereNotKnownWhenTheyWereLookedAtAreNotGone(t *testing.T) {
	f := &follower{changed: func() {}}
	r := &run{pods: map[string]*follower{"shop": f}}
	r.sort()
	f.set(func() { f.listed = true })
	if _, known := r.live(&Workload{Ref: web}); known {
		t.Error("no pods are said to be there before they were looked at")
	}
	r.sort()
	if _, known := r.live(&Workload{Ref: web}); !known {
		t.Error("they are never known")
	}
}

func TestWhatMayNotBeWatchedIsNotWaitedFor(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		p := b.plan("1")
		b.Fail(kubetest.Answer(forbidden, "/statefulsets"))
		c := b.start(p)
		wait(time.Minute)
		c.cancel()
		if r := c.end(); r.State != action.Partial || r.Summary != "shop/web: you may not watch what comes of it" || r.Undo == nil {
			t.Errorf("%s: %s, undo %v", r.State, r.Summary, r.Undo)
		}
	})
}

func TestDeploymentWhoseReplicaSetsMayNotBeReadIsPlannedByItsNumber(t *testing.T) {
	onBench(t, func(b *bench) {
		d := &appsv1.Deployment{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web", UID: "uid-web"}}
		three := int32(3)
		d.Spec.Replicas, d.Spec.Selector = &three, &metav1.LabelSelector{MatchLabels: map[string]string{"app": "web"}}
		b.Put(d)
		b.Fail(kubetest.Answer(forbidden, "/replicasets"))
		is(t, "down", b.planOf(kube.Deployments, "1").Headline, "shop/web: 3 replicas to 1. 2 pods go; which ones is not known before.")
		is(t, "up", b.planOf(kube.Deployments, "5").Headline, "shop/web: 3 replicas to 5. 2 pods are made.")
	})
}

func TestPodsOfADeploymentWithALongerNameAreNotIts(t *testing.T) {
	w := Workload{Ref: kube.Ref{Kind: kube.Deployments, Name: "web"}, selects: labels.Everything(), revisions: []types.UID{"adopted"}}
	for _, c := range []struct {
		owner, uid, hash string
		ours             bool
	}{
		{"web-5d9c", "new", "5d9c", true}, {"web-api-5d9c", "other", "5d9c", false}, {"web-api-5d9c", "other", "", false}, {"older", "adopted", "", true},
	} {
		p := pod(&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Name: c.owner, UID: types.UID(c.uid)}}, "ReplicaSet", "p")
		p.Labels[appsv1.DefaultDeploymentUniqueLabelKey] = c.hash
		if got := w.owns(p); got != c.ours {
			t.Errorf("%+v: %t", c, got)
		}
	}
}

// What the sheet says of claims and ordinals must hold when the number is sent.
func TestSetThatWouldDoOtherThanPlannedIsNotScaled(t *testing.T) {
	for want, change := range map[string]func(s *appsv1.StatefulSet){
		"whenScaled is Delete now, claims would go that the plan keeps: changed by someone else; nothing was done": withClaims,
		"its ordinals begin at 5, no longer at 0: changed by someone else; nothing was done": func(s *appsv1.StatefulSet) {
			s.Spec.Ordinals = &appsv1.StatefulSetOrdinals{Start: 5}
		},
	} {
		onBench(t, func(b *bench) {
			b.set(3)
			p := b.plan("2")
			s := b.StatefulSet("shop", "web")
			change(s)
			b.Put(s)
			if r := b.start(p).end(); r.State != action.Failed || r.Summary != "shop/web: "+want || b.sent != 0 {
				t.Errorf("%s: %q after %d requests", r.State, r.Summary, b.sent)
			}
		})
	}
}

// whenScaled that is set back to Delete between our patch and our number would cost the claims that the sheet keeps.
func TestPolicyThatIsSetBackBeforeTheNumberStopsIt(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Put(claim("web-1", false))
		p := b.plan("1", OptionRetain)
		b.on(func(n int, send func() (*http.Response, error)) (*http.Response, error) {
			response, err := send()
			s := b.StatefulSet("shop", "web")
			withClaims(s)
			b.Put(s)
			return response, err
		})
		if r := b.start(p).end(); r.State != action.Partial || !strings.Contains(r.Summary, "claims would go that the plan keeps") || b.sent != 1 {
			t.Errorf("%s: %s after %d requests", r.State, r.Summary, b.sent)
		}
	})
}

func TestOutcomeSaysWhatBecameOfThePolicyAndOfTheNumber(t *testing.T) {
	for name, c := range map[string]struct {
		way     func(b *bench, n int, send func() (*http.Response, error)) (*http.Response, error)
		state   action.State
		summary string
	}{
		"number not known": {func(b *bench, n int, send func() (*http.Response, error)) (*http.Response, error) {
			if n == 1 {
				return send()
			}
			b.Fail(kubetest.Refused)
			return reset(n, nil)
		}, action.Unknown, "it is not known whether the number was set; whenScaled is Retain now"},
		"policy not known": {func(b *bench, n int, _ func() (*http.Response, error)) (*http.Response, error) {
			b.Fail(kubetest.Refused)
			return reset(n, nil)
		}, action.Unknown, "it is not known whether whenScaled was set"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.set(2, withClaims)
				b.Put(claim("web-1", false))
				p := b.plan("1", OptionRetain)
				b.on(func(n int, send func() (*http.Response, error)) (*http.Response, error) { return c.way(b, n, send) })
				if r := b.start(p).end(); r.State != c.state || !strings.HasSuffix(r.Summary, c.summary) {
					t.Errorf("%s: %q, want %q", r.State, r.Summary, c.summary)
				}
				b.Fail(nil)
			})
		})
	}
}

func TestCancelWhileClaimsAreReleasedSaysThatNothingWasScaled(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		b.Put(claim("web-1", true))
		c := b.start(b.plan("1", OptionRetain))
		wait(5 * time.Second)
		c.cancel()
		r := c.end()
		if r.State != action.Cancelled || r.Summary != "nothing was scaled; whenScaled is Retain now" || b.sent != 1 {
			t.Errorf("%s: %q after %d requests", r.State, r.Summary, b.sent)
		}
		if got := c.steps(); !strings.HasPrefix(got, "web not done: not scaled; whenScaled is Retain now") {
			t.Error(got)
		}
	})
}

func TestReadingThatIsCancelledHasSetNothing(t *testing.T) {
	if state, note, _ := refused(fmt.Errorf("read: %w", context.Canceled), "the number"); state != action.StepLeft || note != "cancelled before the number was set" {
		t.Errorf("%s: %s", state, note)
	}
}

// Scaling back up does not save the claim of a pod whose deletion has begun.
func TestPodThatIsGoingAndStaysIsSaidToLoseItsClaim(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(2, withClaims)
		b.Put(pod(s, "StatefulSet", "web-2", going), claim("web-2", true), claim("web-1", false))
		p := b.plan("3")
		w := PlanOf(p).Workloads[0]
		is(t, "headline", p.Headline, "shop/web: 2 replicas to 3. The server accepts it, and nothing happens until web-2 has gone and is made again.")
		is(t, "worst", w.notes[0].text, "web-2 is being deleted, and claim data-web-2 with it: both are made again, and the claim is empty")
		is(t, "after", w.Members[2].after(&w), "made again")
	})
}

func TestWhatIsLimitedIsRequested(t *testing.T) {
	spec := corev1.PodSpec{Containers: []corev1.Container{{Resources: corev1.ResourceRequirements{
		Limits:   corev1.ResourceList{"cpu": resource.MustParse("2"), "memory": resource.MustParse("1Gi")},
		Requests: corev1.ResourceList{"memory": resource.MustParse("512Mi")},
	}}, {Resources: corev1.ResourceRequirements{Limits: corev1.ResourceList{"cpu": resource.MustParse("1")}}}}}
	got := defaulted(spec).Containers
	if a, b := got[0].Resources.Requests, got[1].Resources.Requests; a.Cpu().String() != "2" || a.Memory().String() != "512Mi" || b.Cpu().String() != "1" {
		t.Errorf("%v, %v", a, b)
	}
	if len(spec.Containers[0].Resources.Requests) != 1 {
		t.Error("the template has been changed")
	}
}

func TestSheetOfASetSaysWhatKubernetesDoesNotKnow(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		w := PlanOf(b.plan("1")).Workloads[0]
		for _, want := range []string{"which member leads is not known to Kubernetes", "the application itself is completely healthy"} {
			if !strings.Contains(texts(w), want) {
				t.Errorf("%q is not among\n%s", want, texts(w))
			}
		}
	})
}
