package kube

import (
	"fmt"
	"maps"
	"slices"
	"testing"

	corev1 "k8s.io/api/core/v1"
	"pgregory.net/rapid"
)

func TestMakersOfMakersAreFoundByName(t *testing.T) {
	for _, c := range []struct{ kind, name, want string }{
		{"ReplicaSet", "web-7d9f8c6b5", "Deployment/shop/web"},
		{"ReplicaSet", "my-web-65bcd", "Deployment/shop/my-web"},
		{"ReplicaSet", "web-597f7c7944", "Deployment/shop/web"},
		{"ReplicaSet", "web", ""},             // made by hand
		{"ReplicaSet", "web-canary", ""},      // a and y are not in the alphabet of hashes
		{"ReplicaSet", "web-bcdfghjklmn", ""}, // longer than any hash
		{"ReplicaSet", "-65bcd", ""},          // no name
		{"ReplicaSet", "web-", ""},            // no hash
		{"Job", "report-29394180", "CronJob/shop/report"},
		{"Job", "migrate-orders", ""},
		{"Job", "report-2939x", ""},
		{"StatefulSet", "cart-2", ""},
		{"DaemonSet", "cilium-65bcd", ""},
		{"Node", "worker-65", ""},
	} {
		p := &Pod{Namespace: "shop", OwnerKind: c.kind, OwnerName: c.name}
		owners := p.Owners()
		got := ""
		if o := owners[1]; o != (Owner{}) {
			got = o.Kind.Kind() + "/" + o.Namespace + "/" + o.Name
		}
		if got != c.want {
			t.Errorf("%s %s is made by %q, want %q", c.kind, c.name, got, c.want)
		}
		if maker := owners[0]; KindNamed(c.kind)&Workloads != 0 && maker != (Owner{KindNamed(c.kind), "shop", c.name}) {
			t.Errorf("the pod of %s %s has the maker %v", c.kind, c.name, maker)
		}
	}
}

// TestAilingPodsAreThoseThatThereAre lets pods come, change and go, and compares what is kept with what is found by looking
// at all of them. What a reader has been given must never change.
func TestAilingPodsAreThoseThatThereAre(t *testing.T) {
	rapid.Check(t, func(t *rapid.T) {
		c, pods := &Cluster{}, map[string]*Pod{}
		type given struct{ live, copied map[Owner][]*Pod }
		var readers []given
		draw := rapid.Custom(func(t *rapid.T) *Pod {
			kind := rapid.SampledFrom([]string{"ReplicaSet", "StatefulSet", "Job", ""}).Draw(t, "kind")
			p := &Pod{
				Namespace: "shop", Name: fmt.Sprint("p", rapid.IntRange(0, 12).Draw(t, "pod")), OwnerKind: kind, Phase: corev1.PodRunning,
				OwnerName: rapid.SampledFrom([]string{"web-65bcd", "web-77bcd", "run-1"}).Draw(t, "owner"), Containers: 1, Ready: 1,
			}
			if kind == "" {
				p.OwnerName = ""
			}
			switch rapid.IntRange(0, 3).Draw(t, "state") {
			case 0:
				p.Ready = 0
			case 1:
				p.Deletion = &Deletion{}
			case 2:
				p.Phase = corev1.PodSucceeded
			}
			return p
		})
		t.Repeat(map[string]func(*rapid.T){
			"change": func(t *rapid.T) {
				p := draw.Draw(t, "row")
				c.ailingMoved(pods[p.Name], p)
				pods[p.Name] = p
			},
			"remove": func(t *rapid.T) {
				name := fmt.Sprint("p", rapid.IntRange(0, 12).Draw(t, "pod"))
				c.ailingMoved(pods[name], nil)
				delete(pods, name)
			},
			"publish": func(t *rapid.T) {
				moved := c.ailing.settle()
				if len(readers) > 0 {
					last := readers[len(readers)-1].copied
					for owner := range c.ailing.of {
						if _, said := moved[owner]; !said && !slices.Equal(last[owner], c.ailing.of[owner]) {
							t.Fatalf("the pods of %v have changed, and nobody is told", owner)
						}
					}
				}
				copied := map[Owner][]*Pod{}
				for owner, list := range c.ailing.of {
					copied[owner] = slices.Clone(list)
				}
				readers = append(readers, given{c.ailing.of, copied})
			},
			"": func(t *rapid.T) {
				want := map[Owner]map[*Pod]bool{}
				for _, p := range pods {
					for _, o := range p.Owners() {
						if o != (Owner{}) && p.ails() {
							if want[o] == nil {
								want[o] = map[*Pod]bool{}
							}
							want[o][p] = true
						}
					}
				}
				if len(want) != len(c.ailing.of) {
					t.Fatalf("%d owners, want %d", len(c.ailing.of), len(want))
				}
				for o, list := range c.ailing.of {
					if len(list) != len(want[o]) || slices.ContainsFunc(list, func(p *Pod) bool { return !want[o][p] }) {
						t.Fatalf("%v has %d ailing pods, want %d", o, len(list), len(want[o]))
					}
				}
				for _, r := range readers {
					if !maps.EqualFunc(r.live, r.copied, slices.Equal[[]*Pod]) {
						t.Fatal("what a reader was given has changed")
					}
				}
			},
		})
	})
}
