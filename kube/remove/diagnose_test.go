package remove

import (
	"strings"
	"testing"
	"testing/synctest"
	"time"

	corev1 "k8s.io/api/core/v1"
	storagev1 "k8s.io/api/storage/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	coordinationv1 "k8s.io/api/coordination/v1"
)

func nodeOf(ready corev1.ConditionStatus, change ...func(*corev1.Node)) *corev1.Node {
	n := &corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "n1"}}
	n.Status.Conditions = []corev1.NodeCondition{{
		Type: corev1.NodeReady, Status: ready, Message: "container runtime is down", LastTransitionTime: metav1.NewTime(time.Now().Add(-19 * time.Minute)),
	}}
	for _, c := range change {
		c(n)
	}
	return n
}

func ended(p *corev1.Pod) {
	p.Status.ContainerStatuses = []corev1.ContainerStatus{{Name: "app", State: corev1.ContainerState{Terminated: &corev1.ContainerStateTerminated{}}}}
}

func TestDiagnosisOfTerminating(t *testing.T) { synctest.Test(t, diagnoses) }

func diagnoses(t *testing.T) {
	now := time.Now()
	leased := metav1.NewMicroTime(time.Date(2026, 3, 4, 17, 13, 9, 0, time.Local))
	volume := "pv-1"
	attached := storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "csi-1"}, Status: storagev1.VolumeAttachmentStatus{Attached: true}}
	attached.Spec.NodeName, attached.Spec.Source.PersistentVolumeName = "n1", &volume
	closing := &corev1.Namespace{ObjectMeta: metav1.ObjectMeta{Name: "shop", DeletionTimestamp: &metav1.Time{Time: now}}}
	closing.Status.Conditions = []corev1.NamespaceCondition{
		{Type: corev1.NamespaceContentRemaining, Status: corev1.ConditionTrue, Message: "Some resources are remaining: pods. has 2 resource instances"},
		{Type: corev1.NamespaceDeletionContentFailure, Status: corev1.ConditionFalse, Message: "All content successfully deleted"},
	}
	late := deleted(5*time.Minute, 30)
	for name, c := range map[string]struct {
		pod   []func(*corev1.Pod)
		e     Evidence
		cause Cause
		says  string
		next  string
		also  string
	}{
		"alone":            {nil, Evidence{}, None, "it is not being deleted", "", ""},
		"namespace":        {nil, Evidence{Namespace: closing}, None, "its namespace shop is being deleted, and the namespace controller deletes its pods", "wait", "NamespaceContentRemaining: Some resources"},
		"within":           {[]func(*corev1.Pod){deleted(12*time.Second, 30)}, Evidence{NodeRead: true, Node: nodeOf("True")}, Grace, "its containers have 0:18 left of 30s, until", "wait", ""},
		"within, silent":   {[]func(*corev1.Pod){deleted(12*time.Second, 30)}, Evidence{NodeRead: true, Node: nodeOf("Unknown")}, Grace, "its containers have 0:18 left", "wait", "n1 is NotReady(Unknown): nobody may be there"},
		"finalizers":       {[]func(*corev1.Pod){deleted(time.Minute, 0), finalized("batch.kubernetes.io/job-tracking", "orphan")}, Evidence{}, HeldFinalizers, "only its finalizers keep it: batch.kubernetes.io/job-tracking (the Job controller) and orphan (the garbage collector)", "look at who set them", ""},
		"one finalizer":    {[]func(*corev1.Pod){deleted(time.Minute, 0), finalized("cdi.example.com/x")}, Evidence{}, HeldFinalizers, "only its finalizer keeps it: cdi.example.com/x (a controller of cdi.example.com)", "remove them", ""},
		"node gone":        {[]func(*corev1.Pod){late}, Evidence{NodeRead: true}, NodeGone, "its node n1 does not exist: pod garbage collection removes it within about 1m0s", "wait", ""},
		"node not read":    {[]func(*corev1.Pod){late}, Evidence{}, NotKnown, "its node could not be read", "look at its node", ""},
		"out of service":   {[]func(*corev1.Pod){late}, Evidence{NodeRead: true, Node: nodeOf("Unknown", offTaint)}, OutOfService, "n1 is NotReady(Unknown) and tainted out-of-service: pod garbage collection removes it within 20s", "wait", ""},
		"tainted, ready":   {[]func(*corev1.Pod){late}, Evidence{NodeRead: true, Node: nodeOf("True", offTaint)}, StillRunning, "n1 is Ready, and app still runs", "look at the kubelet's log", ""},
		"silent":           {[]func(*corev1.Pod){late}, Evidence{NodeRead: true, Node: nodeOf("Unknown"), Lease: &coordinationv1.Lease{Spec: coordinationv1.LeaseSpec{RenewTime: &leased}}}, Silent, "the kubelet of n1 is silent for 19m, last lease 17:13:09: nobody confirms", "out-of-service", ""},
		"not ready":        {[]func(*corev1.Pod){late}, Evidence{NodeRead: true, Node: nodeOf("False")}, NotReady, "n1 is NotReady for 19m: its kubelet answers, and may still end it", "look at the kubelet", "Its kubelet says: container runtime is down"},
		"still running":    {[]func(*corev1.Pod){late, finalized("a.example/b")}, Evidence{NodeRead: true, Node: nodeOf("True"), Events: []corev1.Event{{Reason: "Pulled"}, {Reason: "FailedKillPod", Count: 3, Message: "context deadline exceeded"}}}, StillRunning, "n1 is Ready, and app still runs 4m30s after the grace period", "look at the kubelet's log on n1", "FailedKillPod 3x: context deadline exceeded"},
		"attached":         {[]func(*corev1.Pod){late, ended}, Evidence{NodeRead: true, Node: nodeOf("True"), Attachments: []storagev1.VolumeAttachment{attached}, Volumes: []string{"pv-1"}}, Attached, "its containers have ended, and pv-1 (VolumeAttachment csi-1) is still attached to n1", "look at the CSI driver", ""},
		"somebody else's":  {[]func(*corev1.Pod){late, ended}, Evidence{NodeRead: true, Node: nodeOf("True"), Attachments: []storagev1.VolumeAttachment{attached}, Volumes: []string{"pv-2"}}, Unfinished, "its containers have ended, and the kubelet of n1 has not finished", "look at the kubelet's log", ""},
		"namespace closes": {[]func(*corev1.Pod){late}, Evidence{NodeRead: true, Node: nodeOf("True"), Namespace: closing}, StillRunning, "n1 is Ready", "look at", "Its namespace shop is being deleted."},
	} {
		c.e.Pod = newPod("web", "n1", c.pod...)
		d := Diagnose(c.e, now)
		if d.Cause != c.cause || !strings.HasPrefix(d.Sentence, c.says) || !strings.Contains(d.Next, c.next) || !strings.Contains(strings.Join(d.Also, "\n"), c.also) {
			t.Errorf("%s: %d: %q; %q; %q", name, d.Cause, d.Sentence, d.Next, d.Also)
		}
		waits := c.cause == None || c.cause == Grace || c.cause == NodeGone || c.cause == OutOfService
		if d.Stuck() == waits {
			t.Errorf("%s: stuck: %t", name, d.Stuck())
		}
	}
}

func TestFinalizersHaveOwners(t *testing.T) {
	for name, want := range map[string]string{
		"foregroundDeletion": "the garbage collector", "kubernetes.io/pvc-protection": "the claim protection controller",
		"external-attacher/csi.example": "the CSI attacher", "foo.example.com/bar": "a controller of foo.example.com", "odd": "not known", "odd/": "not known",
	} {
		if got := about(name); got.owner != want || got.skips == "" {
			t.Errorf("%s: %+v", name, got)
		}
	}
}
