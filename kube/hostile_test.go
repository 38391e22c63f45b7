package kube

import (
	"reflect"
	"strings"
	"testing"
	"time"
	"unicode"

	corev1 "k8s.io/api/core/v1"
	"k8s.io/apimachinery/pkg/api/resource"
	metav1 "k8s.io/apimachinery/pkg/apis/meta/v1"

	"ktriage/internal/text"
)

// hostile is what somebody who may write to the cluster would like a terminal to do: move the cursor, set the title, ask
// for its state, write the clipboard, turn the reading direction.
const hostile = "x\x1b[2J\x1b]0;owned\x07\x1b[6n\u009b31m\u009d52;c;AA==\u009c\r\n\b\x7f\t\u202e\u2066\u200b\u2028\ufeff\xff" +
	"\x1bP+q544e\x1b\\\U000e0041"

// fill puts s into every string of v, and gives every slice, map and pointer something to hold strings in.
func fill(v reflect.Value, s string, depth int) {
	switch v.Type() {
	case reflect.TypeFor[metav1.Time](), reflect.TypeFor[metav1.MicroTime]():
		v.Set(reflect.ValueOf(metav1.NewTime(noon)).Convert(v.Type()))
		return
	case reflect.TypeFor[resource.Quantity]():
		v.Set(reflect.ValueOf(resource.MustParse("100m")))
		return
	}
	if depth == 0 {
		return
	}
	switch v.Kind() {
	case reflect.String:
		v.SetString(s)
	case reflect.Bool:
		v.SetBool(true)
	case reflect.Int32, reflect.Int64:
		v.SetInt(1)
	case reflect.Pointer:
		v.Set(reflect.New(v.Type().Elem()))
		fill(v.Elem(), s, depth)
	case reflect.Slice:
		v.Set(reflect.MakeSlice(v.Type(), 2, 2))
		for i := range v.Len() {
			fill(v.Index(i), s, depth-1)
		}
	case reflect.Map:
		v.Set(reflect.MakeMap(v.Type()))
		key, value := reflect.New(v.Type().Key()).Elem(), reflect.New(v.Type().Elem()).Elem()
		fill(key, s, depth-1)
		fill(value, s, depth-1)
		v.SetMapIndex(key, value)
	case reflect.Struct:
		for _, field := range v.Fields() {
			if field.CanSet() {
				fill(field, s, depth-1)
			}
		}
	}
}

// texts gives every string in v with its path.
func texts(v reflect.Value, path string, found map[string]string) {
	if v.Type() == reflect.TypeFor[time.Time]() {
		return
	}
	switch v.Kind() {
	case reflect.String:
		found[path] = v.String()
	case reflect.Pointer:
		if !v.IsNil() {
			texts(v.Elem(), path, found)
		}
	case reflect.Slice:
		for i := range v.Len() {
			texts(v.Index(i), path+"[]", found)
		}
	case reflect.Struct:
		for i := range v.NumField() {
			texts(v.Field(i), path+"."+v.Type().Field(i).Name, found)
		}
	}
}

// harmful gives the first character of s that a terminal might obey or a reader not see.
func harmful(s string) (rune, bool) {
	for _, r := range s {
		invisible := unicode.Is(unicode.Cf, r) || r == '\u2028' || r == '\u2029'
		if unicode.IsControl(r) || invisible {
			return r, true
		}
	}
	return 0, false
}

func checkHarmless(t *testing.T, row any) (filled int) {
	found := map[string]string{}
	texts(reflect.ValueOf(row), "", found)
	for path, s := range found {
		if path == ".text" { // is searched and never shown, and its fields have ends
			s = strings.ReplaceAll(s, fieldEnd, "")
		}
		if strings.HasPrefix(path, ".Labels.") { // have marks between them that no label has
			s = strings.Map(func(r rune) rune {
				if r == labelIs || r == labelEnd {
					return -1
				}
				return r
			}, s)
		}
		if r, bad := harmful(s); bad {
			t.Errorf("%s contains %U: %q", path, r, s)
		}
		if strings.Contains(s, "x") {
			filled++
		}
	}
	return filled
}

// hostilePods are pods in which every string is hostile, in each of the states that lead to other parts of the evidence.
func hostilePods() map[string]*corev1.Pod {
	spoilt := func(change func(*corev1.Pod)) *corev1.Pod {
		pod := &corev1.Pod{}
		fill(reflect.ValueOf(pod).Elem(), hostile, 9)
		pod.OwnerReferences = pod.OwnerReferences[:1]
		if change != nil {
			change(pod)
		}
		return pod
	}
	return map[string]*corev1.Pod{
		"everything": spoilt(nil),
		"waiting": spoilt(func(p *corev1.Pod) {
			p.Status.InitContainerStatuses, p.DeletionTimestamp = nil, nil
		}),
		"ended": spoilt(func(p *corev1.Pod) {
			p.Status.InitContainerStatuses, p.DeletionTimestamp = nil, nil
			p.Status.ContainerStatuses[0].State = corev1.ContainerState{
				Terminated: &corev1.ContainerStateTerminated{ExitCode: 1, Reason: hostile, Message: "first\n" + hostile},
			}
		}),
		"unscheduled": spoilt(func(p *corev1.Pod) {
			p.Spec.NodeName, p.DeletionTimestamp = "", nil
			p.Status.InitContainerStatuses, p.Status.ContainerStatuses = nil, nil
			p.Status.Phase = corev1.PodPending
			p.Status.Conditions[0].Type = corev1.PodScheduled
		}),
		"failed": spoilt(func(p *corev1.Pod) { p.Status.Phase = corev1.PodFailed }),
	}
}

func TestHostileTextNeverReachesAPodRow(t *testing.T) {
	moment := Moment{Now: noon, Nodes: map[string]NodeState{}}
	for name, pod := range hostilePods() {
		t.Run(name, func(t *testing.T) {
			p := NewPod(pod)
			if filled := checkHarmless(t, p); filled < 10 {
				t.Errorf("only %d strings came from the object; the test has lost its grip", filled)
			}
			for _, sentence := range append(p.Diagnosis(moment), p.RestartsText(noon), p.StatusText(moment), p.ReadinessGates()) {
				if r, bad := harmful(sentence); bad {
					t.Errorf("%U in %q", r, sentence)
				}
			}
		})
	}
}

func TestHostileTextNeverReachesANodeRow(t *testing.T) {
	for _, ready := range []corev1.ConditionStatus{hostile, "True", "False", "Unknown"} {
		node := &corev1.Node{}
		fill(reflect.ValueOf(node).Elem(), hostile, 9)
		node.Status.Conditions[0].Type, node.Status.Conditions[0].Status = corev1.NodeReady, ready
		node.Labels = map[string]string{"node-role.kubernetes.io/" + hostile: "", corev1.LabelTopologyZone: hostile}
		node.Status.Addresses[0].Type = corev1.NodeInternalIP
		n := NewNode(node)
		if filled := checkHarmless(t, n); filled < 14 {
			t.Errorf("only %d strings came from the object; the test has lost its grip", filled)
		}
		for _, sentence := range append(n.Diagnosis(Moment{Now: noon}), n.ConditionsText(), n.StatusText()) {
			if r, bad := harmful(sentence); bad {
				t.Errorf("%U in %q", r, sentence)
			}
		}
	}
}

func TestLongTextIsCut(t *testing.T) {
	pod := podOf(corev1.PodFailed, nil, []part{{name: "app", unseen: true}})
	pod.Status.Reason, pod.Status.Message = "Evicted", strings.Repeat("世", 5000)
	message := NewPod(pod).Why.Message
	if n := text.Width(message); n > gistMost || n < gistMost-1 {
		t.Errorf("got %d cells, want %d", n, gistMost)
	}
	if !strings.HasSuffix(message, "…") || strings.ContainsRune(message, unicode.ReplacementChar) {
		t.Errorf("badly cut: %q", message)
	}
}
