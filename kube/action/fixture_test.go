package action_test

import (
	"context"
	"os"
	"path/filepath"
	"reflect"
	"strings"
	"testing"
	"testing/synctest"
	"time"

	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/audit"
	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
	"ktriage/kube/kubetest"
)

// patchNodes is the permission that the drain of these tests needs.
var patchNodes = action.Need{Verb: "patch", Resource: "nodes"}

// bench is a runner in virtual time, on a cluster in memory and a log in a folder.
type bench struct {
	*kubetest.Server
	t       *testing.T
	ctx     context.Context //nolint:containedctx // that of the program
	quit    context.CancelFunc
	cluster *kube.Cluster
	dir     string
	log     *audit.Log
	drain   *drain
	*action.Runner
}

// onBench runs a test in virtual time.
func onBench(t *testing.T, s action.Settings, test func(b *bench)) {
	t.Helper()
	synctest.Test(t, func(t *testing.T) {
		b := &bench{Server: kubetest.New(), t: t, dir: t.TempDir(), drain: &drain{needs: []action.Need{patchNodes}}}
		b.ctx, b.quit = context.WithCancel(t.Context())
		b.cluster = kube.New(b.Clients(), "prod", "shop", []string{metav1.NamespaceAll}, nil)
		if err := b.cluster.Probe(b.ctx); err != nil {
			t.Fatal(err)
		}
		b.log = b.open("bastion")
		b.restart(s)
		defer b.end()
		test(b)
	})
}

// open opens the log as one more process.
func (b *bench) open(host string) *audit.Log {
	b.t.Helper()
	l, err := audit.Open(b.dir, host, "v1")
	if err != nil {
		b.t.Fatal(err)
	}
	return l
}

// restart makes a runner as a program that has just begun has it.
func (b *bench) restart(s action.Settings) {
	b.Runner = action.New(b.ctx, b.cluster, []action.Kind{b.drain, other{}}, b.log, s)
}

func (b *bench) end() {
	if !b.Close(time.Minute) {
		b.t.Error("the runs have not ended a minute after the program")
	}
	b.quit()
	b.shut(b.log)
	synctest.Wait()
}

// entries gives the lines of the log.
func (b *bench) entries() []audit.Entry {
	b.t.Helper()
	entries, err := b.log.Read(1000)
	if err != nil {
		b.t.Fatal(err)
	}
	return entries
}

// text is the log as it is on the disk.
func (b *bench) text() string {
	b.t.Helper()
	raw, err := os.ReadFile(filepath.Join(b.dir, "audit.jsonl"))
	if err != nil {
		b.t.Fatal(err)
	}
	return string(raw)
}

// begin starts a plan that nothing speaks against.
func (b *bench) begin(p *action.Plan) string {
	b.t.Helper()
	id, err := b.Start(p)
	if err != nil {
		b.t.Fatal(err)
	}
	return id
}

// questions counts how often the server has been asked what we may do.
func (b *bench) questions() int {
	n := 0
	for _, r := range b.Requests() {
		if strings.HasSuffix(r.Path, "/selfsubjectaccessreviews") {
			n++
		}
	}
	return n
}

// breakLog makes the log unwritable, for root too.
func (b *bench) breakLog() {
	path := filepath.Join(b.dir, "audit.jsonl")
	if err := os.Rename(path, path+".before"); err != nil {
		b.t.Error(err)
	}
	if err := os.Mkdir(path, 0o700); err != nil {
		b.t.Error(err)
	}
}

// drain is a kind of action that can be resumed.
type drain struct {
	needs   []action.Need
	planned int
	plan    func(action.Target) *action.Plan
	rest    func(action.Target, action.Options) (*action.Rest, error)
}

func (*drain) ID() action.ID          { return action.Drain }
func (d *drain) Needs() []action.Need { return d.needs }

func (d *drain) Plan(_ context.Context, _ *kube.Cluster, t action.Target, _ action.Options) (*action.Plan, error) {
	d.planned++
	if d.plan == nil {
		return &action.Plan{Action: action.Drain, Target: t, Made: time.Now()}, nil
	}
	return d.plan(t), nil
}

func (d *drain) Rest(_ context.Context, _ *kube.Cluster, t action.Target, o action.Options) (*action.Rest, error) {
	return d.rest(t, o)
}

// other is a kind of action that cannot be resumed, and needs the same as the drain.
type other struct{}

func (other) ID() action.ID        { return action.Cordon }
func (other) Needs() []action.Need { return []action.Need{patchNodes} }
func (other) Plan(_ context.Context, _ *kube.Cluster, t action.Target, _ action.Options) (*action.Plan, error) {
	return &action.Plan{Action: action.Cordon, Target: t, Made: time.Now()}, nil
}

// does is a Work.
type does func(ctx context.Context, p *action.Progress) action.Result

func (d does) Run(ctx context.Context, _ *kube.Cluster, p *action.Progress) action.Result {
	return d(ctx, p)
}

// nothing is a Work that is done at once.
var nothing = does(func(context.Context, *action.Progress) action.Result { return action.Result{State: action.Done} })

// untilStopped is a Work that ends with its context, as the contract has it.
var untilStopped = does(func(ctx context.Context, _ *action.Progress) action.Result {
	<-ctx.Done()
	return action.Result{State: action.Cancelled, Summary: context.Cause(ctx).Error()}
})

func node(name string) kube.Ref { return kube.Ref{Kind: kube.Nodes, Name: name, UID: "uid-" + name} }

// target are nodes of the context of the bench.
func target(names ...string) action.Target {
	t := action.Target{Context: "prod"}
	for _, n := range names {
		t.Refs = append(t.Refs, node(n))
	}
	return t
}

// plan is a confirmed drain of nodes that was made now.
func plan(w action.Work, names ...string) *action.Plan {
	return &action.Plan{
		Action: action.Drain, Target: target(names...), Options: action.Options{"emptydir": action.On}, Made: time.Now(),
		Kubectl: []string{action.Kubectl("prod", append([]string{"drain"}, names...)...)},
		Details: map[string]any{"pods": 23.0}, Work: w,
	}
}

// unclean gives the strings in a value that are not fit to be shown.
func unclean(v any) []string {
	var out []string
	var walk func(reflect.Value)
	walk = func(v reflect.Value) {
		switch v.Kind() {
		case reflect.String:
			if s := v.String(); s != text.Clean(s) {
				out = append(out, s)
			}
		case reflect.Pointer, reflect.Interface:
			if !v.IsNil() {
				walk(v.Elem())
			}
		case reflect.Slice:
			for i := range v.Len() {
				walk(v.Index(i))
			}
		case reflect.Map:
			for _, k := range v.MapKeys() {
				walk(k)
				walk(v.MapIndex(k))
			}
		case reflect.Struct:
			if v.Type() == reflect.TypeFor[time.Time]() {
				return
			}
			for _, field := range v.Fields() {
				walk(field)
			}
		default:
		}
	}
	walk(reflect.ValueOf(v))
	return out
}
