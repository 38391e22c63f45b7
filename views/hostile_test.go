package views

import (
	"encoding/json"
	"errors"
	"regexp"
	"strings"
	"testing"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/types"

	"ktriage/keymap"
	"ktriage/kube"
	"ktriage/themes"
)

// hostile are strings that terminals and other programs are known to obey, as in the tests of text.Clean.
var hostile = []string{
	"\x1b[31mred\x1b[0m",
	"\x1b]0;title\x07text",
	"\x1b]52;c;cm0gLXJmIC8K\x07",
	"\x1b]8;;http://example.com/\x1b\\link\x1b]8;;\x1b\\",
	"\x1b[6n\x1b[c\x1b[>c\x1b[14t\x1b[21t",
	"\x1bP$qm\x1b\\\x1bP+q544e\x1b\\",
	"\x1b_Gf=24;AAAA\x1b\\\x1b^private\x1b\\\x1bXstring\x1b\\",
	"\x1b[2J\x1b[H\x1b[?1049l\x1bc\x1b7\x1b8\x1b#8\x1b(0\x1b%G",
	"\u009b31mred\u009b0m\u009d0;title\u009ctext\u0090q\u009c",
	"\x9b31m raw 8-bit \x9d0;title\x9c",
	"\x1b\x1b[31m[31m", "\x1b[\x1b[31mm", "\x1b\u200b[31m", "no end \x1b]0;",
	"a\rb\nc\td\be\x00\x07\x7f\u0085",
	"\u202egnp.exe\u202c\u2066\u2067\u200e\u200f\u061c\u200b\u2028\u2029\ufeff",
	"\U000e0041\U000e007f\ufe0f", "👩‍👩‍👧 🇯🇵 ⚠️", "z" + strings.Repeat("\u0301\u0316", 40) + "algo",
	strings.Repeat("日本語", 100),
}

// escape is what we write ourselves: colours, and nothing else.
var escape = regexp.MustCompile("\x1b\\[[0-9;]*m")

// checkOurs fails if a text holds anything that moves, asks or hides, or a colour that is not the theme's.
func checkOurs(t *testing.T, where, out string, p *themes.Painter) {
	t.Helper()
	for _, s := range escape.FindAllString(out, -1) {
		if p == nil || !colours(p)[s] {
			t.Errorf("%s: %q is not of the theme", where, s)
		}
	}
	for _, r := range escape.ReplaceAllString(out, "") {
		if r != '\n' && unicode.IsControl(r) || unicode.In(r, unicode.Cf, unicode.Zl, unicode.Zp, unicode.Variation_Selector) {
			t.Errorf("%s: %U in %q", where, r, out)
			return
		}
	}
}

func colours(p *themes.Painter) map[string]bool {
	all := map[string]bool{p.Close(): true}
	for token := range themes.Tokens {
		for g := range themes.Grounds {
			all[p.Open(token, g)], all[p.Bold(token, g)] = true, true
		}
	}
	return all
}

// hostilePods say the same in each place where somebody else may write.
func hostilePods(s string) []*kube.Pod {
	names := func(p *corev1.Pod) {
		p.UID = types.UID(s)
		p.OwnerReferences[0].Kind, p.OwnerReferences[0].Name = s, s
		p.Status.PodIP, p.Status.PodIPs = s, []corev1.PodIP{{IP: s}}
		p.Status.NominatedNodeName, p.Status.QOSClass = s, corev1.PodQOSClass(s)
		p.Spec.Containers[0].Name, p.Spec.Containers[0].Image = s, s
		p.Spec.ReadinessGates = []corev1.PodReadinessGate{{ConditionType: corev1.PodConditionType(s)}}
	}
	with := func(change func(*corev1.Pod)) *kube.Pod {
		return pod("ns"+s, "pod"+s, "node"+s, time.Hour, func(p *corev1.Pod) { change(p); names(p) })
	}
	return []*kube.Pod{
		with(func(*corev1.Pod) {}),
		with(func(p *corev1.Pod) { p.Status.Phase, p.Status.Reason, p.Status.Message = corev1.PodFailed, s, s }),
		with(func(p *corev1.Pod) {
			crashing(p)
			p.Status.ContainerStatuses[0].State.Waiting.Reason, p.Status.ContainerStatuses[0].State.Waiting.Message = s, s
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated.Reason = s
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated.Message = s
		}),
		with(func(p *corev1.Pod) {
			crashing(p)
			p.Status.ContainerStatuses[0].LastTerminationState.Terminated.Message = s
		}),
		with(func(p *corev1.Pod) {
			unscheduled(p)
			p.Spec.NodeName = ""
			p.Status.Conditions[0].Message = s
		}),
		with(func(p *corev1.Pod) {
			at, grace := ago(time.Minute), int64(30)
			p.DeletionTimestamp, p.DeletionGracePeriodSeconds, p.Finalizers = &at, &grace, []string{s}
		}),
	}
}

func hostileNodes(s string) []*kube.Node {
	spoil := func(n *corev1.Node) {
		n.UID = types.UID(s)
		n.Labels = map[string]string{"node-role.kubernetes.io/" + s: "", corev1.LabelTopologyZone: s}
		n.Status.NodeInfo = corev1.NodeSystemInfo{KubeletVersion: s, OSImage: s, KernelVersion: s, ContainerRuntimeVersion: s}
		n.Status.Addresses = []corev1.NodeAddress{{Type: corev1.NodeInternalIP, Address: s}, {Type: corev1.NodeExternalIP, Address: s}}
		n.Spec.Taints = []corev1.Taint{{Key: s, Value: s, Effect: corev1.TaintEffect(s)}}
	}
	return []*kube.Node{
		node("node"+s, day, func(n *corev1.Node) {
			spoil(n)
			n.Status.Conditions = append(n.Status.Conditions, corev1.NodeCondition{
				Type: corev1.NodeConditionType("Disk" + s), Status: corev1.ConditionTrue, Reason: s, Message: s,
			})
		}),
		node("silent"+s, day, func(n *corev1.Node) { spoil(n); unready("False", time.Hour)(n); n.Status.Conditions[0].Message = s }),
		node("odd"+s, day, func(n *corev1.Node) { spoil(n); unready(corev1.ConditionStatus(s), time.Hour)(n) }),
	}
}

// checkPane looks at all that a pane gives away, row after row, at sizes that cut in different places.
func checkPane(t *testing.T, v View, rows int) {
	t.Helper()
	for range rows {
		for _, width := range []int{20, 47, 80, 133, 400} {
			f, size := frame(), Size{width, 12}
			out := drawn(v, size, f)
			checkOurs(t, "the pane", out, f.Paint)
			checkRectangle(t, out, size)
		}
		strip := v.Strip(noon)
		checkOurs(t, "the strip", strings.Join(append(strip.Lines, strip.Name, strip.State), " "), nil)
		d, _ := v.Details(v.Place().UID, noon)
		for _, f := range d.Facts {
			checkOurs(t, "the details", d.Title+d.Copy+f.Name+f.Value, nil)
		}
		for _, e := range append(press(v, keymap.CopyName), press(v, keymap.OpenRow)...) {
			switch e := e.(type) {
			case Copy:
				checkOurs(t, "the clipboard", e.Text, nil)
			case Open:
				checkOurs(t, "the place", e.Place.Pin.Value, nil)
			}
		}
		press(v, keymap.Down)
	}
	for _, o := range v.Objects(rows) {
		checkOurs(t, "the palette", o.Name+o.Note, nil)
	}
}

func TestHostileTextIsNeverDrawn(t *testing.T) {
	for _, s := range hostile {
		m := beside()
		m.Complete = true
		podFeed, nodeFeed := newFeed(m, hostilePods(s)...), newFeed(m, hostileNodes(s)...)
		p, n := NewPods(podFeed, nil), NewNodes(nodeFeed, nil)
		podFeed.publish(p)
		nodeFeed.publish(n)
		checkPane(t, p, len(podFeed.rows))
		checkPane(t, n, len(nodeFeed.rows))
		p.Handle(Go{Place{Pane: "pods", Pin: Pin{"node", podFeed.rows[0].Node}}})
		podFeed.publish(p)
		checkPane(t, p, 1)
	}
}

func TestHostileTextIsNeverPrinted(t *testing.T) {
	for _, s := range hostile {
		checkOurs(t, "the table", printedPods(t, FormatWide, hostilePods(s)), nil)
		checkOurs(t, "the table", printedNodes(t, FormatWide, hostileNodes(s)), nil)
		for _, out := range []string{printedPods(t, FormatJSON, hostilePods(s)), printedNodes(t, FormatJSON, hostileNodes(s))} {
			var objects []map[string]any
			if err := json.Unmarshal([]byte(out), &objects); err != nil {
				t.Fatalf("%v in %s", err, out)
			}
			for _, o := range objects {
				for key, value := range o {
					if value, ok := value.(string); ok {
						checkOurs(t, key, value, nil)
					}
				}
			}
		}
	}
}

func TestHostileErrorsAreNeverDrawn(t *testing.T) {
	for _, s := range hostile {
		for _, phase := range []kube.Phase{kube.Loading, kube.Denied, kube.Failed} {
			f := newFeed[*kube.Pod](beside())
			f.state = kube.State{Phase: phase, Err: errors.New(s)}
			v := NewPods(f, nil)
			f.publish(v)
			fr := frame()
			for _, err := range []error{nil, errors.New(s)} {
				fr.Health.Err, fr.Health.Up = err, err == nil
				checkOurs(t, phase.String(), drawn(v, Size{100, 12}, fr), fr.Paint)
			}
		}
	}
}
