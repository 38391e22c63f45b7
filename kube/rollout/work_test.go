package rollout_test

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
	"ktriage/kube/rollout"
)

func TestRestartIsWatchedToItsEndOneWorkloadAfterTheOther(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("a", 3)
		b.deployment("b", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "a"), ref(kube.Deployments, "b"))
		b.rolls(5 * time.Second)
		before := b.get("a").ResourceVersion
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Done || !strings.HasPrefix(result.Summary, "2 of 2 workloads restarted") || result.Undo != nil {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
		if gap := steps[1].Since.Sub(steps[0].Since); gap < 5*time.Second || steps[0].Note != "restarted: 3 of 3 updated, 3 available" {
			t.Errorf("b ended %v after a: %q", gap, steps[0].Note)
		}
		sent := b.Sent()
		if len(sent) != 2 || sent[1].At.Sub(sent[0].At) < 5*time.Second {
			t.Fatalf("sent: %+v", sent)
		}
		of := body(b.t, sent[0])["metadata"].(map[string]any)
		if of["uid"] != "uid-a" || of["resourceVersion"] != before || sent[0].Query.Get("fieldManager") != "ktriage" {
			t.Errorf("the patch is of %v, by %v", of, sent[0].Query)
		}
		if b.get("a").Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] == "" {
			t.Error("the template has no time of the restart")
		}
	})
}

// A rollout that nobody can look at is going on all the same.
func TestStepOfARolloutIsProgressingOnceTheServerHasAcceptedIt(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
		time.AfterFunc(5*time.Second, func() { b.Fail(kubetest.Refused) })
		time.AfterFunc(8*time.Second, func() { b.Fail(nil) })
		time.AfterFunc(12*time.Second, func() { b.observed("web") })
		var told []string
		progress := action.NewProgress(func() {})
		ctx, stop := context.WithTimeout(b.t.Context(), 3*time.Minute)
		defer stop()
		ended := make(chan action.Result)
		go func() { ended <- p.Work.Run(ctx, b.cluster, progress) }()
		tick := time.NewTicker(100 * time.Millisecond)
		defer tick.Stop()
		for {
			select {
			case <-tick.C:
				for _, s := range progress.Steps() {
					now := fmt.Sprintf("%s %d %t", s.State, s.Worst(), strings.HasPrefix(s.Note, "cannot be read"))
					if !s.State.Ended() && (len(told) == 0 || told[len(told)-1] != now) {
						told = append(told, now)
					}
				}
				continue
			case result := <-ended:
				want := fmt.Sprintf("[progressing %d false progressing %d true progressing %d false]", kube.OK, kube.Notice, kube.OK)
				if fmt.Sprint(told) != want || result.State != action.Done {
					t.Errorf("%s: told %v, want %s", result.State, told, want)
				}
			}
			return
		}
	})
}

func TestRollBackReplacesTheTemplateAndIsTakenBack(t *testing.T) {
	onBench(t, func(b *bench) {
		b.rolls(time.Second)
		now := template("web", "web:2")
		now.Annotations = map[string]string{"added": "later"}
		now.Spec.HostNetwork = true
		d := b.deployment("web", 3, func(d *appsv1.Deployment) {
			d.Spec.Template, d.Annotations = now, map[string]string{"kubernetes.io/change-cause": "second", "kept": "yes"}
		})
		old := template("web", "web:1")
		b.replicaSet(d, 1, old, "first")
		b.replicaSet(d, 2, now, "second")
		result, _ := b.carryOut(b.t.Context(), b.plan(action.RollBack, nil, ref(kube.Deployments, "web")))
		if result.State != action.Done || result.Undo == nil || result.Undo.Options[rollout.OptionRevision] != "2" {
			t.Fatalf("ended as %v: %q, undo %+v", result.State, result.Summary, result.Undo)
		}
		after := b.get("web")
		if fmt.Sprint(after.Spec.Template) != fmt.Sprint(old) || after.Annotations["kubernetes.io/change-cause"] != "first" ||
			after.Annotations["kept"] != "yes" {
			t.Errorf("template %+v, annotations %v", after.Spec.Template, after.Annotations)
		}
		result, _ = b.carryOut(b.t.Context(), b.plan(action.RollBack, result.Undo.Options, result.Undo.Target.Refs...))
		if result.State != action.Done || fmt.Sprint(b.get("web").Spec.Template) != fmt.Sprint(now) {
			t.Errorf("back: %v: %q", result.State, result.Summary)
		}
	})
}

func TestRollBackOfASetSendsWhatItsRevisionHolds(t *testing.T) {
	for kind, name := range map[kube.Kinds]string{kube.StatefulSets: "StatefulSet", kube.DaemonSets: "DaemonSet"} {
		onBench(t, func(b *bench) {
			b.statefulSet(2, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType })
			b.daemonSet("x", 2, func(s *appsv1.DaemonSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteDaemonSetStrategyType })
			b.revision(name, 1, template("x", "x:1"))
			b.revision(name, 2, template("x", "x:2"))
			b.revision("Other", 3, template("x", "x:3"))
			b.Revisions[2].OwnerReferences[0].UID = "another"
			result, steps := b.carryOut(b.t.Context(), b.plan(action.RollBack, nil, ref(kind, "x")))
			if result.State != action.Done || steps[0].Note != "rolled back: nothing happens until its pods are deleted" {
				t.Errorf("%s: ended as %v: %q", name, result.State, steps[0].Note)
			}
			spec := body(b.t, b.Sent()[0])["spec"].(map[string]any)["template"].(map[string]any)
			if spec["$patch"] != "replace" || !strings.Contains(fmt.Sprint(spec), "image:x:1") {
				t.Errorf("%s: sent %v", name, spec)
			}
		})
	}
}

func TestPauseAndResumeTakeEachOtherBack(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		b.deployment("held", 3, func(d *appsv1.Deployment) { d.Spec.Paused = true })
		b.cronJob("backup")
		refs := []kube.Ref{ref(kube.Deployments, "web"), ref(kube.Deployments, "held"), ref(kube.CronJobs, "backup")}
		result, steps := b.carryOut(b.t.Context(), b.plan(action.Pause, nil, refs...))
		if result.State != action.Done || steps[1].Note != "was paused before" || !b.get("web").Spec.Paused {
			t.Errorf("ended as %v: %q, %q", result.State, result.Summary, steps[1].Note)
		}
		if u := result.Undo; u == nil || u.Action != action.Resume || len(u.Target.Refs) != 2 || u.Target.Refs[1].Name != "backup" {
			t.Fatalf("undo: %+v", result.Undo)
		}
		sent := b.Sent()
		if len(sent) != 2 || string(sent[1].Body) != `{"metadata":{"uid":"uid-backup"},"spec":{"suspend":true}}` {
			t.Errorf("sent %s", sent[1].Body)
		}
		result, _ = b.carryOut(b.t.Context(), b.plan(action.Resume, nil, result.Undo.Target.Refs...))
		job, err := b.cluster.Client().BatchV1().CronJobs("shop").Get(b.t.Context(), "backup", metav1.GetOptions{})
		if err != nil || result.State != action.Done || *job.Spec.Suspend || b.get("web").Spec.Paused || !b.get("held").Spec.Paused {
			t.Errorf("resume: %v: %q, %v", result.State, result.Summary, err)
		}
		if p := b.plan(action.Resume, nil, ref(kube.CronJobs, "backup")); len(p.Refusals) != 1 ||
			p.Refusals[0] != "there is nothing to do" {
			t.Errorf("refused with %q", p.Refusals)
		}
	})
}

// before lets something happen before each of the first n requests arrives.
func before(n int, does func(i int)) kubetest.Way {
	i := 0
	return func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		if i++; i <= n {
			does(i)
		}
		return on()
	}
}

func (b *bench) change(name string, change func(*appsv1.Deployment)) {
	d := b.get(name)
	change(d)
	b.Put(d)
}

func TestPatchThatComesTooLateIsTriedAgainOnlyWhileTheTemplateIsAsItWas(t *testing.T) {
	status := func(b *bench, i int) {
		b.change("web", func(d *appsv1.Deployment) { d.Status.ReadyReplicas = int32(i) })
	}
	for _, c := range []struct {
		name  string
		way   func(b *bench) kubetest.Way
		state action.State
		says  string
		sent  int
	}{
		{"status", func(b *bench) kubetest.Way {
			return before(2, func(i int) { status(b, i) })
		}, action.Cancelled, "shop/web: goes on by itself", 3},
		{"status for ever", func(b *bench) kubetest.Way { return before(99, func(i int) { status(b, i) }) }, action.Failed,
			"shop/web: ", 5},
		{"template", func(b *bench) kubetest.Way {
			return before(1, func(int) { b.change("web", func(d *appsv1.Deployment) { d.Spec.Template.Spec.HostNetwork = true }) })
		}, action.Failed, "shop/web: has another template than the plan showed; nothing was done", 1},
		{"paused", func(b *bench) kubetest.Way {
			return before(1, func(int) { b.change("web", func(d *appsv1.Deployment) { d.Spec.Paused = true }) })
		}, action.Failed, "shop/web: is paused: resume it first; nothing was done", 1},
		{"replaced", func(b *bench) kubetest.Way {
			return before(1, func(int) {
				b.Delete(b.get("web"))
				b.deployment("web", 3, func(d *appsv1.Deployment) { d.UID = "another" })
			})
		}, action.Failed, "shop/web: another object has the name now; nothing was done", 1},
		{"deleted", func(b *bench) kubetest.Way { return before(1, func(int) { b.Delete(b.get("web")) }) }, action.Failed, "shop/web: ", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.deployment("web", 3)
				p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
				b.Way = c.way(b)
				ctx, stop := context.WithTimeout(b.t.Context(), 3*time.Second)
				defer stop()
				result, _ := b.carryOut(ctx, p)
				if result.State != c.state || !strings.HasPrefix(result.Summary, c.says) || len(b.Sent()) != c.sent {
					b.t.Errorf("ended as %v: %q after %d patches; want %v: %q after %d", result.State, result.Summary,
						len(b.Sent()), c.state, c.says, c.sent)
				}
			})
		})
	}
}

func TestOutcomeOfARequestWithoutAnAnswerIsLookedUp(t *testing.T) {
	for _, c := range []struct {
		name  string
		way   kubetest.Way
		state action.State
	}{
		{"done before the connection broke", then, action.Done},
		{"never arrived", reset, action.Failed},
		{"forbidden", answers(403, metav1.StatusReasonForbidden), action.Failed},
		{"invalid", answers(422, metav1.StatusReasonInvalid), action.Failed},
		{"too many requests", answers(429, metav1.StatusReasonTooManyRequests), action.Failed},
		{"server error", answers(500, metav1.StatusReasonInternalError), action.Failed},
	} {
		for id, kind := range map[action.ID]kube.Kinds{action.Pause: kube.CronJobs, action.Restart: kube.StatefulSets} {
			t.Run(c.name+" "+string(id), func(t *testing.T) {
				onBench(t, func(b *bench) {
					b.cronJob("x")
					b.statefulSet(1, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType })
					p := b.plan(id, nil, ref(kind, "x"))
					b.Way = c.way
					result, _ := b.carryOut(b.t.Context(), p)
					if result.State != c.state || len(b.Sent()) != 1 {
						b.t.Errorf("ended as %v: %q after %d requests, want %v after one", result.State, result.Summary,
							len(b.Sent()), c.state)
					}
				})
			})
		}
	}
}

func TestOutcomeThatCannotBeFoundOutStaysUnknown(t *testing.T) {
	onBench(t, func(b *bench) {
		b.cronJob("backup", func(*batchv1.CronJob) {})
		p := b.plan(action.Pause, nil, ref(kube.CronJobs, "backup"))
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Fail(kubetest.Refused)
			return reset(r, on)
		}
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Unknown || steps[0].State != action.StepUnknown || result.Undo != nil {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
	})
}

func TestRolloutThatGetsStuckKeepsTheOthersFromBeingBegun(t *testing.T) {
	late := []appsv1.DeploymentCondition{{Type: appsv1.DeploymentProgressing, Reason: "ProgressDeadlineExceeded", Message: "timed out"}}
	onBench(t, func(b *bench) {
		b.deployment("a", 3)
		b.deployment("b", 3)
		b.pod("a", "a-new", false)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "a"), ref(kube.Deployments, "b"))
		b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			time.AfterFunc(time.Second, func() {
				b.change("a", func(d *appsv1.Deployment) {
					d.Status.ObservedGeneration, d.Status.UpdatedReplicas, d.Status.Conditions = d.Generation, 1, late
				})
			})
			return on()
		}
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Partial || steps[1].State != action.StepLeft || steps[1].Note != "not begun: shop/a is stuck" ||
			len(b.Sent()) != 1 {
			t.Errorf("ended as %v: %q; b %v: %q after %d requests", result.State, result.Summary, steps[1].State, steps[1].Note,
				len(b.Sent()))
		}
		if why := strings.Join(steps[0].Why, " "); !strings.Contains(why, "a-new: CrashLoopBackOff") ||
			!strings.Contains(steps[0].Note, "timed out") {
			t.Errorf("a: %q: %q", steps[0].Note, steps[0].Why)
		}
	})
}

func TestSetInWhichNothingHappensIsGivenUpAfterTenMinutes(t *testing.T) {
	onBench(t, func(b *bench) {
		b.statefulSet(2)
		p := b.plan(action.Restart, nil, ref(kube.StatefulSets, "x"))
		began := time.Now()
		result, _ := b.carryOut(b.t.Context(), p)
		if took := time.Since(began); result.State != action.Partial || took < 10*time.Minute || took > 10*time.Minute+5*time.Second {
			t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
		}
	})
}

func TestRolloutOfWhichSomebodyElseMakesAnotherIsLeftToHim(t *testing.T) {
	for name, c := range map[string]struct {
		change func(b *bench)
		says   string
	}{
		"template": {func(b *bench) {
			b.change("web", func(d *appsv1.Deployment) { d.Spec.Template.Spec.HostNetwork = true })
		}, "somebody has changed its template since"},
		"paused": {func(b *bench) {
			b.change("web", func(d *appsv1.Deployment) { d.Spec.Paused = true })
		}, "paused by somebody: resume it; its controller has not seen the change yet"},
		"rolled back to before the restart": {func(b *bench) {
			b.change("web", func(d *appsv1.Deployment) { d.Spec.Template = template("web", "web:2") })
		}, "rolled back since by somebody"},
		"rolled back to an earlier restart": {func(b *bench) {
			b.change("web", func(d *appsv1.Deployment) {
				d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "1999-12-31T00:00:00Z"
			})
		}, "rolled back since by somebody"},
		"restarted": {func(b *bench) {
			b.change("web", func(d *appsv1.Deployment) {
				d.Spec.Template.Annotations["kubectl.kubernetes.io/restartedAt"] = "2001-01-01T00:00:00Z"
			})
		}, "somebody has changed its template since"},
		"deleted": {func(b *bench) { b.Delete(b.get("web")) }, "it was deleted while its pods were being replaced"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.deployment("web", 3)
				p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
				time.AfterFunc(7*time.Second, func() { c.change(b) })
				result, steps := b.carryOut(b.t.Context(), p)
				if result.State != action.Partial || !strings.Contains(steps[0].Note, c.says) {
					b.t.Errorf("ended as %v: %q", result.State, result.Summary)
				}
			})
		})
	}
}

func TestNoOtherWorkloadIsBegunOnceSomebodyHasStoppedOne(t *testing.T) {
	for name, c := range map[string]struct {
		change func(d *appsv1.Deployment)
		says   string
	}{
		"paused":      {func(d *appsv1.Deployment) { d.Spec.Paused = true }, "not begun: shop/a was paused"},
		"rolled back": {func(d *appsv1.Deployment) { d.Spec.Template = template("a", "a:1") }, "not begun: shop/a was rolled back"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.deployment("a", 3)
				b.deployment("b", 3)
				p := b.plan(action.Restart, nil, ref(kube.Deployments, "a"), ref(kube.Deployments, "b"))
				time.AfterFunc(7*time.Second, func() { b.change("a", c.change) })
				began := time.Now()
				result, steps := b.carryOut(b.t.Context(), p)
				if took := time.Since(began); result.State != action.Partial || steps[1].Note != c.says || len(b.Sent()) != 1 ||
					took > 9*time.Second {
					b.t.Errorf("ended as %v after %v: b %q after %d requests", result.State, took, steps[1].Note, len(b.Sent()))
				}
				if strings.Contains(strings.Join(steps[0].Why, " "), "Roll back gives") {
					b.t.Errorf("it is told to be rolled back: %q", steps[0].Why)
				}
			})
		})
	}
}

func TestRollBackThatIsTakenBackMeanwhileSaysSo(t *testing.T) {
	onBench(t, func(b *bench) {
		d := b.deployment("web", 3)
		b.replicaSet(d, 1, template("web", "web:1"), "")
		p := b.plan(action.RollBack, nil, ref(kube.Deployments, "web"))
		time.AfterFunc(7*time.Second, func() {
			b.change("web", func(now *appsv1.Deployment) { now.Spec.Template = d.Spec.Template })
		})
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Partial || steps[0].Note != "rolled back since by somebody" {
			t.Errorf("ended as %v: %q", result.State, steps[0].Note)
		}
	})
}

// One that is paused and resumed between two looks goes on as if nothing had been.
func TestPauseThatIsOverBeforeItIsSeenDoesNotEndTheWatch(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
		at := 5*time.Second + 500*time.Millisecond
		time.AfterFunc(at, func() { b.change("web", func(d *appsv1.Deployment) { d.Spec.Paused = true }) })
		time.AfterFunc(at+100*time.Millisecond, func() { b.change("web", func(d *appsv1.Deployment) { d.Spec.Paused = false }) })
		time.AfterFunc(9*time.Second, func() { b.observed("web") })
		if result, _ := b.carryOut(b.t.Context(), p); result.State != action.Done {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
	})
}

func TestServerThatIsAwayForAWhileDoesNotEndTheWatch(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
		time.AfterFunc(2*time.Second, func() { b.Fail(kubetest.Refused) })
		time.AfterFunc(40*time.Second, func() { b.Fail(nil); b.observed("web") })
		if result, _ := b.carryOut(b.t.Context(), p); result.State != action.Done {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
	})
}

func TestCancelBeginsNothingMoreAndSkipLeavesARolloutToItself(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("a", 3)
		b.deployment("b", 3)
		refs := []kube.Ref{ref(kube.Deployments, "a"), ref(kube.Deployments, "b")}
		ctx, stop := context.WithTimeout(b.t.Context(), 4*time.Second)
		defer stop()
		began := time.Now()
		result, steps := b.carryOut(ctx, b.plan(action.Restart, nil, refs...))
		if took := time.Since(began); took != 4*time.Second || result.State != action.Cancelled ||
			steps[0].State != action.StepAccepted || steps[1].State != action.StepLeft || len(b.Sent()) != 1 {
			t.Errorf("ended as %v after %v: %v, %v", result.State, took, steps[0].State, steps[1].State)
		}
	})
	onBench(t, func(b *bench) {
		b.deployment("a", 3)
		b.deployment("b", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "a"), ref(kube.Deployments, "b"))
		progress := action.NewProgress(func() {})
		time.AfterFunc(3*time.Second, func() { progress.Skip("uid-a") })
		time.AfterFunc(9*time.Second, func() { b.observed("b") })
		result := p.Work.Run(b.t.Context(), b.cluster, progress)
		steps := progress.Steps()
		if result.State != action.Partial || steps[0].State != action.StepAccepted || steps[1].State != action.StepDone ||
			len(b.Sent()) != 2 {
			t.Errorf("ended as %v: %q; a %v, b %v", result.State, result.Summary, steps[0].State, steps[1].State)
		}
	})
}

// A rollout is over when kubectl rollout status says so.
func TestRolloutIsNotOverBeforeAllPodsAreNewAndAvailable(t *testing.T) {
	for name, c := range map[string]struct {
		status appsv1.DeploymentStatus
		over   bool
	}{
		"old ones are left":     {appsv1.DeploymentStatus{Replicas: 4, UpdatedReplicas: 3, AvailableReplicas: 4}, false},
		"not all are new":       {appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 2, AvailableReplicas: 3}, false},
		"not all are available": {appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 2}, false},
		"all":                   {appsv1.DeploymentStatus{Replicas: 3, UpdatedReplicas: 3, AvailableReplicas: 3}, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.deployment("web", 3)
				p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
				time.AfterFunc(time.Second, func() {
					b.change("web", func(d *appsv1.Deployment) {
						d.Status = c.status
						d.Status.ObservedGeneration = d.Generation
					})
				})
				ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
				defer stop()
				result, _ := b.carryOut(ctx, p)
				if (result.State == action.Done) != c.over {
					b.t.Errorf("ended as %v: %q", result.State, result.Summary)
				}
			})
		})
	}
}

func TestObjectThatIsReplacedWhileItIsPausedIsLeftAlone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		p := b.plan(action.Pause, nil, ref(kube.Deployments, "web"))
		b.Way = before(1, func(int) {
			b.Delete(b.get("web"))
			b.deployment("web", 3, func(d *appsv1.Deployment) { d.UID = "another" })
		})
		result, _ := b.carryOut(b.t.Context(), p)
		if result.State != action.Failed || result.Summary != "shop/web: another object has the name now; nothing was done" ||
			b.get("web").Spec.Paused {
			t.Errorf("ended as %v: %q; paused %t", result.State, result.Summary, b.get("web").Spec.Paused)
		}
	})
}

func TestRolloutOfAStatefulSetIsNotOverWhilePodsOfAnotherRevisionAreLeft(t *testing.T) {
	two := int32(2)
	partition := func(s *appsv1.StatefulSet) {
		s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &two}
	}
	for name, c := range map[string]struct {
		change func(*appsv1.StatefulSet)
		over   bool
	}{
		"rolled back in the middle": {func(s *appsv1.StatefulSet) { s.Status.UpdatedReplicas = 2 }, false},
		"not all are ready":         {func(s *appsv1.StatefulSet) { s.Status.ReadyReplicas = 2 }, false},
		"another revision":          {func(s *appsv1.StatefulSet) { s.Status.UpdateRevision = "b" }, false},
		"partition, too few": {func(s *appsv1.StatefulSet) {
			partition(s)
			s.Status.UpdatedReplicas,
				s.Status.UpdateRevision = 0, "b"
		}, false},
		"partition": {func(s *appsv1.StatefulSet) {
			partition(s)
			s.Status.UpdatedReplicas,
				s.Status.UpdateRevision = 1, "b"
		}, true},
		"all": {func(*appsv1.StatefulSet) {}, true},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.statefulSet(3, c.change, func(s *appsv1.StatefulSet) { s.Status.ObservedGeneration = 9 })
				p := b.plan(action.Restart, nil, ref(kube.StatefulSets, "x"))
				ctx, stop := context.WithTimeout(b.t.Context(), time.Minute)
				defer stop()
				result, _ := b.carryOut(ctx, p)
				if (result.State == action.Done) != c.over {
					b.t.Errorf("ended as %v: %q", result.State, result.Summary)
				}
			})
		})
	}
}
