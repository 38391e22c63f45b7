package csr_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"testing/synctest"
	"time"

	certificatesv1 "k8s.io/api/certificates/v1"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube/action"
	"ktriage/kube/csr"
	"ktriage/kube/kubetest"
)

func TestAnApprovalIsOneRequestAndIsFollowedUntilItIsSigned(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		b.signs(2500 * time.Millisecond)
		p, began := b.plan(true, b.good()), time.Now()
		result, steps := b.run(p)
		if result.State != action.Done || !strings.HasPrefix(result.Summary, "issued, valid until 2000-12-31 00:00 UTC (364d)") || result.Undo != nil {
			t.Errorf("%v %q", result.State, result.Summary)
		}
		if took := time.Since(began); took != 3*time.Second || len(b.Sent()) != 1 || steps[0].State != action.StepDone {
			t.Errorf("%v, %d requests, %v", took, len(b.Sent()), steps[0].State)
		}
		sent := b.Sent()[0]
		var body certificatesv1.CertificateSigningRequest
		if err := json.Unmarshal(sent.Body, &body); err != nil {
			t.Fatal(err)
		}
		c := body.Status.Conditions[0]
		if body.UID != "uid-csr-9k2xl" || body.ResourceVersion == "" || sent.Query.Get("fieldManager") != "ktriage" ||
			c.Type != certificatesv1.CertificateApproved || c.Status != corev1.ConditionTrue || c.Reason != "KtriageApprove" ||
			c.Message != "This request was approved with ktriage." || c.LastUpdateTime.IsZero() {
			t.Errorf("sent %+v", body)
		}
	})
}

func TestADenialSaysWhyAndEnds(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p, err := b.tryPlan(false, action.Options{csr.OptionReason: "names"}, b.good())
		if err != nil {
			t.Fatal(err)
		}
		result, steps := b.run(p)
		c := b.CSR("csr-9k2xl").Status.Conditions[0]
		if result.State != action.Done || result.Summary != "denied" || steps[0].State != action.StepDone || c.Type != certificatesv1.CertificateDenied ||
			c.Reason != "KtriageDeny" || c.Message != "This request was denied with ktriage. It asks for names that are not its own." {
			t.Errorf("%v %q, %+v", result.State, result.Summary, c)
		}
	})
}

func TestWhatHasChangedSinceThePlanIsNotDecided(t *testing.T) {
	for what, c := range map[string]struct {
		happens func(b *bench)
		sent    int
		state   action.State
		says    string
	}{
		"replaced": {func(b *bench) {
			b.Delete(b.CSR("csr-9k2xl"))
			b.good(func(o *asked) { o.UID = types.UID("uid-of-another") })
		}, 1, action.Failed, "another request has the name now; nothing was done"},
		"deleted":         {func(b *bench) { b.Delete(b.CSR("csr-9k2xl")) }, 1, action.Failed, "does not exist any more; nothing was done"},
		"denied by other": {func(b *bench) { b.change("csr-9k2xl", decided(certificatesv1.CertificateDenied, "KubectlDeny")) }, 1, action.Failed, "is Denied by now (KubectlDeny): it changed since the plan was made; nothing was done"},
		"touched":         {func(b *bench) { b.change("csr-9k2xl", func(o *asked) { o.Labels = map[string]string{"a": "b"} }) }, 1, action.Failed, "changed since the plan was made; nothing was done"},
		"another address": {func(b *bench) { b.node("gpu-03", "Hostname gpu-03", "InternalIP 10.8.3.77") }, 0, action.Failed,
			"the addresses of gpu-03 are now Hostname gpu-03, InternalIP 10.8.3.77: they changed since the plan was made; nothing was done"},
		"node gone": {func(b *bench) { b.Delete(b.Node("gpu-03")) }, 0, action.Failed, "node gpu-03 is gone"},
		"another node": {func(b *bench) {
			n := b.Node("gpu-03")
			b.Delete(n)
			n.UID = "uid-of-another"
			b.Put(n)
		}, 0, action.Failed, "node gpu-03 is another one"},
		"approved by other": {func(b *bench) {
			b.change("csr-9k2xl", func(o *asked) { decided(certificatesv1.CertificateApproved, "KubectlApprove")(o); issued(o) })
		}, 1, action.Done, "; approved by somebody else before (KubectlApprove)"},
	} {
		onBench(t, func(b *bench) {
			b.gpu03()
			p := b.plan(true, b.good())
			c.happens(b)
			result, steps := b.run(p)
			if result.State != c.state || !strings.Contains(result.Summary, c.says) || len(b.Sent()) != c.sent {
				t.Errorf("%s: %v, %q, %d requests", what, result.State, result.Summary, len(b.Sent()))
			}
			if c.state == action.Failed && steps[0].State != action.StepFailed {
				t.Errorf("%s: the step is %v", what, steps[0].State)
			}
			if o := b.CSR("csr-9k2xl"); o != nil && strings.Contains(string(must(t, o)), "Ktriage") {
				t.Errorf("%s: it was approved", what)
			}
		})
	}
}

func must(t *testing.T, v any) []byte {
	t.Helper()
	raw, err := json.Marshal(v)
	if err != nil {
		t.Fatal(err)
	}
	return raw
}

func TestANodeThatRegistersAfterThePlanIsLookedAtAnew(t *testing.T) {
	onBench(t, func(b *bench) {
		p := b.plan(true, b.good())
		b.gpu03()
		result, _ := b.run(p)
		if result.State != action.Failed || !strings.Contains(result.Summary, "node gpu-03 has registered") || len(b.Sent()) > 0 {
			t.Errorf("%v, %q", result.State, result.Summary)
		}
	})
}

func broken(done bool) kubetest.Way {
	return func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
		if done {
			if response, err := on(); err != nil || response.StatusCode != http.StatusOK {
				return nil, errors.New("the server did not do it")
			}
		}
		return nil, syscall.ECONNRESET
	}
}

func TestARequestWithoutAnAnswerIsLookedUp(t *testing.T) {
	for what, done := range map[string]bool{"done": true, "not done": false} {
		onBench(t, func(b *bench) {
			b.gpu03()
			p, began := b.plan(false, b.good()), time.Now()
			b.Way = broken(done)
			result, steps := b.run(p)
			took := time.Since(began)
			switch {
			case len(b.Sent()) != 1:
				t.Errorf("%s: sent %d times", what, len(b.Sent()))
			case done && (result.State != action.Done || took > time.Second):
				t.Errorf("%s: %v %q after %v", what, result.State, result.Summary, took)
			case !done && (result.State != action.Failed || steps[0].State != action.StepFailed || took < 32*time.Second):
				t.Errorf("%s: %v %q after %v", what, result.State, result.Summary, took)
			}
		})
	}
}

func TestWhatCannotBeFoundOutIsUnknown(t *testing.T) {
	for what, then := range map[string]func(b *bench){
		"the server is gone":  func(b *bench) { b.Fail(kubetest.Refused) },
		"the request is gone": func(b *bench) { b.Delete(b.CSR("csr-9k2xl")) },
	} {
		onBench(t, func(b *bench) {
			b.gpu03()
			p := b.plan(true, b.good())
			b.Way = func(*http.Request, func() (*http.Response, error)) (*http.Response, error) {
				then(b)
				return nil, syscall.ECONNRESET
			}
			result, steps := b.run(p)
			if result.State != action.Unknown || steps[0].State != action.StepUnknown || result.Summary != "no answer; it is not known whether it was approved" {
				t.Errorf("%s: %v %q", what, result.State, result.Summary)
			}
		})
	}
}

func TestARefusalOfTheServerIsExplained(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p := b.plan(true, b.good())
		b.Way = func(r *http.Request, _ func() (*http.Response, error)) (*http.Response, error) {
			response, _, err := kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "user not permitted"})(r)
			return response, err
		}
		result, steps := b.run(p)
		if result.State != action.Failed || !strings.Contains(strings.Join(steps[0].Why, " "), "approve signers kubernetes.io/kubelet-serving") {
			t.Errorf("%v %q %q", result.State, result.Summary, steps[0].Why)
		}
	})
}

func TestASignerThatRefusesIsTold(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p := b.plan(true, b.good())
		b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			time.AfterFunc(time.Second/2, func() { b.change("csr-9k2xl", decided(certificatesv1.CertificateFailed, "SignerValidationFailure")) })
			return on()
		}
		result, _ := b.run(p)
		if result.State != action.Failed || result.Summary != "approved; its signer has refused it: SignerValidationFailure" {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestWhatNobodySignsIsFollowedForTenMinutes(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p, began := b.plan(true, b.good()), time.Now()
		progress := action.NewProgress(func() {})
		ended := make(chan action.Result, 1)
		go func() { ended <- p.Work.Run(b.t.Context(), b.cluster, progress) }()
		<-time.After(31 * time.Second)
		synctest.Wait()
		s := progress.Steps()[0]
		if s.State != action.StepProgressing || !s.Follows || s.Note != "approved; waits for the signer" || !strings.HasPrefix(strings.Join(s.Why, ""), "kube-controller-manager signs it") {
			t.Errorf("after half a minute: %v %q %q", s.State, s.Note, s.Why)
		}
		result := <-ended
		if took := time.Since(began); took < 10*time.Minute || took > 10*time.Minute+5*time.Second || result.State != action.Partial ||
			result.Summary != "approved; not signed while it was followed" {
			t.Errorf("%v %q after %v", result.State, result.Summary, took)
		}
	})
}

func TestCancellingStopsOnlyTheFollowing(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p := b.plan(true, b.good())
		ctx, stop := context.WithCancelCause(b.t.Context())
		time.AfterFunc(1500*time.Millisecond, func() { stop(action.ErrCancelled) })
		began, progress := time.Now(), action.NewProgress(func() {})
		result := p.Work.Run(ctx, b.cluster, progress)
		if took := time.Since(began); took != 1500*time.Millisecond || result.State != action.Cancelled || len(b.Sent()) != 1 ||
			progress.Steps()[0].State != action.StepAccepted || len(b.CSR("csr-9k2xl").Status.Conditions) != 1 {
			t.Errorf("%v %q after %v", result.State, result.Summary, took)
		}
	})
}

func TestARequestThatGoesWhileItIsFollowedIsNotCalledIssued(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		p := b.plan(true, b.good())
		b.Way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			time.AfterFunc(time.Second/2, func() { b.Delete(b.CSR("csr-9k2xl")) })
			return on()
		}
		if result, _ := b.run(p); result.State != action.Partial || !strings.Contains(result.Summary, "whether it was signed is not known") {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestSeveralAreDecidedOneAfterTheOther(t *testing.T) {
	onBench(t, func(b *bench) {
		b.gpu03()
		b.node("gpu-04", "Hostname gpu-04")
		b.signs(time.Second / 2)
		one, two := b.good(), b.request("csr-b", "gpu-04", []string{"gpu-04"})
		gone := b.request("csr-gone", "gpu-04", []string{"gpu-04"})
		p := b.plan(true, one, two, gone)
		b.Delete(b.CSR("csr-gone"))
		progress := action.NewProgress(func() {})
		progress.Skip(two.UID)
		result := p.Work.Run(b.t.Context(), b.cluster, progress)
		steps := progress.Steps()
		if steps[0].State != action.StepDone || steps[1].State != action.StepSkipped || steps[2].State != action.StepFailed || len(b.Sent()) != 2 {
			t.Errorf("%v %v %v, %d sent", steps[0].State, steps[1].State, steps[2].State, len(b.Sent()))
		}
		if result.State != action.Partial || result.Summary != "1 of 3 requests issued; csr-gone: does not exist any more; nothing was done" {
			t.Errorf("%v %q", result.State, result.Summary)
		}
		ctx, stop := context.WithCancelCause(b.t.Context())
		stop(action.ErrCancelled)
		again := b.plan(true, two)
		if end := again.Work.Run(ctx, b.cluster, action.NewProgress(func() {})); end.State != action.Cancelled || len(b.Sent()) != 2 {
			t.Errorf("cancelled before it began: %v, %d sent", end.State, len(b.Sent()))
		}
	})
}
