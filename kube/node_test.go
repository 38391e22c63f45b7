package kube

import (
	"strings"
	"testing"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
)

func nodeCondition(kind corev1.NodeConditionType, status corev1.ConditionStatus, ago time.Duration, message string) corev1.NodeCondition {
	return corev1.NodeCondition{
		Type: kind, Status: status, Message: message, LastTransitionTime: before(ago), LastHeartbeatTime: before(time.Minute),
	}
}

// nodeOf makes a node that was created so long ago.
func nodeOf(age time.Duration, conditions ...corev1.NodeCondition) *corev1.Node {
	node := &corev1.Node{}
	node.Name, node.UID, node.CreationTimestamp = "gpu-03", "n", before(age)
	node.Status.Allocatable = corev1.ResourceList{
		"cpu": resource.MustParse("8"), "memory": resource.MustParse("32Gi"), "pods": resource.MustParse("110"),
	}
	node.Status.Conditions = conditions
	return node
}

func cordonedNode(ago time.Duration) *corev1.Node {
	node := nodeOf(212*24*time.Hour, nodeCondition("Ready", "True", 212*24*time.Hour, ""))
	added := before(ago)
	node.Spec.Unschedulable = true
	node.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeUnschedulable, Effect: "NoSchedule", TimeAdded: &added}}
	return node
}

const noCNI = "container runtime network not ready: NetworkReady=false reason:NetworkPluginNotReady " +
	"message:Network plugin returns error: cni plugin not initialized"

func TestNodeRows(t *testing.T) {
	const day = 24 * time.Hour
	ready := nodeCondition("Ready", "True", 30*day, "")
	tests := map[string]struct {
		node       *corev1.Node
		status     string // kubectl's
		text       string // ours
		conditions string
		rank       uint8
		severity   Severity
		state      time.Duration // For, before noon
		until      time.Duration // from noon, 0 for never
	}{
		"ready":                       {nodeOf(60*day, ready), "Ready", "Ready", "-", nodeFine, OK, 30 * day, 0},
		"cordoned":                    {cordonedNode(18 * time.Hour), "Ready,SchedulingDisabled", "Ready,Cordoned", "-", nodeCordoned, Notice, 18 * time.Hour, 0},
		"pressure":                    {nodeOf(60*day, nodeCondition("DiskPressure", "True", 23*time.Minute, ""), ready), "Ready", "Ready", "DiskPressure", nodeProblem, Warning, 23 * time.Minute, 0},
		"two problems":                {nodeOf(60*day, ready, nodeCondition("KernelDeadlock", "True", time.Hour, ""), nodeCondition("StorageReady", "False", time.Hour, "")), "Ready", "Ready", "KernelDeadlock +1", nodeProblem, Warning, time.Hour, 0},
		"no network":                  {nodeOf(60*day, ready, nodeCondition("NetworkUnavailable", "True", time.Hour, "")), "Ready", "Ready", "NetworkUnavailable", nodeProblem, Warning, time.Hour, 0},
		"bad when false":              {nodeOf(60*day, ready, nodeCondition("StorageReady", "False", time.Hour, "")), "Ready", "Ready", "StorageReady False", nodeProblem, Warning, time.Hour, 0},
		"joining":                     {nodeOf(125*time.Second, nodeCondition("Ready", "False", 125*time.Second, noCNI)), "NotReady", "NotReady", "CNI down", nodeJoining, Warning, 125 * time.Second, 475 * time.Second},
		"never joined":                {nodeOf(10*time.Minute, nodeCondition("Ready", "False", 10*time.Minute, noCNI)), "NotReady", "NotReady", "CNI down", nodeNotReady, Bad, 10 * time.Minute, 0},
		"not ready":                   {nodeOf(60*day, nodeCondition("Ready", "False", 5*time.Minute, "[container runtime is down, PLEG is not healthy: pleg was last seen active 5m ago]")), "NotReady", "NotReady", "runtime down", nodeNotReady, Bad, 5 * time.Minute, 0},
		"no words for it":             {nodeOf(60*day, nodeCondition("Ready", "False", 5*time.Minute, "flux inverted")), "NotReady", "NotReady", "NotReady", nodeNotReady, Bad, 5 * time.Minute, 0},
		"silent":                      {nodeOf(60*day, nodeCondition("Ready", "Unknown", 4*time.Minute, ""), nodeCondition("DiskPressure", "Unknown", 4*time.Minute, "")), "NotReady", "NotReady(Unknown)", "all Unknown", nodeSilent, Bad, 4 * time.Minute, 0},
		"silent, and something known": {nodeOf(60*day, nodeCondition("Ready", "Unknown", 4*time.Minute, ""), nodeCondition("DiskPressure", "Unknown", 4*time.Minute, ""), nodeCondition("KernelDeadlock", "True", time.Hour, "")), "NotReady", "NotReady(Unknown)", "all Unknown +1", nodeSilent, Bad, 4 * time.Minute, 0},
		"only Ready unknown":          {nodeOf(60*day, nodeCondition("Ready", "Unknown", 4*time.Minute, ""), nodeCondition("DiskPressure", "False", day, "")), "NotReady", "NotReady(Unknown)", "Ready Unknown", nodeSilent, Bad, 4 * time.Minute, 0},
		"no status yet":               {nodeOf(time.Minute), "Unknown", "NotReady(no status yet)", "no status yet", nodeJoining, Warning, time.Minute, 9 * time.Minute},
		"no status for a day":         {nodeOf(day), "Unknown", "NotReady(no status yet)", "no status yet", nodeNotReady, Bad, day, 0},
	}
	for name, test := range tests {
		t.Run(name, func(t *testing.T) {
			n, m := NewNode(test.node), Moment{Now: noon}
			rank, until := n.Badness(m)
			want := time.Time{}
			if test.until != 0 {
				want = noon.Add(test.until)
			}
			if rank != test.rank || !until.Equal(want) {
				t.Errorf("got rank %d until %v, want %d until %v", rank, until, test.rank, want)
			}
			equal(t, n.Severity(m), test.severity)
			equal(t, n.Status, test.status)
			equal(t, n.StatusText(), test.text)
			equal(t, n.ConditionsText(), test.conditions)
			equal(t, noon.Sub(n.For()), test.state)
		})
	}
}

func TestRolesAreThoseOfKubectl(t *testing.T) {
	for _, test := range []struct {
		labels map[string]string
		roles  string
	}{
		{nil, "<none>"},
		{map[string]string{"node-role.kubernetes.io/master": ""}, "master"},
		{map[string]string{"node-role.kubernetes.io/worker": "true", "node-role.kubernetes.io/control-plane": ""}, "control-plane,worker"},
		{map[string]string{"kubernetes.io/role": "node"}, "node"},
		{map[string]string{"kubernetes.io/role": ""}, "<none>"},
		{map[string]string{"kubernetes.io/role": "master", "node-role.kubernetes.io/master": ""}, "master"},
		{map[string]string{"node-role.kubernetes.io/": "x", "kubernetes.io/hostname": "h"}, "<none>"},
	} {
		node := nodeOf(time.Hour)
		node.Labels = test.labels
		equal(t, NewNode(node).Roles, test.roles)
	}
}

func TestConditionTypesByWhatTheirTrueMeans(t *testing.T) {
	for kind, problemWhenTrue := range map[corev1.NodeConditionType]bool{
		"MemoryPressure": true, "NetworkUnavailable": true, "KernelDeadlock": true, "ReadonlyFilesystem": true,
		"DiskUnhealthy": true, "StorageNotReady": true, "VMEventScheduled": true,
		"KernelReady": false, "KubeletHealthy": false, "GPUAvailable": false, "SelfTestSucceeded": false, "RaidOK": false,
		"EtcdIsVoter": false, "MaintenanceInProgress": false, "Drained": false,
	} {
		c := nodeCondition(kind, "True", 0, "")
		if isProblem(&c) != problemWhenTrue {
			t.Errorf("%s=True: got problem %v", kind, !problemWhenTrue)
		}
		c.Status = "Unknown"
		if isProblem(&c) == lifecycle[kind] {
			t.Errorf("%s=Unknown: got problem %v", kind, lifecycle[kind])
		}
	}
}

func TestNodesAreExplained(t *testing.T) {
	ready := nodeCondition("Ready", "True", 212*24*time.Hour, "")
	m := Moment{
		Now:   noon,
		Loads: map[string]Load{"gpu-03": {Pods: 13, CPURequests: 1000, MemRequests: 5 << 30}},
		Usage: &Usage{NodesAt: noon.Add(-20 * time.Second), Nodes: map[string]Use{"gpu-03": {CPU: 720, Memory: 6 << 30}}},
	}
	unready := nodeOf(60*24*time.Hour, nodeCondition("Ready", "False", 125*time.Second, noCNI))
	added := before(125 * time.Second)
	unready.Spec.Taints = []corev1.Taint{{Key: corev1.TaintNodeNotReady, Effect: "NoExecute", TimeAdded: &added}}
	evicted := unready.DeepCopy()
	long := before(10 * time.Minute)
	evicted.Spec.Taints[0].TimeAdded = &long
	pressed := nodeOf(60*24*time.Hour, nodeCondition("DiskPressure", "True", 23*time.Minute, "kubelet has disk pressure"),
		nodeCondition("StorageReady", "False", time.Hour, ""), ready)
	pressed.Spec.Unschedulable = true
	room, use := "13 of 110 pods, cpu 12% and memory 15% requested", "uses 9% of its cpu and 18% of its memory (sample 20s ago)"
	unrecorded := cordonedNode(0)
	unrecorded.Spec.Taints = nil

	for name, test := range map[string]struct {
		node *corev1.Node
		want []string
	}{
		"well":                        {nodeOf(60*24*time.Hour, ready), []string{"Ready for 212d; " + room, use}},
		"cordoned":                    {cordonedNode(18 * time.Hour), []string{"cordoned 18h ago: no new pods; " + room, use}},
		"cordoned, nobody noted when": {unrecorded, []string{"cordoned, since when is not recorded: no new pods; " + room, use}},
		"not ready": {unready, []string{
			"NotReady for 2m5s: " + noCNI, "13 pods; those with the default toleration are evicted in at most 2:55",
		}},
		"not ready for long": {evicted, []string{
			"NotReady for 2m5s: " + noCNI, "13 pods; those with the default toleration have been evicted since 11:55:00 or earlier",
		}},
		"pressure": {pressed, []string{
			"DiskPressure for 23m: kubelet has disk pressure; also StorageReady False; cordoned", room,
		}},
		"no status": {nodeOf(30 * time.Second), []string{
			"no status yet: its kubelet has registered it 30s ago and not reported since", room,
		}},
	} {
		t.Run(name, func(t *testing.T) {
			equal(t, strings.Join(NewNode(test.node).Diagnosis(m), "\n"), strings.Join(test.want, "\n"))
		})
	}
}

func TestUnknownLoadAndUseAreNotNought(t *testing.T) {
	d := NewNode(nodeOf(time.Hour, nodeCondition("Ready", "True", time.Hour, ""))).Diagnosis(Moment{Now: noon})
	equal(t, strings.Join(d, "\n"), "Ready for 60m; its pods are not known\nno sample of its use")
	empty := nodeOf(time.Hour, nodeCondition("Ready", "True", time.Hour, ""))
	empty.Status.Allocatable = nil
	d = NewNode(empty).Diagnosis(Moment{Now: noon, Loads: map[string]Load{"gpu-03": {Pods: 1, CPURequests: 100}}})
	equal(t, d[0], "Ready for 60m; 1 of 0 pods, cpu - and memory - requested")
}
