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

	"k8s.io/apimachinery/pkg/apis/meta/v1/unstructured"
	"k8s.io/client-go/rest"
	"sigs.k8s.io/yaml"
)

// files are the scenarios, a folder each; base is what all of them stand on.
//
//go:embed base calm empty incident
var files embed.FS

const base = "base"

// Env is what templates know of the cluster.
type Env struct {
	PKIDir      string // folder with ca.crt and ca.key
	NodePort    int    // where kwok answers as the kubelet of every node
	MetricsPort int    // of metrics-server
	Address     string
}

// Names lists the scenarios, sorted.
func Names() []string {
	entries, err := files.ReadDir(".")
	if err != nil {
		panic(err) // embedded
	}
	var out []string
	for _, e := range entries {
		if e.Name() != base {
			out = append(out, e.Name())
		}
	}
	return out
}

// Base applies what every scenario stands on.
func Base(ctx context.Context, cfg *rest.Config, env Env, progress func(string, ...any)) error {
	return run(ctx, cfg, base, env, progress)
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
		docs, err := Render(file, env)
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

// Render gives the objects of one file.
func Render(file string, env Env) ([]*unstructured.Unstructured, error) {
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
