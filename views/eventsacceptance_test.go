package views

import (
	"fmt"
	"strings"
	"testing"
	"time"

	"ktriage/internal/text"
	"ktriage/kube"
)

// reported is an event as an old kubectl printed it: so long ago first and last, so often, from a component on a host.
func reported(first, last time.Duration, count int, kind, reason, from, host string, object kube.Involved, message string) *kube.Event {
	return &kube.Event{
		Namespace: object.Namespace, Name: fmt.Sprintf("%s.%d", object.Name, noon.Add(-first).Unix()), UID: fmt.Sprint(reason, object.FullName(), first, message),
		Object: object, Type: kind, Reason: reason, Message: message, From: from, FromHost: host, Node: host, Count: count,
		First: noon.Add(-first), Last: noon.Add(-last), Group: reason + object.FullName(),
	}
}

// grouped are the groups of events of one reason and one object.
func grouped(events ...*kube.Event) []*kube.EventGroup {
	byUID := map[string]*kube.EventGroup{}
	var out []*kube.EventGroup
	for _, e := range events {
		g := byUID[e.Group]
		if g == nil {
			g = &kube.EventGroup{UID: e.Group, Type: e.Type, Reason: e.Reason, Subject: e.Object, Objects: 1, First: e.First}
			byUID[e.Group] = g
			out = append(out, g)
		}
		g.Count += e.Count
		if e.First.Before(g.First) {
			g.First = e.First
		}
		if !e.Last.Before(g.Last) {
			g.Object, g.Message, g.From, g.Node, g.Last = e.Object, e.Message, e.From, e.Node, e.Last
		}
	}
	return out
}

// sequence are the reasons of a page's events, as they stand.
func sequence(d Details) string {
	var out []string
	if len(d.Sections) > 0 {
		for _, r := range d.Sections[0].Rows {
			out = append(out, r.Cells[3])
		}
	}
	return strings.Join(out, " ")
}

func TestAcceptanceE1TimelineOfAPodThatStarts(t *testing.T) {
	const s = time.Second
	pod := aPod("default", "nginx-deployment-1006230814-6winp")
	field := pod
	field.Field = "spec.containers{nginx}"
	const node = "kubernetes-node-wul5"
	all := []*kube.Event{
		reported(53*s, 53*s, 1, "Normal", "Started", "kubelet", node, field, "Started container with docker id 90315cc9f513"),
		reported(54*s, 54*s, 1, "Normal", "Pulling", "kubelet", node, field, `pulling image "nginx"`),
		reported(53*s, 53*s, 1, "Normal", "Pulled", "kubelet", node, field, `Successfully pulled image "nginx"`),
		reported(54*s, 54*s, 1, "Normal", "Scheduled", "default-scheduler", "", pod, "Successfully assigned "+pod.Name+" to "+node),
		reported(53*s, 53*s, 1, "Normal", "Created", "kubelet", node, field, "Created container with docker id 90315cc9f513"),
	}
	for i, k := range []int{4, 1, 2, 0, 3} { // the names of events end in the time to the nanosecond
		all[i].Name = fmt.Sprintf("%s.%d", pod.Name, k)
	}
	c := newScene(kube.Said{}, grouped(all...), all...)
	d, _ := c.Details(all[0].UID, noon)
	equal(t, sequence(d), "Scheduled Pulling Pulled Created Started")
	equal(t, fact(d, "field"), "spec.containers{nginx}")
	equal(t, fact(d, "from"), "kubelet on kubernetes-node-wul5")
	c.Handle(Go{EventsPlace(kube.Ref{Kind: kube.Pods, Namespace: "default", Name: pod.Name, UID: pod.UID})})
	c.publish()
	equal(t, len(strings.Split(c.rows(), ", ")), 5)
}

func TestAcceptanceE2WarningThatDoesNotBreakThePod(t *testing.T) {
	e := reported(0, 0, 1, "Warning", "InvalidEnvironmentVariableNames", "kubelet", "127.0.0.1", aPod("default", "dapi-test-pod"),
		"Keys [1badkey, 2alsobad] from the EnvFrom configMap default/myconfig were skipped since they are considered invalid environment variable names.")
	c := newScene(kube.Said{}, grouped(e), e)
	lines := strings.Split(plainly(c, Size{160, 4}), "\n")
	if !strings.HasPrefix(lines[2], "▌▲    0s     x1  InvalidEnvironme…bleNames  pod default/da") {
		t.Errorf("the row is %q", lines[2])
	}
	equal(t, c.Strip(noon).Lines[0], "keys 1badkey, 2alsobad of configMap default/myconfig were left out: they are no names of environment variables")
}

func TestAcceptanceE3TwoBurstsOfOneReasonAreOneGroupAndBothAreKept(t *testing.T) {
	const m = time.Minute
	old := 7*day + time.Hour
	node := aNode("minikube")
	var all []*kube.Event
	for _, reason := range []string{"NodeHasSufficientMemory", "NodeHasNoDiskPressure", "NodeHasSufficientPID"} {
		message := "Node minikube status is now: " + reason
		all = append(all, reported(old, old, 8, "Normal", reason, "kubelet", "minikube", node, message),
			reported(12*m, 12*m, 8, "Normal", reason, "kubelet", "minikube", node, message))
	}
	all = append(all, reported(12*m, 12*m, 1, "Normal", "NodeAllocatableEnforced", "kubelet", "minikube", node, "Updated Node Allocatable limit across pods"))
	c := newScene(kube.Said{}, grouped(all...), all...)
	equal(t, c.rows(), "NodeAllocatableEnforced x1, NodeHasNoDiskPressure x16, NodeHasSufficientMemory x16, NodeHasSufficientPID x16")
	c.press("table.down", "table.down")
	equal(t, c.Strip(noon).State, "x16 over 7d1h")
	d, _ := c.Details(c.Place().UID, noon)
	equal(t, sequence(d), "NodeHasSufficientMemory NodeHasSufficientMemory")
	for i, want := range []string{"2026-11-13 11:00 2026-11-13 11:00 x8", "11:48:00 11:48:00 x8"} {
		equal(t, strings.Join(d.Sections[0].Rows[i].Cells[:3], " "), want)
	}
	c.press("events.open")
	equal(t, c.rows(), "NodeHasSufficientMemory:minikube x8, NodeHasSufficientMemory:minikube x8")
}

func TestAcceptanceE4EventsOfControllersAreThoseOfWhatTheyWorkOn(t *testing.T) {
	const s = time.Second
	deploy, job := involved("Deployment", "default", "mysql"), involved("Job", "default", "indexed-job")
	service := involved("Service", "default", "web")
	all := []*kube.Event{
		reported(33*s, 33*s, 1, "Normal", "ScalingReplicaSet", "deployment-controller", "", deploy, "Scaled up replica set mysql-63082529 to 1"),
		reported(11*s, 11*s, 1, "Normal", "Type", "service-controller", "", service, "NodePort -> LoadBalancer"),
		reported(11*s, 11*s, 1, "Normal", "EnsuringLoadBalancer", "service-controller", "", service, "Ensuring load balancer"),
	}
	for i, name := range []string{"njkjj", "9kd4h", "qjwsz", "fdhq5", "ncslj"} {
		age := time.Duration(4-i/3*3) * s
		all = append(all, reported(age, age, 1, "Normal", "SuccessfulCreate", "job-controller", "", job, "Created pod: indexed-job-"+name))
	}
	c := newScene(kube.Said{}, grouped(all...), all...)
	equal(t, c.rows(), "SuccessfulCreate x5, EnsuringLoadBalancer x1, Type x1, ScalingReplicaSet x1")
	out := plainly(c, Size{80, 6})
	for _, want := range []string{"job default/i…ed-job", "svc default/web", "deploy default/mysql"} {
		if !strings.Contains(out, want) {
			t.Errorf("%q is not in\n%s", want, out)
		}
	}
	c.Handle(Go{EventsPlace(kube.Ref{Kind: kube.Deployments, Namespace: "default", Name: "mysql", UID: deploy.UID})})
	c.publish()
	equal(t, c.rows(), "ScalingReplicaSet x1")
}

func TestAcceptanceE5AdmissionThatIsRefusedIsSaidOfTheOwner(t *testing.T) {
	rs := involved("ReplicaSet", "demo", "constraints-mem-demo-5c6b")
	e := reported(time.Minute, time.Second, 14, "Warning", "FailedCreate", "replicaset-controller", "", rs,
		`Error creating: pods "constraints-mem-demo-2" is forbidden: maximum memory usage per Container is 1Gi, but limit is 1536Mi.`)
	c := newScene(kube.Said{}, grouped(e), e)
	c.Handle(Go{EventsPlace(kube.Ref{Kind: kube.Deployments, Namespace: "demo", Name: "constraints-mem-demo"})})
	c.publish()
	equal(t, c.rows(), "FailedCreate x14")
	equal(t, c.Strip(noon).Name, "rs demo/constraints-mem-demo-5c6b")
	if lines := c.Strip(noon).Lines; lines[0] != "cannot create pods: LimitRange: memory limit 1536Mi > max 1Gi per Container" {
		t.Errorf("the strip says %q", lines)
	}
	equal(t, c.press("events.object")[0], Effect(Open{Place{Pane: "workloads", UID: rs.UID, Name: "demo/constraints-mem-demo-5c6b"}}))
}

func TestAcceptanceE6ContainerThatBacksOff(t *testing.T) {
	pod := aPod("default", "termination-demo")
	all := []*kube.Event{
		reported(3*time.Minute, time.Minute, 5, "Normal", "Created", "kubelet", "n1", pod, "Created container with id 66a3a20aa798"),
		reported(2*time.Minute, time.Second, 9, "Warning", "BackOff", "kubelet", "n1", pod, "Back-off restarting failed container"),
	}
	c := newScene(kube.Said{}, grouped(all...), all...)
	equal(t, c.rows(), "BackOff x9, Created x5")
	c.press("events.singles")
	d, _ := c.Details(all[1].UID, noon)
	equal(t, sequence(d), "Created BackOff")
}

func TestHostileEventsStayWithinTheirCells(t *testing.T) {
	messages := []string{
		strings.Repeat("ノードの準備ができていません。", 60), strings.Repeat("e\u0301", 400), "", strings.Repeat("x", 1024), "👩‍👩‍👧‍👦 " + strings.Repeat("한", 300),
	}
	var all []*kube.Event
	for i, m := range messages {
		m = text.Clean(m) // as every row is
		messages[i] = m
		e := reported(time.Minute, time.Second, 1<<40, "Sonstiges", strings.Repeat("原因", i*20), m, m, involved(strings.Repeat("种", i), "", m), m)
		e.AtLeast = i%2 == 0
		all = append(all, e)
	}
	groups := grouped(all...)
	for i, g := range groups {
		g.By, g.Objects = kube.By(i%3), i*1_000_000
	}
	c := newScene(kube.Said{Since: noon, RateEnds: noon}, groups, all...)
	for range 2 {
		for w := 10; w < 220; w += 7 {
			s := Size{w, 9}
			checkRectangle(t, drawn(c, s, frame()), s)
		}
		c.press("events.singles")
	}
	d, _ := c.Details(all[0].UID, noon)
	equal(t, fact(d, "message"), messages[0])
}
