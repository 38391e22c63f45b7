// Package scenario brings a cluster into a state that is worth looking at. Its one rule: a scenario is data, YAML and Go
// templates in a folder, and everything in it reaches the API as somebody's ordinary request; what follows from it is
// the control plane's own doing.
package scenario

import (
	"context"
	"embed"
	"fmt"
	"io/fs"
	"path"
	"slices"
	"strings"
	"text/template"
	"time"

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// files are the scenarios, a folder each, and what they stand on.
//
//go:embed access base calm certs drain empty incident metrics
var files embed.FS

// Not scenarios: who may do what, without which admin.conf is worth nothing, how nodes and pods live, and where
// metrics.k8s.io is.
const (
	access  = "access"
	base    = "base"
	metrics = "metrics"
)

// Empty is the scenario in which there is nothing but the control plane.
const Empty = "empty"

// Certs is the scenario whose control plane listens where a kubeadm host's does, and whose kubelets serve TLS.
const Certs = "certs"

// lives are the certificates of the control plane that do not live as long as kubeadm's, where that is part of the story.
var lives = map[string]map[string]time.Duration{
	"incident": {"apiserver": 6*24*time.Hour + 4*time.Hour},
}

// Lives gives, by kubeadm's names, how long from now certificates live in the named scenario; see pki.Options.
func Lives(name string) map[string]time.Duration { return lives[name] }

// Env is what templates know of the cluster. The same Env gives the same objects, byte for byte.
type Env struct {
	NodePort    int // where kwok answers as the kubelet of every node
	MetricsPort int // of what answers metrics.k8s.io
	// MetricsVersions are the versions of metrics.k8s.io that it answers for.
	MetricsVersions []string
	Host            string    // address of the control plane
	APIPort         int       // of kube-apiserver there
	CA              string    // the cluster's CA in PEM
	Now             time.Time // what `ago` and the lives of certificates count from
}

// Names lists the scenarios, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // embedded
	}
	var out []string
	for _, e := range entries {
		if !slices.Contains([]string{access, base, metrics}, e.Name()) {
			out = append(out, e.Name())
		}
	}
	return out
}

// Access applies what kubeadm does for the users of its certificates. Any cluster needs it.
func Access(ctx context.Context, cfg *rest.Config, env Env, progress func(string, ...any)) error {
	return run(ctx, cfg, access, env, progress)
}

// Base applies what every scenario stands on: kwok's resources, metrics, and how nodes and pods live.
func Base(ctx context.Context, cfg *rest.Config, env Env, progress func(string, ...any)) error {
	if err := Metrics(ctx, cfg, env, progress); err != nil {
		return err
	}
	return run(ctx, cfg, base, env, progress)
}

// Metrics tells the API server who answers metrics.k8s.io: a program on this machine.
func Metrics(ctx context.Context, cfg *rest.Config, env Env, progress func(string, ...any)) error {
	return run(ctx, cfg, metrics, env, progress)
}

// Apply brings the named scenario onto the cluster of cfg and returns when it has settled. Applying it again changes
// nothing.
func Apply(ctx context.Context, cfg *rest.Config, name string, env Env, progress func(string, ...any)) error {
	return run(ctx, cfg, name, env, progress)
}

func run(ctx context.Context, cfg *rest.Config, name string, env Env, progress func(string, ...any)) error {
	c, err := newClient(cfg)
	if err != nil {
		return err
	}
	names, err := fs.Glob(files, path.Join(name, "*.yaml"))
	if err != nil {
		return err
	}
	slices.Sort(names)
	for _, file := range names {
		docs, err := render(file, env)
		if err != nil {
			return err
		}
		for _, doc := range docs {
			if err := c.do(ctx, doc, progress); err != nil {
				return fmt.Errorf("%s: %w", file, err)
			}
		}
	}
	return nil
}

// render gives the objects of one file.
func render(file string, env Env) ([]*unstructured.Unstructured, error) {
	text, err := files.ReadFile(file)
	if err != nil {
		return nil, err
	}
	t, err := template.New(file).Funcs(functions(env)).Option("missingkey=error").Parse(string(text))
	if err != nil {
		return nil, fmt.Errorf("read the template %s: %w", file, err)
	}
	var b strings.Builder
	if err := t.Execute(&b, env); err != nil {
		return nil, fmt.Errorf("fill in the template %s: %w", file, err)
	}
	var docs []*unstructured.Unstructured
	for i, part := range strings.Split("\n"+b.String(), "\n---") {
		object := map[string]any{}
		if err := yaml.Unmarshal([]byte(part), &object); err != nil {
			return nil, fmt.Errorf("read document %d of %s: %w", i+1, file, err)
		}
		if len(object) > 0 {
			docs = append(docs, &unstructured.Unstructured{Object: object})
		}
	}
	return docs, nil
}
