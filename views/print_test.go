package views

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"

	corev1 "k8s.io/api/core/v1"

	"ktriage/kube"
)

func printed(t *testing.T, write func(*strings.Builder) error) string {
	t.Helper()
	var b strings.Builder
	if err := write(&b); err != nil {
		t.Fatal(err)
	}
	return b.String()
}

func printedPods(t *testing.T, f Format, rows []*kube.Pod) string {
	return printed(t, func(b *strings.Builder) error { return PrintPods(b, f, rows, beside()) })
}

func printedNodes(t *testing.T, f Format, rows []*kube.Node) string {
	return printed(t, func(b *strings.Builder) error { return PrintNodes(b, f, rows, beside()) })
}

// split gives the cells of each line: there are at least three spaces between them.
func split(s string) [][]string {
	var table [][]string
	for line := range strings.Lines(s) {
		table = append(table, regexp.MustCompile(` {3,}`).Split(strings.TrimSuffix(line, "\n"), -1))
	}
	return table
}

func TestPrintedPodsHaveKubectlsColumnsFirst(t *testing.T) {
	const table = "NAMESPACE|NAME|READY|STATUS|RESTARTS|AGE|CPU u/r|MEM u/r|NODE"
	out := split(printedPods(t, FormatTable, pods()))
	for i, want := range []string{
		table,
		"shop|web-b|1/1|Running|0|3d|300m/250m|90Mi/512Mi|worker-01",
		"shop|web-a|1/1|Running|0|3d|30m/250m|100Mi/512Mi|worker-01",
		"payments|web-a|1/1|Running|0|5d|-/250m|-/512Mi|worker-02",
		"shop|checkout|0/1|CrashLoopBackOff|4 (41s ago)|19h|-/250m|-/512Mi|worker-02",
		"search|indexer|0/1|Pending|0|8m|-/250m|-/512Mi|<none>",
	} {
		equal(t, strings.Join(out[i], "|"), want)
	}
	wide := split(printedPods(t, FormatWide, pods()))
	equal(t, strings.Join(wide[0], "|"), table+"|IP|OWNER|QOS|NOMINATED NODE|READINESS GATES")
	equal(t, strings.Join(wide[1][9:], "|"), "10.244.0.7|ReplicaSet/app-7d9f|Burstable|<none>|<none>")
}

func TestPrintedNodesHaveKubectlsColumnsFirst(t *testing.T) {
	const table = "NAME|STATUS|ROLES|AGE|VERSION|FOR|CONDITIONS|PODS|CPU u/r|MEM u/r"
	out := split(printedNodes(t, FormatTable, nodes()))
	for i, want := range []string{
		table,
		"worker-01|Ready|worker|212d|v1.36.3|212d|-|2/110|50/6|25/12",
		"worker-02|Ready|worker|61d|v1.36.3|23m|DiskPressure|3/110|10/25|50/3",
		"worker-03|Ready,SchedulingDisabled|worker|30d|v1.36.3|18h|-|0/110|-/0|-/0",
		"worker-07|NotReady|worker|90d|v1.36.3|4m|all Unknown|1/110|-/3|-/1",
	} {
		equal(t, strings.Join(out[i], "|"), want)
	}
	wide := split(printedNodes(t, FormatWide, nodes()))
	equal(t, strings.Join(wide[0], "|"), table+"|ZONE|INTERNAL-IP|EXTERNAL-IP|OS-IMAGE|KERNEL-VERSION|CONTAINER-RUNTIME|TAINTS")
	equal(t, strings.Join(wide[3][10:], "|"),
		"1a|10.8.1.1|<none>|Debian GNU/Linux 13|6.12.57|containerd://2.1.4|node.kubernetes.io/unschedulable:NoSchedule")
}

func TestPrintedColumnsBeginInTheSameCell(t *testing.T) {
	lines := strings.Split(strings.TrimSuffix(printedPods(t, FormatTable, pods()), "\n"), "\n")
	at := strings.Index(lines[0], "NODE")
	for i, want := range []string{"worker-01", "worker-01", "worker-02", "worker-02", "<none>", "worker-07"} {
		equal(t, lines[i+1][at:], want)
	}
}

// keys gives the keys of the first object in their order.
func keys(t *testing.T, out string) string {
	t.Helper()
	d := json.NewDecoder(strings.NewReader(out))
	var keys []string
	for depth, key := 0, true; ; {
		token, err := d.Token()
		if err != nil {
			t.Fatalf("%v in %s", err, out)
		}
		switch token {
		case json.Delim('['), json.Delim('{'):
			depth++
			continue
		case json.Delim(']'), json.Delim('}'):
			return strings.Join(keys, " ")
		}
		if key {
			keys = append(keys, token.(string))
		}
		key = !key
	}
}

func decoded(t *testing.T, out string) []map[string]any {
	t.Helper()
	var objects []map[string]any
	if err := json.Unmarshal([]byte(out), &objects); err != nil {
		t.Fatalf("%v in %s", err, out)
	}
	return objects
}

func TestPodsAsJSON(t *testing.T) {
	out := printedPods(t, FormatJSON, pods())
	equal(t, keys(t, out), "namespace name ready status restarts lastRestart age cpu cpuRequest cpuLimit "+
		"memory memoryRequest memoryLimit node ip owner qos nominatedNode readinessGates severity diagnosis created uid")
	objects := decoded(t, out)
	equal(t, len(objects), 6)
	for key, want := range map[string]any{
		"namespace": "shop", "name": "checkout", "ready": "0/1", "status": "CrashLoopBackOff", "restarts": 4.0,
		"lastRestart": "2026-11-20T11:59:19Z", "cpu": nil, "cpuRequest": 250.0, "memoryRequest": float64(512 << 20), "node": "worker-02",
		"severity": "bad", "created": "2026-11-19T17:00:00Z", "uid": "uid-shop/checkout",
	} {
		equal(t, objects[3][key], want)
	}
	equal(t, objects[0]["cpu"], any(300.0))
	equal(t, objects[0]["lastRestart"], nil)
	equal(t, objects[4]["node"], any("<none>"))
}

func TestNodesAsJSON(t *testing.T) {
	out := printedNodes(t, FormatJSON, nodes())
	equal(t, keys(t, out), "name status roles age version for conditions pods podsAllocatable cpu cpuRequests cpuAllocatable "+
		"memory memoryRequests memoryAllocatable zone internalIP externalIP osImage kernelVersion containerRuntime taints "+
		"severity diagnosis created uid")
	objects := decoded(t, out)
	for key, want := range map[string]any{
		"name": "worker-02", "roles": "worker", "pods": 3.0, "podsAllocatable": 110.0, "cpu": 800.0, "cpuRequests": 2000.0,
		"cpuAllocatable": 8000.0, "memory": float64(16 << 30), "severity": "warning", "conditions": "DiskPressure",
	} {
		equal(t, objects[1][key], want)
	}
	equal(t, objects[3]["cpu"], nil)
}

func TestNoRowsAreAHeaderOrAnEmptyArray(t *testing.T) {
	equal(t, printedPods(t, FormatJSON, nil), "[]\n")
	if out := printedPods(t, FormatTable, nil); !strings.HasPrefix(out, "NAMESPACE   NAME   READY") || strings.Count(out, "\n") != 1 {
		t.Errorf("got %q", out)
	}
}

func TestQuotesAndWideCharactersSurviveJSON(t *testing.T) {
	p := pod("shop", `say "日本" \ <b>`, "worker-01", day, func(p *corev1.Pod) { p.Status.Reason = "tab\there" })
	out := decoded(t, printedPods(t, FormatJSON, []*kube.Pod{p}))
	equal(t, out[0]["name"], any(`say "日本" \ <b>`))
}

type brokenPipe struct{}

func (brokenPipe) Write([]byte) (int, error) { return 0, errors.New("broken pipe") }

func TestErrorsOfTheWriterAreReported(t *testing.T) {
	for _, f := range []Format{FormatTable, FormatWide, FormatJSON} {
		if err := PrintPods(brokenPipe{}, f, pods(), beside()); err == nil || !strings.Contains(err.Error(), "broken pipe") {
			t.Errorf("%s: the error is %v", f, err)
		}
	}
}
