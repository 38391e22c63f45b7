package kube

import (
	"bytes"
	"fmt"
	"math/rand/v2"
	"reflect"
	"slices"
	"testing"

	appsv1 "k8s.io/api/apps/v1"
	autoscalingv2 "k8s.io/api/autoscaling/v2"
	batchv1 "k8s.io/api/batch/v1"
	policyv1 "k8s.io/api/policy/v1"
	"k8s.io/apimachinery/pkg/api/meta"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/runtime"
	"k8s.io/apimachinery/pkg/watch"
	"k8s.io/client-go/kubernetes/scheme"
)

// wired is an object that travels as protobuf.
type wired interface {
	runtime.Object
	Marshal() ([]byte, error)
	Unmarshal([]byte) error
}

// workloadKinds are the kinds of workloads, with what stays of each.
var workloadKinds = []struct {
	kind Kinds
	new  func() wired
	kept *keep
}{
	{StatefulSets, func() wired { return &appsv1.StatefulSet{} }, keptStatefulSet},
	{Deployments, func() wired { return &appsv1.Deployment{} }, keptDeployment},
	{DaemonSets, func() wired { return &appsv1.DaemonSet{} }, keptDaemonSet},
	{ReplicaSets, func() wired { return &appsv1.ReplicaSet{} }, keptReplicaSet},
	{Jobs, func() wired { return &batchv1.Job{} }, keptJob},
	{CronJobs, func() wired { return &batchv1.CronJob{} }, keptCronJob},
	{Autoscalers, func() wired { return &autoscalingv2.HorizontalPodAutoscaler{} }, keptAutoscaler},
	{Budgets, func() wired { return &policyv1.PodDisruptionBudget{} }, keptBudget},
}

// full makes the i-th of many objects that have everything, or, the odd ones, half of it.
func full(o wired, i int) wired {
	f := filler{rand.New(rand.NewPCG(3, uint64(i))), 50 * (i % 2)}
	f.fill(reflect.ValueOf(o).Elem(), "")
	m, err := meta.Accessor(o)
	if err != nil {
		panic(err)
	}
	if i%3 > 0 {
		m.SetDeletionTimestamp(nil)
	}
	return o
}

func TestRowsOfPrunedWorkloadsAreThoseOfFullOnes(t *testing.T) {
	for _, k := range workloadKinds {
		for i := range 300 {
			o := full(k.new(), i)
			whole, pruned := arrived(t, plainCodecs, o), arrived(t, prunedCodecs, o)
			if diff := rowDiff(NewWorkload(whole), NewWorkload(pruned)); diff != "" {
				t.Fatalf("the row of a %s needs a field that is pruned:\n%s", k.kind.Kind(), diff)
			}
			was, _ := meta.Accessor(whole)
			is, _ := meta.Accessor(pruned)
			if was.GetResourceVersion() != is.GetResourceVersion() || len(is.GetManagedFields()) > 0 {
				t.Fatalf("%s: version %q, %d managed fields", k.kind.Kind(), is.GetResourceVersion(), len(is.GetManagedFields()))
			}
			if i == 0 && len(served(pruned))*2 > len(served(o)) {
				t.Errorf("%s: %d of %d bytes stay", k.kind.Kind(), len(served(pruned)), len(served(o)))
			}
		}
	}
}

// TestEveryFieldOfAWorkloadThatStaysIsReadByItsRow holds the test above to its word.
func TestEveryFieldOfAWorkloadThatStaysIsReadByItsRow(t *testing.T) {
	for _, k := range workloadKinds {
		informer := []string{"1.6"} // metadata.resourceVersion
		if k.kind&(Deployments|ReplicaSets) == 0 {
			informer = append(informer, "1.12") // the annotation of bookmarks
		}
		var all []subject
		row := func(raw []byte) any { return NewWorkload(unmarshalled(k.new(), raw)) }
		for i := range 400 {
			all = append(all, subjectOf(full(k.new(), i), row))
		}
		if k.kind == Autoscalers { // few random ones have one metric with its goal
			for _, o := range oneMetricEach() {
				all = append(all, subjectOf(o, row))
			}
		}
		for path, tree := range without(k.kept) {
			if !slices.Contains(informer, path) && !changesOne(all, tree) {
				t.Errorf("no row of a %s needs field %s", k.kind.Kind(), path)
			}
		}
	}
}

// oneMetricEach makes autoscalers with one metric each: of every kind, with every kind of goal.
func oneMetricEach() []*autoscalingv2.HorizontalPodAutoscaler {
	half, most, quantity := int32(50), int32(92), resource.MustParse("3")
	var out []*autoscalingv2.HorizontalPodAutoscaler
	for i, goal := range []autoscalingv2.MetricTarget{{Value: &quantity}, {AverageValue: &quantity}, {AverageUtilization: &half}} {
		is := [...]autoscalingv2.MetricValueStatus{{Value: &quantity}, {AverageValue: &quantity}, {AverageUtilization: &most}}[i]
		name := autoscalingv2.MetricIdentifier{Name: "requests"}
		specs := []autoscalingv2.MetricSpec{
			{Resource: &autoscalingv2.ResourceMetricSource{Name: "cpu", Target: goal}},
			{ContainerResource: &autoscalingv2.ContainerResourceMetricSource{Name: "cpu", Target: goal}},
			{Pods: &autoscalingv2.PodsMetricSource{Metric: name, Target: goal}},
			{Object: &autoscalingv2.ObjectMetricSource{Metric: name, Target: goal}},
			{External: &autoscalingv2.ExternalMetricSource{Metric: name, Target: goal}},
		}
		statuses := []autoscalingv2.MetricStatus{
			{Resource: &autoscalingv2.ResourceMetricStatus{Current: is}},
			{ContainerResource: &autoscalingv2.ContainerResourceMetricStatus{Current: is}},
			{Pods: &autoscalingv2.PodsMetricStatus{Current: is}},
			{Object: &autoscalingv2.ObjectMetricStatus{Current: is}},
			{External: &autoscalingv2.ExternalMetricStatus{Current: is}},
		}
		for k := range specs {
			o := &autoscalingv2.HorizontalPodAutoscaler{}
			o.Spec.Metrics, o.Status.CurrentMetrics = specs[k:k+1], statuses[k:k+1]
			out = append(out, o)
		}
	}
	return out
}

func TestPagesOfWorkloadsArePruned(t *testing.T) {
	list := &appsv1.DeploymentList{ListMeta: metav1.ListMeta{ResourceVersion: "41", Continue: "next"}}
	for i := range 3 {
		list.Items = append(list.Items, *full(&appsv1.Deployment{}, i).(*appsv1.Deployment))
	}
	pruned, ok := keptPages.prune(nil, served(list))
	if !ok || len(pruned)*4 > len(served(list)) {
		t.Fatalf("%d of %d bytes stay, %v", len(pruned), len(served(list)), ok)
	}
	o, _, err := scheme.Codecs.UniversalDeserializer().Decode(pruned, nil, nil)
	if err != nil {
		t.Fatal(err)
	}
	got := o.(*appsv1.DeploymentList)
	equal(t, fmt.Sprint(got.ResourceVersion, got.Continue, len(got.Items)), "41next3")
	for i := range got.Items {
		equal(t, rowDiff(NewWorkload(&got.Items[i]), NewWorkload(arrived(t, plainCodecs, &list.Items[i]))), "")
	}
}

func TestWatchedBookmarksOfWorkloadsKeepTheirMark(t *testing.T) {
	mark := &batchv1.CronJob{ObjectMeta: metav1.ObjectMeta{
		ResourceVersion: "7", Annotations: map[string]string{metav1.InitialEventsAnnotationKey: "true", "example.com/other": "x"},
	}}
	raw, ok := keptEvents.prune(nil, event(watch.Bookmark, mark))
	if !ok {
		t.Fatal("not pruned")
	}
	_, got, err := watcher(plainCodecs, framedReader(raw)).Decode()
	if err != nil {
		t.Fatal(err)
	}
	is := got.(*batchv1.CronJob)
	equal(t, fmt.Sprint(is.ResourceVersion, is.Annotations), "7map[k8s.io/initial-events-end:true]")
}

func framedReader(event []byte) *bytes.Reader { return bytes.NewReader(framed(event)) }
