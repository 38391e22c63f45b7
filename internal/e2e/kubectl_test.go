package e2e

import (
	"encoding/json"
	"fmt"
	"os"
	"os/exec"
	"slices"
	"strings"
	"testing"
	"time"
)

// row is an object as a table shows it, by column.
type row map[string]string

// columns reads a table of kubectl: a column begins where its title begins.
func columns(t *testing.T, table string, key ...string) map[string]row {
	t.Helper()
	var lines [][]rune // a column is as wide as its characters, whatever their bytes
	for l := range strings.SplitSeq(strings.TrimRight(table, "\n"), "\n") {
		lines = append(lines, []rune(l))
	}
	var titles []string
	var starts []int
	header := string(lines[0])
	for i := 0; i < len(header); {
		end := strings.Index(header[i:], "   ")
		title := header[i:]
		if end >= 0 {
			title = header[i : i+end]
		}
		titles, starts = append(titles, title), append(starts, i)
		i += len(title)
		for i < len(header) && header[i] == ' ' {
			i++
		}
	}
	out := map[string]row{}
	for _, l := range lines[1:] {
		r, name := row{}, ""
		for k, title := range titles {
			end := len(l)
			if k+1 < len(starts) {
				end = min(end, starts[k+1])
			}
			r[title] = strings.TrimSpace(string(l[min(starts[k], end):end]))
		}
		for _, k := range key {
			name += "/" + r[k]
		}
		out[name] = r
	}
	return out
}

// ours reads what snapshot prints as JSON.
func ours(t *testing.T, pane string, key ...string) map[string]map[string]any {
	t.Helper()
	r := ktriage(t, incident.kubeconfig(), "snapshot", pane, "-o", "json")
	if r.code != 0 {
		t.Fatalf("ktriage snapshot %s: exit code %d: %s", pane, r.code, r.err)
	}
	var list []map[string]any
	if err := json.Unmarshal([]byte(r.out), &list); err != nil {
		t.Fatal(err)
	}
	out := map[string]map[string]any{}
	for _, o := range list {
		name := ""
		for _, k := range key {
			name += "/" + fmt.Sprint(o[k])
		}
		out[name] = o
	}
	return out
}

// compare takes kubectl's table, ours, and kubectl's again, until every object has been seen equal to one of the two
// that it stood between: an incident does not hold still. An object that is never equal is a difference.
func compare(t *testing.T, kubectl func() map[string]row, ours func() map[string]map[string]any, same func(row, map[string]any) string) {
	t.Helper()
	before := kubectl()
	differ := map[string]string{}
	settled := map[string]bool{}
	for end := time.Now().Add(soon); time.Now().Before(end); {
		got, after := ours(), kubectl()
		for name := range after {
			if settled[name] {
				continue
			}
			o, ok := got[name]
			if !ok {
				differ[name] = "kubectl has it, ktriage has not"
				continue
			}
			why := same(after[name], o)
			if b, was := before[name]; was && why != "" && same(b, o) == "" {
				why = ""
			}
			if why == "" {
				settled[name] = true
				delete(differ, name)
			} else {
				differ[name] = why
			}
		}
		for name := range got {
			if _, ok := after[name]; !ok && !settled[name] {
				differ[name] = "ktriage has it, kubectl has not"
			}
		}
		t.Logf("%d objects, %d differ", len(after), len(differ))
		if len(differ) == 0 {
			return
		}
		for name := range differ { // an object that is gone on both sides is no difference
			if _, k := after[name]; !k {
				delete(differ, name)
			}
		}
		before = after
	}
	names := make([]string, 0, len(differ))
	for name, why := range differ {
		names = append(names, name+": "+why)
	}
	slices.Sort(names)
	t.Errorf("%d objects differ:\n%s", len(names), strings.Join(names, "\n"))
}

// mismatch names the columns of kubectl that are not those of ours.
func mismatch(k row, o map[string]any, pairs [][2]string) string {
	var bad []string
	for _, p := range pairs {
		if got := fmt.Sprint(o[p[1]]); got != k[p[0]] {
			bad = append(bad, fmt.Sprintf("%s is %q, kubectl says %q", p[1], got, k[p[0]]))
		}
	}
	return strings.Join(bad, "; ")
}

func TestEveryPodIsAsKubectlHasIt(t *testing.T) {
	compare(t,
		func() map[string]row {
			return columns(t, incident.kubectl(t, "get", "pods", "-A", "-o", "wide"), "NAMESPACE", "NAME")
		},
		func() map[string]map[string]any { return ours(t, "pods", "namespace", "name") },
		func(k row, o map[string]any) string {
			if k["NAME"] == "hostile" {
				k["STATUS"] = fmt.Sprint(o["status"]) // control characters, which kubectl and we make visible in different ways
			}
			k["RESTARTS"], _, _ = strings.Cut(k["RESTARTS"], " ")
			return mismatch(k, o, [][2]string{
				{"READY", "ready"}, {"STATUS", "status"}, {"RESTARTS", "restarts"}, {"AGE", "age"}, {"NODE", "node"}, {"IP", "ip"},
				{"NOMINATED NODE", "nominatedNode"}, {"READINESS GATES", "readinessGates"},
			})
		})
}

func TestEveryNodeIsAsKubectlHasIt(t *testing.T) {
	compare(t,
		func() map[string]row { return columns(t, incident.kubectl(t, "get", "nodes", "-o", "wide"), "NAME") },
		func() map[string]map[string]any { return ours(t, "nodes", "name") },
		func(k row, o map[string]any) string {
			return mismatch(k, o, [][2]string{
				{"STATUS", "status"}, {"ROLES", "roles"}, {"AGE", "age"}, {"VERSION", "version"}, {"INTERNAL-IP", "internalIP"},
				{"EXTERNAL-IP", "externalIP"}, {"OS-IMAGE", "osImage"}, {"KERNEL-VERSION", "kernelVersion"},
				{"CONTAINER-RUNTIME", "containerRuntime"},
			})
		})
}

// The restarts of a table carry their age: ours must be kubectl's text, but for the seconds that pass in between.
func TestTableOfPodsHasTheColumnsOfKubectl(t *testing.T) {
	theirs := columns(t, incident.kubectl(t, "get", "pods", "-A"), "NAMESPACE", "NAME")
	r := ktriage(t, incident.kubeconfig(), "snapshot", "pods")
	if r.code != 0 {
		t.Fatalf("exit code %d: %s", r.code, r.err)
	}
	mine := columns(t, r.out, "NAMESPACE", "NAME")
	for name, k := range theirs {
		m, ok := mine[name]
		if !ok {
			continue // it may just have gone
		}
		for title := range k {
			if _, ok := m[title]; !ok {
				t.Fatalf("ktriage snapshot pods has no column %s: %v", title, m)
			}
		}
		_, ago, restarted := strings.Cut(k["RESTARTS"], " (")
		if _, mineAgo, ok := strings.Cut(m["RESTARTS"], " ("); ok != restarted || restarted && strings.HasSuffix(ago, "ago)") != strings.HasSuffix(mineAgo, "ago)") {
			t.Errorf("%s: RESTARTS %q, kubectl %q", name, m["RESTARTS"], k["RESTARTS"])
		}
	}
}

// Thousands of generated pods and nodes, printed by the API server's own table printer: the tests of kube that need a
// real server, on this one.
func TestColumnsAreThoseOfTheServersOwnTable(t *testing.T) {
	cmd := exec.CommandContext(t.Context(), "go", "test", "-count=1", "-run", "OfTheServer", "-v", "ktriage/kube")
	cmd.Env = append(os.Environ(), "KTRIAGE_TEST_KUBECONFIG="+calm.kubeconfig())
	out, err := cmd.CombinedOutput()
	if err != nil {
		t.Fatalf("%v\n%s", err, out)
	}
	if strings.Contains(string(out), "SKIP") || strings.Count(string(out), "--- PASS") < 2 {
		t.Errorf("not run:\n%s", out)
	}
	for l := range strings.SplitSeq(string(out), "\n") {
		if strings.Contains(l, "_test.go") {
			t.Log(strings.TrimSpace(l))
		}
	}
}
