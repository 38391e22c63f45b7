package scale

import (
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

func TestPodsGoOneAfterTheOtherAndTheRunSaysWhichIsNext(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(3)
		c := b.start(b.plan("1"))
		wait(time.Second)
		is(t, "steps", c.steps(), "web progressing: accepted: 3 to 1\nweb-2 waits: next\nweb-1 waits: after web-2")
		b.Put(pod(s, "StatefulSet", "web-2", going))
		wait(time.Second)
		is(t, "steps", c.steps(), "web progressing: accepted: 3 to 1\nweb-2 terminating:\nweb-1 waits: after web-2")
		b.Delete(pod(s, "StatefulSet", "web-2"))
		wait(time.Second)
		is(t, "steps", c.steps(), "web progressing: accepted: 3 to 1\nweb-2 gone:\nweb-1 waits: next")
		b.controlled()
		r := c.end()
		if r.State != action.Done || r.Undo == nil || r.Undo.Options[OptionReplicas+"uid-web"] != "3" || b.sent != 1 {
			t.Errorf("%s: %s, undo %+v after %d requests", r.State, r.Summary, r.Undo, b.sent)
		}
		is(t, "steps", c.steps(), "web done: accepted: 3 to 1\nweb-2 gone:\nweb-1 gone:")
	})
}

func TestWhatIsAcceptedIsProgressingUntilItHasHappened(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(1)
		c := b.start(b.plan("2"))
		wait(time.Second)
		b.Put(pod(s, "StatefulSet", "web-1", func(p *corev1.Pod) {
			p.CreationTimestamp, p.Status.Phase = metav1.Now(), corev1.PodPending
			p.Status.Conditions[0].Status = corev1.ConditionFalse
		}))
		wait(time.Second)
		is(t, "steps", c.steps(), "web progressing: accepted: 1 to 2\nweb-1 progressing: Pending")
		b.controlled()
		if r := c.end(); r.State != action.Done {
			t.Errorf("%s: %s", r.State, r.Summary)
		}
		is(t, "steps", c.steps(), "web done: accepted: 1 to 2\nweb-1 done: Ready on worker-1")
	})
}

func wait(d time.Duration) {
	<-time.After(d)
	synctest.Wait()
}

func TestPodThatDoesNotGoIsStuckAfterItsGraceAndHalfAMinute(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(2)
		c := b.start(b.plan("1"))
		b.Put(pod(s, "StatefulSet", "web-1", going, func(p *corev1.Pod) { p.Finalizers = []string{"shop.example/backup"} }))
		wait(75 * time.Second)
		if got := c.steps(); !strings.Contains(got, "web-1 stuck: should have gone ") || !strings.Contains(got, "finalizer shop.example/backup") {
			t.Errorf("steps: %s", got)
		}
		c.cancel()
		c.end()
	})
}

func TestWhatNothingHappensToIsBlockedAfterAMinute(t *testing.T) {
	onBench(t, func(b *bench) {
		s := b.set(3)
		c := b.start(b.plan("2"))
		wait(time.Second)
		b.sawNumber()
		b.Put(pod(s, "StatefulSet", "web-0", ill))
		wait(15 * time.Second)
		if got := c.steps(); !strings.Contains(got, "web-2 waits: waiting for web-0 to be Running and Ready before removing web-2 (") {
			t.Errorf("steps: %s", got)
		}
		wait(time.Minute)
		if got := c.steps(); !strings.Contains(got, "web-2 blocked: waiting for web-0 to be Running and Ready before removing web-2 (7") {
			t.Errorf("steps: %s", got)
		}
		c.cancel()
		r := c.end()
		if got := c.steps(); !strings.HasPrefix(got, "web accepted: accepted: 3 to 2\nweb-2 accepted: ") {
			t.Errorf("steps: %s", got)
		}
		if r.State != action.Cancelled || r.Summary != "1 of 1 set asked; what was accepted goes on" || r.Undo == nil {
			t.Errorf("%s: %s", r.State, r.Summary)
		}
	})
}

func TestObjectThatOnlyItsStatusHasChangedInIsScaledAllTheSame(t *testing.T) {
	for moves, want := range map[int]action.State{3: action.Done, 4: action.Failed} {
		onBench(t, func(b *bench) {
			b.set(2)
			p := b.plan("1")
			b.on(func(n int, send func() (*http.Response, error)) (*http.Response, error) {
				if n <= moves {
					s := b.StatefulSet("shop", "web")
					s.Status.CurrentReplicas = int32(n)
					b.Put(s)
				}
				return send()
			})
			c := b.start(p)
			wait(time.Second)
			if want == action.Done {
				b.controlled()
			}
			if r := c.end(); r.State != want || b.sent != min(moves+1, 4) {
				t.Errorf("%d conflicts: %s: %s after %d requests", moves, r.State, r.Summary, b.sent)
			}
		})
	}
}

func TestNumberThatSomebodyElseSetsBetweenReadingAndWritingStopsIt(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(3)
		p := b.plan("5")
		b.on(func(_ int, send func() (*http.Response, error)) (*http.Response, error) {
			s := b.StatefulSet("shop", "web")
			four := int32(4)
			s.Spec.Replicas = &four
			b.Put(s)
			return send()
		})
		c := b.start(p)
		r := c.end()
		if r.State != action.Failed || !strings.HasSuffix(r.Summary, "replicas changed from 3 to 4 by someone else; nothing was done") || b.sent != 1 || r.Undo != nil {
			t.Errorf("%s: %s after %d requests", r.State, r.Summary, b.sent)
		}
	})
}

func TestAnswerThatIsLostIsLookedUp(t *testing.T) {
	for name, c := range map[string]struct {
		way  func(n int, send func() (*http.Response, error)) (*http.Response, error)
		hurt func(b *bench)
		want action.State
	}{
		"done": {func(n int, send func() (*http.Response, error)) (*http.Response, error) {
			_, _ = send()
			return reset(n, send)
		}, nil, action.Done},
		"not done": {reset, nil, action.Failed},
		"unknown": {reset,
			func(b *bench) {
				b.Fail(kubetest.Answer(metav1.Status{Code: 503, Reason: metav1.StatusReasonServiceUnavailable}, "/scale"))
			}, action.Unknown},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.set(2)
				p := b.plan("1")
				b.on(func(n int, send func() (*http.Response, error)) (*http.Response, error) {
					if c.hurt != nil {
						c.hurt(b)
					}
					return c.way(n, send)
				})
				run := b.start(p)
				wait(2 * time.Second)
				if c.want == action.Done {
					b.controlled()
				}
				if r := run.end(); r.State != c.want || b.sent != 1 {
					t.Errorf("%s: %s after %d requests\n%s", r.State, r.Summary, b.sent, run.steps())
				}
			})
		})
	}
}

func TestRefusalIsToldInTheServersWordsAndNothingStrongerIsTried(t *testing.T) {
	for _, status := range []metav1.Status{
		{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "scaling is frozen until Monday"},
		{Code: 422, Reason: metav1.StatusReasonInvalid, Message: "scaling is frozen until Monday"},
	} {
		onBench(t, func(b *bench) {
			b.set(2)
			p := b.plan("1")
			b.on(func(_ int, send func() (*http.Response, error)) (*http.Response, error) {
				b.Fail(kubetest.Answer(status, "/scale"))
				return send()
			})
			c := b.start(p)
			if r := c.end(); r.State != action.Failed || !strings.Contains(r.Summary, "caling is frozen until Monday") || b.sent != 1 {
				t.Errorf("%d: %s: %s after %d requests", status.Code, r.State, r.Summary, b.sent)
			}
		})
	}
}

func TestCancelWhileTheNumberIsUnderWayEndsAtOnceAndIsUnknown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		p := b.plan("1")
		b.Way = func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			b.sent++
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		c := b.start(p)
		wait(5 * time.Second)
		began := time.Now()
		c.cancel()
		r := c.end()
		if took := time.Since(began); took > 100*time.Millisecond || r.State != action.Unknown || b.sent != 1 {
			t.Errorf("%s: %s after %v and %d requests", r.State, r.Summary, took, b.sent)
		}
	})
}

func TestNothingIsSentOnceTheRunHasBeenToldToEnd(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		p := b.plan("1")
		read := make(chan struct{})
		b.Fail(func(r *http.Request) (*http.Response, bool, error) {
			if strings.HasSuffix(r.URL.Path, "/scale") {
				<-read
			}
			return nil, false, nil
		})
		c := b.start(p)
		wait(time.Second)
		c.cancel()
		synctest.Wait()
		close(read)
		if r := c.end(); r.State != action.Cancelled || r.Summary != "nothing was scaled" || b.sent != 0 {
			t.Errorf("%s: %s after %d requests\n%s", r.State, r.Summary, b.sent, c.steps())
		}
	})
}

func TestEveryRequestCarriesWhatNamesItsObjectForGood(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2, withClaims)
		c := b.start(b.plan("0", OptionRetain))
		wait(time.Second)
		b.controlled()
		c.end()
		var bodies []string
		for _, r := range b.Requests() {
			if r.Method == http.MethodPut || r.Method == http.MethodPatch {
				bodies = append(bodies, r.Method+" "+r.Path+" "+string(r.Body))
				if r.Query.Get("fieldManager") != "ktriage" {
					t.Errorf("%s: %v", r.Path, r.Query)
				}
			}
		}
		if len(bodies) != 2 || !strings.Contains(bodies[0], `{"op":"test","path":"/metadata/uid","value":"uid-web"}`) ||
			!strings.Contains(bodies[0], `{"op":"test","path":"/spec/persistentVolumeClaimRetentionPolicy/whenScaled","value":"Delete"}`) ||
			!strings.Contains(bodies[1], `"uid":"uid-web"`) || !strings.Contains(bodies[1], `"resourceVersion":"`) {
			t.Errorf("%s", strings.Join(bodies, "\n"))
		}
	})
}

func TestPausedRunSendsNothingAndSkippedOnesAreLeft(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(2)
		p := b.plan("1")
		progress := action.NewProgress(func() {})
		progress.Pause(true)
		done := make(chan action.Result, 1)
		go func() { done <- p.Work.Run(b.t.Context(), b.cluster, progress) }()
		wait(time.Minute)
		if b.sent != 0 {
			t.Fatal("a paused run has sent something")
		}
		progress.Skip("uid-web")
		progress.Pause(false)
		if r := <-done; b.sent != 0 || r.State != action.Partial || r.Undo != nil {
			t.Errorf("%s: %s after %d requests", r.State, r.Summary, b.sent)
		}
	})
}

func TestRunSurvivesTheLossOfItsWatches(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(3)
		c := b.start(b.plan("1"))
		wait(time.Second)
		b.Fail(kubetest.Refused)
		wait(20 * time.Second)
		b.controlled() // while nobody looks
		b.Fail(nil)
		b.Compact()
		if r := c.end(); r.State != action.Done {
			t.Errorf("%s: %s\n%s", r.State, r.Summary, c.steps())
		}
	})
}

func TestRunSaysThatAWatchIsLostUntilItIsBack(t *testing.T) {
	onBench(t, func(b *bench) {
		b.set(1)
		r := &run{cluster: b.cluster, wake: make(chan struct{}, 1), pods: map[string]*follower{}, objects: map[objectsOf]*follower{},
			items: []*item{{w: &PlanOf(b.plan("2")).Workloads[0]}}}
		r.watch(b.t.Context())
		wait(time.Second)
		is(b.t, "while it works", r.deaf(), "")
		b.Fail(kubetest.Refused)
		wait(20 * time.Second)
		if why := r.deaf(); !strings.Contains(why, "cannot be watched now, trying again: ") {
			b.t.Errorf("it says %q", why)
		}
		b.Fail(nil)
		wait(20 * time.Second)
		is(b.t, "when it is back", r.deaf(), "")
	})
}

func TestSetThatIsDeletedOrScaledByAnotherMeanwhileEndsTheRun(t *testing.T) {
	for want, happens := range map[string]func(b *bench, s *appsv1.StatefulSet){
		"it was deleted meanwhile": func(b *bench, s *appsv1.StatefulSet) { b.Delete(s) },
		"another has set it to 4 since": func(b *bench, _ *appsv1.StatefulSet) {
			s := b.StatefulSet("shop", "web")
			four := int32(4)
			s.Spec.Replicas = &four
			b.Put(s)
		},
	} {
		onBench(t, func(b *bench) {
			s := b.set(3)
			c := b.start(b.plan("1"))
			wait(time.Second)
			happens(b, s)
			if r := c.end(); r.State != action.Partial || r.Summary != "shop/web: "+want || r.Undo != nil {
				t.Errorf("%s: %s, undo %+v", r.State, r.Summary, r.Undo)
			}
			if got := c.steps(); !strings.HasPrefix(got, "web accepted: "+want+"\n") {
				t.Errorf("steps: %s", got)
			}
		})
	}
}

func withClaims(s *appsv1.StatefulSet) {
	s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{ObjectMeta: metav1.ObjectMeta{Name: "data"}}}
	s.Spec.PersistentVolumeClaimRetentionPolicy = &appsv1.StatefulSetPersistentVolumeClaimRetentionPolicy{
		WhenScaled: appsv1.DeletePersistentVolumeClaimRetentionPolicyType, WhenDeleted: appsv1.RetainPersistentVolumeClaimRetentionPolicyType}
}

// claim is that of a pod; owned: by the pod, as it is when that is to go.
func claim(pod string, owned bool) *corev1.PersistentVolumeClaim {
	c := &corev1.PersistentVolumeClaim{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "data-" + pod, UID: types.UID("uid-data-" + pod)}}
	if owned {
		c.OwnerReferences = []metav1.OwnerReference{{APIVersion: "v1", Kind: "Pod", Name: pod}}
	}
	return c
}

func TestNothingIsScaledWhileAClaimThatIsToBeKeptStillBelongsToItsPod(t *testing.T) {
	for name, released := range map[string]bool{"let go": true, "held": false} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.set(2, withClaims)
				b.Put(claim("web-1", true))
				c := b.start(b.plan("1", OptionRetain))
				wait(10 * time.Second)
				if s := b.StatefulSet("shop", "web"); *s.Spec.Replicas != 2 || deletes(s) || b.sent != 1 {
					t.Fatalf("replicas %d, deletes %t after %d requests", *s.Spec.Replicas, deletes(s), b.sent)
				}
				if released {
					b.Put(claim("web-1", false))
					wait(3 * time.Second)
					b.controlled()
					if r := c.end(); r.State != action.Done || b.sent != 2 {
						t.Errorf("%s: %s after %d requests", r.State, r.Summary, b.sent)
					}
					return
				}
				if r := c.end(); r.State != action.Partial || b.sent != 1 || !strings.Contains(r.Summary, "nothing was scaled: data-web-1") {
					t.Errorf("%s: %s after %d requests", r.State, r.Summary, b.sent)
				}
			})
		})
	}
}

func TestRetainTellsWhichClaimsAreKeptAndWhichWereLost(t *testing.T) {
	onBench(t, func(b *bench) {
		two := int32(1)
		s := b.set(2, withClaims)
		s.Spec.Replicas = &two
		b.Put(s)
		b.Put(claim("web-1", true))
		p, err := NewRetain().Plan(b.t.Context(), b.cluster, action.Target{Context: "prod", Refs: []kube.Ref{web}}, nil)
		if err != nil || len(p.Refusals) > 0 || p.Tier != action.Ask {
			t.Fatalf("%v, %+v", err, p)
		}
		c := b.start(p)
		wait(time.Second)
		is(t, "steps", c.steps(), "web done: whenScaled is Retain now\ndata-web-1 waits: still goes with web-1")
		b.Put(claim("web-1", false))
		if r := c.end(); r.State != action.Done || !strings.HasPrefix(r.Summary, "whenScaled is Retain now; 1 of 1 claim kept") {
			t.Errorf("%s: %s", r.State, r.Summary)
		}
		// Once more: another has changed it already.
		c = b.start(p)
		if r := c.end(); r.State != action.Done {
			t.Errorf("again: %s: %s", r.State, r.Summary)
		}
	})
}
