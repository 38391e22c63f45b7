package drain

import (
	"context"
	"encoding/json"
	"errors"
	"io"
	"net/http"
	"net/http/httptest"
	"reflect"
	"slices"
	"strconv"
	"strings"
	"sync"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	corev1 "k8s.io/api/core/v1"
	policyv1 "k8s.io/api/policy/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/runtime/schema"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/fake"
	"k8s.io/client-go/rest"
	clienttesting "k8s.io/client-go/testing"

	"ktriage/kube"
	"ktriage/kube/action"
)

var worker1 = []kube.Ref{{Kind: kube.Nodes, Name: "worker-1", UID: "uid-worker-1"}}

// server is a cluster with worker-1, on which cart-1 of a StatefulSet, web-a of a Deployment, an orphan of a DaemonSet
// and a pod of another node are.
func server() *fake.Clientset {
	three, one := int32(3), int32(1)
	yes := true
	elsewhere := pod("shop/cart-2", owned("StatefulSet", "cart"), labelled("cart"), notReady(time.Hour))
	elsewhere.Spec.NodeName = "other-1"
	objects := []runtime.Object{
		node("worker-1"), node("other-1"), node("other-2", cordoned),
		pod("shop/cart-1", owned("StatefulSet", "cart"), labelled("cart"), claimed), elsewhere,
		pod("shop/web-a", owned("ReplicaSet", "web-1")), pod("shop/agent", owned("DaemonSet", "agent")), pod("going/x", owned("ReplicaSet", "web-9")),
		&appsv1.StatefulSet{ObjectMeta: object("cart"), Spec: appsv1.StatefulSetSpec{Replicas: &three}, Status: appsv1.StatefulSetStatus{ReadyReplicas: 2}},
		&appsv1.ReplicaSet{ObjectMeta: metav1.ObjectMeta{Namespace: "shop", Name: "web-1", UID: "uid-web-1", OwnerReferences: []metav1.OwnerReference{
			{APIVersion: "apps/v1", Kind: "Deployment", Name: "web", UID: "uid-web", Controller: &yes},
		}}, Spec: appsv1.ReplicaSetSpec{Replicas: &one}},
		&appsv1.Deployment{ObjectMeta: object("web"), Spec: appsv1.DeploymentSpec{Replicas: &three}, Status: appsv1.DeploymentStatus{ReadyReplicas: 1}},
		pdb("cart-pdb", "cart", 0, 2, 2, 3).PodDisruptionBudget,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop"}},
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "going"}, Status: corev1.NamespaceStatus{Phase: corev1.NamespaceTerminating}},
		&corev1.PersistentVolumeClaim{ObjectMeta: object("data"), Spec: corev1.PersistentVolumeClaimSpec{
			VolumeName: "pv", AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
		}},
		localVolume("worker-1"),
	}
	return fake.NewClientset(objects...)
}

func object(name string) metav1.ObjectMeta {
	return metav1.ObjectMeta{Namespace: "shop", Name: name, UID: types.UID("uid-" + name)}
}

func connected(c kubernetes.Interface) *kube.Cluster {
	return kube.New(kube.Clients{Kubernetes: c}, "prod", "shop", []string{""}, nil)
}

func TestPlanIsReadFromTheServer(t *testing.T) {
	plan, err := Read(t.Context(), connected(server()), worker1, defaults)
	if err != nil {
		t.Fatal(err)
	}
	var got []string
	for _, p := range plan.pods() {
		got = append(got, p.Ref().FullName()+" "+string(p.Fate)+" "+p.Owner.text())
	}
	want := []string{"going/x waits RS", "shop/agent needs DS agent", "shop/cart-1 waits STS cart 2/3", "shop/web-a evict Deploy 1/3"}
	if !slices.Equal(got, want) {
		t.Errorf("%q, want %q", got, want)
	}
	cart := find(plan, "cart-1")
	if cart.Why != "cart-pdb allows 0: 2 healthy, needs 2 (cart-2 is not ready)" {
		t.Error(cart.Why)
	}
	if cart.Fits != 0 || !strings.Contains(cart.Nowhere, "its volume data") {
		t.Errorf("%d %q", cart.Fits, cart.Nowhere)
	}
	if !slices.Contains(find(plan, "web-a").Flags, "the only ready replica of 3: will be down") {
		t.Error(find(plan, "web-a").Flags)
	}
	if plan.Total != 3 || plan.Usable != 1 || plan.FreeKnown || len(plan.Unknown) != 1 || !strings.HasPrefix(plan.Unknown[0], "room: ") {
		t.Errorf("%+v", plan)
	}
}

func TestNodeThatIsNotTheOneThatWasMeantIsLeftAlone(t *testing.T) {
	for name, c := range map[string]struct {
		ref  kube.Ref
		want string
		is   error
	}{
		"replaced": {kube.Ref{Name: "worker-1", UID: "another"}, "node worker-1 was replaced by another of that name", ErrReplaced},
		"gone":     {kube.Ref{Name: "worker-9", UID: "x"}, "node worker-9 does not exist any more, nothing was done", ErrNoNode},
		"never":    {kube.Ref{Name: "worker-9\x1b[2J"}, `node "worker-9" does not exist`, ErrNoNode},
	} {
		t.Run(name, func(t *testing.T) {
			_, err := Read(t.Context(), connected(server()), []kube.Ref{c.ref}, defaults)
			if !errors.Is(err, c.is) || !strings.HasPrefix(err.Error(), c.want) {
				t.Errorf("%v", err)
			}
		})
	}
}

// forbid makes a fake server refuse a verb on a resource.
func forbid(c *fake.Clientset, verb, resource string) {
	c.PrependReactor(verb, resource, func(clienttesting.Action) (bool, runtime.Object, error) {
		return true, nil, apierrors.NewForbidden(schema.GroupResource{Resource: resource}, "", errors.New("alice may not"))
	})
}

func TestWhatMayNotBeReadIsSaidAndThePlanGoesOn(t *testing.T) {
	for name, c := range map[string]struct {
		verb, resource string
		want           string
		check          func(*Plan) bool
	}{
		"budgets": {"list", "poddisruptionbudgets", "budgets: you may not list poddisruptionbudgets in going and shop; a budget may refuse what this plan takes for allowed",
			func(p *Plan) bool {
				cart := find(p, "cart-1")
				return cart.Fate == Evict && slices.Contains(cart.Flags, "budgets not known") && p.blind()
			}},
		"DaemonSets": {"get", "daemonsets", "owners: you may not get what the pods belong to in shop; ", func(p *Plan) bool {
			return find(p, "agent").Fate == Stays
		}},
		"nodes": {"list", "nodes", "other nodes: you may not list nodes; ", func(p *Plan) bool {
			return p.Total == 0 && find(p, "web-a").Fits == -1
		}},
		"namespaces": {"get", "namespaces", "namespaces: you may not get namespaces in going and shop; ", func(p *Plan) bool {
			return find(p, "x").Fate == Evict
		}},
		"claims": {"get", "persistentvolumeclaims", "volumes: you may not get volumes and their claims in shop; ", func(p *Plan) bool {
			return find(p, "cart-1").Fits == 1
		}},
	} {
		t.Run(name, func(t *testing.T) {
			client := server()
			forbid(client, c.verb, c.resource)
			plan, err := Read(t.Context(), connected(client), worker1, defaults)
			if err != nil {
				t.Fatal(err)
			}
			if !strings.HasPrefix(plan.Unknown[0], c.want) {
				t.Errorf("%q, want %q", plan.Unknown, c.want)
			}
			if !c.check(plan) {
				t.Errorf("%+v", plan)
			}
		})
	}
}

func TestWithoutThePodsOfTheNodeThereIsNoPlan(t *testing.T) {
	client := server()
	forbid(client, "list", "pods")
	if _, err := Read(t.Context(), connected(client), worker1, defaults); !apierrors.IsForbidden(err) || !strings.Contains(err.Error(), "list the pods of worker-1") {
		t.Errorf("%v", err)
	}
}

func TestReadingEndsWithItsContext(t *testing.T) {
	ctx, stop := context.WithCancelCause(t.Context())
	why := errors.New("somebody pressed esc")
	client := server()
	client.PrependReactor("get", "statefulsets", func(clienttesting.Action) (bool, runtime.Object, error) {
		stop(why)
		return true, nil, context.Canceled
	})
	if _, err := Read(ctx, connected(client), worker1, defaults); !errors.Is(err, why) {
		t.Errorf("%v", err)
	}
}

func TestReadingChangesNothing(t *testing.T) {
	client := server()
	if _, err := Read(t.Context(), connected(client), worker1, defaults); err != nil {
		t.Fatal(err)
	}
	for _, a := range client.Actions() {
		if !slices.Contains([]string{"get", "list"}, a.GetVerb()) {
			t.Errorf("%s %s", a.GetVerb(), a.GetResource().Resource)
		}
	}
}

func TestListsAreReadPageByPage(t *testing.T) {
	var asked []metav1.ListOptions
	version, err := pages(func(o metav1.ListOptions) (metav1.ListInterface, error) {
		asked = append(asked, o)
		list := &corev1.PodList{ListMeta: metav1.ListMeta{ResourceVersion: strconv.Itoa(7 + len(asked))}}
		if len(asked) < 3 {
			list.Continue = "page-" + strconv.Itoa(len(asked))
		}
		return list, nil
	}, "0")
	want := []metav1.ListOptions{{Limit: page, ResourceVersion: "0"}, {Limit: page, Continue: "page-1"}, {Limit: page, Continue: "page-2"}}
	if err != nil || version != "8" || !slices.EqualFunc(asked, want, func(a, b metav1.ListOptions) bool { return reflect.DeepEqual(a, b) }) {
		t.Errorf("%v %s %+v", err, version, asked)
	}
}

// evictions is an API server that answers evictions, and keeps what it was asked.
type evictions struct {
	mu     sync.Mutex
	asked  []*http.Request
	bodies []policyv1.Eviction
	answer func(pod string) *metav1.Status
}

func (e *evictions) ServeHTTP(w http.ResponseWriter, r *http.Request) {
	raw, _ := io.ReadAll(r.Body)
	var body policyv1.Eviction
	_ = json.Unmarshal(raw, &body)
	e.mu.Lock()
	e.asked, e.bodies = append(e.asked, r), append(e.bodies, body)
	e.mu.Unlock()
	status := e.answer(body.Name)
	status.TypeMeta = metav1.TypeMeta{APIVersion: "v1", Kind: "Status"}
	w.Header().Set("Content-Type", "application/json")
	if status.Details != nil && status.Details.RetryAfterSeconds > 0 {
		w.Header().Set("Retry-After", "10")
	}
	w.WriteHeader(int(status.Code))
	_ = json.NewEncoder(w).Encode(status)
}

func TestDryRunIsOneAndSaysWhatTheServerRefuses(t *testing.T) {
	answers := map[string]*metav1.Status{
		"ok": {Status: metav1.StatusSuccess, Code: http.StatusCreated},
		"cart-1": {Status: metav1.StatusFailure, Reason: metav1.StatusReasonTooManyRequests, Code: http.StatusTooManyRequests, Message: "Cannot evict pod",
			Details: &metav1.StatusDetails{RetryAfterSeconds: 10, Causes: []metav1.StatusCause{{Type: policyv1.DisruptionBudgetCause, Message: "The disruption budget cart-pdb needs 2 healthy pods and has 2 currently"}}}},
		"web-a": {Status: metav1.StatusFailure, Reason: metav1.StatusReasonForbidden, Code: http.StatusForbidden,
			Message: "admission webhook denied: \x1b]52;c;ZXZpbA==\x07\x1b[2Jnot \u202etoday, " + strings.Repeat("and not tomorrow, ", 20) + "ask team database."},
		"gone": {Status: metav1.StatusFailure, Reason: metav1.StatusReasonNotFound, Code: http.StatusNotFound},
	}
	asked := &evictions{answer: func(name string) *metav1.Status { return answers[name] }}
	s := httptest.NewServer(asked)
	defer s.Close()
	client, err := kubernetes.NewForConfig(&rest.Config{Host: s.URL})
	if err != nil {
		t.Fatal(err)
	}
	f := oneNodeCluster(pod("shop/ok", owned("ReplicaSet", "web")), pod("shop/cart-1", owned("StatefulSet", "cart")),
		pod("shop/web-a", owned("ReplicaSet", "web")), pod("shop/gone", owned("ReplicaSet", "web")), pod("shop/unowned"), pod("shop/stays", static))
	plan := classify(f, Settings{DryRun: true, Grace: 10 * time.Second, Together: 1}, now)
	if err := plan.ask(t.Context(), client); err != nil {
		t.Fatal(err)
	}
	want := []string{
		"shop/cart-1: The disruption budget cart-pdb needs 2 healthy pods and has 2 currently",
		"shop/gone: it is gone, or another pod has its name",
		"shop/web-a: admission webhook denied: not \ufffdtoday, " + strings.Repeat("and not tomorrow, ", 20) + "ask team database",
	}
	if !slices.Equal(plan.DryRun, want) || !plan.Tested {
		t.Errorf("%q", plan.DryRun)
	}
	if len(asked.asked) != 4 {
		t.Errorf("%d requests for 4 pods that go: a refusal is not asked again", len(asked.asked))
	}
	for i, r := range asked.asked {
		o := asked.bodies[i].DeleteOptions
		if r.Method != http.MethodPost || r.URL.Query().Get("dryRun") != "All" || !slices.Equal(o.DryRun, []string{"All"}) {
			t.Errorf("%s %s is no dry run: %+v", r.Method, r.URL, o)
		}
		if *o.Preconditions.UID != types.UID("uid-"+asked.bodies[i].Name) || *o.GracePeriodSeconds != 10 {
			t.Errorf("%+v", o)
		}
	}
}

func TestKindPlansWithTheOptionsOfItsSheet(t *testing.T) {
	target := action.Target{Context: "prod", Refs: worker1}
	var made *Plan
	kind := New(func(p *Plan) action.Work {
		made = p
		return nil
	})
	sheet, err := kind.Plan(t.Context(), connected(server()), target, action.Options{OptionUnowned: action.On, OptionGrace: "10s"})
	if err != nil {
		t.Fatal(err)
	}
	if len(sheet.Refusals) > 0 || !made.Settings.Unowned || find(made, "agent").Fate != Evict || find(made, "web-a").Grace != 10*time.Second {
		t.Errorf("%+v", made)
	}
	if !made.Settings.Hanging || sheet.Action != kind.ID() || sheet.Word != "worker-1" || sheet.Tier != action.Write {
		t.Errorf("%+v", sheet)
	}
	if _, err := kind.Plan(t.Context(), connected(server()), target, action.Options{OptionGrace: "0s"}); err == nil {
		t.Error("a grace period of 0 is taken")
	}
	client := fake.NewClientset(node("worker-1", silent), node("other-1"))
	if _, err = kind.Plan(t.Context(), connected(client), target, nil); err != nil || made.Settings.Hanging {
		t.Errorf("it waits for a node that is silent: %v %+v", err, made.Settings)
	}
	if _, err = kind.Plan(t.Context(), connected(client), target, action.Options{OptionHanging: action.On}); err != nil || !made.Settings.Hanging {
		t.Errorf("it does not wait though it was asked to: %v %+v", err, made.Settings)
	}
}
