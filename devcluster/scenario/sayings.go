package scenario

import (
	"context"
	"errors"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"time"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/kubernetes"
	"k8s.io/client-go/kubernetes/scheme"
	typedcorev1 "k8s.io/client-go/kubernetes/typed/core/v1"
	"k8s.io/client-go/rest"
	"k8s.io/client-go/tools/record"
)

// says is the kind of document that says what is said.
const says = "Says"

// Saying is what a component says of objects, and how often: what the kubelets of a real cluster say of pods that are ill, which
// kwok's do not.
type Saying struct {
	Component string // kubelet unless it is said; a kubelet speaks from the node of the pod
	Every     string // a span of time, "" for once
	Events    []struct{ Type, Reason, Message, FieldPath string }
}

func (s Saying) check() error {
	if len(s.Events) == 0 {
		return errors.New("a Says needs events")
	}
	for _, e := range s.Events {
		if e.Reason == "" || e.Type != corev1.EventTypeNormal && e.Type != corev1.EventTypeWarning {
			return fmt.Errorf("an event of a Says is %+v, and needs a reason, and the type Normal or Warning", e)
		}
	}
	if s.Every == "" {
		return nil
	}
	_, err := time.ParseDuration(s.Every)
	return err
}

// sayings reads what is said in the named scenario.
func sayings(name string, now time.Time) ([]*step, error) {
	var out []*step
	for _, file := range talking(name) {
		docs, err := render(file, Env{Now: now})
		if err != nil {
			return nil, err
		}
		for _, doc := range docs {
			if doc.GetAPIVersion() != ours || doc.GetKind() != says {
				continue
			}
			s, err := newStep(doc)
			if err != nil {
				return nil, fmt.Errorf("%s: %w", file, err)
			}
			out = append(out, s)
		}
	}
	return out, nil
}

// talking gives the files of a scenario in which something is said. They use nothing of the Env but the time.
func talking(name string) []string {
	names, err := fs.Glob(files, path.Join(name, "*.yaml"))
	if err != nil {
		panic(err) // the pattern is well formed
	}
	return slices.DeleteFunc(names, func(file string) bool {
		text, err := files.ReadFile(file)
		return err != nil || !strings.Contains(string(text), "kind: "+says+"\n")
	})
}

// Talks reports whether something is said in the named scenario.
func Talks(name string) bool { return len(talking(name)) > 0 }

// Talk says what is said in the named scenario until ctx ends. The events are written by the recorder that kubelets have, which
// counts what it says again, and falls silent about an object of which it says too much.
func Talk(ctx context.Context, cfg *rest.Config, name string) error {
	all, err := sayings(name, time.Now())
	if err != nil {
		return err
	}
	c, err := newClient(cfg)
	if err != nil {
		return err
	}
	events, err := kubernetes.NewForConfig(cfg)
	if err != nil {
		return fmt.Errorf("make a client: %w", err)
	}
	broadcaster := record.NewBroadcaster(record.WithContext(ctx))
	defer broadcaster.Shutdown()
	broadcaster.StartRecordingToSink(&typedcorev1.EventSinkImpl{Interface: events.CoreV1().Events("")})
	t := &talker{client: c, broadcaster: broadcaster, said: map[*step]time.Time{}}
	for tick := time.Tick(time.Second); ; {
		t.talk(ctx, all, time.Now())
		select {
		case <-tick:
		case <-ctx.Done():
			return nil
		}
	}
}

// talker says what is due.
type talker struct {
	client      *client
	broadcaster record.EventBroadcaster
	said        map[*step]time.Time // when, last
}

// talk says everything that is due. What it cannot read now, it says later.
func (t *talker) talk(ctx context.Context, all []*step, now time.Time) {
	for _, s := range all {
		every, _ := time.ParseDuration(s.Every) // newStep has checked it
		last, once := t.said[s]
		if once && (every == 0 || now.Sub(last) < every) {
			continue
		}
		found, err := t.client.matching(ctx, s)
		if err != nil || len(found) == 0 {
			continue
		}
		t.said[s] = now
		for _, o := range found {
			if o.GetDeletionTimestamp() == nil { // nobody speaks of it any more
				t.say(s, &o)
			}
		}
	}
}

func (t *talker) say(s *step, o *unstructured.Unstructured) {
	source := corev1.EventSource{Component: "kubelet"}
	if s.Component != "" {
		source.Component = s.Component
	} else if o.GetKind() == "Node" {
		source.Host = o.GetName()
	} else {
		source.Host, _, _ = unstructured.NestedString(o.Object, "spec", "nodeName")
	}
	recorder := t.broadcaster.NewRecorder(scheme.Scheme, source)
	for _, e := range s.Events {
		ref := &corev1.ObjectReference{
			Kind: o.GetKind(), APIVersion: o.GetAPIVersion(), Namespace: o.GetNamespace(), Name: o.GetName(), UID: o.GetUID(),
			ResourceVersion: o.GetResourceVersion(), FieldPath: e.FieldPath,
		}
		recorder.Event(ref, e.Type, e.Reason, strings.NewReplacer("POD", o.GetName(), "UID", string(o.GetUID())).Replace(e.Message))
	}
}
