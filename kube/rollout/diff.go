package rollout

import (
	"encoding/json"
	"fmt"
	"maps"
	"slices"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/equality"

	"ktriage/kube"
	"ktriage/kube/action"
)

// differences says in what two templates differ, container by container. Of environment variables the names alone are
// told: their values may be secrets.
func differences(from, to *corev1.PodTemplateSpec) []action.Row {
	var out []action.Row
	for _, pair := range []struct{ from, to []corev1.Container }{
		{from.Spec.Containers, to.Spec.Containers}, {from.Spec.InitContainers, to.Spec.InitContainers},
	} {
		out = append(out, containers(pair.from, pair.to)...)
	}
	a, b := fields(from.Spec), fields(to.Spec)
	delete(a, "containers")
	delete(b, "containers")
	delete(a, "initContainers")
	delete(b, "initContainers")
	if changed := unlike(a, b); len(changed) > 0 {
		out = append(out, line(kube.OK, "pod: other %s", some(changed, 6)))
	}
	for _, notes := range []struct {
		what     string
		from, to map[string]string
	}{{"labels", bare(from).Labels, bare(to).Labels}, {"annotations", from.Annotations, to.Annotations}} {
		if changed := names(notes.from, notes.to); len(changed) > 0 {
			out = append(out, line(kube.OK, "%s: %s", notes.what, some(changed, 6)))
		}
	}
	slices.SortStableFunc(out, func(a, b action.Row) int { return int(b.Severity) - int(a.Severity) })
	return out
}

func containers(from, to []corev1.Container) []action.Row {
	var out []action.Row
	for i := range to {
		c := &to[i]
		at := slices.IndexFunc(from, func(o corev1.Container) bool { return o.Name == c.Name })
		if at < 0 {
			out = append(out, line(kube.Notice, "+ container %s, image %s", words(c.Name), words(c.Image)))
			continue
		}
		out = append(out, container(&from[at], c)...)
	}
	for i := range from {
		if !slices.ContainsFunc(to, func(o corev1.Container) bool { return o.Name == from[i].Name }) {
			out = append(out, line(kube.Notice, "- container %s, image %s", words(from[i].Name), words(from[i].Image)))
		}
	}
	return out
}

func container(from, to *corev1.Container) []action.Row {
	var out []action.Row
	name := words(to.Name)
	if from.Image != to.Image {
		out = append(out, line(kube.Notice, "%s: image %s -> %s", name, words(from.Image), words(to.Image)))
	}
	if changed := environment(from.Env, to.Env); len(changed) > 0 {
		out = append(out, line(kube.OK, "%s: environment %s (values are not shown)", name, some(changed, 6)))
	}
	if !equality.Semantic.DeepEqual(from.Resources, to.Resources) {
		out = append(out, line(kube.OK, "%s: resources %s -> %s", name, resources(from), resources(to)))
	}
	a, b := fields(from), fields(to)
	for _, told := range []string{"image", "env", "resources"} {
		delete(a, told)
		delete(b, told)
	}
	if changed := unlike(a, b); len(changed) > 0 {
		out = append(out, line(kube.OK, "%s: other %s", name, some(changed, 6)))
	}
	return out
}

// environment names the variables that come, go or change.
func environment(from, to []corev1.EnvVar) []string {
	byName := func(list []corev1.EnvVar) map[string]string {
		out := map[string]string{}
		for _, v := range list {
			raw, err := json.Marshal(v)
			if err == nil {
				out[v.Name] = string(raw)
			}
		}
		return out
	}
	return names(byName(from), byName(to))
}

// names tells the keys that come (+), go (-) or have another value (~).
func names(from, to map[string]string) []string {
	var out []string
	for _, key := range slices.Sorted(maps.Keys(to)) {
		if before, had := from[key]; !had {
			out = append(out, "+"+words(key))
		} else if before != to[key] {
			out = append(out, "~"+words(key))
		}
	}
	for _, key := range slices.Sorted(maps.Keys(from)) {
		if _, has := to[key]; !has {
			out = append(out, "-"+words(key))
		}
	}
	return out
}

func resources(c *corev1.Container) string {
	r := &c.Resources
	return fmt.Sprintf("%s/%s, limits %s/%s", r.Requests.Cpu(), r.Requests.Memory(), r.Limits.Cpu(), r.Limits.Memory())
}

// fields are those of an object as JSON has them.
func fields(o any) map[string]json.RawMessage {
	out := map[string]json.RawMessage{}
	raw, err := json.Marshal(o)
	if err == nil {
		err = json.Unmarshal(raw, &out)
	}
	if err != nil {
		return nil
	}
	return out
}

// unlike names the fields that are not the same.
func unlike(a, b map[string]json.RawMessage) []string {
	var out []string
	for key := range a {
		if string(a[key]) != string(b[key]) {
			out = append(out, key)
		}
	}
	for key := range b {
		if _, has := a[key]; !has {
			out = append(out, key)
		}
	}
	slices.Sort(out)
	return out
}
