package rollout_test

import (
	"errors"
	"fmt"
	"strings"
	"testing"
	"time"

	appsv1 "k8s.io/api/apps/v1"
	batchv1 "k8s.io/api/batch/v1"
	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
	"ktriage/kube/rollout"
	"ktriage/kube/send"
)

func rolls(surge, missing int32) func(*appsv1.Deployment) {
	return func(d *appsv1.Deployment) {
		d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: count(surge), MaxUnavailable: count(missing)}
	}
}

func withClaim(d *appsv1.Deployment) {
	d.Spec.Template.Spec.Volumes = []corev1.Volume{{Name: "v", VolumeSource: corev1.VolumeSource{
		PersistentVolumeClaim: &corev1.PersistentVolumeClaimVolumeSource{ClaimName: "data"},
	}}}
}

func TestRestartSaysInWhichOrderAndWhatServesMeanwhile(t *testing.T) {
	for _, c := range []struct {
		name  string
		put   func(b *bench)
		kind  kube.Kinds
		tier  action.Tier
		says  []string
		quiet []string
	}{
		{"defaults", func(b *bench) { b.deployment("x", 10) }, kube.Deployments, action.Read,
			[]string{"its 10 pods are replaced", "up to 3 more and up to 2 fewer than 10 pods at a time"}, []string{"outage"}},
		{"surge alone", func(b *bench) { b.deployment("x", 3, rolls(1, 0)) }, kube.Deployments, action.Read,
			[]string{"up to 1 new pod at a time, an old one ends when a new one is Ready"}, []string{"outage"}},
		{"percent", func(b *bench) {
			b.deployment("x", 3, func(d *appsv1.Deployment) {
				d.Spec.Strategy.RollingUpdate = &appsv1.RollingUpdateDeployment{MaxSurge: percent("0%"), MaxUnavailable: percent("1%")}
			})
		}, kube.Deployments, action.Read, []string{"up to 1 old pod end at a time"}, []string{"outage"}},
		{"all at once", func(b *bench) { b.deployment("x", 2, rolls(0, 2)) }, kube.Deployments, action.Read,
			[]string{"shop/x may be down: all 2 pods may be missing at once"}, nil},
		{"single without surge", func(b *bench) { b.deployment("x", 1, rolls(0, 1)) }, kube.Deployments, action.Read,
			[]string{"shop/x is down while its only pod is replaced"}, nil},
		{"single without surge, with a volume", func(b *bench) {
			b.Put(&corev1.PersistentVolumeClaim{ObjectMeta: meta("data"),
				Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}})
			b.deployment("x", 1, rolls(0, 1), withClaim)
		}, kube.Deployments, action.Write, []string{"shop/x is down while its only pod is replaced", "why this is tier 3"}, nil},
		{"surge with a volume", func(b *bench) {
			b.Put(&corev1.PersistentVolumeClaim{ObjectMeta: meta("data"),
				Spec: corev1.PersistentVolumeClaimSpec{AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce}}})
			b.deployment("x", 2, rolls(1, 0), withClaim)
		}, kube.Deployments, action.Read, []string{"waits for ever for the old one"}, []string{"outage"}},
		{"recreate", func(b *bench) {
			b.deployment("x", 2, func(d *appsv1.Deployment) { d.Spec.Strategy.Type = appsv1.RecreateDeploymentStrategyType })
		}, kube.Deployments, action.Write, []string{"all 2 pods end first", "shop/x is down from the end of its last pod"}, nil},
		{"none", func(b *bench) { b.deployment("x", 0) }, kube.Deployments, action.Read, []string{"no pod is replaced"},
			[]string{"outage"}},
		{"stateful", func(b *bench) { b.statefulSet(3) }, kube.StatefulSets, action.Read,
			[]string{"one pod at a time, the highest ordinal first"}, []string{"outage"}},
		{"stateful, partition", func(b *bench) {
			two := int32(2)
			b.statefulSet(3, func(s *appsv1.StatefulSet) {
				s.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateStatefulSetStrategy{Partition: &two}
			})
		}, kube.StatefulSets, action.Read, []string{"ordinals below 2 stay as they are (partition)"}, nil},
		{"stateful, by hand", func(b *bench) {
			b.statefulSet(3, func(s *appsv1.StatefulSet) { s.Spec.UpdateStrategy.Type = appsv1.OnDeleteStatefulSetStrategyType })
		}, kube.StatefulSets, action.Read, []string{
			"its template gets another annotation. OnDelete: nothing happens until its pods are deleted."}, []string{"outage"}},
		{"stateful, single with a volume", func(b *bench) {
			b.statefulSet(1, func(s *appsv1.StatefulSet) {
				s.Spec.VolumeClaimTemplates = []corev1.PersistentVolumeClaim{{Spec: corev1.PersistentVolumeClaimSpec{
					AccessModes: []corev1.PersistentVolumeAccessMode{corev1.ReadWriteOnce},
				}}}
			})
		}, kube.StatefulSets, action.Write, []string{"shop/x is down while its only pod is replaced"}, nil},
		{"stateful with a pod that is ill", func(b *bench) {
			b.statefulSet(2)
			b.pod("x", "x-0", false)
			b.pod("x", "x-1", true)
		}, kube.StatefulSets, action.Read, []string{"shop/x waits for x-0", "shop/x-0: CrashLoopBackOff", "1 of 2 ready"}, nil},
		{"daemons", func(b *bench) { b.daemonSet("x", 20) }, kube.DaemonSets, action.Read,
			[]string{"on up to 1 of 20 nodes at a time, the old pod first"}, nil},
		{"daemons, half", func(b *bench) {
			b.daemonSet("x", 5, func(d *appsv1.DaemonSet) {
				d.Spec.UpdateStrategy.RollingUpdate = &appsv1.RollingUpdateDaemonSet{MaxUnavailable: percent("50%")}
			})
		}, kube.DaemonSets, action.Read, []string{"on up to 3 of 5 nodes at a time"}, nil},
		{"gitops", func(b *bench) {
			b.deployment("x", 3, func(d *appsv1.Deployment) {
				d.Annotations = map[string]string{"argocd.argoproj.io/tracking-id": "storefront:apps/Deployment:shop/x"}
			})
		}, kube.Deployments, action.Read, []string{"Argo CD manages it (app storefront)"}, nil},
		{"going on", func(b *bench) {
			b.deployment("x", 3, func(d *appsv1.Deployment) { d.Status.UpdatedReplicas = 1 })
		}, kube.Deployments, action.Read, []string{"a rollout is going on: 1 of 3 updated, 3 available, 2 old; it starts anew"}, nil},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				c.put(b)
				p := b.plan(action.Restart, nil, ref(c.kind, "x"))
				got := text(p)
				for _, want := range c.says {
					if !strings.Contains(got, want) {
						b.t.Errorf("the sheet does not say %q:\n%s", want, got)
					}
				}
				for _, never := range c.quiet {
					if strings.Contains(got, never) {
						b.t.Errorf("the sheet speaks of %q:\n%s", never, got)
					}
				}
				if p.Tier != c.tier || len(p.Refusals) > 0 || p.Work == nil || p.Word != "x" {
					b.t.Errorf("tier %d, want %d; word %q, refused with %q", p.Tier, c.tier, p.Word, p.Refusals)
				}
			})
		})
	}
}

func TestWhatHasNoRolloutAndWhatIsPausedIsRefusedByName(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3, func(d *appsv1.Deployment) { d.Spec.Paused = true })
		b.deployment("well", 3)
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "well"), ref(kube.CronJobs, "nightly"), ref(kube.Deployments, "web"))
		want := []string{"shop/nightly is a CronJob: there is no restart of it; take it out",
			"shop/web is paused: nothing would be replaced; resume it first"}
		if strings.Join(p.Refusals, "|") != strings.Join(want, "|") {
			t.Errorf("refused with %q", p.Refusals)
		}
		p = b.plan(action.Pause, nil, ref(kube.DaemonSets, "agent"))
		if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "agent is a DaemonSet: there is no pause of it") || p.Work != nil {
			t.Errorf("refused with %q", p.Refusals)
		}
	})
}

func TestThereIsNoPlanForAnObjectThatIsNotTheOneThatWasMeant(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3, func(d *appsv1.Deployment) { d.UID = "another" })
		for id, k := range kinds {
			if _, err := k.Plan(b.t.Context(), b.cluster, target(ref(kube.Deployments, "web")), nil); !errors.Is(err, send.ErrReplaced) {
				t.Errorf("%s: replaced: %v", id, err)
			}
			_, err := k.Plan(b.t.Context(), b.cluster, target(ref(kube.Deployments, "gone")), nil)
			if err == nil || err.Error() != "Deployment shop/gone does not exist any more; nothing was done" {
				t.Errorf("%s: gone: %v", id, err)
			}
			if said := kube.Explain(err).Sentence; !strings.HasPrefix(said, "Deployment shop/gone ") {
				t.Errorf("%s: the name is not written as it is: %q", id, said)
			}
		}
	})
}

func TestPodsThatMayNotBeReadAreNamedAndThePlanGoesOn(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 3)
		b.Fail(kubetest.Answer(metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "no"}, "/pods"))
		p := b.plan(action.Restart, nil, ref(kube.Deployments, "web"))
		if !strings.Contains(text(p), "-- not known ()\nthe pods of shop/web: ") || len(p.Refusals) > 0 {
			t.Errorf("refused with %q:\n%s", p.Refusals, text(p))
		}
	})
}

func TestRollBackOffersTheRevisionsAndSaysWhatChangesWithoutValues(t *testing.T) {
	onBench(t, func(b *bench) {
		now := template("web", "web:3")
		now.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "PASSWORD", Value: "open sesame"}, {Name: "SAME", Value: "1"},
			{Name: "CHANGED", Value: "2"}}
		now.Spec.Containers[0].Command = []string{"serve"}
		d := b.deployment("web", 3, func(d *appsv1.Deployment) { d.Spec.Template = now })
		first, second := template("web", "web:1"), template("web", "web:2")
		second.Spec.Containers[0].Env = []corev1.EnvVar{{Name: "SAME", Value: "1"}, {Name: "CHANGED", Value: "1"},
			{Name: "TOKEN", Value: "abracadabra"}}
		second.Spec.Containers[0].Resources.Requests = corev1.ResourceList{corev1.ResourceCPU: resource.MustParse("2")}
		second.Spec.HostNetwork = true
		second.Spec.Containers = append(second.Spec.Containers, corev1.Container{Name: "proxy", Image: "proxy:1"})
		b.replicaSet(d, 1, first, "")
		b.replicaSet(d, 2, second, "kubectl set image\x1b[31m web")
		b.replicaSet(d, 7, now, "")
		foreign := d.DeepCopy()
		foreign.UID = "another"
		b.replicaSet(foreign, 6, first, "")
		p := b.plan(action.RollBack, nil, ref(kube.Deployments, "web"))
		want := `shop/web goes back to revision 2: its 3 pods are replaced.
order: up to 1 new pod at a time, an old one ends when a new one is Ready
now: 0 of 3 ready
but: disruption budgets do not limit a rollout
undo: roll back again: the present revision is kept
-- shop/web: what changes (now -> then) (revision 7 -> 2)
app: image web:3 -> web:2
+ container proxy, image proxy:1
app: environment ~CHANGED, +TOKEN, -PASSWORD (values are not shown)
app: resources 0/0, limits 0/0 -> 2/0, limits 0/0
app: other command
pod: other hostNetwork
`
		if got := text(p); got != want {
			t.Errorf("the sheet:\n%s\nwant:\n%s", got, want)
		}
		choices := p.Toggles[0]
		if strings.Join(choices.Values, " ") != "2 1" || choices.Value != "2" || choices.Choices[0].Words != "revision 2, made 3h ago" ||
			strings.Join(choices.Choices[0].Lines, "|") != "web:2, proxy:1|change-cause: kubectl set image web" {
			t.Errorf("choices: %+v", choices)
		}
		p = b.plan(action.RollBack, action.Options{rollout.OptionRevision: "1"}, ref(kube.Deployments, "web"))
		if !strings.Contains(p.Headline, "revision 1") ||
			p.Kubectl[0] != "kubectl --context prod -n shop rollout undo deployment/web --to-revision=1" {
			t.Errorf("%s %q", p.Headline, p.Kubectl)
		}
		p = b.plan(action.RollBack, action.Options{rollout.OptionRevision: "7"}, ref(kube.Deployments, "web"))
		if len(p.Refusals) != 1 || !strings.Contains(p.Refusals[0], "has no other revision 7") {
			t.Errorf("the present revision is refused with %q", p.Refusals)
		}
	})
}

func TestSheetOfWhatIsAsItIsToBeSaysHowItIs(t *testing.T) {
	onBench(t, func(b *bench) {
		b.deployment("web", 1)
		b.deployment("held", 1, func(d *appsv1.Deployment) { d.Spec.Paused = true })
		b.cronJob("backup")
		b.cronJob("off", func(c *batchv1.CronJob) { c.Spec.Suspend = new(true) })
		web, backup := ref(kube.Deployments, "web"), ref(kube.CronJobs, "backup")
		for _, c := range []struct {
			id   action.ID
			refs []kube.Ref
			want string
		}{
			{action.Resume, []kube.Ref{web}, "shop/web is not paused."},
			{action.Resume, []kube.Ref{backup}, "shop/backup is not suspended."},
			{action.Resume, []kube.Ref{web, backup}, "shop/web and 1 more are not paused or suspended."},
			{action.Pause, []kube.Ref{ref(kube.Deployments, "held")}, "shop/held is paused already."},
			{action.Pause, []kube.Ref{ref(kube.CronJobs, "off")}, "shop/off is suspended already."},
		} {
			if p := b.plan(c.id, nil, c.refs...); p.Headline != c.want || len(p.Refusals) != 1 || p.Work != nil {
				t.Errorf("%s: %q, refused with %q; want %q", c.id, p.Headline, p.Refusals, c.want)
			}
		}
	})
}

func TestSheetOfWhatIsPausedOffersToResumeItAndPromisesNoPods(t *testing.T) {
	onBench(t, func(b *bench) {
		held := func(d *appsv1.Deployment) { d.Spec.Paused = true }
		d := b.deployment("held", 3, held)
		b.replicaSet(d, 1, template("held", "held:1"), "")
		b.deployment("well", 3)
		for _, id := range []action.ID{action.Restart, action.RollBack} {
			p := b.plan(id, nil, ref(kube.Deployments, "held"))
			if p.Headline != "shop/held is paused: no pod is replaced before it is resumed." {
				t.Errorf("%s: %s", id, p.Headline)
			}
			p = b.plan(id, nil, ref(kube.Deployments, "well"), ref(kube.Deployments, "held"))
			if len(p.Instead) != 1 || p.Instead[0].Action != action.Resume || len(p.Instead[0].Target.Refs) != 1 ||
				p.Instead[0].Target.Refs[0].Name != "held" {
				t.Errorf("%s offers %+v", id, p.Instead)
			}
		}
		if p := b.plan(action.Restart, nil, ref(kube.Deployments, "well")); len(p.Instead) > 0 {
			t.Errorf("what is not paused is offered %+v", p.Instead)
		}
	})
}

func TestRollBackIsRefusedWithoutAHistoryAndWhilePaused(t *testing.T) {
	onBench(t, func(b *bench) {
		d := b.deployment("new", 1)
		b.replicaSet(d, 1, d.Spec.Template, "")
		p := b.plan(action.RollBack, nil, ref(kube.Deployments, "new"))
		if len(p.Refusals) != 1 || p.Refusals[0] != "shop/new has no earlier revision: nothing to roll back to" {
			t.Errorf("refused with %q", p.Refusals)
		}
		if got := text(p); strings.Contains(got, "replaced") ||
			p.Headline != "shop/new stays as it is: there is no such revision to go back to." {
			t.Errorf("the sheet says:\n%s", got)
		}
		d = b.deployment("held", 1, func(d *appsv1.Deployment) { d.Spec.Paused = true })
		b.replicaSet(d, 1, template("held", "held:1"), "")
		if p = b.plan(action.RollBack, nil, ref(kube.Deployments, "held")); len(p.Refusals) != 1 ||
			!strings.Contains(p.Refusals[0], "is paused") {
			t.Errorf("refused with %q", p.Refusals)
		}
	})
}

// suspendedBy is what the server notes of who has suspended a CronJob, and when.
func suspendedBy(fields string, ago time.Duration) func(*batchv1.CronJob) {
	return func(c *batchv1.CronJob) {
		at := metav1.NewTime(time.Now().Add(-ago))
		c.ManagedFields = []metav1.ManagedFieldsEntry{
			{Manager: "status", Subresource: "status", Time: &at, FieldsV1: metav1.NewFieldsV1(fields)},
			{Manager: "ktriage", Operation: metav1.ManagedFieldsOperationUpdate, Time: &at, FieldsV1: metav1.NewFieldsV1(fields)},
		}
	}
}

func TestResumeOfACronJobSaysWhatBecomesOfMissedRuns(t *testing.T) {
	held, limit := true, int64(200)
	for _, c := range []struct {
		name   string
		change func(*batchv1.CronJob)
		says   string
	}{
		{"no deadline", func(c *batchv1.CronJob) {
			c.Status.LastScheduleTime = &metav1.Time{Time: time.Now().Add(-2 * time.Hour)}
		},
			"note: schedule 0 3 * * *; last run 120m ago\nnote: if a run was missed since it was suspended, the newest one starts at once"},
		{"suspended at a known time", suspendedBy(`{"f:spec":{"f:suspend":{}}}`, 0),
			"if a run was missed since it was suspended (00:00:00), the newest one starts at once"},
		{"suspended on another day", suspendedBy(`{"f:spec":{"f:suspend":{}}}`, 24*time.Hour),
			"suspended (1999-12-31 00:00:00), the newest"},
		{"by whom other fields have moved the time", suspendedBy(`{"f:spec":{"f:suspend":{},"f:schedule":{}}}`, time.Minute),
			"suspended, the newest"},
		{"deadline", func(c *batchv1.CronJob) { c.Spec.StartingDeadlineSeconds = &limit },
			"if a run was missed since it was suspended and in the last 200 s, the newest one starts at once; older ones are lost"},
		{"forbid", func(c *batchv1.CronJob) {
			c.Spec.ConcurrencyPolicy, c.Status.Active = batchv1.ForbidConcurrent, []corev1.ObjectReference{{Name: "backup-1"}}
		}, "1 Job runs: no other starts before the end (Forbid)"},
		{"replace", func(c *batchv1.CronJob) {
			c.Spec.ConcurrencyPolicy, c.Status.Active = batchv1.ReplaceConcurrent, []corev1.ObjectReference{{Name: "backup-1"}}
		}, "the next run ends it (Replace)"},
	} {
		t.Run(c.name, func(t *testing.T) {
			onBench(t, func(b *bench) {
				b.cronJob("backup", func(c *batchv1.CronJob) { c.Spec.Suspend = &held }, c.change)
				p := b.plan(action.Resume, nil, ref(kube.CronJobs, "backup"))
				if !strings.Contains(text(p), c.says) || p.Tier != action.Ask {
					b.t.Errorf("tier %d; the sheet does not say %q:\n%s", p.Tier, c.says, text(p))
				}
			})
		})
	}
	onBench(t, func(b *bench) {
		b.cronJob("backup", func(c *batchv1.CronJob) { c.Status.Active = []corev1.ObjectReference{{Name: "backup-1"}} })
		if got := text(b.plan(action.Pause, nil, ref(kube.CronJobs, "backup"))); !strings.Contains(got,
			"shop/backup starts no more Jobs.") || !strings.Contains(got, "1 Job goes on: backup-1") {
			t.Errorf("%s", got)
		}
	})
}

func TestSheetOfHundredsOfWorkloadsStaysReadable(t *testing.T) {
	onBench(t, func(b *bench) {
		var refs []kube.Ref
		for i := range 200 {
			name := fmt.Sprintf("web-%03d", i)
			b.deployment(name, 2)
			b.pod(name, name+"-x", i%2 == 0)
			refs = append(refs, ref(kube.Deployments, name))
		}
		p := b.plan(action.Restart, nil, refs...)
		if got := text(p); strings.Count(got, "\n") > 40 || !strings.Contains(got, "and 188 more") || p.Word != "200 workloads" ||
			!strings.HasPrefix(p.Headline, "shop/web-000 and 199 more: their 400 pods are replaced") {
			t.Errorf("word %q\n%s", p.Word, got)
		}
	})
}
