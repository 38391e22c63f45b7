package deadnode_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	storagev1 "k8s.io/api/storage/v1"

	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/deadnode"
	"ktriage/kube/kubetest"
	"ktriage/kube/send"
)

// shop puts a dead node with a pod of every kind on it, and one that is well.
func (b *bench) shop() {
	b.dead("worker-07", taint("node.kubernetes.io/unreachable", "", corev1.TaintEffectNoExecute))
	b.node("worker-08", corev1.ConditionTrue, time.Second)
	b.claim("shop/data-cart-2", corev1.ReadWriteOnce)
	b.claim("shop/shared", corev1.ReadWriteMany)
	b.pod("worker-07", "shop/web-1", "ReplicaSet web", claims("shared"))
	b.pod("worker-07", "shop/cart-2", "StatefulSet cart", claims("data-cart-2"),
		tolerates("node.kubernetes.io/unreachable", new(int64(300))))
	b.pod("worker-07", "shop/alone", "", emptyDir("tmp"))
	b.pod("worker-07", "shop/cache-1", "ReplicaSet cache", emptyDir("scratch"))
	b.pod("worker-07", "shop/stoic", "ReplicaSet stoic", tolerates("", nil))
	b.pod("worker-07", "shop/slow", "ReplicaSet slow", tolerates("node.kubernetes.io/unreachable", nil),
		tolerates("node.kubernetes.io/out-of-service", new(int64(90))))
	b.pod("worker-07", "shop/done", "Job done", func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
	b.pod("worker-07", "kube-system/proxy", "DaemonSet proxy", tolerates("", nil))
	b.pod("worker-07", "kube-system/etcd-x", "Node worker-07", tolerates("", nil), func(p *corev1.Pod) {
		p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
	})
	b.pod("worker-07", "shop/leaving", "ReplicaSet stoic", tolerates("", nil), func(p *corev1.Pod) {
		now := metav1.Now()
		p.DeletionTimestamp = &now
	})
	pv := "pvc-1"
	b.Put(&storagev1.VolumeAttachment{ObjectMeta: metav1.ObjectMeta{Name: "csi-1", UID: "va"}, Spec: storagev1.VolumeAttachmentSpec{
		NodeName: "worker-07", Source: storagev1.VolumeAttachmentSource{PersistentVolumeName: &pv},
	}})
}

func TestDeletionNamesEveryPodWorstFirst(t *testing.T) {
	onBench(t, func(b *bench) {
		b.shop()
		p := b.plan(action.DeleteNode, off, "worker-07")
		want := `worker-07 is deleted; its 10 pods go a minute later. 1 of them runs twice if the machine still runs. 2 of them lose their emptyDir data.
node: NotReady(Unknown) for 60m; last heartbeat 61m ago
lease: last lease 61m ago (22:59:00 UTC)
taints: node.kubernetes.io/unreachable:NoExecute
pods: 10 go: 6 that are made again elsewhere, 1 that nobody makes again, 1 of a DaemonSet, 1 static, 1 that had ended
after: 1 of the 1 node left ready and schedulable (now 1 of 2 nodes)
then: the garbage collector of pods waits 40 s, and comes every 20 s
undo: none: a kubelet that lives registers its node again when it is restarted
-- two writers if the machine still runs (nobody asks its kubelet)
shop/cart-2 | data-cart-2 0 RWO
-- gone for good (nobody makes them again)
shop/alone | no owner; emptyDir tmp
-- emptyDir data is lost (made again elsewhere, without it)
shop/cache-1 | scratch
-- made again elsewhere: 4 ()
shop/leaving | ReplicaSet stoic
shop/slow | ReplicaSet slow
shop/stoic | ReplicaSet stoic
shop/web-1 | ReplicaSet web
-- pods of DaemonSets (not made again before the node is back)
kube-system/proxy | DaemonSet proxy
-- static pods (the API does not stop them)
kube-system/etcd-x | runs for as long as the machine does
-- records of what has ended ()
shop/done | Succeeded
-- 1 volume attached (may take 6 min to be detached)
pvc-1
`
		if got := text(p); got != want {
			t.Errorf("the sheet:\n%s\nwant:\n%s", got, want)
		}
		if p.Tier != action.Write || p.Word != "worker-07" || p.Gate != "delete node worker-07" ||
			p.Foot != "10 pods go; 1 could run twice" {
			t.Errorf("tier %d, word %q, gate %q, foot %q", p.Tier, p.Word, p.Gate, p.Foot)
		}
		if len(p.Instead) != 1 || p.Instead[0].Action != action.OutOfService || p.Instead[0].Target.Refs[0].Name != "worker-07" {
			t.Errorf("instead: %+v", p.Instead)
		}
		if want := "kubectl --context prod delete node worker-07"; p.Kubectl[0] != want {
			t.Errorf("kubectl: %q", p.Kubectl)
		}
	})
}

func TestTaintTellsThePodsThatGoFromThoseThatTolerateIt(t *testing.T) {
	onBench(t, func(b *bench) {
		b.shop()
		p := b.plan(action.OutOfService, off, "worker-07")
		got := text(p)
		for _, want := range []string{
			"worker-07 is declared off; its 7 pods go. 1 of them runs twice if the machine still runs. " +
				"2 of them lose their emptyDir data. 3 pods tolerate it and stay.",
			"shop/slow | ReplicaSet slow; tolerates the taint for 1m30s", "shop/leaving | ReplicaSet stoic",
			"-- 3 pods stay (they tolerate the taint)\nshop/stoic, kube-system/proxy, kube-system/etcd-x\n",
			"-- 1 volume attached (detached at once)",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the sheet does not say %q:\n%s", want, got)
			}
		}
		if p.Tier != action.Write || len(p.Refusals) > 0 {
			t.Errorf("tier %d, refused with %q", p.Tier, p.Refusals)
		}
	})
}

func TestPlanIsRefusedUntilItIsSaidThatTheMachineIsOff(t *testing.T) {
	for _, id := range []action.ID{action.DeleteNode, action.OutOfService} {
		onBench(t, func(b *bench) {
			b.shop()
			p := b.plan(id, nil, "worker-07")
			if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "look, and then say so below") || len(p.Toggles) != 1 {
				t.Errorf("%s: refused with %q, toggles %+v", id, p.Refusals, p.Toggles)
			}
		})
	}
}

func TestNodeWhoseKubeletLivesIsRefused(t *testing.T) {
	minute := time.Minute
	for _, c := range []struct {
		name         string
		ready        corev1.ConditionStatus
		lease        time.Duration
		delete, mark string // what the refusals say, "" for none
	}{
		{"ready", corev1.ConditionTrue, time.Second, "w is Ready", "w is Ready"},
		{"ready with an old lease", corev1.ConditionTrue, minute, "w is Ready", "w is Ready"},
		{"says that it is not", corev1.ConditionFalse, 3 * time.Second, "has renewed its lease 3s ago", "has renewed its lease 3s ago"},
		{"said so before it fell silent", corev1.ConditionFalse, minute, "", ""},
		{"silent", corev1.ConditionUnknown, 61 * minute, "", ""},
		{"silent, but heard of since", corev1.ConditionUnknown, 59 * minute, "has renewed its lease", "has renewed its lease"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.node("w", c.ready, c.lease)
				for id, want := range map[action.ID]string{action.DeleteNode: c.delete, action.OutOfService: c.mark} {
					got := strings.Join(b.plan(id, off, "w").Refusals, "; ")
					if (got == "") != (want == "") || !strings.Contains(got, want) {
						b.t.Errorf("%s is refused with %q, want %q", id, got, want)
					}
				}
				p := b.plan(action.DeleteNode, action.Options{deadnode.OptionAlive: action.On, deadnode.OptionOff: action.On}, "w")
				if len(p.Refusals) > 0 {
					b.t.Errorf("with all boxes it is refused with %q", p.Refusals)
				}
			})
		})
	}
}

func TestInServiceIsAskedForANodeThatIsWellAndReadForOneThatIsNot(t *testing.T) {
	out := taint(corev1.TaintNodeOutOfService, "nodeshutdown", corev1.TaintEffectNoExecute)
	onBench(t, func(b *bench) {
		b.node("well", corev1.ConditionTrue, time.Second, out)
		b.dead("dead", out)
		if p := b.plan(action.InService, nil, "well"); p.Tier != action.Ask || len(p.Refusals) > 0 {
			t.Errorf("well: tier %d, refused with %q", p.Tier, p.Refusals)
		}
		if p := b.plan(action.InService, nil, "well", "dead"); p.Tier != action.Read ||
			!strings.Contains(text(p), ": if the machine is still off, its volumes hang on it again") || p.Word != "2 nodes" {
			t.Errorf("dead: tier %d\n%s", p.Tier, text(p))
		}
	})
}

func TestInServiceSaysWhatStillKeepsPodsAway(t *testing.T) {
	out := taint(corev1.TaintNodeOutOfService, "nodeshutdown", corev1.TaintEffectNoExecute)
	onBench(t, func(b *bench) {
		b.node("well", corev1.ConditionTrue, time.Second, out, taint("soft", "", corev1.TaintEffectPreferNoSchedule))
		b.node("cordoned", corev1.ConditionTrue, time.Second, out, taint("node.kubernetes.io/unschedulable", "",
			corev1.TaintEffectNoSchedule),
			func(n *corev1.Node) { n.Spec.Unschedulable = true })
		b.dead("dead", out, taint("node.kubernetes.io/unreachable", "", corev1.TaintEffectNoSchedule),
			taint("node.kubernetes.io/unreachable", "", corev1.TaintEffectNoExecute))
		b.dead("fresh", out)
		for _, c := range []struct {
			nodes    []string
			headline string
			but      string // the lines of it
		}{
			{[]string{"well"}, "is taken from well. New pods may go there again.", ""},
			{[]string{"cordoned"}, "New pods do not go there yet.", "cordoned still keeps pods away by its cordon; uncordon it too"},
			{[]string{"dead"}, "New pods do not go there yet.", "dead still keeps pods away by " +
				"node.kubernetes.io/unreachable:NoSchedule, node.kubernetes.io/unreachable:NoExecute"},
			{[]string{"fresh"}, "New pods do not go there yet.", "fresh still keeps pods away by not being Ready"},
			{[]string{"well", "fresh"}, "New pods may go to 1 of the 2 nodes again.", "fresh still keeps pods away by not being Ready"},
			{[]string{"dead", "fresh"}, "New pods go to none of them yet.", "dead still"},
		} {
			p := b.plan(action.InService, nil, c.nodes...)
			but := ""
			for _, f := range p.Facts {
				if f.Name == "but" {
					but += f.Text + "|"
				}
			}
			if !strings.HasSuffix(p.Headline, c.headline) || !strings.HasPrefix(but, c.but) || c.but == "" && but != "" {
				t.Errorf("%v: %s\n%s", c.nodes, p.Headline, but)
			}
		}
	})
}

// What the headline says of data agrees with the sections below it.
func TestHeadlineSaysWhatPodsLose(t *testing.T) {
	for _, c := range []struct {
		name string
		put  func(b *bench)
		want string
	}{
		{"no pod", func(*bench) {}, "w is deleted; no pod goes."},
		{"nothing to lose", func(b *bench) { b.pod("w", "shop/web-1", "ReplicaSet web") },
			"w is deleted; its pod goes a minute later. None of them has an emptyDir, or a volume with one writer."},
		{"emptyDir", func(b *bench) {
			b.pod("w", "shop/a", "ReplicaSet a", emptyDir("tmp"))
			b.pod("w", "shop/b", "ReplicaSet b", emptyDir("tmp"))
			b.pod("w", "shop/d", "DaemonSet d", emptyDir("run"))
		}, "w is deleted; its 3 pods go a minute later. 3 of them lose their emptyDir data."},
		{"static and ended ones", func(b *bench) {
			b.pod("w", "shop/done", "Job done", emptyDir("tmp"), func(p *corev1.Pod) { p.Status.Phase = corev1.PodSucceeded })
		}, "w is deleted; its pod goes a minute later. None of them has an emptyDir, or a volume with one writer."},
		{"claims that may not be read", func(b *bench) {
			b.pod("w", "shop/web-1", "ReplicaSet web", claims("data"))
			b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"},
				"/persistentvolumeclaims"))
		}, "w is deleted; its pod goes a minute later. Whether they have data of their own is not known for all."},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.dead("w")
				c.put(b)
				if p := b.plan(action.DeleteNode, off, "w"); p.Headline != c.want {
					b.t.Errorf("the headline is %q, want %q", p.Headline, c.want)
				}
			})
		})
	}
}

func TestNodesThatAreLeftAreCountedWithoutThoseThatAreDeleted(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.dead("x")
		for i := range 28 {
			b.node(fmt.Sprintf("n-%d", i), corev1.ConditionTrue, time.Second)
		}
		for id, want := range map[action.ID]string{
			action.DeleteNode:   "after: 28 of the 29 nodes left ready and schedulable (now 28 of 30 nodes)",
			action.OutOfService: "after: 28 of 30 nodes ready and schedulable (now 28)",
		} {
			if got := text(b.plan(id, off, "w")); !strings.Contains(got, want) {
				t.Errorf("%s does not say %q:\n%s", id, want, got)
			}
		}
	})
}

func TestThereIsNothingToDoWhereTheTaintIsAsItIsToBe(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("in")
		b.dead("out", taint(corev1.TaintNodeOutOfService, "", corev1.TaintEffectNoSchedule))
		for id, name := range map[action.ID]string{action.InService: "in", action.OutOfService: "out"} {
			if p := b.plan(id, off, name); p.Work != nil || len(p.Refusals) != 1 || p.Refusals[0] != "there is nothing to do" {
				t.Errorf("%s: refused with %q", id, p.Refusals)
			}
		}
	})
}

func TestLastNodeAndControlPlaneAreSaid(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("cp-1", controlPlane, func(n *corev1.Node) { n.Finalizers = []string{"example.com/cloud"} })
		b.pod("cp-1", "kube-system/etcd-cp-1", "Node cp-1", func(p *corev1.Pod) {
			p.Annotations = map[string]string{corev1.MirrorPodAnnotationKey: "x"}
		})
		got := text(b.plan(action.DeleteNode, off, "cp-1"))
		for _, want := range []string{
			"after: no node is left", "cp-1 is a node of the control plane", "etcd-cp-1 stays a member of etcd",
			"holds: finalizers keep the Node object until somebody takes them away: example.com/cloud",
		} {
			if !strings.Contains(got, want) {
				t.Errorf("the sheet does not say %q:\n%s", want, got)
			}
		}
	})
}

func TestWhatMayNotBeReadIsNamedAndThePlanGoesOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.shop()
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}, "/volumeattachments",
			"/persistentvolumeclaims"))
		p := b.plan(action.DeleteNode, off, "worker-07")
		if got := text(p); !strings.Contains(got, "-- not known") || !strings.Contains(got, "volume attachments: ") ||
			!strings.Contains(got, "the claims of shop: ") {
			t.Errorf("%s", got)
		}
		if len(p.Refusals) > 0 {
			t.Errorf("refused with %q", p.Refusals)
		}
	})
}

func TestThereIsNoPlanForANodeThatIsNotTheOneThatWasMeant(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w", func(n *corev1.Node) { n.UID = "another" })
		_, err := deadnode.NewDelete().Plan(b.t.Context(), b.cluster, target("w"), off)
		if !errors.Is(err, send.ErrReplaced) || !strings.HasSuffix(err.Error(), "nothing was done") {
			t.Errorf("replaced: %v", err)
		}
		_, err = deadnode.NewTaint(true).Plan(b.t.Context(), b.cluster, target("gone"), off)
		if err == nil || err.Error() != "node gone does not exist any more; nothing was done" {
			t.Errorf("gone: %v", err)
		}
		if said := kube.Explain(err).Sentence; !strings.HasPrefix(said, "Node gone ") {
			t.Errorf("the name is not written as it is: %q", said)
		}
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}, "/pods"))
		b.dead("x")
		if _, err = deadnode.NewDelete().Plan(b.t.Context(), b.cluster, target("x"), off); err == nil ||
			!strings.Contains(err.Error(), "list the pods of x") {
			t.Errorf("pods forbidden: %v", err)
		}
	})
}

func TestSheetOfHundredsOfPodsStaysReadable(t *testing.T) {
	onBench(t, func(b *bench) {
		b.dead("w")
		b.dead("x\x1b[31m")
		for i := range 300 {
			b.pod("w", fmt.Sprintf("shop/web-%03d", i), "ReplicaSet web\x1b[2J")
		}
		p := b.plan(action.DeleteNode, off, "w", "x\x1b[31m")
		got := text(p)
		if strings.Count(got, "\n") > 30 || !strings.Contains(got, "made again elsewhere: 300") || !strings.Contains(got, "and 288 more") {
			t.Errorf("%s", got)
		}
		if strings.ContainsRune(got, 0x1b) {
			t.Errorf("an escape sequence of the cluster is on the sheet: %q", got)
		}
		if p.Word != "2 nodes" || !strings.HasPrefix(p.Headline, "w and 1 more are deleted; their 300 pods go") {
			t.Errorf("word %q: %s", p.Word, p.Headline)
		}
	})
}
