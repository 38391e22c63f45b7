package renew_test

import (
	"context"
	"encoding/json"
	"errors"
	"net/http"
	"strings"
	"syscall"
	"testing"
	"time"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/send"
)

func TestCertManagerIsToldAsCmctlTellsIt(t *testing.T) {
	onBench(t, func(b *bench) {
		p := b.plan(b.managedCert())
		if p.Tier != action.Ask || p.Gate != "issue shop/web anew" || len(p.Refusals) > 0 || p.Kubectl[0] != "cmctl renew web -n shop --context prod" ||
			p.Details["serial before"] != "3f9a:71c0:5be4:02d8" || p.Details["certificate"] != "shop/web" {
			t.Errorf("tier %d, %q, %q, %q, %v", p.Tier, p.Gate, p.Refusals, p.Kubectl, p.Details)
		}
		b.has(sheet(p), "cert-manager issues shop/web anew, by ClusterIssuer letsencrypt, and puts it into Secret web-tls.",
			"now: Ready; 6d left, until 2000-01-07 00:00 UTC", "cert-manager would renew it by itself at 2000-01-03 00:00 UTC", "key: the key is new too")
		if len(b.requests()) > 0 {
			t.Fatal("a plan has sent something")
		}
		progress, end := b.begin(b.t.Context(), p)
		after(time.Second)
		is := b.is()
		if is["status"] != "True" || is["reason"] != "ManuallyTriggered" || is["message"] != "Certificate re-issuance manually triggered" ||
			is["lastTransitionTime"] != "2000-01-01T00:00:00Z" {
			t.Errorf("Issuing is %v", is)
		}
		sent := b.requests()
		if len(sent) != 1 || sent[0].Method != http.MethodPut || sent[0].Path != certificatePath+"/status" || sent[0].Query.Get("fieldManager") != "ktriage" ||
			!strings.Contains(string(sent[0].Body), `"later":"a field that nobody here knows"`) || !strings.Contains(string(sent[0].Body), `"generation":9007199254740993`) ||
			!strings.Contains(string(sent[0].Body), `"observedGeneration":9007199254740993`) || !strings.Contains(string(sent[0].Body), `"uid":"u-web"`) {
			t.Errorf("sent %+v", sent)
		}
		if s := progress.Steps()[0]; s.State != action.StepProgressing || !s.Follows || s.Note != "issuing: ManuallyTriggered: Certificate re-issuance manually triggered" {
			t.Errorf("%v %q", s.State, s.Note)
		}
		b.issues(90 * day)
		result := <-end
		if result.State != action.Done || result.Summary != "issued, revision 3, valid until 2000-03-31 00:00 UTC (89d left)" {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestCopiesOfACertificateAreNamed(t *testing.T) {
	onBench(t, func(b *bench) {
		c := b.managedCert()
		if s := sheet(b.plan(c)); strings.Contains(s, "copies: ") {
			t.Errorf("there are none:\n%s", s)
		}
		c.Places = append(c.Places, kube.CertPlace{Source: kube.FromSecret, Where: "secret platform/web-tls", Object: kube.Ref{Namespace: "platform", Name: "web-tls"}})
		b.has(sheet(b.plan(c)), "copies: stay as they are, with the old one: secret platform/web-tls\n")
	})
}

func TestNewDatesAreWaitedForAfterTheNewRevision(t *testing.T) {
	onBench(t, func(b *bench) {
		p := b.plan(b.managedCert())
		progress, end := b.begin(b.t.Context(), p)
		after(time.Second)
		b.status(func(s map[string]any) { s["revision"], s["conditions"] = json.Number("3"), conditions() })
		after(3 * time.Second)
		if s := progress.Steps()[0]; s.Note != "issued, revision 3; waits for its dates" {
			t.Errorf("%q", s.Note)
		}
		if result := <-end; result.State != action.Done || result.Summary != "issued, revision 3; its dates are as before" {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestAFailedIssuanceIsTold(t *testing.T) {
	onBench(t, func(b *bench) {
		p := b.plan(b.managedCert())
		_, end := b.begin(b.t.Context(), p)
		after(time.Second)
		b.status(func(s map[string]any) {
			s["failedIssuanceAttempts"], s["lastFailureTime"] = json.Number("1"), time.Now().UTC().Format(time.RFC3339)
			s["conditions"] = conditions(map[string]any{"type": "Issuing", "status": "False", "reason": "Failed", "message": "order is invalid\x1b[2J"})
		})
		result := <-end
		if result.State != action.Failed || result.Summary != "not issued: Failed: order is invalid" {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestATriggerThatIsTakenAwayIsTold(t *testing.T) {
	onBench(t, func(b *bench) {
		_, end := b.begin(b.t.Context(), b.plan(b.managedCert()))
		after(time.Second)
		b.status(func(s map[string]any) { s["conditions"] = conditions() })
		if result := <-end; result.State != action.Failed || !strings.Contains(result.Summary, "issued nothing") {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestWithoutCertManagerItIsSaidAndGivenUpAfterHalfAnHour(t *testing.T) {
	onBench(t, func(b *bench) {
		began := time.Now()
		progress, end := b.begin(b.t.Context(), b.plan(b.managedCert()))
		after(61 * time.Second)
		if s := progress.Steps()[0]; s.Note != "waits for cert-manager" || !strings.Contains(strings.Join(s.Why, " "), "look whether cert-manager runs") {
			t.Errorf("%q %q", s.Note, s.Why)
		}
		result := <-end
		if took := time.Since(began); result.State != action.Partial || took < 30*time.Minute || took > 31*time.Minute {
			t.Errorf("%v %q after %v", result.State, result.Summary, took)
		}
	})
}

func TestCancellingLeavesCertManagerAtWork(t *testing.T) {
	onBench(t, func(b *bench) {
		ctx, stop := context.WithCancelCause(b.t.Context())
		_, end := b.begin(ctx, b.plan(b.managedCert()))
		after(3 * time.Second)
		stop(action.ErrCancelled)
		if result := <-end; result.State != action.Cancelled || b.is() == nil || len(b.requests()) != 1 {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestACertificateThatIsNotAsThePlanShowedItIsNotTouched(t *testing.T) {
	for what, c := range map[string]struct {
		happens func(b *bench)
		says    string
	}{
		"replaced": {func(b *bench) {
			b.managed["metadata"].(map[string]any)["uid"] = "u-other"
			b.bump()
		}, "another Certificate has the name now; nothing was done"},
		"deleted": {func(b *bench) { b.managed = nil }, "does not exist any more; nothing was done"},
		"changed": {func(b *bench) { b.bump() }, "was changed since the plan was made; nothing was done"},
	} {
		onBench(t, func(b *bench) {
			p := b.plan(b.managedCert())
			c.happens(b)
			_, end := b.begin(b.t.Context(), p)
			if result := <-end; result.State != action.Failed || result.Summary != c.says {
				t.Errorf("%s: %v %q", what, result.State, result.Summary)
			}
			if b.managed != nil && b.is() != nil {
				t.Errorf("%s: it is being issued", what)
			}
		})
	}
}

func TestWhatSomebodyElseHasBegunInBetweenIsFollowed(t *testing.T) {
	onBench(t, func(b *bench) {
		p := b.plan(b.managedCert())
		b.status(func(s map[string]any) {
			s["conditions"] = conditions(map[string]any{"type": "Issuing", "status": "True", "reason": "Renewing", "message": "as scheduled"})
		})
		progress, end := b.begin(b.t.Context(), p)
		after(time.Second)
		if s := progress.Steps()[0]; s.Note != "issuing: Renewing: as scheduled" {
			t.Errorf("%v %q", s.State, s.Note)
		}
		b.issues(90 * day)
		if result := <-end; result.State != action.Done || len(b.requests()) != 1 {
			t.Errorf("%v %q", result.State, result.Summary)
		}
	})
}

func TestATriggerWithoutAnAnswerIsLookedUp(t *testing.T) {
	for what, done := range map[string]bool{"done": true, "not done": false} {
		onBench(t, func(b *bench) {
			p := b.plan(b.managedCert())
			b.way = func(_ *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
				if done {
					if _, err := on(); err != nil {
						return nil, err
					}
					time.AfterFunc(time.Second, func() { b.issues(90 * day) })
				}
				return nil, syscall.ECONNRESET
			}
			_, end := b.begin(b.t.Context(), p)
			result := <-end
			if want := map[bool]action.State{true: action.Done, false: action.Failed}[done]; result.State != want || len(b.requests()) != 1 {
				t.Errorf("%s: %v %q, %d requests", what, result.State, result.Summary, len(b.requests()))
			}
		})
	}
}

func TestAnIssuanceIsRefusedWhereItCannotBe(t *testing.T) {
	onBench(t, func(b *bench) {
		c := b.managedCert()
		b.Deny("update certificates/status in shop")
		if p := b.plan(c); len(p.Refusals) != 1 || p.Refusals[0] != "you may not update certificates/status in shop" || p.Work != nil {
			t.Errorf("%q", p.Refusals)
		}
		b.Deny()
		b.status(func(s map[string]any) {
			s["conditions"] = conditions(map[string]any{"type": "Issuing", "status": "True", "reason": "Renewing", "message": "x"})
			s["failedIssuanceAttempts"], s["lastFailureTime"] = json.Number("4"), time.Now().Add(-2*time.Hour).UTC().Format(time.RFC3339)
		})
		p := b.plan(c)
		if len(p.Refusals) != 1 || p.Refusals[0] != "cert-manager is issuing it already: Renewing: x" {
			t.Errorf("%q", p.Refusals)
		}
		b.has(sheet(p), "failed: 4 attempts, the last 120m ago")
		c.Issuance.Object.UID = "of-another"
		if _, err := b.tryPlan(c); !errors.Is(err, send.ErrReplaced) {
			t.Errorf("replaced: %v", err)
		}
		delete(b.rows, c.UID)
		if _, err := b.tryPlan(c); err == nil || !strings.Contains(err.Error(), "not among the certificates any more") {
			t.Errorf("not there: %v", err)
		}
	})
}
