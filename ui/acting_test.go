package ui

import (
	"context"
	"slices"
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/intstr"

	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// owned gives a pod to a ReplicaSet, whose pods are labelled app=owner.
func owned(owner string) func(*corev1.Pod) {
	return func(p *corev1.Pod) {
		yes := true
		p.Labels = map[string]string{"app": owner}
		p.OwnerReferences = []metav1.OwnerReference{{
			APIVersion: "apps/v1", Kind: "ReplicaSet", Name: owner + "-5d9", UID: types.UID(owner), Controller: &yes,
		}}
	}
}

// scratch gives a pod an emptyDir.
func scratch(p *corev1.Pod) {
	p.Spec.Volumes = []corev1.Volume{{Name: "scratch", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
}

// budget is a PodDisruptionBudget over the pods of cart that allows so many evictions now.
func budget(allowed int32) *policyv1.PodDisruptionBudget {
	most := intstr.FromInt32(2)
	return &policyv1.PodDisruptionBudget{
		ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "cart-pdb", UID: "cart-pdb", Generation: 1},
		Spec: policyv1.PodDisruptionBudgetSpec{
			MinAvailable: &most, Selector: &metav1.LabelSelector{MatchLabels: map[string]string{"app": "cart"}},
		},
		Status: policyv1.PodDisruptionBudgetStatus{
			ObservedGeneration: 1, DisruptionsAllowed: allowed, CurrentHealthy: 2 + allowed, DesiredHealthy: 2, ExpectedPods: 3,
		},
	}
}

// shop fills the cluster with three nodes, and pods on the first that can be drained; extra more of them.
func (s *session) shop(extra ...metav1.Object) {
	s.Put(node("worker-1"), node("worker-2"), node("worker-3"))
	s.Put(pod("shop", "web-5d9-aaaaa", "worker-1", owned("web")), pod("shop", "web-5d9-bbbbb", "worker-1", owned("web")),
		pod("shop", "cart-5d9-ccccc", "worker-1", owned("cart")))
	s.Put(extra...)
}

// patched reports whether a request that changes something was sent.
func (s *session) changed() bool {
	return slices.ContainsFunc(s.Asked(), func(r string) bool {
		return strings.HasPrefix(r, "PATCH") || strings.HasPrefix(r, "DELETE") || strings.HasPrefix(r, "PUT") ||
			strings.HasPrefix(r, "POST") && strings.HasSuffix(r, "/eviction")
	})
}

func (s *session) untouched() {
	s.t.Helper()
	if s.changed() {
		s.t.Errorf("something was changed: %v\n%s", s.Asked(), s.Screen())
	}
}

func (s *session) cordoned(name string) bool { return s.Node(name).Spec.Unschedulable }

// plan opens the sheet of a key on worker-1, and waits until it counts.
func (s *session) plan(key string) {
	if s.line("NAME↑") == "" {
		s.Press("O", "n")
	}
	s.Press("g", key)
	s.Wait(time.Second)
}

func TestCordonShowsAPlanAsksAndIsUndone(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.plan("c")
		s.sees("No new pods on worker-1. Its 3 pods stay and keep running.", "2 of 3 nodes ready and schedulable (3 now)",
			"kubectl --context prod-tokyo cordon worker-1", "tier 1 · in prod-tokyo")
		s.untouched()
		s.Press("y")
		s.sees("cordon worker-1: cordoned in", "(undo: 7 Actions)")
		if !s.cordoned("worker-1") {
			t.Fatalf("worker-1 is not cordoned:\n%s", s.Screen())
		}
		s.Press("c")
		s.sees("cordon: worker-1 is cordoned already")
		s.Press("7", "u")
		s.Wait(time.Second)
		s.sees("New pods may go to worker-1 again.")
		s.Press("y")
		s.sees("uncordon worker-1: uncordoned in")
		if s.cordoned("worker-1") {
			t.Errorf("worker-1 is still cordoned:\n%s", s.Screen())
		}
		entries, err := s.book.Read(10)
		if err != nil {
			t.Fatal(err)
		}
		var events []string
		for _, e := range entries {
			events = append(events, string(e.Event)+" "+e.Action+" "+e.State)
		}
		want := []string{"intent node.cordon ", "result node.cordon done", "intent node.uncordon ", "result node.uncordon done"}
		if !slices.Equal(events, want) {
			t.Errorf("the audit log has %q, want %q", events, want)
		}
	})
}

// What confirms must come from a hand that has seen the plan.
func TestNothingButAKeyOfItsOwnConfirms(t *testing.T) {
	for name, confirm := range map[string]func(*session){
		"typed ahead":            func(s *session) { s.Send("cy"); s.Settle() },
		"right after it came":    func(s *session) { s.Press("c", "y") },
		"again and again":        func(s *session) { s.Press("c", "y", "y", "y", "y", "y") },
		"in a paste":             func(s *session) { s.plan("c"); s.Paste("y") },
		"in a paste with return": func(s *session) { s.plan("c"); s.Paste("y\r") },
		"with a key before it":   func(s *session) { s.plan("c"); s.Type("jy") },
		"with a key behind it":   func(s *session) { s.plan("c"); s.Type("yj") },
		"out of an answer":       func(s *session) { s.plan("c"); s.Type("\x1b[?62;22y\x1b]11;rgb:0/0/0\x07y\x1b[0n") },
		"enter":                  func(s *session) { s.plan("c"); s.Press("enter", "space", "c", "q") },
	} {
		t.Run(name, func(t *testing.T) {
			inSession(t, 80, 24, func(s *session) {
				s.shop()
				s.start()
				confirm(s)
				s.Wait(2 * time.Second)
				s.untouched()
			})
		})
	}
}

func TestSheetCanStillBeConfirmedAfterKeysThatDidNotCount(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.Press("c", "y")
		s.sees("too soon: nothing was confirmed")
		s.Wait(time.Second)
		s.Type("jy")
		s.sees("several keys came at once")
		s.Type("yj")
		s.sees("another key came right behind it")
		s.Wait(time.Second)
		s.Press("y")
		s.sees("cordoned in")
	})
}

func TestEscClosesASheetAndNothingHappens(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		for _, key := range []string{"c", "r"} {
			s.plan(key)
			s.sees("tier")
			s.Press("esc")
			s.misses("tier")
		}
		s.untouched()
	})
}

func TestPlanThatHasBeenReadTooLongIsMadeAnew(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.plan("c")
		s.Wait(action.PlanLife)
		s.sees("void: ctrl+r makes it anew")
		s.Press("y")
		s.sees("the plan was too old")
		s.untouched()
		s.Wait(time.Second)
		s.Press("y")
		s.sees("cordoned in")
	})
}

func TestLongPlanMustBeReadToItsEnd(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		var more []metav1.Object
		for _, c := range "abcdefghijklmnopqrstuvwxyz" {
			more = append(more, pod("shop", "api-5d9-"+string(c), "worker-1", owned("api")))
		}
		s.shop(more...)
		s.start()
		s.plan("r")
		s.sees("Of 29 pods 29 leave", "tier 2", "read the last")
		s.Press("y")
		s.sees("lines first")
		s.untouched()
		s.Press("G", "y")
		s.sees("drain worker-1 · running")
	})
}

// A plan that is made anew has not been read, wherever its sheet stands.
func TestNewPlanMustBeReadAgain(t *testing.T) {
	long := func(t *testing.T, test func(s *session)) {
		inSession(t, 80, 24, func(s *session) {
			var more []metav1.Object
			for _, c := range "abcdefghijklmnopqrstuvwxyz" {
				more = append(more, pod("shop", "api-5d9-"+string(c), "worker-1", owned("api"), scratch))
			}
			s.shop(more...)
			s.start()
			s.plan("r")
			test(s)
			s.untouched()
		})
	}
	t.Run("after an option", func(t *testing.T) {
		long(t, func(s *session) {
			s.Press("G", "tab", "space")
			s.Wait(time.Second)
			s.sees("tier 3")
			s.Type("worker-1 x")
			if chosen := s.app.overlay.(*review).options; len(chosen) != 1 {
				t.Errorf("what was typed too early has changed options: %v", chosen)
			}
			s.Press("tab")
			s.sees("read this first", "worker-1: Ready")
			s.Type("worker-1")
			s.Press("enter")
			s.misses("running")
		})
	})
	t.Run("after a minute", func(t *testing.T) {
		long(t, func(s *session) {
			s.Press("tab", "space")
			s.Wait(time.Second)
			s.Press("esc")
			s.Press("r", "tab", "space")
			s.Wait(time.Second)
			s.Press("tab", "G", "tab", "tab")
			s.Type("worker-1")
			s.Wait(action.PlanLife)
			s.Press("enter")
			s.sees("the plan was too old")
			s.Wait(time.Second)
			s.Press("enter")
			s.sees("read the last")
		})
	})
}

func TestHelpOverASheetGivesTheSheetBack(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.plan("r")
		s.Press("?")
		s.sees("Keys for this sheet", "next part", "copy kubectl")
		s.Press("y")
		s.Wait(time.Second)
		s.untouched()
		s.Press("esc")
		s.sees("drain worker-1", "tier 2")
		s.Press("esc")
		s.misses("tier 2")
	})
}

func TestNothingIsConfirmedThatCannotBeSeen(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.plan("c")
		s.Resize(58, 10)
		s.Press("y")
		s.Wait(time.Second)
		s.untouched()
		s.Resize(80, 24)
		s.Wait(time.Second)
		s.Press("y")
		s.sees("cordoned in")
	})
}

func TestWhatLosesDataAsksForTheName(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop(pod("shop", "cache-5d9-ddddd", "worker-1", owned("cache"), scratch))
		s.start()
		s.plan("r")
		s.sees("cannot be confirmed: 1 pod uses emptyDir")
		s.Press("y")
		s.sees("it cannot be confirmed")
		s.Press("tab", "space")
		s.Wait(time.Second)
		s.sees("tier 3")
		s.Press("G", "y")
		s.sees("tab goes to the field in which worker-1 is typed")
		s.Press("tab")
		s.sees("In prod-tokyo, type worker-1 to drain it:")
		s.Paste("worker-1")
		s.sees("pasted text was ignored")
		s.Press("enter")
		s.sees(`"" is not worker-1: nothing was confirmed`)
		s.Type("worker-2")
		s.Press("enter")
		s.sees(`"worker-2" is not worker-1: nothing was confirmed`)
		s.untouched()
		s.Press("backspace")
		s.Type("1")
		s.Press("enter")
		s.sees("drain worker-1 · running")
	})
}

func TestProtectedContextIsATierHarder(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.runner(action.Settings{Protected: true})
		s.shop()
		s.start()
		s.plan("c")
		s.sees("PROTECTED prod-tokyo", "tier 2 · in prod-tokyo", "one tier up (1 to 2)", "in PROTECTED prod-tokyo")
		s.Press("esc")
		s.plan("r")
		s.sees("tier 3", "type worker-1 to drain it")
		s.untouched()
	})
}

func TestReadOnlyAndMissingPermissionsGreyTheKeysWithTheReason(t *testing.T) {
	t.Run("read-only", func(t *testing.T) {
		inSession(t, 80, 24, func(s *session) {
			s.runner(action.Settings{ReadOnly: true})
			s.deps.ReadOnly = true
			s.shop()
			s.start()
			s.Press("c")
			s.sees("cordon: ktriage runs with --read-only")
		})
	})
	t.Run("denied", func(t *testing.T) {
		inSession(t, 80, 24, func(s *session) {
			s.Deny("create pods/eviction")
			s.shop()
			s.start()
			s.Press("r")
			s.sees("drain: you (alice) may not create pods/eviction; asked the server at")
			s.plan("c")
			s.sees("No new pods on worker-1.")
			s.Press("esc")
			s.Deny()
			s.Wait(time.Minute)
			s.Press("r") // it is still grey, and asked about again
			s.sees("may not create pods/eviction")
			s.Press("r")
			s.Wait(time.Second)
			s.sees("drain worker-1", "tier 2")
			s.untouched()
		})
	})
}

func TestServerThatIsAwayIsNotActedOn(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.plan("c")
		s.Fail(kubetest.Refused)
		s.Wait(15 * time.Second)
		s.Press("y")
		s.sees("nothing was done: the API server does not answer")
		s.Press("esc", "c")
		s.sees("actions are off until the API server answers")
		s.untouched()
	})
}

func TestPlanThatCannotBeMadeSaysWhy(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.Fail(kubetest.Answer(metav1.Status{Code: 500, Reason: metav1.StatusReasonInternalError, Message: "etcd\x1b[2J is full"}, "/nodes/worker-1"))
		s.plan("c")
		s.sees("There is no plan:", "nothing can be confirmed")
		s.Fail(nil)
		s.Press("ctrl+r")
		s.Wait(time.Second)
		s.sees("No new pods on worker-1.")
	})
}

func TestLateAnswerDoesNotOpenASheetAgain(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop()
		s.start()
		s.Silent()
		s.Press("O", "n", "g", "c")
		s.sees("Asking the server what would happen. Nothing is changed.")
		s.Press("esc")
		s.Fail(nil)
		s.Wait(30 * time.Second)
		s.misses("tier", "There is no plan")
		s.untouched()
	})
}

func TestDrainIsWatchedPausedAndCancelledFromTheActionsPane(t *testing.T) {
	inSession(t, 80, 24, func(s *session) {
		s.shop(budget(0))
		s.Put(pod("shop", "cart-5d9-eeeee", "worker-2", owned("cart"), unready))
		s.start()
		s.plan("r")
		s.sees("cart-pdb allows 0")
		s.Press("G", "y")
		s.Wait(2 * time.Second)
		s.sees("drain worker-1 · running", "blocked", "cart-pdb allows 0", "terminating")
		s.Press("P")
		s.sees("pauses: nothing new is asked for")
		s.Wait(time.Second)
		s.sees("paused")
		s.Press("P")
		s.sees("goes on")
		s.Press("esc")
		s.sees("1 running, 0 ended")
		s.Press("enter", "x")
		s.Wait(time.Second)
		s.sees("drain worker-1 · cancelled", "not done")
		if !s.cordoned("worker-1") {
			t.Error("a cancelled drain has uncordoned the node")
		}
		for _, p := range s.Pods() {
			if p.Name == "cart-5d9-ccccc" && p.DeletionTimestamp != nil {
				t.Error("a pod that a budget protects has been evicted")
			}
		}
	})
}

// runner makes the engine anew, with other settings.
func (s *session) runner(settings action.Settings) {
	ctx, stop := context.WithCancel(s.t.Context())
	s.t.Cleanup(stop)
	s.deps.Runner = action.New(ctx, s.deps.Cluster, kinds(), s.book, settings)
}

func TestScreensOfActions(t *testing.T) {
	for _, c := range []struct {
		name string
		w, h int
		keys []string
	}{
		{"cordon-80x24", 80, 24, []string{"c"}},
		{"cordon-120x40", 120, 40, []string{"c"}},
		{"uncordon-refused-80x24", 80, 24, []string{"u"}},
		{"drain-plan-80x24", 80, 24, []string{"r"}},
		{"drain-plan-120x40", 120, 40, []string{"r"}},
		{"drain-options-80x24", 80, 24, []string{"r", "tab", "space"}},
		{"drain-name-120x40", 120, 40, []string{"r", "tab", "space", "G", "tab", "tab"}},
		{"drain-marked-120x40", 120, 40, []string{"space", "j", "space", "r"}},
		{"drain-small-60x15", 60, 15, []string{"r"}},
		{"actions-empty-80x24", 80, 24, []string{"7"}},
	} {
		t.Run(c.name, func(t *testing.T) {
			inSession(t, c.w, c.h, func(s *session) {
				s.shop(budget(0), pod("shop", "cache-5d9-ddddd", "worker-1", owned("cache"), scratch))
				s.start()
				s.Press("O", "n", "g")
				for _, k := range c.keys {
					s.Press(k)
					s.Wait(time.Second)
				}
				s.Golden(t, c.name)
				s.untouched()
			})
		})
	}
	for _, size := range []struct{ w, h int }{{80, 24}, {120, 40}} {
		name := map[int]string{80: "drain-running-80x24", 120: "drain-running-120x40"}[size.w]
		t.Run(name, func(t *testing.T) {
			inSession(t, size.w, size.h, func(s *session) {
				s.shop(budget(1)) // a pod that is refused is asked again after a time that chance has a part in
				s.start()
				s.plan("r")
				s.Press("G", "y")
				s.Wait(3 * time.Second)
				s.Golden(t, name)
			})
		})
	}
}
