package kube

import (
	"fmt"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode/utf8"

	"github.com/google/go-cmp/cmp"
	"pgregory.net/rapid"
)

// messages are those of Kubernetes, each with what is said of it. The numbers of operator-tasks.md tell where the samples are from.
var messages = []struct {
	reason, message, sentence string
}{
	// E-03, and the running cluster.
	{"FailedScheduling", "0/30 nodes are available: 23 node(s) had untolerated taint(s), 7 node(s) didn't match Pod's node affinity/selector. " +
		"no new claims to deallocate, preemption: 0/30 nodes are available: 30 Preemption is not helpful for scheduling.",
		"none of 30 nodes takes it: 23 with taints that it does not tolerate, 7 outside its node selector or affinity; evicting others would not help"},
	{"FailedScheduling", "0/150 nodes are available: 10 node(s) had untolerated taint {dedicated: gpu}, 140 Insufficient memory. preemption: 0/150 nodes are available: " +
		"10 Preemption is not helpful for scheduling, 140 No preemption victims found for incoming pod.",
		"none of 150 nodes takes it: 10 with the taint {dedicated: gpu}, which it does not tolerate, 140 without enough memory; " +
			"evicting others would not help on 10, there are no pods of a lower priority to evict on 140"},
	{"FailedScheduling", "0/3 nodes are available: 1 node(s) had taint {a: b}, that the pod didn't tolerate, 2 Too many pods.",
		"none of 3 nodes takes it: 1 with the taint {a: b}, which it does not tolerate, 2 full of pods"},
	{"FailedScheduling", "0/1 nodes are available: pod has unbound immediate PersistentVolumeClaims. preemption: 0/1 nodes are available: 1 Preemption is not helpful for scheduling.",
		"the only node does not take it: pod has unbound immediate PersistentVolumeClaims; evicting others would not help"},
	{"FailedScheduling", "0/2 nodes are available: 2 node(s) were unschedulable.", "none of 2 nodes takes it: 2 cordoned"},
	{"FailedScheduling", "No nodes are available that match all of the following predicates:: Insufficient memory (3).", "no node takes it: 3 without enough memory"},
	{"FailedScheduling", "pod (extended-resource-demo-2) failed to fit in any node fit failure summary on nodes : Insufficient example.com/dongle (1)",
		"no node takes it: 1 without enough example.com/dongle"},
	{"FailedScheduling", "pod (p) failed to fit in any node " +
		"fit failure on node (n-1): Node didn't have enough resource: CPU, requested: 1000, used: 1420, capacity: 2000 " +
		"fit failure on node (n-2): Node didn't have enough resource: CPU, requested: 1000, used: 1100, capacity: 2000",
		"no node takes it: n-1 has too little CPU (asked for 1000, 1420 of 2000 used), n-2 has too little CPU (asked for 1000, 1100 of 2000 used)"},
	{"FailedScheduling", "running PreBind plugin \"VolumeBinding\": binding volumes: timed out", "running PreBind plugin \"VolumeBinding\": binding volumes: timed out"},

	// AC-E5, E-08.
	{"FailedCreate", `Error creating: pods "constraints-mem-demo-2" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi.`,
		"cannot create pods: LimitRange: memory limit 1536Mi > max 1Gi per Container"},
	{"FailedCreate", `Error creating: pods "constraints-mem-demo-3" is forbidden: minimum memory usage per Container is 500Mi, but request is 100Mi.`,
		"cannot create pods: LimitRange: memory request 100Mi < min 500Mi per Container"},
	{"FailedCreate", `Error creating: pods "a" is forbidden: [minimum cpu usage per Container is 200m, but request is 100m, maximum memory usage per Pod is 1Gi, but limit is 2Gi]`,
		"cannot create pods: LimitRange: cpu request 100m < min 200m per Container, memory limit 2Gi > max 1Gi per Pod"},
	{"FailedCreate", `Error creating: pods "a" is forbidden: maximum memory usage per Container is 1Gi. No limit is specified`,
		"cannot create pods: LimitRange: no memory limit (max 1Gi per Container)"},
	{"FailedCreate", `Error creating: pods "web-x" is forbidden: exceeded quota: compute, requested: cpu=500m,pods=1, used: cpu=1900m,pods=3, limited: cpu=2,pods=3`,
		"cannot create pods: over quota compute: 500m more cpu asked for, 1900m of 2 used; 1 more pods asked for, 3 of 3 used"},
	{"FailedCreate", `create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: failed quota: compute: must specify limits.cpu for: app`,
		"cannot create pod db-0: quota compute: must specify limits.cpu for: app"},
	{"FailedCreate", `Create Pod db-0 in StatefulSet db failed error: pods "db-0" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi`,
		"cannot create pod db-0: LimitRange: memory limit 1536Mi > max 1Gi per Container"},
	{"FailedCreate", `Error creating: pods "a" is forbidden: error looking up service account shop/app: serviceaccount "app" not found`,
		`cannot create pods: error looking up service account shop/app: serviceaccount "app" not found`},
	{"FailedCreate", `Error creating: Internal error occurred: failed calling webhook "x.y.z": failed to call webhook: Post "https://x.y.svc:443/v": context deadline exceeded`,
		`cannot create pods: failed calling webhook "x.y.z": failed to call webhook: Post "https://x.y.svc:443/v": context deadline exceeded`},
	{"FailedCreate", `Error creating: pods "a" is forbidden: violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true)`,
		`cannot create pods: violates PodSecurity "restricted:latest": runAsNonRoot != true (pod or container "app" must set securityContext.runAsNonRoot=true)`},

	// AC-E6, images.
	{"BackOff", "Back-off restarting failed container", "its container keeps ending; the kubelet waits before it starts it again"},
	{"BackOff", "Back-off restarting failed container app in pod web-1_shop(1234)", "container app keeps ending; the kubelet waits before it starts it again"},
	{"BackOff", `Back-off pulling image "nginx:nope"`, "cannot pull nginx:nope; the kubelet waits before it tries again"},
	{"BackOff", `Back-off pulling image "x:1": ErrImagePull: rpc error: code = NotFound desc = x:1: not found`,
		"cannot pull x:1: x:1: not found; the kubelet waits before it tries again"},
	{"Failed", `Failed to pull image "shop/web:9": rpc error: code = NotFound desc = failed to pull and unpack image "docker.io/shop/web:9": failed to resolve reference "docker.io/shop/web:9": docker.io/shop/web:9: not found`,
		`cannot pull shop/web:9: failed to resolve reference "docker.io/shop/web:9": docker.io/shop/web:9: not found`},
	{"Failed", "Error: ErrImagePull", "the image is not there: ErrImagePull"},
	{"Failed", `Error: configmap "settings" not found`, `container not started: configmap "settings" not found`},
	{"Pulling", `pulling image "nginx"`, "pulling nginx"},
	{"Pulled", `Successfully pulled image "nginx"`, "pulled nginx"},
	{"Pulled", `Successfully pulled image "nginx" in 1.5s (3s including waiting). Image size: 70 bytes.`, "pulled nginx in 1.5s (3s including waiting). Image size: 70 bytes"},
	{"Pulled", `Container image "nginx" already present on machine`, "image nginx was on the node already"},

	// P-11.
	{"Unhealthy", "Readiness probe failed: HTTP probe failed with statuscode: 503", "readiness probe answers 503"},
	{"Unhealthy", `Liveness probe failed: Get "http://10.0.0.1:8080/healthz": dial tcp 10.0.0.1:8080: connect: connection refused`,
		"liveness probe fails: 10.0.0.1:8080 refuses the connection"},
	{"Unhealthy", `Startup probe failed: Get "http://10.0.0.1:8080/": context deadline exceeded (Client.Timeout exceeded while awaiting headers)`,
		"startup probe gets no answer in time from http://10.0.0.1:8080/"},
	{"Unhealthy", "Readiness probe failed: dial tcp 10.0.0.1:6379: i/o timeout", "readiness probe gets no answer in time from 10.0.0.1:6379"},
	{"Unhealthy", "Liveness probe failed: cat: can't open '/tmp/healthy': No such file or directory",
		"liveness probe fails: cat: can't open '/tmp/healthy': No such file or directory"},
	{"Unhealthy", `Liveness probe failed: command timed out: "sh -c sleep 9" timed out after 1s`, `liveness probe fails: command timed out: "sh -c sleep 9" timed out after 1s`},
	{"Unhealthy", "the disk is full", "the disk is full"},

	// N-12, E-05.
	{"OOMKilling", "Memory cgroup out of memory: Kill process 4481 (stress) score 1994 or sacrifice child",
		"stress (process 4481) was killed: a container was over its memory limit; score 1994 or sacrifice child"},
	{"OOMKilling", "Memory cgroup out of memory: Killed process 77 (java) total-vm:900kB, anon-rss:500kB",
		"java (process 77) was killed: a container was over its memory limit; total-vm:900kB, anon-rss:500kB"},
	{"SystemOOM", "System OOM encountered, victim process: java, pid: 77", "the node ran out of memory, and java (process 77) was killed"},
	{"NodeHasSufficientMemory", "Node minikube status is now: NodeHasSufficientMemory", "node minikube has memory enough"},
	{"NodeNotReady", "Node worker-07 status is now: NodeNotReady", "node worker-07 is not ready"},
	{"NodeNotReady", "Node is not ready", "its node is not ready"},
	{"NodeAllocatableEnforced", "Updated Node Allocatable limit across pods", "Updated Node Allocatable limit across pods"},
	{"TaintManagerEviction", "Marking for deletion Pod media/thumbnails-1", "it is deleted: it does not tolerate a taint of its node, or not any longer"},
	{"Evicted", "The node was low on resource: memory. Threshold quantity: 100Mi, available: 50Mi. Container app was using 300Mi, request is 0, has larger consumption of memory. ",
		"its node was short of memory, with 50Mi left (threshold 100Mi): Container app was using 300Mi, request is 0, has larger consumption of memory"},

	// AC-E2, E-07.
	{"InvalidEnvironmentVariableNames", "Keys [1badkey, 2alsobad] from the EnvFrom configMap default/myconfig were skipped since they are considered invalid environment variable names.",
		"keys 1badkey, 2alsobad of configMap default/myconfig were left out: they are no names of environment variables"},

	{"FailedMount", `MountVolume.SetUp failed for volume "config" : configmap "settings" not found`, `volume config not mounted: configmap "settings" not found`},
	{"FailedMount", "Unable to attach or mount volumes: unmounted volumes=[data tmp], unattached volumes=[], failed to process volumes=[]: timed out waiting for the condition",
		"not mounted: data, tmp: timed out waiting for the condition"},
	{"FailedAttachVolume", `AttachVolume.Attach failed for volume "pvc-1" : rpc error: code = Internal desc = no such disk`, "volume pvc-1 not attached: no such disk"},
	{"FailedAttachVolume", `Multi-Attach error for volume "pvc-1" Volume is already used by pod(s) db-0`, "volume pvc-1 is attached to another node: volume is already used by pod(s) db-0"},
	{"FailedCreatePodSandBox", `Failed to create pod sandbox: rpc error: code = Unknown desc = failed to setup network for sandbox "0a1b": plugin type="calico" failed (add): no route`,
		`no network for it: plugin type="calico" failed (add): no route`},

	// AC-E4, and what nobody knows.
	{"ScalingReplicaSet", "Scaled up replica set mysql-63082529 to 1", "Scaled up replica set mysql-63082529 to 1"},
	{"EnsuringLoadBalancer", "Ensuring load balancer", "Ensuring load balancer"},
	{"SuccessfulRescale", "New size: 7; reason: cpu resource utilization (percentage of request) above target",
		"scaled to 7: cpu resource utilization (percentage of request) above target"},
	{"Scheduled", "Successfully assigned shop/web-1 to worker-3", "bound to worker-3"},
	{"SomethingNew", "the flux is inverted", "the flux is inverted"},
	{"SomethingNew", "", "SomethingNew"},
}

func TestSentencesSayInPlainWordsWhatAMessageMeans(t *testing.T) {
	for _, c := range messages {
		e := &Event{Reason: c.reason, Message: c.message}
		if got := e.Sentence(); got != c.sentence {
			t.Errorf("%s: %s\n got %s\nwant %s", c.reason, c.message, got, c.sentence)
		}
		g := &EventGroup{Reason: c.reason, Message: c.message}
		if got := g.Sentence(); got != c.sentence {
			t.Errorf("a group says %q of what its event calls %q", got, c.sentence)
		}
	}
}

func TestTablesTakeMessagesApart(t *testing.T) {
	for _, c := range []struct {
		reason, message string
		want            EventTable
	}{
		// E-03: the summary of an old scheduler, and that of today with its preemption half.
		{"FailedScheduling", "fit failure summary on nodes : Insufficient cpu (2)",
			EventTable{"why no node takes it", []string{"NODES", "WHY NOT"}, [][]string{{"2", "Insufficient cpu"}}}},
		{"FailedScheduling", "0/30 nodes are available: 23 node(s) had untolerated taint(s), 7 Insufficient cpu. preemption: 0/30 nodes are available: 30 Preemption is not helpful for scheduling.",
			EventTable{"why no node takes it", []string{"NODES", "WHY NOT"}, [][]string{
				{"23", "node(s) had untolerated taint(s)"}, {"7", "Insufficient cpu"}, {"30", "preemption: Preemption is not helpful for scheduling"},
			}}},
		{"FailedScheduling", "fit failure on node (n-1): Node didn't have enough resource: CPU, requested: 1000, used: 1420, capacity: 2000",
			EventTable{"why no node takes it", []string{"NODE", "RESOURCE", "REQUESTED", "USED", "CAPACITY"}, [][]string{{"n-1", "CPU", "1000", "1420", "2000"}}}},
		// AC-E5.
		{"FailedCreate", `Error creating: pods "a" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi.`,
			EventTable{"LimitRange", []string{"WHAT", "IS", "ALLOWED", "PER"}, [][]string{{"memory limit", "1536Mi", "max 1Gi", "Container"}}}},
		{"FailedCreate", `Error creating: pods "a" is forbidden: minimum memory usage per Container is 500Mi, but request is 100Mi.`,
			EventTable{"LimitRange", []string{"WHAT", "IS", "ALLOWED", "PER"}, [][]string{{"memory request", "100Mi", "min 500Mi", "Container"}}}},
		{"FailedCreate", `Error creating: pods "a" is forbidden: exceeded quota: q, requested: pods=1, used: pods=3, limited: pods=3`,
			EventTable{"quota q", []string{"RESOURCE", "ASKED FOR", "USED", "LIMIT"}, [][]string{{"pods", "1", "3", "3"}}}},
		{"Unhealthy", "Liveness probe failed: HTTP probe failed with statuscode: 500",
			EventTable{"probe", []string{"PROBE", "WHILE IT FAILS", "IT SAYS"}, [][]string{{"liveness", "its container is restarted", "HTTP probe failed with statuscode: 500"}}}},
		{"Scheduled", "Successfully assigned a/b to c", EventTable{}},
	} {
		if d := cmp.Diff(c.want, (&Event{Reason: c.reason, Message: c.message}).Table()); d != "" {
			t.Errorf("%s (-want +got):\n%s", c.message, d)
		}
	}
}

var numbersIn = regexp.MustCompile(`[0-9]+`)

func TestNoNumberOfASchedulerOrAQuotaIsLost(t *testing.T) {
	reasons := []string{
		"Insufficient cpu", "node(s) were unschedulable", "node(s) had taint {a: b}, that the pod didn't tolerate", "Too many pods",
		"node(s) had untolerated taint {k: v}", "something, that nobody has seen before",
	}
	rapid.Check(t, func(t *rapid.T) {
		number := func(label string) int { return rapid.IntRange(2, 99999).Draw(t, label) }
		var parts []string
		for range rapid.IntRange(1, 6).Draw(t, "reasons") {
			parts = append(parts, fmt.Sprintf("%d %s", number("nodes"), rapid.SampledFrom(reasons).Draw(t, "reason")))
		}
		scheduling := fmt.Sprintf("0/%d nodes are available: %s.", number("total"), strings.Join(parts, ", "))
		quota := fmt.Sprintf(`Error creating: pods "x" is forbidden: exceeded quota: q, requested: cpu=%d,pods=%d, used: cpu=%d,pods=%d, limited: cpu=%d,pods=%d`,
			number("a"), number("b"), number("c"), number("d"), number("e"), number("f"))
		limits := fmt.Sprintf(`Error creating: pods "x" is forbidden: [maximum cpu usage per Pod is %d, but limit is %d, minimum memory usage per Container is %dMi, but request is %dMi]`,
			number("a"), number("b"), number("c"), number("d"))
		for _, e := range []*Event{{Reason: "FailedScheduling", Message: scheduling}, {Reason: "FailedCreate", Message: quota}, {Reason: "FailedCreate", Message: limits}} {
			if e.Message == scheduling && len(e.Table().Rows) != len(parts) {
				t.Fatalf("%d reasons make the rows %v", len(parts), e.Table().Rows)
			}
			sentence := e.Sentence()
			if sentence == e.Message {
				t.Fatalf("not read: %s", e.Message)
			}
			for _, n := range numbersIn.FindAllString(strings.TrimPrefix(e.Message, "0/"), -1) {
				if !strings.Contains(sentence, n) {
					t.Fatalf("%s is lost: %s\nsaid: %s", n, e.Message, sentence)
				}
			}
		}
	})
}

func FuzzSentence(f *testing.F) {
	for _, c := range messages {
		f.Add(c.reason, c.message)
		f.Add(c.reason, c.message[:len(c.message)/2])
	}
	f.Fuzz(func(t *testing.T, reason, message string) {
		reason, message = clean(reason), clean(message)
		e := &Event{Reason: reason, Message: message}
		s := e.Sentence()
		if strings.TrimSpace(reason+message) != "" && strings.TrimSpace(s) == "" {
			t.Fatalf("nothing is said of %q: %q", reason, message)
		}
		if !utf8.ValidString(s) || clean(s) != s {
			t.Fatalf("%q of %q is not fit to be shown", s, message)
		}
		for _, row := range e.Table().Rows {
			if len(row) != len(e.Table().Columns) {
				t.Fatalf("%d cells in %d columns: %q", len(row), len(e.Table().Columns), row)
			}
		}
	})
}

func TestSentencesCostLittle(t *testing.T) {
	for _, c := range messages {
		e := &Event{Reason: c.reason, Message: c.message}
		if n := testing.AllocsPerRun(20, func() { _ = e.Sentence() }); n > 60 {
			t.Errorf("%.0f allocations for %s", n, c.message)
		}
	}
}

// lived makes the events of one container, the newest the last of reasons.
func lived(now time.Time, reasons ...string) []*Event {
	var out []*Event
	for i, r := range reasons {
		reason, at, _ := strings.Cut(r, " ")
		d, err := time.ParseDuration(at)
		if err != nil {
			panic(err)
		}
		field := "spec.containers{nginx}"
		if reason == "Scheduled" {
			field = ""
		}
		// The API gives events in no order.
		out = append([]*Event{{UID: fmt.Sprint(i), Reason: reason, Last: now.Add(-d), First: now.Add(-d), Count: 1, Object: Involved{Kind: "Pod", Field: field}}}, out...)
	}
	return out
}

func reasonsOf(steps []LifeStep) string {
	var out []string
	for _, s := range steps {
		out = append(out, s.Reason)
	}
	return strings.Join(out, " ")
}

func TestLifePutsEventsOfOneSecondInTheOrderOfAContainer(t *testing.T) { // AC-E1, AC-E6
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	steps := Life(lived(now, "Scheduled 54s", "Pulling 54s", "Pulled 53s", "Created 53s", "Started 53s"))
	if got := reasonsOf(steps); got != "Scheduled Pulling Pulled Created Started" {
		t.Errorf("the life is %s", got)
	}
	if steps[0].Container != "" || steps[1].Container != "nginx" {
		t.Errorf("the steps are of %q and %q", steps[0].Container, steps[1].Container)
	}
	if got := reasonsOf(Life(lived(now, "BackOff 1s", "Created 1s"))); got != "Created BackOff" {
		t.Errorf("the life is %s", got)
	}
	if got := reasonsOf(Life(lived(now, "SandboxChanged 1s"))); got != "" {
		t.Errorf("%s is no step of a life", got)
	}
}

func TestTheMissingStepIsTheDiagnosis(t *testing.T) { // E-04
	now := time.Date(2026, 11, 21, 12, 0, 0, 0, time.UTC)
	pod := &Pod{Phase: "Pending", Scheduled: true}
	for _, c := range []struct {
		reasons []string
		want    string
	}{
		{[]string{"Scheduled 5m", "Pulling 4m"}, "nginx: image not pulled yet, Pulling for 4m"},
		{[]string{"Scheduled 5m", "Pulling 4m", "Pulled 3m"}, "nginx: image is there, but nothing was created since, 3m ago"},
		{[]string{"Scheduled 5m", "Pulling 4m", "Pulled 3m", "Created 2m"}, "nginx: created 2m ago, never started"},
		{[]string{"Scheduled 5m"}, "nothing said since it was bound to a node 5m ago: no volume, no sandbox, no image so far"},
		{[]string{"Scheduled 5m", "FailedMount 1m"}, ""},
		{[]string{"Scheduled 5m", "Pulling 4m", "Failed 3m", "BackOff 1m"}, ""},
		{nil, ""},
	} {
		if got := Stands(pod, Life(lived(now, c.reasons...)), now); got != c.want {
			t.Errorf("%v: got %q, want %q", c.reasons, got, c.want)
		}
	}
	if got := Stands(&Pod{Phase: "Running", Scheduled: true}, Life(lived(now, "Pulling 4m")), now); got != "" {
		t.Errorf("of a pod that runs it says %q", got)
	}
}
