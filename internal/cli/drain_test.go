package cli

import (
	"bytes"
	"context"
	"errors"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	"github.com/google/go-cmp/cmp"
	corev1 "k8s.io/api/core/v1"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/drain"
	"ktriage/kube/kubetest"
)

// planned is a sheet with everything that a sheet can have.
var planned = &action.Plan{
	Tier:     action.Write,
	Headline: "worker-12: Ready, DiskPressure 23m, v1.36.3, zone 1a. Of 27 pods 23 leave (1 waits), 4 stay.",
	Facts: []action.Fact{
		{Name: "after", Text: "146 of 150 nodes ready and schedulable (147 now); worker-31 is cordoned"},
		{Name: "time", Text: "not known: shop/cart-1 waits", Severity: kube.Warning},
	},
	Sections: []action.Section{
		{Title: "cannot be undone", Note: "why this is tier 3", Rows: []action.Row{
			{Severity: kube.Bad, Cells: []string{"1 pod loses its emptyDir data"}}, {Cells: []string{"  search/query  volume cache, no size limit"}},
		}},
		{
			Title: "2 pods leave", Note: "longest grace 2m0s",
			Columns: []action.Column{{Title: "POD"}, {Title: "OWNER"}, {Title: "FITS ON", Right: true, Wide: true}, {Title: "NOTE"}},
			Rows: []action.Row{
				{Severity: kube.Warning, Cells: []string{"shop/cart-1", "STS cart 2/3", "146 nodes", "waits for cart-pdb, RWO volume, grace 2m0s, slow start: 2 init containers, marked safe-to-evict=false"}},
				{Cells: []string{"media/a-deployment-with-a-name-that-goes-on-and-on-7d98bdb6df-2pkx4", "Deploy 4/4", "-", ""}},
			},
		},
	},
	Toggles: []action.Toggle{
		{Words: "delete emptyDir data: 1 pod", Value: action.On}, {Words: "evict pods without an owner: 0", Value: action.Off}, {Words: "grace", Value: "own"},
	},
	Kubectl:  []string{"kubectl --context prod drain worker-12 --ignore-daemonsets --delete-emptydir-data"},
	Gate:     "evict 23 pods from worker-12",
	Refusals: []string{"1 pod has no owner and would not come back: choose that below, or leave"},
}

func TestPlanIsPrintedInPlainLines(t *testing.T) {
	const wide = `worker-12: Ready, DiskPressure 23m, v1.36.3, zone 1a. Of 27 pods 23 leave (1 waits), 4 stay.
after  146 of 150 nodes ready and schedulable (147 now); worker-31 is cordoned
time   ▲ not known: shop/cart-1 waits

-- cannot be undone (why this is tier 3)
■ 1 pod loses its emptyDir data
  search/query  volume cache, no size limit

-- 2 pods leave (longest grace 2m0s)
  POD                                             OWNER           FITS ON  NOTE
▲ shop/cart-1                                     STS cart 2/3  146 nodes  waits for cart-pdb, RWO volume, grace 2m0s,
                                                                           slow start: 2 init containers, marked
                                                                           safe-to-evict=false
  media/a-deployment-with-a-nam...98bdb6df-2pkx4  Deploy 4/4            -

-- options
[x] delete emptyDir data: 1 pod
[ ] evict pods without an owner: 0
    grace: own

-- the same with kubectl (it evicts all at once)
$ kubectl --context prod drain worker-12 --ignore-daemonsets --delete-emptydir-data

-- to confirm
evict 23 pods from worker-12, with its name, typed
■ 1 pod has no owner and would not come back: choose that below, or leave
`
	var out bytes.Buffer
	if err := printPlan(&out, planned, 120, true); err != nil {
		t.Fatal(err)
	}
	if d := cmp.Diff(wide, out.String()); d != "" {
		t.Errorf("-want +got:\n%s", d)
	}
}

func TestPrintedPlanFitsItsWidthAndCanBeAscii(t *testing.T) {
	for _, width := range []int{60, 80, 100} {
		var out bytes.Buffer
		if err := printPlan(&out, planned, width, false); err != nil {
			t.Fatal(err)
		}
		for line := range strings.Lines(out.String()) {
			if n := text.Width(strings.TrimSuffix(line, "\n")); n > width {
				t.Errorf("%d cells on a screen of %d: %s", n, width, line)
			}
			if strings.TrimFunc(line, func(r rune) bool { return r < 0x80 }) != "" {
				t.Errorf("not ASCII: %s", line)
			}
		}
		if shown := strings.Contains(out.String(), "FITS ON"); shown != (width >= 100) {
			t.Errorf("at %d columns it is %t that the wide column is there:\n%s", width, shown, out.String())
		}
	}
}

func TestRefusedPlanNamesTheFlagsThatItNeeds(t *testing.T) {
	plan := &drain.Plan{Nodes: []drain.Node{{Pods: []drain.Pod{
		{Fate: drain.Needs, Unowned: true}, {Fate: drain.Needs, Lost: []drain.Volume{{}}}, {Fate: drain.Needs, Lost: []drain.Volume{{}}},
		{Fate: drain.Evict, Lost: []drain.Volume{{}}},
	}}}}
	err := refused(&action.Plan{Refusals: []string{"2 pods use emptyDir and would lose it: choose that below, or leave"}}, plan)
	var c *complaint
	if !errors.As(err, &c) || c.code != 1 || c.sentence != "This drain would be refused: 2 pods use emptyDir and would lose it." ||
		c.next != "The plan with them: --delete-emptydir-data --force." {
		t.Errorf("%+v", err)
	}
	if err := refused(&action.Plan{}, plan); err != nil {
		t.Error(err)
	}
}

func TestPlanWaitsForTheLoadsOfTheNodesAndNoLonger(t *testing.T) {
	forbidden := metav1.Status{Code: 403, Reason: metav1.StatusReasonForbidden, Message: "pods is forbidden"}
	for name, c := range map[string]struct {
		prepare func(*kubetest.Server)
		known   bool
		most    time.Duration
	}{
		"known":     {func(*kubetest.Server) {}, true, 2 * time.Second},
		"forbidden": {func(s *kubetest.Server) { s.Fail(kubetest.Answer(forbidden, "/pods")) }, false, 5 * time.Second},
		"refused":   {func(s *kubetest.Server) { s.Fail(kubetest.Refused) }, false, 10 * time.Second},
		"silent":    {func(s *kubetest.Server) { s.Silent() }, false, loadsLimit},
	} {
		t.Run(name, func(t *testing.T) {
			synctest.Test(t, func(t *testing.T) {
				server := kubetest.New()
				server.Put(&corev1.Node{ObjectMeta: metav1.ObjectMeta{Name: "worker-1", UID: "n"}})
				c.prepare(server)
				cluster := kube.New(server.Clients(), "prod", "shop", []string{""}, nil)
				ctx, stop := context.WithCancel(t.Context())
				cluster.Start(ctx, kube.Nodes|kube.Pods)
				began := time.Now()
				awaitLoads(ctx, cluster, loadsLimit)
				if took := time.Since(began); took > c.most {
					t.Errorf("it waited %v", took)
				}
				if known := cluster.Moment().Loads != nil; known != c.known {
					t.Errorf("loads known: %t", known)
				}
				stop()
				server.Fail(nil)
				synctest.Wait()
			})
		})
	}
}
