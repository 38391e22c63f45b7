package views

import (
	"encoding/json"
	"strings"
	"testing"
	"time"

	"ktriage/kube"
)

// printedEvents are one of each kind: said once, said again, said again and perhaps more often, on a node, with everything missing.
func printedEvents() []*kube.Event {
	const s, m = time.Second, time.Minute
	once := reported(54*s, 54*s, 1, "Normal", "Scheduled", "default-scheduler", "", aPod("shop", "web-1"), "Successfully assigned shop/web-1 to worker-1")
	again := reported(3*m, 41*s, 15, "Warning", "BackOff", "kubelet", "worker-1", aPod("shop", "web-1"), "Back-off restarting failed container app")
	again.Object.Field = "spec.containers{app}"
	atLeast := reported(8*m+20*s, 31*s, 9, "Warning", "FailedScheduling", "default-scheduler", "", aPod("search", "indexer-5"), "0/3 nodes are available")
	atLeast.AtLeast = true
	onNode := reported(7*day+time.Hour, 7*day, 8, "Normal", "NodeHasSufficientMemory", "kubelet", "minikube", aNode("minikube"), "Node minikube status is now: NodeHasSufficientMemory")
	onNode.Namespace = "default"
	return []*kube.Event{onNode, once, again, atLeast, {Namespace: "x", Count: 1}}
}

func TestEventsPrintAsKubectlPrintsThem(t *testing.T) {
	var b strings.Builder
	if err := PrintEvents(&b, FormatTable, printedEvents(), kube.Moment{Now: noon}); err != nil {
		t.Fatal(err)
	}
	// The cells of `kubectl events -A` v1.36, whose columns are as wide as its tabwriter makes them.
	want := [][]string{
		{"NAMESPACE", "LAST SEEN", "TYPE", "REASON", "OBJECT", "MESSAGE"},
		{"default", "7d (x8 over 7d1h)", "Normal", "NodeHasSufficientMemory", "Node/minikube", "Node minikube status is now: NodeHasSufficientMemory"},
		{"shop", "54s", "Normal", "Scheduled", "Pod/web-1", "Successfully assigned shop/web-1 to worker-1"},
		{"shop", "41s (x15 over 3m)", "Warning", "BackOff", "Pod/web-1", "Back-off restarting failed container app"},
		{"search", "31s (x9 over 8m20s)", "Warning", "FailedScheduling", "Pod/indexer-5", "0/3 nodes are available"},
		{"x", "<unknown>", "", "", "/", ""},
	}
	lines := strings.Split(strings.TrimSuffix(b.String(), "\n"), "\n")
	equal(t, len(lines), len(want))
	for i, cells := range want {
		rest := lines[i]
		for k, cell := range cells {
			if !strings.HasPrefix(rest, cell) {
				t.Fatalf("line %d, cell %d is not %q: %q", i, k, cell, rest)
			}
			rest = strings.TrimLeft(rest[len(cell):], " ")
		}
		equal(t, rest, "")
	}
}

func TestWideEventsHaveWhereTheyComeFrom(t *testing.T) {
	var b strings.Builder
	if err := PrintEvents(&b, FormatWide, printedEvents()[2:3], kube.Moment{Now: noon}); err != nil {
		t.Fatal(err)
	}
	head, row, _ := strings.Cut(b.String(), "\n")
	equal(t, strings.Join(strings.Fields(head), " "), "NAMESPACE LAST SEEN TYPE REASON OBJECT FROM HOST SUBOBJECT NAME MESSAGE")
	for _, want := range []string{"kubelet", "worker-1", "spec.containers{app}", "web-1."} {
		if !strings.Contains(row, want) {
			t.Errorf("%q is not in %q", want, row)
		}
	}
}

func TestEventsForScripts(t *testing.T) {
	var b strings.Builder
	if err := PrintEvents(&b, FormatJSON, printedEvents(), kube.Moment{Now: noon}); err != nil {
		t.Fatal(err)
	}
	var rows []map[string]any
	if err := json.Unmarshal([]byte(b.String()), &rows); err != nil {
		t.Fatal(err)
	}
	for key, want := range map[string]any{
		"namespace": "search", "reason": "FailedScheduling", "type": "Warning", "object": "Pod/indexer-5", "count": 9.0, "atLeast": true,
		"last": "2026-11-20T11:59:29Z", "first": "2026-11-20T11:51:40Z", "objectKind": "Pod", "objectNamespace": "search",
		"objectName": "indexer-5", "objectUID": "uid-search/indexer-5", "message": "0/3 nodes are available",
	} {
		if rows[3][key] != want {
			t.Errorf("%s is %v, want %v", key, rows[3][key], want)
		}
	}
	if rows[4]["last"] != nil {
		t.Errorf("a time that is not known is %v", rows[4]["last"])
	}
}

func TestSnapshotOfEventsHasTheOldestFirst(t *testing.T) {
	f := saying(kube.Said{}, printedEvents()...)
	f.SetQuery(EventsQuery(Filter{}))
	f.publish()
	var got []string
	for i := range f.snap.Len() {
		got = append(got, f.snap.Row(i).Reason)
	}
	equal(t, strings.Join(got, " "), " NodeHasSufficientMemory Scheduled BackOff FailedScheduling")
}
