package kube

import (
	"context"
	"encoding/json"
	"fmt"
	"os"
	"slices"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	apierrors "k8s.io/apimachinery/pkg/api/errors"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"
	"k8s.io/apimachinery/pkg/types"
	"k8s.io/apimachinery/pkg/util/wait"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/clientcmd"
)

const (
	tablePods  = 400
	tableNodes = 60
)

// testCluster connects to the cluster that KTRIAGE_TEST_KUBECONFIG names.
func testCluster(t *testing.T) *kubernetes.Clientset {
	path := os.Getenv("KTRIAGE_TEST_KUBECONFIG")
	if path == "" {
		t.Skip("KTRIAGE_TEST_KUBECONFIG names no kubeconfig of a devcluster; this test needs a real API server")
	}
	config, err := clientcmd.BuildConfigFromFlags("", path)
	if err != nil {
		t.Fatal(err)
	}
	config.QPS, config.Burst = 200, 400
	client, err := kubernetes.NewForConfig(config)
	if err != nil {
		t.Fatal(err)
	}
	return client
}

func TestPodColumnsEqualThoseOfTheServer(t *testing.T) {
	client, ctx := testCluster(t), t.Context()
	namespace := tableNamespace(t, client)
	gen := genPod(time.Now())
	for i := range tablePods {
		createPod(ctx, t, client, namespace, gen.Example(i))
	}

	request := client.CoreV1().RESTClient().Get().Namespace(namespace).Resource("pods")
	table, asked, answered := readTable(ctx, t, request)
	if len(table.Rows) != tablePods {
		t.Errorf("got %d rows, want %d", len(table.Rows), tablePods)
	}
	seen := map[string]int{}
	for _, row := range table.Rows {
		var pod corev1.Pod
		if err := json.Unmarshal(row.Object.Raw, &pod); err != nil {
			t.Fatal(err)
		}
		cell := cells(table, row)
		status, ready, total, _, _ := PodStatus(&pod)
		p := NewPod(&pod)
		check := func(column, got string) {
			if cell[column] != got {
				t.Errorf("%s: %s is %q, server says %q\n%s", pod.Name, column, got, cell[column], row.Object.Raw)
			}
		}
		check("Status", status)
		check("Status", p.Status)
		check("Ready", fraction(ready, total))
		check("Ready", fraction(int(p.Ready), int(p.Containers)))
		check("IP", orNone(p.IP))
		check("Node", orNone(p.Node))
		check("Nominated Node", orNone(p.NominatedNode()))
		check("Readiness Gates", p.ReadinessGates())
		if !slices.Contains(textsBetween(p.RestartsText, asked, answered), cell["Restarts"]) {
			check("Restarts", p.RestartsText(answered))
		}
		seen[status]++
	}
	t.Logf("%d pods of %d different statuses", len(table.Rows), len(seen))
	for _, status := range []string{"Running", "Terminating", "Unknown", "Completed", "NotReady", "Init:0/1", "Init:1/2",
		"SchedulingGated"} {
		if seen[status] == 0 {
			t.Errorf("no generated pod has the status %s; the generator is too narrow", status)
		}
	}
}

func TestNodeColumnsEqualThoseOfTheServer(t *testing.T) {
	client, ctx := testCluster(t), t.Context()
	gen, mine := genNode(time.Now()), map[string]bool{}
	for i := range tableNodes {
		mine[createNode(ctx, t, client, gen.Example(i))] = true
	}

	table, _, _ := readTable(ctx, t, client.CoreV1().RESTClient().Get().Resource("nodes"))
	compared := 0
	for _, row := range table.Rows {
		var node corev1.Node
		if err := json.Unmarshal(row.Object.Raw, &node); err != nil {
			t.Fatal(err)
		}
		if mine[node.Name] {
			compared++
		}
		cell, n := cells(table, row), NewNode(&node)
		for column, got := range map[string]string{
			"Status": n.Status, "Roles": n.Roles, "Version": n.Version,
			"Internal-IP": orNone(n.InternalIP), "External-IP": orNone(n.ExternalIP),
		} {
			if cell[column] != got {
				t.Errorf("%s: %s is %q, server says %q\n%s", node.Name, column, got, cell[column], row.Object.Raw)
			}
		}
	}
	if compared != tableNodes {
		t.Errorf("compared %d of %d generated nodes", compared, tableNodes)
	}
}

func orNone(s string) string {
	if s == "" {
		return "<none>"
	}
	return s
}

// textsBetween gives what a text that tells an age may have been between two moments.
func textsBetween(text func(time.Time) string, from, to time.Time) []string {
	var all []string
	for at := from; at.Before(to.Add(time.Second)); at = at.Add(time.Second) {
		all = append(all, text(at))
	}
	return all
}

// readTable has the server print, and gives the objects with their rows in one answer, so that nothing can change in
// between.
func readTable(ctx context.Context, t *testing.T, r *rest.Request) (table *metav1.Table, asked, answered time.Time) {
	asked = time.Now()
	raw, err := r.SetHeader("Accept", "application/json;as=Table;v=v1;g=meta.k8s.io").
		Param("includeObject", string(metav1.IncludeObject)).Do(ctx).Raw()
	answered = time.Now()
	if err != nil {
		t.Fatal(err)
	}
	table = &metav1.Table{}
	if err := json.Unmarshal(raw, table); err != nil {
		t.Fatal(err)
	}
	return table, asked, answered
}

func cells(table *metav1.Table, row metav1.TableRow) map[string]string {
	m := map[string]string{}
	for i, c := range table.ColumnDefinitions {
		m[c.Name] = fmt.Sprint(row.Cells[i])
	}
	return m
}

func tableNamespace(t *testing.T, client *kubernetes.Clientset) string {
	ctx := t.Context()
	ns, err := client.CoreV1().Namespaces().Create(ctx,
		&corev1.Namespace{ObjectMeta: metav1.ObjectMeta{GenerateName: "table-"}}, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	t.Cleanup(func() { dropNamespace(t, client, ns.Name) })
	err = wait.PollUntilContextTimeout(ctx, 100*time.Millisecond, 30*time.Second, true, func(ctx context.Context) (bool, error) {
		_, err := client.CoreV1().ServiceAccounts(ns.Name).Get(ctx, "default", metav1.GetOptions{})
		return err == nil, ignoreNotFound(err)
	})
	if err != nil {
		t.Fatalf("service account of %s: %v", ns.Name, err)
	}
	return ns.Name
}

func ignoreNotFound(err error) error {
	if apierrors.IsNotFound(err) {
		return nil
	}
	return err
}

// dropNamespace takes the finalizers off, so that the namespace can go.
func dropNamespace(t *testing.T, client *kubernetes.Clientset, namespace string) {
	ctx, cancel := context.WithTimeout(context.Background(), time.Minute)
	defer cancel()
	pods, err := client.CoreV1().Pods(namespace).List(ctx, metav1.ListOptions{})
	if err != nil {
		t.Error(err)
		return
	}
	for _, p := range pods.Items {
		if len(p.Finalizers) == 0 {
			continue
		}
		_, err := client.CoreV1().Pods(namespace).Patch(ctx, p.Name, types.MergePatchType,
			[]byte(`{"metadata":{"finalizers":null}}`), metav1.PatchOptions{})
		if ignoreNotFound(err) != nil {
			t.Error(err)
		}
	}
	if err := client.CoreV1().Namespaces().Delete(ctx, namespace, metav1.DeleteOptions{}); err != nil {
		t.Error(err)
	}
}

func createPod(ctx context.Context, t *testing.T, client *kubernetes.Clientset, namespace string, want *corev1.Pod) {
	api := client.CoreV1().Pods(namespace)
	pod, err := api.Create(ctx, want, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	class := pod.Status.QOSClass
	pod.Status = want.Status
	pod.Status.QOSClass = class
	if pod, err = api.UpdateStatus(ctx, pod, metav1.UpdateOptions{}); err != nil {
		t.Fatalf("write the status of %+v: %v", want, err)
	}
	if want.Annotations["deleted"] == "true" {
		if err := api.Delete(ctx, pod.Name, metav1.DeleteOptions{}); err != nil {
			t.Fatal(err)
		}
	}
}

func createNode(ctx context.Context, t *testing.T, client *kubernetes.Clientset, want *corev1.Node) string {
	api := client.CoreV1().Nodes()
	node, err := api.Create(ctx, want, metav1.CreateOptions{})
	if err != nil {
		t.Fatal(err)
	}
	name := node.Name
	t.Cleanup(func() {
		err := api.Delete(context.Background(), name, metav1.DeleteOptions{})
		if ignoreNotFound(err) != nil {
			t.Error(err)
		}
	})
	// The node controller writes to new nodes too.
	err = wait.PollUntilContextTimeout(ctx, 50*time.Millisecond, 10*time.Second, true, func(ctx context.Context) (bool, error) {
		fresh, err := api.Get(ctx, name, metav1.GetOptions{})
		if err != nil {
			return false, err
		}
		fresh.Status = want.Status
		_, err = api.UpdateStatus(ctx, fresh, metav1.UpdateOptions{})
		if apierrors.IsConflict(err) {
			return false, nil
		}
		return err == nil, err
	})
	if err != nil {
		t.Fatal(err)
	}
	return name
}
