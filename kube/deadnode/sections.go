package deadnode

import (
	"fmt"
	"slices"
	"strings"

	"ktriage/internal/text"
	"ktriage/kube"
	"ktriage/kube/action"
)

// shown is how many lines a section has at most; of the rest it is said that it is there.
const shown = 12

// part is what a section says of one class of pods.
var parts = []struct {
	class       class
	title, note string
	severity    kube.Severity
	tell        func(*released) string // what stands beside a pod
}{
	{writer, "two writers if the machine still runs", "nobody asks its kubelet", kube.Bad, func(r *released) string {
		what := r.volumes
		if len(what) == 0 {
			what = []string{r.owner}
		}
		return strings.Join(append([]string{join(what)}, note("emptyDir", emptyDirs(r.pod))...), "; ")
	}},
	{bare, "gone for good", "nobody makes them again", kube.Bad, func(r *released) string {
		return strings.Join(append([]string{"no owner"}, note("emptyDir", emptyDirs(r.pod))...), "; ")
	}},
	{loses, "emptyDir data is lost", "made again elsewhere, without it", kube.Warning, func(r *released) string {
		return join(emptyDirs(r.pod))
	}},
	{moves, "made again elsewhere", "", kube.OK, func(r *released) string { return r.owner }},
	{daemon, "pods of DaemonSets", "not made again before the node is back", kube.OK, func(r *released) string {
		return strings.Join(append([]string{r.owner}, note("emptyDir", emptyDirs(r.pod))...), "; ")
	}},
	{static, "static pods", "the API does not stop them", kube.Notice, func(*released) string {
		return "runs for as long as the machine does"
	}},
	{finished, "records of what has ended", "", kube.OK, func(r *released) string { return string(r.pod.Status.Phase) }},
}

func note(what string, list []string) []string {
	if len(list) == 0 {
		return nil
	}
	return []string{what + " " + join(list)}
}

// sections are the parts of a sheet that releases pods, worst first.
func (s *sheet) sections(pods []*released, detach string) []action.Section {
	out := s.controlPlane()
	for _, part := range parts {
		var rows []action.Row
		for _, r := range ofClass(pods, part.class) {
			rows = append(rows, action.Row{Severity: part.severity, Cells: s.cells(r, part.tell(r)+held(r))})
		}
		if len(rows) == 0 {
			continue
		}
		title := part.title
		if len(rows) > 1 {
			title += ": " + text.Count(len(rows))
		}
		out = append(out, action.Section{Title: title, Note: part.note, Columns: s.columns(), Rows: s.short(rows)})
	}
	out = append(out, s.attached(detach)...)
	return append(out, unknown(s.unknown)...)
}

// held says what will keep a pod from being gone, or when it goes if not at once.
func held(r *released) string {
	s := ""
	if r.delay > 0 {
		s += fmt.Sprintf("; tolerates the taint for %s", r.delay)
	}
	if len(r.pod.Finalizers) > 0 {
		s += "; held by finalizer " + words(join(r.pod.Finalizers))
	}
	return s
}

func (s *sheet) columns() []action.Column {
	out := []action.Column{{Title: "POD"}, {Title: "WHAT"}}
	if len(s.nodes) > 1 {
		out = slices.Insert(out, 1, action.Column{Title: "NODE", Wide: true})
	}
	return out
}

func (s *sheet) cells(r *released, what string) []string {
	if len(s.nodes) > 1 {
		return []string{r.name(), words(r.node), what}
	}
	return []string{r.name(), what}
}

// short cuts a long list.
func (s *sheet) short(rows []action.Row) []action.Row {
	if len(rows) <= shown {
		return rows
	}
	cells := make([]string, len(s.columns()))
	cells[0] = fmt.Sprintf("and %s more", text.Count(len(rows)-shown))
	return append(rows[:shown:shown], action.Row{Severity: rows[shown].Severity, Cells: cells})
}

// controlPlane says what it means that a node is one of the control plane.
func (s *sheet) controlPlane() []action.Section {
	var rows []action.Row
	for _, n := range s.nodes {
		_, named := n.object.Labels["node-role.kubernetes.io/control-plane"]
		_, before := n.object.Labels["node-role.kubernetes.io/master"]
		if !named && !before {
			continue
		}
		rows = append(rows, line(kube.Bad, "%s is a node of the control plane", n.row.Name))
		for _, p := range n.pods {
			if strings.HasPrefix(p.Name, "etcd-") && p.Namespace == "kube-system" {
				rows = append(rows, line(kube.Bad,
					"%s stays a member of etcd: take it out with etcdctl member remove, or the quorum counts it", words(p.Name)))
			}
		}
	}
	if len(rows) == 0 {
		return nil
	}
	return []action.Section{{Title: "control plane", Rows: rows}}
}

// attached names the volumes that hang on the machines.
func (s *sheet) attached(detach string) []action.Section {
	var rows []action.Row
	total := 0
	for _, n := range s.nodes {
		if len(n.attached) == 0 {
			continue
		}
		total += len(n.attached)
		text := some(n.attached, 4)
		if len(s.nodes) > 1 {
			text = n.row.Name + ": " + text
		}
		rows = append(rows, line(kube.Warning, "%s", text))
	}
	if total == 0 {
		return nil
	}
	if len(rows) > shown {
		rows = append(rows[:shown:shown], line(kube.Warning, "and those of %d more nodes", len(rows)-shown))
	}
	return []action.Section{{Title: plural(total, "volume") + " attached", Note: detach, Rows: rows}}
}

// stayers are the pods that the taint leaves where they are.
func stayers(stay []*released) []action.Section {
	if len(stay) == 0 {
		return nil
	}
	var names []string
	for _, r := range stay {
		names = append(names, r.name())
	}
	return []action.Section{{
		Title: text.Plural(len(stay), "pod stays", "pods stay"), Note: "they tolerate the taint",
		Rows: []action.Row{line(kube.OK, "%s", some(names, shown))},
	}}
}

func unknown(sentences []string) []action.Section {
	if len(sentences) == 0 {
		return nil
	}
	var rows []action.Row
	for _, u := range sentences {
		rows = append(rows, line(kube.Warning, "%s", u))
	}
	return []action.Section{{Title: "not known", Rows: rows}}
}

func line(severity kube.Severity, format string, args ...any) action.Row {
	return action.Row{Severity: severity, Cells: []string{fmt.Sprintf(format, args...)}}
}

func ofClass(pods []*released, c class) []*released {
	var out []*released
	for _, r := range pods {
		if r.class == c {
			out = append(out, r)
		}
	}
	return out
}
