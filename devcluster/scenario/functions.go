package scenario

import (
	"fmt"
	"maps"
	"strings"
	"text/template"
	"time"

	kwokcrd "sigs.k8s.io/kwok/kustomize/crd"
	kwokmetrics "sigs.k8s.io/kwok/kustomize/metrics/resource"
)

// functions are what templates can call. What is made of the clock or of keys is made of env alone.
func functions(env Env) template.FuncMap {
	all := template.FuncMap{
		"seq":         seq,
		"add":         func(a, b int) int { return a + b },
		"mod":         func(a, b int) int { return a % b },
		"list":        func(words ...string) []string { return words },
		"dict":        dict,
		"pick":        func(i int, words []string) string { return words[i%len(words)] },
		"ago":         env.ago,
		"words":       strings.Fields,
		"spaced":      func(s string) string { return strings.ReplaceAll(s, "%", " ") },
		"crds":        crds,
		"kwokMetrics": func() string { return kwokmetrics.DefaultMetricsResource },
	}
	maps.Copy(all, certificates(env))
	return all
}

// seq gives the numbers from a to b.
func seq(a, b int) []int {
	var out []int
	for i := a; i <= b; i++ {
		out = append(out, i)
	}
	return out
}

// dict gives a map of names to numbers, from one after the other.
func dict(pairs ...any) (map[string]any, error) {
	out := map[string]any{}
	for i := 0; i+1 < len(pairs); i += 2 {
		name, ok := pairs[i].(string)
		if !ok {
			return nil, fmt.Errorf("dict: %v is not a name", pairs[i])
		}
		out[name] = pairs[i+1]
	}
	return out, nil
}

// ago gives a time before now.
func (e Env) ago(d string) (string, error) {
	t, err := time.ParseDuration(d)
	return e.Now.Add(-t).UTC().Format(time.RFC3339), err
}

// crds are kwok's custom resources, which its own configuration is made of.
func crds() string {
	var docs []string
	for _, d := range [][]byte{
		kwokcrd.Stage, kwokcrd.Metric, kwokcrd.ResourceUsage, kwokcrd.ClusterResourceUsage,
		kwokcrd.Logs, kwokcrd.ClusterLogs, kwokcrd.Exec, kwokcrd.ClusterExec,
	} {
		docs = append(docs, string(d))
	}
	return strings.Join(docs, "\n---\n")
}
