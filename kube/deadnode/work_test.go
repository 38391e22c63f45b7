package deadnode_test

import (
	"context"
	"fmt"
	"net/http"
	"slices"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/deadnode"
	"ktriage/kube/kubetest"
)

// collect is the garbage collector of pods: it comes after a while, and deletes what has no finalizers.
func (b *bench) collect(after time.Duration, pods ...*corev1.Pod) {
	time.AfterFunc(after, func() {
		for _, p := range pods {
			if len(p.Finalizers) == 0 {
				b.Delete(p)
				continue
			}
			now, zero := metav1.Now(), int64(0)
			held := p.DeepCopy()
			held.DeletionTimestamp, held.DeletionGracePeriodSeconds = &now, &zero
			b.Put(held)
		}
	})
}

func TestDeletionSendsOneRequestWithTheUIDAndWatchesThePodsGo(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		web, held := b.pod("w", "shop/web-1", "ReplicaSet web"), b.pod("w", "shop/held", "",
			func(p *corev1.Pod) { p.Finalizers = []string{"example.com/hold"} })
		b.collect(50*time.Second, web, held)
		began := time.Now()
		result, steps := b.carryOut(b.t.Context(), b.plan(action.DeleteNode, off, "w"))
		if result.State != action.Partial || result.Summary != "deleted; 1 of 2 pods gone; shop/held: held by finalizer example.com/hold" {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
		if took := time.Since(began); took < 80*time.Second || took > 86*time.Second {
			t.Errorf("it took %v, want half a minute of nothing but a finalizer after 50 s", took)
		}
		if s := steps["shop/web-1"]; s.State != action.StepGone || s.Since.Sub(began) < 50*time.Second {
			t.Errorf("web-1 is %v after %v", s.State, s.Since.Sub(began))
		}
		if s := steps["shop/held"]; s.State != action.StepAccepted || len(s.Why) == 0 {
			t.Errorf("held is %v: %q", s.State, s.Why)
		}
		sent := b.Sent()
		if len(sent) != 1 || sent[0].Method != http.MethodDelete || sent[0].Path != "/api/v1/nodes/w" {
			t.Fatalf("sent: %+v", sent)
		}
		if got := fmt.Sprint(body(b.t, sent[0])["preconditions"]); got != "map[uid:uid-w]" {
			t.Errorf("preconditions: %s", got)
		}
		if b.Node("w") != nil || result.Undo != nil {
			t.Errorf("the node is there, or can be brought back: %+v", result.Undo)
		}
	})
}

func TestWatchIsGivenUpWhenTheGarbageCollectorDoesNotCome(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.pod("w", "shop/web-1", "ReplicaSet web")
		began := time.Now()
		result, _ := b.carryOut(b.t.Context(), b.plan(action.DeleteNode, off, "w"))
		if took := time.Since(began); result.State != action.Partial || took < 2*time.Minute || took > 125*time.Second {
			t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
		}
	})
}

func TestTaintIsAddedToWhatIsThereAndTakenAwayAgain(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w", taint("example.com/gpu", "yes", corev1.TaintEffectNoSchedule))
		web := b.pod("w", "shop/web-1", "ReplicaSet web")
		b.collect(15*time.Second, web)
		before := b.Node("w")
		result, steps := b.carryOut(b.t.Context(), b.plan(action.OutOfService, off, "w"))
		if result.State != action.Done || result.Undo == nil || result.Undo.Action != action.InService ||
			steps["shop/web-1"].State != action.StepGone {
			t.Errorf("ended as %v: %q, undo %+v", result.State, result.Summary, result.Undo)
		}
		meta := body(b.t, b.Sent()[0])["metadata"].(map[string]any)
		if meta["uid"] != "uid-w" || meta["resourceVersion"] != before.ResourceVersion {
			t.Errorf("the patch is of %v, want version %s", meta, before.ResourceVersion)
		}
		is := func(want string) {
			t.Helper()
			var got []string
			for _, taint := range b.Node("w").Spec.Taints {
				got = append(got, taint.ToString())
			}
			if strings.Join(got, " ") != want {
				t.Errorf("taints: %s, want %s", got, want)
			}
		}
		is("example.com/gpu=yes:NoSchedule node.kubernetes.io/out-of-service=nodeshutdown:NoExecute")
		p, err := kinds[action.InService].Plan(b.t.Context(), b.cluster, result.Undo.Target, result.Undo.Options)
		if err != nil {
			t.Fatal(err)
		}
		if back, _ := b.carryOut(b.t.Context(), p); back.State != action.Done || back.Undo.Action != action.OutOfService {
			t.Errorf("back: %v: %q", back.State, back.Summary)
		}
		is("example.com/gpu=yes:NoSchedule")
	})
}

// first lets something happen before the first request arrives.
func first(does func()) kubetest.Way {
	done := false
	return func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		if !done {
			done = true
			does()
		}
		return on()
	}
}

func (b *bench) note(name, value string) {
	n := b.Node(name)
	n.Annotations = map[string]string{"example.com/note": value}
	b.Put(n)
}

func TestPatchThatComesTooLateIsTriedAgainOnlyWhileTheTaintsAreAsTheyWere(t *testing.T) {
	for _, c := range []struct {
		name  string
		way   func(b *bench) kubetest.Way
		state action.State
		says  string
		sent  int
	}{
		{"another version", func(b *bench) kubetest.Way { return first(func() { b.note("w", "x") }) }, action.Done, "out of service", 2},
		{"taints of the control plane", func(b *bench) kubetest.Way {
			return first(func() { b.change(taint("node.kubernetes.io/unreachable", "", corev1.TaintEffectNoExecute)) })
		}, action.Done, "out of service", 2},
		{"taints of others", func(b *bench) kubetest.Way {
			return first(func() { b.change(taint("example.com/repair", "", corev1.TaintEffectNoSchedule)) })
		}, action.Failed, "w: has other taints than the plan showed; nothing was done: +example.com/repair:NoSchedule", 1},
		{"always", func(b *bench) kubetest.Way {
			n := 0
			return func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
				n++
				b.note("w", fmt.Sprint(n))
				return on()
			}
		}, action.Failed, "", 3},
		{"replaced", func(b *bench) kubetest.Way {
			return first(func() {
				b.Delete(b.Node("w"))
				b.dead("w", func(n *corev1.Node) { n.UID = "another" })
			})
		}, action.Failed, "w: another node has the name now; nothing was done", 1},
		{"back", func(b *bench) kubetest.Way {
			return first(func() { b.change(func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionTrue }) })
		}, action.Failed, "w: shows signs of life again; nothing was done", 1},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.dead("w")
				p := b.plan(action.OutOfService, off, "w")
				b.Way = c.way(b)
				result, _ := b.carryOut(b.t.Context(), p)
				if result.State != c.state || !strings.HasPrefix(result.Summary, c.says) || len(b.Sent()) != c.sent {
					b.t.Errorf("ended as %v: %q after %d patches; want %v: %q after %d", result.State, result.Summary,
						len(b.Sent()), c.state, c.says, c.sent)
				}
				if out := slices.ContainsFunc(b.Node("w").Spec.Taints,
					func(t corev1.Taint) bool { return t.Key == corev1.TaintNodeOutOfService }); out != (c.state == action.Done) {
					b.t.Errorf("out of service: %t", out)
				}
			})
		})
	}
}

// change changes the node w.
func (b *bench) change(change func(*corev1.Node)) {
	n := b.Node("w")
	change(n)
	b.Put(n)
}

func TestOutcomeOfARequestWithoutAnAnswerIsLookedUp(t *testing.T) {
	for _, id := range []action.ID{action.DeleteNode, action.OutOfService} {
		for _, c := range []struct {
			name  string
			way   kubetest.Way
			state action.State
		}{
			{"done before the connection broke", then, action.Done},
			{"never arrived", reset, action.Failed},
			{"refused", answers(403, metav1.StatusReasonForbidden), action.Failed},
			{"server error", answers(500, metav1.StatusReasonInternalError), action.Failed},
			{"too many requests", answers(429, metav1.StatusReasonTooManyRequests), action.Failed},
		} {
			t.Run(string(id)+" "+c.name, func(t *testing.T) {
				onBench(t, func(b *bench) {
					b.dead("w")
					p := b.plan(id, off, "w")
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

func TestOutcomeThatCannotBeFoundOutStaysUnknownAndSoDoItsPods(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.pod("w", "shop/web-1", "ReplicaSet web")
		p := b.plan(action.DeleteNode, off, "w")
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Fail(kubetest.Refused)
			return reset(r, on)
		}
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Unknown || steps["w"].State != action.StepUnknown || steps["shop/web-1"].State != action.StepUnknown {
			t.Errorf("ended as %v: %q; node %v, pod %v", result.State, result.Summary, steps["w"].State, steps["shop/web-1"].State)
		}
	})
}

func TestNodeThatFailsDoesNotKeepTheOthersFromBeingTried(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b", "c"} {
			b.dead(n)
			b.collect(45*time.Second, b.pod(n, "shop/"+n, "ReplicaSet web"))
		}
		p := b.plan(action.DeleteNode, off, "a", "b", "c")
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/b") {
				return answers(403, metav1.StatusReasonForbidden)(r, on)
			}
			return on()
		}
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Partial || result.Summary != "2 of 3 nodes deleted; 2 of 3 pods gone; b: not this one" {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
		if steps["shop/b"].State != action.StepLeft || steps["shop/c"].State != action.StepGone {
			t.Errorf("b: %v, c: %v", steps["shop/b"].State, steps["shop/c"].State)
		}
	})
}

func TestCancelEndsTheWatchAtOnceAndSendsNothingMore(t *testing.T) {
	onBench(t, func(b *bench) {
		for _, n := range []string{"a", "b"} {
			b.dead(n)
			b.pod(n, "shop/"+n, "ReplicaSet web")
		}
		p := b.plan(action.DeleteNode, off, "a", "b")
		ctx, stop := context.WithCancel(b.t.Context())
		time.AfterFunc(time.Second, stop)
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/a") {
				return on()
			}
			<-r.Context().Done()
			return nil, r.Context().Err()
		}
		began := time.Now()
		result, steps := b.carryOut(ctx, p)
		if took := time.Since(began); took != time.Second || result.State != action.Unknown {
			t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
		}
		if steps["shop/a"].State != action.StepAccepted || len(b.Sent()) != 2 {
			t.Errorf("a: %v after %d requests", steps["shop/a"].State, len(b.Sent()))
		}
	})
	onBench(t, func(b *bench) {
		b.dead("a")
		b.pod("a", "shop/a", "ReplicaSet web")
		p := b.plan(action.DeleteNode, off, "a")
		ctx, stop := context.WithTimeout(b.t.Context(), 7*time.Second)
		defer stop()
		result, _ := b.carryOut(ctx, p)
		if result.State != action.Cancelled || result.Summary != "deleted; 0 of 1 pod gone; the others go on by themselves" {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
		before := len(b.Requests())
		synctest.Wait()
		if n := len(b.Requests()); n != before {
			t.Errorf("%d requests after the end", n-before)
		}
	})
}

func TestRunThatIsCancelledBeforeItBeginsSendsNothing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		p := b.plan(action.OutOfService, off, "w")
		ctx, stop := context.WithCancel(b.t.Context())
		stop()
		before := len(b.Requests())
		result, _ := b.carryOut(ctx, p)
		if result.State != action.Cancelled || len(b.Requests()) != before || len(b.Sent()) > 0 {
			t.Errorf("ended as %v: %q", result.State, result.Summary)
		}
	})
}

func TestPausedRunBeginsNothingUntilItGoesOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		p := b.plan(action.OutOfService, off, "w")
		progress := action.NewProgress(func() {})
		progress.Pause(true)
		done := make(chan action.Result, 1)
		go func() { done <- p.Work.Run(b.t.Context(), b.cluster, progress) }()
		synctest.Wait()
		if n := len(b.Sent()); n != 0 {
			t.Errorf("%d requests during the pause", n)
		}
		progress.Pause(false)
		if r := <-done; r.State != action.Done || len(b.Sent()) != 1 {
			t.Errorf("ended as %v: %q", r.State, r.Summary)
		}
	})
}

// What a run leaves behind is told from the log alone: Details are as they come out of JSON.
func TestStandingTellsOfANodeThatIsBack(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.pod("w", "shop/cart-2", "StatefulSet cart")
		p := b.plan(action.DeleteNode, off, "w")
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		b.cluster.Start(ctx, kube.Nodes|kube.Pods)
		synctest.Wait()
		k, run := deadnode.NewDelete(), &action.Run{Target: target("w"), State: action.Done, Details: p.Details}
		is := func(when, want string) {
			t.Helper()
			<-time.After(time.Second)
			synctest.Wait()
			if got := k.Standing(b.cluster, run).Text; got != want {
				t.Errorf("%s: %q, want %q", when, got, want)
			}
		}
		is("before it is gone", "")
		b.Delete(b.Node("w"))
		is("while it is gone", "")
		b.node("w", corev1.ConditionTrue, 0, func(n *corev1.Node) { n.UID = "another" })
		is("when it is back", "w has registered again: check that none of these runs twice: shop/cart-2")
		run.State = action.Failed
		is("after a run that has done nothing", "")
	})
}

func TestStandingTellsOfTheTaintAsLongAsItIsThere(t *testing.T) {
	onBench(t, func(b *bench) {
		out := taint(corev1.TaintNodeOutOfService, "nodeshutdown", corev1.TaintEffectNoExecute)
		b.dead("w", out)
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		b.cluster.Start(ctx, kube.Nodes|kube.Pods)
		k, run := deadnode.NewTaint(true), &action.Run{Target: target("w"), State: action.Partial}
		is := func(want string) {
			t.Helper()
			<-time.After(time.Second)
			synctest.Wait()
			if got := k.Standing(b.cluster, run).Text; !strings.HasPrefix(got, want) || want == "" && got != "" {
				t.Errorf("%q, want %q", got, want)
			}
		}
		is("w still has the out-of-service taint")
		b.node("w", corev1.ConditionTrue, 0, out)
		is("w is Ready and still has the out-of-service taint")
		b.node("w", corev1.ConditionTrue, 0)
		is("")
		if got := deadnode.NewTaint(false).Standing(b.cluster, run); got != (action.Standing{}) {
			t.Errorf("in service leaves behind: %+v", got)
		}
	})
}

func TestNodeThatVanishesWhileTheAnswerIsOutstandingEndsTheSearch(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		p := b.plan(action.OutOfService, off, "w")
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			b.Delete(b.Node("w"))
			return reset(r, on)
		}
		began := time.Now()
		result, _ := b.carryOut(b.t.Context(), p)
		if took := time.Since(began); result.State != action.Unknown ||
			result.Summary != "w: no answer; it is not known whether it was done" || took > time.Second {
			t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
		}
	})
}

func TestPodThatIsTakenOutIsNotWaitedFor(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.pod("w", "shop/web-1", "ReplicaSet web")
		p := b.plan(action.DeleteNode, off, "w")
		progress := action.NewProgress(func() {})
		time.AfterFunc(5*time.Second, func() { progress.Skip("uid-shop/web-1") })
		began := time.Now()
		result := p.Work.Run(b.t.Context(), b.cluster, progress)
		if took := time.Since(began); took != 5*time.Second || result.State != action.Partial ||
			progress.Steps()[1].Note != "not watched any more" {
			t.Errorf("ended as %v: %q after %v", result.State, result.Summary, took)
		}
	})
}

// The choice to delete a node that lives is for the nodes of which the sheet said so.
func TestNodeThatIsBackSinceThePlanIsNotDeletedWhateverWasChosenForOthers(t *testing.T) {
	all := action.Options{deadnode.OptionOff: action.On, deadnode.OptionAlive: action.On}
	for name, options := range map[string]action.Options{"not chosen": off, "chosen": all} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.dead("w")
				p := b.plan(action.DeleteNode, options, "w")
				b.change(func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionTrue })
				result, _ := b.carryOut(b.t.Context(), p)
				if result.State != action.Failed || len(b.Sent()) != 0 {
					b.t.Errorf("ended as %v: %q after %d requests", result.State, result.Summary, len(b.Sent()))
				}
			})
		})
	}
	onBench(t, func(b *bench) {
		b.node("lives", corev1.ConditionTrue, time.Second)
		b.dead("w")
		p := b.plan(action.DeleteNode, all, "lives", "w")
		b.change(func(n *corev1.Node) { n.Status.Conditions[0].Status = corev1.ConditionTrue })
		_, steps := b.carryOut(b.t.Context(), p)
		if steps["lives"].State != action.StepDone || steps["w"].State != action.StepFailed || b.Node("w") == nil ||
			b.Node("lives") != nil {
			t.Errorf("lives: %v, w: %v", steps["lives"].State, steps["w"].State)
		}
	})
}

func TestNodeThatIsKeptByAFinalizerIsNotCalledDeleted(t *testing.T) {
	for name, way := range map[string]kubetest.Way{"answered": nil, "no answer": then} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.dead("w", func(n *corev1.Node) { n.Finalizers = []string{"example.com/keep"} })
				b.pod("w", "shop/web-1", "ReplicaSet web")
				p := b.plan(action.DeleteNode, off, "w")
				b.Way = way
				result, steps := b.carryOut(b.t.Context(), p)
				if s := steps["w"]; result.State != action.Partial || s.State != action.StepAccepted ||
					s.Note != "is being deleted: held by finalizer example.com/keep" {
					b.t.Errorf("ended as %v: %q; %v: %q", result.State, result.Summary, s.State, s.Note)
				}
				if strings.Contains(result.Summary, "deleted;") || b.Node("w") == nil {
					b.t.Errorf("called deleted: %q", result.Summary)
				}
			})
		})
	}
}

func TestTaintThatTheServerFindsInvalidIsNotSentAgain(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		p := b.plan(action.OutOfService, off, "w")
		b.Way = answers(422, metav1.StatusReasonInvalid)
		result, _ := b.carryOut(b.t.Context(), p)
		if result.State != action.Failed || strings.Contains(result.Summary, "in a row") || len(b.Sent()) != 1 {
			t.Errorf("ended as %v: %q after %d requests", result.State, result.Summary, len(b.Sent()))
		}
	})
}

// A cache that is older than the plan does not know of all pods yet.
func TestPodsAreWatchedInNoListThatIsOlderThanThePlan(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.collect(3*time.Second, b.pod("w", "shop/web-1", "ReplicaSet web"))
		p := b.plan(action.DeleteNode, off, "w")
		before := len(b.Requests())
		b.carryOut(b.t.Context(), p)
		lists := 0
		for _, r := range b.Requests()[before:] {
			if r.Path != "/api/v1/pods" {
				continue
			}
			if lists++; r.Query.Get("resourceVersionMatch") != "NotOlderThan" || r.Query.Get("resourceVersion") == "0" {
				t.Errorf("asked for %v", r.Query)
			}
		}
		if lists < 2 {
			t.Errorf("%d lists", lists)
		}
	})
}

func TestReplicaThatWasThereBeforeReplacesNobody(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.node("other", corev1.ConditionTrue, time.Second)
		going := func(p *corev1.Pod) {
			at, grace := metav1.NewTime(time.Now().Add(-10*time.Minute)), int64(30)
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds = &at, &grace
		}
		web, api := b.pod("w", "shop/web-1", "ReplicaSet web"), b.pod("w", "shop/api-1", "ReplicaSet api", going)
		made := func(ago time.Duration) func(*corev1.Pod) {
			return func(p *corev1.Pod) { p.CreationTimestamp = metav1.NewTime(time.Now().Add(-ago)) }
		}
		b.pod("other", "shop/web-2", "ReplicaSet web", made(20*time.Minute))
		b.pod("other", "shop/api-2", "ReplicaSet api", made(20*time.Minute))
		b.pod("other", "shop/api-3", "ReplicaSet api", made(10*time.Minute))
		ctx, stop := context.WithCancel(b.t.Context())
		defer stop()
		b.cluster.Start(ctx, kube.Nodes|kube.Pods)
		b.collect(45*time.Second, web, api)
		result, _ := b.carryOut(ctx, b.plan(action.DeleteNode, off, "w"))
		replaced := func() map[string]string {
			out := map[string]string{}
			for _, r := range result.Page[0].Rows {
				out[r.Cells[0]] = r.Cells[1]
			}
			return out
		}
		following, end := context.WithTimeout(ctx, 10*time.Second)
		defer end()
		time.AfterFunc(5*time.Second, func() { b.pod("other", "shop/web-3", "ReplicaSet web", made(0)) })
		var pages []map[string]string
		result.Follow(following, func(page []action.Section) {
			result.Page = page
			pages = append(pages, replaced())
		})
		if p := pages[1]; p["shop/web-1"] != "nothing so far" || !strings.HasPrefix(p["shop/api-1"], "api-3 on other") {
			t.Errorf("at first: %v", p)
		}
		if p := pages[len(pages)-1]; !strings.HasPrefix(p["shop/web-1"], "web-3 on other") {
			t.Errorf("in the end: %v", p)
		}
	})
}

func TestNodeThatSomebodyElseHasDeletedIsDone(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		web := b.pod("w", "shop/web-1", "ReplicaSet web")
		p := b.plan(action.DeleteNode, off, "w")
		b.Delete(b.Node("w"))
		b.collect(40*time.Second, web)
		result, steps := b.carryOut(b.t.Context(), p)
		if result.State != action.Done || steps["w"].Note != "was deleted before" || steps["shop/web-1"].State != action.StepGone ||
			len(b.Sent()) != 0 {
			t.Errorf("ended as %v: %q: %q", result.State, result.Summary, steps["w"].Note)
		}
	})
}
