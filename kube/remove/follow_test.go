package remove

import (
	"context"
	"fmt"
	"net/http"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// again makes a pod in place of another, as a controller does.
func (b *bench) again(name, uid, kind string, ready bool) {
	b.pod(name, "n2", ofOwner(kind, "own"), func(p *corev1.Pod) {
		p.UID, p.CreationTimestamp = types.UID(uid), metav1.NewTime(time.Now())
		p.Status.ContainerStatuses[0].Ready = ready
		if !ready {
			p.Status.Conditions[0].Status = corev1.ConditionFalse
		}
	})
}

func TestWhatComesInTheirPlaceIsFollowed(t *testing.T) {
	two := int32(2)
	for kind, c := range map[string]struct{ gone, sibling, next string }{
		"StatefulSet": {"own-0", "own-1", "own-0"},
		"ReplicaSet":  {"own-a", "own-b", "own-c"},
	} {
		t.Run(kind, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("n1", corev1.ConditionTrue)
				if kind == "StatefulSet" {
					b.Put(&appsv1.StatefulSet{ObjectMeta: meta(), Spec: appsv1.StatefulSetSpec{Replicas: &two}})
				} else {
					b.Put(&appsv1.ReplicaSet{ObjectMeta: meta(), Spec: appsv1.ReplicaSetSpec{Replicas: &two}})
				}
				b.pod(c.gone, "n1", ofOwner(kind, "own"))
				b.pod(c.sibling, "n1", ofOwner(kind, "own"))
			}, func(b *bench) {
				p := b.plan(NewDelete(), nil, refs(c.gone)...)
				result := b.carryOut(b.t.Context(), p)
				if result.State != action.Done || result.Follow == nil {
					t.Fatalf("%v %q", result.State, result.Summary)
				}
				if kind == "StatefulSet" {
					b.again("own-2", "uid-new-2", kind, true) // somebody scales it up meanwhile
				}
				time.AfterFunc(10*time.Second, func() { b.again(c.next, "uid-new", kind, false) })
				time.AfterFunc(20*time.Second, func() { b.again(c.next, "uid-new", kind, true) })
				var pages []string
				began := time.Now()
				result.Follow(b.t.Context(), func(page []action.Section) { pages = append(pages, fmt.Sprint(page[0].Rows[0].Cells[1])) })
				want := []string{"nothing so far", c.next + " uid uid-new on n2 0/1 Running", c.next + " uid uid-new on n2 1/1 Running"}
				if strings.Join(pages, "\n") != strings.Join(want, "\n") {
					t.Errorf("told %q, want %q", pages, want)
				}
				if took := time.Since(began); took < 20*time.Second || took > 22*time.Second {
					t.Errorf("followed for %v", took)
				}
			})
		})
	}
}

func TestFollowingEndsWithItsContext(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionTrue)
		b.Put(&appsv1.StatefulSet{ObjectMeta: meta()})
		b.pod("own-0", "n1", ofOwner("StatefulSet", "own"))
	}, func(b *bench) {
		result := b.carryOut(b.t.Context(), b.plan(NewDelete(), nil, refs("own-0")...))
		ctx, stop := context.WithTimeout(b.t.Context(), 5*time.Minute)
		defer stop()
		began := time.Now()
		result.Follow(ctx, func([]action.Section) {})
		if took := time.Since(began); took != 5*time.Minute {
			t.Errorf("followed for %v", took)
		}
	})
}

func TestDeleteIsTierThreeWhereSomethingIsLost(t *testing.T) {
	empty := func(p *corev1.Pod) {
		p.Spec.Volumes = []corev1.Volume{{Name: "tmp", VolumeSource: corev1.VolumeSource{EmptyDir: &corev1.EmptyDirVolumeSource{}}}}
	}
	budget := &policyv1.PodDisruptionBudget{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "own-pdb", UID: "pdb"}}
	budget.Spec.Selector = &metav1.LabelSelector{}
	for name, c := range map[string]struct {
		pod     []func(*corev1.Pod)
		also    metav1.Object
		tier    action.Tier
		says    string
		refused string
	}{
		"comes back":   {pod: []func(*corev1.Pod){ofOwner("StatefulSet", "own")}, tier: action.Read, says: "only replica"},
		"no owner":     {tier: action.Write, says: "does not come back: no owner"},
		"emptyDir":     {pod: []func(*corev1.Pod){ofOwner("StatefulSet", "own"), empty}, tier: action.Write, says: "loses its emptyDir data: tmp"},
		"budget":       {pod: []func(*corev1.Pod){ofOwner("StatefulSet", "own")}, also: budget, tier: action.Write, says: "deleting does not ask budgets: shop/own-pdb allows 0, and 1 ready pod of it goes"},
		"static":       {pod: []func(*corev1.Pod){mirror}, tier: action.Read, says: "Nothing is deleted.", refused: "a static pod: its kubelet has it from a file, the API object comes back at once; take the file away"},
		"terminating":  {pod: []func(*corev1.Pod){deleted(time.Second, 30)}, tier: action.Read, says: "own-0: Terminating since", refused: "it is Terminating already: its containers have 0:27 left"},
		"late already": {pod: []func(*corev1.Pod){deleted(time.Minute, 30)}, tier: action.Read, says: "app still runs", refused: "Terminating since"},
	} {
		t.Run(name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("n1", corev1.ConditionTrue)
				set := &appsv1.StatefulSet{ObjectMeta: meta()}
				set.Status.ReadyReplicas = 1
				b.Put(set)
				if c.also != nil {
					b.Put(c.also)
				}
				b.pod("own-0", "n1", c.pod...)
			}, func(b *bench) {
				p := b.plan(NewDelete(), nil, refs("own-0")...)
				if p.Tier != c.tier || !strings.Contains(sheetOf(p), c.says) || (len(p.Refusals) == 0) != (c.refused == "") || (p.Work == nil) != (c.refused != "") {
					t.Errorf("tier %d, refused with %q\n%s", p.Tier, p.Refusals, sheetOf(p))
				}
				if c.refused != "" && !strings.HasPrefix(p.Refusals[0], c.refused) {
					t.Errorf("refused with %q, want %q", p.Refusals, c.refused)
				}
			})
		})
	}
}

func TestRunThatHasSentSomethingHasNeitherFailedNorBeenCancelled(t *testing.T) {
	onBench(t, func(b *bench) {
		b.node("n1", corev1.ConditionUnknown)
		b.pod("a", "n1")
		b.pod("b", "n1")
		b.Clings(func(*corev1.Pod) bool { return true })
	}, func(b *bench) {
		p := b.plan(NewDelete(), nil, refs("a", "b")...)
		b.Way = func(r *http.Request, on func() (*http.Response, error)) (*http.Response, error) {
			if strings.HasSuffix(r.URL.Path, "/a") {
				return status(403, metav1.StatusReasonForbidden, "no")(r, on)
			}
			return on()
		}
		if result := b.carryOut(b.t.Context(), p); result.State != action.Partial {
			t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
		}
	})
}

func TestPodThatIsReplacedBeforeItsDeleteIsNotTouched(t *testing.T) {
	for id, kind := range map[string]action.Kind{"delete": NewDelete(), "force": NewForce()} {
		t.Run(id, func(t *testing.T) {
			onBench(t, one, func(b *bench) {
				var o action.Options
				if id == "force" {
					o = options(OptionAnyway, action.On, OptionAssert, action.On)
				}
				p := b.plan(kind, o, web)
				b.Delete(b.there("uid-web"))
				b.pod("web", "n1", func(p *corev1.Pod) { p.UID = "new" })
				result := b.carryOut(b.t.Context(), p)
				if result.State != action.Failed || b.steps() != "web failed: this is a different pod now; nothing was done" || b.there("new").DeletionTimestamp != nil || len(b.Sent()) != 1 {
					t.Errorf("%v %q\n%s", result.State, result.Summary, b.steps())
				}
			})
		})
	}
}

// A cluster whose rows nobody has asked for: every pod is read itself, and no more than ten a second.
func TestWithoutRowsPodsAreReadOneByOne(t *testing.T) {
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Graceful: &kubetest.Graceful{Server: kubetest.New()}, t: t, progress: action.NewProgress(func() {})}
		b.cluster = kube.New(kubetest.Clients(b.Graceful), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		b.node("n1", corev1.ConditionTrue)
		var names []string
		for i := range 60 {
			names = append(names, fmt.Sprintf("p%02d", i))
			b.pod(names[i], "n1")
		}
		p := b.plan(NewDelete(), nil, refs(names...)...)
		planned := len(b.Requests())
		result := b.carryOut(t.Context(), p)
		reads := len(b.Requests()) - planned
		if result.State != action.Done || len(b.Sent()) != 60 || reads > 10*40+60 {
			t.Errorf("%v %q, %d requests, %d readings", result.State, result.Summary, len(b.Sent()), reads)
		}
		t.Logf("%s, %d readings", result.Summary, reads)
	})
}
