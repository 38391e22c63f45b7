package remove

import (
	"net/http"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

func TestFinalizersAreRemovedOnlyWhereNothingElseKeepsThePod(t *testing.T) {
	for name, c := range map[string]struct {
		pod     []func(*corev1.Pod)
		refused string
		instead action.ID
	}{
		"held":           {pod: []func(*corev1.Pod){deleted(time.Minute, 0), finalized("a.example/b")}},
		"none":           {pod: []func(*corev1.Pod){deleted(time.Minute, 30)}, refused: "it has no finalizers", instead: action.ForceDelete},
		"not deleted":    {pod: []func(*corev1.Pod){finalized("a.example/b")}, refused: "it is not being deleted: delete it first", instead: action.DeletePod},
		"within":         {pod: []func(*corev1.Pod){deleted(time.Second, 3600), finalized("a.example/b")}, refused: "wait: its containers have"},
		"kubelet has it": {pod: []func(*corev1.Pod){deleted(time.Minute, 30), finalized("a.example/b")}, refused: "its finalizers are not all that keeps it: first n1 is Ready, and app still runs", instead: action.ForceDelete},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("n1", corev1.ConditionTrue)
				b.pod("web", "n1", c.pod...)
			}, func(b *bench) {
				p := b.plan(NewFinalizers(), nil, web)
				if got := strings.Join(p.Refusals, "\n"); (got == "") != (c.refused == "") || !strings.HasPrefix(got, c.refused) || p.Tier != action.Write || p.Word != "web" {
					t.Errorf("refused with %q, want %q; tier %d, word %q", got, c.refused, p.Tier, p.Word)
				}
				if n := len(p.Instead); n > 1 || (n == 1) != (c.instead != "") || n == 1 && p.Instead[0].Action != c.instead {
					t.Errorf("instead %+v, want %q", p.Instead, c.instead)
				}
			})
		})
	}
}

func TestSheetSaysWhichPodsAreGoneWithoutTheirFinalizers(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1", deleted(time.Minute, 0), finalized("a.example/x"))
		b.pod("api", "n1", deleted(time.Minute, 0), finalized("a.example/x", "a.example/y"))
	}, func(b *bench) {
		api := kube.Ref{Kind: kube.Pods, Namespace: "shop", Name: "api", UID: "uid-api"}
		without := options(OptionRemove+"a.example/y", action.Off)
		for want, p := range map[string]*action.Plan{
			"1 finalizer of shop/web is removed; it is gone then.":             b.plan(NewFinalizers(), nil, web),
			"2 finalizers of shop/api are removed; it is gone then.":           b.plan(NewFinalizers(), nil, api),
			"1 finalizer of shop/api is removed; it stays: others keep it.":    b.plan(NewFinalizers(), without, api),
			"3 finalizers of shop/web and 1 more are removed; 2 pods are gone": b.plan(NewFinalizers(), nil, web, api),
			"2 finalizers of shop/web and 1 more are removed; 1 pod is gone":   b.plan(NewFinalizers(), without, web, api),
		} {
			if !strings.HasPrefix(p.Headline, want) {
				b.t.Errorf("%q, want %q", p.Headline, want)
			}
		}
	})
}

func TestOnlyTheChosenFinalizersAreRemoved(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.pod("web", "n1", deleted(time.Minute, 0), finalized("a.example/x", "batch.kubernetes.io/job-tracking", "a.example/z"))
	}, func(b *bench) {
		none := options(OptionRemove+"a.example/x", action.Off, OptionRemove+"a.example/z", action.Off, OptionRemove+"batch.kubernetes.io/job-tracking", action.Off)
		if p := b.plan(NewFinalizers(), none, web); len(p.Refusals) != 1 || p.Refusals[0] != "choose a finalizer below" {
			t.Errorf("%q", p.Refusals)
		}
		if _, err := NewFinalizers().Plan(b.t.Context(), b.cluster, to(web), options("everything", action.On)); err == nil {
			t.Error("an option that there is not is taken")
		}
		p := b.plan(NewFinalizers(), options(OptionRemove+"batch.kubernetes.io/job-tracking", action.Off), web)
		for _, want := range []string{"2 finalizers of shop/web are removed; it stays: others keep it.", "skipped: what that controller does", "batch.kubernetes.io/job-tracking: set for the Job controller", "stays"} {
			if !strings.Contains(sheetOf(p), want) {
				t.Errorf("%q is not on the sheet\n%s", want, sheetOf(p))
			}
		}
		result := b.carryOut(b.t.Context(), p)
		if left := b.there("uid-web").Finalizers; result.State != action.Done || len(left) != 1 || left[0] != "batch.kubernetes.io/job-tracking" {
			t.Errorf("%v %q, left %q\n%s", result.State, result.Summary, left, b.steps())
		}
		want := `[{"op":"test","path":"/metadata/uid","value":"uid-web"},` +
			`{"op":"test","path":"/metadata/finalizers","value":["a.example/x","batch.kubernetes.io/job-tracking","a.example/z"]},` +
			`{"op":"remove","path":"/metadata/finalizers/2"},{"op":"remove","path":"/metadata/finalizers/0"}]`
		if got := string(b.Sent()[0].Body); got != want || b.Sent()[0].Query.Get("fieldManager") != "ktriage" {
			t.Errorf("sent %s", got)
		}
	})
}

func TestOutcomeOfRemovingFinalizers(t *testing.T) {
	changed := func(b *bench, change ...func(*corev1.Pod)) way {
		return func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			old := b.there("uid-web")
			b.Delete(old)
			b.Put(newPod("web", "n1", append([]func(*corev1.Pod){deleted(time.Minute, 0)}, change...)...))
			return on()
		}
	}
	for name, c := range map[string]struct {
		way   func(*bench) way
		state action.State
		steps string
	}{
		"well":      {func(*bench) way { return nil }, action.Done, "web gone: gone"},
		"added":     {func(b *bench) way { return changed(b, finalized("a.example/b", "c.example/d")) }, action.Failed, "web failed: changed meanwhile; nothing was done"},
		"replaced":  {func(b *bench) way { return changed(b, finalized("a.example/b"), func(p *corev1.Pod) { p.UID = "new" }) }, action.Failed, "web failed: this is a different pod now; nothing was done"},
		"forbidden": {func(*bench) way { return status(403, metav1.StatusReasonForbidden, "not you") }, action.Failed, "web failed: not you"},
		"no answer": {func(*bench) way { return done(reset) }, action.Done, "web gone: gone"},
		"unknown": {func(b *bench) way {
			return func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
				b.Fail(kubetest.Refused)
				return reset(r, on)
			}
		}, action.Unknown, "web unknown: no answer; it is not known whether it was done"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("n1", corev1.ConditionTrue)
				b.pod("web", "n1", deleted(time.Minute, 0), finalized("a.example/b"))
			}, func(b *bench) {
				p := b.plan(NewFinalizers(), nil, web)
				b.Way = c.way(b)
				result := b.carryOut(b.t.Context(), p)
				if result.State != c.state || !strings.HasPrefix(b.steps(), c.steps) || len(b.Sent()) != 1 {
					t.Errorf("%v %q\n%s\n%d requests", result.State, result.Summary, b.steps(), len(b.Sent()))
				}
			})
		})
	}
}
